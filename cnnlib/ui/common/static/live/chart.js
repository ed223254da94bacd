/** One uPlot chart: lines over a shared x axis, a zoom that survives updates, marks, and a tip with the values at the cursor. */
import { logTicks, tickLabels, valueRange } from "./axes.js";
import { count, figure, formatX, percent } from "./words.js";
import { fainter } from "./theme.js";

const TICKS = { step: (x) => (Number.isInteger(x) ? count(x) : ""), epoch: (x) => String(+x.toFixed(3)), seconds: (x) => String(+x.toFixed(1)) };
const TITLES = { step: "Step", epoch: "Epoch", seconds: "Training time (s)" };
const END_LABEL_HEIGHT = 11; // labels at the ends of curves, in CSS pixels

export class Chart {
  /**
   * @param {Function} uPlot The library.
   * @param {HTMLElement} host Parent of the canvas; the chart takes its width.
   * @param {object} options height, fraction (values are 0..1, shown in per cent), clip (outliers do not set the
   *   range), onZoom(window|null), onDraw() after each drawing, group (charts with a common cursor).
   */
  constructor(uPlot, host, options) {
    Object.assign(this, { uPlot, host, options, plot: null, key: "", tables: [], marks: [], window: [0, 1] });
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.resizeObserver = new ResizeObserver(() => this.#resize());
    this.resizeObserver.observe(host);
    host.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Width of the plotting area in CSS pixels; the number of points to draw depends on it. */
  get pixels() {
    return this.plot ? this.plot.over.clientWidth || this.plot.width : this.host.clientWidth;
  }

  /** Position of the plotting area inside the chart and its width, in CSS pixels; null before the first drawing. */
  get area() {
    return this.plot && { left: this.plot.over.offsetLeft, width: this.plot.over.clientWidth };
  }

  /** Convert x to pixels from the left of the plotting area. */
  toPixels(x) {
    return this.plot.valToPos(x, "x");
  }

  /**
   * Draw all lines.
   *
   * @param {object[]} lines label, colour, dash, faint, dots (few points, each marked), end (a label at its end) per line.
   * @param {[number[], number[]][]} tables Points of each line, in the same order.
   * @param {object} view unit, log, window ([from, to] of x), marks (their x), theme.
   * @returns {number|null} The greatest value above the chart; null if none is.
   */
  draw(lines, tables, view) {
    Object.assign(this, { lines, tables, marks: view.marks, window: view.window, unit: view.unit });
    const { fraction, clip } = this.options;
    const { range, highest } = valueRange(tables.map(([, ys]) => ys), { log: view.log, fraction, clip });
    this.range = range;
    const key = JSON.stringify([lines.map(({ band, ...line }) => line), view.unit, view.log, view.theme]);
    const data = tables.length ? this.uPlot.join(tables) : [[]];
    if (key === this.key) {
      this.plot.setData(data);
      return highest;
    }
    this.key = key;
    this.plot?.destroy();
    this.plot = new this.uPlot(this.#settings(lines, view), data, this.host);
    this.plot.over.append(this.tip);
    return highest;
  }

  destroy() {
    this.resizeObserver.disconnect();
    this.plot?.destroy();
  }

  #settings(lines, view) {
    const { theme, log, unit } = view;
    const { height, fraction, group } = this.options;
    const axis = { stroke: fainter(theme.text, 0.72), font: theme.font, ticks: { show: false } };
    const grid = { stroke: theme.border, width: 1, filter: (_, ticks) => ticks };
    const splits = log ? { splits: (_, index, low, high) => logTicks(low, high), filter: (_, ticks) => ticks } : {};
    return {
      width: Math.max(200, this.host.clientWidth),
      height,
      legend: { show: false },
      padding: [10, 28, 0, 0],
      scales: { x: { time: false, range: () => this.window }, y: { distr: log ? 3 : 1, range: () => this.range } },
      axes: [
        { ...axis, label: TITLES[unit], labelFont: theme.font, labelSize: 16, labelGap: 0, size: 28, space: 70, grid: { show: false }, values: (_, ticks) => ticks.map(TICKS[unit]) },
        { ...axis, ...splits, size: 62, space: 36, grid, values: (_, ticks) => tickLabels(ticks, fraction) },
      ],
      series: [{}, ...lines.map(buildSeries)],
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => this.options.onZoom(null) },
        sync: { key: group, scales: ["x", null], filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
      },
      hooks: {
        drawAxes: [(plot) => this.#drawBands(plot)],
        setSelect: [(plot) => this.#onSelect(plot)],
        setCursor: [(plot) => this.#showTip(plot)],
        draw: [(plot) => this.#drawMarks(plot, theme), (plot) => this.#drawClipped(plot, theme), (plot) => this.#drawEnds(plot, theme)],
      },
    };
  }

  #onSelect(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    this.options.onZoom([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  /** Zoom about the middle with plus and minus, move with the arrows, reset with 0 and Escape. */
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
    this.tip.replaceChildren(textLine(formatX(this.unit, x)), ...rows);
    const isRightHalf = left > this.pixels / 2;
    this.tip.style.left = isRightHalf ? "" : `${left + 12}px`;
    this.tip.style.right = isRightHalf ? `${this.pixels - left + 12}px` : "";
  }

  #valuesAt(x) {
    return this.lines.flatMap((line, i) => {
      const y = nearest(this.tables[i], x);
      if (y == null) return [];
      const row = textLine(`${line.label}  ${this.options.fraction ? percent(y) : figure(y)}`);
      row.style.setProperty("--line", line.colour);
      row.className = "value";
      return [row];
    });
  }

  /** Draw a line at each mark; lines closer than three pixels are one. */
  #drawMarks(plot, theme) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = fainter(theme.text, 0.35);
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    let last = -Infinity;
    for (const x of this.marks) {
      const left = Math.round(plot.valToPos(x, "x", true));
      if (left < bbox.left || left > bbox.left + bbox.width || left - last < 3 * devicePixelRatio) continue;
      last = left;
      ctx.beginPath();
      ctx.moveTo(left, bbox.top);
      ctx.lineTo(left, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** Fill the interval of each curve that has one, behind the curves. */
  #drawBands(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    this.lines.forEach(({ band, colour }, line) => {
      if (!band) return;
      const xs = this.tables[line][0].map((x) => plot.valToPos(x, "x", true));
      const toY = (y) => plot.valToPos(y, "y", true);
      ctx.fillStyle = fainter(colour, 0.14);
      ctx.beginPath();
      xs.forEach((x, i) => ctx.lineTo(x, toY(band[1][i])));
      for (let i = xs.length - 1; i >= 0; i--) ctx.lineTo(xs[i], toY(band[0][i]));
      ctx.fill();
    });
    ctx.restore();
  }

  /** Draw a triangle at the upper edge where a curve leaves the chart. */
  #drawClipped(plot, theme) {
    const { ctx, bbox } = plot;
    const size = 4 * devicePixelRatio;
    ctx.save();
    this.lines.forEach(({ colour }, line) => {
      const [xs, ys] = this.tables[line];
      let last = -Infinity;
      ctx.fillStyle = colour;
      ys.forEach((y, i) => {
        const left = y > this.range[1] ? plot.valToPos(xs[i], "x", true) : -Infinity;
        if (left < bbox.left || left > bbox.left + bbox.width || left - last < 2 * size) return;
        last = left;
        ctx.beginPath();
        ctx.moveTo(left, bbox.top);
        ctx.lineTo(left + size, bbox.top + 1.6 * size);
        ctx.lineTo(left - size, bbox.top + 1.6 * size);
        ctx.fill();
      });
    });
    ctx.restore();
  }

  /** Draw labels beside the ends of the visible curves, shifted so that they do not overlap. */
  #drawEnds(plot, theme) {
    const { ctx, bbox } = plot;
    const gap = END_LABEL_HEIGHT * devicePixelRatio;
    const bottom = bbox.top + bbox.height;
    const ends = this.lines.flatMap(({ end }, line) => {
      const [xs, ys] = this.tables[line];
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

function buildSeries({ label, colour, dash, faint, dots }) {
  return {
    label,
    stroke: faint ? fainter(colour, 0.42) : colour,
    width: faint ? 1 : 2,
    dash,
    points: { show: Boolean(dots), size: 6, fill: colour },
  };
}

function textLine(text) {
  const line = document.createElement("div");
  line.textContent = text;
  return line;
}

/** The y of the point nearest to x. */
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
