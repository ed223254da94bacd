/**
 * Actions to the page. Streamlit may merge two messages that follow each other closely into the newer one, so each message has
 * all actions that the page has not confirmed yet, with numbers: it does each of them once, in order.
 */

const REPLACED = ["design", "picture", "recipe", "dataset"]; // kinds of which only the newest counts

export class Actions {
  constructor() {
    Object.assign(this, { waiting: [], last: 0, send: () => {} });
  }

  /** Send an action; it replaces one of the same kind that is not confirmed yet. */
  add(action) {
    const field = (each) => `${each.kind} ${each.kind === "recipe" ? Object.keys(each)[1] : ""}`;
    if (REPLACED.includes(action.kind)) this.waiting = this.waiting.filter((each) => field(each) !== field(action));
    this.last = Math.max(this.last + 1, Date.now()); // above the numbers of an earlier mount
    this.waiting.push({ ...action, number: this.last });
    this.send("action", { actions: this.waiting });
  }

  /** Whether an action of a kind is not confirmed yet. */
  has(kind) {
    return this.waiting.some((each) => each.kind === kind);
  }

  /** The page has done all actions up to a number. */
  confirm(number) {
    this.waiting = this.waiting.filter((each) => each.number > number);
  }
}
