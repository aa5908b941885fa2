/** Files on their way from the browser to Python. */

/** @param {number} bytes */
export const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`;

/**
 * Send a file as it is, in parts: Jupyter answers a message over 10 MiB by dropping the connection without a word.
 * @param {File} file
 * @param {number} largest  bytes in one message
 * @param {(part: number, parts: number, content: ArrayBuffer) => void} send  is called for each part, in order
 */
export async function sendInParts(file, largest, send) {
  const parts = Math.max(1, Math.ceil(file.size / largest));
  for (let part = 0; part < parts; part++) {
    send(part, parts, await file.slice(part * largest, (part + 1) * largest).arrayBuffer());
  }
}
