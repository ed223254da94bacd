/** The units of a vector: one element over its cells, in which a unit is pointed at, chosen and reached by arrow keys. */
import { element, figure, setAttribute } from "../format.js";
import { corner } from "./layout.js";

export class Units {
  /** @param {object} on onHover(text), onChoose(unit), onMove(event): keys that lead to other columns. */
  constructor(on) {
    Object.assign(this, { on, values: [], current: 0, name: "" });
    this.mark = element("i", { hidden: "" });
    this.root = element("button", { type: "button", class: "units", hidden: "" }, [this.mark]);
    this.root.addEventListener("click", (event) => on.onChoose(event.detail ? this.#under(event) : this.current));
    this.root.addEventListener("pointermove", (event) => on.onHover(this.text(this.#under(event))));
    this.root.addEventListener("pointerleave", () => on.onHover(""));
    this.root.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Stand over the cells of an item. */
  place(item, layout, name) {
    this.root.hidden = item.kind !== "vector";
    if (this.root.hidden) return;
    Object.assign(this, { item, name });
    const { y } = corner(item, 0, layout);
    const style = { left: item.x - item.slot, top: y, width: item.width, height: item.rows * item.side };
    for (const [property, value] of Object.entries(style)) this.root.style[property] = `${value}px`;
  }

  /** @param {number[]|undefined} values Of the units. @param {number|null} chosen */
  show(values, chosen) {
    if (this.root.hidden) return;
    this.values = values ?? [];
    this.current = Math.min(chosen ?? this.current, this.item.total - 1);
    this.mark.hidden = chosen === null;
    if (chosen !== null) this.#showMark(chosen);
    setAttribute(this.root, "aria-pressed", chosen !== null);
    setAttribute(this.root, "aria-label", `${this.text(this.current)} Up and down choose another unit.`);
  }

  #showMark(unit) {
    const { side, rows } = this.item;
    Object.assign(this.mark.style, { left: `${Math.floor(unit / rows) * side}px`, top: `${(unit % rows) * side}px`, width: `${side}px`, height: `${side}px` });
  }

  /** A sentence about a unit. */
  text(unit) {
    return `${this.name}, unit ${unit}: ${figure(this.values[unit])}.`;
  }

  #under({ clientX, clientY }) {
    const { side, rows, total } = this.item;
    const box = this.root.getBoundingClientRect();
    const [across, down] = [Math.floor((clientX - box.left) / side), Math.floor((clientY - box.top) / side)];
    return Math.max(0, Math.min(total - 1, across * rows + Math.max(0, Math.min(rows - 1, down))));
  }

  #onKey(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return this.on.onMove(event);
    event.preventDefault();
    const next = Math.max(0, Math.min(this.item.total - 1, this.current + step));
    if (next !== this.current) this.on.onChoose(next);
  }
}
