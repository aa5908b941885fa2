// The mask canvas in the browser. Three parts, each resting on the one before:
//   1. the mask: whole pixels, drawn exactly as strokes.py does it;
//   2. the drawing: the mask with its history, shared by all views of one widget, and what is sent to Python;
//   3. a view: tools, pointer, keyboard, zoom, and painting the mask over the photo.
// Nothing is exported here: widget.py adds the line that does, as the studio (studio.js) is built from the same parts.

// ------------------------------------------------------------------------------------------------- 1. the mask
// A mask is {width, height, pixels}: one byte a pixel, row by row, 1 in the hole. Points are {x, y}, whole numbers.

/** For each row of a round brush, top to bottom: how far it reaches to either side of its middle. */
function brushRows(size) {
  const radius = (size - 1) / 2;
  const rows = [];
  for (let dy = -radius; dy <= radius; dy++) rows.push(Math.floor(Math.sqrt(radius * radius + radius - dy * dy)));
  return rows;
}

function fillRow(mask, y, left, right, value) {
  if (y < 0 || y >= mask.height) return;
  const start = Math.max(left, 0);
  const end = Math.min(right, mask.width - 1);
  if (start <= end) mask.pixels.fill(value, y * mask.width + start, y * mask.width + end + 1);
}

function stampDisc(mask, x, y, rows, value) {
  const radius = (rows.length - 1) / 2;
  rows.forEach((reach, row) => fillRow(mask, y + row - radius, x - reach, x + reach, value));
}

/** Stamp the brush at every pixel of a line (Bresenham's algorithm). */
function drawLine(mask, start, end, rows, value) {
  let { x, y } = start;
  const distanceX = Math.abs(end.x - x);
  const distanceY = -Math.abs(end.y - y);
  const stepX = x < end.x ? 1 : -1;
  const stepY = y < end.y ? 1 : -1;
  let error = distanceX + distanceY;
  stampDisc(mask, x, y, rows, value);
  while (x !== end.x || y !== end.y) {
    const doubled = 2 * error;
    if (doubled >= distanceY) {
      error += distanceY;
      x += stepX;
    }
    if (doubled <= distanceX) {
      error += distanceX;
      y += stepY;
    }
    stampDisc(mask, x, y, rows, value);
  }
}

/** The box around two points, with a margin; right and bottom lie just outside it. */
function boxAround(a, b, margin = 0) {
  return {
    left: Math.min(a.x, b.x) - margin,
    top: Math.min(a.y, b.y) - margin,
    right: Math.max(a.x, b.x) + margin + 1,
    bottom: Math.max(a.y, b.y) + margin + 1,
  };
}

function fillRectangle(mask, box, value) {
  for (let y = box.top; y < box.bottom; y++) fillRow(mask, y, box.left, box.right - 1, value);
}

function invert(mask) {
  mask.pixels.forEach((value, index) => (mask.pixels[index] = 1 - value));
}

/** Enlarge the hole: every pixel at its rim becomes a disc. */
function grow(mask, radius) {
  const { width, height } = mask;
  const before = mask.pixels.slice();
  const rows = brushRows(2 * radius + 1);
  for (let y = 0, index = 0; y < height; y++) {
    for (let x = 0; x < width; x++, index++) {
      const isRim =
        before[index] &&
        ((x > 0 && !before[index - 1]) ||
          (x < width - 1 && !before[index + 1]) ||
          (y > 0 && !before[index - width]) ||
          (y < height - 1 && !before[index + width]));
      if (isRim) stampDisc(mask, x, y, rows, 1);
    }
  }
}

function shrink(mask, radius) {
  invert(mask);
  grow(mask, radius);
  invert(mask);
}

/** Lengths of the runs of equal pixels: known, hole, known, hole, ... The first is 0 if the mask begins with a hole. */
function encodeRuns(pixels) {
  const runs = [];
  let value = 0;
  let start = 0;
  while (start < pixels.length) {
    let end = pixels.indexOf(1 - value, start);
    if (end < 0) end = pixels.length;
    runs.push(end - start);
    start = end;
    value = 1 - value;
  }
  return runs;
}

function decodeRuns(runs, pixels) {
  let start = 0;
  runs.forEach((length, position) => {
    pixels.fill(position % 2, start, start + length);
    start += length;
  });
}

// ---------------------------------------------------------------------------------------------- 2. the drawing

const HISTORY_LENGTH = 100;

class Drawing {
  constructor(model) {
    this.model = model;
    this.views = new Set(); // each has repaint(box), refresh() and drop()
    this.load();
    model.on("change:_drawing", () => this.load());
  }

  /** Take over what the model holds: at the start, and when Python or another browser window changed it. */
  load() {
    const { photo, width, height, runs } = this.model.get("_drawing");
    if (photo !== this.photo) {
      this.photo = photo;
      this.mask = { width, height, pixels: new Uint8Array(width * height) };
      this.history = [];
      this.position = -1;
    } else if (String(runs) === String(this.history[this.position])) {
      return; // what this browser sent itself
    }
    this.views.forEach((view) => view.drop()); // a stroke under way belongs to what was there before
    decodeRuns(runs, this.mask.pixels);
    this.remember(runs);
    this.show();
  }

  remember(runs) {
    this.history.splice(this.position + 1, Infinity, runs); // what was undone can no longer be redone
    this.history.splice(0, this.history.length - HISTORY_LENGTH);
    this.position = this.history.length - 1;
  }

  /** Change part of the mask, now, in all views; `box` is where. */
  edit(box, change) {
    change(this.mask);
    this.views.forEach((view) => view.repaint(box));
  }

  show() {
    this.views.forEach((view) => view.refresh());
  }

  /** What was done since the last time is complete: remember it and send it. */
  complete() {
    const runs = encodeRuns(this.mask.pixels);
    if (String(runs) === String(this.history[this.position])) return;
    this.remember(runs);
    this.send();
  }

  /** Go to a state of the history: -1 back, 1 forward, 0 to the last complete one. */
  travel(steps) {
    const runs = this.history[this.position + steps];
    if (!runs) return;
    this.position += steps;
    decodeRuns(runs, this.mask.pixels);
    if (steps) this.send();
    else this.show();
  }

  send() {
    this.show();
    this.sentAt = performance.now(); // the studio says how long the answer took
    this.model.set("_drawing", { ...this.model.get("_drawing"), runs: this.history[this.position] });
    this.model.set("completed_strokes", this.model.get("completed_strokes") + 1);
    this.model.save_changes();
  }

  /** How many pixels the hole has, as last completed. */
  get holePixels() {
    return this.history[this.position].reduce((sum, length, index) => sum + (index % 2) * length, 0);
  }
}

// -------------------------------------------------------------------------------------------------- 3. a view

const ICONS = {
  brush: '<path d="M20.5 3.5c-4 1.5-8 5-10.5 8.5l2.5 2.5c3.5-2.5 7-6.5 8-11z"/><path d="M9 13c-2.5 0-4 1.5-4 4 0 1.5-.8 2.5-2 3 4 1.2 8.5.3 8.5-4z"/>',
  eraser: '<path d="M8 20l-4.5-4.5a1.5 1.5 0 0 1 0-2L13 4a1.5 1.5 0 0 1 2 0l5 5a1.5 1.5 0 0 1 0 2l-9 9z"/><path d="M8 9l7 7M8 20h13"/>',
  rectangle: '<rect x="3.5" y="5.5" width="17" height="13" rx="1"/>',
  move: '<path d="M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3"/>',
  undo: '<path d="M8 4L3.5 8.5 8 13"/><path d="M4 8.5h10a6 6 0 0 1 0 12h-4"/>',
  redo: '<path d="M16 4l4.5 4.5L16 13"/><path d="M20 8.5H10a6 6 0 0 0 0 12h4"/>',
  grow: '<circle cx="12" cy="12" r="3" fill="currentColor"/><path d="M12 5.5V2M12 18.5V22M5.5 12H2M18.5 12H22M10.5 3.5L12 2l1.5 1.5M10.5 20.5L12 22l1.5-1.5M3.5 10.5L2 12l1.5 1.5M20.5 10.5L22 12l-1.5 1.5"/>',
  shrink: '<circle cx="12" cy="12" r="3" fill="currentColor"/><path d="M12 1.5V6M12 18v4.5M1.5 12H6M18 12h4.5M10.5 4.5L12 6l1.5-1.5M10.5 19.5L12 18l1.5 1.5M4.5 10.5L6 12l-1.5 1.5M19.5 10.5L18 12l1.5 1.5"/>',
  invert: '<circle cx="12" cy="12" r="9"/><path d="M12 3a9 9 0 0 1 0 18z" fill="currentColor"/>',
  clear: '<path d="M4 6.5h16M9 6.5V4h6v2.5M6 6.5l1 14h10l1-14M10 10.5v6M14 10.5v6"/>',
  smaller: '<circle cx="10.5" cy="10.5" r="7"/><path d="M15.5 15.5L21 21M7.5 10.5h6"/>',
  larger: '<circle cx="10.5" cy="10.5" r="7"/><path d="M15.5 15.5L21 21M7.5 10.5h6M10.5 7.5v6"/>',
  fit: '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/>',
  keys: '<rect x="2.5" y="6" width="19" height="12" rx="2"/><path d="M6.5 10h.01M10 10h.01M14 10h.01M17.5 10h.01M8 14h8"/>',
};

const KEYS_HELP = [
  ["B E R M", "brush, eraser, rectangle, move the photo"],
  ["[ ]", "smaller or larger brush"],
  ["Z Y", "undo, redo; with Ctrl as well"],
  ["G S", "grow or shrink the hole"],
  ["I Del", "invert, clear"],
  ["+ - 0", "zoom in, zoom out, whole photo; also Ctrl + wheel, or two fingers"],
  ["Arrows", "on the photo: move the brush; with Shift by one pixel"],
  ["Space", "on the photo: put the brush down, lift it again"],
  ["Esc", "give up the stroke under way"],
];

// Red, green, blue, opacity. The hole has stripes and a double contour besides its colour, so colour is never alone.
const TINT = [222, 0, 120, 115];
const STRIPE = [222, 0, 120, 160];
const INNER_CONTOUR = [150, 0, 80, 255];
const OUTER_CONTOUR = [255, 255, 255, 255];
const LARGEST_ZOOM = 16;

const icon = (name) => `<svg viewBox="0 0 24 24" aria-hidden="true">${ICONS[name]}</svg>`;

const SHELL = `
  <p class="note">No Python is connected: the photo and the mask are shown as they were saved. Run the cell again to go on.</p>
  <div class="toolbar"></div>
  <div class="viewport">
    <div class="stage" tabindex="0" role="application" aria-label="Photo to draw on: arrow keys move the brush, Space puts it down and lifts it">
      <img alt="The photo" draggable="false">
      <canvas aria-hidden="true"></canvas>
      <div class="frame" hidden></div>
      <div class="ring" hidden></div>
    </div>
  </div>
  <div class="status"><span role="status"></span><span class="size"></span></div>
  <details class="error" hidden><summary role="alert"></summary><pre></pre></details>`;

/** Put a canvas into `el`. Returns its parts, and how to take it away again. */
function renderCanvas({ model, el }, drawing) {
  const root = document.createElement("div");
  root.className = "mask-canvas";
  root.innerHTML = SHELL;
  el.append(root);
  const find = (selector) => root.querySelector(selector);
  const [toolbar, viewport, stage, photo, canvas] = [".toolbar", ".viewport", ".stage", "img", "canvas"].map(find);
  const [frame, ring, status, error] = [".frame", ".ring", "[role=status]", ".error"].map(find);
  const context = canvas.getContext("2d");

  let tool = "brush";
  let zoom = 1;
  let cursor = null; // where the brush is, as a point of the mask; null: in the middle
  let stroke = null; // what is being drawn: {erase, start, last}
  const pointers = new Map(); // those that are down on the photo: pointer id -> its latest event

  // ---------------------------------------------------------------- painting the mask over the photo

  const packed = (colour) => new Uint32Array(new Uint8ClampedArray(colour).buffer)[0];
  const [tint, stripe, inner, outer] = [TINT, STRIPE, INNER_CONTOUR, OUTER_CONTOUR].map(packed);
  let line = 1; // thickness of a contour line in pixels of the mask, about one on the screen

  function repaint(box) {
    const { width, height, pixels } = drawing.mask;
    const left = Math.max(box.left - 2 * line, 0);
    const top = Math.max(box.top - 2 * line, 0);
    const right = Math.min(box.right + 2 * line, width);
    const bottom = Math.min(box.bottom + 2 * line, height);
    if (left >= right || top >= bottom) return;
    const image = context.createImageData(right - left, bottom - top);
    const colours = new Uint32Array(image.data.buffer);
    /** Whether the hole ends within a distance; at the photo's border it does not end. */
    const endsWithin = (distance, x, y, index) =>
      (x >= distance && !pixels[index - distance]) ||
      (x < width - distance && !pixels[index + distance]) ||
      (y >= distance && !pixels[index - distance * width]) ||
      (y < height - distance && !pixels[index + distance * width]);
    for (let y = top, target = 0; y < bottom; y++) {
      for (let x = left, index = y * width + left; x < right; x++, index++, target++) {
        if (!pixels[index]) continue;
        if (endsWithin(line, x, y, index)) colours[target] = outer;
        else if (endsWithin(2 * line, x, y, index)) colours[target] = inner;
        else colours[target] = Math.floor((x + y) / (7 * line)) % 2 ? stripe : tint;
      }
    }
    context.putImageData(image, left, top);
  }

  /** Show the whole drawing anew, and what the line below says of it. */
  function refresh() {
    const { width, height } = drawing.mask;
    if (canvas.width !== width || canvas.height !== height) {
      [canvas.width, canvas.height] = [width, height];
      root.style.setProperty("--photo-width", width);
      root.style.setProperty("--photo-height", height);
    }
    repaint({ left: 0, top: 0, right: width, bottom: height });
    const share = (100 * drawing.holePixels) / (width * height);
    status.textContent = share ? `Hole: ${share < 0.1 ? "under 0.1" : share.toFixed(1)} % of the photo` : "No hole yet: paint over what should go";
    setDisabled("undo", drawing.position === 0);
    setDisabled("redo", drawing.position === drawing.history.length - 1);
  }

  function showPhoto() {
    URL.revokeObjectURL(photo.src);
    photo.src = URL.createObjectURL(new Blob([model.get("_photo")], { type: "image/jpeg" }));
  }

  function showError() {
    const text = model.get("error").trim();
    error.hidden = !text;
    error.querySelector("summary").textContent = text.split("\n").pop();
    error.querySelector("pre").textContent = text;
  }

  // ------------------------------------------------------------------------------- the brush and its strokes

  const brushSize = () => model.get("brush_size");

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
    stroke = { erase, start: point, last: point };
    extend(point);
  }

  function extend(point) {
    if (tool !== "rectangle") {
      const size = brushSize();
      const box = boxAround(stroke.last, point, (size - 1) / 2);
      drawing.edit(box, (mask) => drawLine(mask, stroke.last, point, brushRows(size), stroke.erase ? 0 : 1));
    }
    stroke.last = point;
    showFrame();
  }

  function finish() {
    if (!stroke) return;
    if (tool === "rectangle") {
      const box = boxAround(stroke.start, stroke.last);
      drawing.edit(box, (mask) => fillRectangle(mask, box, stroke.erase ? 0 : 1));
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
    zoom = Math.min(Math.max(newZoom, 1), LARGEST_ZOOM);
    root.style.setProperty("--zoom", zoom);
    viewport.classList.toggle("zoomed", zoom > 1);
    const after = stage.getBoundingClientRect();
    viewport.scrollLeft += after.left + ((x - before.left) / before.width) * after.width - x;
    viewport.scrollTop += after.top + ((y - before.top) / before.height) * after.height - y;
    showSize();
  }

  function showSize() {
    const { width, height } = drawing.mask;
    const box = stage.getBoundingClientRect();
    find(".size").textContent = `${width} × ${height} px, shown at ${Math.round((100 * box.width) / width)} %`;
    canvas.classList.toggle("pixels", box.width > 3 * width); // so near, the reader wants to see single pixels
    setDisabled("smaller", zoom === 1);
    setDisabled("fit", zoom === 1);
    setDisabled("larger", zoom === LARGEST_ZOOM);
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
    const allTouch = [event, ...pointers.values()].every((pointer) => pointer.pointerType === "touch");
    if (pointers.size > (allTouch ? 1 : 0)) return; // only a second finger may join the first
    if (event.button === MIDDLE_BUTTON) event.preventDefault(); // else the browser begins to scroll by itself
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
      for (const moment of moments.length ? moments : [event]) extend(pointAt(moment));
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
    if (event.type === "pointercancel") giveUp();
    else finish();
    if (event.pointerType === "touch") ring.hidden = true;
  }

  stage.addEventListener("pointerdown", pointerDown);
  stage.addEventListener("pointermove", pointerMove);
  stage.addEventListener("pointerup", pointerGone);
  stage.addEventListener("pointercancel", pointerGone);
  stage.addEventListener("pointerleave", () => (ring.hidden = true));
  stage.addEventListener("focus", () => stage.matches(":focus-visible") && showBrush());
  stage.addEventListener("blur", () => {
    if (!pointers.size) finish(); // a stroke of the keyboard
    ring.hidden = true;
  });
  viewport.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // without Ctrl the notebook scrolls
      event.preventDefault();
      zoomTo(zoom * Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
    },
    { passive: false },
  );

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
    const odd = 2 * Math.round((size - 1) / 2) + 1;
    model.set("brush_size", Math.min(Math.max(odd, 1), 2 * slider.max + 1));
    model.save_changes();
    showBrush();
  }

  // name: [label, key, what it does]
  const ACTIONS = {
    brush: ["Brush", "b", () => choose("brush")],
    eraser: ["Eraser", "e", () => choose("eraser")],
    rectangle: ["Rectangle", "r", () => choose("rectangle")],
    move: ["Move the photo", "m", () => choose("move")],
    undo: ["Undo", "z", () => (stroke ? abandon() : drawing.travel(-1))],
    redo: ["Redo", "y", () => stroke || drawing.travel(1)], // a stroke under way has nothing after it
    grow: ["Grow the hole", "g", () => changeAll((mask) => grow(mask, growth()))],
    shrink: ["Shrink the hole", "s", () => changeAll((mask) => shrink(mask, growth()))],
    invert: ["Invert", "i", () => changeAll(invert)],
    clear: ["Clear", "Delete", () => changeAll((mask) => mask.pixels.fill(0))],
    smaller: ["Zoom out", "-", () => zoomTo(zoom / 1.5)],
    larger: ["Zoom in", "+", () => zoomTo(zoom * 1.5)],
    fit: ["Whole photo", "0", () => zoomTo(1)],
  };
  const GROUPS = [
    ["Tools", ["brush", "eraser", "rectangle", "move"]],
    ["History", ["undo", "redo"]],
    ["Hole", ["grow", "shrink", "invert", "clear"]],
    ["Zoom", ["smaller", "larger", "fit"]],
  ];

  const buttons = {};
  for (const [groupName, names] of GROUPS) {
    const group = document.createElement("div");
    group.className = "group";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", groupName);
    for (const name of names) {
      const [label, key, run] = ACTIONS[name];
      const button = document.createElement("button");
      button.type = "button";
      button.innerHTML = icon(name);
      button.title = `${label} (${key === "Delete" ? "Del" : key.toUpperCase()})`;
      button.setAttribute("aria-label", label);
      button.setAttribute("aria-keyshortcuts", key);
      button.addEventListener("click", run);
      group.append(button);
      buttons[name] = button;
    }
    toolbar.append(group);
  }
  toolbar.children[0].insertAdjacentHTML(
    "afterend",
    `<label class="brush-size" title="Brush size ([ and ])"><input type="range" min="0" aria-label="Brush size"><output></output></label>`,
  );
  toolbar.insertAdjacentHTML(
    "beforeend",
    `<button type="button" aria-label="Keys" title="Keys">${icon("keys")}</button><dl class="keys" popover>${KEYS_HELP.map(
      ([keys, meaning]) => `<dt>${keys.split(" ").map((key) => `<kbd>${key}</kbd>`).join(" ")}</dt><dd>${meaning}</dd>`,
    ).join("")}</dl>`,
  );
  toolbar.lastElementChild.previousElementSibling.popoverTargetElement = toolbar.lastElementChild;
  const slider = find(".brush-size input");

  function showBrushSize() {
    slider.max = Math.max(8, Math.round(Math.max(drawing.mask.width, drawing.mask.height) / 10));
    slider.value = (brushSize() - 1) / 2;
    slider.setAttribute("aria-valuetext", `${brushSize()} pixels`);
    find(".brush-size output").textContent = `${brushSize()} px`;
  }
  slider.addEventListener("input", () => setBrushSize(2 * slider.value + 1));
  slider.addEventListener("change", () => (ring.hidden = true));

  const KEYS = {
    "[": () => setBrushSize(brushSize() / 1.25 - 1),
    "]": () => setBrushSize(brushSize() * 1.25 + 1),
    Backspace: ACTIONS.clear[2],
    "=": ACTIONS.larger[2], // the key that has + on it
  };
  for (const [, key, run] of Object.values(ACTIONS)) KEYS[key] = run;

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

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
    status.textContent = `${stroke ? "Drawing" : "Brush"} at ${cursor.x}, ${cursor.y}`;
  }

  function pressOrLift() {
    if (tool === "move") return;
    showBrush();
    if (stroke) finish();
    else begin(cursor, tool === "eraser");
  }

  root.addEventListener("keydown", (event) => {
    if (event.target.matches("select, input[type=text]")) {
      if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // letters are text here, not tools
      return;
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      // All others (Ctrl+S) belong to the notebook. This one would undo typing in the cell, which nobody sees.
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      event.stopPropagation();
      KEYS[key === "y" || event.shiftKey ? "y" : "z"]();
      return;
    }
    event.stopPropagation(); // else "x" on a button cuts the cell
    if (key === "Escape") {
      abandon(); // and the browser closes the list of keys, if it is open
      return;
    }
    if (event.altKey || pointers.size) return;
    if (event.target === stage && key in ARROWS) moveByKey(ARROWS[key], event.shiftKey);
    else if (event.target === stage && (key === " " || key === "Enter")) pressOrLift();
    else if (key in KEYS) KEYS[key]();
    else return;
    event.preventDefault();
  });

  // ------------------------------------------------------------------------------------------ start and end

  const view = { repaint, refresh, drop };
  drawing.views.add(view);
  const changes = {
    "change:_photo": showPhoto,
    "change:_drawing": showBrushSize,
    "change:brush_size": showBrushSize,
    "change:error": showError,
    comm_live_update: () => root.classList.add("disconnected"), // the kernel was restarted or has ended
  };
  for (const [name, react] of Object.entries(changes)) model.on(name, react);

  // The size on the screen changes with the window and with the zoom.
  const resized = new ResizeObserver(() => {
    const thickness = Math.max(1, Math.round(drawing.mask.width / (stage.clientWidth || drawing.mask.width)));
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
  refresh();
  zoomTo(1);

  const remove = () => {
    drawing.views.delete(view);
    for (const [name, react] of Object.entries(changes)) model.off(name, react);
    resized.disconnect();
    URL.revokeObjectURL(photo.src);
    root.remove();
  };
  return { root, toolbar, viewport, stage, photo, error, remove };
}

/** What is exported. It is called once for each widget, so that all its views share one drawing. */
const canvasWidget = () => {
  let drawing;
  return {
    initialize: ({ model }) => {
      drawing = new Drawing(model);
    },
    render: (context) => renderCanvas(context, drawing).remove,
  };
};
