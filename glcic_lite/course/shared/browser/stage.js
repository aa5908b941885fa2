/**
 * The stage: sketches as SVG (see course/shared/sketch.py), words below them and, where there is more than one frame,
 * Play, Step and a speed. A frame with the same kinds of marks as the one before is drawn by changing these marks, so
 * that they glide to their new places (stage.css says how fast).
 */

const SVG = "http://www.w3.org/2000/svg";
const TAGS = { rectangle: "rect", line: "line", text: "text", photo: "image" };
const ANCHORS = { l: "start", m: "middle", r: "end" };
const SPEEDS = { slow: 2400, medium: 1200, fast: 500 }; // milliseconds for a frame
const icon = (path) => `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;
const HTML = `
  <div class="bar" data-lm-suppress-shortcuts="true">
    <div class="scenes" role="group" aria-label="picture"></div>
    <div class="player" role="group" aria-label="player">
      <button class="start icon" title="Back to the start (Home)" aria-label="Back to the start">${icon("M1 1h3v14H1zM15 1v14L5 8z")}</button>
      <button class="back icon" title="One step back (left arrow)" aria-label="One step back">${icon("M13 1v14L3 8z")}</button>
      <button class="play" title="Play or pause (space)"></button>
      <button class="step" title="One step on (right arrow)">Step</button>
      <span class="count"></span>
      <label>speed <select class="speed"></select></label>
    </div>
  </div>
  <svg class="picture" xmlns="${SVG}" preserveAspectRatio="xMinYMin meet" role="img"></svg>
  <div class="words" aria-live="polite"></div>`;

/** A colour of a sketch as CSS: "#56b4e9", or "#56b4e9/35", 35 % of it on the theme's ground. */
export function paint(colour) {
  if (!colour) return "none";
  const [hex, share] = colour.split("/");
  const plain = `var(--c${hex.slice(1).toLowerCase()}, ${hex})`;
  return share === undefined ? plain : `color-mix(in srgb, ${plain} ${share}%, var(--paper))`;
}

/** Give an SVG element the looks of a mark. */
function dress(element, mark) {
  const set = (name, value) => element.setAttribute(name, value);
  const style = element.style;
  style.transform = `translate(${mark.x}px, ${mark.y}px)`;
  style.opacity = mark.hidden ? 0 : 1;
  if (mark.kind === "rectangle" || mark.kind === "photo") {
    set("width", mark.width);
    set("height", mark.height);
  }
  if (mark.kind === "photo") set("href", mark.source);
  else style.fill = paint(mark.fill);
  if (mark.kind === "line") {
    set("x2", mark.dx);
    set("y2", mark.dy);
  }
  if (mark.line) {
    style.stroke = paint(mark.line);
    style.strokeWidth = mark.thickness ?? 1;
    style.strokeDasharray = mark.dashed ? "4 4" : "none";
  } else style.stroke = "none";
  if (mark.kind === "text") {
    if (element.textContent !== mark.text) element.textContent = mark.text;
    style.fontSize = `${mark.size}px`;
    style.fontWeight = mark.bold ? 700 : 400;
    set("text-anchor", ANCHORS[(mark.anchor ?? "mm")[0]]);
    set("dominant-baseline", "central");
  }
  element.classList.toggle("click", Boolean(mark.click) && !mark.hidden);
  element.classList.toggle("drag", Boolean(mark.drag));
  if (mark.drag) {
    set("tabindex", 0);
    set("aria-label", mark.drag.name);
    set("role", "application"); // the arrow keys move it
    style.fill = "transparent"; // so that it can be taken hold of anywhere
  }
  element.mark = mark;
}

/** Draw a sketch into `svg`. */
function draw(svg, sketch) {
  svg.setAttribute("role", sketch.marks.some(({ drag }) => drag) ? "group" : "img");
  svg.setAttribute("viewBox", `0 0 ${sketch.width} ${sketch.height}`);
  const old = [...svg.children];
  const alike = old.length === sketch.marks.length && sketch.marks.every(({ kind }, i) => old[i].mark.kind === kind);
  if (!alike) svg.replaceChildren(...sketch.marks.map(({ kind }) => document.createElementNS(SVG, TAGS[kind])));
  sketch.marks.forEach((mark, i) => dress(svg.children[i], mark));
}

/** All frames whole: those that came as changes to the one before (see stage.py) get their marks from it. */
function unfolded(scenes) {
  return scenes.map(({ name, frames }) => {
    let sketch = null;
    const whole = frames.map((frame) => {
      sketch = frame.sketch ?? { ...sketch, marks: sketch.marks.map((mark, i) => frame.changes[i] ?? mark) };
      return { sketch, words: frame.words };
    });
    return { name, frames: whole };
  });
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "course-stage";
  root.tabIndex = -1; // takes the keys after a click into the picture
  root.dataset.lmSuppressShortcuts = "true"; // which else go to JupyterLab
  root.innerHTML = HTML;
  el.append(root);
  const part = (name) => root.querySelector(`.${name}`);
  const [svg, words, bar, speed, count] = ["picture", "words", "bar", "speed", "count"].map(part);
  const [names, start, back, play, next] = ["scenes", "start", "back", "play", "step"].map(part);
  speed.replaceChildren(...Object.keys(SPEEDS).map((name) => new Option(name, name, name === "medium", name === "medium")));

  let timer = null;
  let tallest = 0; // of the words so far, at this width: what stands below never moves up again
  let widthThen = 0;

  let scenes = [];
  const frames = () => scenes[model.get("scene")].frames;
  const step = () => Math.min(model.get("step"), frames().length - 1);

  function reserve() {
    const width = Math.round(root.clientWidth);
    if (width !== widthThen) [widthThen, tallest] = [width, 0];
    words.style.minHeight = "";
    tallest = Math.max(tallest, model.get("words_height"), words.offsetHeight);
    words.style.minHeight = `${tallest}px`;
  }

  function refresh() {
    const frame = frames()[step()];
    draw(svg, frame.sketch);
    svg.setAttribute("aria-label", frame.words.replace(/<[^>]*>/g, " "));
    if (words.innerHTML !== frame.words) words.innerHTML = frame.words;
    reserve();
    const last = frames().length - 1;
    count.textContent = `${step()} / ${last}`;
    // Not `disabled`: that would take the keyboard's focus away in the middle of stepping.
    for (const button of [start, back]) button.setAttribute("aria-disabled", step() === 0);
    next.setAttribute("aria-disabled", step() === last);
    play.textContent = timer ? "Pause" : "Play";
    root.classList.toggle("theatre", last > 0);
    for (const [i, button] of [...names.children].entries()) button.setAttribute("aria-pressed", i === model.get("scene"));
  }

  function go(to) {
    model.set("step", Math.max(0, Math.min(to, frames().length - 1)));
    model.save_changes();
    refresh();
  }

  function pause() {
    clearTimeout(timer);
    timer = null;
    refresh();
  }

  function tick() {
    timer = setTimeout(() => {
      go(step() + 1);
      if (step() === frames().length - 1) pause();
      else tick();
    }, SPEEDS[speed.value]);
  }

  function playOrPause() {
    if (timer) return pause();
    if (step() === frames().length - 1) go(0);
    go(step() + 1); // the press itself is seen at once
    if (step() < frames().length - 1) tick();
    refresh();
  }

  function walk(by) {
    pause();
    go(step() + by);
  }

  /** Another picture: at its end if this one was at its end, so that results can be compared. */
  function show(scene) {
    const ended = step() === frames().length - 1;
    clearTimeout(timer);
    timer = null;
    model.set("scene", scene);
    go(ended ? frames().length - 1 : 0);
  }

  function nameScenes() {
    const buttons = scenes.map(({ name }, i) => {
      const button = document.createElement("button");
      button.textContent = name;
      button.onclick = () => show(i);
      return button;
    });
    names.replaceChildren(...(buttons.length > 1 ? buttons : []));
  }

  start.onclick = () => walk(-step());
  back.onclick = () => walk(-1);
  play.onclick = playOrPause;
  next.onclick = () => walk(1);
  // A mark that can be dragged moves controls: {control: how many points of the sketch one step of it is}.
  let dragged = null; // {mark, x, y: where the pointer went down, in points of the sketch; sent: the latest}
  let waiting = false; // for the picture that answers the latest move; meanwhile nothing more is asked

  function inSketch(event) {
    const [points, pixels] = [svg.viewBox.baseVal, svg.getBoundingClientRect()];
    const scale = Math.max(points.width / pixels.width, points.height / pixels.height); // in a low window: the latter
    return { x: event.clientX * scale, y: event.clientY * scale };
  }

  function drag(event, last) {
    const to = inSketch(event);
    const { across, down } = dragged.mark.drag;
    const set = {};
    for (const [way, moved] of [[across, to.x - dragged.x], [down, to.y - dragged.y]]) {
      set[way.control] = Math.max(way.low, Math.min(way.high, way.value + Math.round(moved / way.points)));
    }
    const [x, y] = [across, down].map((way) => (set[way.control] - way.value) * way.points); // at once, before the answer
    svg.querySelector(".drag").style.transform = `translate(${dragged.mark.x + x}px, ${dragged.mark.y + y}px)`;
    const wanted = JSON.stringify(set);
    if (wanted === dragged.sent || (waiting && !last)) return;
    dragged.sent = wanted;
    waiting = true;
    model.send({ click: set });
  }

  svg.addEventListener("pointerdown", (event) => {
    if (!event.target.mark?.drag || !event.isPrimary || event.button) return;
    dragged = { mark: event.target.mark, ...inSketch(event), sent: "" };
    waiting = false;
    svg.setPointerCapture(event.pointerId);
    event.preventDefault();
    event.target.focus();
  });
  svg.addEventListener("pointermove", (event) => dragged && drag(event, false));
  for (const end of ["pointerup", "pointercancel"]) {
    svg.addEventListener(end, (event) => {
      if (dragged) drag(event, true);
      dragged = null;
    });
  }
  svg.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const ways = event.target.mark?.drag;
    if (!ways || !steps) return;
    event.preventDefault();
    event.stopPropagation();
    const pixels = event.shiftKey ? 8 : 1;
    const set = {};
    [ways.across, ways.down].forEach((way, i) => {
      set[way.control] = Math.max(way.low, Math.min(way.high, way.value + steps[i] * pixels));
    });
    model.send({ click: set });
  });
  svg.addEventListener("click", (event) => {
    if (frames().length > 1) root.focus({ preventScroll: true });
    const click = event.target.mark?.click;
    if (!click || event.target.mark.hidden) return;
    if ("step" in click) walk(click.step - step());
    else model.send({ click });
  });
  const keys = { ArrowLeft: () => walk(-1), ArrowRight: () => walk(1), Home: () => walk(-step()), End: () => walk(frames().length) };
  root.addEventListener("keydown", (event) => {
    if (frames().length === 1 || event.target.matches("select")) return;
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // else a letter is a command of JupyterLab
    const act = keys[event.key] ?? (event.key === " " && !event.target.matches("button") ? playOrPause : null);
    if (!act) return;
    event.preventDefault();
    act();
  });

  const whenScenesChange = () => {
    waiting = false;
    scenes = unfolded(model.get("scenes"));
    nameScenes();
    refresh();
  };
  model.on("change:scenes", whenScenesChange);
  model.on("change:scene", refresh);
  model.on("change:step", refresh);
  const resized = new ResizeObserver(reserve);
  resized.observe(root);
  whenScenesChange();
  if (scenes.length === 1 && frames().length === 1) bar.remove(); // a still picture
  return () => {
    clearTimeout(timer);
    resized.disconnect();
    model.off("change:scenes", whenScenesChange);
    model.off("change:scene", refresh);
    model.off("change:step", refresh);
  };
}

export default { render };
