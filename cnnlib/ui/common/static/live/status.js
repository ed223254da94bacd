/** The status of a run: state, progress bar with the time left, and numbers; compact with several runs. */
import { element, write } from "./dom.js";
import { isLive } from "./feed.js";
import { Story } from "./story.js";
import { count, duration, figure, percent, stateLabel, wilson } from "./words.js";

const ANNOUNCE_EVERY_MS = 10_000;

const FACTS = [
  ["step", "Step"],
  ["epoch", "Epochs trained"],
  ["loss", "Training loss, smoothed"],
  ["sample", "Validation sample"],
  ["val", "Validation accuracy"],
  ["rate", "Pictures per second"],
  ["time", "Training time"],
];

export class Status {
  constructor(history, view, compact) {
    this.history = history;
    this.view = view;
    this.state = element("span", { class: "state" });
    this.phase = element("span", { class: "phase" });
    this.left = element("span", { class: "left" });
    this.fill = element("div", { class: "fill" });
    this.bar = element("div", { class: "bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100", "aria-label": "Progress of the training" }, [this.fill]);
    this.reason = element("p", { class: "reason" });
    this.facts = new Map(FACTS.map(([id]) => [id, element("dd", {}, [element("span", {}), element("small", {})])]));
    this.announcement = element("div", { class: "spoken", "aria-live": "polite" });
    this.announcedAt = 0;
    this.story = new Story(view.base, history, compact);
    this.root = element("div", { class: compact ? "status compact" : "status", "data-run": history.id }, [
      element("div", { class: "line" }, [...(compact ? [this.#createNameButton()] : []), this.state, this.phase, this.left]),
      this.bar,
      element("dl", {}, FACTS.map(([id, label]) => element("div", { "data-fact": id }, [element("dt", {}, [label]), this.facts.get(id)]))),
      this.reason,
      this.story.root,
      this.announcement,
    ]);
  }

  /** @param {string} problem Message of a failed request, or "". @param {string} outcome Test result of an ended run. @param {boolean} isGone It was deleted. */
  draw(problem, outcome, isGone) {
    const facts = this.history.facts;
    if (this.name) write(this.name.lastChild, this.view.nameOf(this.history));
    this.name?.style.setProperty("--line", this.view.colourOf(this.history));
    this.name?.setAttribute("aria-pressed", String(!this.view.hiddenRuns.has(this.history.id)));
    if (problem || !facts) return this.#drawProblem(problem, isGone);
    this.root.dataset.state = facts.state;
    write(this.state, stateLabel(facts.state));
    write(this.phase, isLive(facts.state) ? describePhase(facts) : outcome);
    this.phase.classList.toggle("outcome", !isLive(facts.state));
    write(this.left, describeTimeLeft(facts.eta_seconds));
    write(this.reason, facts.reason ?? "");
    this.#drawBar(facts);
    this.#drawFacts(facts);
    this.#announce(facts);
    if (!this.view.curvesOnly) this.story.draw();
  }

  #drawProblem(problem, isGone) {
    this.root.dataset.state = problem ? "away" : "";
    write(this.state, isGone ? "Deleted" : problem ? "Reconnecting" : "Loading");
    write(this.phase, problem);
    write(this.left, "");
  }

  #drawBar(facts) {
    const done = facts.total_steps ? Math.min(1, facts.step / facts.total_steps) : 0;
    this.fill.style.transform = `scaleX(${done.toFixed(4)})`;
    this.bar.setAttribute("aria-valuenow", Math.floor(100 * done));
  }

  #drawFacts(facts) {
    const { steps, epochs } = this.history;
    const texts = {
      step: formatRatio(facts.step, facts.total_steps),
      epoch: `${formatEpochs(facts.step / this.history.stepsPerEpoch)} / ${count(facts.epochs_total)}`,
      loss: figure(steps.smooth.last),
      sample: describeSample(this.history.samples.at(-1)),
      val: describeValidation(epochs, facts),
      rate: count(facts.images_per_second || NaN),
      time: duration(facts.train_seconds),
    };
    for (const [id, text] of Object.entries(texts)) {
      const [value, detail = ""] = [text].flat();
      write(this.facts.get(id).firstChild, value);
      write(this.facts.get(id).lastChild, detail);
    }
  }

  /** Announce the progress to screen readers: at a change of state, and every ten seconds. */
  #announce(facts) {
    const now = performance.now();
    if (facts.state === this.announcedState && now - this.announcedAt < ANNOUNCE_EVERY_MS) return;
    this.announcedState = facts.state;
    this.announcedAt = now;
    const parts = [stateLabel(facts.state), `step ${facts.step} of ${facts.total_steps}`, `loss ${figure(this.history.steps.smooth.last)}`];
    write(this.announcement, parts.join(", "));
  }

  #createNameButton() {
    const { history, view } = this;
    const style = view.roundOf(history) % 2 ? "dashdot" : "solid";
    this.name = element("button", { type: "button", class: "curve run" }, [element("i", { class: style, "aria-hidden": "true" }), view.nameOf(history)]);
    if (view.runs.size > 1) this.name.dataset.place = view.indexOf(history) + 1;
    this.name.onclick = () => view.toggleRun(history.id);
    return this.name;
  }
}

/** Epochs trained, with one decimal during an epoch; rounded down, so that an epoch is never complete too early. */
const formatEpochs = (epochs) => (Number.isFinite(epochs) ? String(Math.floor(10 * epochs + 1e-6) / 10) : "0");

const formatRatio = (done, total) => (total ? `${count(done)} / ${count(total)}` : count(done));

/**
 * "97.2 %" and "after epoch 9". Where early stopping restored an epoch: its accuracy, and then that of the last one; where the run
 * was stopped in the middle of an epoch: that of the weights at this step.
 */
function describeValidation(epochs, facts) {
  if (facts.val_step != null) return [percent(facts.val_accuracy), `at step ${count(facts.val_step)}, where the run was stopped`];
  const last = epochs.at(-1);
  const kept = epochs.find(({ epoch }) => epoch === facts.weights_epoch) ?? last;
  if (kept?.val_accuracy == null) return percent(NaN);
  const detail = kept === last ? `after epoch ${last.epoch}` : `after epoch ${kept.epoch}, which was restored; last epoch ${percent(last.val_accuracy)}`;
  return [percent(kept.val_accuracy), detail];
}

/** "97.2 %" and "486 of 500 at step 431, 95 % interval 95.4 to 98.3 %": the last epoch may have ended after it. */
function describeSample(sample) {
  if (!sample) return "–";
  const [step, correct, pictures] = sample;
  const [low, high] = wilson(correct, pictures).map((share) => (100 * share).toFixed(1));
  return [
    `${((100 * correct) / pictures).toFixed(1)} %`,
    `${correct} of ${pictures} at step ${count(step)}, 95\u00a0% interval ${low}\u00a0to\u00a0${high}\u00a0%`,
  ];
}

/** In steps of 5 s below a minute, so that the text does not flicker. */
function describeTimeLeft(seconds) {
  if (seconds == null) return "";
  if (seconds < 5) return "less than 5 s left";
  return `about ${duration(seconds < 60 ? 5 * Math.round(seconds / 5) : seconds)} left`;
}

function describePhase(facts) {
  const { queue_position: position, wait_seconds: wait, waits_for: reason } = facts;
  if (position != null) {
    const begins = wait == null ? "" : `, starts in about ${duration(wait)}`;
    return reason + begins;
  }
  if (facts.state === "paused") return `at step ${count(facts.step)}`;
  return facts.phase ?? "";
}
