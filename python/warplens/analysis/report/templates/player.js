// One player for the sounds of an item: its playhead runs over the rolls, and what is heard can be changed
// while the position stays.
let heardNow = null;
for (const sounds of document.querySelectorAll(".sounds")) {
  const rolls = sounds.closest("section").querySelector(".rolls");
  const plots = [...rolls.querySelectorAll(".performed")];
  if (!rolls.dataset.fps || !plots.length) continue;
  const seconds = plots[0].dataset.frames / rolls.dataset.fps;
  const tracks = [...sounds.querySelectorAll("audio")];
  const make = (name, set = {}) => Object.assign(document.createElement(name), set);
  const heads = plots.map((plot) => plot.appendChild(make("div", { className: "playhead" })));
  const clock = (time) => `${Math.floor(time / 60)}:${String(Math.floor(time % 60)).padStart(2, "0")}`;

  const bar = make("div", { className: "tools player" });
  const play = make("button", { type: "button", className: "play", textContent: "▶ play" });
  const place = make("input", { type: "range", min: 0, max: seconds, step: 0.01, value: 0 });
  place.setAttribute("aria-label", "Position");
  const told = make("output");
  const which = make("span", { className: "which" });
  which.setAttribute("role", "group");
  which.setAttribute("aria-label", "What is heard");
  which.append(...tracks.map((track) => make("button", { type: "button", textContent: track.dataset.short })));
  const note = make("span", { className: "small" });
  bar.append(play, place, told, which, note);
  sounds.replaceWith(bar);
  // The sounds themselves stay in the page: one that is taken out of it stops.
  bar.append(...tracks);
  for (const track of tracks) track.controls = false;

  let current = 0;
  let position = 0;
  const draw = () => {
    heads.forEach((head) => (head.style.left = `${within((100 * position) / seconds, 0, 100)}%`));
    place.value = position;
    told.textContent = `${clock(position)} / ${clock(seconds)}`;
    const playing = !tracks[current].paused;
    play.textContent = playing ? "❚❚ pause" : "▶ play";
    bar.classList.toggle("playing", playing);
  };
  const mark = () => {
    [...which.children].forEach((button, i) => button.setAttribute("aria-pressed", String(i === current)));
    note.textContent = tracks[current].dataset.name;
    for (const figure of rolls.querySelectorAll("figure[data-gamma]")) {
      figure.classList.toggle("heard", figure.dataset.gamma === tracks[current].dataset.gamma);
    }
    draw();
  };
  const start = () => {
    if (heardNow && heardNow !== tracks[current]) heardNow.pause();
    heardNow = tracks[current];
    rolls.classList.add("sounding");
    heardNow.play().then(run, (error) => {
      if (error.name !== "AbortError") told.textContent = "cannot be played";
    });
  };
  const run = () => {
    const track = tracks[current];
    if (track.readyState > 0) position = track.currentTime;
    draw();
    if (!track.paused) requestAnimationFrame(run);
  };
  const seek = (time) => {
    position = within(time, 0, seconds);
    tracks[current].currentTime = position;
    rolls.classList.add("sounding");
    draw();
  };
  const choose = (next) => {
    if (next === current) return;
    const playing = !tracks[current].paused;
    tracks[current].pause();
    current = next;
    seek(position);
    if (playing) start();
    mark();
  };
  for (const track of tracks) {
    track.addEventListener("pause", draw);
    track.addEventListener("ended", () => seek(0));
  }
  play.addEventListener("click", () => {
    if (tracks[current].paused) start();
    else tracks[current].pause();
  });
  place.addEventListener("input", () => seek(Number(place.value)));
  which.addEventListener("click", (event) => {
    const next = [...which.children].indexOf(event.target);
    if (next >= 0) choose(next);
  });
  // A click on a roll goes there, and lets that Y_mod be heard.
  rolls.addEventListener("click", (event) => {
    const plot = event.target.closest(".performed");
    if (!plot) return;
    const gamma = plot.closest("figure").dataset.gamma;
    const next = tracks.findIndex((track) => gamma && track.dataset.gamma === gamma);
    if (next >= 0) choose(next);
    const box = plot.getBoundingClientRect();
    seek((seconds * (event.clientX - box.left)) / box.width);
  });
  mark();
}
