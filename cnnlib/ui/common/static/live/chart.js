/** One uPlot chart: lines over a shared x axis, zoom by drag that updates leave alone, marks, and the values under the mouse. */
import { figure, percent, place, count } from "./words.js";
import { fainter } from "./theme.js";

const TICKS = { step: (x) => (Number.isInteger(x) ? count(x) : ""), epoch: (x) => String(+x.toFixed(3)), seconds: (x) => String(+x.toFixed(1)) };
const TITLES = { step: "Step", epoch: "Epoch", seconds: "Training time (s)" };
const NUMBER_HEIGHT = 11; // of the numbers at the ends of curves, in CSS pixels

export class Chart {
  /**
   * @param {Function} uPlot The library.
   * @param {HTMLElement} host Gets the canvas; its width is followed.
   * @param {object} options height, fraction (values are 0..1, shown in per cent), onZoom(window|null), group (charts whose
   *   cursors move together).
   */
  constructor(uPlot, host, options) {
    Object.assign(this, { uPlot, host, options, plot: null, key: "", tables: [], marks: [], window: [0, 1] });
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.watch = new ResizeObserver(() => this.#resize());
    this.watch.observe(host);
    host.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Width of the plotting area in CSS pixels: how many points are worth drawing. */
  get pixels() {
    return this.plot ? this.plot.over.clientWidth || this.plot.width : this.host.clientWidth;
  }

  /**
   * Draw.
   *
   * @param {object[]} lines label, colour, dash, faint, dots (few points, each marked), end (a word at its end) per line.
   * @param {[number[], number[]][]} tables Points of each line, in the same order.
   * @param {object} view unit, log, window ([from, to] of x), marks ([{x, text}]), theme.
   */
  draw(lines, tables, view) {
    Object.assign(this, { lines, tables, marks: view.marks, window: view.window, unit: view.unit });
    const key = JSON.stringify([lines, view.unit, view.log, view.theme]);
    const data = tables.length ? this.uPlot.join(tables) : [[]];
    if (key === this.key) return this.plot.setData(data);
    this.key = key;
    this.plot?.destroy();
    this.plot = new this.uPlot(this.#settings(lines, view), data, this.host);
    this.plot.over.append(this.tip);
  }

  destroy() {
    this.watch.disconnect();
    this.plot?.destroy();
  }

  #settings(lines, view) {
    const { theme, log, unit } = view;
    const { height, fraction, group } = this.options;
    const axis = { stroke: fainter(theme.text, 0.72), font: theme.font, ticks: { show: false } };
    const grid = { stroke: theme.border, width: 1 };
    return {
      width: Math.max(200, this.host.clientWidth),
      height,
      legend: { show: false },
      padding: [10, 28, 0, 0],
      scales: { x: { time: false, range: () => this.window }, y: { distr: log ? 3 : 1, range: (_, low, high) => rangeOf(low, high, log, fraction) } },
      axes: [
        { ...axis, label: TITLES[unit], labelFont: theme.font, labelSize: 16, labelGap: 0, size: 28, space: 70, grid: { show: false }, values: (_, ticks) => ticks.map(TICKS[unit]) },
        { ...axis, size: 62, space: 36, grid, values: (_, ticks) => ticks.map((y) => tickOf(y, fraction)) },
      ],
      series: [{}, ...lines.map(seriesOf)],
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => this.options.onZoom(null) },
        sync: { key: group, scales: ["x", null], filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
      },
      hooks: {
        setSelect: [(plot) => this.#onSelect(plot)],
        setCursor: [(plot) => this.#showTip(plot)],
        draw: [(plot) => this.#drawMarks(plot, theme), (plot) => this.#drawEnds(plot, theme)],
      },
    };
  }

  #onSelect(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    this.options.onZoom([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  /** Plus and minus zoom about the middle, the arrows move, 0 and Escape show everything. */
  #onKey(event) {
    const [from, to] = this.window;
    const width = to - from;
    const moves = {
      "+": [from + width / 4, to - width / 4],
      "=": [from + width / 4, to - width / 4],
      "-": [from - width / 2, to + width / 2],
      ArrowLeft: [from - width / 4, to - width / 4],
      ArrowRight: [from + width / 4, to + width / 4],
    };
    if (event.key === "0" || event.key === "Escape") this.options.onZoom(null);
    else if (moves[event.key]) this.options.onZoom(moves[event.key]);
    else return;
    event.preventDefault();
  }

  #showTip(plot) {
    const { left } = plot.cursor;
    const x = left >= 0 ? plot.posToVal(left, "x") : NaN;
    const rows = left >= 0 ? this.#valuesAt(x) : [];
    this.tip.hidden = !rows.length;
    if (!rows.length) return;
    this.tip.replaceChildren(textLine(place(this.unit, x)), ...rows);
    const right = left > this.pixels / 2;
    this.tip.style.left = right ? "" : `${left + 12}px`;
    this.tip.style.right = right ? `${this.pixels - left + 12}px` : "";
  }

  #valuesAt(x) {
    return this.lines.flatMap((line, at) => {
      const y = nearest(this.tables[at], x);
      if (y == null) return [];
      const row = textLine(`${line.label}  ${this.options.fraction ? percent(y) : figure(y)}`);
      row.style.setProperty("--line", line.colour);
      row.className = "value";
      return [row];
    });
  }

  #drawMarks(plot, theme) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = fainter(theme.text, 0.6);
    ctx.font = `${11 * devicePixelRatio}px sans-serif`;
    ctx.textAlign = "left";
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    const ends = []; // where the words of each row end: a word goes to the first row with room for it
    for (const { x, text } of this.marks) {
      const left = Math.round(plot.valToPos(x, "x", true));
      if (left < bbox.left || left > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(left, bbox.top);
      ctx.lineTo(left, bbox.top + bbox.height);
      ctx.stroke();
      const width = ctx.measureText(text).width + 8 * devicePixelRatio;
      const from = left + width < ctx.canvas.width ? left : left - width;
      const free = ends.findIndex((end) => end <= from);
      const row = free < 0 ? ends.length : free;
      ends[row] = from + width;
      ctx.fillText(text, from + 4 * devicePixelRatio, bbox.top + (12 + 13 * row) * devicePixelRatio);
    }
    ctx.restore();
  }

  /** Words beside the ends of the curves that are shown; they make room for each other. */
  #drawEnds(plot, theme) {
    const { ctx, bbox } = plot;
    const gap = NUMBER_HEIGHT * devicePixelRatio;
    const bottom = bbox.top + bbox.height;
    const ends = this.lines.flatMap(({ end }, at) => {
      const [xs, ys] = this.tables[at];
      const last = end ? ys.findLastIndex((y, i) => y != null && xs[i] <= this.window[1]) : -1;
      if (last < 0 || xs[last] < this.window[0]) return [];
      const top = Math.max(bbox.top, Math.min(bottom, plot.valToPos(ys[last], "y", true)));
      return [{ end, left: plot.valToPos(xs[last], "x", true), top }];
    });
    ends.sort((one, other) => one.top - other.top);
    for (let i = 1; i < ends.length; i++) ends[i].top = Math.max(ends[i].top, ends[i - 1].top + gap);
    for (let i = ends.length - 1; i >= 0; i--) ends[i].top = Math.min(ends[i].top, bottom - (ends.length - 1 - i) * gap);
    ctx.save();
    ctx.fillStyle = theme.text;
    ctx.font = `600 ${gap}px sans-serif`;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    for (const { end, left, top } of ends) ctx.fillText(end, left + 6 * devicePixelRatio, top);
    ctx.restore();
  }

  #resize() {
    const width = Math.max(200, this.host.clientWidth);
    if (this.plot && width !== this.plot.width) this.plot.setSize({ width, height: this.options.height });
  }
}

function seriesOf({ label, colour, dash, faint, dots }) {
  return {
    label,
    stroke: faint ? fainter(colour, 0.42) : colour,
    width: faint ? 1 : 2,
    dash,
    points: { show: Boolean(dots), size: 6, fill: colour },
  };
}

/** Ends of the y axis: loss from zero where it comes near it; fractions never outside 0..1. */
function rangeOf(low, high, log, fraction) {
  if (low == null || high == null) return log ? [0.1, 1] : [0, 1];
  if (log) return [low * 0.9, high * 1.1];
  const pad = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  if (fraction) return [Math.max(0, low - pad), Math.min(1, high + pad)];
  return [low >= 0 && low < high / 2 ? 0 : low - pad, high + pad];
}

function tickOf(y, fraction) {
  if (y == null) return "";
  if (fraction) return `${+(100 * y).toFixed(2)} %`;
  return Math.abs(y) >= 1e5 || (y !== 0 && Math.abs(y) < 1e-3) ? y.toExponential(0) : String(+y.toPrecision(4));
}

function textLine(text) {
  const line = document.createElement("div");
  line.textContent = text;
  return line;
}

/** The y of the point next to x. */
function nearest([xs, ys], x) {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && (low === xs.length || x - xs[low - 1] < xs[low] - x) ? ys[low - 1] : ys[low];
}
