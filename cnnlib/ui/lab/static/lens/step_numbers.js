/** The numbers of one update: kernels before and after, and what changed one weight. Pure arithmetic. */
import { floats } from "../../common/pixels.js";

/** Decode the filter of an answer; null where it has none. */
export function decodeFilter(filter) {
  if (!filter) return null;
  const decoded = Object.fromEntries(["before", "gradient", "after"].map((name) => [name, floats(filter[name])]));
  return { ...filter, ...decoded, positions: filter.positions && floats(filter.positions) };
}

/** The weights that are written out: the kernel of one input map, or the weights of a unit with the largest gradients. */
export function shownWeights({ shape, gradient, positions }, source, most) {
  const area = shape[1] * shape[2];
  if (positions || area > 1) return Array.from({ length: area }, (_, i) => source * area + i);
  return Array.from(gradient.keys()).sort((one, other) => Math.abs(gradient[other]) - Math.abs(gradient[one])).slice(0, most);
}

/** The place, among some weights, of the largest gradient. */
export const strongestWeight = ({ gradient }, weights) =>
  weights.reduce((best, weight, place) => (Math.abs(gradient[weight]) > Math.abs(gradient[weights[best]]) ? place : best), 0);

/**
 * How one weight was changed.
 *
 * @param {object} view Of the route: optimizer, lr, clipping, weight_decay.
 * @returns {object} before, gradient, decay (what weight decay adds to the gradient), update and after; isRule: the update is that of plain SGD.
 */
export function changeOf({ optimizer, lr, clipping, weight_decay: weightDecay }, { before, gradient, after }, weight) {
  const made = after[weight] - before[weight];
  const decay = weightDecay * before[weight];
  const rule = -lr * ((clipping ?? NaN) * gradient[weight] + decay);
  const isEqual = Math.abs(rule - made) <= 1e-6 * (Math.abs(before[weight]) + Math.abs(made) + 0.01);
  return { before: before[weight], gradient: gradient[weight], decay, update: made, after: after[weight], isRule: optimizer === "sgd" && isEqual };
}

/** The summands of one gradient by position: the place counts within the kernel. */
export function summandsOf({ positions, size: [height, width] }, place) {
  return positions.subarray(place * height * width, (place + 1) * height * width);
}
