/** Columns in words: a heading, the layers behind it, and one sentence with its cost. */
import { at } from "../controls/design.js";
import { compact, count, plural, shape, shortPercent } from "../format.js";

const LETTER = 5.6; // pixels of a letter of the second line, on average
const SPACE = 14; // between the lines of two columns

/** The last part of a layer's path: "features.conv2" gives "conv2". */
const lastPart = (name) => name.slice(name.lastIndexOf(".") + 1);

/** The number at the end of a layer's name; 0 without one. */
const numberOf = (name) => Number(/[0-9]+$/.exec(name)?.[0] ?? 0);

/** The layer that begins a column: a convolution, a block, a pooling of all pixels, or a linear layer. */
function opening(column) {
  const names = column.layers.map(lastPart);
  return names.find((name) => /^(stem_conv|conv|block|gap|fc)/.test(name)) ?? names[0] ?? "";
}

/** Index of the convolution that a column shows among those of the design; -1 for another layer. */
export function convolutionOf(column) {
  const name = opening(column);
  return /^conv[0-9]/.test(name) ? numberOf(name) - 1 : -1;
}

/** Index of the hidden layer that a column shows; -1 for another layer. */
export function hiddenOf(column) {
  const name = opening(column);
  return column.kind === "vector" && /^fc[0-9]/.test(name) ? numberOf(name) - 1 : -1;
}

/** @returns {{title: string, short: string, kind: string}} kind: heading without its number, for a fold. */
export function heading(column, spec) {
  const name = opening(column);
  const number = numberOf(name);
  const size = (kernel) => (Array.isArray(kernel) ? kernel : [kernel, kernel]).join("×");
  if (name === "stem_conv") return { title: "Stem", short: "Stem", kind: "Stem", kernel: size(spec.stem?.kernel_size ?? 3) };
  if (name.startsWith("conv")) {
    const kernel = size(at(spec.kernel_size, number - 1));
    return { title: `Conv ${number}`, short: `Conv ${number}`, kind: `Conv ${kernel}`, kernel };
  }
  if (name.startsWith("block")) return { title: `Block ${number}`, short: `Block ${number}`, kind: "blocks" };
  if (name === "gap") return { title: "Average", short: "Mean", kind: "Average" };
  return { title: column.kind === "answers" ? "Answers" : `Linear ${number}`, short: `Linear ${number}`, kind: "Linear" };
}

/** The second line of a heading: as many of its layers as fit into `width` pixels, at least one. */
export function subheading(column, spec, width) {
  const { kernel } = heading(column, spec);
  const parts = [...(kernel ? [kernel] : []), ...column.after];
  const line = (count) => parts.slice(0, count).join(" · ") + (count < parts.length ? " …" : "");
  let count = parts.length;
  while (count > 1 && line(count).length * LETTER > width - SPACE) count -= 1;
  return count > 1 ? line(count) : parts[0] ?? "";
}

/** One sentence about a column, or about the columns that a fold stands for. */
export function sentence(columns, plan) {
  const [column] = columns.slice(-1);
  const total = columns.length;
  const params = columns.reduce((sum, each) => sum + each.params, 0);
  const macs = columns.reduce((sum, each) => sum + each.macs, 0);
  const { title, kernel } = heading(column, plan.spec);
  const name = total > 1 ? `${heading(columns[0], plan.spec).title} to ${title}` : title;
  const what = `${name}${kernel ? `, ${kernel}` : ""}: ${contents(column)}`;
  const { after } = column;
  const cost = `${plural(params, "parameter")} (${shortPercent(params / plan.params || 0)}), ${compact(macs, 1e5)} MACs (${shortPercent(macs / plan.macs || 0)})`;
  return `${what}${after.length ? `, after ${after.join(", ")}` : ""}. ${cost}.`;
}

function contents({ kind, shape: sizes }) {
  if (sizes.length > 1) return `${plural(sizes[0], "map")} of ${sizes[1]}×${sizes[2]}`;
  return kind === "answers" ? plural(sizes[0], "class").replace(/classs$/, "classes") : plural(sizes[0], "unit");
}

/** The shape of a column under its heading. */
export const shapeText = (column) => (column.shape.length > 1 ? shape(column.shape) : count(column.shape[0]));
