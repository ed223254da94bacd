/** What to do with the network: draw for it, look inside, keep it, compare it; and the last runs. */
import { button, element, percent, setAttribute, write } from "./format.js";

const GOOD = 0.9; // share of right answers from which on a network is worth keeping

export class Next {
  /** @param {object} on onKeep(), onDraw(): open the pad. */
  constructor({ onKeep, onDraw }) {
    this.advice = element("p", { class: "advice" });
    this.keep = button("Keep", { class: "main", "data-testid": "lab-keep", title: "Keep this network among your results" }, onKeep);
    this.draw = button("Draw for it", { title: "Draw on the input yourself" }, onDraw);
    this.links = { inspect: link("Look inside"), results: link("Is it better?") };
    this.recent = element("ul", {});
    this.root = element("section", { class: "panel next", "aria-label": "What next" }, [
      element("h2", {}, ["What next?"]), this.advice,
      element("div", { class: "todo" }, [this.keep, this.draw, this.links.inspect, this.links.results]),
      element("h3", { class: "spoken" }, ["Last runs"]), this.recent,
    ]);
  }

  /** @param {object} view pages, recent, share (of right answers, or NaN), hasRun, runs, hasDrawn. */
  show({ pages, recent, share, hasRun, runs, hasDrawn }) {
    for (const [name, each] of Object.entries(this.links)) setAttribute(each, "href", pages[name]);
    this.keep.disabled = !hasRun;
    const [text, suggested] = advice({ share, hasRun, runs, hasDrawn });
    write(this.advice, text);
    for (const [name, each] of Object.entries({ keep: this.keep, draw: this.draw, ...this.links })) each.classList.toggle("suggested", name === suggested);
    this.#showRecent(recent);
  }

  #showRecent(recent) {
    const key = JSON.stringify(recent);
    if (this.recent.dataset.key === key) return;
    this.recent.dataset.key = key;
    this.recent.replaceChildren(...recent.slice(0, 3).map(({ title, url, accuracy }) =>
      element("li", {}, [element("a", { href: url, title }, [title]), element("b", {}, [Number.isFinite(accuracy) ? percent(accuracy) : ""])])));
  }
}

const link = (text) => element("a", { class: "button" }, [text]);

/** A sentence, and the name of what it suggests. */
function advice({ share, hasRun, runs, hasDrawn }) {
  if (!hasRun) return ["Press play. The network learns while you watch, and you can change it while it learns.", ""];
  if (!(share >= GOOD)) return [runs ? "It learns. Move a control: what fits keeps its weights." : "It is paused. Go on, or change it first.", ""];
  if (!hasDrawn) return ["It is good now. Does it read what you draw?", "draw"];
  return ["Keep it, to compare it with others.", "keep"];
}
