/** The confusion matrix of the validation pictures at the end of the newest epoch. */
import { element, setAttribute, write } from "../format.js";

export class Confusion {
  constructor() {
    this.key = "";
    this.table = element("table", {});
    this.root = element("div", { class: "confusion", role: "tabpanel", "aria-label": "Confusion matrix", tabindex: "0" }, [this.table]);
  }

  /** @param {number[][]} counts One row for each true class, one column for each predicted one. */
  show(counts, classes) {
    const key = JSON.stringify([counts, classes]);
    if (key === this.key) return;
    this.key = key;
    if (this.table.rows.length !== counts.length + 1) this.#build(counts.length);
    const names = counts.map((_, i) => classes[i] ?? String(i));
    names.forEach((name, i) => this.#label(this.table.rows[0].cells[i + 1], name));
    counts.forEach((row, i) => this.#showRow(this.table.rows[i + 1], row, names[i], names));
  }

  #build(size) {
    const cells = (tag, length) => Array.from({ length }, () => element(tag, {}));
    const head = element("tr", {}, [element("th", { title: "Rows: the true class. Columns: what it says." }, ["true ↓"]), ...cells("th", size)]);
    const rows = Array.from({ length: size }, () => element("tr", {}, [...cells("th", 1), ...cells("td", size)]));
    this.table.replaceChildren(head, ...rows);
  }

  #label(cell, name) {
    write(cell, name.slice(0, 4));
    setAttribute(cell, "title", name);
  }

  #showRow(row, counts, truth, names) {
    this.#label(row.cells[0], truth);
    const total = counts.reduce((sum, each) => sum + each, 0) || 1;
    counts.forEach((number, i) => {
      const cell = row.cells[i + 1];
      write(cell, number ? String(number) : "");
      setAttribute(cell, "title", `${number} of ${total} pictures of ${truth}: it says ${names[i]}`);
      cell.dataset.right = String(names[i] === truth);
      cell.style.setProperty("--share", String(number / total));
    });
  }
}
