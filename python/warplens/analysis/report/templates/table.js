// The table of all items: sorted by a click on a heading, filtered by id and kind, a hundred rows at a time.
(() => {
  const source = document.getElementById("item-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const rowsAtATime = 100;
  const part = document.querySelector(".items");
  const table = part.querySelector("table");
  const [kinds, gammas] = [part.querySelector(".kinds"), part.querySelector(".gammas")];
  const [find, told, pager] = [part.querySelector("input"), part.querySelector("output"), part.querySelector(".pager")];
  const count = data.ids.length;
  const names = data.ids.map((id) => id.toLowerCase());
  const last = data.gammas.length - 1;
  const usual = data.gammas.length > 1 ? "risk" : `lost:${data.gammas[0]}`;
  let measuresAt = last;
  let sortedBy = usual;
  let downwards = true;
  let first = 0;

  const element = (name, text = "", set = {}) => Object.assign(document.createElement(name), { textContent: text }, set);
  const shareOf = (lost) => (i) => (data.events[i] ? lost[i] / data.events[i] : 0);

  // A column: its key, heading, numbers by item, text of a number, and the share of its cell that is coloured.
  function columns() {
    const whole = (key, heading, values) => ({ key, heading, values, text: String });
    return [
      whole("frames", "N", data.frames),
      whole("targets", "M", data.targets),
      whole("events", `${data.word}s`, data.events),
      ...(last > 0 ? [{ ...whole("risk", "at risk", data.risk), share: shareOf(data.risk) }] : []),
      ...data.lost.map((lost, g) => ({ ...whole(`lost:${data.gammas[g]}`, data.gammas[g], lost), share: shareOf(lost), group: "lost" })),
      ...data.measures.map((measure) => ({
        key: measure.name, heading: measure.heading, values: measure.values[measuresAt],
        text: (value, i) => {
          const of = measure.notes?.map((counts) => counts[measuresAt][i]);
          return value.toFixed(measure.decimals) + (of ? ` (${of[0]} of ${of[1]} notes)` : "");
        },
        group: "measures",
      })),
    ];
  }

  // Items come sorted by id, so that its column sorts by place. What is not known stays last either way.
  function sorted() {
    const order = Array.from({ length: count }, (_, i) => i);
    const column = columns().find((each) => each.key === sortedBy);
    const values = column ? column.values : order;
    const known = (i) => values[i] !== null && (!column || !(i in data.failed));
    const sign = downwards ? -1 : 1;
    return order.sort((i, j) => {
      const [here, there] = [known(i), known(j)];
      if (!here || !there) return there - here || i - j;
      return sign * (values[i] - values[j]) || i - j;
    });
  }

  function chosen() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kind = {
      all: () => true,
      risk: (i) => data.risk[i] > 0,
      failed: (i) => i in data.failed,
      pages: (i) => i in data.pages,
    }[kinds.value];
    return sorted().filter((i) => kind(i) && words.every((word) => names[i].includes(word)));
  }

  function heading(key, text, set) {
    const cell = element("th", "", { scope: "col", ...set });
    const button = element("button", text, { type: "button" });
    button.dataset.key = key;
    cell.append(button);
    cell.setAttribute("aria-sort", sortedBy !== key ? "none" : downwards ? "descending" : "ascending");
    return cell;
  }

  function drawHead() {
    const [above, below] = [element("tr"), element("tr")];
    above.append(heading("id", "item", { rowSpan: 2 }));
    let group;
    for (const column of columns()) {
      if (!column.group) {
        above.append(heading(column.key, column.heading, { rowSpan: 2 }));
        continue;
      }
      if (column.group !== group?.dataset.group) {
        const text = column.group === "lost" ? `under ${table.dataset.threshold} at γ =` : `at γ = ${data.gammas[measuresAt]}`;
        group = element("th", text, { scope: "colgroup", colSpan: 0 });
        group.dataset.group = column.group;
        above.append(group);
      }
      group.colSpan = below.querySelectorAll(`[data-of=${column.group}]`).length + 1;
      const cell = heading(column.key, column.heading);
      cell.dataset.of = column.group;
      below.append(cell);
    }
    table.tHead.replaceChildren(above, below);
  }

  function row(i, shown) {
    const line = element("tr");
    const name = element("th", "", { scope: "row", title: data.ids[i] });
    name.append(i in data.pages ? element("a", data.ids[i], { href: addressOf(i) }) : data.ids[i]);
    line.append(name);
    if (i in data.failed) {
      line.append(element("td", data.failed[i], { colSpan: shown.length, className: "reason" }));
      return line;
    }
    for (const column of shown) {
      const value = column.values[i];
      const cell = element("td", value === null ? "–" : column.text(value, i).replace("-", "−"));
      if (column.share) {
        cell.className = "share";
        cell.style.setProperty("--share", `${(100 * column.share(i)).toFixed(1)}%`);
      }
      line.append(cell);
    }
    return line;
  }

  // A page of its own takes the view along, so that it leads back to it, and to its neighbours in it.
  function addressOf(i) {
    return data.pages[i].startsWith("#") ? data.pages[i] : data.pages[i] + location.search;
  }

  function draw() {
    const items = chosen();
    const shown = columns();
    first = Math.max(0, Math.min(first, rowsAtATime * Math.floor((items.length - 1) / rowsAtATime)));
    const end = Math.min(first + rowsAtATime, items.length);
    keep();
    drawHead();
    table.tBodies[0].replaceChildren(...items.slice(first, end).map((i) => row(i, shown)));
    told.textContent = items.length === count ? `${count} items` : `${items.length} of ${count} items`;
    pager.hidden = items.length <= rowsAtATime;
    pager.querySelector("span").textContent = `${first + 1}–${end} of ${items.length}`;
    pager.querySelector("[data-step='-1']").disabled = first === 0;
    pager.querySelector("[data-step='1']").disabled = end === items.length;
  }

  function redraw() {
    first = 0;
    draw();
  }

  function keep() {
    view.set({
      find: find.value || null,
      show: kinds.value === "all" ? null : kinds.value,
      at: measuresAt === last ? null : data.gammas[measuresAt],
      sort: sortedBy === usual && downwards ? null : sortedBy,
      order: downwards ? null : "up",
      page: first ? first / rowsAtATime + 1 : null,
    });
  }

  function recall() {
    find.value = view.get("find") ?? "";
    kinds.value = view.get("show") ?? "all";
    if (kinds.selectedIndex < 0) kinds.value = "all";
    measuresAt = data.gammas.includes(view.get("at")) ? data.gammas.indexOf(view.get("at")) : last;
    gammas.value = measuresAt;
    const sort = view.get("sort");
    sortedBy = sort === "id" || columns().some((each) => each.key === sort) ? sort : usual;
    downwards = view.get("order") !== "up";
    first = rowsAtATime * Math.max(0, Math.floor(Number(view.get("page")) || 1) - 1);
  }

  // A page asks for the item before or after its own, as this table is filtered and sorted.
  function passOn() {
    const [from, step] = [data.ids.indexOf(view.get("from")), Number(view.get("step"))];
    const asked = view.get("from") !== null;
    view.set({ from: null, step: null });
    if (!asked) return;
    const items = chosen().filter((i) => i in data.pages);
    const next = items[items.indexOf(from) + step];
    if (items.includes(from) && next !== undefined) location.replace(addressOf(next));
    else document.getElementById("items").scrollIntoView();
  }

  table.tHead.addEventListener("click", (event) => {
    const key = event.target.dataset.key;
    if (!key) return;
    downwards = key === sortedBy ? !downwards : key !== "id";
    sortedBy = key;
    redraw();
    table.tHead.querySelector(`[data-key="${key}"]`).focus();
  });
  pager.addEventListener("click", (event) => {
    if (!event.target.dataset.step) return;
    first += event.target.dataset.step * rowsAtATime;
    draw();
  });
  find.addEventListener("input", redraw);
  kinds.addEventListener("change", redraw);
  gammas.addEventListener("change", () => {
    measuresAt = Number(gammas.value);
    redraw();
  });

  const failed = Object.keys(data.failed).length;
  const paged = Object.keys(data.pages).length;
  kinds.append(element("option", "all items", { value: "all" }), element("option", `with lost ${data.word}s`, { value: "risk" }));
  if (failed) kinds.append(element("option", "failed", { value: "failed" }));
  if (paged < count - failed) kinds.append(element("option", "with a page", { value: "pages" }));
  data.gammas.forEach((gamma, g) => gammas.append(element("option", gamma, { value: g })));
  part.hidden = false;
  recall();
  passOn();
  draw();
  // Where a browser brings back what was typed before the page was left, the address knows better.
  addEventListener("pageshow", () => {
    recall();
    draw();
  });
})();
