/** Formats of numbers, durations and states. The width of a text hardly changes between updates. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const count = (value) => (Number.isFinite(value) ? whole.format(value) : "–");

export const percent = (fraction) => (Number.isFinite(fraction) ? `${(100 * fraction).toFixed(2)} %` : "–");

/** Format a loss, a learning rate or a norm; as a power of ten below 1e-3 and from 1e4 on. */
export function figure(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e4)) return value.toExponential(2).replace("e+", "e");
  return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 4);
}

/** Format a duration: "180 ms", "48 s", "3 min 20 s", "2 h 5 min". */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const milliseconds = Math.round(1000 * seconds);
  if (milliseconds > 0 && milliseconds < 1000) return `${milliseconds} ms`;
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  if (rounded < 3600) return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
  return `${Math.floor(rounded / 3600)} h ${Math.floor((rounded % 3600) / 60)} min`;
}

/** Wilson's 95 % interval of a share: of `correct` right answers among `count`. */
export function wilson(correct, count) {
  const z = 1.959964;
  const share = correct / count;
  const middle = (share + (z * z) / (2 * count)) / (1 + (z * z) / count);
  const half = (z / (1 + (z * z) / count)) * Math.sqrt((share * (1 - share)) / count + (z * z) / (4 * count * count));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

const STATES = {
  queued: "Waiting",
  starting: "Starting",
  running: "Training",
  paused: "Paused",
  finished: "Finished",
  stopped: "Stopped",
  pruned: "Pruned",
  interrupted: "Interrupted",
  diverged: "Diverged",
  failed: "Failed",
  lost: "Lost",
};

export const stateLabel = (state) => STATES[state] ?? state;

/** Format a position on the x axis: "step 431", "epoch 1.20", "35.2 s". */
export function formatX(unit, x) {
  if (unit === "step") return `step ${count(x)}`;
  if (unit === "epoch") return `epoch ${x.toFixed(2)}`;
  return x < 60 ? `${x.toFixed(1)} s` : duration(x);
}
