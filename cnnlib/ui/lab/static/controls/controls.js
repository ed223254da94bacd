/** The controls of the design. They act while they are dragged; on release the design is handed to the page. */
import * as design from "./design.js";
import { button, element, menu, setAttribute, setOptions, write } from "../format.js";

const NOTE = "Every change shows at once. Layers whose shape stays keep what they learned.";
const FRESH_NOTE = "Every change shows at once, and starts with fresh weights.";

export class Controls {
  /**
   * @param {object} names What can be chosen by name, as {value, label}: blocks (with convs, those under a skip), norms, activations.
   * @param {object} on onInput(spec) while a control moves, onRelease(), onUndo(), onRedo().
   */
  constructor(names, on) {
    Object.assign(this, { names, on, spec: null, base: null, sliders: [], choices: [] });
    this.undo = button("↶", { class: "icon", "aria-label": "Undo", title: "Undo (Ctrl+Z)" }, on.onUndo);
    this.redo = button("↷", { class: "icon", "aria-label": "Redo", title: "Redo (Ctrl+Shift+Z)" }, on.onRedo);
    const head = element("header", {}, [element("h2", {}, ["Your network"]), element("span", { class: "pair" }, [this.undo, this.redo])]);
    this.form = element("div", { class: "form" });
    this.#buildForm();
    this.fresh = element("input", { type: "checkbox", "data-testid": "lab-fresh" });
    this.fresh.addEventListener("change", () => write(this.note, this.#rule));
    this.form.append(element("label", { class: "fresh", title: "Off: layers whose shape stays keep their weights" }, [this.fresh, "Fresh weights after a change"]));
    this.note = element("p", { class: "note", "aria-live": "polite" });
    this.link = element("a", { class: "settings" }, ["More settings"]);
    this.root = element("section", { class: "panel controls", "aria-label": "Your network" }, [head, this.form, this.note, this.link]);
  }

  #buildForm() {
    const most = design.MOST_CONVOLUTIONS;
    this.#slider("lab-convolutions", "Convolutions", [0, most], (spec) => spec.channels.length, design.withCount, (spec) => String(spec.channels.length));
    this.#slider("lab-pool-every", "Pool every", [0, design.MOST_POOL_EVERY], (spec) => Math.max(...[spec.pool_every].flat()), design.withPoolEvery, poolText);
    this.#slider("lab-channels", "Channels", [1, design.MOST_CHANNELS], design.firstWidth, design.withWidth, channelsText);
    this.#choice("lab-growth", "Growth", design.GROWTHS.map((each) => [each, `×${each}`]), design.findGrowth, design.withGrowth, design.hasGrowth);
    this.#slider("lab-kernel", "Kernel", [1, 7, 2], (spec) => design.kernelOf(spec) ?? 3, (spec, size) => ({ ...spec, kernel_size: size }), kernelText);
    const convs = Object.fromEntries(this.names.blocks.map((each) => [each.value, each.convs]));
    const blocks = pairs(this.names.blocks);
    this.#choice("lab-blocks", "Blocks", blocks, (spec) => spec.block, (spec, block) => design.withBlock(spec, block, convs[block]));
    this.#menus();
    this.#hidden();
  }

  #slider(testId, label, [min, max, step = 1], read, write_, text) {
    const input = element("input", { type: "range", min, max, step, "data-testid": testId, "aria-label": label });
    const output = element("output", {});
    input.addEventListener("input", () => this.#edit((spec) => write_(spec, Number(input.value))));
    input.addEventListener("change", () => this.#release());
    this.sliders.push({ input, output, read, text, max });
    this.form.append(element("div", { class: "field" }, [element("span", { class: "name" }, [label]), output, input]));
  }

  #choice(testId, label, options, read, write_, isEnabled = (spec) => spec.channels.length > 0) {
    const buttons = options.map(([value, text]) => button(text, { "data-value": value }, () => this.#change((spec) => write_(spec, value))));
    const group = element("span", { class: "choice", role: "group", "aria-label": label, "data-testid": testId }, buttons);
    this.choices.push({ buttons, options, read, isEnabled });
    this.form.append(element("div", { class: `field ${testId}` }, [element("span", { class: "name" }, [label]), group]));
  }

  #menus() {
    this.norm = menu("Norm", { "data-testid": "lab-norm" }, (value) => this.#change((spec) => ({ ...spec, norm: value })));
    this.activation = menu("Activation", { "data-testid": "lab-activation" }, (value) => this.#change((spec) => design.withActivation(spec, value)));
    this.form.append(element("div", { class: "twin" }, [this.norm.root, this.activation.root]));
  }

  #hidden() {
    this.hidden = element("input", { type: "text", "data-testid": "lab-hidden", placeholder: "none", spellcheck: "false", autocomplete: "off", title: "Units of each hidden layer, like 120, 84. Empty: no hidden layer." });
    this.hidden.addEventListener("input", () => this.#typeHidden());
    this.hidden.addEventListener("change", () => this.#release());
    this.hidden.addEventListener("keydown", (event) => event.key === "Enter" && this.hidden.blur());
    this.form.append(element("label", { class: "field hidden" }, [element("span", { class: "name" }, ["Hidden units"]), this.hidden]));
  }

  #typeHidden() {
    const units = design.parseHidden(this.hidden.value);
    setAttribute(this.hidden, "aria-invalid", units === null);
    if (units !== null) return this.#edit((spec) => ({ ...spec, hidden_dims: units }));
    write(this.note, `"Hidden units" is "${this.hidden.value.trim()}", but it must be a list of whole numbers. Write numbers like 120, 84, or 64*3 for three times 64.`);
  }

  /** Change the design as it was before the control moved, so that a way back leads back. */
  #edit(change) {
    this.base ??= this.spec;
    this.spec = change(this.base);
    this.#write();
    this.on.onInput(this.spec);
  }

  #release() {
    if (this.base === null) return this.#write();
    this.base = null;
    this.on.onRelease();
  }

  #change(change) {
    this.base = null;
    this.#edit(change);
    this.#release();
  }

  /** Whether a change starts with fresh weights. */
  get startsFresh() {
    return this.fresh.checked;
  }

  get #rule() {
    return this.startsFresh ? FRESH_NOTE : NOTE;
  }

  /** Whether a control is being moved. */
  get isMoving() {
    return this.base !== null;
  }

  /** Change one column's channels or units by a step, from outside. */
  resize(change) {
    if (this.spec) this.#change(change);
  }

  /** @param {object} view spec, note (a sentence), canUndo, canRedo, buildPage. */
  show({ spec, note, canUndo, canRedo, buildPage }) {
    this.undo.disabled = !canUndo;
    this.redo.disabled = !canRedo;
    setAttribute(this.link, "href", buildPage);
    write(this.note, note || this.#rule);
    this.note.classList.toggle("news", Boolean(note));
    if (!this.isMoving) this.spec = spec;
    this.#write(spec);
  }

  /** @param {object} spec The planned design; while a control is moved, it shows what the hand does. */
  #write(spec = this.spec) {
    for (const { input, output, read, text, max } of this.sliders) {
      const value = read(spec);
      setAttribute(input, "max", Math.max(max, value));
      if (!(this.isMoving && input.matches(":focus, :active")) && Number(input.value) !== value) input.value = String(value);
      const share = (Number(input.value) - Number(input.min)) / (Number(input.max) - Number(input.min));
      input.style.setProperty("--share", `${100 * share}%`);
      input.disabled = !spec.channels.length && input.dataset.testid !== "lab-convolutions";
      setAttribute(input, "aria-valuetext", text(spec));
      write(output, text(spec));
    }
    for (const { buttons, options, read, isEnabled } of this.choices) this.#writeChoice(buttons, options, read(spec), isEnabled(spec));
    setOptions(this.norm.select, pairs(this.names.norms), spec.norm);
    this.norm.select.disabled = !spec.channels.length;
    setOptions(this.activation.select, pairs(this.names.activations), spec.activation);
    if (!this.isMoving) this.hidden.value = spec.hidden_dims.join(", ");
  }

  #writeChoice(buttons, options, value, isEnabled) {
    buttons.forEach((each, i) => {
      setAttribute(each, "aria-pressed", isEnabled && options[i][0] === value);
      each.disabled = !isEnabled;
    });
  }
}

const pairs = (names) => names.map(({ value, label }) => [value, label]);

const poolText = (spec) => (Array.isArray(spec.pool_every) ? spec.pool_every.join(", ") : spec.pool_every ? (spec.pool_every === 1 ? "1 conv" : `${spec.pool_every} convs`) : "never");

function channelsText({ channels }) {
  if (!channels.length) return "–";
  const last = channels.at(-1);
  return channels[0] === last ? String(last) : `${channels[0]} → ${last}`;
}

function kernelText(spec) {
  const size = design.kernelOf(spec);
  return spec.channels.length ? (size === null ? [...new Set(spec.kernel_size.map((each) => String(each).replace(",", "×")))].join(", ") : `${size} × ${size}`) : "–";
}
