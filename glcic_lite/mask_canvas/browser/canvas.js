/**
 * The mask canvas in the browser. One view of it: pointer, keyboard, zoom, and the mask painted over the photo.
 * The mask itself and its history are in drawing.js, the pixels in mask.js; this file is what MaskCanvas shows.
 */

import { Drawing } from "./drawing.js";
import { pulled } from "./hand.js";
import { listen } from "./listen.js";
import { boxAround, brushRows, drawLine, fillRectangle, grow, invert, oddSize, shrink } from "./mask.js";
import { overlay } from "./overlay.js";
import { ARROWS, actionFor, buildToolbar } from "./tools.js";

const LARGEST_ZOOM = 16;
const THIN = 120; // pixels on the screen: a photo whose shorter side would be thinner begins zoomed in
const SMALL = 640; // a photo of fewer pixels on its long side has its mask drawn in finer ones
const STRING = 20; // pixels on the screen: a steady hand's tremor up to this size leaves no trace

const SHELL = `
  <p class="note">No Python is connected: the photo and the mask are shown as they were saved. Run the cell again to go on.</p>
  <div class="toolbar"></div>
  <div class="surround">
    <div class="pane">
      <div class="viewport">
        <div class="stage" tabindex="0" role="application" aria-label="Photo to draw on: arrow keys move the brush, Space puts it down and lifts it">
          <img alt="The photo" draggable="false">
          <canvas class="ink" aria-hidden="true"></canvas>
          <div class="frame" hidden></div>
          <div class="ring" hidden></div>
        </div>
      </div>
    </div>
  </div>
  <div class="status"><span role="status"></span><span class="size"></span></div>
  <details class="error" hidden><summary role="alert"></summary><pre></pre></details>`;

/**
 * Put a canvas into `el`. Returns its parts, and how to take it away again.
 * @param {string[][]} [moreKeys]  further lines for the list of keys
 */
export function renderCanvas({ model, el }, drawing, moreKeys = []) {
  const root = document.createElement("div");
  root.className = "mask-canvas";
  root.tabIndex = -1; // a click on a heading or between two buttons gives the focus, and so the keys, to the canvas
  root.innerHTML = SHELL;
  el.append(root);
  const find = (selector) => root.querySelector(selector);
  const [toolbar, surround, pane, viewport] = [".toolbar", ".surround", ".pane", ".viewport"].map(find);
  const [stage, photo, canvas] = [".stage", "img", ".ink"].map(find);
  const [frame, ring, status, error] = [".frame", ".ring", "[role=status]", ".error"].map(find);
  const context = canvas.getContext("2d");

  let tool = "brush";
  let isSteady = false;
  let zoom = 1;
  let atStart = 0; // the photo whose first zoom has been chosen
  let cursor = null; // where the brush is, as a point of the mask; null: in the middle
  let stroke = null; // what is being drawn: {erase, start, last, brush, straight}
  let lastEnd = null; // where the stroke before ended: {photo, point}
  const pointers = new Map(); // those that are down on the photo: pointer id -> its latest event

  // ---------------------------------------------------------------- painting the mask over the photo

  let line = 1; // thickness of a contour line in pixels of the picture of the mask, about one on the screen
  let filled = null; // where the completed photo lies under the mask, if it does

  /** How many times as large as the mask its picture is: a contour as thick as a pixel would hide a tiny photo. */
  const times = () => Math.max(1, Math.floor(SMALL / Math.max(drawing.mask.width, drawing.mask.height)));

  function repaint(box) {
    const part = overlay(drawing.mask, box, line, { times: times(), grown: drawing.grown, filled });
    if (part) context.putImageData(new ImageData(part.data, part.width, part.height), part.left, part.top);
  }

  /** Show the whole drawing anew, and what the line below says of it. */
  function refresh() {
    const { width, height } = drawing.mask;
    const [wide, high] = [width * times(), height * times()];
    if (canvas.width !== wide || canvas.height !== high) {
      [canvas.width, canvas.height] = [wide, high];
      root.style.setProperty("--photo-width", width);
      root.style.setProperty("--photo-height", height);
    }
    if (drawing.photo !== atStart) beginZoom();
    context.clearRect(0, 0, wide, high);
    repaint({ left: 0, top: 0, right: width, bottom: height });
    showSize();
    const share = (100 * drawing.holePixels) / (width * height);
    status.textContent = share ? `Hole: ${share < 0.1 ? "under 0.1" : share.toFixed(1)} % of the photo` : "No hole yet: paint over what should go";
    setDisabled("undo", drawing.position === 0);
    setDisabled("redo", drawing.position === drawing.history.length - 1);
  }

  /** Let the completed photo be seen in the hole, or, without one, the tint. */
  function setFilled(pixels) {
    filled = pixels;
    refresh();
  }

  function showPhoto() {
    URL.revokeObjectURL(photo.src);
    photo.src = URL.createObjectURL(new Blob([model.get("_photo")], { type: "image/jpeg" }));
  }

  let broken = ""; // what went wrong in the browser itself, where Python does not know of it

  function showError() {
    const text = model.get("error").trim() || broken;
    error.hidden = !text;
    error.querySelector("summary").textContent = text.split("\n").pop();
    error.querySelector("pre").textContent = text;
  }

  /** Say that a message of Python could not be taken in: better than a canvas that does not follow, without a word. */
  function showBroken(failure) {
    broken = `${failure?.stack ?? failure}\nThe page could not show this change; run the cell again if it stays behind.`;
    showError();
  }

  // ------------------------------------------------------------------------------- the brush and its strokes

  const brushSize = () => model.get("brush_size");

  /** A length of the mask in pixels of the photo, which may have more of them than are shown. */
  const inPhoto = (pixels) => Math.round((pixels * model.get("_photo_size")[0]) / drawing.mask.width);

  function showBrush() {
    const { width, height } = drawing.mask;
    cursor ??= { x: width >> 1, y: height >> 1 };
    const size = tool === "rectangle" ? 1 : brushSize();
    ring.hidden = tool === "move";
    ring.style.width = `${(100 * size) / width}%`;
    ring.style.left = `${(100 * (cursor.x + 0.5)) / width}%`;
    ring.style.top = `${(100 * (cursor.y + 0.5)) / height}%`;
  }

  function showFrame() {
    frame.hidden = !(stroke && tool === "rectangle");
    if (frame.hidden) return;
    const { width, height } = drawing.mask;
    const box = boxAround(stroke.start, stroke.last);
    frame.style.left = `${(100 * box.left) / width}%`;
    frame.style.top = `${(100 * box.top) / height}%`;
    frame.style.width = `${(100 * (box.right - box.left)) / width}%`;
    frame.style.height = `${(100 * (box.bottom - box.top)) / height}%`;
  }

  function begin(point, erase) {
    stroke = { erase, start: point, last: point, brush: point, straight: null };
    for (const other of drawing.views) other.strokeBegins?.();
    extend(point);
  }

  /** Draw from one point to another, at once. */
  function ink(from, to) {
    const size = brushSize();
    const box = boxAround(from, to, (size - 1) / 2);
    drawing.edit(box, (mask) => drawLine(mask, from, to, brushRows(size), stroke.erase ? 0 : 1));
  }

  function extend(point) {
    if (tool !== "rectangle") ink(stroke.last, point);
    stroke.last = point;
    showFrame();
  }

  /** Go on to where the pointer is: freely, steadied, or, with Shift, in one straight line that follows the pointer. */
  function follow(point, isStraight) {
    if (tool === "rectangle") return extend(point);
    if (isStraight) {
      stroke.straight ??= { from: stroke.last, before: drawing.mask.pixels.slice() };
      const { from, before } = stroke.straight;
      const box = boxAround(from, stroke.last, (brushSize() - 1) / 2);
      drawing.edit(box, (mask) => mask.pixels.set(before));
      ink(from, point);
      stroke.last = stroke.brush = point;
      return;
    }
    stroke.straight = null;
    if (!isSteady) return extend(point);
    const string = (STRING * drawing.mask.width) / stage.getBoundingClientRect().width;
    stroke.brush = pulled(stroke.brush, point, string);
    extend({ x: Math.round(stroke.brush.x), y: Math.round(stroke.brush.y) });
  }

  /** A click with Shift: a straight line from where the stroke before ended. */
  function joinToLast() {
    const isClick = stroke.last.x === stroke.start.x && stroke.last.y === stroke.start.y;
    if (isClick && tool !== "rectangle" && lastEnd?.photo === drawing.photo) ink(lastEnd.point, stroke.start);
  }

  function finish() {
    if (!stroke) return;
    if (tool === "rectangle") {
      const box = boxAround(stroke.start, stroke.last);
      drawing.edit(box, (mask) => fillRectangle(mask, box, stroke.erase ? 0 : 1));
    } else {
      lastEnd = { photo: drawing.photo, point: stroke.last };
    }
    stroke = null;
    showFrame();
    drawing.complete();
  }

  function giveUp() {
    if (!stroke) return;
    stroke = null;
    showFrame();
    drawing.travel(0);
  }

  /** Forget the stroke, and do not listen to the pointer that drew it until it is down again. */
  function drop() {
    stroke = null;
    pointers.clear();
    showFrame();
  }

  function abandon() {
    if (!stroke) return;
    drop();
    drawing.travel(0);
  }

  // ------------------------------------------------------------------------------------------ zoom and pan

  /** Zoom so that the point of the photo under (clientX, clientY) stays there. Without one: the middle. */
  function zoomTo(newZoom, clientX, clientY) {
    const view = viewport.getBoundingClientRect();
    const x = clientX ?? view.left + view.width / 2;
    const y = clientY ?? view.top + view.height / 2;
    const before = stage.getBoundingClientRect();
    zoom = Math.min(Math.max(newZoom, 1), largestZoom());
    root.style.setProperty("--zoom", zoom);
    viewport.classList.toggle("zoomed", zoom > 1);
    const after = stage.getBoundingClientRect();
    viewport.scrollLeft += after.left + ((x - before.left) / before.width) * after.width - x;
    viewport.scrollTop += after.top + ((y - before.top) / before.height) * after.height - y;
    showSize();
  }

  /** The photo's sides on the screen when all of it is seen. */
  function wholeSize() {
    const box = stage.getBoundingClientRect();
    return [box.width / zoom, box.height / zoom];
  }

  /** A panorama that is seen as a whole is a thread: its zoom begins where it fills the pane. */
  function fillingZoom() {
    const [width, height] = wholeSize();
    if (!width || Math.min(width, height) >= THIN) return 1;
    const view = viewport.getBoundingClientRect();
    return Math.min(Math.max(view.width / width, view.height / height), 64);
  }

  const largestZoom = () => Math.max(LARGEST_ZOOM, fillingZoom());

  function beginZoom() {
    if (!stage.getBoundingClientRect().width) return; // not on the page yet; the observer of its size will call again
    atStart = drawing.photo;
    zoomTo(fillingZoom());
    viewport.scrollLeft = viewport.scrollTop = 0;
  }

  function showSize() {
    const [width, height] = model.get("_photo_size");
    const box = stage.getBoundingClientRect();
    const share = (100 * box.width) / width;
    find(".size").textContent = `${width} × ${height} px, shown at ${share < 1 ? share.toFixed(1) : Math.round(share)} %`;
    canvas.classList.toggle("pixels", box.width > 3 * drawing.mask.width); // so near, single pixels are to be seen
    setDisabled("smaller", zoom <= 1);
    setDisabled("fit", zoom <= 1);
    setDisabled("larger", zoom >= largestZoom());
  }

  /** The middle of the pointers that are down, and the distance between them. */
  function gesture() {
    const [a, b = a] = [...pointers.values()];
    return {
      x: (a.clientX + b.clientX) / 2,
      y: (a.clientY + b.clientY) / 2,
      spread: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1,
    };
  }

  // ---------------------------------------------------------------------------------- mouse, pen and finger

  function pointAt(event) {
    const box = stage.getBoundingClientRect();
    return {
      x: Math.floor(((event.clientX - box.left) * drawing.mask.width) / box.width),
      y: Math.floor(((event.clientY - box.top) * drawing.mask.height) / box.height),
    };
  }

  const MAIN_BUTTON = 0;
  const MIDDLE_BUTTON = 1;
  const PEN_ERASER = 5;

  function pointerDown(event) {
    if (![MAIN_BUTTON, MIDDLE_BUTTON, PEN_ERASER].includes(event.button)) return;
    const onlyFingersDown = [...pointers.values()].every((pointer) => pointer.pointerType === "touch");
    if (event.pointerType === "pen" && pointers.size && onlyFingersDown) {
      giveUp(); // the palm lay down before the pen, and its dot was not meant
      pointers.clear();
    }
    const allTouch = event.pointerType === "touch" && onlyFingersDown;
    if (pointers.size > (allTouch ? 1 : 0)) return; // only a second finger may join the first
    if (event.button === MIDDLE_BUTTON) event.preventDefault(); // else the browser begins to scroll by itself
    const onScrollbar = event.target === viewport && (event.offsetX >= viewport.clientWidth || event.offsetY >= viewport.clientHeight);
    if (onScrollbar) return;
    if (pointers.size) {
      giveUp(); // two fingers zoom and move; what the first one drew on its way was not meant
    } else {
      finish(); // a stroke of the keyboard
      stage.focus({ preventScroll: true });
    }
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
    if (pointers.size === 1 && tool !== "move" && event.button !== MIDDLE_BUTTON) {
      cursor = pointAt(event);
      showBrush();
      begin(cursor, tool === "eraser" || event.button === PEN_ERASER);
    }
  }

  function pointerMove(event) {
    const isDown = pointers.has(event.pointerId);
    if (stroke && !isDown) return; // a hand beside the pen
    if (!isDown && !event.movementX && !event.movementY) return; // the page moved under a resting mouse
    cursor = pointAt(event);
    showBrush();
    if (!isDown) return;
    if (stroke) {
      // The browser hands over several positions at once; each belongs to the line.
      const moments = event.getCoalescedEvents?.() ?? [];
      for (const moment of moments.length ? moments : [event]) follow(pointAt(moment), event.shiftKey);
    } else {
      const before = gesture();
      pointers.set(event.pointerId, event);
      const now = gesture();
      zoomTo((zoom * now.spread) / before.spread, before.x, before.y);
      viewport.scrollLeft += before.x - now.x;
      viewport.scrollTop += before.y - now.y;
    }
  }

  function pointerGone(event) {
    if (!pointers.delete(event.pointerId)) return;
    if (event.type === "pointercancel") {
      giveUp();
    } else {
      if (stroke && event.shiftKey) joinToLast();
      finish();
    }
    if (event.pointerType === "touch") ring.hidden = true;
  }

  surround.addEventListener("pointerdown", pointerDown); // a stroke may begin beside the photo
  surround.addEventListener("mousedown", (event) => {
    if (stage.contains(event.target) || event.target === viewport) return;
    event.preventDefault(); // else what lies around the photo would take the focus from it
    stage.focus({ preventScroll: true });
  });
  stage.addEventListener("pointermove", pointerMove);
  stage.addEventListener("pointerup", pointerGone);
  stage.addEventListener("pointercancel", pointerGone);
  stage.addEventListener("pointerleave", () => (ring.hidden = true));
  stage.addEventListener("focus", () => stage.matches(":focus-visible") && showBrush());
  stage.addEventListener("blur", () => {
    if (!pointers.size) finish(); // a stroke of the keyboard
    ring.hidden = true;
  });

  /** Zoom by the wheel with Ctrl, size the brush with Alt; over `picture`, the photo or one that follows it. */
  function wheelTurns(event, picture) {
    const turned = event.deltaY || event.deltaX;
    if (event.altKey) {
      event.preventDefault();
      if (turned) setBrushSize(turned > 0 ? brushSize() / 1.15 - 1 : brushSize() * 1.15 + 1);
      return;
    }
    if (!event.ctrlKey && !event.metaKey) return; // without Ctrl the notebook scrolls
    event.preventDefault();
    const [here, there] = [stage, picture].map((element) => element.getBoundingClientRect());
    zoomTo(zoom * Math.exp(-event.deltaY / 300), event.clientX + here.left - there.left, event.clientY + here.top - there.top);
  }
  viewport.addEventListener("wheel", (event) => wheelTurns(event, stage), { passive: false });

  // ---------------------------------------------------------------------------------- toolbar and keyboard

  const growth = () => Math.max(1, Math.round(Math.max(drawing.mask.width, drawing.mask.height) / 200));

  function changeAll(change) {
    finish();
    change(drawing.mask);
    drawing.complete();
  }

  function choose(name) {
    finish();
    tool = name;
    root.dataset.tool = name;
    for (const other of ["brush", "eraser", "rectangle", "move"]) {
      buttons[other].setAttribute("aria-pressed", other === name);
    }
    ring.hidden = true;
  }

  /** Not by `disabled`: a button that has the focus would lose it, and the next key would reach the notebook. */
  function setDisabled(name, isDisabled) {
    buttons[name].setAttribute("aria-disabled", isDisabled);
  }

  function setBrushSize(size) {
    model.set("brush_size", Math.min(Math.max(oddSize(size), 1), 2 * slider.max + 1));
    model.save_changes();
    showBrush();
  }

  function setSteady(on) {
    isSteady = on;
    buttons.steady.setAttribute("aria-pressed", on);
  }

  const actions = {
    brush: () => choose("brush"),
    eraser: () => choose("eraser"),
    rectangle: () => choose("rectangle"),
    move: () => choose("move"),
    steady: () => setSteady(!isSteady),
    undo: () => (stroke ? abandon() : drawing.travel(-1)),
    redo: () => stroke || drawing.travel(1), // a stroke under way has nothing after it
    grow: () => changeAll((mask) => grow(mask, growth())),
    shrink: () => changeAll((mask) => shrink(mask, growth())),
    invert: () => changeAll(invert),
    clear: () => changeAll((mask) => mask.pixels.fill(0)),
    smaller: () => zoomTo(zoom / 1.5),
    larger: () => zoomTo(zoom * 1.5),
    fit: () => zoomTo(1),
    smallerBrush: () => setBrushSize(brushSize() / 1.25 - 1),
    largerBrush: () => setBrushSize(brushSize() * 1.25 + 1),
    moveBrush: (event) => moveByKey(ARROWS[event.key], event.shiftKey),
    pressOrLift,
    abandon,
  };
  const buttons = buildToolbar(toolbar, (action) => actions[action](), moreKeys);
  const slider = find(".brush-size input");

  function showBrushSize() {
    slider.max = Math.max(8, Math.round(Math.max(drawing.mask.width, drawing.mask.height) / 10));
    slider.value = (brushSize() - 1) / 2;
    slider.setAttribute("aria-valuetext", `${inPhoto(brushSize())} pixels of the photo`);
    find(".brush-size output").textContent = `${inPhoto(brushSize())} px`;
  }
  slider.addEventListener("input", () => setBrushSize(2 * slider.value + 1));
  slider.addEventListener("change", () => (ring.hidden = true));

  function moveByKey([dx, dy], isFine) {
    if (tool === "move") {
      viewport.scrollBy(40 * dx, 40 * dy);
      return;
    }
    showBrush(); // gives the cursor a place if it has none
    const { width, height } = drawing.mask;
    const step = isFine ? 1 : Math.max(1, Math.round(brushSize() / 3));
    cursor = {
      x: Math.min(Math.max(cursor.x + dx * step, 0), width - 1),
      y: Math.min(Math.max(cursor.y + dy * step, 0), height - 1),
    };
    showBrush();
    ring.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (stroke) extend(cursor);
    status.textContent = `${stroke ? "Drawing" : "Brush"} at ${inPhoto(cursor.x)}, ${inPhoto(cursor.y)}`;
  }

  function pressOrLift() {
    if (tool === "move") return;
    showBrush();
    if (stroke) finish();
    else begin(cursor, tool === "eraser");
  }

  /**
   * Notebook 7 looks for its own keys before the canvas hears of them, except where the element that has the focus has
   * this attribute. (JupyterLab looks for them afterwards.)
   */
  function claimKey(event) {
    if (!root.contains(event.target)) return;
    const isOurs = !(event.ctrlKey || event.metaKey) || actionFor(event, event.target === stage);
    event.target.toggleAttribute("data-lm-suppress-shortcuts", Boolean(isOurs));
  }
  window.addEventListener("keydown", claimKey, true);

  root.addEventListener("keydown", (event) => {
    const isChord = event.ctrlKey || event.metaKey;
    const inList = event.target.matches("select"); // its letters choose an entry, but Ctrl+Z undoes a stroke, not text in a cell
    if (event.target.matches("input[type=text]") || (inList && !isChord)) {
      if (!isChord) event.stopPropagation(); // letters are text here, not tools
      return;
    }
    if (!isChord) event.stopPropagation(); // else "x" on a button cuts the cell
    const action = actionFor(event, event.target === stage);
    if (!actions[action] || (pointers.size && !isChord && action !== "abandon")) return;
    event.stopPropagation();
    if (action !== "abandon") event.preventDefault(); // Escape also closes the list of keys, if it is open
    actions[action](event);
  });

  // ------------------------------------------------------------------------------------------ start and end

  const view = { repaint, refresh, drop };
  drawing.views.add(view);
  const changes = {
    "change:_photo": showPhoto,
    "change:_photo_size": showSize,
    "change:_drawing": showBrushSize,
    "change:brush_size": showBrushSize,
    "change:error": showError,
    "change:completed_strokes": () => {
      broken = "";
      showError();
    },
    comm_live_update: () => root.classList.add("disconnected"), // the kernel was restarted or has ended
  };
  const stopListening = listen(model, changes, showBroken);

  // The size on the screen changes with the window and with the zoom.
  const resized = new ResizeObserver(() => {
    if (drawing.photo !== atStart) beginZoom();
    const thickness = Math.max(1, Math.round(canvas.width / (stage.clientWidth || canvas.width)));
    if (thickness !== line) {
      line = thickness;
      refresh();
    }
    showSize();
  });
  resized.observe(stage);

  showPhoto();
  showBrushSize();
  showError();
  choose("brush");
  setSteady(false);
  refresh();
  zoomTo(1);

  const remove = () => {
    drawing.views.delete(view);
    stopListening();
    window.removeEventListener("keydown", claimKey, true);
    resized.disconnect();
    URL.revokeObjectURL(photo.src);
    root.remove();
  };
  return { root, toolbar, buttons, actions, surround, pane, viewport, stage, photo, canvas, error, view, setFilled, wheelTurns, showBroken, remove };
}

/**
 * What anywidget calls, once for each widget: `render` for each of its views, which share one drawing.
 * @param {(context, drawing: Drawing) => () => void} renderView  returns how to take the view away again
 */
export function widgetOf(renderView) {
  return () => {
    let drawing;
    return {
      initialize({ model }) {
        drawing = new Drawing(model);
      },
      render: (context) => renderView(context, drawing),
    };
  };
}

export default widgetOf((context, drawing) => renderCanvas(context, drawing).remove);
