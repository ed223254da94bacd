/** The parts of the Lab on one screen, and what passes between them, the page and the server. */
import { Actions } from "./actions.js";
import { Bar, isRunning } from "./bar.js";
import { Controls } from "./controls/controls.js";
import { Curves } from "./progress/curves.js";
import { Keyboard } from "./keyboard.js";
import { LensPanel } from "./lens/panel.js";
import { Maps } from "./network/maps.js";
import { PlanFeed } from "./requests.js";
import { Message } from "./message.js";
import { Network } from "./network/network.js";
import { Next } from "./progress/next.js";
import { Screen } from "./screen.js";
import { State } from "./state.js";
import { keepSteps } from "./steps.js";
import { Strip } from "./progress/strip.js";
import { duration } from "../common/live/words.js";
import { convolutionOf, hiddenOf } from "./network/names.js";
import { refit, withChannelsOf, withUnitsOf } from "./controls/design.js";
import { readColours } from "./colours.js";

const REPLACING = ["design", "undo", "redo", "restart", "dataset"]; // actions after which another network is on the screen

export class Lab {
  /** @param {object} names What can be chosen by name: blocks, norms, activations, optimizers. */
  constructor(host, uPlot, names) {
    Object.assign(this, { maps: null, hasDrawn: false, problem: "", repair: "", isFresh: false, isReleased: false });
    this.actions = new Actions();
    this.state = new State(() => this.#render());
    this.bar = new Bar(names.optimizers, {
      onPlay: () => this.#play(),
      onStep: () => this.#step(),
      onRestart: () => this.#replace({ kind: "restart" }),
      onDataset: (name) => this.#setDataset(name),
      onRecipe: (changes) => this.#setRecipe(changes),
    });
    const undo = { onUndo: () => this.#undo("undo"), onRedo: () => this.#undo("redo") };
    this.controls = new Controls(names, { onInput: (spec) => this.#edit(spec), onRelease: () => this.#release(), ...undo });
    this.network = new Network({
      onView: () => this.#look(),
      onDraw: () => this.#redraw(),
      onPicture: (index) => this.#setPicture(index),
      onDrawing: (read) => this.#draw(read),
      onResize: (column, sign) => this.#resize(column, sign),
    });
    this.curves = new Curves(uPlot, () => this.#showProgress());
    this.strip = new Strip((index) => this.#setPicture(index));
    this.next = new Next({
      onKeep: (clean) => this.#act({ kind: "keep", clean }),
      onCompare: (rival) => this.#act({ kind: "compare", rival }),
      onDraw: () => this.#openPad(),
    });
    this.lens = new LensPanel({ onExample: () => this.network.chooseExample(), onStep: () => this.#step(), onDraw: () => this.#redraw() });
    this.message = new Message();
    this.screen = new Screen(host, this, () => this.#redraw());
    this.keyboard = new Keyboard({ onPlay: () => this.#play(), ...undo });
    this.plans = new PlanFeed((plan, body) => this.#takePlan(plan, body), (problem, isFinal) => this.#refusePlan(problem, isFinal));
  }

  /** Take the page's data and its way to send actions. */
  update(data, send) {
    this.actions.send = send;
    this.state.update(data);
    this.actions.confirm(data.done);
    const lost = keepSteps(data);
    if (lost) this.actions.add({ kind: "steps", ...lost });
    if (this.curves.follow(data.run?.id, data.api.runs, this.isFresh)) this.isFresh = false;
    this.#render();
    this.maps ??= new Maps(this, (strip, trained) => this.strip.show(strip, this.state.data.dataset.classes, trained));
    this.maps.resume();
    this.curves.refresh();
  }

  destroy() {
    for (const part of [this.maps, this.plans, this.state]) part?.stop();
    for (const part of [this.network, this.lens, this.curves, this.keyboard, this.screen]) part.destroy();
  }

  /** The state of training: what was just pressed, the newest from the metrics route, or the page's. */
  get runState() {
    const { facts } = this.curves.history ?? {};
    if (this.state.has("state")) return this.state.get("state");
    return this.state.data.run ? facts?.state ?? this.state.data.run.state : null;
  }

  #render() {
    const { state } = this;
    const { data } = state;
    const [plan, dataset] = [state.get("plan"), data.dataset];
    this.network.setPlan(plan, plan.link);
    this.network.input.show(dataset, state.get("picture"), data.pages.draw);
    const note = this.problem || repaired(this.repair || plan.repair);
    this.controls.show({ spec: state.get("spec"), note, canUndo: data.past.length > 0 || this.actions.has("design"), canRedo: data.future.length > 0, buildPage: data.pages.build });
    this.#showProgress();
  }

  #showProgress() {
    const { history } = this.curves;
    const { data } = this.state;
    if (this.state.has("state") && history?.facts && isRunning(history.facts.state) === isRunning(this.state.get("state"))) this.state.drop("state");
    this.#showBar();
    this.message.show(data.message, data.subject, this.#runNote());
    const [, correct, total] = this.#score();
    this.next.show({ pages: data.pages, recent: data.recent, rivals: data.rivals, share: correct / total, hasRun: Boolean(data.run), runs: isRunning(this.runState), waits: this.runState === "queued", hasDrawn: this.hasDrawn });
    this.lens.setState(this.runState);
    const epoch = history?.epochs.at(-1);
    this.strip.showConfusion(epoch?.step > this.#learnsSince() ? epoch.val_confusion : null, data.dataset.classes);
    if (this.shownState !== this.runState) this.maps?.ask();
    this.shownState = this.runState;
    this.#redraw();
  }

  #showBar() {
    const { state } = this;
    const { datasets } = state.data;
    const changed = { plan: state.get("plan"), dataset: state.get("dataset"), recipe: state.get("recipe") };
    this.bar.show({ state: this.runState, place: this.#place(), ...changed, datasets, history: this.curves.history, score: this.#score() });
  }

  /** Why the network does not train, or how long it waits; "" while it trains. */
  #runNote() {
    const place = this.#place();
    if (this.runState === "queued") return place > 1 ? this.#waitNote() : "";
    return isRunning(this.runState) ? "" : this.curves.history?.facts?.note || this.state.data.run?.note || "";
  }

  #waitNote() {
    const { waits_for: reason, wait_seconds: wait } = this.curves.history?.facts ?? {};
    if (!reason) return "It waits: other runs train first.";
    return `It ${reason}${wait == null ? "" : `, and starts in about ${duration(wait)}`}.`;
  }

  #place() {
    return this.curves.history?.facts?.queue_position ?? this.state.data.run?.place ?? null;
  }

  #redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (!this.state.data) return;
      const colours = readColours(this.screen.root);
      this.network.draw(colours);
      this.lens.draw(colours);
      this.curves.draw(colours, this.screen.theme(colours), this.#score());
    });
  }

  // What the person does

  #play() {
    const runs = isRunning(this.runState);
    this.state.set("state", runs ? "paused" : "starting");
    this.lens.leaveStep();
    this.#act({ kind: runs ? "pause" : "play" });
  }

  #step() {
    this.maps.expectStep();
    this.lens.expectStep();
    this.#act({ kind: "step" });
  }

  #undo(kind) {
    const isChanged = kind === "undo" && this.actions.has("design"); // and the page does not know it yet
    const steps = this.state.data?.[kind === "undo" ? "past" : "future"];
    if (!steps?.length && !isChanged) return;
    this.problem = this.repair = "";
    this.isReleased = false;
    this.state.drop("spec");
    this.state.drop("plan");
    this.#change({ kind });
  }

  #setDataset(name) {
    clearTimeout(this.pictureTimer);
    this.state.drop("picture");
    this.state.set("dataset", name);
    this.#replace({ kind: "dataset", name });
  }

  #setRecipe(changes) {
    this.state.set("recipe", { ...this.state.get("recipe"), ...changes });
    if ("lr" in changes) this.#act({ kind: "recipe", ...changes });
    else this.#change({ kind: "recipe", ...changes });
    this.#askPlan(this.state.get("spec"));
  }

  #setPicture(index) {
    if (this.state.has("dataset") || index >= this.state.data.dataset.validation_count) return; // of the dataset before
    if (this.network.input.isDrawing) this.network.input.toggle();
    this.state.set("picture", index);
    this.#render();
    this.maps?.ask();
    clearTimeout(this.pictureTimer);
    this.pictureTimer = setTimeout(() => this.actions.add({ kind: "picture", index }), 400);
  }

  /** Do what ends the run on the screen: nothing more is asked of it, and the curves begin again. */
  #replace(action) {
    this.isFresh = true;
    this.curves.suspend();
    this.maps.suspend();
    this.#act(action);
  }

  /**
   * The newest measurement on the sample of unseen pictures, as [step, right, all]; empty where the network on the screen has
   * none yet: the design is being changed, or its worker has not taken it, or measured none of its steps.
   */
  #score() {
    const since = this.#learnsSince();
    const newest = this.curves.history?.samples.at(-1) ?? [];
    return newest[0] > since ? newest : [];
  }

  /** The step after which the network on the screen has learned; Infinity where that is not known yet. */
  #learnsSince() {
    const { history } = this.curves;
    const { data } = this.state;
    const isChanging = this.state.has("plan") || REPLACING.some((kind) => this.actions.has(kind));
    const changes = (history?.interventions ?? []).filter(({ order }) => order === "change");
    if (isChanging || history?.id !== data.run?.id || changes.length < data.run?.changes) return Infinity;
    return changes.filter(({ setting }) => setting.includes("design")).at(-1)?.step ?? 0;
  }

  /** Change what is trained: what was learned is kept where it fits, or the network starts fresh. */
  #change(action) {
    if (this.controls.startsFresh && this.state.data.run) this.#replace({ ...action, fresh: true });
    else this.#act(action);
  }

  #act(action) {
    this.message.forget();
    this.actions.add(action);
    this.#render();
  }

  #edit(spec) {
    this.problem = this.repair = "";
    this.state.set("spec", spec);
    this.#askPlan(spec);
  }

  /** Hand the design to the page, once it is planned and repaired. */
  #release() {
    this.isReleased = true;
    if (!this.plans.busy) this.#handOver();
  }

  #handOver() {
    this.isReleased = false;
    this.#change({ kind: "design", spec: this.state.get("spec") });
  }

  #resize(column, sign) {
    const planned = this.state.get("plan").columns[column];
    const [convolution, hidden] = [convolutionOf(planned), hiddenOf(planned)];
    const next = (value) => Math.max(1, value + sign * (value + (sign < 0 ? -1 : 0) < 16 ? 1 : value < 64 ? 4 : 8));
    if (convolution >= 0) this.controls.resize((spec) => withChannelsOf(spec, convolution, next(spec.channels[convolution])));
    else this.controls.resize((spec) => withUnitsOf(spec, hidden, next(spec.hidden_dims[hidden])));
  }

  /** Other maps are on the screen, or another one is chosen. */
  #look() {
    this.lens.expect(this.network.chosen);
    this.maps?.ask();
  }

  #draw(read) {
    this.hasDrawn ||= Boolean(read);
    this.#render();
    this.maps?.draw(read);
  }

  #openPad() {
    const { input } = this.network;
    if (!input.isDrawing) input.toggle();
    input.canvas.scrollIntoView({ block: "nearest" });
  }

  // Plans

  #askPlan(spec) {
    const { batch_size, optimizer } = this.state.get("recipe");
    this.plans.ask(this.state.data.api.plan, { spec, batch_size, optimizer });
  }

  #takePlan(plan, { spec }) {
    this.problem = "";
    if (JSON.stringify(spec) !== JSON.stringify(this.state.get("spec"))) return this.#preview(plan);
    const fitted = plan.repair ? refit(spec, plan.spec) : null;
    if (fitted) return this.#refit(fitted, plan.repair);
    this.state.set("plan", plan);
    this.state.set("spec", plan.spec);
    if (this.isReleased) this.#handOver();
    else this.#render();
    this.maps?.ask();
  }

  /** A newer design is on its way: while the hand moves faster than the answers, the numbers follow it. */
  #preview(plan) {
    if (!this.controls.isMoving || plan.repair) return;
    this.state.set("plan", plan);
    this.#render();
    this.maps?.ask();
  }

  #refit(spec, repair) {
    this.repair = repair;
    this.state.set("spec", spec);
    this.#askPlan(spec);
  }

  #refusePlan(problem, isFinal) {
    this.problem = problem;
    if (isFinal && !this.controls.isMoving) this.#forgetDesign();
    this.#render();
  }

  #forgetDesign() {
    this.isReleased = false;
    this.state.drop("spec");
    this.state.drop("plan");
  }
}

/** The sentence on a repair; "" without one. */
const repaired = (repair) => (repair ? `Changed so that it fits: ${repair.replace(/\.$/, "")}.` : "");
