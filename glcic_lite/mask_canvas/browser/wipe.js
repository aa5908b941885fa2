/**
 * Wiping between before and after, by dragging across the photo or by the slider. It sends nothing to Python.
 * @param {HTMLElement} result  the panel with both photos, a divider and two tags
 * @param {HTMLElement} after  the completed photo, which lies on the one before
 * @param {HTMLInputElement} wipe  the slider, 0 to 100
 * @returns {() => void}  to be called when something has moved
 */
export function followWipe(result, after, wipe) {
  /** Left of the slider's place the completed photo, right of it the one before. The place is the panel's, not the photo's. */
  function showWipe() {
    const share = wipe.value / 100;
    const place = result.scrollLeft + share * result.clientWidth;
    const isWiping = share > 0 && share < 1 && !after.hidden;
    after.style.clipPath = share < 1 ? `inset(0 ${after.clientWidth - place}px 0 0)` : "none";
    for (const part of result.querySelectorAll(".divider, .tag")) part.hidden = !isWiping;
    result.querySelector(".divider").style.left = `${100 * share}%`;
    wipe.setAttribute("aria-valuetext", `${Math.round(100 * share)} % completed`);
  }

  function wipeTo(event) {
    const box = result.getBoundingClientRect();
    wipe.value = (100 * (event.clientX - box.left)) / box.width;
    showWipe();
  }
  wipe.addEventListener("input", showWipe);
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
