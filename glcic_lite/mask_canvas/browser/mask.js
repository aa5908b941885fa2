/**
 * The mask: whole pixels, drawn exactly as strokes.py draws them. Nothing here needs a browser.
 *
 * @typedef {{width: number, height: number, pixels: Uint8Array}} Mask  one byte per pixel, row by row, 1 in the hole
 * @typedef {{x: number, y: number}} Point  whole pixels from the top left; may lie outside the mask
 * @typedef {{left: number, top: number, right: number, bottom: number}} Box  right and bottom lie just outside it
 */

/**
 * For each row of a round brush, from the top: how far it reaches to either side of its middle.
 * @param {number} size  diameter in pixels, odd
 * @returns {number[]}
 */
export function brushRows(size) {
  const radius = (size - 1) / 2;
  const rows = [];
  for (let dy = -radius; dy <= radius; dy++) rows.push(Math.floor(Math.sqrt(radius * radius + radius - dy * dy)));
  return rows;
}

/** Set the pixels of row `y` from `left` to `right`, both included, to `value` (0 or 1), as far as they exist. */
function fillRow(mask, y, left, right, value) {
  if (y < 0 || y >= mask.height) return;
  const start = Math.max(left, 0);
  const end = Math.min(right, mask.width - 1);
  if (start <= end) mask.pixels.fill(value, y * mask.width + start, y * mask.width + end + 1);
}

/** Stamp the brush once; `rows` comes from `brushRows`. */
function stampDisc(mask, x, y, rows, value) {
  const radius = (rows.length - 1) / 2;
  rows.forEach((reach, row) => fillRow(mask, y + row - radius, x - reach, x + reach, value));
}

/**
 * Stamp the brush at every pixel of a line (Bresenham's algorithm).
 * @param {Mask} mask @param {Point} start @param {Point} end
 * @param {number[]} rows  from `brushRows`
 * @param {number} value  0 or 1
 */
export function drawLine(mask, start, end, rows, value) {
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

/**
 * The box around two points, with a margin.
 * @param {Point} a @param {Point} b
 * @returns {Box}
 */
export function boxAround(a, b, margin = 0) {
  return {
    left: Math.min(a.x, b.x) - margin,
    top: Math.min(a.y, b.y) - margin,
    right: Math.max(a.x, b.x) + margin + 1,
    bottom: Math.max(a.y, b.y) + margin + 1,
  };
}

/** @param {Mask} mask @param {Box} box @param {number} value  0 or 1 */
export function fillRectangle(mask, box, value) {
  for (let y = box.top; y < box.bottom; y++) fillRow(mask, y, box.left, box.right - 1, value);
}

/** @param {Mask} mask */
export function invert(mask) {
  mask.pixels.forEach((value, index) => (mask.pixels[index] = 1 - value));
}

/**
 * Enlarge the hole: every pixel on its rim becomes a disc.
 * @param {Mask} mask @param {number} radius  in pixels
 */
export function grow(mask, radius) {
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

/**
 * Reduce the hole by the same rule, except where it runs over the photo's border.
 * @param {Mask} mask @param {number} radius  in pixels
 */
export function shrink(mask, radius) {
  invert(mask);
  grow(mask, radius);
  invert(mask);
}

/**
 * Lengths of the runs of equal pixels: known, hole, known, hole, ... The first is 0 if the mask begins with a hole.
 * @param {Uint8Array} pixels
 * @returns {number[]}
 */
export function encodeRuns(pixels) {
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

/** Write the pixels that run lengths describe. @param {number[]} runs @param {Uint8Array} pixels */
export function decodeRuns(runs, pixels) {
  let start = 0;
  runs.forEach((length, position) => {
    pixels.fill(position % 2, start, start + length);
    start += length;
  });
}

/** The nearest odd brush size. @param {number} size @returns {number} */
export const oddSize = (size) => 2 * Math.round((size - 1) / 2) + 1;
