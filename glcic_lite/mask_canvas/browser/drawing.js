/** The drawing: a mask with its history, shared by all views of one widget, and what is sent to Python. */

import { listen } from "./listen.js";
import { decodeRuns, encodeRuns, grow } from "./mask.js";

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
    this.growBy = 0; // pixels by which the mask is grown before it is completed; see `setGrowth`
    /** @type {Uint8Array | null} the mask grown, as last completed; null: as it is painted */
    this.grown = null;
    this.load();
    listen(model, { "change:_drawing": () => this.load() });
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
    this.grown = null;
    if (this.growBy) {
      const mask = { ...this.mask, pixels: this.mask.pixels.slice() };
      grow(mask, this.growBy);
      this.grown = mask.pixels;
    }
    this.views.forEach((view) => view.refresh());
  }

  /** Show the mask grown by so many of its pixels. The mask itself stays as it was painted. */
  setGrowth(pixels) {
    if (pixels === this.growBy) return;
    this.growBy = pixels;
    this.show();
  }

  /** The pixels of the hole as it will be completed. */
  get hole() {
    return this.grown ?? this.mask.pixels;
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
    if (this.grown) return this.grown.reduce((sum, value) => sum + value, 0);
    return this.history[this.position].reduce((sum, length, index) => sum + (index % 2) * length, 0);
  }
}
