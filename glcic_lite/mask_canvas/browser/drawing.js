/** The drawing: a mask with its history, shared by all views of one widget, and what is sent to Python. */

import { decodeRuns, encodeRuns } from "./mask.js";

const HISTORY_LENGTH = 100;

/**
 * @typedef {{repaint: (box: import("./mask.js").Box) => void, refresh: () => void, drop: () => void}} View
 */
export class Drawing {
  /** @param model  the widget's model, with the traits `_drawing` and `completed_strokes` */
  constructor(model) {
    this.model = model;
    /** @type {Set<View>} */
    this.views = new Set();
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

  /** What was drawn since the last time is complete: remember it and send it. */
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
