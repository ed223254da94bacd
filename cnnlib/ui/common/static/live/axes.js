/** Value axes of the live charts: a range that outliers do not flatten, few gridlines, tick labels that differ. */

const FAR = { percentile: 2, start: 1.2 }; // multiples of these beyond which a value is an outlier
const MOST_TICKS = 7;

/**
 * Find the range of a value axis.
 *
 * Outliers of a quantity from zero lie beyond twice the 95th percentile and beyond 1.2 times the first values of each curve,
 * with which a training begins. They are left outside the range, unless the axis is logarithmic.
 *
 * @param {(number|null)[][]} columns y values of each curve inside the visible window.
 * @param {object} kind log, fraction (values are 0..1), clip (leave outliers outside).
 * @returns {{range: [number, number], highest: number|null}} highest: The greatest value above the range, null if none is.
 */
export function valueRange(columns, { log, fraction, clip }) {
  const numbers = columns.map((column) => column.filter((y) => y != null && Number.isFinite(y)));
  const sorted = numbers.flat().sort((one, other) => one - other);
  if (!sorted.length) return { range: log ? [0.1, 1] : [0, 1], highest: null };
  const [low, max] = [sorted[0], sorted.at(-1)];
  if (log) return { range: [low * 0.9, max * 1.1], highest: null };
  const high = clip && low >= 0 ? usualTop(sorted, numbers) : max;
  const pad = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  const range = fraction ? [Math.max(0, low - pad), Math.min(1, high + pad)] : [low >= 0 && low < high / 2 ? 0 : low - pad, high + pad];
  return { range, highest: max > range[1] ? max : null };
}

function usualTop(sorted, numbers) {
  const percentile = sorted[Math.floor(0.95 * (sorted.length - 1))];
  const starts = numbers.map((column) => Math.min(...column.slice(0, 3)));
  const start = Math.max(0, ...starts.filter((y) => y <= 100 * percentile));
  const limit = Math.max(FAR.percentile * percentile, FAR.start * start);
  return limit > 0 ? sorted.findLast((y) => y <= limit) : sorted.at(-1);
}

/** Positions of gridlines on a logarithmic axis: powers of ten, or 1, 2 and 5 times them, or evenly spaced in a narrow range. */
export function logTicks(low, high) {
  const decades = Math.log10(high / low);
  if (decades < 0.7) return evenTicks(low, high);
  const every = decades < 2 ? 1 : Math.ceil(decades / MOST_TICKS);
  const factors = decades < 2 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    if (power % every) continue;
    for (const factor of factors) ticks.push(Number(`${factor}e${power}`));
  }
  return ticks.filter((y) => y >= low && y <= high);
}

function evenTicks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(i * step);
  return ticks;
}

/** Labels of the ticks of one axis, with as few digits as keep each of them exact. */
export function tickLabels(ticks, fraction) {
  const values = ticks.map((y) => (y == null ? null : fraction ? 100 * y : y));
  const isExact = (digits) => values.every((y) => y == null || Math.abs(Number(shortNumber(y, digits)) - y) <= 1e-9 * Math.abs(y));
  const digits = [1, 2, 3, 4, 5].find(isExact) ?? 6;
  return values.map((y) => (y == null ? "" : shortNumber(y, digits) + (fraction ? " %" : "")));
}

function shortNumber(y, digits) {
  const size = Math.abs(y);
  if (size >= 1e4 || (size > 0 && size < 1e-3)) return y.toExponential(digits - 1).replace("e+", "e");
  return String(Number(y.toPrecision(Math.max(digits, size >= 1 ? Math.floor(Math.log10(size)) + 1 : 1))));
}
