/** The row of controls above the charts: unit of the x axis, linear or logarithmic, smoothing, more curves, all of it. */
import { element, write } from "./dom.js";
import { count } from "./words.js";

const UNITS = [
  ["step", "Steps"],
  ["epoch", "Epochs"],
  ["seconds", "Seconds"],
];
const SCALES = [
  [false, "Linear"],
  [true, "Log"],
];
const SMOOTHINGS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];
const MORE = [
  ["lr", "Learning rate"],
  ["gradient", "Gradient norm"],
];

export class Toolbar {
  constructor(view) {
    this.view = view;
    this.choices = [];
    this.smoothing = element("input", { type: "range", min: "0", max: String(SMOOTHINGS.length - 1), step: "1", "aria-label": "Steps over which the loss is smoothed" });
    this.smoothing.oninput = () => view.set({ smoothing: SMOOTHINGS[this.smoothing.value] });
    this.smoothed = element("output", {});
    this.all = element("button", { type: "button", class: "quiet" }, ["Whole run"]);
    this.all.title = "End the zoom (double click in a chart does the same)";
    this.all.onclick = () => view.zoomTo(null);
    this.root = element("div", { class: "toolbar", role: "toolbar", "aria-label": "How the curves are drawn" }, [
      this.#choice("unit", "Along the x axis", UNITS),
      this.#choice("log", "Loss axis", SCALES),
      element("label", { class: "smoothing" }, ["Smoothing", this.smoothing, this.smoothed]),
      ...MORE.map(([id, label]) => this.#extra(id, label)),
      this.all,
    ]);
    this.draw();
  }

  draw() {
    const { settings, zoom } = this.view;
    for (const { button, isOn } of this.choices) button.setAttribute("aria-pressed", String(isOn(settings)));
    this.smoothing.value = SMOOTHINGS.indexOf(settings.smoothing);
    const steps = settings.smoothing === 1 ? "off" : `${count(settings.smoothing)} steps`;
    this.smoothing.setAttribute("aria-valuetext", steps);
    write(this.smoothed, steps);
    this.all.disabled = !zoom;
  }

  #choice(setting, label, options) {
    const buttons = options.map(([value, text]) =>
      this.#button(text, () => this.view.set({ [setting]: value }), (settings) => settings[setting] === value),
    );
    return element("div", { class: "choice", role: "group", "aria-label": label }, buttons);
  }

  #extra(id, text) {
    const button = this.#button(text, () => this.view.toggle("panels", id), (settings) => settings.panels.includes(id));
    button.className = "quiet";
    return button;
  }

  #button(text, onclick, isOn) {
    const button = element("button", { type: "button" }, [text]);
    button.onclick = onclick;
    this.choices.push({ button, isOn });
    return button;
  }
}
