/** A chart with its title and the buttons that show and hide its curves. */
import { Chart } from "./chart.js";
import { dashOf, hasNumbers, intervals, points } from "./curves.js";
import { element, write } from "./dom.js";
import { MarkRow } from "./marks.js";
import { figure, formatX, percent } from "./words.js";

const KEYS = "Plus and minus zoom, the arrow keys move, zero shows everything.";

export class Panel {
  constructor(uPlot, definition, view) {
    this.definition = definition;
    this.view = view;
    this.buttons = new Map();
    this.canvas = element("div", {
      class: "canvas",
      tabindex: "0",
      role: "img",
      "aria-label": `${definition.title}. ${KEYS}`,
    });
    this.canvas.style.minHeight = `${definition.height}px`;
    this.legend = element("div", { class: "legend", role: "group", "aria-label": `Curves of ${definition.title}` });
    this.title = element("h2", {}, [definition.title]);
    this.marks = new MarkRow();
    this.above = element("span", { class: "above", title: "The axis leaves out outliers. Zoom in or use the Log scale to see them" });
    this.root = element("section", { class: "panel", "data-panel": definition.id }, [
      element("header", {}, [this.title, this.above, this.legend]),
      this.canvas,
      this.marks.root,
    ]);
    this.chart = new Chart(uPlot, this.canvas, {
      ...definition,
      group: view.group,
      onZoom: (range) => view.zoomTo(range),
    });
  }

  draw() {
    const { view, definition } = this;
    this.root.hidden = Boolean(definition.optional) && !view.settings.panels.includes(definition.id);
    if (this.root.hidden) return;
    const kinds = definition.kinds.filter((kind) => hasNumbers(kind, view.histories));
    this.#updateButtons(kinds);
    const shown = kinds.filter((kind) => !view.hidden.includes(kind.id));
    const numbered = shown.find((kind) => !kind.faint) ?? shown[0];
    const curves = shown.flatMap((kind) => view.visibleRuns.map((run) => ({ kind, run, end: kind === numbered })));
    const log = Boolean(definition.log) && view.settings.log;
    const window = view.window;
    const tables = curves.map(({ kind, run }) => this.#points(run, kind, window, log));
    const lines = curves.map((curve, i) => this.#line(curve, tables[i]));
    this.#describe(lines, tables);
    if (definition.id === "loss") write(this.title, view.lossTitle);
    const marks = view.marks;
    const highest = this.chart.draw(lines, tables, {
      unit: view.settings.unit,
      log,
      window,
      marks: marks.map(({ x }) => x),
      theme: view.theme,
    });
    write(this.above, highest == null ? "" : `▲ up to ${definition.fraction ? percent(highest) : figure(highest)}`);
    this.#drawMarkRow(marks, window);
  }

  #drawMarkRow(marks, [from, to]) {
    const { chart, view } = this;
    const visible = marks.filter(({ x }) => x >= from && x <= to);
    const inPixels = visible.map(({ x, text }) => ({ x: chart.toPixels(x), text, at: formatX(view.settings.unit, x) }));
    this.marks.draw(inPixels, chart.area.left, chart.area.width);
  }

  destroy() {
    this.chart.destroy();
  }

  #points(run, kind, window, log) {
    const [xs, ys] = points(run, kind, this.view.settings.unit, window, this.chart.pixels);
    return [xs, log ? ys.map((y) => (y > 0 ? y : null)) : ys];
  }

  /** Write the last values of the visible curves into the label for screen readers. */
  #describe(lines, tables) {
    const { title, fraction } = this.definition;
    const ends = lines.flatMap(({ label }, line) => {
      const last = tables[line][1].findLast((y) => y != null);
      return last == null ? [] : [`${label} ${fraction ? percent(last) : figure(last)}`];
    });
    const text = ends.length ? `ending at ${ends.join(", ")}` : "no curve yet";
    this.canvas.setAttribute("aria-label", `${title}, ${text}. ${KEYS}`);
  }

  #line({ kind, run, end }, [xs]) {
    const { view } = this;
    const several = view.histories.length > 1;
    return {
      label: several ? `${view.nameOf(run)}, ${kind.label}` : kind.label,
      colour: several ? view.colourOf(run) : view.colour(kind.colour),
      dash: several ? dashOf(kind, view.roundOf(run)) : kind.dash,
      end: several && end ? String(view.indexOf(run) + 1) : "",
      faint: kind.faint,
      dots: Boolean(kind.epoch) || xs.length === 1, // a line of one point is invisible
      band: view.histories.length === 1 ? intervals(run, kind) : null,
    };
  }

  #updateButtons(kinds) {
    if (this.definition.kinds.length === 1) return;
    for (const kind of kinds) {
      if (!this.buttons.has(kind.id)) this.#addButton(kind);
      const button = this.buttons.get(kind.id);
      button.setAttribute("aria-pressed", String(!this.view.hidden.includes(kind.id)));
      button.style.setProperty("--line", this.view.histories.length > 1 ? "currentColor" : this.view.colour(kind.colour));
    }
  }

  #addButton(kind) {
    const style = kind.faint ? "faint" : kind.dash ? (kind.dash[0] > 3 ? "dashed" : "dotted") : "solid";
    const button = element("button", { type: "button", class: "curve", "data-curve": kind.id }, [
      element("i", { class: style, "aria-hidden": "true" }),
      kind.label,
    ]);
    button.title = kind.about ?? "";
    button.onclick = () => this.view.toggle(this.view.hiddenName, kind.id);
    this.buttons.set(kind.id, button);
    this.legend.append(button);
  }
}
