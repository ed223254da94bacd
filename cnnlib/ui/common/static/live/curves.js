/**
 * Definitions of the curves, and the points of a curve inside the visible window.
 *
 * A panel is one chart. A kind is one sort of curve in it; each run has one curve of each kind. With one run the colour marks
 * the kind; with several the colour and a number mark the run, and the dash marks the kind.
 */

import { wilson } from "./words.js";

const SOLID = undefined;
const DASHED = [6, 4];
const DOTTED = [2, 3];
const SECOND_DASH = new Map([[SOLID, [12, 4, 2, 4]], [DASHED, [6, 3, 1, 3]], [DOTTED, [2, 7]]]); // for a second run of the same colour

export const PANELS = [
  {
    id: "loss",
    title: "Loss",
    height: 296,
    log: true,
    clip: true,
    kinds: [
      { id: "loss-step", label: "each batch", about: "Loss of each training batch, before its update", column: "loss", colour: 0, faint: true },
      { id: "loss-smooth", label: "smoothed", about: "Moving average of the loss of each batch", column: "smooth", colour: 0 },
      { id: "loss-epoch", label: "training, epoch mean", about: "Mean over the epoch of the loss of each batch, while the weights changed", epoch: "train_loss", colour: 5, dash: DASHED },
      { id: "loss-val", label: "validation, epoch end", about: "Loss on the whole validation split at the end of the epoch, without label smoothing", epoch: "val_loss", colour: 1, dash: DOTTED },
    ],
  },
  {
    id: "accuracy",
    title: "Accuracy",
    height: 296,
    fraction: true,
    kinds: [
      { id: "accuracy-sample", label: "validation sample", about: "Accuracy on a fixed sample of the validation split, during the epoch, with its 95 % Wilson interval", sample: true, colour: 1, faint: true },
      { id: "accuracy-train", label: "training, epoch mean", about: "Share of correct predictions over the epoch, while the weights changed", epoch: "train_accuracy", colour: 0, dash: DASHED },
      { id: "accuracy-val", label: "validation, epoch end", about: "Accuracy on the whole validation split at the end of the epoch", epoch: "val_accuracy", colour: 1, dash: SOLID },
      { id: "accuracy-test", label: "test (each epoch)", epoch: "test_accuracy", colour: 4, dash: DOTTED },
    ],
  },
  {
    id: "lr",
    title: "Learning rate",
    height: 196,
    log: true,
    optional: true,
    kinds: [{ id: "lr", label: "learning rate", column: "lr", colour: 2 }],
  },
  {
    id: "gradient",
    title: "Gradient norm",
    height: 196,
    log: true,
    clip: true,
    optional: true,
    kinds: [{ id: "gradient", label: "gradient norm", column: "grad_norm", colour: 4, faint: true }],
  },
];

/** The dash of a kind for a run with a colour that `round` earlier runs have too. */
export const dashOf = (kind, round) => (round % 2 ? SECOND_DASH.get(kind.dash) : kind.dash);

/** Whether any of the runs has numbers for this kind; otherwise it gets no button. */
export function hasNumbers(kind, histories) {
  if (kind.sample) return histories.some((run) => run.samples.length);
  return kind.id !== "accuracy-test" || histories.some((run) => run.epochs.some((end) => end.test_accuracy != null));
}

/**
 * Compute the points of one curve inside a window of the x axis, at most a few per pixel.
 *
 * @param {RunHistory} history
 * @param {object} kind One of a panel's kinds.
 * @param {"step"|"epoch"|"seconds"} unit
 * @param {[number, number]|null} shown Window of the x axis; null shows all.
 * @param {number} pixels Width of the plot.
 * @returns {[number[], (number|null)[]]} x and y.
 */
export function points(history, kind, unit, shown, pixels) {
  if (kind.sample) return samplePoints(history, unit);
  return kind.epoch ? epochPoints(history, kind, unit) : stepPoints(history, kind, unit, shown, pixels);
}

function epochPoints(history, kind, unit) {
  const ends = history.epochs;
  return [ends.map((end) => history.stepAs(unit, end.step)), ends.map((end) => end[kind.epoch] ?? null)];
}

function samplePoints(history, unit) {
  return [history.samples.map(([step]) => history.stepAs(unit, step)), history.samples.map(([, correct, count]) => correct / count)];
}

/** Lower and upper end of the 95 % interval of each point of a curve; null if the curve has none. */
export function intervals(history, kind) {
  if (!kind.sample) return null;
  const ends = history.samples.map(([, correct, count]) => wilson(correct, count));
  return [ends.map(([low]) => low), ends.map(([, high]) => high)];
}

function stepPoints(history, kind, unit, shown, pixels) {
  const { step, seconds } = history.steps;
  const column = history.steps[kind.column];
  const from = shown ? Math.max(0, history.rowAt(unit, shown[0]) - 1) : 0;
  const to = shown ? Math.min(step.length, history.rowAt(unit, shown[1]) + 1) : step.length;
  const rows = column.extremes(from, to, pixels);
  const perEpoch = history.stepsPerEpoch;
  const x = unit === "seconds" ? (row) => seconds.at(row) : unit === "epoch" ? (row) => step.at(row) / perEpoch : (row) => step.at(row);
  return [rows.map(x), rows.map((row) => (Number.isNaN(column.at(row)) ? null : column.at(row)))];
}

/** Greatest x of any run. */
export function lastX(histories, unit) {
  return Math.max(0, ...histories.map((run) => (run.steps.step.length ? run.stepAs(unit, run.steps.step.last) : 0)));
}

/**
 * Right end of the x axis. For a live run it is a half, a quarter, an eighth... of the total (in seconds: 10, 20, 40...), so
 * that the scale changes only a few times in a run.
 */
export function rightEnd(histories, unit, isAnyLive) {
  const last = lastX(histories, unit);
  if (!isAnyLive) return last || 1;
  const total = unit === "seconds" ? Infinity : Math.max(0, ...histories.map((run) => totalX(run, unit)));
  if (total <= last) return last || 1;
  let end = unit === "seconds" ? 10 : total / 64;
  while (end < last) end *= 2;
  return Math.min(end, total);
}

function totalX(history, unit) {
  const steps = history.facts?.total_steps ?? 0;
  return unit === "step" ? steps : steps / history.stepsPerEpoch || 0;
}
