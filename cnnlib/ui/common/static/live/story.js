/** What is told about a run in words: what is wrong with it, and what the engine chose and why. Asked for now and then. */
import { element } from "./dom.js";
import { isLive } from "./feed.js";

const EVERY_MS = 5000;

export class Story {
  /**
   * @param {string} base Address of the runs route.
   * @param {RunHistory} history Of the run; a new epoch or state is a reason to ask.
   * @param {boolean} brief Troubles alone.
   */
  constructor(base, history, brief) {
    Object.assign(this, { base, history, brief, asked: "", askedAt: -Infinity, told: "" });
    this.troubles = element("div", { class: "troubles", "aria-live": "polite" });
    this.facts = element("dl", {});
    this.explained = element("details", { class: "explained" }, [element("summary", {}, ["How it runs"]), this.facts]);
    this.explained.hidden = true;
    this.root = element("div", { class: "story" }, brief ? [this.troubles] : [this.troubles, this.explained]);
  }

  /** Ask if something happened, or a while after the last time. */
  draw() {
    const { facts, epochs } = this.history;
    if (!facts) return;
    const happened = `${facts.attempt} ${facts.state} ${epochs.length}`;
    const now = performance.now();
    const isDue = isLive(facts.state) && !document.hidden && now - this.askedAt > EVERY_MS;
    if (happened === this.asked && !isDue) return;
    this.asked = happened;
    this.askedAt = now;
    this.#ask();
  }

  async #ask() {
    try {
      const response = await fetch(`${this.base}/${encodeURIComponent(this.history.id)}/words`, { cache: "no-store" });
      if (response.ok) this.#show(await response.json());
      else this.asked = "";
    } catch (error) {
      if (!(error instanceof TypeError) && !(error instanceof SyntaxError)) throw error;
      this.asked = ""; // the server is away; the curves say so
    }
  }

  #show(answer) {
    const told = JSON.stringify(answer);
    if (told === this.told) return;
    this.told = told;
    this.troubles.replaceChildren(...answer.troubles.map(shown));
    const explained = Object.entries(answer.explained);
    this.explained.hidden = !explained.length;
    this.facts.replaceChildren(...explained.map(([about, sentence]) => element("div", {}, [element("dt", {}, [about]), element("dd", {}, [sentence])])));
  }
}

function shown({ kind, title, sentence, checks }) {
  const reasons = checks.map(({ question, fits, sentence }) =>
    element("li", { class: fits ? "fits" : "not" }, [element("b", {}, [question]), ` ${sentence}`]),
  );
  const list = reasons.length ? [element("ol", {}, reasons)] : [];
  return element("div", { class: "trouble", "data-kind": kind }, [element("p", {}, [element("b", {}, [title]), ` ${sentence}`]), ...list]);
}
