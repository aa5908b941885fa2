/**
 * The completion studio in the browser: the canvas of canvas.js, the completed photo beside it or in its place, what is
 * open above them, and how it is completed below. This file is what CompletionStudio shows.
 */

import { renderCanvas, widgetOf } from "./canvas.js";
import { listen } from "./listen.js";
import { megabytes, sendInParts } from "./upload.js";
import { followWipe } from "./wipe.js";

const NARROW = 700; // pixels; narrower studios have no room for two photos side by side

const MORE_KEYS = [
  ["O", "held down: the photo as it was"],
  ["C", "complete now"],
  ["N", "no: cancel the completion under way"],
  ["V", "view: side by side, or in place"],
];

const STUDIO_SHELL = {
  source: `
    <label>Photo <select class="sample"></select></label>
    <label>Size <select class="long-side"></select></label>
    <label>Mask <select class="ready-mask"></select></label>
    <button type="button" class="word opener">Open your own …</button>
    <form class="popup own" popover aria-label="Open your own photo">
      <p><b>A photo of your own</b></p>
      <p><button type="button" class="word pick">Choose a file …</button> or drop it on the photo. Nothing is reduced on its way.</p>
      <p><label>Path, for files beside the notebook <input type="text" class="path" spellcheck="false" placeholder="holiday.jpg"></label>
        <button type="submit" class="word">Open</button></p>
      <input type="file" class="photo-file" aria-label="Photo file" accept="image/*,.tif,.tiff,.psd,.heic,.jp2" hidden>
      <input type="file" class="mask-file" aria-label="Mask file" accept="image/*,.tif,.tiff" hidden>
    </form>
    <button type="button" class="word saver">Save …</button>
    <div class="popup saving" popover role="group" aria-label="Save">
      <p><button type="button" class="word" data-as="png">Photo and mask</button> two PNG files</p>
      <p><button type="button" class="word" data-as="page">Before and after, as a page</button> an HTML file with the wipe</p>
      <p><button type="button" class="word" data-as="gif">Before and after, moving</button> a GIF for a slide</p>
    </div>`,
  result: `
    <div class="viewport view">
      <div class="picture">
        <img class="before" alt="The photo" draggable="false">
        <canvas class="after" role="img" aria-label="The completed photo" hidden></canvas>
      </div>
    </div>
    <p class="invitation"></p>`,
  marks: '<div class="divider"></div><span class="tag left">completed</span><span class="tag right">photo</span>',
  answer: `
    <span class="words" role="status"></span>
    <button type="button" class="word cancel" hidden>Cancel</button>
    <button type="button" class="word continue" hidden title="Make the completed photo the one to paint on">Continue from this result</button>`,
  settings: `
    <label title="What fills the hole">Filled by <select class="filled-by"></select></label>
    <label title="Take the tint between the hole and the photo out (Poisson blending)"><input type="checkbox" class="blend"> Blend</label>
    <label title="Complete a hole that is larger than what you painted (G and S)">Grow by <input type="range" class="grow-by" min="0" max="16" step="1"> <span class="amount"></span></label>
    <button type="button" class="word network"></button>
    <form class="popup weights" popover aria-label="Weights">
      <p><b>Which weights complete the photo</b></p>
      <p><button type="button" class="word shipped">The shipped weights</button></p>
      <p><label>A folder with config.json and model.safetensors <input type="text" class="folder" spellcheck="false" placeholder="runs/mine/weights"></label>
        <button type="submit" class="word">Use it</button></p>
    </form>
    <label title="Off: only when you press Complete (C)"><input type="checkbox" class="each-stroke"> At every stroke</label>
    <button type="button" class="word complete" hidden>Complete</button>`,
};

/** A new element with a class, holding HTML or other elements. */
function make(name, className, content) {
  const element = document.createElement(name);
  element.className = className;
  if (typeof content === "string") element.innerHTML = content;
  else element.append(...content);
  return element;
}

function renderStudio({ model, el }, drawing) {
  const canvas = renderCanvas({ model, el }, drawing, MORE_KEYS);
  const { root } = canvas;
  root.classList.add("studio");
  const status = root.querySelector(".status");
  const source = make("div", "row source", STUDIO_SHELL.source);
  const result = make("div", "pane result", STUDIO_SHELL.result);
  const marks = make("div", "marks", STUDIO_SHELL.marks);
  const progress = make("div", "progress", []);
  progress.setAttribute("role", "progressbar");
  progress.setAttribute("aria-label", "Completing");
  const wipe = make("input", "wipe", []);
  Object.assign(wipe, { type: "range", min: 0, max: 100, step: 0.5, value: 100 });
  wipe.setAttribute("aria-label", "Before and after");
  const compare = make("button", "word compare", "Hold: before");
  Object.assign(compare, { type: "button", title: "Shows the photo as it was for as long as you hold it (O)" });
  const wiper = make("div", "wiper", ["before", wipe, "after", compare]);
  const answer = make("div", "status answer", STUDIO_SHELL.answer);
  const otherView = make("button", "word other-view", "");
  otherView.type = "button";
  const heading = make("span", "heading", "");
  const left = make("section", "panel", [make("h4", "", [heading, otherView]), canvas.surround, status]);
  const right = make("section", "panel completion", [
    make("h4", "", "2 · Completed"),
    make("div", "surround", [result]),
    wiper,
    answer,
  ]);
  const panels = make("div", "panels", [left, right]);
  const settings = make("div", "row settings", STUDIO_SHELL.settings);
  const note = make("p", "reply", []);
  note.setAttribute("role", "status");
  canvas.toolbar.before(source);
  canvas.toolbar.after(panels, settings, note, make("p", "credit", []));
  const find = (selector) => root.querySelector(selector);
  const [before, after, picture, view] = [".before", ".after", ".picture", ".view"].map(find);
  const context = after.getContext("2d");
  function ask(message, buffers) {
    if (!root.classList.contains("disconnected")) return model.send(message, undefined, buffers);
    note.textContent = "No Python is connected: run the cell again.";
    showSource(); // the lists go back to what is there
  }

  // ------------------------------------------------------------------------------------------ before and after

  result.append(marks, progress);
  const showWipe = followWipe(result, after, wipe, marks);
  canvas.view.strokeBegins = () => showWipe(100); // else ink may fall where the photo before is shown

  /** The right photo follows the left one's zoom (a variable of the style sheet) and place. */
  function follow() {
    view.scrollLeft = canvas.viewport.scrollLeft;
    view.scrollTop = canvas.viewport.scrollTop;
    showWipe();
  }
  canvas.viewport.addEventListener("scroll", follow);
  view.addEventListener("wheel", (event) => canvas.wheelTurns(event, picture), { passive: false });

  const showBefore = (on) => root.classList.toggle("comparing", on);
  compare.addEventListener("pointerdown", () => showBefore(true));
  for (const end of ["pointerup", "pointercancel", "pointerleave", "keyup", "blur"]) {
    compare.addEventListener(end, () => showBefore(false));
  }
  compare.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && showBefore(true));
  root.addEventListener("keyup", (event) => event.key.toLowerCase() === "o" && showBefore(false));
  root.addEventListener("focusout", (event) => root.contains(event.relatedTarget) || showBefore(false));

  // ------------------------------------------------------------------------------------------ side by side, in place

  const isInPlace = () => root.classList.contains("in-place");

  /** With the result in place there is one photo, and the completed one lies on it, under the ink. */
  function showView() {
    const asked = model.get("view");
    const inPlace = asked === "in place" || (asked === "auto" && root.clientWidth < NARROW && root.clientWidth > 0);
    if (heading.textContent && inPlace === isInPlace()) return;
    root.classList.toggle("in-place", inPlace);
    heading.textContent = inPlace ? "Paint over what should go: it is filled in place" : "1 · Paint over what should go";
    otherView.textContent = inPlace ? "Side by side" : "In place";
    otherView.title = inPlace ? "Show the completed photo beside this one (V)" : "Show the completed photo where you paint (V)";
    if (inPlace) canvas.photo.after(after);
    else before.after(after);
    (inPlace ? canvas.pane : result).append(marks, progress);
    showFilled();
    showWipe();
  }

  function showFilled() {
    canvas.setFilled(isInPlace() && !after.hidden ? drawing.hole.slice() : null);
  }

  function changeView() {
    model.set("view", isInPlace() ? "side by side" : "in place");
    model.save_changes();
    showView();
  }
  otherView.addEventListener("click", changeView);

  // ------------------------------------------------------------------------------------------ the completion

  let shown = 0; // counts what was begun to be shown: decoding takes a moment, and the newest wins here too
  // The completion on the canvas; the model's may be newer, or none.
  let displayed = null;
  let saving = null; // what to save the completion under way as: {as, hasWaited}

  async function showCompletion() {
    const completion = model.get("_completion");
    const isCurrent = completion.png && completion.photo === drawing.photo && canvas.photo.naturalWidth;
    const number = ++shown;
    if (!isCurrent) {
      after.hidden = true;
      if (!isPending()) drawing.sentAt = 0; // cleared: nothing is waited for
      showFilled();
      showWipe();
      showState();
      return;
    }
    const patch = await createImageBitmap(new Blob([completion.png], { type: "image/png" }));
    if (number !== shown) return;
    // On one canvas with the photo, so that outside the hole both are the same pixels at any zoom.
    after.width = canvas.photo.naturalWidth;
    after.height = canvas.photo.naturalHeight;
    context.drawImage(canvas.photo, 0, 0);
    context.drawImage(patch, completion.left, completion.top);
    after.hidden = false;
    displayed = completion;
    after.dataset.number = completion.number;
    showFilled();
    showWipe();
    if (drawing.sentAt) {
      answer.dataset.milliseconds = Math.round(performance.now() - drawing.sentAt);
      drawing.sentAt = 0;
    } else {
      delete answer.dataset.milliseconds;
    }
    showState();
  }

  function isPending() {
    if (root.classList.contains("disconnected")) return false; // nobody will answer
    return model.get("_working") || model.get("_answered") !== model.get("completed_strokes");
  }

  /** What is said of the completion that is shown. */
  function wordsFor({ filled_by, seconds, across, learned, reduction }) {
    const { milliseconds } = answer.dataset;
    const time = milliseconds ? milliseconds / 1000 : seconds;
    const words = [`Completed in ${time.toFixed(2)} s by ${filled_by}`];
    if (reduction > 1) {
      words.push(
        `the hole is ${across} px across, these weights learned on up to ${learned}: ` +
          `painted in a copy at 1/${reduction} of the photo's size, so expect it soft`,
      );
    } else if (learned && across > 1.25 * learned) {
      words.push(`the hole is ${across} px across, these weights learned on up to ${learned}: expect it soft`);
    }
    return words.join("; ");
  }

  function showState() {
    const pending = isPending();
    const expected = model.get("_working") ? model.get("_expected") : 0; // before Python has answered, nothing is known
    const isEmpty = drawing.holePixels === 0;
    progress.hidden = !pending;
    progress.classList.toggle("foreseen", expected > 0);
    progress.style.setProperty("--expected", `${expected}s`);
    root.classList.toggle("completed", !after.hidden);
    result.setAttribute("aria-busy", pending);
    const onDemand = model.get("on_demand");
    const invitation = find(".invitation");
    invitation.hidden = pending || !after.hidden || Boolean(model.get("error"));
    invitation.textContent = isEmpty ? "Paint over something in the photo: it is filled in here." : "Not completed: press Complete (C).";
    find(".complete").hidden = !onDemand && (isEmpty || pending || !after.hidden);
    find(".complete").classList.toggle("urgent", !isEmpty && !pending && after.hidden);
    find(".continue").hidden = after.hidden || pending;
    find(".cancel").hidden = !pending;
    let words = "";
    if (pending) words = expected >= 1 ? `Completing …, about ${Math.ceil(expected)} s` : "Completing …";
    else if (!after.hidden) words = wordsFor(displayed);
    else if (!isEmpty && !model.get("error") && !root.classList.contains("disconnected")) words = "Not completed: press Complete (C)";
    answer.querySelector(".words").textContent = words;
    saveOnceCompleted();
  }

  function photoChanged() {
    before.src = canvas.photo.src;
    showWipe(100);
    showCompletion();
  }
  canvas.photo.addEventListener("load", photoChanged);

  /** What a button does that goes away by being pressed: the focus, and with it the keys, stays in the studio. */
  function press(selector, action) {
    find(selector).addEventListener("click", () => {
      canvas.stage.focus({ preventScroll: true });
      action();
    });
  }
  function complete() {
    startClock();
    ask({ do: "complete" });
  }
  function cancel() {
    if (!isPending()) return;
    forgetSaving();
    ask({ do: "cancel" });
  }
  press(".complete", complete);
  press(".cancel", cancel);
  press(".continue", () => ask({ do: "continue" }));
  Object.assign(canvas.actions, {
    complete,
    cancel,
    compare: () => showBefore(true),
    otherView: changeView,
    grow: () => growBy(model.get("grow_by") + 1),
    shrink: () => growBy(model.get("grow_by") - 1),
  });

  // ------------------------------------------------------------------------------------------ what is open

  function options(select, pairs, value) {
    select.replaceChildren(...pairs.map(([name, label]) => new Option(label, name, false, name === value)));
  }

  function showSource() {
    const { title, credit, size, sample, mask, masks } = model.get("_source");
    const list = find(".sample");
    list.replaceChildren();
    if (!sample) list.append(new Option(title, "", true, true));
    for (const [group, names] of model.get("_samples")) {
      const element = document.createElement("optgroup");
      element.label = group;
      element.append(...names.map(([name, label]) => new Option(label, name, false, name === sample)));
      list.append(element);
    }
    const [width, height] = size;
    const side = model.get("long_side"); // any number, if Python has set it
    const reduced = (side) => side > 0 && side < Math.max(width, height);
    const sizes = [...new Set([640, 1280, side])].filter(reduced).sort((a, b) => a - b);
    const choices = sizes.map((side) => [String(side), `${side} px`]);
    options(find(".long-side"), [...choices, ["0", `full, ${width} × ${height} px`]], reduced(side) ? String(side) : "0");
    options(find(".ready-mask"), [["", "as painted"], ...masks, ["file", "from a file …"]], mask);
    find(".credit").textContent = credit ? `Photo: ${credit}` : "";
  }

  /** Begin to measure how long the answer takes. Without a hole there will be none. */
  function startClock() {
    drawing.sentAt = drawing.holePixels ? performance.now() : 0;
  }

  function change(name, value) {
    startClock();
    model.set(name, value);
    model.save_changes();
  }

  find(".sample").addEventListener("change", (event) => event.target.value && ask({ do: "open", sample: event.target.value }));
  find(".long-side").addEventListener("change", (event) => change("long_side", Number(event.target.value)));
  find(".ready-mask").addEventListener("change", (event) => {
    const name = event.target.value;
    if (name === "file") find(".mask-file").click();
    if (!name || name === "file") return showSource(); // neither is a mask of the list
    showWipe(100);
    drawing.sentAt = performance.now();
    ask({ do: "mask", name });
  });

  async function send(file, what) {
    find(".own").hidePopover();
    if (!file) return;
    note.textContent = `Sending ${file.name}, ${megabytes(file.size)} …`;
    if (what === "mask") drawing.sentAt = performance.now();
    await sendInParts(file, model.get("_largest_message"), (part, parts, content) => {
      if (part === parts - 1) note.textContent = `Opening ${file.name} …`;
      ask({ do: "upload", what, name: file.name, part, parts }, [content]);
    });
  }
  find(".opener").popoverTargetElement = find(".own");
  find(".pick").addEventListener("click", () => find(".photo-file").click());
  for (const what of ["photo", "mask"]) {
    const picker = find(`.${what}-file`);
    picker.addEventListener("change", () => {
      send(picker.files[0], what);
      picker.value = ""; // so that the same file can be chosen again
    });
  }
  find(".own").addEventListener("submit", (event) => {
    event.preventDefault();
    find(".own").hidePopover();
    if (find(".path").value.trim()) ask({ do: "open", path: find(".path").value });
  });
  root.addEventListener("dragover", (event) => event.preventDefault());
  root.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    event.stopPropagation();
    send(event.dataTransfer.files[0], "photo");
  });
  find(".saver").popoverTargetElement = find(".saving");
  for (const button of root.querySelectorAll(".saving button")) {
    button.addEventListener("click", () => {
      find(".saving").hidePopover();
      saving = { as: button.dataset.as, hasWaited: false };
      saveOnceCompleted();
    });
  }

  function forgetSaving(words = "") {
    if (!saving) return;
    saving = null;
    note.textContent = words;
  }

  /** Python would wait for the completion, and hear of nothing else meanwhile, not even of Cancel. */
  function saveOnceCompleted() {
    if (!saving) return;
    if (isPending()) {
      saving.hasWaited = true;
      note.textContent = "Saving once it is completed …";
    } else if (saving.hasWaited && !model.get("_completion").png) {
      forgetSaving("Not saved: nothing was completed."); // the stroke was undone, the completion failed, or another photo was opened
    } else {
      note.textContent = "Saving …";
      ask({ do: "save", as: saving.as });
      saving = null;
    }
  }

  // ------------------------------------------------------------------------------------------ how it is completed

  for (const name of ["grow", "shrink"]) canvas.buttons[name].hidden = true; // the studio has a slider for it

  function showSettings() {
    const byNetwork = model.get("filled_by") === "the network";
    options(find(".filled-by"), model.get("_fills").map((name) => [name, name]), model.get("filled_by"));
    find(".blend").checked = model.get("blend");
    find(".blend").disabled = !byNetwork;
    find(".grow-by").max = Math.max(16, model.get("grow_by")); // Python may ask for more
    find(".grow-by").value = model.get("grow_by");
    find(".amount").textContent = `${model.get("grow_by")} px`;
    find(".network").hidden = !byNetwork;
    find(".network").textContent = find(".network").title = `Network: ${model.get("_network_name")}`;
    find(".each-stroke").checked = !model.get("on_demand");
    showState();
  }

  function showGrowth() {
    drawing.setGrowth(Math.round((model.get("grow_by") * drawing.mask.width) / model.get("_photo_size")[0]));
    showSettings();
  }

  function growBy(pixels) {
    change("grow_by", Math.min(Math.max(pixels, 0), 64));
  }

  find(".filled-by").addEventListener("change", (event) => change("filled_by", event.target.value));
  find(".blend").addEventListener("change", (event) => change("blend", event.target.checked));
  find(".grow-by").addEventListener("input", (event) => growBy(Number(event.target.value)));
  find(".each-stroke").addEventListener("change", (event) => change("on_demand", !event.target.checked));
  find(".network").popoverTargetElement = find(".weights");
  function useNetwork(folder) {
    find(".weights").hidePopover();
    startClock();
    ask({ do: "network", folder });
  }
  find(".shipped").addEventListener("click", () => useNetwork(""));
  find(".weights").addEventListener("submit", (event) => {
    event.preventDefault();
    if (find(".folder").value.trim()) useNetwork(find(".folder").value);
  });

  function showNote() {
    note.textContent = model.get("_note");
  }

  // ------------------------------------------------------------------------------------------ start and end

  const changes = {
    "change:_completion": showCompletion,
    "change:_working": showState,
    "change:_expected": showState,
    "change:_answered": showState,
    "change:completed_strokes": showState,
    "change:_drawing": showState, // also where the same photo is opened once more, and nothing else changes
    "change:error": () => {
      showNote();
      showState();
      if (!canvas.error.hidden) canvas.error.scrollIntoView({ block: "nearest" });
    },
    "change:_source": showSource,
    "change:long_side": showSource,
    "change:_network_name": showSettings,
    "change:_fills": showSettings,
    "change:filled_by": showSettings,
    "change:on_demand": showSettings,
    "change:blend": showSettings,
    "change:grow_by": showGrowth,
    "change:_photo_size": showGrowth,
    "change:view": showView,
    "change:_note": () => {
      showNote();
      if (note.textContent) note.scrollIntoView({ block: "nearest" }); // on a low screen it lies below the edge
    },
    comm_live_update: showState,
  };
  const stopListening = listen(model, changes, canvas.showBroken);
  const resized = new ResizeObserver(() => {
    showView();
    follow();
  });
  for (const element of [root, result, picture]) resized.observe(element); // zooming out shrinks the picture
  showSource();
  showGrowth();
  showNote();
  showView();
  photoChanged();

  return () => {
    stopListening();
    resized.disconnect();
    canvas.remove();
  };
}

export default widgetOf(renderStudio);
