/** Which maps are asked for and when, and what becomes of an answer. */
import { MapsFeed } from "../requests.js";
import { Order } from "./order.js";
import { isRunning } from "../bar.js";
import { encode } from "../colours.js";

const CALM_MS = 100; // between two requests while a control is dragged
const OTHER_STEP = "The numbers of this step come with the next maps.";
const STEP_MS = 4000; // after "one batch", newer maps are looked for as often as while a network trains

export class Maps {
  /** @param {object} lab state, network, controls, lens, runState; `saved` in the state's data has weights, pixels and label of a saved step. @param {(strip, trained) => void} onStrip */
  constructor(lab, onStrip) {
    Object.assign(this, { lab, onStrip, order: new Order(), read: null, isDrawingNew: false, context: "", sent: "", answered: "", version: null, sentAt: 0, isSuspended: false, steppedAt: -Infinity });
    this.feed = new MapsFeed(() => this.#next(), (answer, body, lens) => this.#take(answer, body, lens), (problem) => lab.network.setProblem(problem));
  }

  stop() {
    clearTimeout(this.timer);
    this.feed.stop();
  }

  /** Ask for nothing until the next `resume`: the run is about to be replaced. */
  suspend() {
    this.isSuspended = true;
    this.feed.refresh(true);
  }

  resume() {
    this.isSuspended = false;
    this.ask();
  }

  /** Ask for the maps of a drawing, or of the picture again. @param {(() => Uint8Array)|null} read */
  draw(read) {
    this.read = read;
    this.isDrawingNew = Boolean(read);
    if (read) this.feed.refresh();
    else this.ask();
  }

  /** Show a map that is not among the first `count` of its column. */
  include(column, map, count) {
    this.order.include(column, map, count);
    this.ask();
  }

  /** One batch is trained: newer maps come soon. */
  expectStep() {
    this.steppedAt = performance.now();
  }

  /** Ask for maps if they would be others than those on the screen or on their way; while a control is dragged, not for each plan. */
  ask() {
    const context = this.#context();
    if (context !== this.context) this.order.clear();
    this.context = context;
    clearTimeout(this.timer);
    const { isMoving } = this.lab.controls;
    const wait = isMoving ? Math.max(0, this.sentAt + CALM_MS - performance.now()) : 0;
    if (wait) this.timer = setTimeout(() => this.ask(), wait);
    else this.feed.refresh(!isMoving && this.#wanted() !== this.sent); // the server computes an aborted request to its end
  }

  /** What the maps belong to: the network, its weights' run, and the picture. */
  #context() {
    const { state } = this.lab;
    const { run, seed, dataset } = state.data;
    const { saved } = state.data;
    return JSON.stringify([state.get("plan").link, run?.id ?? null, seed, dataset.name, this.read ? "drawing" : saved?.pixels ?? state.get("picture")]);
  }

  #wanted() {
    const { network, state } = this.lab;
    return JSON.stringify([this.#context(), state.data.saved?.weights, network.view, [...network.visible]]);
  }

  /** The next request, or null if nothing can be newer. */
  #next() {
    if (this.isSuspended) return null;
    const pace = this.#pace();
    this.sent = this.#wanted();
    this.sentAt = performance.now();
    const isSame = this.sent === this.answered && !this.isDrawingNew;
    if (isSame && pace === "still") return null;
    const { data } = this.lab.state;
    const body = this.#body(data, pace === "live");
    return { address: data.api.maps, body: { ...body, ...(isSame ? { after: this.version } : {}) }, pace, follow: (answer) => this.#lensRequest(data, body, answer) };
  }

  /** The request for the numbers of the chosen map, with the weights of the maps; null where none is chosen. */
  #lensRequest({ api }, { run, spec, seed, dataset, picture, pixels, chosen }, { weights }) {
    return chosen && api.lens && { address: api.lens, body: { run, spec, seed, dataset, picture, pixels, chosen, weights } };
  }

  #body({ run, seed, dataset, saved }, isLive) {
    const { state, network } = this.lab;
    const plan = state.get("plan");
    const { pixels, weights } = saved ?? {};
    const picture = this.read ? { pixels: encode(this.read()) } : saved ? { pixels, weights } : { picture: state.get("picture") };
    this.isDrawingNew = false;
    return {
      run: run?.id ?? null, spec: plan.spec, seed, dataset: dataset.name, ...picture, ...network.view,
      maps: this.order.held(plan.columns, network.visible, network.view, isLive), strip: !this.read && !saved,
    };
  }

  #pace() {
    const { runState } = this.lab;
    if (runState === "queued") return "waiting";
    if (isRunning(runState) || performance.now() - this.steppedAt < STEP_MS) return "live";
    return runState === "paused" ? "paused" : "still";
  }

  /** Show an answer with the numbers of the lens, unless the screen shows something else by now. Both have the same step. */
  #take(answer, body, lens) {
    const { state, network } = this.lab;
    if (this.sent !== this.#wanted() || answer.columns.length !== state.get("plan").columns.length) return;
    this.answered = this.sent;
    this.version = answer.version;
    this.order.receive(answer.columns);
    if (state.data.saved) answer.picture.label = state.data.saved.label;
    network.setAnswer(answer, state.data.dataset.classes);
    const isOther = lens && !lens.error && lens.step !== answer.step;
    if (isOther) this.answered = "";
    this.lab.lens.setAnswer(isOther ? { error: OTHER_STEP } : lens, state.get("plan"), state.data.dataset.classes, { step: answer.trained ? answer.step : 0, api: state.data.api, run: state.data.run?.id });
    if (answer.strip && body.strip) this.onStrip(answer.strip, answer.trained);
  }
}
