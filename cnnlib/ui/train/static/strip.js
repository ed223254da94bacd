/**
 * A strip of test pictures with the network's predictions, updated in place.
 *
 * A card keeps its position and its elements; only its bars and texts change. Beside each picture a trail marks the last
 * predictions as right or wrong. A click on a picture selects it.
 */
import { element, write } from "../common/live/dom.js";
import { count } from "../common/live/words.js";

const TRAIL = 24; // predictions in the trail of a picture
const strips = new WeakMap(); // host -> its Strip

export function mount({ data, parentElement, setTriggerValue }) {
  if (!strips.has(parentElement)) strips.set(parentElement, new Strip(parentElement));
  strips.get(parentElement).show(data, (position) => setTriggerValue("picked", position));
}

export function unmount({ parentElement }) {
  strips.get(parentElement)?.root.remove();
  strips.delete(parentElement);
}

class Strip {
  constructor(host) {
    this.cards = [];
    this.step = null;
    this.score = element("p", { class: "score" });
    this.grid = element("div", { class: "cards" });
    const style = element("style");
    style.textContent = STYLES;
    this.root = element("div", { class: "strip" }, [style, this.score, this.grid]);
    host.append(this.root);
  }

  show({ cards, step }, pick) {
    const isNew = step !== this.step;
    this.step = step;
    if (cards.length !== this.cards.length) this.#build(cards.length);
    cards.forEach((card, position) => {
      this.cards[position].root.onclick = () => pick(position);
      this.cards[position].show(card, isNew);
    });
    const right = cards.filter((card) => card.right).length;
    write(this.score, `At step ${count(step)}: ${right} of ${cards.length} correct.`);
    this.grid.dataset.step = String(step);
  }

  #build(length) {
    this.cards = Array.from({ length }, () => new Card());
    this.grid.replaceChildren(...this.cards.map((card) => card.root));
  }
}

class Card {
  constructor() {
    this.image = element("img", { alt: "" });
    this.verdict = element("span", { class: "verdict", "aria-hidden": "true" });
    this.bars = element("span", { class: "bars" });
    this.trail = element("span", { class: "trail", "aria-hidden": "true" });
    this.root = element("button", { type: "button", class: "card" }, [
      element("span", { class: "picture" }, [this.image, this.verdict]),
      element("span", { class: "prediction" }, [this.bars, this.trail]),
    ]);
    this.rows = [];
  }

  show({ uri, truth, right, predictions }, isNew) {
    if (this.image.src !== uri) {
      this.image.src = uri;
      this.trail.replaceChildren();
    }
    while (this.rows.length < predictions.length) this.#addRow();
    predictions.forEach((prediction, position) => this.#showRow(this.rows[position], prediction));
    write(this.verdict, right ? "✓" : "✗");
    this.root.dataset.right = String(right);
    const text = predictions.map(({ name, share }) => `${name} ${Math.round(100 * share)} %`).join(", ");
    this.root.setAttribute("aria-label", `A picture of ${truth}. Prediction: ${text}. ${right ? "Correct" : "Wrong"}. Press to see its feature maps.`);
    this.root.title = `True class: ${truth}. Press to see its feature maps.`;
    if (isNew) this.#addToTrail(right);
  }

  #addRow() {
    const fill = element("i", {});
    const name = element("b", {});
    const row = element("span", { class: "bar" }, [fill, name]);
    this.rows.push({ row, fill, name });
    this.bars.append(row);
  }

  #showRow({ row, fill, name }, prediction) {
    write(name, prediction.name);
    fill.style.transform = `scaleX(${prediction.share.toFixed(3)})`;
    row.dataset.true = String(prediction.true);
  }

  #addToTrail(right) {
    this.trail.append(element("i", { class: right ? "right" : "wrong" }));
    if (this.trail.childElementCount > TRAIL) this.trail.firstElementChild.remove();
  }
}

const STYLES = `
.strip { color: var(--st-text-color); font: 0.8125rem/1.4 var(--st-font); font-variant-numeric: tabular-nums; }
.score { margin: 0 0 0.5rem; font-size: 0.875rem; font-weight: 600; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 0.5rem; }
.card {
  display: flex; gap: 0.6rem; align-items: center; padding: 0.4rem; min-width: 0; text-align: left; cursor: pointer;
  font: inherit; color: inherit; background: var(--st-background-color); --tone: var(--st-orange-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
}
.card[data-right="true"] { --tone: var(--st-green-color); }
.card:hover { border-color: var(--st-primary-color); }
.card:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.picture { position: relative; flex: none; width: 3.25rem; height: 3.25rem; }
img { width: 100%; height: 100%; image-rendering: pixelated; border-radius: 3px; display: block; }
.verdict {
  position: absolute; right: -0.35rem; top: -0.35rem; width: 1.05rem; height: 1.05rem; border-radius: 50%;
  display: grid; place-items: center; font-size: 0.7rem; font-weight: 700; line-height: 1;
  background: var(--tone); color: var(--st-background-color);
}
.prediction { flex: 1; min-width: 0; display: grid; gap: 0.3rem; }
.bars { display: grid; gap: 2px; }
.bar { position: relative; height: 1rem; border-radius: 2px; overflow: hidden; background: var(--st-secondary-background-color); }
.bar i {
  position: absolute; inset: 0; transform-origin: left; transform: scaleX(0); transition: transform 0.4s ease-out;
  background: color-mix(in srgb, var(--st-orange-color) 45%, transparent);
}
.bar[data-true="true"] i { background: color-mix(in srgb, var(--st-green-color) 50%, transparent); }
.bar b {
  position: relative; display: block; padding: 0 0.3rem; font-weight: 400; font-size: 0.75rem; line-height: 1rem;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis;
}
.bar[data-true="true"] b { font-weight: 700; }
.trail { display: flex; gap: 1px; height: 4px; }
.trail i { flex: 0 1 4px; height: 2px; align-self: end; background: var(--st-orange-color); }
.trail i.right { height: 4px; background: var(--st-green-color); }
@media (prefers-reduced-motion: reduce) { .bar i { transition: none; } }
`;
