/** The tool bar, and which key does what. `actionFor` needs no browser. */

const ICONS = {
  brush: '<path d="M20.5 3.5c-4 1.5-8 5-10.5 8.5l2.5 2.5c3.5-2.5 7-6.5 8-11z"/><path d="M9 13c-2.5 0-4 1.5-4 4 0 1.5-.8 2.5-2 3 4 1.2 8.5.3 8.5-4z"/>',
  eraser: '<path d="M8 20l-4.5-4.5a1.5 1.5 0 0 1 0-2L13 4a1.5 1.5 0 0 1 2 0l5 5a1.5 1.5 0 0 1 0 2l-9 9z"/><path d="M8 9l7 7M8 20h13"/>',
  rectangle: '<rect x="3.5" y="5.5" width="17" height="13" rx="1"/>',
  move: '<path d="M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3"/>',
  steady: '<path d="M3 15c2-6 4 3 6-2s4 2 6-1"/><path d="M3 19h18"/><circle cx="18.5" cy="10" r="2.5"/>',
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

/** @param {string} name  of `ICONS` */
const icon = (name) => `<svg viewBox="0 0 24 24" aria-hidden="true">${ICONS[name]}</svg>`;

// name of the action: [label, key]
const ACTIONS = {
  brush: ["Brush", "b"],
  eraser: ["Eraser", "e"],
  rectangle: ["Rectangle", "r"],
  move: ["Move the photo", "m"],
  steady: ["Steady hand", "h"],
  undo: ["Undo", "z"],
  redo: ["Redo", "y"],
  grow: ["Grow the hole", "g"],
  shrink: ["Shrink the hole", "s"],
  invert: ["Invert", "i"],
  clear: ["Clear", "Delete"],
  smaller: ["Zoom out", "-"],
  larger: ["Zoom in", "+"],
  fit: ["Whole photo", "0"],
};

const GROUPS = [
  ["Tools", ["brush", "eraser", "rectangle", "move"]],
  ["Hand", ["steady"]],
  ["History", ["undo", "redo"]],
  ["Hole", ["grow", "shrink", "invert", "clear"]],
  ["Zoom", ["smaller", "larger", "fit"]],
];

const KEYS = {
  "[": "smallerBrush",
  "]": "largerBrush",
  Backspace: "clear",
  "=": "larger", // the key that has + on it
  c: "complete", // these are the studio's
  n: "cancel",
  o: "compare",
  v: "otherView",
};
for (const [name, [, key]] of Object.entries(ACTIONS)) KEYS[key] = name;

/** Which way an arrow key points: [right, down]. */
export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const KEYS_HELP = [
  ["B E R M", "brush, eraser, rectangle, move the photo"],
  ["[ ]", "smaller or larger brush; also Alt + wheel"],
  ["Shift", "while you draw: a straight line; with a click: a line from where the last stroke ended"],
  ["H", "steady hand: the brush follows on a short string"],
  ["Z Y", "undo, redo; with Ctrl as well"],
  ["G S", "grow or shrink the hole"],
  ["I Del", "invert, clear"],
  ["+ - 0", "zoom in, zoom out, whole photo; also Ctrl + wheel, or two fingers"],
  ["Arrows", "on the photo: move the brush; with Shift by one pixel"],
  ["Space", "on the photo: put the brush down, lift it again"],
  ["Esc", "give up the stroke under way"],
];

/**
 * The action that a key asks for, or null if it asks for none.
 * @param {{key: string, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean, shiftKey?: boolean}} event
 * @param {boolean} isOnPhoto  whether the photo has the focus, not a button: there arrows and Space draw
 * @returns {string | null}  a name of `ACTIONS`, or smallerBrush, largerBrush, moveBrush, pressOrLift, abandon,
 *   or one that only the studio has
 */
export function actionFor(event, isOnPhoto) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    // All others (Ctrl+S) belong to the notebook. These would undo typing in the cell, which nobody sees.
    if (key !== "z" && key !== "y") return null;
    return key === "y" || event.shiftKey ? "redo" : "undo";
  }
  if (key === "Escape") return "abandon";
  if (event.altKey) return null;
  if (isOnPhoto && key in ARROWS) return "moveBrush";
  // Shift+Enter is Jupyter's. Running the cell again would begin a new drawing, so on the photo it does nothing.
  if (isOnPhoto && (key === " " || (key === "Enter" && !event.shiftKey))) return "pressOrLift";
  return KEYS[key] ?? null;
}

/**
 * Fill the tool bar with its buttons, the brush's slider and the list of keys.
 * @param {HTMLElement} toolbar
 * @param {(action: string) => void} run
 * @param {string[][]} [moreKeys]  further lines for the list of keys: [keys, meaning]
 * @returns {Record<string, HTMLButtonElement>}  the buttons by the names of their actions
 */
export function buildToolbar(toolbar, run, moreKeys = []) {
  const buttons = {};
  for (const [groupName, names] of GROUPS) {
    const group = document.createElement("div");
    group.className = "group";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", groupName);
    for (const name of names) {
      const [label, key] = ACTIONS[name];
      const button = document.createElement("button");
      button.type = "button";
      button.innerHTML = icon(name);
      button.title = `${label} (${key === "Delete" ? "Del" : key.toUpperCase()})`;
      button.setAttribute("aria-label", label);
      button.setAttribute("aria-keyshortcuts", key);
      button.addEventListener("click", () => run(name));
      group.append(button);
      buttons[name] = button;
    }
    toolbar.append(group);
  }
  toolbar.children[1].insertAdjacentHTML(
    "beforebegin",
    `<label class="brush-size" title="Brush size ([ and ])"><input type="range" min="0" aria-label="Brush size"><output></output></label>`,
  );
  toolbar.insertAdjacentHTML(
    "beforeend",
    `<button type="button" aria-label="Keys" title="Keys">${icon("keys")}</button><dl class="keys" popover>${[...KEYS_HELP, ...moreKeys].map(
      ([keys, meaning]) => `<dt>${keys.split(" ").map((key) => `<kbd>${key}</kbd>`).join(" ")}</dt><dd>${meaning}</dd>`,
    ).join("")}</dl>`,
  );
  toolbar.lastElementChild.previousElementSibling.popoverTargetElement = toolbar.lastElementChild;
  return buttons;
}
