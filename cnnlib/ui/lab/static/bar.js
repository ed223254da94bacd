/** The bar: training at the left, settings of the training, costs, and the share of unseen pictures that is right. */
import { stateLabel } from "../common/live/words.js";
import { button, bytes, compact, count, element, menu, percent, setAttribute, setOptions, wilson, write } from "./format.js";

const RATES = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
const BATCHES = [16, 32, 64, 128, 256, 512];
const RUNNING = ["queued", "starting", "running"];

/** Whether a network trains or is about to. */
export const isRunning = (state) => RUNNING.includes(state);

export class Bar {
  /** @param {{value: string, label: string}[]} optimizers @param {object} on onPlay(), onStep(), onRestart(), onDataset(name), onRecipe(changes). */
  constructor(optimizers, on) {
    this.optimizers = optimizers;
    this.play = button("", { class: "play", "data-testid": "lab-play" }, on.onPlay);
    const step = button("", { class: "icon next-batch", "data-testid": "lab-step", "aria-label": "One batch", title: "Train on one batch" }, on.onStep);
    const restart = button("", { class: "icon again", "data-testid": "lab-restart", "aria-label": "Start again", title: "Start again with fresh weights" }, on.onRestart);
    this.state = number("", "lab-state");
    this.label = element("span", {});
    this.epoch = element("span", {});
    this.state.name.append(this.label, this.epoch);
    this.dataset = menu("Pictures", { "data-testid": "lab-dataset" }, on.onDataset);
    this.lr = menu("Learning rate", { "data-testid": "lab-lr" }, (value) => on.onRecipe({ lr: Number(value) }));
    this.batch = menu("Batch", { "data-testid": "lab-batch" }, (value) => on.onRecipe({ batch_size: Number(value) }));
    this.optimizer = menu("Optimiser", { "data-testid": "lab-optimizer" }, (value) => on.onRecipe({ optimizer: value }));
    this.params = number("Parameters", "lab-params");
    this.macs = number("MACs per picture", "lab-macs");
    this.memory = number("Memory, training step", "lab-memory");
    this.speed = number("Pictures per second", "lab-speed");
    this.#buildScore();
    this.root = element("section", { class: "panel top", "aria-label": "Training" }, [
      element("div", { class: "buttons" }, [this.play, step, restart]),
      element("div", { class: "settings" }, [this.state.root, this.dataset.root, this.lr.root, this.batch.root, this.optimizer.root]),
      element("div", { class: "costs" }, [this.params.root, this.macs.root, this.memory.root, this.speed.root]),
      this.score,
    ]);
  }

  #buildScore() {
    this.accuracy = element("b", { "data-testid": "lab-accuracy" }, ["–"]);
    this.interval = element("small", {});
    this.fill = element("i", {});
    this.range = element("i", { class: "range" });
    this.score = element("div", { class: "score", title: "Share of a sample of unseen (validation) pictures that the network names right, with its 95 % interval, and the step at which they were read" }, [
      element("span", { class: "name" }, ["Right on unseen pictures"]),
      element("span", { class: "line" }, [this.accuracy, this.interval]),
      element("span", { class: "meter", "aria-hidden": "true" }, [this.fill, this.range]),
    ]);
  }

  /** @param {object} view state, place, plan, dataset, datasets, recipe, history, score. */
  show(view) {
    const { state, plan, recipe } = view;
    const runs = isRunning(state);
    setAttribute(this.play, "aria-label", runs ? "Pause" : "Play");
    setAttribute(this.play, "aria-keyshortcuts", "Space");
    setAttribute(this.play, "title", runs ? "Pause (Space)" : "Train (Space)");
    setAttribute(this.play, "data-runs", runs);
    this.#showState(view);
    setOptions(this.dataset.select, view.datasets.map(({ name, title, is_here: isHere }) => [name, isHere || name === view.dataset ? title : `${title} (download)`]), view.dataset);
    setOptions(this.lr.select, withValue(RATES, recipe.lr).map((each) => [each, String(each)]), recipe.lr);
    setOptions(this.batch.select, withValue(BATCHES, recipe.batch_size).map((each) => [each, String(each)]), recipe.batch_size);
    setOptions(this.optimizer.select, this.optimizers.map(({ value, label }) => [value, label]), recipe.optimizer);
    write(this.params.value, compact(plan.params, 1e7));
    write(this.macs.value, compact(plan.macs));
    write(this.memory.value, bytes(plan.training_bytes));
    this.showProgress(view);
  }

  #showState({ state, place }) {
    const shown = state === "interrupted" ? "paused" : state; // it left its worker to others
    const label = shown === null ? "Ready" : shown === "queued" && place ? `In line: ${place}` : stateLabel(shown);
    write(this.label, label);
    this.state.root.dataset.state = state ?? "ready";
  }

  /** The numbers that move while a network trains. @param {object} view history (RunHistory|null), score ([step, right, all], or empty). */
  showProgress({ history, score }) {
    const { facts } = history ?? {};
    const step = facts?.step ?? 0;
    write(this.state.value, `step ${count(step)}`);
    write(this.epoch, facts ? ` · ${epochText(history, step)}` : "");
    setAttribute(this.state.root, "title", "Steps (batches) so far · epochs (passes through the pictures)");
    write(this.speed.value, count(facts?.images_per_second || NaN));
    this.#showScore(score, step);
  }

  #showScore([measuredAt, correct, total], step) {
    setAttribute(this.score, "data-known", Boolean(total));
    if (!total) {
      write(this.accuracy, "–");
      write(this.interval, step ? "not measured yet" : "not trained yet");
      this.fill.style.transform = this.range.style.transform = "scaleX(0)";
      return;
    }
    const [low, high] = wilson(correct, total);
    write(this.accuracy, percent(correct / total));
    write(this.interval, `${(100 * low).toFixed(1)} – ${(100 * high).toFixed(1)} · step ${count(measuredAt)}`);
    this.fill.style.transform = `scaleX(${correct / total})`;
    this.range.style.transform = `translateX(${100 * low}%) scaleX(${Math.max(0.01, high - low)})`;
  }
}

/** A number with its name above. */
function number(label, testId) {
  const name = element("span", { class: "name" }, [label]);
  const value = element("b", { "data-testid": testId }, ["–"]);
  return { name, value, root: element("div", { class: "field number" }, [name, value]) };
}

function epochText(history, step) {
  const epochs = step / history.stepsPerEpoch;
  return Number.isFinite(epochs) ? `epoch ${epochs.toFixed(epochs < 10 ? 1 : 0)}` : `epoch ${history.facts.epoch ?? 0}`;
}

/** The values in order, with another one among them. */
const withValue = (values, value) => (values.includes(value) ? values : [...values, value].sort((one, other) => one - other));
