// Carries out drawings that come as JSON on standard input, and writes the run lengths of each mask.

import { readFileSync } from "node:fs";

import * as canvas from "../../../../glcic_lite/mask_canvas/browser/mask.js";

const point = ([x, y]) => ({ x, y });
const TOOLS = {
  stroke(mask, { points, size, erase }) {
    const rows = canvas.brushRows(size);
    points.forEach((end, index) =>
      canvas.drawLine(mask, point(points[Math.max(index - 1, 0)]), point(end), rows, erase ? 0 : 1),
    );
  },
  rectangle: (mask, { points, erase }) =>
    canvas.fillRectangle(mask, canvas.boxAround(...points.map(point)), erase ? 0 : 1),
  grow: (mask, { pixels }) => canvas.grow(mask, pixels),
  shrink: (mask, { pixels }) => canvas.shrink(mask, pixels),
  invert: (mask) => canvas.invert(mask),
};

const drawings = JSON.parse(readFileSync(0, "utf-8"));
const masks = drawings.map(({ width, height, steps }) => {
  const mask = { width, height, pixels: new Uint8Array(width * height) };
  for (const step of steps) TOOLS[step.tool](mask, step);
  return canvas.encodeRuns(mask.pixels);
});
process.stdout.write(JSON.stringify(masks));
