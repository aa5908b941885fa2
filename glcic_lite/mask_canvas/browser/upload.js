/** Photos on their way from the browser to Python. */

/** @param {number} bytes */
export const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`;

/**
 * A file as it can be sent to Python: itself, or, if it is too large for one message, reduced here in the browser.
 * Jupyter answers a message over 10 MiB by dropping the connection without a word, so nothing larger may leave.
 * @param {File} file
 * @param {number} limit  in bytes
 * @returns {Promise<{buffer: ArrayBuffer, reduced: string}>}  `reduced` says what was done to it; empty: nothing
 * @throws {Error} it is too large and cannot be read; the message is written for the reader
 */
export async function sendable(file, limit) {
  if (file.size <= limit) return { buffer: await file.arrayBuffer(), reduced: "" };
  const tooLarge = `${file.name} was not opened: ${megabytes(file.size)} is more than the ${megabytes(limit)} that can be sent`;
  let photo;
  try {
    photo = await createImageBitmap(file);
  } catch {
    throw new Error(`${tooLarge}, and this browser cannot read it to make it smaller. Open it by its path instead.`);
  }
  for (let scale = Math.min(1, 4000 / Math.max(photo.width, photo.height)); scale > 0.05; scale *= 0.7) {
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(photo.width * scale));
    canvas.height = Math.max(1, Math.round(photo.height * scale));
    canvas.getContext("2d").drawImage(photo, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
    if (blob && blob.size <= limit) {
      const reduced =
        `${file.name} has ${megabytes(file.size)}, more than can be sent: opened at ${canvas.width} × ${canvas.height} ` +
        `instead of ${photo.width} × ${photo.height} pixels. Open it by its path for its full size.`;
      return { buffer: await blob.arrayBuffer(), reduced };
    }
  }
  throw new Error(`${tooLarge}. Open it by its path instead.`);
}
