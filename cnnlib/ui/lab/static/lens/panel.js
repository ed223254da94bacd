/** The panel of the lens: one number of the chosen map, or, while it is paused, what the last batch changed. */
import { Lens } from "./lens.js";
import { StepFeed } from "./step_feed.js";
import { StepView } from "./step.js";
import { button, count, element, setAttribute, write } from "../format.js";

export class LensPanel {
  /** @param {object} on onExample(): choose a map for the person; onStep(): train one batch; onDraw(): draw soon. */
  constructor(on) {
    Object.assign(this, { mode: "number", isPaused: false, isStepped: false, steppedFrom: -1, step: 0, api: null, chosen: null });
    this.lens = new Lens({ ...on, onSource: () => this.#ask() });
    this.view = new StepView(on);
    this.feed = new StepFeed((answer) => this.#take(answer));
    this.batchTitle = element("h2", {});
    this.batchHint = element("span", { class: "caption" });
    this.tabs = [["number", "One number"], ["batch", "Last batch"]].map(([name, label]) => button(label, { "data-mode": name, "data-testid": `lab-lens-${name}` }, () => this.#setMode(name)));
    this.choice = element("span", { class: "choice", role: "group", "aria-label": "What the lens shows", hidden: "" }, this.tabs);
    this.error = element("p", {});
    this.again = button("Train one batch", { class: "suggested", "data-testid": "lab-lens-step" }, on.onStep);
    this.waiting = element("div", { class: "lens-empty", hidden: "" }, [this.error, this.again]);
    const head = element("header", {}, [this.lens.title, this.lens.hint, this.batchTitle, this.batchHint, this.lens.step, this.choice]);
    this.root = element("section", { class: "panel lens", "aria-label": "The lens", "data-testid": "lab-lens" }, [head, this.lens.root, this.waiting, this.view.root]);
    this.#show();
  }

  destroy() {
    this.feed.forget();
    this.lens.destroy();
  }

  /** One batch is asked for: what it changes is shown when it is done, until training goes on. */
  expectStep() {
    Object.assign(this, { isStepped: true, steppedFrom: this.step, mode: "batch" });
    this.#wait("Training one batch …");
    this.#show();
  }

  /** Training goes on, or pauses: the number is shown again. */
  leaveStep() {
    Object.assign(this, { isStepped: false, steppedFrom: -1, mode: "number" });
    this.#show();
  }

  /** @param {object|null} answer Of the lens. @param {object} plan, classes @param {object} maps step, trained; api and run of the page. */
  setAnswer(answer, plan, classes, { step, api, run }) {
    Object.assign(this, { step, api, run, classes, chosen: answer && !answer.error ? [answer.column, answer.map] : null });
    this.lens.setAnswer(answer, plan, classes);
    this.#follow();
  }

  /** @param {string|null} state Of the run. */
  setState(state) {
    const isPaused = state === "paused";
    if (this.isPaused === isPaused) return;
    this.isPaused = isPaused;
    this.#follow();
  }

  expect(chosen) {
    this.lens.expect(chosen);
  }

  /** Show the number again when training goes on. */
  #follow() {
    if (!this.isPaused && !this.isStepped) this.mode = "number";
    this.#show();
  }

  #setMode(mode) {
    this.mode = mode;
    this.#show();
  }

  #show() {
    const canChoose = this.isPaused ? this.step > 0 : this.isStepped;
    const isBatch = canChoose && this.mode === "batch";
    this.choice.hidden = !canChoose;
    for (const tab of this.tabs) setAttribute(tab, "aria-pressed", (tab.dataset.mode === "batch") === isBatch);
    this.lens.root.hidden = this.lens.title.hidden = this.lens.hint.hidden = isBatch;
    this.lens.step.hidden = isBatch;
    this.batchTitle.hidden = this.batchHint.hidden = !isBatch;
    this.view.root.hidden = !isBatch || this.shown?.step !== this.step;
    this.waiting.hidden = !isBatch || !this.view.root.hidden;
    if (!isBatch) return;
    write(this.batchTitle, this.view.root.hidden ? "Last batch" : `Batch ${count(this.step)}`);
    write(this.batchHint, this.chosen ? this.lens.name : "");
    this.#ask();
  }

  #ask() {
    if (this.mode !== "batch" || !this.isPaused || !this.run || !this.step || this.step === this.steppedFrom) return;
    const [column, map] = this.chosen ?? [];
    const { data, source } = this.lens;
    const filter = this.chosen ? { column, map, source: data?.operation === "conv2d" ? source : 0 } : {};
    this.feed.ask(this.api.runs, this.run, { step: this.step, ...filter });
  }

  #take(answer) {
    const isError = Boolean(answer.error) || answer.step !== this.step;
    this.shown = isError ? null : answer;
    this.#wait(answer.error ?? "", isError);
    if (!isError) this.view.show(answer, { source: answer.filter?.source ?? 0, classes: this.classes, lens: this.lens.data });
    if (this.mode === "batch") this.#show();
  }

  /** Say why there is no batch to show. */
  #wait(reason, canStep = false) {
    write(this.error, reason);
    this.again.hidden = !canStep;
  }

  /** Draw the canvases. */
  draw(colours) {
    if (!this.lens.root.hidden) this.lens.draw(colours);
    this.view.draw(colours);
  }
}
