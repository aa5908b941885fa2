/**
 * Wiping between before and after, by dragging across the photo or by the slider. It sends nothing to Python.
 * @param {HTMLElement} result  the pane of the completed photo, which may be dragged across
 * @param {HTMLElement} after  the completed photo, which lies on the one before; it may move to another pane
 * @param {HTMLInputElement} wipe  the slider, 0 to 100
 * @param {HTMLElement} marks  the line with its handle, and two tags; lies in the pane that `after` lies in
 * @returns {(share?: number) => void}  to be called when something has moved; with a number, to move the slider
 */
export function followWipe(result, after, wipe, marks) {
  /** Left of the slider's place the completed photo, right of it the one before. The place is the pane's, not the photo's. */
  function showWipe(value = wipe.value) {
    wipe.value = value;
    const share = wipe.value / 100;
    marks.hidden = share === 0 || share === 1 || after.hidden;
    marks.style.setProperty("--place", `${100 * share}%`);
    wipe.setAttribute("aria-valuetext", `${Math.round(100 * share)} % completed`);
    const [pane, photo] = [marks.parentElement, after].map((element) => element.getBoundingClientRect());
    const hidden = Math.min(Math.max(photo.right - (pane.left + share * pane.width), 0), photo.width);
    after.style.clipPath = share < 1 ? `inset(0px ${hidden.toFixed(2)}px 0px 0px)` : "none";
  }

  function wipeTo(event) {
    const box = result.getBoundingClientRect();
    showWipe((100 * (event.clientX - box.left)) / box.width);
  }
  wipe.addEventListener("input", () => showWipe());
  result.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || after.hidden) return;
    result.setPointerCapture(event.pointerId);
    wipe.focus({ preventScroll: true });
    wipeTo(event);
    event.preventDefault();
  });
  result.addEventListener("pointermove", (event) => result.hasPointerCapture(event.pointerId) && wipeTo(event));
  return showWipe;
}
