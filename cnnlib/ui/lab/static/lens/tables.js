/** Window, kernel and products as small coloured tables, and the largest products of a unit as a list. */
import { element, figure, setAttribute, write } from "../format.js";
import { inputName } from "./words.js";
import { largestProducts } from "./numbers.js";

const MOST_WRITTEN = 3; // columns of a table whose numbers have room
const MOST_CELLS = 121; // larger windows than 11 x 11 have no table
const MOST_PRODUCTS = 6; // of a unit
const [HEAD, LINE] = [18, 17]; // heights of its list, in pixels

/** The share of a colour, 0 to 100 %, of a value among others. */
const strength = (value, peak) => `${Math.round(8 + 62 * Math.min(1, Math.abs(value) / peak))}%`;

/** Two decimals, without a minus sign before zeros. */
const shortFigure = (value) => figure(Math.abs(value) < 0.005 ? 0 : value, 2);

function paintCell(cell, value, peak, isWritten) {
  const isEmpty = !value;
  setAttribute(cell, "data-sign", isEmpty ? "zero" : value < 0 ? "negative" : "positive");
  cell.style.setProperty("--strength", isEmpty ? "0%" : strength(value, peak));
  write(cell, isWritten ? shortFigure(value) : "");
  setAttribute(cell, "title", figure(value, 4));
}

const peakOf = (values) => values.reduce((most, value) => (Math.abs(value) > most ? Math.abs(value) : most), 1e-12);

/** One table of k x k cells with a name under it. */
export class Grid {
  constructor() {
    this.cells = [];
    this.grid = element("div", { class: "lens-cells" });
    this.name = element("small", {});
    this.root = element("figure", { class: "lens-table" }, [this.grid, this.name]);
  }

  /** @param {ArrayLike<number>} values Row by row. */
  show(values, columns, name) {
    while (this.cells.length < values.length) this.cells.push(this.grid.appendChild(element("span", {})));
    while (this.cells.length > values.length) this.cells.pop().remove();
    this.grid.style.setProperty("--columns", columns);
    this.grid.classList.toggle("small", columns > MOST_WRITTEN);
    const peak = peakOf(Array.from(values));
    this.cells.forEach((cell, i) => paintCell(cell, values[i], peak, columns <= MOST_WRITTEN));
    write(this.name, name);
  }
}

/** Window times kernel equals products, of one input map. */
export class Equation {
  constructor() {
    this.grids = [new Grid(), new Grid(), new Grid()];
    const sign = (text) => element("span", { class: "lens-sign", "aria-hidden": "true" }, [text]);
    const [window, kernel, products] = this.grids.map(({ root }) => root);
    for (const { grid, cells } of this.grids) grid.addEventListener("pointerover", ({ target }) => this.#point(cells.indexOf(target)));
    this.at = -1;
    this.root = element("div", { class: "lens-equation" }, [window, sign("×"), kernel, sign("="), products]);
    this.root.addEventListener("pointerleave", () => this.#point(-1));
  }

  /** @param {object} numbers Of `numbersAt`. @returns {boolean} Whether there is room for it. */
  show(data, numbers, source) {
    const { kernel_width: columns, kernel_height: rows } = data;
    this.root.hidden = rows * columns > MOST_CELLS;
    if (this.root.hidden) return false;
    const values = [numbers.window, numbers.kernel, numbers.products];
    this.names = [source, "kernel", "products"];
    this.grids.forEach((grid, i) => grid.show(values[i], columns, this.names[i]));
    this.values = values;
    this.#point(Math.min(this.at, rows * columns - 1));
    return true;
  }

  /** Mark one product in all three tables, and write its numbers under them; -1 marks none. */
  #point(place) {
    this.at = place;
    this.grids.forEach(({ name, cells }, i) => {
      cells.forEach((cell, k) => cell.classList.toggle("at", k === place));
      write(name, place < 0 ? this.names[i] : `${this.names[i]}: ${figure(this.values[i][place])}`);
    });
  }
}

/** The largest products of a unit: input times weight. */
export class Products {
  constructor() {
    this.rows = Array.from({ length: MOST_PRODUCTS }, () => ["td", "td", "td", "td"].map((tag) => element(tag, {})));
    const head = element("tr", {}, ["input", "value", "× weight", "= product"].map((text) => element("th", { scope: "col" }, [text])));
    this.lines = this.rows.map((cells) => element("tr", {}, cells));
    this.root = element("table", { class: "lens-products" }, [head, ...this.lines]);
  }

  /** @param {number} room Height in pixels. @returns {number[]} The inputs that are listed. */
  show(data, { all, patch }, room) {
    const listed = largestProducts(all, Math.max(2, Math.min(MOST_PRODUCTS, Math.floor((room - HEAD) / LINE))));
    const peak = Math.abs(all[listed[0]]) || 1e-12;
    this.rows.forEach((cells, i) => {
      this.lines[i].hidden = i >= listed.length;
      if (i >= listed.length) return;
      const index = listed[i];
      write(cells[0], inputName(data, index));
      write(cells[1], figure(patch[index]));
      write(cells[2], figure(data.kernel[index]));
      write(cells[3], figure(all[index]));
      setAttribute(cells[3], "data-sign", all[index] < 0 ? "negative" : "positive");
      cells[3].style.setProperty("--strength", strength(all[index], peak));
    });
    return listed;
  }
}
