/** The numbers of the lens: one place of a map, from its window to the output of its column. Pure arithmetic. */
import { floats } from "../../common/pixels.js";
import { windowAt } from "../../common/sums.js";

/** Decode an answer; it is done once, every place is computed from it. */
export function decodeLens(answer) {
  const after = answer.after.map((each) => ({ ...each, values: floats(each.values) }));
  return { ...answer, inputs: floats(answer.inputs), kernel: floats(answer.kernel), bias: floats(answer.bias)[0], output: floats(answer.output), after };
}

/** The map to point at: after the norm and the activation, before a pooling. */
export function shownMap({ output, after }) {
  const end = after.findIndex(({ kind }) => kind === "pool");
  return (end < 0 ? after : after.slice(0, end)).at(-1)?.values ?? output;
}

/** The place of the largest value of the shown map, as [row, column]. */
export function strongestPlace(data) {
  const values = shownMap(data);
  let best = 0;
  for (let i = 1; i < values.length; i++) if (Math.abs(values[i]) > Math.abs(values[best])) best = i;
  return [Math.floor(best / data.columns), best % data.columns];
}

/**
 * All numbers of one place.
 *
 * @param {object} data Of `decodeLens`. @param {number} source The input map whose window is written out.
 * @returns {object} total, value, output; of each input map its share of the total; window, kernel and products of the source; the steps after the sum.
 */
export function numbersAt(data, row, column, source) {
  const found = windowAt(data, row, column);
  const area = data.kernel_height * data.kernel_width;
  const ofSource = (values) => values.subarray(source * area, (source + 1) * area);
  const shares = sharesOf(found.products, area);
  const output = data.output[row * data.columns + column];
  return {
    row, column, source, shares, output, total: found.total, value: found.value, share: shares[source], others: found.total - shares[source],
    window: ofSource(found.patch), kernel: ofSource(data.kernel), products: ofSource(found.products), all: found.products, patch: found.patch,
    isEqual: !(Math.abs(found.value - output) > found.tolerance), later: laterSteps(data, row, column, output),
  };
}

/** The sum of the products of each input map, in the order of the network's total. */
function sharesOf(products, area) {
  const shares = new Float64Array(products.length / area);
  for (let i = 0; i < products.length; i++) shares[Math.floor(i / area)] += products[i];
  return shares;
}

/** The steps after the sum at a place, with their values; a pooling may leave the place out. */
function laterSteps(data, row, column, output) {
  const found = [];
  let [r, c, columns, before] = [row, column, data.columns, output];
  for (const step of data.after) {
    if (step.kind === "pool") [r, c] = pooledPlace(step, r, c) ?? [];
    if (r === undefined) return [...found, { ...step, isLeftOut: true }];
    columns = step.columns ?? columns;
    const value = step.values[r * columns + c];
    found.push({ kind: step.kind, word: step.word, reduce: step.reduce, value, before, place: [r, c] });
    before = value;
  }
  return found;
}

/** The window of a pooling that reads a place, as [row, column]; null if none does. */
export function pooledPlace(pool, row, column) {
  const along = (at, count) => {
    for (let place = Math.min(count - 1, Math.floor((at + pool.padding) / pool.stride)); place >= 0; place--) {
      const offset = at + pool.padding - place * pool.stride;
      if (offset >= pool.dilation * pool.kernel_size) return null;
      if (offset >= 0 && offset % pool.dilation === 0) return place;
    }
    return null;
  };
  const found = [along(row, pool.rows), along(column, pool.columns)];
  return found.includes(null) ? null : found;
}

/** The corner and size of the window that a pooling reads around a place, as [x, y, side]; null without one. */
export function poolWindow(data, row, column) {
  const pool = data.after.find(({ kind }) => kind === "pool");
  const place = pool && pooledPlace(pool, row, column);
  if (!place) return null;
  const corner = (at) => at * pool.stride - pool.padding;
  return [corner(place[1]), corner(place[0]), pool.dilation * (pool.kernel_size - 1) + 1];
}

/** Indices of the largest products by size, at most `most`. */
export const largestProducts = (products, most) =>
  Array.from(products.keys()).sort((one, other) => Math.abs(products[other]) - Math.abs(products[one])).slice(0, most);
