/** The network unfolded: input, columns, answers, and one line that describes what is pointed at or chosen. */
import { Answers } from "./answers.js";
import { Column } from "./column.js";
import { corner, layOut } from "./layout.js";
import { drawLinks } from "./links.js";
import { drawTiles, prepare } from "./tiles.js";
import { Input } from "../input/input.js";
import { button, element, setAttribute, write } from "../format.js";

const HINT = "Point at a column or a map to read about it. Click a map to see what feeds it.";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Network {
  /** @param {object} on What the person does: onView() (other maps are needed), onResize(column, sign), and the input's events. */
  constructor(on) {
    Object.assign(this, { on, plan: null, planKey: "", parts: new Map(), prepared: [], answer: null, chosen: null, hovered: null, problem: "" });
    Object.assign(this, { unfolded: new Map(), open: new Set(), shares: "params", isStale: true, colours: "", areTilesDirty: true, areLinksDirty: true });
    this.input = new Input(on);
    this.answers = new Answers((number) => this.choose(this.plan.columns.length - 1, number));
    this.links = element("canvas", { class: "links", "aria-hidden": "true" });
    this.tiles = element("canvas", { class: "tiles", "aria-hidden": "true" });
    this.columns = element("div", { class: "columns" }, [this.links, this.tiles]);
    this.waiting = element("p", { class: "waiting", hidden: "" });
    this.scroll = element("div", { class: "scroll", role: "group", "aria-label": "Columns of the network" }, [this.columns, this.waiting]);
    this.about = element("p", { class: "about" });
    this.spoken = element("p", { class: "spoken", "aria-live": "polite" });
    this.step = element("span", { class: "step" });
    this.shareButtons = ["params", "macs"].map((name) => button(name === "params" ? "parameters" : "MACs", { "data-share": name }, () => this.#setShares(name)));
    const shares = element("span", { class: "choice", role: "group", "aria-label": "What the bars under the columns show" }, this.shareButtons);
    const foot = element("footer", { class: "readout" }, [this.about, this.step, element("span", { class: "caption" }, ["bars: share of"]), shares, this.spoken]);
    this.root = element("section", { class: "panel network", "aria-label": "The network" }, [
      element("div", { class: "stage" }, [this.input.root, this.scroll, this.answers.root]), foot,
    ]);
    this.observer = new ResizeObserver(() => this.#layOut());
    this.observer.observe(this.scroll);
    this.scroll.addEventListener("scroll", () => this.#showEnd(), { passive: true });
    this.#setShares("params");
  }

  destroy() {
    this.observer.disconnect();
    this.input.destroy();
  }

  /** Show another plan at once; the former pixels stay, dimmed, until its maps come. */
  setPlan(plan, planKey) {
    if (planKey !== this.planKey) this.#dropForeign(plan);
    Object.assign(this, { plan, planKey });
    this.#layOut();
  }

  /** Forget a chosen map and open columns that the new plan does not have. */
  #dropForeign(plan) {
    const [column, number] = this.chosen ?? [];
    if (this.chosen && !(number < (plan.columns[column]?.shape[0] ?? 0))) this.chosen = null;
    for (const each of this.open) if (plan.columns[each]?.kind !== "maps") this.open.delete(each);
    this.isStale = true;
  }

  /** Show the maps of an answer. It belongs to the plan on the screen. */
  setAnswer(answer, classes) {
    Object.assign(this, { answer, prepared: prepare(answer.columns), isStale: false });
    this.input.showPicture(answer.picture, classes);
    this.areTilesDirty = true;
    const areOtherRows = this.answers.show(answer, classes);
    this.areLinksDirty ||= areOtherRows || Boolean(this.chosen);
    write(this.step, answer.trained ? `maps of step ${answer.step.toLocaleString("en")}` : "untrained weights");
    this.#updateParts();
  }

  /** Numbers of the columns whose maps are on the screen. */
  get visible() {
    return new Set(this.layout?.items.map((item) => item.column));
  }

  /** What the next request for maps depends on, beside network and picture. */
  get view() {
    const open = [...this.open].filter((column) => this.visible.has(column));
    return { tiles: this.layout?.rows ?? 8, open, chosen: this.chosen };
  }

  setProblem(problem) {
    this.problem = problem;
    this.#describe();
  }

  /** Draw both canvases. Called once per animation frame at most. */
  draw(colours) {
    if (!this.layout || !this.plan) return;
    const key = JSON.stringify([colours, window.devicePixelRatio]);
    const isOther = key !== this.colours;
    this.colours = key;
    if (isOther || this.areTilesDirty) drawTiles(this.tiles, this.layout, this.scroll.clientHeight, this.prepared, colours);
    this.tiles.classList.toggle("stale", this.isStale);
    if (isOther || this.areLinksDirty) this.#drawLinks(colours);
    this.areTilesDirty = this.areLinksDirty = false;
  }

  #drawLinks(colours) {
    const shown = this.prepared.map((column) => column.maps ?? []);
    const [chosenColumn, chosenMap] = this.chosen ?? [];
    const { links } = this.answer ?? {};
    const isCurrent = links && !this.isStale && links.column === chosenColumn && links.map === chosenMap;
    drawLinks(this.links, this.layout, {
      height: this.scroll.clientHeight, shown, colours, columns: this.plan.columns, links: isCurrent ? links : null,
      inputY: this.input.middleIn(this.scroll), answers: this.answers.middlesIn(this.scroll),
    });
  }

  #layOut() {
    const { clientWidth: width, clientHeight: height } = this.scroll;
    if (!this.plan || !width) return;
    const before = JSON.stringify(this.view) + [...this.visible];
    this.layout = layOut(this.plan.columns, this.plan.folds, { width, height, unfolded: this.unfolded, open: this.open });
    this.columns.style.width = `${this.layout.width}px`;
    this.#showParts();
    this.answers.fit(this.plan.columns.at(-1), this.layout);
    this.areTilesDirty = this.areLinksDirty = true;
    this.#showEnd();
    this.on.onDraw();
    if (JSON.stringify(this.view) + [...this.visible] !== before) this.on.onView();
  }

  /** Fade the right edge while there is more to the right. */
  #showEnd() {
    const { scrollLeft, clientWidth, scrollWidth } = this.scroll;
    this.scroll.classList.toggle("more", scrollLeft + clientWidth < scrollWidth - 4);
  }

  #showParts() {
    const { visible } = this;
    for (const [column, part] of this.parts) if (!visible.has(column)) this.parts.delete(column) && part.root.remove();
    for (const item of this.layout.items) {
      if (!this.parts.has(item.column)) this.#addPart(item.column);
      this.parts.get(item.column).show(item, { ...this.#partView(item.column), plan: this.plan, layout: this.layout, shares: this.shares });
    }
    this.#describe();
  }

  #addPart(column) {
    const part = new Column({
      onHover: (describe) => this.#hover(describe),
      onChoose: (number, map) => this.choose(number, map),
      onOpen: (number) => this.#toggleOpen(number),
      onFold: (key, isFolded) => this.#setFold(key, isFolded),
      onResize: this.on.onResize,
      onMove: (event, number, place) => this.#move(event, number, place),
    });
    this.parts.set(column, part);
    const next = [...this.parts].filter(([number]) => number > column).sort(([one], [other]) => one - other)[0];
    this.columns.insertBefore(part.root, next?.[1].root ?? null); // Tab follows the columns
  }

  #partView(column) {
    const first = this.layout.items.find((item) => item.kind === "maps")?.column;
    return { answer: this.isStale ? undefined : this.answer?.columns[column], chosen: this.chosen, focused: [first, 0] };
  }

  #updateParts() {
    this.answers.mark(this.chosen?.[0] === this.plan.columns.length - 1 ? this.chosen[1] : null);
    for (const [column, part] of this.parts) {
      const { answer, chosen, focused } = this.#partView(column);
      part.update(answer, chosen, focused);
    }
    this.#describe();
    this.on.onDraw();
  }

  /** Choose a map; the chosen one again, or null, chooses none. */
  choose(column, map) {
    const isSame = this.chosen?.[0] === column && this.chosen[1] === map;
    this.chosen = isSame || column === null ? null : [column, map];
    this.areLinksDirty = true;
    this.hovered = null;
    this.#updateParts();
    write(this.spoken, this.chosen ? this.#chosenText() : "No map is chosen.");
    this.on.onView();
  }

  /** Choose the strongest map of the last column with maps, or else the first unit. */
  chooseExample() {
    const { items } = this.layout;
    const item = items.findLast(({ kind }) => kind === "maps") ?? items[0];
    if (item) this.choose(item.column, this.answer?.columns[item.column]?.maps?.[0] ?? 0);
    else this.choose(this.plan.columns.length - 1, 0);
  }

  #chosenText() {
    if (!this.chosen || !this.answer || this.isStale) return "";
    const [column, number] = this.chosen;
    const isAnswer = column === this.plan.columns.length - 1;
    const text = isAnswer ? this.answers.text(number) : this.parts.get(column)?.numberText(number) ?? "";
    return text + (this.answer.links?.column === column ? " Thick links add much; dashed orange ones take away." : "");
  }

  #toggleOpen(column) {
    if (!this.open.delete(column)) this.open.add(column);
    this.#layOut();
    this.on.onView();
  }

  /** Show a column as one of its own with its strongest maps. @returns {boolean} Whether it was folded, or open. */
  single(column) {
    const fold = this.layout.items.find((item) => item.isFolded && item.first <= column && column < item.column);
    if (fold) this.#setFold(fold.foldKey, false);
    else if (this.open.has(column)) this.#toggleOpen(column);
    else return false;
    return true;
  }

  #setFold(key, isFolded) {
    this.unfolded.set(key, !isFolded);
    this.#layOut();
  }

  #setShares(name) {
    this.shares = name;
    for (const each of this.shareButtons) setAttribute(each, "aria-pressed", each.dataset.share === name);
    if (this.layout) this.#showParts();
  }

  /** Arrow keys go to the next map of the column, or to the nearest map of the next column, and choose it. */
  #move(event, column, place) {
    if (event.key === "Escape") return this.choose(null);
    const [dx, dy] = ARROWS[event.key] ?? [];
    if (dx === undefined) return;
    event.preventDefault();
    const [nextColumn, nextPlace] = dx ? this.#beside(column, place, dx) : [column, place + dy];
    const part = this.parts.get(nextColumn);
    const map = part?.item.kind === "vector" ? part.units.root : part?.maps[nextPlace];
    if (!map || (nextColumn === column && nextPlace === place)) return;
    map.focus();
    this.chosen = null;
    this.choose(nextColumn, Number(map.dataset.map ?? part.units.current));
  }

  #beside(column, place, dx) {
    const { items } = this.layout;
    const at = items.findIndex((item) => item.column === column);
    const next = items[at + dx];
    if (!next) return [column, place];
    if (next.kind === "vector") return [next.column, 0];
    const y = corner(items[at], place, this.layout).y;
    const heights = Array.from({ length: next.shown }, (_, i) => Math.abs(corner(next, i, this.layout).y - y));
    return [next.column, heights.indexOf(Math.min(...heights))];
  }

  /** Keep what describes the part under the pointer: its text changes with the design. */
  #hover(describe) {
    this.hovered = describe;
    this.#describe();
  }

  #describe() {
    const isInTheWay = Boolean(this.problem && this.isStale); // there are no maps to look at
    this.waiting.hidden = !isInTheWay;
    write(this.waiting, this.problem);
    const problem = isInTheWay ? "" : this.problem;
    this.root.dataset.problem = String(Boolean(problem));
    write(this.about, problem || this.hovered?.() || this.#chosenText() || HINT);
  }
}
