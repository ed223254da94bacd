/**
 * The results table: one row per design, accuracies as dots with their intervals on one scale, costs as bars.
 *
 * The page sends all rows, in their order, and which of them the search finds. Here they are searched for words at once, before
 * the page's answer, sorted, folded under what they belong to, chosen and copied; the page learns of the chosen rows and of the
 * text of the search.
 */
import { element, write } from "../common/live/dom.js";
import { addStyles } from "../common/styles.js";

const tables = new WeakMap(); // host -> promise of its ResultsTable
const LONG = 40; // rows
const FIRST = 60; // rows that are drawn at once; the others follow a few at a time
const SEARCH_DELAY = 200; // ms between the last letter and the page's search
const COMPARISON = /^[a-z0-9_]+(<=|>=|<|>|=)./; // only the page understands them

export function mount({ data, parentElement, setTriggerValue }) {
  if (!tables.has(parentElement)) {
    tables.set(parentElement, create(parentElement));
    history.pushState = pushUnlessRuns;
  }
  tables.get(parentElement).then((table) => table.update(data, setTriggerValue));
}

export function unmount({ parentElement }) {
  tables.get(parentElement)?.then((table) => table.root.remove());
  tables.delete(parentElement);
  delete history.pushState; // that of its prototype is left
}

/** Back leaves the page in one press, however many rows were chosen: Streamlit makes an entry for each change of the address. */
function pushUnlessRuns(state, unused, url) {
  const others = (address) => {
    const { pathname, searchParams } = new URL(address, location.href);
    searchParams.delete("run");
    return `${pathname}?${searchParams}`;
  };
  const isSame = url && others(url) === others(location.href);
  History.prototype[isSame ? "replaceState" : "pushState"].call(history, state, unused, url);
}

async function create(host) {
  const common = new URL("../common", import.meta.url).href;
  await addStyles(host, [`${common}/tokens.css`, new URL("table.css", import.meta.url).href]);
  return new ResultsTable(host);
}

class ResultsTable {
  #send = () => {};
  #data = { rows: [], columns: [], scales: {}, chips: [], selected: [], search: "", found: null };
  #selected = new Set();
  #open = new Map(); // key of a row -> whether its members are shown, where the person has chosen
  #made = new Map(); // key of a row -> its element
  #sort = null; // { name, down }
  #last = null; // key of the row that was chosen last, for a range
  #timer = 0;
  #asked = null; // the text of a search that the page has not answered yet
  #drawing = 0; // the animation frame that draws more rows

  constructor(host) {
    this.search = element("input", { type: "search", "aria-label": "Search the results", placeholder: "Search: lenet5 adam test>99 params<1e5", "data-testid": "results-search" });
    this.search.addEventListener("input", () => this.#searchSoon());
    this.chips = element("span", { style: "display:contents" });
    this.count = element("span", { class: "count", role: "status" });
    this.copy = element("button", { type: "button", class: "chip", title: "Copies the chosen rows, or all, as a table for a spreadsheet" }, ["Copy"]);
    this.copy.addEventListener("click", () => this.#copy());
    this.copy.hidden = !navigator.clipboard; // without HTTPS; Ctrl+C still copies
    this.problem = element("p", { class: "problem", role: "alert", hidden: "" });
    this.head = element("thead");
    this.body = element("tbody");
    this.body.addEventListener("keydown", (event) => this.#walk(event));
    const table = element("table", { "aria-label": "Results" }, [this.head, this.body]);
    this.scroll = element("div", { class: "scroll", tabindex: "-1" }, [table]);
    const find = element("div", { class: "find" }, [this.search, this.chips, this.count, this.copy]);
    this.root = element("div", { class: "results tokens" }, [find, this.problem, this.scroll]);
    this.root.addEventListener("copy", (event) => this.#onCopy(event));
    host.append(this.root);
  }

  update(data, setTriggerValue) {
    this.#send = setTriggerValue;
    if (String(data.columns.map(({ name }) => name)) !== String(this.#data.columns.map(({ name }) => name))) this.#made.clear();
    this.#data = data;
    this.#selected = new Set(data.selected);
    if (data.search === this.#asked) this.#asked = null;
    const isTyping = this.search.getRootNode().activeElement === this.search;
    if (this.#asked === null && !isTyping) this.search.value = data.search;
    write(this.problem, data.problem);
    this.problem.hidden = !data.problem;
    this.#showChips();
    const parent = new Map(data.rows.map((row) => [row.key, row.parent]));
    for (const key of this.#selected) for (let at = parent.get(key); at; at = parent.get(at)) this.#open.set(at, true);
    this.#showHead();
    this.#showBody();
  }

  // -- search

  #searchSoon() {
    this.#showChips();
    this.#showHead();
    this.#showBody();
    clearTimeout(this.#timer);
    this.#asked = this.search.value;
    this.#timer = setTimeout(() => this.#send("searched", { text: this.#asked }), SEARCH_DELAY);
  }

  #showChips() {
    this.chips.replaceChildren(...this.#data.chips.map(({ label, word }) => {
      const words = this.search.value.split(/\s+/).filter(Boolean);
      const isOn = words.includes(word);
      const chip = element("button", { type: "button", class: "chip", "aria-pressed": String(isOn) }, [label]);
      chip.addEventListener("click", () => {
        this.search.value = (isOn ? words.filter((each) => each !== word) : [...words, word]).join(" ");
        this.#searchSoon();
      });
      return chip;
    }));
  }

  // -- head

  #showHead() {
    const { columns, scales } = this.#data;
    const found = this.#found();
    const datasets = new Set(found.map((row) => row.dataset).filter((name) => scales[name]));
    const scale = datasets.size === 1 ? scales[[...datasets][0]] : null;
    const all = element("input", { type: "checkbox", "aria-label": "Select all rows" });
    const chosen = found.filter((row) => this.#selected.has(row.key)).length;
    all.checked = chosen > 0 && chosen === found.length;
    all.indeterminate = chosen > 0 && !all.checked;
    all.addEventListener("change", () => this.#choose(all.checked ? found.map((row) => row.key) : []));
    const cells = columns.map(({ name, title, help, kind }) => {
      const direction = this.#sort?.name === name ? (this.#sort.down ? "descending" : "ascending") : "none";
      const button = element("button", { type: "button", title: help }, [title]);
      button.addEventListener("click", () => this.#sortBy(name, kind));
      const parts = kind === "accuracy" && scale ? [button, element("span", { class: "ruler", "aria-hidden": "true" }, [element("span", {}, [scale.low_text]), element("span", {}, [scale.high_text])])] : [button];
      return element("th", { scope: "col", class: classOf(name, kind), "aria-sort": direction }, parts);
    });
    this.head.replaceChildren(element("tr", {}, [element("th", { class: "box" }, [all]), ...cells]));
  }

  #sortBy(name, kind) {
    const downFirst = kind !== "text";
    if (this.#sort?.name !== name) this.#sort = { name, down: downFirst };
    else this.#sort = this.#sort.down === downFirst ? { name, down: !downFirst } : null; // third press: the page's order
    this.#showHead();
    this.#showBody();
    this.head.querySelectorAll("th button")[this.#data.columns.findIndex((column) => column.name === name)]?.focus();
  }

  // -- body

  /** The rows that the search finds, without headings; until the page answers, those with all its words. */
  #found() {
    const rows = this.#data.rows.filter((row) => !row.heading);
    const text = this.search.value.trim();
    if (text === this.#data.search.trim()) {
      const keys = this.#data.found && new Set(this.#data.found);
      return keys ? rows.filter((row) => keys.has(row.key)) : rows;
    }
    const words = text.toLowerCase().split(/\s+/).filter((word) => !COMPARISON.test(word));
    return rows.filter((row) => words.every((word) => row.text.includes(word)));
  }

  #showBody() {
    const found = this.#found();
    const byKey = new Map(this.#data.rows.map((row) => [row.key, row]));
    const isFound = new Set(found.map((row) => row.key));
    const parentOf = ({ parent }) => {
      while (parent && !isFound.has(parent) && !byKey.get(parent)?.heading) parent = byKey.get(parent)?.parent ?? "";
      return parent;
    };
    const members = new Map(); // key of a row -> the rows that belong to it
    const add = (parent, row) => members.set(parent, [...(members.get(parent) ?? []), row]);
    for (const row of found) {
      const parent = parentOf(row);
      if (byKey.get(parent)?.heading && !members.has(parent)) add("", byKey.get(parent));
      add(parent, row);
    }
    const shown = [];
    const place = (rows, depth) => {
      for (const row of this.#inOrder(rows, members)) {
        const inside = members.get(row.key) ?? [];
        shown.push([row, depth, inside.length]);
        if (this.#isOpen(row)) place(inside, depth + 1);
      }
    };
    place(members.get("") ?? [], 0);
    const chosen = this.#selected.size ? `, ${this.#selected.size} selected` : "";
    write(this.count, `${found.length.toLocaleString("en")} ${found.length === 1 ? "row" : "rows"}${chosen}`);
    cancelAnimationFrame(this.#drawing);
    const most = Math.max(FIRST, this.body.children.length);
    this.#drawFirst(shown.slice(0, most).map((each) => this.#row(...each)));
    this.#drawMore(shown, most);
  }

  #drawMore(shown, from) {
    if (from >= shown.length) return;
    this.#drawing = requestAnimationFrame(() => {
      this.body.append(...shown.slice(from, from + FIRST).map((each) => this.#row(...each)));
      this.#drawMore(shown, from + FIRST);
    });
  }

  #drawFirst(rows) {
    const focused = this.root.getRootNode().activeElement?.dataset?.key;
    const position = this.#boxes().findIndex((box) => box.dataset.key === focused);
    if (!rows.length) rows.push(this.#noRow());
    rows.forEach((row, index) => {
      const present = this.body.children[index]; // a row that stays is not touched, and keeps the focus
      if (present !== row) this.body.insertBefore(row, present ?? null);
    });
    while (this.body.children.length > rows.length) this.body.lastChild.remove();
    const active = this.root.getRootNode().activeElement?.dataset?.key;
    if (focused && active !== focused) {
      // A run that ends may join another row: then the focus stays at its place.
      const same = this.body.querySelector(`[data-key="${CSS.escape(focused)}"]`);
      (same ?? this.#boxes()[Math.max(0, position)])?.focus();
    }
  }

  #noRow() {
    const sentence = this.search.value.trim() ? "No row matches the search." : "All rows are hidden.";
    return element("tr", { class: "none" }, [element("td", { colspan: String(this.#data.columns.length + 1) }, [sentence])]);
  }

  /** The rows in the order of the sorted column; a heading has the place of its best row. */
  #inOrder(rows, members) {
    if (!this.#sort) return rows;
    const { name, down } = this.#sort;
    const value = (row) => {
      if (!row.heading) return row.cells[name]?.sort ?? null;
      const known = (members.get(row.key) ?? []).map(value).filter((each) => each !== null);
      return known.sort((a, b) => compare(a, b) * (down ? -1 : 1))[0] ?? null;
    };
    const keyed = rows.map((row) => [value(row), row]);
    keyed.sort(([a], [b]) => (a === null ? (b === null ? 0 : 1) : b === null ? -1 : compare(a, b) * (down ? -1 : 1)));
    return keyed.map(([, row]) => row);
  }

  /** The element of a row; it is made anew only if something of it has changed. */
  #row(row, depth, inside) {
    const place = String([depth, inside, this.#isOpen(row), this.#selected.has(row.key)]);
    const kept = this.#made.get(row.key);
    const isSame = kept?.place === place && (kept.row === row || JSON.stringify(kept.row) === JSON.stringify(row));
    const root = isSame ? kept.root : this.#makeRow(row, depth, inside);
    this.#made.set(row.key, { row, place, root });
    return root;
  }

  #makeRow(row, depth, inside) {
    const made = element("tr", { class: row.heading ? "heading" : "", "data-row": row.key });
    made.style.setProperty("--depth", depth);
    if (row.colour) made.style.setProperty("--colour", row.colour);
    const name = element("td", { class: "named", title: row.name });
    if (inside) name.append(this.#fold(row, inside));
    if (row.heading) {
      name.colSpan = this.#data.columns.length;
      name.append(element("span", { class: "what" }, [row.what]), element("a", { href: row.address, target: "_self" }, [row.name]), tally(inside, "row"));
      made.append(element("td", { class: "box" }), name);
      return made;
    }
    const box = element("input", { type: "checkbox", "aria-label": `Select ${row.name}`, "data-key": row.key });
    box.checked = this.#selected.has(row.key);
    made.dataset.chosen = String(box.checked);
    box.addEventListener("click", (event) => this.#toggle(row.key, box.checked, event.shiftKey));
    made.addEventListener("click", (event) => {
      if (event.target.closest("button, input, a") || String(getSelection())) return;
      this.#toggle(row.key, !this.#selected.has(row.key), event.shiftKey);
    });
    made.append(element("td", { class: "box" }, [box]));
    for (const column of this.#data.columns) {
      if (column.name !== "name") {
        made.append(cell(column, row));
        continue;
      }
      name.append(...(row.colour ? [element("span", { class: "swatch", "aria-hidden": "true" })] : []), row.name);
      if (inside) name.append(tally(inside, "more", ""));
      made.append(name);
    }
    return made;
  }

  /** Whether the members of a row are shown: those of a study are at first, in a table that is not long. */
  #isOpen(row) {
    return this.#open.get(row.key) ?? (Boolean(row.heading) && this.#data.rows.length <= LONG);
  }

  #fold(row, inside) {
    const isOpen = this.#isOpen(row);
    const label = `${isOpen ? "Hide" : "Show"} what belongs to ${row.name}: ${inside}`;
    const fold = element("button", { type: "button", class: "fold", "aria-expanded": String(isOpen), "aria-label": label, "data-key": `fold ${row.key}` });
    fold.addEventListener("click", () => {
      this.#open.set(row.key, !isOpen);
      this.#showBody();
    });
    return fold;
  }

  // -- choice

  #boxes() {
    return [...this.body.querySelectorAll("input[data-key]")];
  }

  #toggle(key, isChosen, isRange) {
    const keys = this.#boxes().map((box) => box.dataset.key);
    const [from, to] = [keys.indexOf(this.#last), keys.indexOf(key)].sort((a, b) => a - b);
    const changed = isRange && from >= 0 ? keys.slice(from, to + 1) : [key];
    const chosen = new Set(this.#selected);
    for (const each of changed) isChosen ? chosen.add(each) : chosen.delete(each);
    this.#last = key;
    this.#choose([...chosen]);
  }

  #choose(keys) {
    this.#selected = new Set(keys);
    this.#showHead();
    this.#showBody();
    this.#send("chosen", { keys: this.#data.rows.filter((row) => this.#selected.has(row.key)).map((row) => row.key) });
  }

  /** Arrow keys move between the boxes of the rows. */
  #walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !event.target.dataset.key) return;
    const boxes = this.#boxes();
    const own = event.target.closest("tr").querySelector("input[data-key]");
    boxes[boxes.indexOf(own) + step]?.focus();
    event.preventDefault();
  }

  // -- copying

  #asText() {
    const { columns } = this.#data;
    const wanted = this.#found().filter((row) => !this.#selected.size || this.#selected.has(row.key));
    const lines = wanted.map((row) => columns.map(({ name }) => (name === "name" ? row.name : (row.cells[name]?.text ?? ""))));
    return [columns.map(({ title }) => title), ...lines].map((line) => line.join("\t")).join("\n");
  }

  async #copy() {
    await navigator.clipboard.writeText(this.#asText());
    write(this.copy, "Copied");
    setTimeout(() => write(this.copy, "Copy"), 1500);
  }

  #onCopy(event) {
    if (String(getSelection()) || event.target === this.search) return;
    event.clipboardData.setData("text/plain", this.#asText());
    event.preventDefault();
  }
}

const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));

const classOf = (name, kind) => (name === "name" ? "named" : ["text", "accuracy", "curve"].includes(kind) ? "" : "number");

const tally = (count, noun, ending = "s") => element("span", { class: "tally" }, [` ${count} ${noun}${count === 1 ? "" : ending}`]);

function cell({ name, kind }, row) {
  const { text = "", ...more } = row.cells[name] ?? {};
  if (kind === "curve") return element("td", {}, more.points?.length ? [curve(more.points, text)] : [none()]);
  if (kind === "accuracy") return element("td", {}, text ? [accuracy(text, more)] : [none()]);
  if (kind === "cost") {
    const shown = element("span", { class: "cost" }, [text || "–"]);
    shown.style.setProperty("--share", `${100 * (more.share ?? 0)}%`);
    return element("td", { class: "number" }, [shown]);
  }
  return element("td", { class: kind === "text" ? "" : "number", title: kind === "text" ? text : "" }, text ? [text, ...(more.note ? [element("small", { class: "note" }, [more.note])] : [])] : [none()]);
}

const none = () => element("span", { class: "muted", "aria-label": "not known" }, ["–"]);

/** A dot with its interval, or a note why it is no result; positions are shares of the scale, and below 0 for what lies left of it. */
function accuracy(text, { at, from, to, said, note }) {
  if (note) return element("span", { class: "accuracy", title: said }, [element("b", {}, [text]), element("small", { class: "note" }, [note])]);
  const range = element("span", { class: "range", "aria-hidden": "true" });
  if (at < 0) range.append(element("span", { class: "below" }, ["◂"]));
  else {
    if (from !== null && from !== undefined) range.append(span(element("i"), Math.max(0, from), to));
    const dot = element("b");
    dot.style.left = `${100 * at}%`;
    range.append(dot);
  }
  return element("span", { class: "accuracy", title: said }, [element("b", {}, [text]), range, element("span", { class: "spoken" }, [said])]);
}

function span(bar, from, to) {
  bar.style.left = `${100 * from}%`;
  bar.style.width = `${100 * (to - from)}%`;
  return bar;
}

function curve(points, label) {
  const [low, high] = [Math.min(...points), Math.max(...points)];
  const at = (value, place) => `${(64 * place) / (points.length - 1)},${20 - (18 * (value - low)) / (high - low || 1)}`;
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawn.setAttribute("class", "curve");
  drawn.setAttribute("viewBox", "0 0 64 22");
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", label);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  for (const [key, value] of Object.entries({ points: points.map(at).join(" "), fill: "none", stroke: "currentColor", "stroke-width": "1.6", "stroke-linejoin": "round" })) line.setAttribute(key, value);
  drawn.append(line);
  return drawn;
}
