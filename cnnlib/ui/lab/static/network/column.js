/** One column of the network as elements: heading, a button for each map, "+ 25 more", and its share of the network. */
import { convolutionOf, heading, hiddenOf, sentence, shapeText, subheading } from "./names.js";
import { corner } from "./layout.js";
import { Units } from "./units.js";
import { button, element, figure, setAttribute, shortPercent, write } from "../format.js";

const WIDE_HEAD = 92; // from this width on a column has buttons for its channels
const SHORT_HEAD = 74; // below this width a title is shortened

export class Column {
  /** @param {object} on onHover(function that returns a text, or null), onChoose(column, map), onOpen(column), onFold(key, isFolded), onResize(column, sign), onMove(event, column, place). */
  constructor(on) {
    this.on = on;
    this.maps = [];
    this.title = element("h3", {});
    this.fold = button("", { class: "fold" }, () => on.onFold(this.item.foldKey, !this.item.isFolded));
    this.sub = element("p", { class: "sub" });
    this.shape = element("span", {});
    this.less = button("−", { class: "resize" }, () => on.onResize(this.item.column, -1));
    this.more = button("+", { class: "resize" }, () => on.onResize(this.item.column, 1));
    this.size = element("p", { class: "sub size" }, [this.less, this.shape, this.more]);
    this.head = element("header", {}, [this.title, this.fold, this.sub, this.size]);
    this.grid = element("div", { class: "grid" });
    this.units = new Units({ onHover: (text) => on.onHover(() => text || this.text), onChoose: (unit) => on.onChoose(this.item.column, unit), onMove: (event) => on.onMove(event, this.item.column, 0) });
    this.grid.append(this.units.root);
    this.all = button("", { class: "all" }, () => on.onOpen(this.item.column));
    this.fill = element("i", {});
    this.share = element("small", {});
    this.foot = element("footer", {}, [this.all, element("div", { class: "share" }, [this.fill]), this.share]);
    this.root = element("div", { class: "column", role: "group" }, [this.head, this.grid, this.foot]);
    this.root.addEventListener("pointerenter", () => on.onHover(() => this.text));
    this.root.addEventListener("focusin", (event) => event.target !== this.root && !event.target.dataset.map && on.onHover(() => this.text));
    this.root.addEventListener("pointerleave", () => on.onHover(null));
  }

  /** @param {object} view plan, layout, shares ("params" or "macs"), chosen, answer (the column of the newest answer, or undefined). */
  show(item, view) {
    const { plan, layout } = view;
    this.item = item;
    this.members = plan.columns.slice(item.first, item.column + 1);
    this.text = sentence(this.members, plan);
    this.root.style.left = `${item.slot}px`;
    this.root.style.width = `${item.slotWidth}px`;
    setAttribute(this.root, "data-testid", `lab-column-${item.column}`);
    setAttribute(this.root, "aria-label", this.text);
    this.#showHead(plan);
    this.#showFoot(plan, view.shares, layout);
    this.#showMaps(layout);
    this.units.place(item, layout, this.text.slice(0, this.text.indexOf(":")));
    this.update(view.answer, view.chosen, view.focused);
  }

  #showHead({ columns, spec }) {
    const column = columns[this.item.column];
    const { title, short, kind } = heading(column, spec);
    const { count, foldKey, isFolded, slotWidth } = this.item;
    write(this.title, isFolded ? foldTitle(count, kind, slotWidth) : slotWidth < SHORT_HEAD ? short : title);
    write(this.sub, subheading(column, spec, slotWidth));
    this.sub.hidden = Boolean(foldKey) || !this.sub.textContent;
    write(this.shape, shapeText(column));
    this.fold.hidden = !foldKey;
    write(this.fold, isFolded ? "unfold" : `fold ${this.item.folds}`);
    setAttribute(this.fold, "aria-label", isFolded ? `Unfold ${count} columns` : "Fold the equal columns from here");
    setAttribute(this.fold, "title", isFolded ? `Show all ${count} columns` : "Show the equal columns from here as one");
    const canResize = slotWidth >= WIDE_HEAD && !isFolded && (convolutionOf(column) >= 0 || hiddenOf(column) >= 0);
    this.less.hidden = this.more.hidden = !canResize;
    const what = column.kind === "vector" ? "units" : "channels";
    setAttribute(this.less, "aria-label", `Fewer ${what} in ${title}`);
    setAttribute(this.more, "aria-label", `More ${what} in ${title}`);
  }

  #showFoot(plan, shares, { top, height }) {
    const total = plan[shares] || 1;
    const share = this.members.reduce((sum, each) => sum + each[shares], 0) / total;
    const { isOpen, hidden, slotWidth } = this.item;
    this.foot.style.top = `${top + height + 2}px`;
    this.all.hidden = !isOpen && !hidden;
    write(this.all, isOpen ? "fewer" : slotWidth < 70 ? `+${hidden}` : `+ ${hidden} more`);
    setAttribute(this.all, "aria-label", isOpen ? "Show the strongest maps only" : `Show ${hidden} more maps`);
    this.fill.style.transform = `scaleX(${share.toFixed(4)})`;
    write(this.share, shortPercent(share));
  }

  #showMaps(layout) {
    const wanted = this.item.kind === "maps" ? this.item.shown : 0;
    while (this.maps.length < wanted) this.#addMap();
    while (this.maps.length > wanted) this.maps.pop().remove();
    this.maps.forEach((map, i) => {
      const { x, y } = corner(this.item, i, layout);
      map.style.left = `${x - this.item.slot}px`;
      map.style.top = `${y}px`;
      map.style.width = map.style.height = `${this.item.side}px`;
      setAttribute(map, "data-testid", `lab-map-${this.item.column}-${i}`);
    });
  }

  #addMap() {
    const place = this.maps.length;
    const map = button("", { class: "map", tabindex: "-1", "data-map": "0", "aria-pressed": "false" }, () => this.on.onChoose(this.item.column, Number(map.dataset.map)));
    map.addEventListener("pointerenter", () => this.on.onHover(() => this.mapText(place)));
    map.addEventListener("pointerleave", () => this.on.onHover(() => this.text));
    map.addEventListener("keydown", (event) => this.on.onMove(event, this.item.column, place));
    this.maps.push(map);
    this.grid.append(map);
  }

  /** Name the maps after those of an answer, and mark the chosen one. @param {[number, number]|null} focused The one that Tab reaches. */
  update(answer, chosen, focused) {
    this.answer = answer;
    this.units.show(answer?.values, chosen?.[0] === this.item.column ? chosen[1] : null);
    this.maps.forEach((map, i) => {
      const number = answer?.maps?.[i] ?? i;
      const isChosen = chosen?.[0] === this.item.column && chosen[1] === number;
      setAttribute(map, "data-map", number);
      setAttribute(map, "aria-label", this.mapName(number));
      setAttribute(map, "aria-pressed", isChosen);
      setAttribute(map, "tabindex", isChosen || (!chosen && focused?.[0] === this.item.column && focused[1] === i) ? "0" : "-1");
    });
  }

  mapName(number) {
    return `${this.text.slice(0, this.text.indexOf(":"))}, map ${number}`;
  }

  /** A sentence about a map or a unit of this column; "" if it is not on the screen. */
  numberText(number) {
    if (this.item.kind === "vector") return this.units.text(number);
    const place = this.answer?.maps?.indexOf(number) ?? -1;
    return place < 0 ? "" : this.mapText(place);
  }

  /** A sentence about the map at a place. */
  mapText(place) {
    const number = this.answer?.maps?.[place];
    if (number === undefined) return this.text;
    const { strength, low, high } = this.answer;
    return `${this.mapName(number)}: mean size ${figure(strength[place])}; colours from ${figure(low, 2)} to ${figure(high, 2)}.`;
  }
}

/** "9 × Conv 3×3", "3 blocks". */
function foldTitle(count, kind, width) {
  return kind === "blocks" ? `${count} blocks` : `${count} × ${width < SHORT_HEAD ? kind.split(" ")[0] : kind}`;
}
