/** Everything that the browser knows about one run: its columns of steps, its epochs, and the facts of the last answer. */
import { Column } from "./column.js";

const STEP_COLUMNS = ["step", "seconds", "loss", "lr", "grad_norm"];

export class RunHistory {
  constructor(id, smoothing) {
    this.id = id;
    this.smoothing = smoothing;
    this.clear();
  }

  clear() {
    this.steps = Object.fromEntries(STEP_COLUMNS.map((name) => [name, new Column()]));
    this.epochs = [];
    this.interventions = [];
    this.facts = null; // the last answer without its rows
    this.#startSmoothing();
  }

  /** Where the next question starts: the browser owns the cursor, so no answer that got lost is lost for good. */
  get after() {
    return this.steps.step.length ? this.steps.step.last : 0;
  }

  get afterEpoch() {
    return this.epochs.length ? this.epochs.at(-1).epoch : 0;
  }

  /** Take an answer of the metrics route. A run that went on from an earlier checkpoint is read again from its start. */
  take(answer) {
    const before = this.facts;
    if (before && (answer.attempt !== before.attempt || answer.step < before.step)) return this.clear();
    const { steps, epochs, interventions, ...facts } = answer;
    for (let row = 0; row < steps.step.length; row++) this.#pushStep(steps, row);
    this.epochs.push(...epochs);
    this.interventions = interventions;
    this.facts = facts;
  }

  /** Steps over which the loss is smoothed: an exponential moving average of that time constant, bias corrected. */
  setSmoothing(smoothing) {
    this.smoothing = smoothing;
    this.#startSmoothing();
    const { loss } = this.steps;
    for (let row = 0; row < loss.length; row++) this.#smooth(loss.at(row));
  }

  /** Steps in one epoch, or NaN while that is unknown. */
  get stepsPerEpoch() {
    if (this.epochs.length) return this.epochs[0].step / this.epochs[0].epoch;
    const { total_steps: total, epochs_total: epochs } = this.facts ?? {};
    return total && epochs ? total / epochs : NaN;
  }

  /** A step in the unit of the x axis: "step", "epoch" or "seconds". */
  stepAs(unit, step) {
    if (unit === "step") return step;
    if (unit === "epoch") return step / this.stepsPerEpoch;
    const { step: known, seconds } = this.steps;
    const row = Math.min(known.countBelow(step), known.length - 1);
    return row < 0 ? NaN : seconds.at(row);
  }

  /** The other way round: the position of the first row at or after x. */
  rowAt(unit, x) {
    if (unit === "seconds") return this.steps.seconds.countBelow(x);
    return this.steps.step.countBelow(unit === "epoch" ? x * this.stepsPerEpoch : x);
  }

  #pushStep(rows, row) {
    for (const name of STEP_COLUMNS) this.steps[name].push(rows[name][row] ?? NaN);
    this.#smooth(this.steps.loss.last);
  }

  #startSmoothing() {
    this.steps.smooth = new Column();
    this.average = 0;
    this.weight = 0; // sum of the weights so far: dividing by it corrects the start
  }

  #smooth(loss) {
    if (Number.isFinite(loss)) {
      const past = 1 - 1 / this.smoothing;
      this.average = past * this.average + (1 - past) * loss;
      this.weight = past * this.weight + (1 - past);
    }
    this.steps.smooth.push(Number.isFinite(loss) ? this.average / this.weight : NaN);
  }
}
