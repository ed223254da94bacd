/**
 * The confusion matrix: one row for each true class, one column for each predicted class. The diagonal is what is right: bold
 * on blue, stronger with its share of the true class. Errors are on orange, stronger the more there are, the most in full.
 *
 * The Lab shows it in a small panel; pages mount it, where a click chooses a cell. By keyboard, Tab leads to a cell, arrow keys
 * to the others, and Enter chooses one.
 */
import { element, write } from "./live/dom.js";

const SHORT = 4; // letters of a class in a small panel

export class Confusion {
  /** @param {((row: number, column: number) => void)|null} onPick Called with a cell that is clicked. */
  constructor(onPick = null) {
    Object.assign(this, { onPick, key: "" });
    this.table = element("table", {});
    this.root = element("div", { class: "confusion", role: "group", "aria-label": "Confusion matrix", tabindex: "0" }, [element("style", {}, [STYLES]), this.table]);
    if (!onPick) return;
    this.root.classList.add("pickable");
    this.root.removeAttribute("tabindex"); // its cells have the focus
    this.table.setAttribute("role", "grid");
    this.table.addEventListener("click", ({ target }) => this.#pick(target.closest("td")));
    this.table.addEventListener("keydown", (event) => this.#move(event));
  }

  /**
   * @param {number[][]} counts One row for each true class, one column for each predicted one.
   * @param {object} options isShort: names are cut; chosen: [row, column] that is framed; asShares: percentages of the true class.
   */
  show(counts, classes, options = {}) {
    const key = JSON.stringify([counts, classes, options]);
    if (key === this.key) return;
    this.key = key;
    this.options = options;
    if (this.table.rows.length !== counts.length + 1) this.#build(counts.length);
    const names = counts.map((_, i) => classes[i] ?? String(i));
    names.forEach((name, i) => this.#label(this.table.rows[0].cells[i + 1], name));
    this.mostErrors = Math.max(1, ...counts.flatMap((row, i) => row.filter((_, j) => j !== i)));
    this.table.style.setProperty("--classes", String(counts.length + 1));
    counts.forEach((row, i) => this.#showRow(this.table.rows[i + 1], row, i, names));
    if (this.onPick && !this.table.querySelector("td:focus")) this.#reach(this.#cell(...(options.chosen ?? [0, 0])));
  }

  #cell(row, column) {
    return this.table.rows[row + 1]?.cells[column + 1];
  }

  #move(event) {
    const cell = event.target.closest("td");
    if (event.key === "Enter" || event.key === " ") this.#pick(cell);
    const [dx, dy] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key] ?? [0, 0];
    const next = this.#cell(cell.parentNode.rowIndex - 1 + dy, cell.cellIndex - 1 + dx);
    if (event.key.startsWith("Arrow") || event.key === " ") event.preventDefault();
    if (next?.tagName !== "TD" || next === cell) return;
    this.#reach(next);
    next.focus();
  }

  /** Let Tab lead to a cell. */
  #reach(cell) {
    const before = this.table.querySelector("td[tabindex='0']");
    if (before) before.tabIndex = -1;
    cell.tabIndex = 0;
  }

  #build(size) {
    const cells = (tag, attributes, length) => Array.from({ length }, () => element(tag, attributes));
    const corner = element("th", { title: "Rows: the true class. Columns: the predicted class." }, ["true ↓"]);
    const head = element("tr", {}, [corner, ...cells("th", { scope: "col" }, size)]);
    const focusable = this.onPick ? { tabindex: "-1", role: "gridcell" } : {};
    const rows = Array.from({ length: size }, () => element("tr", {}, [...cells("th", { scope: "row" }, 1), ...cells("td", focusable, size)]));
    this.table.replaceChildren(element("caption", {}, ["predicted →"]), head, ...rows);
  }

  #label(cell, name) {
    write(cell, this.options.isShort ? name.slice(0, SHORT) : name);
    cell.title = name;
  }

  #showRow(row, counts, place, names) {
    this.#label(row.cells[0], names[place]);
    const total = counts.reduce((sum, each) => sum + each, 0);
    const { asShares, chosen } = this.options;
    counts.forEach((number, i) => {
      const cell = row.cells[i + 1];
      const share = number / (total || 1);
      const isRight = i === place;
      write(cell, number ? (asShares ? `${(100 * share).toFixed(1)} %` : number.toLocaleString("en")) : "");
      cell.title = `${number} of ${total} pictures of ${names[place]}: predicted as ${names[i]}`;
      cell.dataset.right = String(isRight);
      cell.dataset.chosen = String(chosen?.[0] === place && chosen[1] === i);
      cell.style.setProperty("--strength", String(isRight ? share : Math.log1p(number) / Math.log1p(this.mostErrors)));
      if (!this.onPick) return;
      cell.setAttribute("aria-label", `true ${names[place]}, predicted ${names[i]}: ${number} of ${total}`);
      cell.setAttribute("aria-selected", cell.dataset.chosen);
    });
  }

  #pick(cell) {
    if (!cell) return;
    this.#reach(cell);
    this.onPick(cell.parentNode.rowIndex - 1, cell.cellIndex - 1);
  }
}

const views = new WeakMap(); // host -> its matrix and the way to send a pick

export function mount({ data, parentElement, setTriggerValue }) {
  if (!views.has(parentElement)) {
    const view = { confusion: new Confusion(data.chosen && ((row, column) => view.send("picked", [row, column]))) };
    views.set(parentElement, view);
    parentElement.append(view.confusion.root);
  }
  const view = views.get(parentElement);
  view.send = setTriggerValue;
  view.confusion.show(data.counts, data.classes, { chosen: data.chosen, asShares: data.shares });
}

export function unmount({ parentElement }) {
  views.get(parentElement)?.confusion.root.remove(); // the same host may be mounted again
  views.delete(parentElement);
}

const STYLES = `
.confusion { color: var(--st-text-color); font: 0.875rem/1.75 var(--st-font); font-variant-numeric: tabular-nums; overflow: auto; scrollbar-width: thin; }
.confusion:focus-visible, .confusion td:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.confusion table { border-collapse: separate; border-spacing: 1px; width: 100%; }
.confusion th { font-weight: 400; color: color-mix(in srgb, var(--st-text-color) 72%, var(--st-background-color)); padding: 0 0.4em; text-align: right; white-space: nowrap; }
.confusion caption { color: color-mix(in srgb, var(--st-text-color) 72%, var(--st-background-color)); line-height: 1.3; }
.confusion tr:first-of-type th { text-align: center; }
.confusion tr:first-of-type th:first-child { text-align: right; }
.confusion td { padding: 0 0.2em; text-align: center; border-radius: 2px; min-width: 1.5em; width: calc(100% / var(--classes)); }
.confusion td { background: color-mix(in srgb, var(--mark-orange) calc(var(--strength) * 55%), var(--st-secondary-background-color)); }
.confusion td[data-right="true"] { background: color-mix(in srgb, var(--st-primary-color) calc(10% + var(--strength) * 35%), var(--st-secondary-background-color)); font-weight: 600; }
.confusion td[data-chosen="true"] { outline: 2px solid var(--st-text-color); outline-offset: -1px; }
.confusion.pickable td { cursor: pointer; }
`;
