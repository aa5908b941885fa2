/** How the mask looks over the photo: tinted and striped, with a double contour. Nothing here needs a browser. */

// Red, green, blue, opacity. The hole has stripes and a double contour besides its colour, so colour is never alone.
const TINT = [222, 0, 120, 115];
const STRIPE = [222, 0, 120, 160];
const GROWN = [222, 0, 120, 70];
const INNER_CONTOUR = [150, 0, 80, 255];
const OUTER_CONTOUR = [255, 255, 255, 255];
const FAINT_CONTOUR = [255, 255, 255, 130];

const packed = (colour) => new Uint32Array(new Uint8ClampedArray(colour).buffer)[0];
const [tint, stripe, grownTint] = [TINT, STRIPE, GROWN].map(packed);
const [inner, outer, faint] = [INNER_CONTOUR, OUTER_CONTOUR, FAINT_CONTOUR].map(packed);

/**
 * The picture of a part of the mask, transparent outside the hole.
 * @param {import("./mask.js").Mask} mask
 * @param {import("./mask.js").Box} box  what has changed; the contours around it are painted as well
 * @param {number} line  thickness of a contour line in pixels of the picture
 * @param {object} [how]
 * @param {number} [how.times]  how many times as large as the mask the picture is, for photos of few pixels
 * @param {Uint8Array} [how.grown]  the mask as it is completed, if that is larger than what was painted
 * @param {Uint8Array} [how.filled]  where the completed photo lies under the picture: there only the contour is drawn
 * @returns {{left: number, top: number, width: number, height: number, data: Uint8ClampedArray} | null}  where it
 *   belongs, and red, green, blue, opacity of each pixel; null if nothing of it lies in the photo
 */
export function overlay({ width, height, pixels }, box, line, { times = 1, grown = null, filled = null } = {}) {
  const [wide, high] = [width * times, height * times];
  const left = Math.max(box.left * times - 2 * line, 0);
  const top = Math.max(box.top * times - 2 * line, 0);
  const right = Math.min(box.right * times + 2 * line, wide);
  const bottom = Math.min(box.bottom * times + 2 * line, high);
  if (left >= right || top >= bottom) return null;
  const colours = new Uint32Array((right - left) * (bottom - top));
  /** The mask's pixel under a pixel of the picture. */
  const under = times === 1 ? (x, y) => y * width + x : (x, y) => Math.floor(y / times) * width + Math.floor(x / times);
  const isHole = grown ? (index) => pixels[index] || grown[index] : (index) => pixels[index];
  /** Whether the hole ends within a distance; at the photo's border it does not end. */
  const endsWithin = (distance, x, y) =>
    (x >= distance && !isHole(under(x - distance, y))) ||
    (x < wide - distance && !isHole(under(x + distance, y))) ||
    (y >= distance && !isHole(under(x, y - distance))) ||
    (y < high - distance && !isHole(under(x, y + distance)));
  for (let y = top, target = 0; y < bottom; y++) {
    for (let x = left; x < right; x++, target++) {
      const index = under(x, y);
      if (!isHole(index)) continue;
      if (endsWithin(line, x, y)) colours[target] = filled?.[index] ? faint : outer;
      else if (filled?.[index]) continue;
      else if (endsWithin(2 * line, x, y)) colours[target] = inner;
      else if (!pixels[index]) colours[target] = grownTint;
      else colours[target] = Math.floor((x + y) / (7 * line)) % 2 ? stripe : tint;
    }
  }
  return { left, top, width: right - left, height: bottom - top, data: new Uint8ClampedArray(colours.buffer) };
}
