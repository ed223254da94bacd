/** The words of the lens: names of inputs, the later steps, and one sentence for a screen reader. */
import { figure, plural } from "../format.js";

const COLOURS = ["red", "green", "blue"];

/** The name of an input map: "map 5", "red", "the picture", "branch". */
export function sourceName({ operation, is_picture: isPicture, count }, index) {
  if (operation === "sum") return ["branch", "skip"][index];
  if (!isPicture) return `map ${index}`;
  return count === 1 ? "the picture" : count === 3 ? COLOURS[index] : `channel ${index}`;
}

/** The name of an input of a unit: "unit 3", or its map, row and column. */
export function inputName({ sources }, index) {
  const [maps, height = 1, width = 1] = sources;
  if (sources.length < 2 || height * width === 1) return `unit ${index % maps}`;
  const area = height * width;
  return `map ${Math.floor(index / area)} (${Math.floor((index % area) / width)}, ${index % width})`;
}

/** The other inputs of a sum: "15 others". */
export const othersName = (count) => plural(count, "other");

/** What a later step did to the number before it; "" where its name says enough. */
export function stepEffect({ kind, reduce, value, before, isLeftOut }) {
  if (isLeftOut) return "this place is left out at the edge";
  if (kind === "activation") return value === before ? "keeps it" : value === 0 ? "makes it 0" : "";
  if (reduce === "max") return value === before ? "takes this one" : "takes a larger neighbour";
  return "";
}

/** A short mark of what a maximum did: whether it is this place or a neighbour. */
export const stepMark = ({ reduce, value, before, isLeftOut }) =>
  reduce !== "max" || isLeftOut ? "" : value === before ? ": this" : ": a neighbour";

/** The whole sum of a place as one sentence. */
export function sumSentence(data, numbers) {
  const { row, column, source, share, others, value, later } = numbers;
  const place = data.kind === "window" && data.rows * data.columns > 1 ? `Row ${row}, column ${column}: ` : "";
  const rest = data.count > 1 ? `, ${othersName(data.count - 1)} ${figure(others)}` : "";
  const bias = data.bias ? `, bias ${figure(data.bias)}` : "";
  const steps = later.map((step) => `, ${step.word} ${step.isLeftOut ? stepEffect(step) : figure(step.value)}`).join("");
  return `${place}${data.kind === "unit" ? inputName(data, source) : sourceName(data, source)} ${figure(share)}${rest}${bias}: sum ${figure(value)}${steps}.`;
}
