/** How the mask looks over the photo: tinted and striped, with a double contour. Nothing here needs a browser. */

// Red, green, blue, opacity. The hole has stripes and a double contour besides its colour, so colour is never alone.
const TINT = [222, 0, 120, 115];
const STRIPE = [222, 0, 120, 160];
const INNER_CONTOUR = [150, 0, 80, 255];
const OUTER_CONTOUR = [255, 255, 255, 255];

const packed = (colour) => new Uint32Array(new Uint8ClampedArray(colour).buffer)[0];
const [tint, stripe, inner, outer] = [TINT, STRIPE, INNER_CONTOUR, OUTER_CONTOUR].map(packed);

/**
 * The picture of a part of the mask, transparent outside the hole.
 * @param {import("./mask.js").Mask} mask
 * @param {import("./mask.js").Box} box  what has changed; the contours around it are painted as well
 * @param {number} line  thickness of a contour line in pixels of the mask
 * @returns {{left: number, top: number, width: number, height: number, data: Uint8ClampedArray} | null}  where it
 *   belongs, and red, green, blue, opacity of each pixel; null if nothing of it lies in the photo
 */
export function overlay({ width, height, pixels }, box, line) {
  const left = Math.max(box.left - 2 * line, 0);
  const top = Math.max(box.top - 2 * line, 0);
  const right = Math.min(box.right + 2 * line, width);
  const bottom = Math.min(box.bottom + 2 * line, height);
  if (left >= right || top >= bottom) return null;
  const colours = new Uint32Array((right - left) * (bottom - top));
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
  return { left, top, width: right - left, height: bottom - top, data: new Uint8ClampedArray(colours.buffer) };
}
