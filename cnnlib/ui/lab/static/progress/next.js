/** What to do with the network: draw for it, look inside, keep it, compare it; and the last runs. */
import { button, element, percent, setAttribute, write } from "../format.js";

const KEEPING = "A clean training gives results that compare.";
const GOOD = 0.9; // share of right answers from which on a network is worth keeping

export class Next {
  /** @param {object} on onKeep(clean), onDraw(): open the pad. */
  constructor({ onKeep, onDraw }) {
    this.advice = element("p", { class: "advice" });
    this.keep = button("Keep", { "data-testid": "lab-keep", "aria-expanded": "false", title: "Keep this network among your results" }, () => this.#ask(this.choice.hidden));
    const answer = (clean) => () => {
      this.#ask(false);
      onKeep(clean);
    };
    const clean = button("Train it clean", { class: "suggested", "data-testid": "lab-keep-clean", title: "The same design and settings, trained from fresh weights: results that compare" }, answer(true));
    const asIs = button("This run as it is", { "data-testid": "lab-keep-run", title: "This run with all that was changed while it learned" }, answer(false));
    this.choice = element("div", { class: "todo", hidden: "" }, [clean, asIs, button("Not now", {}, () => this.#ask(false))]);
    this.choice.addEventListener("keydown", ({ key }) => key === "Escape" && this.#ask(false));
    this.draw = button("Draw for it", { title: "Draw on the input yourself" }, onDraw);
    this.links = { inspect: link("Look inside"), results: link("Is it better?") };
    this.todo = element("div", { class: "todo" }, [this.keep, this.draw, this.links.inspect, this.links.results]);
    this.recent = element("ul", {});
    this.root = element("section", { class: "panel next", "aria-label": "What next" }, [
      element("h2", {}, ["What next?"]), this.advice,
      this.todo, this.choice,
      element("h3", { class: "spoken" }, ["Last runs"]), this.recent,
    ]);
  }

  /** @param {object} view pages, recent, share (of right answers, or NaN), hasRun, runs, hasDrawn. */
  show({ pages, recent, share, hasRun, runs, hasDrawn }) {
    for (const [name, each] of Object.entries(this.links)) setAttribute(each, "href", pages[name]);
    this.keep.disabled = !hasRun;
    const [text, suggested] = !this.choice.hidden ? [KEEPING, ""] : advice({ share, hasRun, runs, hasDrawn });
    write(this.advice, text);
    for (const [name, each] of Object.entries({ keep: this.keep, draw: this.draw, ...this.links })) each.classList.toggle("suggested", name === suggested);
    this.#showRecent(recent);
  }

  /** Ask how to keep it, or go back to what else can be done. */
  #ask(isAsking) {
    setAttribute(this.keep, "aria-expanded", isAsking);
    this.choice.hidden = !isAsking;
    if (isAsking) write(this.advice, KEEPING);
    this.todo.hidden = isAsking;
    (isAsking ? this.choice.firstElementChild : this.keep).focus();
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
  if (!hasRun) return ["Press play, and change it while it learns.", ""];
  if (!(share >= GOOD)) return [runs ? "It learns. Move a control and watch." : "It is paused: go on, or change it.", ""];
  if (!hasDrawn) return ["It is good now. Draw something for it!", "draw"];
  return ["Keep it, to compare it with others.", "keep"];
}
