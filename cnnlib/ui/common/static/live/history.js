/** The received data of one run: columns of steps, epochs, and the other fields of the last answer. */
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
    this.samples = []; // [step, correct, count] on the sample of the validation split
    this.interventions = [];
    this.facts = null; // the last answer without its rows
    this.#startSmoothing();
  }

  /** Last step received. The browser sends it as the cursor, so the rows of a lost answer are sent again. */
  get after() {
    return this.steps.step.length ? this.steps.step.last : 0;
  }

  get afterEpoch() {
    return this.epochs.length ? this.epochs.at(-1).epoch : 0;
  }

  get afterSample() {
    return this.samples.length ? this.samples.at(-1)[0] : 0;
  }

  /** Add an answer of the metrics route. If the run resumed from an earlier checkpoint, clear all and read it from the start. */
  add(answer) {
    const before = this.facts;
    if (before && (answer.attempt !== before.attempt || answer.step < before.step)) return this.clear();
    const { steps, epochs, samples, interventions, ...facts } = answer;
    for (let row = 0; row < steps.step.length; row++) this.#pushStep(steps, row);
    this.epochs.push(...epochs);
    this.samples.push(...samples);
    this.interventions = interventions;
    this.facts = facts;
  }

  /** Smooth the loss by a bias-corrected exponential moving average with this time constant in steps. */
  setSmoothing(smoothing) {
    if (smoothing === this.smoothing) return;
    this.smoothing = smoothing;
    this.#startSmoothing();
    const { loss } = this.steps;
    for (let row = 0; row < loss.length; row++) this.#smooth(loss.at(row));
  }

  /** Steps in one epoch; NaN while unknown. */
  get stepsPerEpoch() {
    if (this.epochs.length) return this.epochs[0].step / this.epochs[0].epoch;
    const { total_steps: total, epochs_total: epochs } = this.facts ?? {};
    return total && epochs ? total / epochs : NaN;
  }

  /** Convert a step to the unit of the x axis: "step", "epoch" or "seconds". */
  stepAs(unit, step) {
    if (unit === "step") return step;
    if (unit === "epoch") return step / this.stepsPerEpoch;
    const { step: column, seconds } = this.steps;
    const row = Math.min(column.countBelow(step), column.length - 1);
    return row < 0 ? NaN : seconds.at(row);
  }

  /** Find the position of the first row at or after x. */
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
    this.weight = 0; // sum of the weights so far, the divisor of the bias correction
  }

  #smooth(loss) {
    if (Number.isFinite(loss)) {
      const decay = 1 - 1 / this.smoothing;
      this.average = decay * this.average + (1 - decay) * loss;
      this.weight = decay * this.weight + (1 - decay);
    }
    this.steps.smooth.push(Number.isFinite(loss) ? this.average / this.weight : NaN);
  }
}
