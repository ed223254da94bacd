/** What one batch changed: its pictures and loss, and a kernel before, its gradient, and the kernel after. */
import { Chain } from "./chain.js";
import { Grid } from "./tables.js";
import { LensMap } from "./map.js";
import { StepPictures } from "./step_pictures.js";
import { changeOf, decodeFilter, shownWeights, strongestWeight, summandsOf } from "./step_numbers.js";
import { count, element, figure, setAttribute, write } from "../format.js";
import { inputName, sourceName } from "./words.js";

const MOST_WEIGHTS = 9; // of a unit

export class StepView {
  /** @param {object} on onDraw(): draw soon. */
  constructor(on) {
    Object.assign(this, { on, view: null, filter: null, weights: [], place: 0 });
    this.pictures = new StepPictures();
    this.tables = { before: new Grid(), gradient: new Grid(), after: new Grid() };
    const { before, gradient, after } = this.tables;
    for (const grid of Object.values(this.tables)) this.#listen(grid);
    setAttribute(gradient.grid, "tabindex", "0");
    setAttribute(gradient.grid, "role", "application");
    this.minus = element("span", { class: "lens-sign" });
    this.map = new LensMap(() => {});
    this.mapName = element("small", {});
    this.sums = element("figure", { class: "step-sums" }, [this.map.root, this.mapName]);
    this.equation = element("div", { class: "lens-equation" }, [before.root, this.minus, gradient.root, element("span", { class: "lens-sign" }, ["→"]), after.root, this.sums]);
    this.note = element("p", { class: "lens-note" });
    this.chain = new Chain();
    this.spoken = element("p", { class: "spoken", "aria-live": "polite" });
    this.root = element("div", { class: "batch-view", hidden: "" }, [this.pictures.root, this.equation, this.note, this.chain.root, this.spoken]);
  }

  /** Pointing at a weight, or the arrow keys, show how it was changed. */
  #listen(grid) {
    grid.grid.addEventListener("pointerover", ({ target }) => {
      const place = grid.cells.indexOf(target);
      if (place >= 0) this.#setPlace(place);
    });
    grid.grid.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #onKey(event) {
    const columns = this.filter?.positions ? this.filter.shape[2] : 3;
    const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (!move) return;
    event.preventDefault();
    const next = this.place + move;
    if (next >= 0 && next < this.weights.length) this.#setPlace(next);
  }

  /** @param {object} view Of the route. @param {object} names source (the input map), classes, lens (its data, or null). */
  show(view, { source, classes, lens }) {
    const isSame = this.view?.step === view.step && this.filter?.layer === view.filter?.layer && this.source === source;
    Object.assign(this, { view, source, lens, filter: decodeFilter(view.filter) });
    this.pictures.show(view, classes);
    write(this.note, view.note);
    this.note.hidden = !view.note;
    this.equation.hidden = this.chain.root.hidden = !this.filter;
    if (!this.filter) return;
    this.weights = shownWeights(this.filter, source, MOST_WEIGHTS);
    if (!isSame || this.place >= this.weights.length) this.place = strongestWeight(this.filter, this.weights);
    this.#showTables();
    this.#setPlace(this.place);
  }

  #showTables() {
    const { view, filter, weights } = this;
    const columns = filter.positions ? filter.shape[2] : 3;
    const pick = (values) => weights.map((weight) => values[weight]);
    this.tables.before.show(pick(filter.before), columns, `before, step ${count(view.step - 1)}`);
    const factor = scaleOf(pick(filter.gradient));
    this.tables.gradient.show(pick(filter.gradient).map((value) => value * factor), columns, factor > 1 ? `gradient × ${count(factor)}` : "gradient");
    this.tables.after.show(pick(filter.after), columns, `after, step ${count(view.step)}`);
    write(this.minus, view.optimizer === "sgd" ? "−" : "");
    setAttribute(this.tables.gradient.grid, "aria-label", "Gradient of the kernel. Arrow keys move to another weight.");
  }

  #setPlace(place) {
    this.place = place;
    const { view, filter } = this;
    for (const { cells } of Object.values(this.tables)) cells.forEach((cell, i) => cell.classList.toggle("at", i === place));
    const change = changeOf(view, filter, this.weights[place]);
    const terms = this.#terms(change);
    this.chain.write(terms);
    write(this.spoken, terms.map(({ sign, name, text }) => `${sign} ${name} ${text}`).join(" "));
    this.sums.hidden = !filter.positions;
    if (filter.positions) this.#showSummands(change);
    this.on.onDraw();
  }

  #showSummands({ gradient }) {
    const { filter, view, place } = this;
    const [height, width] = filter.size;
    this.map.setMap(summandsOf(filter, place), height, width, `The gradient ${figure(gradient, 4)} is the sum of ${count(height * width)} positions, over ${view.count} pictures`, true);
    write(this.mapName, `sum over ${height}×${width} places`);
  }

  /** Before − learning rate × gradient = after for plain SGD; for other optimisers the update that was made. */
  #terms({ before, gradient, decay, update, after, isRule }) {
    const { lr, clipping, optimizer_label: optimizer } = this.view;
    const rate = { sign: "−", name: "learning rate", text: String(lr) };
    const slope = { sign: decay ? "× (" : "×", name: clipping === 1 ? "gradient" : `gradient × clipping ${figure(clipping)}`, text: weightText(clipping * gradient) };
    const pull = { sign: "+", name: "weight decay", text: `${weightText(decay)} )`, title: "The weight itself times the weight decay: it pulls the weight towards 0" };
    const made = { sign: "+", name: `update by ${optimizer}`, text: weightText(update), title: `From the gradient ${weightText(gradient)}` };
    const change = isRule ? [rate, slope, ...(decay ? [pull] : [])] : [made];
    const attributes = { "data-testid": "lab-step-sum", "data-before": before, "data-gradient": gradient, "data-after": after };
    return [{ sign: "", name: this.#weightName(), text: weightText(before) }, ...change, { sign: "=", name: "after", text: weightText(after), kind: "sum", attributes }];
  }

  #weightName() {
    const { filter, lens, place, weights, source } = this;
    if (!filter.positions) return lens?.kind === "unit" ? inputName(lens, weights[place]) : `weight ${weights[place]}`;
    const [row, column] = [Math.floor(place / filter.shape[2]), place % filter.shape[2]];
    return `${lens?.operation === "conv2d" ? sourceName(lens, source) : `map ${source}`}, weight (${row}, ${column})`;
  }

  draw(colours) {
    if (this.root.hidden) return;
    if (!this.sums.hidden && this.filter) this.map.draw([0, 0], null, colours);
  }
}

/** A weight with six decimals: updates are small. */
const weightText = (value) => (Math.abs(value) < 100 ? value.toFixed(6) : figure(value)).replace("-", "−");

/** The power of ten that makes small numbers readable with two decimals. */
function scaleOf(values) {
  const peak = Math.max(...values.map(Math.abs));
  return peak > 0 && peak < 0.1 ? 10 ** Math.ceil(-Math.log10(peak) - 0.3) : 1;
}
