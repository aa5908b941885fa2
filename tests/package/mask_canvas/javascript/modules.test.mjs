// The canvas's modules that need no browser. Run by test_javascript.py, or by hand: node --test tests/package/mask_canvas/javascript/

import assert from "node:assert/strict";
import test from "node:test";

import { Drawing } from "../../../../glcic_lite/mask_canvas/browser/drawing.js";
import { pulled } from "../../../../glcic_lite/mask_canvas/browser/hand.js";
import { listen } from "../../../../glcic_lite/mask_canvas/browser/listen.js";
import { boxAround, decodeRuns, encodeRuns, oddSize } from "../../../../glcic_lite/mask_canvas/browser/mask.js";
import { overlay } from "../../../../glcic_lite/mask_canvas/browser/overlay.js";
import { sendInParts } from "../../../../glcic_lite/mask_canvas/browser/upload.js";
import { actionFor } from "../../../../glcic_lite/mask_canvas/browser/tools.js";

test("run lengths come back as the same mask", () => {
  for (const pixels of [[0], [1], [0, 0, 1], [1, 1, 0, 1], [0, 1, 1, 0]]) {
    const back = new Uint8Array(pixels.length).fill(7);
    decodeRuns(encodeRuns(Uint8Array.from(pixels)), back);
    assert.deepEqual([...back], pixels);
  }
  assert.deepEqual(encodeRuns(Uint8Array.of(1, 1, 0)), [0, 2, 1]);
});

test("a box holds both its points, whichever comes first", () => {
  const box = { left: 0, top: 2, right: 7, bottom: 8 };
  assert.deepEqual(boxAround({ x: 5, y: 3 }, { x: 1, y: 6 }, 1), box);
  assert.deepEqual(boxAround({ x: 1, y: 6 }, { x: 5, y: 3 }, 1), box);
});

test("brush sizes are odd", () => {
  assert.deepEqual([1, 2, 2.2, 9, 10.4].map(oddSize), [1, 3, 3, 9, 11]);
});

test("keys ask for actions, and leave to the notebook what is the notebook's", () => {
  const action = (key, modifiers = {}, isOnPhoto = false) => actionFor({ key, ...modifiers }, isOnPhoto);
  assert.equal(action("b"), "brush");
  assert.equal(action("B"), "brush");
  assert.equal(action("Delete"), "clear");
  assert.equal(action("Backspace"), "clear");
  assert.equal(action("="), "larger");
  assert.equal(action("["), "smallerBrush");
  assert.equal(action("Escape", { altKey: true }), "abandon");
  assert.equal(action("b", { altKey: true }), null);
  assert.equal(action("x"), null);
  for (const modifier of ["ctrlKey", "metaKey"]) {
    assert.equal(action("z", { [modifier]: true }), "undo");
    assert.equal(action("Z", { [modifier]: true, shiftKey: true }), "redo");
    assert.equal(action("y", { [modifier]: true }), "redo");
    assert.equal(action("s", { [modifier]: true }), null);
    assert.equal(action("0", { [modifier]: true }), null);
  }
  for (const key of ["ArrowLeft", "ArrowDown"]) {
    assert.equal(action(key, {}, true), "moveBrush");
    assert.equal(action(key), null, "on a slider it moves the slider");
  }
  for (const key of [" ", "Enter"]) {
    assert.equal(action(key, {}, true), "pressOrLift");
    assert.equal(action(key), null, "on a button it presses the button");
  }
  assert.equal(action("Enter", { shiftKey: true }, true), null, "it is meant for the notebook");
});

/** What a widget's model does, as far as a drawing needs it. */
class Model {
  constructor(runs) {
    this.state = { _drawing: { photo: 1, width: 3, height: 2, runs }, completed_strokes: 0 };
    this.saved = 0;
  }
  get = (name) => this.state[name];
  on = (_, react) => (this.react = react);
  save_changes = () => this.saved++;
  set(name, value) {
    this.state[name] = value;
    if (name === "_drawing") this.react();
  }
}

const view = () => ({ dropped: 0, repaint() {}, refresh() {}, drop() { this.dropped++; } });
const paint = (drawing, index) =>
  drawing.edit({ left: 0, top: 0, right: 3, bottom: 2 }, (mask) => (mask.pixels[index] = 1));

test("a stroke is one message, and what it undoes another", () => {
  const model = new Model([6]);
  const drawing = new Drawing(model);
  paint(drawing, 0);
  paint(drawing, 1);
  assert.equal(model.saved, 0, "nothing is sent while it is drawn");
  drawing.complete();
  assert.deepEqual([model.saved, model.state.completed_strokes, model.state._drawing.runs], [1, 1, [0, 2, 4]]);
  drawing.complete();
  assert.equal(model.saved, 1, "nothing new, nothing sent");
  assert.equal(drawing.holePixels, 2);
  drawing.travel(-1);
  assert.deepEqual([model.saved, model.state._drawing.runs], [2, [6]]);
  drawing.travel(-1);
  assert.equal(model.saved, 2, "there is nothing before");
  drawing.travel(1);
  assert.deepEqual(model.state._drawing.runs, [0, 2, 4]);
  drawing.travel(-1);
  paint(drawing, 5);
  drawing.complete();
  drawing.travel(1);
  assert.deepEqual(model.state._drawing.runs, [5, 1], "what was undone cannot be redone after something new");
});

test("a stroke that is given up leaves nothing and sends nothing", () => {
  const model = new Model([6]);
  const drawing = new Drawing(model);
  paint(drawing, 3);
  drawing.travel(0);
  drawing.complete();
  assert.deepEqual([[...drawing.mask.pixels], model.saved], [[0, 0, 0, 0, 0, 0], 0]);
});

test("what Python sets ends the stroke under way, and can be undone; another photo begins anew", () => {
  const model = new Model([6]);
  const drawing = new Drawing(model);
  const seen = view();
  drawing.views.add(seen);
  paint(drawing, 0);
  model.set("_drawing", { ...model.state._drawing, runs: [4, 2] });
  assert.deepEqual([[...drawing.mask.pixels], seen.dropped], [[0, 0, 0, 0, 1, 1], 1]);
  drawing.travel(-1);
  assert.deepEqual(model.state._drawing.runs, [6]);
  model.set("_drawing", { photo: 2, width: 2, height: 2, runs: [1, 3] });
  assert.deepEqual([...drawing.mask.pixels], [0, 1, 1, 1]);
  assert.deepEqual([drawing.history.length, drawing.position], [1, 0]);
});

test("the hole is painted with a contour, all of it and nothing else", () => {
  const mask = { width: 12, height: 9, pixels: new Uint8Array(108) };
  for (let y = 0; y < 8; y++) mask.pixels.fill(1, 12 * y + 2, 12 * y + 10); // reaches the upper border
  const part = overlay(mask, { left: 0, top: 0, right: 12, bottom: 9 }, 1);
  assert.deepEqual([part.left, part.top, part.width, part.height], [0, 0, 12, 9]);
  const pixel = (x, y) => [...part.data.slice(4 * (12 * y + x), 4 * (12 * y + x) + 4)];
  mask.pixels.forEach((value, index) => assert.equal(part.data[4 * index + 3] > 0, value === 1));
  assert.deepEqual(pixel(2, 4), [255, 255, 255, 255], "outside white");
  assert.deepEqual(pixel(3, 4), [150, 0, 80, 255], "inside dark");
  assert.ok(pixel(5, 0)[3] < 255, "at the photo's border the hole does not end");
  assert.equal(overlay(mask, { left: 30, top: 30, right: 40, bottom: 40 }, 1), null);
});

test("a tiny mask is painted in finer pixels, and its middle is not hidden by its contour", () => {
  const mask = { width: 3, height: 3, pixels: Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0) };
  const part = overlay(mask, { left: 0, top: 0, right: 3, bottom: 3 }, 1, { times: 20 });
  assert.deepEqual([part.width, part.height], [60, 60]);
  const pixel = (x, y) => [...part.data.slice(4 * (60 * y + x), 4 * (60 * y + x) + 4)];
  for (let y = 0; y < 60; y++) {
    for (let x = 0; x < 60; x++) {
      const isInside = Math.floor(x / 20) === 1 && Math.floor(y / 20) === 1;
      assert.equal(pixel(x, y)[3] > 0, isInside);
    }
  }
  assert.deepEqual(pixel(20, 30), [255, 255, 255, 255]);
  assert.deepEqual(pixel(30, 30).slice(0, 3), [222, 0, 120]);
});

test("growth is painted around what was drawn; what is completed in place is not covered", () => {
  const mask = { width: 30, height: 30, pixels: new Uint8Array(900) };
  for (let y = 12; y < 18; y++) mask.pixels.fill(1, 30 * y + 12, 30 * y + 18);
  const grown = new Uint8Array(900);
  for (let y = 6; y < 24; y++) grown.fill(1, 30 * y + 6, 30 * y + 24);
  const all = { left: 0, top: 0, right: 30, bottom: 30 };
  const opacity = (how) => overlay(mask, all, 1, how).data.filter((_, index) => index % 4 === 3);
  assert.deepEqual([...opacity({ grown })].map((value) => value > 0), [...grown].map((value) => value === 1));
  const placed = opacity({ grown, filled: grown });
  assert.equal(placed[30 * 15 + 15], 0, "the result is seen");
  assert.ok(placed[30 * 15 + 6] > 0, "and where it ends");
});

test("what is grown counts, and the mask stays as it was painted", () => {
  const drawing = new Drawing(new Model([2, 1, 3]));
  assert.equal(drawing.holePixels, 1);
  drawing.setGrowth(1);
  assert.equal(drawing.holePixels, 4);
  assert.deepEqual([...drawing.mask.pixels], [0, 0, 1, 0, 0, 0]);
  drawing.setGrowth(0);
  assert.equal(drawing.holePixels, 1);
});

test("the brush on a string stays until the string is tight, and then follows", () => {
  const brush = { x: 10, y: 10 };
  assert.deepEqual(pulled(brush, { x: 13, y: 14 }, 5), brush);
  assert.deepEqual(pulled(brush, { x: 30, y: 10 }, 5), { x: 25, y: 10 });
  assert.deepEqual(pulled(brush, { x: 10, y: -10 }, 20), brush);
});

test("a file is sent in parts, in order and whole", async () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
  for (const [largest, count] of [[100, 10], [333, 4], [1000, 1], [5000, 1]]) {
    const sent = [];
    await sendInParts(new Blob([bytes]), largest, (part, parts, content) => sent.push([part, parts, new Uint8Array(content)]));
    assert.deepEqual(sent.map(([part, parts]) => [part, parts]), Array.from({ length: count }, (_, part) => [part, count]));
    assert.deepEqual(sent.flatMap(([, , content]) => [...content]), [...bytes]);
  }
  const sent = [];
  await sendInParts(new Blob([]), 10, (...part) => sent.push(part));
  assert.equal(sent.length, 1, "an empty file is a part as well: Python says what is wrong with it");
});

test("a kernel that is shut down is heard of, and no more once nobody listens", () => {
  const listeners = new Set();
  const disposed = { connect: (react) => listeners.add(react), disconnect: (react) => listeners.delete(react) };
  const model = { on() {}, off() {}, widget_manager: { kernel: { disposed } } };
  const seen = [];
  const stop = listen(model, { comm_live_update: () => seen.push("ended"), "change:error": () => seen.push("error") });
  for (const react of listeners) react();
  assert.deepEqual(seen, ["ended"]);
  stop();
  assert.equal(listeners.size, 0);
});

test("a reaction that fails ends neither the others nor what comes later, and is told", async () => {
  const reactions = {};
  const model = { on: (name, react) => (reactions[name] = react), off: (name) => delete reactions[name] };
  const [failures, seen, write] = [[], [], console.error];
  console.error = () => {};
  const stop = listen(
    model,
    {
      broken: () => undefined.nothing,
      late: async () => Promise.reject(new Error("no picture")),
      sound: () => seen.push("sound"),
    },
    (error) => failures.push(error.message),
  );
  for (let i = 0; i < 2; i++) ["broken", "late", "sound"].forEach((name) => reactions[name]());
  await new Promise(setImmediate);
  console.error = write;
  assert.deepEqual(seen, ["sound", "sound"]);
  assert.equal(failures.length, 4);
  assert.equal(failures.at(-1), "no picture");
  stop();
  assert.deepEqual(reactions, {});
});
