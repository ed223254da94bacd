/**
 * A design as the controls read and change it.
 *
 * The rules are those of the Build page (cnnlib/ui/build/channels.py and controls.py): channels that follow first width and
 * growth are computed anew when a control changes; a custom list is shortened, extended or scaled. They stand here once.
 */

const PER_CONVOLUTION = ["kernel_size", "stride", "padding", "dilation", "bias"];
const WIDEST_GROWN = 512;
const FIRST_WIDTH = 16;

export const GROWTHS = [1, 1.5, 2];
export const MOST_CONVOLUTIONS = 20; // of the slider; more on the Build page
export const MOST_CHANNELS = 128; // of the slider
export const MOST_POOL_EVERY = 10; // of the slider
export const KERNELS = [1, 3, 5, 7];
/** Round halves to even numbers, as Python does. */
function roundEven(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 ? low + 1 : low;
}

/** Channels of `count` convolutions: `width` in the first group, multiplied by `growth` in each further one. */
export function growChannels(spec, total, width, growth) {
  return groupSizes(spec, total).flatMap((size, number) => {
    const grown = Math.min(roundEven(width * growth ** number), Math.max(width, WIDEST_GROWN));
    return groupChannels(spec, size, grown);
  });
}

/** Convolutions of each group, for `total` in all; where groups differ, the last ones are cut, or the last one is extended. */
function groupSizes(spec, total) {
  const lengths = Array.isArray(spec.pool_every) ? spec.pool_every : Array(total).fill(spec.pool_every || total);
  const sizes = [];
  let rest = total;
  for (const length of lengths) {
    if (rest > 0) sizes.push(Math.min(length, rest));
    rest -= length;
  }
  if (rest > 0 && sizes.length) sizes[sizes.length - 1] += rest;
  return sizes;
}

/** Channels of one group; the inner convolutions of a bottleneck have a quarter. */
function groupChannels(spec, size, width) {
  const step = spec.block_convs || size;
  const channels = [];
  for (let start = 0; start < size; start += step) {
    const block = Math.min(step, size - start);
    const isNarrow = spec.block === "bottleneck" && block > 2;
    for (let i = 0; i < block; i++) channels.push(isNarrow && i > 0 && i < block - 1 ? Math.max(1, Math.floor(width / 4)) : width);
  }
  return channels;
}

/** The growth that the channels of a design follow; null for a custom list. */
export function findGrowth(spec) {
  if (!spec.channels.length) return GROWTHS.at(-1);
  const isSame = (growth) => growChannels(spec, spec.channels.length, spec.channels[0], growth).every((each, i) => each === spec.channels[i]);
  return GROWTHS.find(isSame) ?? null;
}

/** Whether there is more than one group, so that growth makes a difference. */
export const hasGrowth = (spec) => Boolean(spec.pool_every) && groupSizes(spec, spec.channels.length).length > 1;

/** Channels of the first convolution; the default where there is none. */
export const firstWidth = (spec) => spec.channels[0] ?? FIRST_WIDTH;

/** Set the number of convolutions. */
export function withCount(spec, total) {
  const growth = findGrowth(spec);
  return withChannels(spec, growth === null ? fitLength(spec.channels, total) : growChannels(spec, total, firstWidth(spec), growth));
}

/** Set the channels of the first convolution; a custom list keeps its proportions. */
export function withWidth(spec, width) {
  if (!spec.channels.length) return spec;
  const growth = findGrowth(spec);
  if (growth !== null) return withChannels(spec, growChannels(spec, spec.channels.length, width, growth));
  const scale = width / spec.channels[0];
  return withChannels(spec, spec.channels.map((each) => Math.max(1, roundEven(each * scale))));
}

/** Set the channels that follow this growth. */
export const withGrowth = (spec, growth) => withChannels(spec, growChannels(spec, spec.channels.length, firstWidth(spec), growth));

/** Set the convolutions of a group. */
export const withPoolEvery = (spec, every) => regrow(spec, { pool_every: every });

/** Set the kind of block; in a long group a skip spans `convs` convolutions. */
export function withBlock(spec, block, convs) {
  if (block === spec.block) return spec;
  const group = Math.max(0, ...groupSizes(spec, spec.channels.length));
  return regrow(spec, { block, block_convs: group > convs ? convs : 0 });
}

/** Set the activation, and drop the parameters of the one before. */
export const withActivation = (spec, name) => (name === spec.activation ? spec : { ...spec, activation: name, activation_params: {} });

/**
 * Where a repair made the groups larger, channels that grew from group to group are computed anew for the new groups.
 *
 * @returns {object|null} The design to plan in place of `asked`; null if its channels do not depend on the groups.
 */
export function refit(asked, planned) {
  const growth = findGrowth(asked);
  if (growth === null || !asked.channels.length || String(planned.pool_every) === String(asked.pool_every)) return null;
  const fitted = withGrowth({ ...asked, pool_every: planned.pool_every }, growth);
  return String(fitted.channels) === String(planned.channels) ? null : fitted;
}

/** Set the channels of one convolution. */
export const withChannelsOf = (spec, place, width) => withChannels(spec, spec.channels.map((each, i) => (i === place ? width : each)));

/** Set the units of one hidden layer. */
export const withUnitsOf = (spec, place, units) => ({ ...spec, hidden_dims: spec.hidden_dims.map((each, i) => (i === place ? units : each)) });

/** Read hidden layers written as "120, 84" or "64*3"; null if the text has anything else. */
export function parseHidden(text) {
  const found = [];
  const words = text.trim().replace(/\s*[*]\s*/g, "*").split(/[\s,;]+/).filter(Boolean);
  for (const word of words) {
    const [, units, times] = /^([1-9][0-9]{0,8})(?:[*]([1-9][0-9]?))?$/.exec(word) ?? [];
    if (!units) return null;
    found.push(...Array(Number(times ?? 1)).fill(Number(units)));
  }
  return found;
}

/** The kernel size of all convolutions; null if they differ. */
export const kernelOf = (spec) => (typeof spec.kernel_size === "number" ? spec.kernel_size : null);

/** The value of a per-convolution field at one convolution. */
export const at = (value, place) => (Array.isArray(value) ? value[place] : value);

function regrow(spec, changes) {
  const growth = findGrowth(spec);
  const changed = { ...spec, ...changes };
  return growth === null ? changed : withGrowth(changed, growth);
}

function withChannels(spec, channels) {
  const changed = { ...spec, channels };
  if (Array.isArray(spec.pool_every)) changed.pool_every = channels.length ? groupSizes(spec, channels.length) : 1;
  for (const name of PER_CONVOLUTION) {
    if (!Array.isArray(spec[name])) continue;
    const entries = fitLength(spec[name], channels.length);
    changed[name] = entries.length ? entries : spec[name][0];
  }
  return changed;
}

function fitLength(entries, length) {
  if (entries.length >= length) return entries.slice(0, length);
  return [...entries, ...Array(length - entries.length).fill(entries.at(-1))];
}
