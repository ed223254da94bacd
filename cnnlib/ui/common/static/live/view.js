/** The whole component: one or several runs, their status, the controls, the charts. Owns what is shown; draws at most once a frame. */
import { PANELS, rightEnd } from "./curves.js";
import { element } from "./dom.js";
import { Feed, isLive } from "./feed.js";
import { RunHistory } from "./history.js";
import { Panel } from "./panel.js";
import { keepSettings, readSettings } from "./settings.js";
import { Status } from "./status.js";
import { readTheme } from "./theme.js";
import { Toolbar } from "./toolbar.js";

let groups = 0; // charts of one view move their cursors together, those of two views do not

export class LiveView {
  constructor(uPlot, host, base) {
    Object.assign(this, { uPlot, host, base });
    this.group = `cnnlab-live-${groups++}`;
    this.settings = readSettings();
    this.zoom = null;
    this.hiddenRuns = new Set();
    this.runs = new Map(); // id -> { history, feed, status, problem, told }
    this.names = {};
    this.statusBox = element("div", { class: "statuses" });
    this.toolbar = new Toolbar(this);
    this.panels = PANELS.map((definition) => new Panel(uPlot, definition, this));
    this.root = element("div", { class: "live" }, [
      this.statusBox,
      this.toolbar.root,
      element("div", { class: "panels" }, this.panels.map((panel) => panel.root)),
    ]);
    host.append(this.root);
  }

  /** Take what the page says: runs [{id, name, state, outcome}], whether to show their status; and whom to tell of a new state. */
  update({ runs, status }, tell) {
    this.tell = tell;
    this.theme = readTheme(this.host.host ?? this.host);
    this.names = Object.fromEntries(runs.map((run) => [run.id, run.name]));
    const ids = runs.map((run) => run.id);
    if (ids.join() !== [...this.runs.keys()].join()) this.#follow(ids, status);
    for (const run of runs) this.#heed(run);
    this.draw();
  }

  destroy() {
    for (const { feed } of this.runs.values()) feed.stop();
    for (const panel of this.panels) panel.destroy();
    this.root.remove();
  }

  get histories() {
    return [...this.runs.values()].map((run) => run.history);
  }

  get visibleRuns() {
    return this.histories.filter((history) => !this.hiddenRuns.has(history.id));
  }

  get window() {
    const live = this.visibleRuns.some((history) => isLive(history.facts?.state));
    return this.zoom ?? [0, rightEnd(this.visibleRuns, this.settings.unit, live)];
  }

  get marks() {
    if (this.visibleRuns.length !== 1) return []; // marks of several runs would only be in each other's way
    const [run] = this.visibleRuns;
    return run.interventions.map((mark) => ({ x: run.stepAs(this.settings.unit, mark.step), text: wordOf(mark) }));
  }

  /** Kinds of curves that are not drawn; several runs in one chart have a list of their own. */
  get hidden() {
    return this.settings[this.hiddenName];
  }

  get hiddenName() {
    return this.runs.size > 1 ? "hiddenSeveral" : "hidden";
  }

  nameOf(history) {
    return this.names[history.id] ?? history.id;
  }

  colour(place) {
    return this.theme.palette[place % this.theme.palette.length];
  }

  placeOf(history) {
    return [...this.runs.keys()].indexOf(history.id);
  }

  colourOf(history) {
    return this.colour(this.placeOf(history));
  }

  /** How often its colour was used for a run before it. */
  roundOf(history) {
    return Math.floor(this.placeOf(history) / this.theme.palette.length);
  }

  set(change) {
    if (change.unit && change.unit !== this.settings.unit) this.zoom = null; // the old window is in another unit
    if (change.smoothing !== undefined) for (const history of this.histories) history.setSmoothing(change.smoothing);
    this.settings = { ...this.settings, ...change };
    keepSettings(this.settings);
    this.draw();
  }

  toggle(setting, id) {
    const now = this.settings[setting];
    this.set({ [setting]: now.includes(id) ? now.filter((other) => other !== id) : [...now, id] });
  }

  toggleRun(id) {
    if (!this.hiddenRuns.delete(id)) this.hiddenRuns.add(id);
    this.draw();
  }

  zoomTo(shown) {
    this.zoom = shown && [Math.max(0, shown[0]), shown[1]];
    this.draw();
  }

  /** Draw in the next frame; asking again before that costs nothing. */
  draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (!this.root.isConnected) return;
      for (const run of this.runs.values()) run.status.draw(run.problem, run.outcome);
      this.toolbar.draw();
      for (const panel of this.panels) panel.draw();
    });
  }

  #follow(ids, status) {
    this.curvesOnly = !status;
    for (const [id, { feed }] of this.runs) if (!ids.includes(id)) feed.stop();
    this.runs = new Map(ids.map((id) => [id, this.runs.get(id) ?? this.#start(id)]));
    for (const run of this.runs.values()) run.status = new Status(run.history, this, ids.length > 1 || !status);
    this.statusBox.replaceChildren(...[...this.runs.values()].map((run) => run.status.root));
    this.root.classList.toggle("several", ids.length > 1);
    this.root.classList.toggle("curves-only", !status);
  }

  #start(id) {
    const run = { history: new RunHistory(id, this.settings.smoothing), problem: "" };
    run.feed = new Feed(this.base, run.history, (problem) => {
      run.problem = problem;
      this.#tellState(run);
      this.draw();
    });
    return run;
  }

  /** The page was drawn with a state: ask at once where that differs from ours. */
  #heed({ id, state, outcome }) {
    const run = this.runs.get(id);
    Object.assign(run, { pageState: state, outcome });
    if (run.history.facts && run.history.facts.state !== state) run.feed.hurry();
  }

  /** A run changed its state, so the page's buttons must follow: told once for each new state. */
  #tellState(run) {
    const state = run.history.facts?.state;
    if (!state || state === run.pageState) return;
    run.pageState = state;
    this.tell(`${run.history.id} ${state}`);
  }
}

function wordOf({ order, setting, value }) {
  if (order === "set") return `${setting} = ${value}`;
  return { pause: "pause", resume: "resume", step: "one step", stop: "stop" }[order] ?? order;
}
