/** The parts of the Lab on one screen, and what passes between them, the page and the server. */
import { Actions } from "./actions.js";
import { Bar, isRunning } from "./bar.js";
import { Controls } from "./controls.js";
import { Curves } from "./curves.js";
import { Keyboard } from "./keyboard.js";
import { MapsFeed, PlanFeed } from "./requests.js";
import { Message } from "./message.js";
import { Network } from "./network.js";
import { Next } from "./next.js";
import { Order } from "./order.js";
import { Screen } from "./screen.js";
import { State } from "./state.js";
import { Strip } from "./strip.js";
import { convolutionOf, hiddenOf } from "./names.js";
import { withChannelsOf, withUnitsOf } from "./design.js";
import { encode, readColours } from "./colours.js";

const CALM_MS = 100; // without another plan, before its maps are asked for while a control is dragged
const STEP_MS = 4000; // after "one batch", newer maps are looked for as often as while a network trains

export class Lab {
  constructor(host, uPlot) {
    Object.assign(this, { drawing: null, isDrawingNew: false, hasDrawn: false, answered: "", version: null, problem: "", isFresh: false, steppedAt: -Infinity, mapsAt: 0 });
    this.actions = new Actions();
    this.order = new Order();
    this.state = new State(() => this.#render());
    this.bar = new Bar({ onPlay: () => this.#play(), onStep: () => this.#step(), onRestart: () => this.#restart(), onDataset: (name) => this.#setDataset(name), onRecipe: (changes) => this.#setRecipe(changes) });
    this.controls = new Controls({ onInput: (spec) => this.#edit(spec), onRelease: (spec) => this.#release(spec), onUndo: () => this.#undo("undo"), onRedo: () => this.#undo("redo") });
    this.network = new Network({ onView: () => this.#askMaps(), onDraw: () => this.#redraw(), onPicture: (index) => this.#setPicture(index), onDrawing: (read) => this.#draw(read), onResize: (column, sign) => this.#resize(column, sign) });
    this.curves = new Curves(uPlot, () => this.#showProgress());
    this.strip = new Strip((index) => this.#setPicture(index));
    this.next = new Next({ onKeep: () => this.#act({ kind: "keep" }), onDraw: () => this.#openPad() });
    this.message = new Message();
    this.screen = new Screen(host, this, () => this.#redraw());
    this.keyboard = new Keyboard({ onPlay: () => this.#play(), onUndo: () => this.#undo("undo"), onRedo: () => this.#undo("redo") });
    this.plans = new PlanFeed((plan, body) => this.#takePlan(plan, body), (problem, isFinal) => this.#refusePlan(problem, isFinal));
  }

  /** Take the page's data and its way to send actions. */
  update(data, send) {
    this.actions.send = send;
    this.state.update(data);
    this.actions.answered();
    this.curves.follow(data.run?.id, data.api.runs, this.isFresh);
    this.isFresh = false;
    this.message.show(data.message, data.run);
    this.#render();
    this.maps ??= new MapsFeed(() => this.#nextMaps(), (answer, body) => this.#takeMaps(answer, body), (problem) => this.network.setProblem(problem));
    this.#askMaps();
    this.curves.refresh();
  }

  destroy() {
    for (const part of [this.maps, this.plans, this.actions, this.state]) part?.stop();
    for (const part of [this.network, this.curves, this.keyboard, this.screen]) part.destroy();
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
    const { history } = this.curves;
    this.bar.show({ state: this.runState, place: data.run?.place, plan, dataset: state.get("dataset"), datasets: data.datasets, recipe: state.get("recipe"), optimizers: data.optimizers, history });
    this.controls.show({ spec: state.get("spec"), note: this.problem || plan.repair, canUndo: data.can_undo, canRedo: data.can_redo, buildPage: data.pages.build });
    this.#showProgress();
  }

  #showProgress() {
    const { history } = this.curves;
    const { data } = this.state;
    if (this.state.has("state") && history?.facts && isRunning(history.facts.state) === isRunning(this.state.get("state"))) this.state.drop("state");
    this.bar.show({ state: this.runState, place: data.run?.place, plan: this.state.get("plan"), dataset: this.state.get("dataset"), datasets: data.datasets, recipe: this.state.get("recipe"), optimizers: data.optimizers, history });
    const [, correct, total] = history?.samples.at(-1) ?? [];
    this.next.show({ pages: data.pages, recent: data.recent, share: correct / total, hasRun: Boolean(data.run), runs: isRunning(this.runState), hasDrawn: this.hasDrawn });
    this.strip.showConfusion(history?.epochs.at(-1)?.val_confusion, data.dataset.classes);
    if (this.shownState !== this.runState) this.#askMaps();
    this.shownState = this.runState;
    this.#redraw();
  }

  #redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (!this.state.data) return;
      const colours = readColours(this.screen.root);
      this.network.draw(colours);
      this.curves.draw(colours, this.screen.theme(colours));
    });
  }

  // What the person does

  #play() {
    const runs = isRunning(this.runState);
    this.state.set("state", runs ? "paused" : "starting");
    this.#act({ kind: runs ? "pause" : "play" });
  }

  #step() {
    this.steppedAt = performance.now();
    this.#act({ kind: "step" });
  }

  #restart() {
    this.isFresh = true;
    this.#act({ kind: "restart" });
  }

  #undo(kind) {
    if (!this.state.data?.[`can_${kind}`]) return;
    this.state.drop("spec");
    this.state.drop("plan");
    this.#act({ kind });
  }

  #setDataset(name) {
    this.state.set("dataset", name);
    this.isFresh = true;
    this.#act({ kind: "dataset", name });
  }

  #setRecipe(changes) {
    this.state.set("recipe", { ...this.state.get("recipe"), ...changes });
    this.#act({ kind: "recipe", ...changes });
    this.#askPlan(this.state.get("spec"));
  }

  #setPicture(index) {
    if (this.network.input.isDrawing) this.network.input.toggle();
    this.state.set("picture", index);
    this.#render();
    this.#askMaps();
    clearTimeout(this.pictureTimer);
    this.pictureTimer = setTimeout(() => this.actions.add({ kind: "picture", index }), 400);
  }

  #act(action) {
    this.message.forget();
    this.actions.add(action);
    this.#render();
  }

  #edit(spec) {
    this.problem = "";
    this.state.set("spec", spec);
    this.#askPlan(spec);
  }

  /** Hand the design to the page, as it was repaired if the repair is known. */
  #release(spec) {
    this.released = spec;
    if (!this.plans.busy) this.#handOver(spec);
  }

  #handOver(spec) {
    this.released = null;
    this.#act({ kind: "design", spec });
  }

  #resize(column, sign) {
    const planned = this.state.get("plan").columns[column];
    const [convolution, hidden] = [convolutionOf(planned), hiddenOf(planned)];
    const next = (value) => Math.max(1, value + sign * (value + (sign < 0 ? -1 : 0) < 16 ? 1 : value < 64 ? 4 : 8));
    if (convolution >= 0) this.controls.resize((spec) => withChannelsOf(spec, convolution, next(spec.channels[convolution])));
    else this.controls.resize((spec) => withUnitsOf(spec, hidden, next(spec.hidden_dims[hidden])));
  }

  #draw(read) {
    this.drawing = read;
    this.isDrawingNew = Boolean(read);
    this.hasDrawn ||= Boolean(read);
    this.#render();
    if (read) this.maps?.refresh();
    else this.#askMaps();
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
    if (JSON.stringify(spec) !== JSON.stringify(this.state.get("spec"))) return; // a newer design is on its way
    this.state.set("plan", plan);
    if (!this.controls.isMoving) this.state.set("spec", plan.spec);
    if (this.released) this.#handOver(plan.spec);
    else this.#render();
    this.#askMaps();
  }

  #refusePlan(problem, isFinal) {
    this.problem = problem;
    if (isFinal && !this.controls.isMoving) this.#forgetDesign();
    this.#render();
  }

  #forgetDesign() {
    this.released = null;
    this.state.drop("spec");
    this.state.drop("plan");
  }

  // Maps

  /** What the maps belong to: the network, its weights' run, and the picture. */
  #context() {
    const { data } = this.state;
    const source = this.drawing ? "drawing" : this.state.get("picture");
    return JSON.stringify([this.state.get("plan").link, data.run?.id ?? null, data.seed, data.dataset.name, source]);
  }

  /** Ask for maps if they would be others than those on the screen or on their way; while a control is dragged, not for each plan. */
  #askMaps() {
    if (!this.maps) return;
    const context = this.#context();
    if (context !== this.context) this.order.clear();
    this.context = context;
    clearTimeout(this.mapsTimer);
    const wait = this.controls.isMoving ? Math.max(0, this.mapsAt + CALM_MS - performance.now()) : 0;
    if (wait) this.mapsTimer = setTimeout(() => this.#askMaps(), wait);
    else this.maps.refresh(this.#wanted() !== this.sent);
  }

  #wanted() {
    return JSON.stringify([this.#context(), this.network.view, [...this.network.visible]]);
  }

  #nextMaps() {
    const { data } = this.state;
    const plan = this.state.get("plan");
    const { tiles, open, chosen } = this.network.view;
    this.sent = this.#wanted();
    this.mapsAt = performance.now();
    const isSame = this.sent === this.answered && !this.isDrawingNew;
    if (isSame && this.#pace() === "still") return null;
    const picture = this.drawing ? { pixels: encode(this.drawing()) } : { picture: this.state.get("picture") };
    this.isDrawingNew = false;
    const body = {
      run: data.run?.id ?? null, spec: plan.spec, seed: data.seed, dataset: data.dataset.name, ...picture, tiles, open,
      maps: this.order.held(plan.columns, this.network.visible, this.network.view), chosen, strip: !this.drawing,
      ...(isSame ? { after: this.version } : {}),
    };
    return { address: data.api.maps, body, pace: this.#pace() };
  }

  #pace() {
    if (isRunning(this.runState) || performance.now() - this.steppedAt < STEP_MS) return "live";
    return this.runState === "paused" ? "paused" : "still";
  }

  #takeMaps(answer, body) {
    if (this.sent !== this.#wanted() || answer.columns.length !== this.state.get("plan").columns.length) return;
    this.answered = this.sent;
    this.version = answer.version;
    this.order.receive(answer.columns);
    const { classes } = this.state.data.dataset;
    this.network.setAnswer(answer, classes);
    if (answer.strip && body.strip) this.strip.show(answer.strip, classes, answer.trained);
  }
}
