/** Asks the server for the rows after the ones that are here, 4.5 times a second, for as long as there can be more. */

const LIVE = ["queued", "starting", "running", "paused"];
const BETWEEN_MS = 1000 / 4.5;
const QUEUED_BETWEEN_MS = 1000;
const ENDED_BETWEEN_MS = 5000; // an ended run can be resumed, here or in another tab
const HIDDEN_BETWEEN_MS = 1000;
const AWAY_BETWEEN_MS = 1000;

export const isLive = (state) => LIVE.includes(state);

export class Feed {
  /**
   * @param {string} base Address of the runs route, e.g. "/api/runs".
   * @param {RunHistory} history Takes the answers, and owns the cursor.
   * @param {(problem: string) => void} onChange Called after every question; "" when the answer came.
   */
  constructor(base, history, onChange) {
    this.base = base;
    this.history = history;
    this.onChange = onChange;
    this.leaving = new AbortController();
    this.#run();
  }

  stop() {
    this.leaving.abort();
    this.wake?.();
  }

  /** Ask now: a person just did something. */
  hurry() {
    this.wake?.();
  }

  async #run() {
    while (!this.leaving.signal.aborted) {
      const started = performance.now();
      const problem = await this.#ask();
      if (this.leaving.signal.aborted) return;
      this.onChange(problem);
      await this.#sleep(this.#pause(problem) - (performance.now() - started));
    }
  }

  /** One question. Returns what is wrong, in words, or "". */
  async #ask() {
    const { id, after, afterEpoch } = this.history;
    const address = `${this.base}/${encodeURIComponent(id)}/metrics?after=${after}&after_epoch=${afterEpoch}`;
    try {
      const response = await fetch(address, { signal: this.leaving.signal, cache: "no-store" });
      const answer = await response.json();
      if (!response.ok) return answer.error;
      this.history.take(answer);
      return "";
    } catch (error) {
      if (error.name !== "AbortError" && !(error instanceof TypeError) && !(error instanceof SyntaxError)) throw error;
      return "The server does not answer; trying again."; // away, or a proxy's page in its place
    }
  }

  #pause(problem) {
    const facts = this.history.facts;
    if (problem) return AWAY_BETWEEN_MS;
    if (facts?.more || !facts) return 0;
    if (document.hidden) return HIDDEN_BETWEEN_MS;
    if (facts.state === "queued") return QUEUED_BETWEEN_MS;
    return isLive(facts.state) ? BETWEEN_MS : ENDED_BETWEEN_MS;
  }

  #sleep(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, ms));
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
