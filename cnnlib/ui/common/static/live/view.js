/** The view of one or several runs: status, controls and charts. It holds the settings and draws at most once per frame. */
import { PANELS, rightEnd } from "./curves.js";
import { element } from "./dom.js";
import { Feed, isLive } from "./feed.js";
import { RunHistory } from "./history.js";
import { Panel } from "./panel.js";
import { DEFAULTS, readSettings, saveSettings } from "./settings.js";
import { Status } from "./status.js";
import { readTheme } from "./theme.js";
import { Toolbar } from "./toolbar.js";

let groups = 0; // only the charts of one view share a cursor

export class LiveView {
  constructor(uPlot, host, base) {
    Object.assign(this, { uPlot, host, base });
    this.group = `cnnlab-live-${groups++}`;
    this.settings = DEFAULTS;
    this.zoom = null;
    this.hiddenRuns = new Set();
    this.runs = new Map(); // id -> { history, feed, status, problem, outcome, shown }
    this.names = {};
    this.places = {}; // id -> number of the colour
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

  /**
   * Update from the page's data.
   *
   * @param {object} data runs ([{id, name, state, changes, training_loss_terms, outcome}]), status (whether to show it).
   * @param {(change: string) => void} onState Called when a run differs from what the page shows: its state, name or settings
   *   changed, or it was deleted.
   */
  update({ runs, status }, onState) {
    this.onState = onState;
    this.theme = readTheme(this.host.host ?? this.host);
    this.names = Object.fromEntries(runs.map((run) => [run.id, run.name]));
    this.places = Object.fromEntries(runs.map((run, index) => [run.id, run.colour ?? index]));
    this.lossTitle = lossTitle(runs);
    const ids = runs.map((run) => run.id);
    if (ids.join() !== [...this.runs.keys()].join()) this.#setRuns(ids, status);
    for (const run of runs) this.#setPageState(run);
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
    const isAnyLive = this.visibleRuns.some((history) => isLive(history.facts?.state));
    return this.zoom ?? [0, rightEnd(this.visibleRuns, this.settings.unit, isAnyLive)];
  }

  get marks() {
    if (this.visibleRuns.length !== 1) return []; // marks of several runs would overlap
    const [run] = this.visibleRuns;
    return run.interventions.map((mark) => ({ x: run.stepAs(this.settings.unit, mark.step), text: markLabel(mark) }));
  }

  /** Kinds of curves that are hidden; there is a separate list for several runs. */
  get hidden() {
    return this.settings[this.hiddenName];
  }

  get hiddenName() {
    return this.runs.size > 1 ? "hiddenSeveral" : "hidden";
  }

  nameOf(history) {
    return this.names[history.id] ?? history.id;
  }

  colour(index) {
    return this.theme.palette[index % this.theme.palette.length];
  }

  indexOf(history) {
    return [...this.runs.keys()].indexOf(history.id);
  }

  /** The colour of a run: that of its row where runs are grouped into rows, else one of its own. */
  colourOf(history) {
    return this.colour(this.places[history.id] ?? this.indexOf(history));
  }

  /** Number of earlier runs with the same colour. */
  roundOf(history) {
    const own = this.colourOf(history);
    const earlier = this.histories.slice(0, this.indexOf(history));
    return earlier.filter((each) => this.colourOf(each) === own).length;
  }

  set(change) {
    if (change.unit && change.unit !== this.settings.unit) this.zoom = null; // the window is in the old unit
    this.settings = { ...this.settings, ...change };
    for (const history of this.histories) history.setSmoothing(this.settings.smoothing);
    saveSettings([...this.runs.keys()].join(), this.settings);
    this.draw();
  }

  toggle(setting, id) {
    const ids = this.settings[setting];
    this.set({ [setting]: ids.includes(id) ? ids.filter((other) => other !== id) : [...ids, id] });
  }

  toggleRun(id) {
    if (!this.hiddenRuns.delete(id)) this.hiddenRuns.add(id);
    this.draw();
  }

  zoomTo(range) {
    this.zoom = range && [Math.max(0, range[0]), range[1]];
    this.draw();
  }

  /** Draw in the next frame; further calls before that have no effect. */
  draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (!this.root.isConnected) return;
      for (const run of this.runs.values()) run.status.draw(run.problem, run.outcome, run.feed.isGone);
      this.toolbar.draw();
      for (const panel of this.panels) panel.draw();
    });
  }

  #setRuns(ids, status) {
    this.curvesOnly = !status;
    this.settings = readSettings(ids.join());
    this.zoom = null;
    for (const [id, { feed }] of this.runs) if (!ids.includes(id)) feed.stop();
    this.runs = new Map(ids.map((id) => [id, this.runs.get(id) ?? this.#start(id)]));
    for (const history of this.histories) history.setSmoothing(this.settings.smoothing);
    for (const run of this.runs.values()) run.status = new Status(run.history, this, ids.length > 1 || !status);
    this.statusBox.replaceChildren(...[...this.runs.values()].map((run) => run.status.root));
    this.root.classList.toggle("several", ids.length > 1);
    this.root.classList.toggle("curves-only", !status);
  }

  #start(id) {
    const run = { history: new RunHistory(id, this.settings.smoothing), problem: "" };
    run.feed = new Feed(this.base, run.history, (problem) => {
      run.problem = problem;
      this.#reportState(run);
      this.draw();
    });
    return run;
  }

  /** Store what the page shows of a run; refresh at once if its state differs from the received one. */
  #setPageState({ id, state, name, changes, outcome }) {
    const run = this.runs.get(id);
    Object.assign(run, { shown: pageVersion(state, name, changes), outcome });
    if (run.history.facts && run.history.facts.state !== state) run.feed.refresh();
  }

  /** Report a change to the page, once, so that its title and its buttons are updated. */
  #reportState({ feed, history, ...run }) {
    const { facts, id, interventions } = history;
    const version = feed.isGone ? "deleted" : facts && pageVersion(facts.state, facts.title, interventions.length);
    if (!version || version === run.shown) return;
    this.runs.get(id).shown = version;
    this.onState(`${id} ${version}`);
  }
}

/** All that the page shows of a run outside this component. */
const pageVersion = (state, name, changes) => JSON.stringify([state, name, changes]);

function markLabel({ order, setting, value }) {
  if (order === "set") return `${setting === "lr" ? "learning rate" : setting.replaceAll("_", " ")} ${value}`;
  if (order === "change") return `${setting} changed`;
  return order === "step" ? "one step" : order;
}

/** Title of the losses; it says what the training loss of a run has and the validation loss does not. */
function lossTitle(runs) {
  const places = new Map();
  runs.forEach(({ training_loss_terms: terms }, index) => {
    const text = terms.join(" and ");
    if (text) places.set(text, [...(places.get(text) ?? []), index + 1]);
  });
  if (!places.size) return "Loss";
  const parts = [...places].map(([text, numbers]) => `${whichRuns(numbers, runs.length)} with ${text}`);
  return `Loss (training${parts.join(",")}, validation without)`;
}

/** " of runs 1, 3", or nothing for all runs. */
function whichRuns(numbers, count) {
  if (numbers.length === count) return "";
  return ` of ${numbers.length > 1 ? "runs" : "run"} ${numbers.join(", ")}`;
}
