const noteNames = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

function nameOf(feature, pitch) {
  if (pitch === undefined) return `feature ${feature}`;
  const number = Number(pitch) + feature;
  return `${noteNames[number % 12]}${Math.floor(number / 12) - 1}`;
}

function within(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

// Where a roll has more frames than the screen has columns, picking the nearest frame would drop short events.
function smoothWhereShrunk() {
  for (const image of document.querySelectorAll(".roll img")) {
    const shrunk = image.naturalWidth > image.clientWidth * devicePixelRatio;
    image.style.imageRendering = shrunk ? "auto" : "";
  }
}
addEventListener("load", smoothWhereShrunk);
addEventListener("resize", smoothWhereShrunk);
addEventListener("toggle", smoothWhereShrunk, true);

const tools = document.querySelector(".tools.layout");
for (const rolls of document.querySelectorAll(".rolls")) {
  rolls.dataset.fits = rolls.classList.contains("below") ? "below" : "beside";
}
function layOut(choice) {
  for (const rolls of document.querySelectorAll(".rolls")) {
    const layout = choice || rolls.dataset.fits;
    rolls.classList.toggle("beside", layout === "beside");
    rolls.classList.toggle("below", layout === "below");
  }
  for (const button of tools.querySelectorAll("[data-layout]")) {
    button.setAttribute("aria-pressed", String(button.dataset.layout === choice));
  }
  smoothWhereShrunk();
}
if (tools) {
  tools.hidden = false;
  tools.addEventListener("click", (event) => {
    if (event.target.matches("[data-layout]")) layOut(event.target.dataset.layout);
    if (event.target.matches(".high")) {
      event.target.setAttribute("aria-pressed", String(document.body.classList.toggle("high-rolls")));
    }
  });
  layOut("");
}

// A long roll is stretched beyond the page; the middle of what is seen stays in the middle.
for (const buttons of document.querySelectorAll(".stretch")) {
  const pan = buttons.closest("section").querySelector(".pan");
  buttons.hidden = false;
  buttons.addEventListener("click", (event) => {
    const times = event.target.dataset.times;
    if (!times) return;
    const middle = (pan.scrollLeft + pan.clientWidth / 2) / pan.scrollWidth;
    pan.style.setProperty("--times", times);
    pan.classList.toggle("stretched", times !== "1");
    pan.scrollLeft = middle * pan.scrollWidth - pan.clientWidth / 2;
    for (const button of buttons.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button === event.target));
    }
    smoothWhereShrunk();
  });
}

// Words beside the pointer, a finger, or what the keyboard has come to.
const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
tip.setAttribute("role", "status");
document.body.append(tip);
function tell(words, x, y) {
  tip.textContent = words;
  tip.hidden = false;
  const [width, height] = [tip.offsetWidth, tip.offsetHeight];
  tip.style.left = `${within(x + 14 + width > innerWidth ? x - 14 - width : x + 14, 0, innerWidth - width)}px`;
  tip.style.top = `${y + 18 + height > innerHeight ? y - 10 - height : y + 18}px`;
}

// Levels are read back from the pictures: each colour of the scale stands for one.
const read = new WeakMap();
function pixelsOf(image) {
  if (!read.has(image)) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const brush = canvas.getContext("2d", { willReadFrequently: true });
    brush.drawImage(image, 0, 0);
    read.set(image, brush.getImageData(0, 0, canvas.width, canvas.height).data);
  }
  return read.get(image);
}
function colourAt(pixels, i) {
  return (pixels[4 * i] << 16) | (pixels[4 * i + 1] << 8) | pixels[4 * i + 2];
}
const scales = new WeakMap();
function levelOf(rolls, colour) {
  if (!scales.has(rolls)) {
    const pixels = pixelsOf(rolls.querySelector(".legend img"));
    const [low, high] = rolls.dataset.levels.split(" ").map(Number);
    const levels = new Map();
    for (let i = 255; i >= 0; i--) levels.set(colourAt(pixels, i), low + (i / 255) * (high - low));
    scales.set(rolls, levels);
  }
  return scales.get(rolls).get(colour);
}
function columnOf(image, frames, frame) {
  return Math.floor(frame / Math.ceil(frames / image.naturalWidth));
}
function levelAt(rolls, plot, frame, row) {
  const image = plot.querySelector("img");
  const column = columnOf(image, plot.dataset.frames, frame);
  const down = image.naturalHeight - 1 - row;
  return levelOf(rolls, colourAt(pixelsOf(image), down * image.naturalWidth + column));
}
function heightAt(plot, frame) {
  const steps = plot.querySelector("path").getAttribute("d").match(/V\d+h\d+/g);
  const [down, frames] = steps[0].slice(1).split("h").map(Number);
  const step = steps[Math.floor(frame / frames)] ?? `V${down}`;
  return Number(plot.dataset.top) * (1 - Number(step.slice(1).split("h")[0]) / 1000);
}

// One time in all rolls of an item: a line through each of them, and words beside the pointer.
for (const rolls of document.querySelectorAll(".rolls")) {
  const lineIn = new Map();
  let at = null;
  const clear = () => {
    for (const line of lineIn.values()) line.remove();
    lineIn.clear();
    tip.hidden = true;
    at = null;
  };
  const show = (plot, frame, row, x, y) => {
    at = { plot, frame, row };
    const { frames } = plot.dataset;
    const performed = plot.classList.contains("performed");
    for (const other of rolls.querySelectorAll(".roll, .curve")) {
      if (performed ? !other.classList.contains("performed") : other !== plot) {
        lineIn.get(other)?.remove();
        lineIn.delete(other);
        continue;
      }
      if (!lineIn.has(other)) {
        const line = document.createElement("div");
        line.className = "cursor";
        other.append(line);
        lineIn.set(other, line);
      }
      lineIn.get(other).style.left = `${(100 * (frame + 0.5)) / frames}%`;
    }
    const words = [];
    if (performed && rolls.dataset.fps) words.push(`${(frame / rolls.dataset.fps).toFixed(2)} s`);
    words.push(performed ? `frame n = ${frame}` : `target frame m = ${frame}`);
    if (plot.matches(".roll")) {
      words.push(nameOf(Number(rolls.dataset.low) + row, rolls.dataset.pitch));
      words.push(`level ${levelAt(rolls, plot, frame, row).toFixed(2)}`);
    } else {
      words.push(`h = ${heightAt(plot, frame).toPrecision(3)}`);
    }
    tell(words.join(", "), x, y);
  };
  const follow = (event) => {
    const plot = event.target.closest(".roll, .curve");
    if (!plot) return clear();
    const box = plot.getBoundingClientRect();
    const { frames } = plot.dataset;
    const frame = within(Math.floor((frames * (event.clientX - box.left)) / box.width), 0, frames - 1);
    const { count } = rolls.dataset;
    const row = within(Math.floor((1 - (event.clientY - box.top) / box.height) * count), 0, count - 1);
    show(plot, frame, row, event.clientX, event.clientY);
  };
  const showAtCell = (plot, frame, row) => {
    plot.scrollIntoView({ block: "nearest" });
    const box = plot.getBoundingClientRect();
    const y = box.bottom - ((row + 0.5) / rolls.dataset.count) * box.height;
    show(plot, frame, row, box.left + ((frame + 0.5) / plot.dataset.frames) * box.width, y);
  };
  rolls.addEventListener("pointermove", follow);
  rolls.addEventListener("pointerdown", follow);
  // A finger leaves as soon as it is lifted; what it asked for stays.
  rolls.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && clear());
  rolls.addEventListener("focusin", (event) => {
    if (event.target.matches(".roll:focus-visible, .curve:focus-visible")) {
      showAtCell(event.target, ...firstCell(rolls, event.target));
    }
  });
  rolls.addEventListener("focusout", clear);
  rolls.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return clear();
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = event.target.matches(".roll, .curve") && moves[event.key];
    if (!move) return;
    event.preventDefault();
    const plot = event.target;
    const [frame, row] = at?.plot === plot ? [at.frame, at.row] : firstCell(rolls, plot);
    const stride = event.shiftKey ? 10 : 1;
    showAtCell(
      plot,
      within(frame + stride * move[0], 0, plot.dataset.frames - 1),
      within(row + move[1], 0, rolls.dataset.count - 1),
    );
  });
}

// The keyboard begins at the first cell that has a level.
function firstCell(rolls, plot) {
  const { count } = rolls.dataset;
  if (plot.matches(".roll")) {
    const image = plot.querySelector("img");
    const frames = Math.ceil(plot.dataset.frames / image.naturalWidth);
    for (let column = 0; column < image.naturalWidth; column++) {
      for (let row = 0; row < count; row++) {
        if (levelAt(rolls, plot, column * frames, row) >= 0.1) return [column * frames, row];
      }
    }
  }
  return [0, 0];
}

// Dots of events: the nearest one is told, the keyboard goes from one to the next.
for (const plot of document.querySelectorAll(".dots")) {
  const { fps, pitch } = plot.closest("[data-low]").dataset;
  const places = [...plot.querySelectorAll(".kept, .lost")].flatMap((path) =>
    [...path.getAttribute("d").matchAll(/M(\d+) (\d+)/g)].map((dot) => [Number(dot[1]), Number(dot[2])]));
  const events = plot.dataset.events.split(" ").map(Number);
  const [low, high, top] = plot.dataset.spans.split(" ").map(Number);
  const ring = Object.assign(document.createElement("div"), { className: "ring", hidden: true });
  plot.append(ring);
  let current = -1;
  const show = (i) => {
    current = i;
    const [x, y] = places[i];
    const box = plot.getBoundingClientRect();
    [ring.hidden, ring.style.left, ring.style.top] = [false, `${x / 10}%`, `${y / 10}%`];
    const frame = events[2 * i + 1];
    const duration = low * (high / low) ** (x / 1000);
    const where = fps ? `${(frame / fps).toFixed(2)} s` : `frame ${frame}`;
    tell(
      `${nameOf(events[2 * i], pitch)} at ${where}: peak ${(top * (1 - y / 1000)).toFixed(2)}, ` +
        `expected duration ${duration.toPrecision(2)} ${fps ? "s" : "frames"}`,
      box.left + (x / 1000) * box.width, box.top + (y / 1000) * box.height,
    );
  };
  const clear = () => {
    ring.hidden = tip.hidden = true;
    current = -1;
  };
  const follow = (event) => {
    const box = plot.getBoundingClientRect();
    const away = places.map(([x, y]) =>
      Math.hypot(box.left + (x / 1000) * box.width - event.clientX, box.top + (y / 1000) * box.height - event.clientY));
    const nearest = away.indexOf(Math.min(...away));
    if (away[nearest] < 24) show(nearest);
    else clear();
  };
  plot.addEventListener("pointermove", follow);
  plot.addEventListener("pointerdown", follow);
  plot.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && clear());
  plot.addEventListener("focusin", () => plot.matches(":focus-visible") && show(places.length - 1));
  plot.addEventListener("focusout", clear);
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (event.key === "Escape") clear();
    if (!step) return;
    event.preventDefault();
    show((current + step + places.length) % places.length);
  });
}
