/**
 * The completion studio in the browser: the canvas of canvas.js on the left, the completed photo on the right, what is
 * open above them, and how it is completed below. This file is what CompletionStudio shows.
 */

import { renderCanvas, widgetOf } from "./canvas.js";
import { megabytes, sendable } from "./upload.js";
import { followWipe } from "./wipe.js";

const STUDIO_SHELL = {
  source: `
    <label>Photo <select class="sample" aria-label="Sample photo"></select></label>
    <label>Size <select class="long-side" aria-label="Size of the photo"></select></label>
    <label>Mask <select class="ready-mask" aria-label="Ready-made mask"></select></label>
    <button type="button" class="word opener">Open your own …</button>
    <form class="popup own" popover>
      <p><b>A photo of your own</b></p>
      <p><button type="button" class="word pick">Choose a file …</button> or drop it on the photo. <span class="limit"></span></p>
      <p><label>Path, for any size <input type="text" class="path" spellcheck="false" placeholder="holiday.jpg"></label>
        <button type="submit" class="word">Open</button></p>
      <input type="file" accept="image/*,.tif,.tiff" hidden>
    </form>`,
  result: `
    <div class="picture">
      <img class="before" alt="The photo" draggable="false">
      <canvas class="after" role="img" aria-label="The completed photo"></canvas>
    </div>
    <div class="divider" hidden></div>
    <span class="tag left" hidden>completed</span><span class="tag right" hidden>photo</span>
    <p class="invitation">Paint over something in the photo:<br>the network fills it in here.</p>
    <div class="progress" hidden></div>`,
  settings: `
    <label title="Take the tint between the hole and the photo out (Poisson blending)"><input type="checkbox" class="blend"> Blend</label>
    <label title="A mask should be a little larger than the object">Grow the mask by <input type="range" class="grow-by" min="0" max="16" step="1"> <span class="amount"></span></label>
    <button type="button" class="word network"></button>
    <form class="popup weights" popover>
      <p><b>Which weights complete the photo</b></p>
      <p><button type="button" class="word shipped">The shipped weights</button></p>
      <p><label>A folder with config.json and model.safetensors <input type="text" class="folder" spellcheck="false" placeholder="runs/mine/weights"></label>
        <button type="submit" class="word">Use it</button></p>
    </form>
    <button type="button" class="word save">Save photo and mask</button>`,
};

function renderStudio({ model, el }, drawing) {
  const canvas = renderCanvas({ model, el }, drawing);
  const { root } = canvas;
  root.classList.add("studio");

  /** A new element with a class, holding HTML or other elements. */
  function make(name, className, content) {
    const element = document.createElement(name);
    element.className = className;
    if (typeof content === "string") element.innerHTML = content;
    else element.append(...content);
    return element;
  }

  const status = root.querySelector(".status");
  const source = make("div", "row source", STUDIO_SHELL.source);
  const result = make("div", "viewport result", STUDIO_SHELL.result);
  const wipe = make("input", "wipe", []);
  Object.assign(wipe, { type: "range", min: 0, max: 100, step: 0.5, value: 100 });
  wipe.setAttribute("aria-label", "Before and after");
  const answer = make("div", "status answer", '<span class="words" role="status"></span>');
  const left = make("section", "panel", [make("h4", "", "1 · Paint over what should go"), canvas.viewport, status]);
  const right = make("section", "panel", [make("h4", "", "2 · Completed"), result, make("label", "wiper", ["before", wipe, "after"]), answer]);
  const settings = make("div", "row settings", STUDIO_SHELL.settings);
  const note = make("p", "reply", []);
  note.setAttribute("role", "status");
  canvas.toolbar.before(source);
  canvas.toolbar.after(make("div", "panels", [left, right]), settings, note);
  const find = (selector) => root.querySelector(selector);
  const [before, after, picture] = [".before", ".after", ".picture"].map(find);
  const context = after.getContext("2d");

  // ------------------------------------------------------------------------------------------ before and after

  const showWipe = followWipe(result, after, wipe);

  /** The right photo follows the left one's zoom (a variable of the style sheet) and place. */
  function follow() {
    result.scrollLeft = canvas.viewport.scrollLeft;
    result.scrollTop = canvas.viewport.scrollTop;
    showWipe();
  }
  canvas.viewport.addEventListener("scroll", follow);

  // ------------------------------------------------------------------------------------------ the completion

  let shown = 0; // counts what was begun to be shown: decoding takes a moment, and the newest wins here too

  async function showCompletion() {
    const completion = model.get("_completion");
    const isCurrent = completion.png && completion.photo === drawing.photo && canvas.photo.naturalWidth;
    const number = ++shown;
    if (!isCurrent) {
      after.hidden = true;
      if (!isPending()) drawing.sentAt = 0; // cleared: nothing is waited for
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
    after.dataset.number = completion.number;
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

  function showState() {
    const completion = model.get("_completion");
    const pending = isPending();
    find(".progress").hidden = !pending;
    root.classList.toggle("completed", !after.hidden);
    result.setAttribute("aria-busy", pending);
    find(".invitation").hidden = pending || !after.hidden || Boolean(model.get("error"));
    const words = [];
    if (pending) words.push("Completing …");
    else if (!after.hidden) {
      const { milliseconds } = answer.dataset;
      words.push(milliseconds ? `Completed in ${(milliseconds / 1000).toFixed(2)} s` : "Completed");
      const { across, learned } = completion;
      if (learned && across > 1.25 * learned) {
        words.push(`the hole is ${across} px across, these weights learned on up to ${learned}: expect it soft`);
      }
    }
    answer.querySelector(".words").textContent = words.join("; ");
  }

  function photoChanged() {
    before.src = canvas.photo.src;
    showCompletion();
  }
  canvas.photo.addEventListener("load", photoChanged);

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
    options(find(".ready-mask"), [["", "as painted"], ...masks], mask);
    find(".credit").textContent = credit ? `Photo: ${credit}` : "";
  }
  settings.after(make("p", "credit", []));

  const ask = (message, buffers) => model.send(message, undefined, buffers);

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
    if (!event.target.value) return showSource(); // "as painted" is no mask to choose
    drawing.sentAt = performance.now();
    ask({ do: "mask", name: event.target.value });
  });

  /** A problem that never reached Python. */
  function complain(text) {
    model.set({ error: text, _note: "" });
    model.save_changes();
  }

  async function openFile(file) {
    find(".own").hidePopover();
    if (!file) return;
    try {
      const { buffer, reduced } = await sendable(file, model.get("_largest_upload"));
      ask({ do: "upload", name: file.name, reduced }, [buffer]);
    } catch (error) {
      complain(error.message);
    }
  }
  const picker = find("input[type=file]");
  find(".opener").popoverTargetElement = find(".own");
  find(".pick").addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => {
    openFile(picker.files[0]);
    picker.value = ""; // so that the same file can be chosen again
  });
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
    openFile(event.dataTransfer.files[0]);
  });

  // ------------------------------------------------------------------------------------------ how it is completed

  function showSettings() {
    find(".blend").checked = model.get("blend");
    find(".grow-by").max = Math.max(16, model.get("grow_by")); // Python may ask for more
    find(".grow-by").value = model.get("grow_by");
    find(".amount").textContent = `${model.get("grow_by")} px`;
    find(".network").textContent = find(".network").title = `Network: ${model.get("_network_name")}`;
    find(".limit").textContent = `Files over ${megabytes(model.get("_largest_upload"))} are reduced first.`;
  }

  find(".blend").addEventListener("change", (event) => change("blend", event.target.checked));
  find(".grow-by").addEventListener("input", (event) => change("grow_by", Number(event.target.value)));
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
  find(".save").addEventListener("click", () => ask({ do: "save" }));

  function showNote() {
    note.textContent = model.get("_note");
  }

  // ------------------------------------------------------------------------------------------ start and end

  const changes = {
    "change:_completion": showCompletion,
    "change:_working": showState,
    "change:_answered": showState,
    "change:completed_strokes": showState,
    "change:error": showState,
    "change:_source": showSource,
    "change:long_side": showSource,
    "change:_network_name": showSettings,
    "change:blend": showSettings,
    "change:grow_by": showSettings,
    "change:_note": showNote,
    comm_live_update: showState,
  };
  for (const [name, react] of Object.entries(changes)) model.on(name, react);
  const resized = new ResizeObserver(follow);
  resized.observe(result);
  resized.observe(picture); // zooming out shrinks it, and often nothing is left to scroll
  showSource();
  showSettings();
  showNote();
  photoChanged();

  return () => {
    for (const [name, react] of Object.entries(changes)) model.off(name, react);
    resized.disconnect();
    canvas.remove();
  };
}

export default widgetOf(renderStudio);
