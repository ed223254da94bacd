/** The answers: one row for each class, or for the likeliest ones of many, and a sentence. */
import { element, figure, percent, setAttribute, shortPercent, write } from "../format.js";
import { HEAD } from "./layout.js";

const MOST_ROWS = 14;
const HIGHEST_ROW = 34;
const SHORT_NAME = 3; // letters; longer names stand above their bars

export class Answers {
  /** @param {(number: number) => void} onChoose Called with the class whose sources are to be shown. */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.rows = [];
    this.logits = [];
    this.list = element("ol", {});
    this.verdict = element("p", { class: "verdict", "data-testid": "lab-answer" }, ["–"]);
    this.root = element("div", { class: "answers", "data-testid": "lab-answers", role: "group", "aria-label": "Answers" }, [element("h3", {}, ["It says"]), this.list, this.verdict]);
  }

  /** Give the rows the height of the tiles. */
  fit(column, { top, height }) {
    const rows = Math.min(MOST_ROWS, column.shape[0]);
    const row = Math.min(HIGHEST_ROW, height / rows);
    this.root.style.setProperty("--row", `${row}px`);
    this.root.style.setProperty("--top", `${top - HEAD + Math.max(0, (height - row * rows) / 2)}px`);
  }

  /** Show the probabilities of an answer. @returns {boolean} Whether rows came or went. */
  show({ probabilities: given, picture, columns, trained }, classes) {
    Object.assign(this, { classes, given, logits: columns.at(-1).values ?? [] });
    const probabilities = given.map((share) => share ?? 0); // null where a value is not finite
    this.root.classList.toggle("long", Math.max(...classes.map((name) => name.length)) > SHORT_NAME);
    const best = probabilities.indexOf(Math.max(...probabilities));
    const order = this.#shownClasses(probabilities);
    const before = this.rows.length;
    while (this.rows.length < order.length) this.#addRow();
    while (this.rows.length > order.length) this.rows.pop().root.remove();
    order.forEach((number, i) => this.#showRow(this.rows[i], { number, name: classes[number] ?? String(number), share: probabilities[number], best, label: picture.label }));
    this.#showVerdict(classes[best] ?? String(best), probabilities[best], picture.label, best, classes, trained);
    return this.rows.length !== before;
  }

  /** All classes, or the likeliest of many. */
  #shownClasses(probabilities) {
    const all = probabilities.map((_, number) => number);
    if (all.length <= MOST_ROWS) return all;
    return all.sort((one, other) => probabilities[other] - probabilities[one]).slice(0, MOST_ROWS);
  }

  #addRow() {
    const row = { name: element("span", { class: "class" }), fill: element("i", {}), share: element("span", { class: "number" }) };
    row.choose = element("button", { type: "button", class: "choose", "aria-pressed": "false" });
    row.choose.addEventListener("click", () => this.onChoose(row.number));
    row.root = element("li", {}, [row.choose, row.name, element("span", { class: "bar", "aria-hidden": "true" }, [row.fill]), row.share]);
    this.rows.push(row);
    this.list.append(row.root);
  }

  #showRow(row, { number, name, share, best, label }) {
    row.number = number;
    setAttribute(row.choose, "aria-label", `What speaks for ${name}`);
    setAttribute(row.root, "data-testid", `lab-answer-${number}`);
    setAttribute(row.root, "data-best", number === best);
    setAttribute(row.root, "data-label", number === label);
    setAttribute(row.root, "title", number === label ? `${name}: the true class` : name);
    write(row.name, name);
    row.fill.style.transform = `scaleX(${(share || 0).toFixed(4)})`;
    write(row.share, share >= 0.005 ? shortPercent(share) : "");
  }

  #showVerdict(name, share, label, best, classes, trained) {
    if (!share) return write(this.verdict, "No answer: its numbers are not finite.");
    const isKnown = trained && label !== null && label !== undefined;
    const isRight = label === best;
    this.root.dataset.verdict = isKnown ? (isRight ? "right" : "wrong") : "open";
    const end = !trained ? ": a guess, not trained yet" : !isKnown ? `, ${percent(share, 0)}` : isRight ? " ✓ right" : ` ✗ true class: ${classes[label] ?? label}`;
    write(this.verdict, `${name}${end}`);
  }

  /** Mark the chosen class; null marks none. */
  mark(chosen) {
    for (const row of this.rows) setAttribute(row.choose, "aria-pressed", row.number === chosen);
  }

  /** A sentence about a class. */
  text(number) {
    return `${this.classes[number] ?? number}: ${percent(this.given[number] ?? NaN)}, score ${figure(this.logits[number], 2)}.`;
  }

  /** The middle of each row, in pixels from the top of another element; none unless they stand beside it. */
  middlesIn(other) {
    const { top } = other.getBoundingClientRect();
    if (this.root.getBoundingClientRect().bottom <= top) return [];
    return this.rows.map(({ root }) => {
      const box = root.getBoundingClientRect();
      return box.top + box.height / 2 - top;
    });
  }
}
