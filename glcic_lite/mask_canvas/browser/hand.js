/** How a hand's line becomes a steadier one. Nothing here needs a browser. */

/**
 * The brush on a string: it stays where it is until the pointer has pulled the string tight, and then follows.
 * A tremor shorter than the string leaves no trace.
 * @param {{x: number, y: number}} brush @param {{x: number, y: number}} pointer
 * @param {number} string  its length
 * @returns {{x: number, y: number}}
 */
export function pulled(brush, pointer, string) {
  const distance = Math.hypot(pointer.x - brush.x, pointer.y - brush.y);
  if (distance <= string) return brush;
  const share = (distance - string) / distance;
  return { x: brush.x + share * (pointer.x - brush.x), y: brush.y + share * (pointer.y - brush.y) };
}
