/** Polls the server for new rows of a run: 4.5 times a second while it is live, more slowly otherwise. */

const LIVE = ["queued", "starting", "running", "paused"];
const LIVE_DELAY_MS = 1000 / 4.5;
const QUEUED_DELAY_MS = 1000;
const ENDED_DELAY_MS = 5000; // an ended run can be resumed, in this tab or another one
const HIDDEN_DELAY_MS = 1000;
const ERROR_DELAY_MS = 1000;

export const isLive = (state) => LIVE.includes(state);

export class Feed {
  /**
   * @param {string} base Address of the runs route, e.g. "/api/runs".
   * @param {RunHistory} history Stores the rows and their cursor.
   * @param {(problem: string) => void} onChange Called after every request; "" if it succeeded.
   */
  constructor(base, history, onChange) {
    this.base = base;
    this.history = history;
    this.onChange = onChange;
    this.abortController = new AbortController();
    this.isGone = false; // the run was deleted: nothing more is requested
    this.#run();
  }

  stop() {
    this.abortController.abort();
    this.wake?.();
  }

  /** Send the next request now. */
  refresh() {
    this.wake?.();
  }

  async #run() {
    while (!this.abortController.signal.aborted) {
      const started = performance.now();
      const problem = await this.#request();
      if (this.abortController.signal.aborted) return;
      this.onChange(problem);
      if (this.isGone) return;
      await this.#sleep(this.#delay(problem) - (performance.now() - started));
    }
  }

  /** Send one request; return an error message or "". */
  async #request() {
    const { id, after, afterEpoch, afterSample } = this.history;
    const address = `${this.base}/${encodeURIComponent(id)}/metrics?after=${after}&after_epoch=${afterEpoch}&after_sample=${afterSample}`;
    try {
      const response = await fetch(address, { signal: this.abortController.signal, cache: "no-store" });
      const answer = await response.json();
      this.isGone = response.status === 404;
      if (!response.ok) return answer.error;
      this.history.add(answer);
      return "";
    } catch (error) {
      if (error.name !== "AbortError" && !(error instanceof TypeError) && !(error instanceof SyntaxError)) throw error;
      return "The server does not answer. Trying again."; // no connection, or a proxy's error page
    }
  }

  #delay(problem) {
    const facts = this.history.facts;
    if (problem) return ERROR_DELAY_MS;
    if (facts?.more || !facts) return 0;
    if (!isLive(facts.state)) return ENDED_DELAY_MS;
    if (document.hidden) return HIDDEN_DELAY_MS;
    return facts.state === "queued" ? QUEUED_DELAY_MS : LIVE_DELAY_MS;
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
