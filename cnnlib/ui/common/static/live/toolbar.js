/** The controls above the charts: unit of the x axis, linear or log scale, smoothing, optional charts, zoom reset. */
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
const OPTIONAL_PANELS = [
  ["lr", "Learning rate"],
  ["gradient", "Gradient norm"],
];

export class Toolbar {
  constructor(view) {
    this.view = view;
    this.buttons = [];
    this.smoothing = element("input", { type: "range", min: "0", max: String(SMOOTHINGS.length - 1), step: "1", "aria-label": "Steps over which the loss is smoothed" });
    this.smoothing.oninput = () => view.set({ smoothing: SMOOTHINGS[this.smoothing.value] });
    this.smoothingText = element("output", {});
    this.resetZoom = element("button", { type: "button", class: "quiet" }, ["Whole run"]);
    this.resetZoom.title = "Show the whole run again (or double-click in a chart)";
    this.resetZoom.onclick = () => view.zoomTo(null);
    this.root = element("div", { class: "toolbar", role: "toolbar", "aria-label": "Chart settings" }, [
      this.#choiceGroup("unit", "Unit of the x axis", UNITS),
      this.#choiceGroup("log", "Loss axis", SCALES),
      element("label", { class: "smoothing" }, ["Smoothing", this.smoothing, this.smoothingText]),
      ...OPTIONAL_PANELS.map(([id, label]) => this.#panelButton(id, label)),
      this.resetZoom,
    ]);
    this.draw();
  }

  draw() {
    const { settings, zoom } = this.view;
    for (const { button, isOn } of this.buttons) button.setAttribute("aria-pressed", String(isOn(settings)));
    this.smoothing.value = SMOOTHINGS.indexOf(settings.smoothing);
    const steps = settings.smoothing === 1 ? "off" : `${count(settings.smoothing)} steps`;
    this.smoothing.setAttribute("aria-valuetext", steps);
    write(this.smoothingText, steps);
    this.resetZoom.disabled = !zoom;
  }

  #choiceGroup(setting, label, options) {
    const buttons = options.map(([value, text]) =>
      this.#button(text, () => this.view.set({ [setting]: value }), (settings) => settings[setting] === value),
    );
    return element("div", { class: "choice", role: "group", "aria-label": label }, buttons);
  }

  #panelButton(id, text) {
    const button = this.#button(text, () => this.view.toggle("panels", id), (settings) => settings.panels.includes(id));
    button.className = "quiet";
    return button;
  }

  #button(text, onclick, isOn) {
    const button = element("button", { type: "button" }, [text]);
    button.onclick = onclick;
    this.buttons.push({ button, isOn });
    return button;
  }
}
