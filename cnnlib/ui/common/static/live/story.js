/** The report of a run in words: its problems, and the engine's choices with their reasons. Polled every few seconds. */
import { element } from "./dom.js";
import { isLive } from "./feed.js";

const EVERY_MS = 5000;

export class Story {
  /**
   * @param {string} base Address of the runs route.
   * @param {RunHistory} history Of the run; a new epoch or state triggers a request.
   * @param {boolean} brief Show the problems only.
   */
  constructor(base, history, brief) {
    Object.assign(this, { base, history, brief, requested: "", requestedAt: -Infinity, shown: "" });
    this.problems = element("div", { class: "troubles", "aria-live": "polite" });
    this.facts = element("dl", {});
    this.explained = element("details", { class: "explained" }, [element("summary", {}, ["Execution details"]), this.facts]);
    this.explained.hidden = true;
    this.root = element("div", { class: "story" }, brief ? [this.problems] : [this.problems, this.explained]);
  }

  /** Request the report after a new epoch or state, or some seconds after the last request. */
  draw() {
    const { facts, epochs } = this.history;
    if (!facts) return;
    const version = `${facts.attempt} ${facts.state} ${epochs.length}`;
    const now = performance.now();
    const isDue = isLive(facts.state) && !document.hidden && now - this.requestedAt > EVERY_MS;
    if (version === this.requested && !isDue) return;
    this.requested = version;
    this.requestedAt = now;
    this.#request();
  }

  async #request() {
    try {
      const response = await fetch(`${this.base}/${encodeURIComponent(this.history.id)}/words`, { cache: "no-store" });
      if (response.ok) this.#show(await response.json());
      else this.requested = "";
    } catch (error) {
      if (!(error instanceof TypeError) && !(error instanceof SyntaxError)) throw error;
      this.requested = ""; // no connection: the status shows the error
    }
  }

  #show(answer) {
    const shown = JSON.stringify(answer);
    if (shown === this.shown) return;
    this.shown = shown;
    this.problems.replaceChildren(...answer.troubles.map(buildProblem));
    const explained = Object.entries(answer.explained);
    this.explained.hidden = !explained.length;
    this.facts.replaceChildren(...explained.map(([topic, sentence]) => element("div", {}, [element("dt", {}, [topic]), element("dd", {}, [sentence])])));
  }
}

function buildProblem({ kind, title, sentence, checks }) {
  const reasons = checks.map(({ question, fits, sentence }) =>
    element("li", { class: fits ? "fits" : "not" }, [element("b", {}, [question]), ` ${sentence}`]),
  );
  const list = reasons.length ? [element("ol", {}, reasons)] : [];
  return element("div", { class: "trouble", "data-kind": kind }, [element("p", {}, [element("b", {}, [title]), ` ${sentence}`]), ...list]);
}
