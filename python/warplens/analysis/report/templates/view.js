"use strict";
// What is sought, shown and sorted stands in the address, so that it can be left, come back to and passed on.
const view = {
  get: (key) => new URLSearchParams(location.search).get(key),
  set(values) {
    const query = new URLSearchParams(location.search);
    for (const [key, value] of Object.entries(values)) {
      if (value === null) query.delete(key);
      else query.set(key, value);
    }
    const text = query.toString();
    history.replaceState(null, "", `${location.pathname}${text && `?${text}`}${location.hash}`);
  },
};

// From an item's page the neighbours in a table that was filtered or sorted are those that the table knows.
const steps = document.querySelector(".steps");
if (steps && location.search) {
  const all = steps.querySelector("a");
  const index = all.getAttribute("href");
  all.href = index + location.search;
  for (const [rel, step, text] of [["prev", -1, "‹ previous item"], ["next", 1, "next item ›"]]) {
    const query = new URLSearchParams(location.search);
    query.set("from", steps.dataset.id);
    query.set("step", step);
    let link = steps.querySelector(`[rel=${rel}]`);
    if (!link) {
      link = Object.assign(document.createElement("a"), { rel, textContent: text });
      if (step < 0) all.after(link);
      else steps.append(link);
    }
    link.href = `${index}?${query}`;
  }
}

// What an address points to may be folded away.
function unfold() {
  const target = document.querySelector(":target");
  let folded = target?.closest("details:not([open])");
  if (!folded) return;
  for (; folded; folded = target.closest("details:not([open])")) folded.open = true;
  target.scrollIntoView();
}
addEventListener("load", unfold);
addEventListener("hashchange", unfold);
