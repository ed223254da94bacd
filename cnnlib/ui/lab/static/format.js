/** Numbers, sizes and shares as text; elements that are built once and written often. */
import { element, write } from "../common/live/dom.js";
import { wilson } from "../common/live/words.js";

export { element, wilson, write };

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const UNITS = [[1e12, "T"], [1e9, "G"], [1e6, "M"]];

/** Format a whole number: "98,442"; a dash where there is none. */
export const count = (value) => (Number.isFinite(value) ? whole.format(value) : "–");

/** Format a large count with three digits: "1.99 M"; smaller ones in full. */
export function compact(value, from = 1e6) {
  if (!Number.isFinite(value)) return "–";
  const unit = UNITS.find(([size]) => value >= Math.max(size, from));
  return unit ? `${digits(value / unit[0])} ${unit[1]}` : whole.format(value);
}

/** Format a number of bytes: "14.6 MB". */
export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  const [size, unit] = value >= 1e9 ? [1e9, "GB"] : value >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
  return `${digits(value / size)} ${unit}`;
}

/** Format a share of one as "98.1 %". */
export const percent = (share, decimals = 1) => (Number.isFinite(share) ? `${(100 * share).toFixed(decimals)} %` : "–");

/** Format a small share: "0 %", "<1 %", "12 %". */
export const shortPercent = (share) => (share > 0 && share < 0.01 ? "<1 %" : percent(share, 0));

/** Format a measured number with a minus sign and few digits: "−0.31". */
export function figure(value, decimals = 3) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e4) ? value.toExponential(1).replace("e+", "e") : value.toFixed(size >= 100 ? 0 : decimals);
  return text.replace("-", "−");
}

/** Format a shape as under the pictures of the other pages: "16@14×14" or "120". */
export const shape = (sizes) => (sizes.length === 1 ? String(sizes[0]) : `${sizes[0]}@${sizes[1]}×${sizes[2]}`);

/** Format a count with its noun: "1 map", "16 maps". */
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

const digits = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

/** Build a button. */
export function button(label, attributes, onClick) {
  const made = element("button", { type: "button", ...attributes }, [label]);
  made.addEventListener("click", onClick);
  return made;
}

/** Build a menu of a label and a native select; `onPick` gets the chosen value as text. */
export function menu(label, attributes, onPick) {
  const select = element("select", attributes);
  select.addEventListener("change", () => onPick(select.value));
  const root = element("label", { class: "field menu" }, [element("span", { class: "name" }, [label]), select]);
  return { root, select };
}

/** Set the options of a select, [value, text] each, and the chosen one; nothing is touched if unchanged. */
export function setOptions(select, options, value) {
  const key = JSON.stringify(options);
  if (select.dataset.key !== key) {
    select.dataset.key = key;
    select.replaceChildren(...options.map(([each, text]) => element("option", { value: each }, [text])));
  }
  if (select.value !== String(value)) select.value = String(value);
}

/** Set an attribute only if it changed. */
export function setAttribute(target, name, value) {
  if (target.getAttribute(name) !== String(value)) target.setAttribute(name, value);
}
