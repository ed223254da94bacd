/** What to do with the network: draw for it, look inside, keep it, compare it; and the last runs. */
import { button, element, menu, percent, setAttribute, setOptions, write } from "../format.js";

const QUESTIONS = {
  keep: "A training from the start, without changes on the way, can be compared with others.",
  compare: "Both designs are trained from the start, for as many epochs as this one so far, up to 20 times each, until it is clear which is better. The Lab waits meanwhile.",
};
const GOOD = 0.9; // share of right answers from which on a network is worth keeping

export class Next {
  /** @param {object} on onKeep(clean), onCompare(rival), onDraw(): open the pad. */
  constructor(on) {
    Object.assign(this, { on, asked: "" });
    this.advice = element("p", { class: "advice" });
    this.keep = this.#opener("keep", "Keep", { "data-testid": "lab-keep" });
    this.draw = button("Draw for it", { title: "Draw on the input yourself" }, on.onDraw);
    this.inspect = element("a", { class: "button" }, ["Look inside"]);
    this.compare = this.#opener("compare", "Is it better?", { "data-testid": "lab-compare", title: "Is it better than another design? Train both and see" });
    this.todo = element("div", { class: "todo" }, [this.keep, this.draw, this.inspect, this.compare]);
    this.choices = { keep: this.#keepChoice(), compare: this.#compareChoice() };
    this.recent = element("ul", {});
    this.recentTitle = element("h3", {}, ["Last runs, on test pictures"]);
    this.root = element("section", { class: "panel next", "aria-label": "What next" }, [
      element("h2", {}, ["What next?"]), this.advice,
      this.todo, ...Object.values(this.choices),
      this.recentTitle, this.recent,
    ]);
  }

  /** A button that opens one of the choices. */
  #opener(name, label, attributes) {
    return button(label, { "aria-expanded": "false", ...attributes }, () => this.#ask(name));
  }

  #keepChoice() {
    const clean = button("Train it from the start", { class: "suggested", "data-testid": "lab-keep-clean", title: "The same design and settings, trained from fresh weights without changes on the way" }, this.#answer(() => this.on.onKeep(true)));
    const asIs = button("This run as it is", { "data-testid": "lab-keep-run", title: "This run with all that was changed while it learned" }, this.#answer(() => this.on.onKeep(false)));
    return this.#choice([clean, asIs, this.#notNow()]);
  }

  #compareChoice() {
    this.rival = menu("Than", { "data-testid": "lab-rival" }, () => {});
    const start = button("Compare", { class: "suggested", "data-testid": "lab-compare-start", title: "Start a duel of the two designs" }, this.#answer(() => this.on.onCompare(this.rival.select.value)));
    return this.#choice([this.rival.root, start, this.#notNow()]);
  }

  #choice(parts) {
    const root = element("div", { class: "todo", hidden: "" }, parts);
    root.addEventListener("keydown", ({ key }) => key === "Escape" && this.#ask(""));
    return root;
  }

  #notNow() {
    return button("Not now", {}, () => this.#ask(""));
  }

  #answer(act) {
    return () => {
      this.#ask("");
      act();
    };
  }

  /** @param {object} view pages, recent, rivals, share (of right answers, or NaN), hasRun, runs, waits, hasDrawn. */
  show({ pages, recent, rivals, share, hasRun, runs, waits, hasDrawn }) {
    setAttribute(this.inspect, "href", pages.inspect);
    this.keep.disabled = !hasRun;
    setAttribute(this.keep, "title", hasRun ? "Keep this network among your results" : "Press play first: there is nothing to keep yet");
    setOptions(this.rival.select, rivals, this.asked ? this.rival.select.value : rivals[0][0]);
    const [text, suggested] = this.asked ? [QUESTIONS[this.asked], ""] : advice({ share, hasRun, runs, waits, hasDrawn });
    write(this.advice, text);
    for (const name of ["keep", "draw"]) this[name].classList.toggle("suggested", name === suggested);
    this.#showRecent(recent);
  }

  /** Ask how to keep it or what to compare it with; "" goes back to what else can be done. */
  #ask(name) {
    const opener = this[name || this.asked];
    this.asked = name;
    for (const [each, choice] of Object.entries(this.choices)) {
      choice.hidden = each !== name;
      setAttribute(this[each], "aria-expanded", each === name);
    }
    if (name) write(this.advice, QUESTIONS[name]);
    this.todo.hidden = Boolean(name);
    (name ? this.choices[name].querySelector("button, select") : opener).focus();
  }

  #showRecent(recent) {
    const key = JSON.stringify(recent);
    if (this.recent.dataset.key === key) return;
    this.recent.dataset.key = key;
    this.recentTitle.hidden = !recent.length;
    this.recent.replaceChildren(...recent.slice(0, 3).map(({ title, url, accuracy }) =>
      element("li", {}, [element("a", { href: url, title }, [title]), element("b", {}, [Number.isFinite(accuracy) ? percent(accuracy) : ""])])));
  }
}

/** A sentence, and the name of what it suggests. */
function advice({ share, hasRun, runs, waits, hasDrawn }) {
  if (!hasRun) return ["Press play, and change it while it learns.", ""];
  if (waits) return ["It waits: other runs train first.", ""];
  if (!(share >= GOOD)) return [runs ? "It learns. Move a control and watch." : "It is paused: go on, or change it.", ""];
  if (!hasDrawn) return ["It is good now. Draw something for it!", "draw"];
  return ["Keep it, to compare it with others.", "keep"];
}
