/** Requests to the server: one in flight of each kind, the newest waiting one follows, failures are said and retried. */

const FASTEST_MS = 80; // between two requests for maps: 12 a second
const FAILING_MS = 500; // between two requests after a failure
const LIVE_MS = 250; // between two questions for newer weights
const QUIET_MS = 1500; // while paused: one batch may be asked for
const WAITING_MS = 20_000; // while in line: nothing is newer, but a sketch whose page is silent for a minute gets no turn
const STARTING_MS = 1000;
const LONGEST_BACKOFF_MS = 8000;
const NO_CONNECTION = "The server does not answer. Trying again.";

/** Send JSON by POST; resolves to the status and the parsed answer (null without one). */
async function post(address, body, signal) {
  const response = await fetch(address, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal, cache: "no-store" });
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  return { status: response.status, answer };
}

/** Send the request that belongs to an answer; null without one. */
async function sendSecond(asked, signal) {
  if (!asked) return null;
  const { status, answer } = await post(asked.address, asked.body, signal);
  return status === 200 && answer ? answer : { error: answer?.error ?? NO_CONNECTION };
}

const backoff = (failures) => Math.min(LONGEST_BACKOFF_MS, 250 * 2 ** failures);

/** Asks for the plan of a design, again and again while a control is dragged. */
export class PlanFeed {
  /**
   * @param {(answer: object, body: object) => void} onAnswer
   * @param {(problem: string, isFinal: boolean) => void} onProblem isFinal: the design itself was refused.
   */
  constructor(onAnswer, onProblem) {
    Object.assign(this, { onAnswer, onProblem, waiting: null, busy: false, failures: 0, stopped: false });
  }

  /** Ask for the plan of `body`; an older question that still waits is dropped. */
  ask(address, body) {
    this.waiting = { address, body };
    if (!this.busy) this.#run();
  }

  stop() {
    this.stopped = true;
    this.waiting = null;
  }

  async #run() {
    this.busy = true;
    while (this.waiting && !this.stopped) {
      const asked = this.waiting;
      this.waiting = null;
      const isAnswered = await this.#send(asked);
      if (!isAnswered && !this.waiting) this.waiting = asked;
      if (!isAnswered) await new Promise((resolve) => setTimeout(resolve, backoff(++this.failures)));
    }
    this.busy = false;
  }

  /** Send one question; false if it must be sent again. */
  async #send({ address, body }) {
    let found;
    try {
      found = await post(address, body);
    } catch {
      found = { status: 0, answer: null };
    }
    if (this.stopped) return true;
    if (found.status === 200 && found.answer) {
      this.failures = 0;
      if (found.answer.error) this.onProblem(found.answer.error, true);
      else this.onAnswer(found.answer, body);
      return true;
    }
    const isFinal = found.status >= 400 && found.status < 500 && found.status !== 429;
    this.onProblem(found.answer?.error ?? NO_CONNECTION, isFinal);
    return isFinal;
  }
}

/** Asks for maps: at once after a change, four times a second while a network trains, and not at all while nobody looks. */
export class MapsFeed {
  /**
   * @param {() => {address: string, body: object, pace: "live"|"paused"|"waiting"|"still", follow: (answer: object) => object|null}|null} next
   *   The next request; null: none. `follow` gives a second request that belongs to the answer, as {address, body}.
   * @param {(answer: object, body: object, second: object|null) => void} onAnswer Both answers together; `error` in the second where it failed.
   * @param {(problem: string) => void} onProblem "" once a request succeeds.
   */
  constructor(next, onAnswer, onProblem) {
    Object.assign(this, { next, onAnswer, onProblem, stopped: false, isDirty: true, isFailing: false, failures: 0, sentAt: -Infinity, wake: () => {} });
    this.onVisible = () => !document.hidden && this.refresh();
    document.addEventListener("visibilitychange", this.onVisible);
    this.#run();
  }

  /** Ask now. @param {boolean} isOther The request in flight asks for something else: it is aborted. */
  refresh(isOther = false) {
    this.isDirty = true;
    if (isOther) this.controller?.abort();
    this.wake();
  }

  stop() {
    this.stopped = true;
    document.removeEventListener("visibilitychange", this.onVisible);
    this.controller?.abort();
    this.wake();
  }

  async #run() {
    while (!this.stopped) {
      const request = document.hidden ? null : this.next();
      this.isDirty = false;
      const delay = request ? await this.#send(request) : Infinity;
      if (!this.isDirty) await this.#sleep(delay);
      const early = this.sentAt + (this.isFailing ? FAILING_MS : FASTEST_MS) - performance.now();
      if (early > 0 && !this.stopped) await new Promise((resolve) => setTimeout(resolve, early));
    }
  }

  /** Send one request; returns the time to wait before the next one. */
  async #send({ address, body, pace, follow }) {
    this.controller = new AbortController();
    this.sentAt = performance.now();
    const rest = { live: LIVE_MS, paused: QUIET_MS, waiting: WAITING_MS, still: Infinity }[pace];
    try {
      const { signal } = this.controller;
      const { status, answer } = await post(address, body, signal);
      const second = status === 200 && answer && !answer.error ? await sendSecond(follow(answer), signal) : null;
      if (this.stopped) return 0;
      if (status === 200 && answer?.error) return this.#refuse(answer.error, rest);
      if (status === 200 && answer) this.onAnswer(answer, body, second);
      if (status === 204 || (status === 200 && answer)) return this.#succeed(rest);
      if (status === 503 || status === 202) return this.#fail(answer?.error ?? "The viewer starts.", STARTING_MS);
      return this.#fail(answer?.error ?? NO_CONNECTION, backoff(++this.failures));
    } catch (error) {
      if (error.name === "AbortError") return 0;
      if (!(error instanceof TypeError)) throw error;
      return this.#fail(NO_CONNECTION, backoff(++this.failures));
    }
  }

  /** The design cannot be computed; another one may be. */
  #refuse(problem, rest) {
    this.#succeed(rest);
    this.onProblem(problem);
    return rest;
  }

  #succeed(rest) {
    this.failures = 0;
    this.isFailing = false;
    this.onProblem("");
    return rest === LIVE_MS ? Math.max(0, rest - (performance.now() - this.sentAt)) : rest;
  }

  #fail(problem, delay) {
    this.isFailing = true;
    this.onProblem(problem);
    return delay;
  }

  #sleep(ms) {
    return new Promise((resolve) => {
      const timer = ms === Infinity ? null : setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
