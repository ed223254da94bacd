/** The lens: one output number of the chosen map, with everything that it is made of. */
import { Chain } from "./chain.js";
import { Equation, Products } from "./tables.js";
import { LensMap } from "./map.js";
import { Pair } from "./pair.js";
import { Shares } from "./shares.js";
import { button, element, write } from "../format.js";
import { decodeLens, numbersAt, poolWindow, shownMap, strongestPlace } from "./numbers.js";
import { heading } from "../network/names.js";
import { sourceName, sumSentence } from "./words.js";

const QUIET_MS = 350; // after the last move the sum is spoken

export class Lens {
  /** @param {object} on onExample(): choose a map for the person; onSource(): another input map is written out; onDraw(): draw soon. */
  constructor(on) {
    Object.assign(this, { on, name: "", data: null, key: "", place: [0, 0], source: 0, plan: null, problem: "" });
    this.title = element("h2", {});
    this.hint = element("span", { class: "caption" });
    this.step = element("span", { class: "caption lens-step" });
    this.shares = new Shares((source) => this.#setSource(source));
    this.map = new LensMap((row, column) => this.#setPlace(row, column));
    this.equation = new Equation();
    this.products = new Products();
    this.pair = new Pair();
    this.note = element("p", { class: "lens-note" });
    this.chain = new Chain();
    this.spoken = element("p", { class: "spoken", "aria-live": "polite" });
    const right = element("div", { class: "lens-right" }, [this.equation.root, this.products.root, this.pair.root, this.note, this.shares.root]);
    this.body = element("div", { class: "lens-body" }, [this.map.root, right]);
    this.empty = this.#buildEmpty();
    this.root = element("div", { class: "lens-number" }, [this.empty, this.body, this.chain.root, this.spoken]);
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(this.body);
    this.#showEmpty();
  }

  destroy() {
    clearTimeout(this.timer);
    this.observer.disconnect();
  }

  #resize() {
    if (this.data?.kind === "unit") this.#showNumbers();
    this.on.onDraw();
  }

  #buildEmpty() {
    this.reason = element("p", {});
    this.example = button("Show me one", { class: "suggested", "data-testid": "lab-lens-example" }, () => this.on.onExample());
    return element("div", { class: "lens-empty" }, [this.reason, this.example]);
  }

  /** Show an answer, or none. @param {object|null} answer Of the route; may have `error`. @param {object} plan, classes Those on the screen. */
  setAnswer(answer, plan, classes) {
    Object.assign(this, { plan, classes });
    this.problem = answer?.error ?? "";
    this.data = answer && !answer.error ? decodeLens(answer) : null;
    this.root.classList.remove("stale");
    if (!this.data) return this.#showEmpty();
    this.#keepPlace();
    this.#show();
  }

  /** Another map is chosen: dim the numbers of the former one until those of the new one come. */
  expect(chosen) {
    const isOther = this.data && (!chosen || chosen[0] !== this.data.column || chosen[1] !== this.data.map);
    this.root.classList.toggle("stale", Boolean(isOther));
  }

  #keepPlace() {
    const { data } = this;
    const key = JSON.stringify([data.layer, data.map, data.rows, data.columns, data.count]);
    if (key === this.key) return;
    this.key = key;
    this.place = strongestPlace(data);
    const { shares } = numbersAt(data, ...this.place, 0);
    this.source = shares.reduce((best, value, i) => (Math.abs(value) > Math.abs(shares[best]) ? i : best), 0);
  }

  #showEmpty() {
    this.empty.hidden = false;
    this.body.hidden = this.chain.root.hidden = true;
    this.key = "";
    write(this.title, "One number, taken apart");
    write(this.hint, "");
    write(this.step, "");
    write(this.reason, this.problem || "Click a map, a unit or an answer: here you see the numbers it reads, its weights, their products, and the sum.");
    this.example.hidden = Boolean(this.problem);
  }

  #show() {
    const { data } = this;
    const isUnit = data.kind === "unit";
    const isMean = data.operation === "global_avg_pool";
    this.empty.hidden = true;
    this.body.hidden = this.chain.root.hidden = false;
    this.name = this.#nameOf(data);
    this.map.root.hidden = isUnit;
    this.products.root.hidden = !isUnit;
    if (isMean) this.map.setMap(data.inputs, data.height, data.width, this.name, true);
    else if (!isUnit) this.map.setMap(shownMap(data), data.rows, data.columns, this.name, false);
    write(this.title, this.name);
    write(this.hint, isUnit ? "its largest products" : isMean ? "the mean of one map" : "point at the map · arrow keys");
    write(this.step, `step ${data.step.toLocaleString("en")}`);
    this.#showNumbers();
  }

  #nameOf({ column, map, kind }) {
    const planned = this.plan.columns[column];
    const { title } = heading(planned, this.plan.spec);
    if (planned.kind === "answers") return `Answer ${this.classes?.[map] ?? map}`;
    return `${title}, ${kind === "unit" || planned.kind === "vector" ? "unit" : "map"} ${map}`;
  }

  #showNumbers() {
    const { data } = this;
    const isSum = data.operation === "sum";
    this.numbers = numbersAt(data, ...this.place, this.source);
    const listed = data.kind === "unit" ? this.products.show(data, this.numbers, this.body.clientHeight) : null;
    const isConvolution = data.operation === "conv2d";
    const isWritten = isConvolution && this.equation.show(data, this.numbers, sourceName(data, this.source));
    if (!isConvolution) this.equation.root.hidden = true;
    this.pair.root.hidden = !isSum;
    if (isSum) this.pair.show(data, this.numbers);
    write(this.note, isWritten || listed || isSum ? "" : this.#largeText());
    this.note.hidden = !this.note.textContent;
    this.shares.show(isConvolution && data.count > 1 ? this.numbers.shares : [], this.source, (i) => sourceName(data, i));
    const share = listed && { count: listed.length, share: listed.reduce((sum, i) => sum + this.numbers.all[i], 0) };
    this.chain.show(data, this.numbers, share);
    this.on.onDraw();
  }

  #largeText() {
    const { height, width, kernel_height: rows, operation } = this.data;
    if (operation === "global_avg_pool") return `The ${height * width} numbers of this map become one: their mean.`;
    return `The window has ${rows} × ${rows} numbers, too many to write out. Their sum is below.`;
  }

  #setPlace(row, column) {
    this.place = [row, column];
    this.#showNumbers();
    this.#speak();
  }

  #setSource(source) {
    this.source = source;
    this.#showNumbers();
    this.#speak();
    this.on.onSource();
  }

  #speak() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.data && write(this.spoken, sumSentence(this.data, this.numbers)), QUIET_MS);
  }

  /** Draw the canvases. */
  draw(colours) {
    if (!this.data || this.body.hidden) return;
    if (!this.map.root.hidden) this.map.draw(this.place, poolWindow(this.data, ...this.place), colours);
    if (!this.pair.root.hidden) this.pair.draw(this.place, colours);
    this.shares.draw(colours);
  }
}
