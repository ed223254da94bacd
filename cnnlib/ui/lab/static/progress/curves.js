/** Loss and accuracy of the network on the screen, small, with the changes made by hand marked. */
import { tickLabels, valueRange } from "../../common/live/axes.js";
import { points } from "../../common/live/curves.js";
import { RunHistory } from "../../common/live/history.js";
import { Feed, isLive } from "../../common/live/feed.js";
import { element, figure, percent, setAttribute, write } from "../format.js";

const SMOOTHING = 10; // steps
const MOST_EARLIER = 4; // networks before the one on the screen whose curves stay
const LEAST_STEPS = 50; // of the time axis
const ENDS = [1, 1.5, 2, 3, 4, 6, 8, 10]; // times a power of ten
const NAMES = { lr: "learning rate", batch_size: "batch", optimizer: "optimiser" };

const LOSS = [
  { kind: { column: "loss" }, colour: "positive", width: 1, alpha: 0.35 },
  { kind: { column: "smooth" }, colour: "positive", width: 2 },
  { kind: { epoch: "val_loss" }, colour: "negative", width: 1.5, dots: true },
];
const ACCURACY = [{ kind: { sample: true }, colour: "negative", width: 2, dots: true }];

export class Curves {
  /** @param {() => void} onProgress Called after every answer of the metrics route. */
  constructor(uPlot, onProgress) {
    Object.assign(this, { uPlot, onProgress, history: null, feed: null, earlier: [], problem: "" });
    this.loss = new Plot(uPlot, "Loss", LOSS, { clip: true });
    this.accuracy = new Plot(uPlot, "Accuracy", ACCURACY, { fraction: true });
    setAttribute(this.loss.value, "data-testid", "lab-loss");
    this.root = element("section", { class: "panel curves", "aria-label": "Curves" }, [this.loss.root, this.accuracy.root]);
  }

  /** Follow a run. The curves of an earlier one stay before those of the one that goes on from it. @returns {boolean} Whether it is another run. */
  follow(runId, address, isFresh) {
    if ((runId ?? null) === (this.history?.id ?? null)) {
      if (runId && !this.feed) this.#startFeed(address);
      return false;
    }
    this.suspend();
    if (isFresh || !runId) this.earlier = [];
    else if (this.history?.after) this.earlier = [...this.earlier, this.history].slice(-MOST_EARLIER);
    this.history = runId ? new RunHistory(runId, SMOOTHING) : null;
    if (runId) this.#startFeed(address);
    return true;
  }

  /** Ask for no more rows until the next `follow`: the run is about to be replaced. */
  suspend() {
    this.feed?.stop();
    this.feed = null;
  }

  #startFeed(address) {
    this.feed = new Feed(address, this.history, (problem) => this.#onAnswer(problem));
  }

  /** Ask for new rows now. */
  refresh() {
    this.feed?.refresh();
  }

  #onAnswer(problem) {
    this.problem = problem;
    if (this.history.facts || problem) this.onProgress(); // without facts all rows are read again, at once
  }

  /** Draw both plots. @param {number[]} score The newest measurement of the network on the screen, [step, right, all], or empty. */
  draw(colours, theme, [, correct, total]) {
    const runs = [...this.earlier, ...(this.history ? [this.history] : [])];
    const offsets = [];
    runs.forEach((run, i) => offsets.push(i ? offsets[i - 1] + runs[i - 1].after : 0));
    const start = offsets.at(-1) ?? 0;
    const last = start + (this.history?.after ?? 0);
    const end = isLive(this.history?.facts?.state) ? niceEnd(last) : last || LEAST_STEPS;
    const marks = runs.flatMap((run, i) => marksOf(run, offsets[i], i > 0));
    const view = { runs, offsets, end, marks, colours, theme };
    const { smooth } = this.history?.steps ?? {};
    this.loss.draw(view, this.problem || (smooth?.length ? figure(smooth.last) : "–"));
    this.accuracy.draw(view, total ? percent(correct / total) : "–");
  }

  destroy() {
    this.suspend();
    this.loss.destroy();
    this.accuracy.destroy();
  }
}

/** The right end of the time axis while a network trains: it changes a few times only. */
function niceEnd(last) {
  const least = Math.max(LEAST_STEPS, last);
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ENDS.find((each) => each * power >= least);
}

/** The changes made by hand during a run; the first one is the design that began it. */
function marksOf(run, offset, isDesign) {
  const marks = run.interventions.filter(({ setting }) => setting).map(({ step, setting, value }) => ({ x: offset + step, text: markText(setting, value) }));
  return isDesign ? [{ x: offset, text: "new design" }, ...marks] : marks;
}

function markText(setting, value) {
  return `${NAMES[setting] ?? setting} ${value ?? ""}`.trim();
}

/** One small plot with its title and newest value. */
class Plot {
  constructor(uPlot, title, lines, { clip = false, fraction = false }) {
    Object.assign(this, { uPlot, lines, clip, fraction, plot: null, key: "", marks: [], end: 1, range: [0, 1] });
    this.value = element("b", {}, ["–"]);
    this.legend = element("span", { class: "legend" }, fraction ? [] : [element("span", { class: "line" }, ["each batch"]), element("span", { class: "dot" }, ["unseen"])]);
    this.host = element("div", { class: "plot", role: "img", "aria-label": title });
    this.root = element("div", { class: "curve" }, [element("header", {}, [element("h2", {}, [title]), this.value, this.legend]), this.host]);
    this.observer = new ResizeObserver(() => this.plot?.setSize(this.#size()));
    this.observer.observe(this.host);
  }

  destroy() {
    this.observer.disconnect();
    this.plot?.destroy();
  }

  draw({ runs, offsets, end, marks, colours, theme }, value) {
    write(this.value, value);
    Object.assign(this, { marks, end });
    const tables = this.lines.map(({ kind }) => joined(runs, offsets, kind, this.host.clientWidth || 300));
    this.range = this.#valueRange(tables);
    const key = JSON.stringify([colours, theme]);
    if (this.plot && key === this.key) return this.plot.setData(this.uPlot.join(tables));
    if (!this.host.clientWidth) return;
    this.key = key;
    this.plot?.destroy();
    this.plot = new this.uPlot(this.#settings(colours, theme), this.uPlot.join(tables), this.host);
  }

  #valueRange(tables) {
    const columns = tables.map(([, ys]) => ys);
    return this.fraction ? [0, 1] : valueRange(columns, { log: false, fraction: false, clip: this.clip }).range;
  }

  #size() {
    return { width: Math.max(80, this.host.clientWidth), height: Math.max(60, this.host.clientHeight) };
  }

  #settings(colours, { text, line, font }) {
    const axis = { stroke: text, font, ticks: { show: false } };
    return {
      ...this.#size(), legend: { show: false }, cursor: { show: false }, padding: [8, 16, 0, 0],
      scales: { x: { time: false, range: () => [0, this.end] }, y: { range: () => this.range } },
      axes: [
        { ...axis, size: 20, gap: 2, space: 60, grid: { show: false } },
        { ...axis, size: 40, gap: 4, space: 26, grid: { stroke: line, width: 1 }, values: (_, ticks) => tickLabels(ticks, this.fraction) },
      ],
      series: [{}, ...this.lines.map(({ colour, width, alpha = 1, dots }) => ({
        stroke: colours[colour], width, alpha, points: { show: Boolean(dots), size: 5, fill: colours[colour] }, spanGaps: true,
      }))],
      hooks: { draw: [(plot) => this.#drawMarks(plot, colours)] },
    };
  }

  #drawMarks(plot, colours) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colours.muted;
    ctx.fillStyle = colours.muted;
    ctx.setLineDash([3, 3]);
    ctx.textAlign = "left";
    ctx.textBaseline = "alphabetic";
    ctx.font = `${10 * (window.devicePixelRatio || 1)}px sans-serif`;
    let free = Infinity; // where the label of the next mark to the right begins
    for (const { x, text } of [...this.marks].reverse()) {
      const left = Math.round(plot.valToPos(x, "x", true));
      free = this.#label(ctx, text, left, bbox, free);
      ctx.beginPath();
      ctx.moveTo(left, bbox.top);
      ctx.lineTo(left, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** Write the label of a mark beside its line, if there is room, from the newest on; returns where it begins. */
  #label(ctx, text, left, bbox, free) {
    const width = ctx.measureText(text).width + 8;
    const fitsRight = left + width < Math.min(free, bbox.left + bbox.width);
    const start = fitsRight ? left + 4 : left - width + 4;
    if (!fitsRight && (free !== Infinity || start < bbox.left)) return free;
    const y = this.fraction ? bbox.top + bbox.height - 5 : bbox.top + 12 * (window.devicePixelRatio || 1); // where the curve is not
    ctx.fillText(text, start, y);
    return Math.min(left, start);
  }
}

/** The points of one curve of all runs, one run after the other. */
function joined(runs, offsets, kind, pixels) {
  const [xs, ys] = [[], []];
  runs.forEach((run, i) => {
    if (!run.facts) return;
    const [x, y] = points(run, kind, "step", null, pixels);
    xs.push(...x.map((each) => each + offsets[i]));
    ys.push(...y);
  });
  return [xs, ys];
}
