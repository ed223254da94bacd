/**
 * What the person sees: the page's data, and over it what was just changed by hand and is not confirmed yet.
 *
 * A change shows at once. It gives way when the page confirms it, when the page refuses with a message, or after some seconds.
 */

const PATIENCE_MS = 4000;

export class State {
  /** @param {() => void} onExpire Called when a change was not confirmed in time. */
  constructor(onExpire) {
    Object.assign(this, { data: null, local: new Map(), onExpire });
  }

  /** Show a value in place of the page's. */
  set(name, value) {
    clearTimeout(this.local.get(name)?.timer);
    const timer = setTimeout(() => {
      this.local.delete(name);
      this.onExpire();
    }, PATIENCE_MS);
    this.local.set(name, { value, timer });
  }

  /** The value to show: the one set by hand, or the page's. */
  get(name) {
    return this.local.has(name) ? this.local.get(name).value : this.#confirmed(name);
  }

  has(name) {
    return this.local.has(name);
  }

  /** Take the page's data; what it confirms, or refuses with a message, is no longer held. */
  update(data) {
    const isRefused = data.message && data.message !== this.data?.message;
    this.data = data;
    for (const [name, { value }] of this.local) if (isRefused || this.#isSame(name, value)) this.drop(name);
  }

  /** Forget a value set by hand. */
  drop(name) {
    clearTimeout(this.local.get(name)?.timer);
    this.local.delete(name);
  }

  stop() {
    for (const name of this.local.keys()) this.drop(name);
  }

  #confirmed(name) {
    const { data } = this;
    const values = { plan: data.plan, spec: data.plan.spec, recipe: data.recipe, dataset: data.dataset.name, picture: data.picture, state: data.run?.state ?? null };
    return values[name];
  }

  #isSame(name, value) {
    const confirmed = this.#confirmed(name);
    if (name === "plan") return value.link === confirmed.link;
    return JSON.stringify(value) === JSON.stringify(confirmed);
  }
}
