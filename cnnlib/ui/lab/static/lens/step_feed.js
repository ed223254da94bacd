/** Asks what one batch changed, once for each step, map and input map; of several questions the newest counts. */

export class StepFeed {
  /** @param {(answer: object) => void} onAnswer The route's answer, or one with `error`. */
  constructor(onAnswer) {
    Object.assign(this, { onAnswer, asked: "", controller: null });
  }

  /** @param {string} address Of the runs. @param {object} query step, and column, map and source where a map is chosen. */
  ask(address, run, query) {
    const asked = `${address}/${run}/step?${new URLSearchParams(query)}`;
    if (asked === this.asked) return;
    this.forget();
    this.asked = asked;
    this.#send(asked);
  }

  /** Drop a question that waits; the next one is asked in any case. */
  forget() {
    this.controller?.abort();
    this.asked = "";
  }

  async #send(asked) {
    this.controller = new AbortController();
    let answer;
    try {
      const response = await fetch(asked, { signal: this.controller.signal, cache: "no-store" });
      answer = await response.json();
      if (response.status === 202) this.asked = ""; // the viewer starts: ask again with the next maps
    } catch (error) {
      if (error.name === "AbortError") return;
      answer = { error: "The server does not answer." };
      this.asked = "";
    }
    this.onAnswer(answer);
  }
}
