/** The sum of the lens as a chain: share + others + bias = sum, then norm, activation and pooling. */
import { element, figure, setAttribute, write } from "../format.js";
import { othersName, sourceName, stepEffect, stepMark } from "./words.js";

export class Chain {
  constructor() {
    this.links = [];
    this.root = element("div", { class: "lens-chain" });
  }

  /** @param {object} data Of `decodeLens`. @param {object} numbers Of `numbersAt`. @param {object|null} listed share and count of a unit's listed products. */
  show(data, numbers, listed) {
    this.write([...terms(data, numbers, listed), sumTerm(numbers), ...numbers.later.map(laterTerm)]);
  }

  /** @param {object[]} terms name, value (or text), sign before it, kind, title, and attributes of the number. */
  write(terms) {
    while (this.links.length < terms.length) this.links.push(this.#build());
    while (this.links.length > terms.length) this.links.pop().root.remove();
    this.links.forEach((link, i) => showTerm(link, terms[i], i));
  }

  #build() {
    const [sign, name, number] = [element("i", { "aria-hidden": "true" }), element("small", {}), element("b", {})];
    const root = element("span", { class: "lens-term" }, [sign, element("span", {}, [name, number])]);
    this.root.append(root);
    return { root, sign, name, number };
  }
}

function showTerm({ root, sign, name, number }, term, place) {
  write(sign, place ? term.sign : "");
  write(name, term.name);
  write(number, term.text ?? figure(term.value));
  setAttribute(root, "title", term.title ?? "");
  setAttribute(root, "class", `lens-term ${term.kind ?? ""}`);
  if (!term.attributes) return number.removeAttribute("data-testid");
  for (const [attribute, value] of Object.entries(term.attributes)) setAttribute(number, attribute, value);
}

/** What is added: of a window the share of one input map and of all others, of a unit its listed products and the others. */
function terms(data, numbers, listed) {
  const { count, operation, bias } = data;
  const found = [];
  if (operation === "sum") numbers.shares.forEach((value, i) => found.push({ sign: "+", name: sourceName(data, i), value }));
  else if (listed) found.push(...split(listed.share, numbers.total - listed.share, `${listed.count} above`, count - listed.count));
  else if (operation === "global_avg_pool") found.push({ sign: "", name: `sum of ${data.height * data.width} × 1/${data.height * data.width}`, value: numbers.total });
  else found.push(...split(numbers.share, numbers.others, count > 1 ? "this map" : "products", count - 1));
  return bias ? [...found, { sign: "+", name: "bias", value: bias }] : found;
}

function split(share, others, name, rest) {
  const first = { sign: "", name, value: share, kind: "own" };
  return rest > 0 ? [first, { sign: "+", name: othersName(rest), value: others }] : [first];
}

function sumTerm({ value, output, isEqual }) {
  const title = isEqual ? "Equal to the network's own value" : `The network's own value is ${figure(output, 5)}`;
  const attributes = { "data-testid": "lab-lens-sum", "data-value": value, "data-network": output };
  return { sign: "=", name: isEqual ? "sum ✓" : "sum ≠", value, kind: "sum", title, attributes };
}

function laterTerm(step) {
  const { word, value, isLeftOut } = step;
  return { sign: "→", name: word + stepMark(step), value, text: isLeftOut ? "left out" : undefined, kind: "later", title: `${word} ${stepEffect(step)}` };
}
