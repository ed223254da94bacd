/**
 * Actions to the page, one after the other.
 *
 * Two triggers that follow each other closely could reach the page as one. So the next action waits for the answer to the one
 * before, or for a moment; of actions of the same kind that wait, the newest replaces the others.
 */

const ANSWER_MS = 700;
const REPLACED = ["design", "picture", "recipe", "dataset"]; // kinds of which only the newest counts

export class Actions {
  constructor() {
    Object.assign(this, { waiting: [], timer: null, send: () => {} });
  }

  /** Send an action, or queue it behind those that wait for their answer. */
  add(action) {
    const field = (each) => `${each.kind} ${each.kind === "recipe" ? Object.keys(each)[1] : ""}`;
    if (REPLACED.includes(action.kind)) this.waiting = this.waiting.filter((each) => field(each) !== field(action));
    this.waiting.push(action);
    if (this.timer === null) this.#next();
  }

  /** New data came from the page: the action before is answered. */
  answered() {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.#next();
  }

  stop() {
    clearTimeout(this.timer);
    this.waiting = [];
  }

  #next() {
    const action = this.waiting.shift();
    if (!action) return;
    this.timer = setTimeout(() => this.answered(), ANSWER_MS);
    this.send("action", action);
  }
}
