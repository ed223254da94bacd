/** What a run is doing: its state in words, a bar with the time left, and its numbers. One run in full, several in a line each. */
import { element, write } from "./dom.js";
import { isLive } from "./feed.js";
import { Story } from "./story.js";
import { count, duration, figure, percent, stateWord } from "./words.js";

const SPEAK_EVERY_MS = 10_000;

const FACTS = [
  ["step", "Step"],
  ["epoch", "Epoch"],
  ["loss", "Loss"],
  ["val", "Validation accuracy"],
  ["rate", "Images per second"],
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
    this.facts = new Map(FACTS.map(([id]) => [id, element("dd", {})]));
    this.spoken = element("div", { class: "spoken", "aria-live": "polite" });
    this.spokenAt = 0;
    this.story = new Story(view.base, history, compact);
    this.root = element("div", { class: compact ? "status compact" : "status", "data-run": history.id }, [
      element("div", { class: "line" }, [...(compact ? [this.#name()] : []), this.state, this.phase, this.left]),
      this.bar,
      element("dl", {}, FACTS.map(([id, label]) => element("div", { "data-fact": id }, [element("dt", {}, [label]), this.facts.get(id)]))),
      this.reason,
      this.story.root,
      this.spoken,
    ]);
  }

  /** @param {string} problem Why nothing is known now, or "". @param {string} outcome What an ended run is worth. */
  draw(problem, outcome) {
    const facts = this.history.facts;
    this.name?.style.setProperty("--line", this.view.colourOf(this.history));
    this.name?.setAttribute("aria-pressed", String(!this.view.hiddenRuns.has(this.history.id)));
    if (problem || !facts) return this.#drawProblem(problem);
    this.root.dataset.state = facts.state;
    write(this.state, stateWord(facts.state));
    write(this.phase, isLive(facts.state) ? phaseOf(facts) : outcome);
    this.phase.classList.toggle("outcome", !isLive(facts.state));
    write(this.left, facts.eta_seconds != null ? `about ${duration(facts.eta_seconds)} left` : "");
    write(this.reason, facts.reason ?? "");
    this.#drawBar(facts);
    this.#drawFacts(facts);
    this.#speak(facts);
    if (!this.view.curvesOnly) this.story.draw();
  }

  #drawProblem(problem) {
    this.root.dataset.state = problem ? "away" : "";
    write(this.state, problem ? "Reconnecting" : "Reading");
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
    const within = facts.state === "running" || facts.state === "paused" ? 1 : 0; // the epoch that goes on
    const lastEpoch = epochs.at(-1);
    const shown = {
      step: outOf(facts.step, facts.total_steps),
      epoch: outOf(Math.min(facts.epoch + within, facts.epochs_total || 1), facts.epochs_total),
      loss: figure(steps.smooth.last),
      val: percent(lastEpoch?.val_accuracy ?? NaN),
      rate: count(facts.images_per_second || NaN),
      time: duration(facts.train_seconds),
    };
    for (const [id, text] of Object.entries(shown)) write(this.facts.get(id), text);
  }

  /** A sentence for screen readers: when the state changes, and every ten seconds. */
  #speak(facts) {
    const now = performance.now();
    if (facts.state === this.spokenState && now - this.spokenAt < SPEAK_EVERY_MS) return;
    this.spokenState = facts.state;
    this.spokenAt = now;
    const parts = [stateWord(facts.state), `step ${facts.step} of ${facts.total_steps}`, `loss ${figure(this.history.steps.smooth.last)}`];
    write(this.spoken, parts.join(", "));
  }

  #name() {
    const { history, view } = this;
    const look = view.roundOf(history) % 2 ? "dashdot" : "solid";
    this.name = element("button", { type: "button", class: "curve run" }, [element("i", { class: look, "aria-hidden": "true" }), view.nameOf(history)]);
    if (view.runs.size > 1) this.name.dataset.place = view.placeOf(history) + 1;
    this.name.onclick = () => view.toggleRun(history.id);
    return this.name;
  }
}

const outOf = (done, total) => (total ? `${count(done)} / ${count(total)}` : count(done));

function phaseOf(facts) {
  const { queue_position: place, wait_seconds: wait } = facts;
  if (place != null) {
    const begins = wait ? `, begins in about ${duration(wait)}` : "";
    return (place === 1 ? "next in the queue" : `number ${place} in the queue`) + begins;
  }
  return facts.phase ?? "";
}
