"use strict";
const noteNames = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

// Where a roll has more frames than the screen has columns, picking the nearest frame would drop short events.
function smoothWhereShrunk() {
  for (const image of document.querySelectorAll(".roll img")) {
    const shrunk = image.naturalWidth > image.clientWidth * devicePixelRatio;
    image.style.imageRendering = shrunk ? "auto" : "";
  }
}
addEventListener("load", smoothWhereShrunk);
addEventListener("resize", smoothWhereShrunk);

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
  for (const button of tools.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.layout === choice));
  }
  smoothWhereShrunk();
}
if (tools) {
  tools.hidden = false;
  tools.addEventListener("click", (event) => {
    if (event.target.matches("button")) layOut(event.target.dataset.layout);
  });
  layOut("");
}

// A long roll is stretched beyond the page; the middle of what is seen stays in the middle.
for (const buttons of document.querySelectorAll(".stretch")) {
  const pan = buttons.parentElement.querySelector(".pan");
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

// One time in all rolls of an item: the pointer draws a line through each of them and says where it is.
for (const rolls of document.querySelectorAll(".rolls")) {
  const lineIn = new Map();
  const clear = () => {
    for (const line of lineIn.values()) line.remove();
    lineIn.clear();
    rolls.querySelector("output").textContent = "";
  };
  rolls.addEventListener("pointerleave", clear);
  rolls.addEventListener("pointermove", (event) => {
    const here = event.target.closest(".roll, .curve");
    if (!here) return clear();
    const box = here.getBoundingClientRect();
    const across = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const performed = here.classList.contains("performed");
    for (const plot of rolls.querySelectorAll(".roll, .curve")) {
      if (performed ? !plot.classList.contains("performed") : plot !== here) {
        lineIn.get(plot)?.remove();
        lineIn.delete(plot);
        continue;
      }
      if (!lineIn.has(plot)) {
        const line = document.createElement("div");
        line.className = "cursor";
        plot.append(line);
        lineIn.set(plot, line);
      }
      lineIn.get(plot).style.left = `${100 * across}%`;
    }
    const frame = Math.min(Math.floor(across * here.dataset.frames), here.dataset.frames - 1);
    let text = performed ? `frame n = ${frame}` : `target frame m = ${frame}`;
    if (performed && rolls.dataset.fps) text = `${(frame / rolls.dataset.fps).toFixed(2)} s, ${text}`;
    if (here.classList.contains("roll")) {
      const row = Math.floor((1 - (event.clientY - box.top) / box.height) * rolls.dataset.count);
      const feature = Number(rolls.dataset.low) + Math.min(Math.max(row, 0), rolls.dataset.count - 1);
      const pitch = feature + Number(rolls.dataset.pitch);
      text += rolls.dataset.pitch === undefined
        ? `, feature ${feature}` : `, ${noteNames[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
    }
    rolls.querySelector("output").textContent = text;
  });
}
