"""The report on one run: its diagnoses and the notes of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnnlib.diagnosis.rules import diagnose
from cnnlib.units import forecast_size, format_size, format_time, plural

if TYPE_CHECKING:
    from cnnlib.records.diagnosis import Diagnosis
    from cnnlib.records.events import EpochEnd
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore


def diagnoses_of(store: RunStore, run: Run) -> list[Diagnosis]:
    """Diagnose a run in the store; the time does not grow with the length of the run."""
    epochs = store.epochs(run.id, confusions=False)
    return diagnose(run, store.sampled_steps(run.id), epochs)


def run_report(store: RunStore, run_id: str) -> dict[str, Any]:
    """Return diagnoses and engine notes as plain JSON values.

    Raises:
        StoreError: There is no such run.
    """
    run = store.run(run_id)
    return {
        "troubles": [diagnosis.to_dict() for diagnosis in diagnoses_of(store, run)],
        "explained": engine_notes(run, store.epochs(run_id, confusions=False)),
    }


_BASES = {
    "this design": "from measured steps of this design on this machine",
    "other designs": "from measured steps of other designs on this machine",
    "a guess": "a guess, because nothing was measured on this machine yet",
}


def engine_notes(run: Run, epochs: Sequence[EpochEnd]) -> dict[str, str]:
    """Write sentences by topic; topics without data are left out."""
    forecast = run.summary.get("promised") or run.summary.get("forecast") or {}
    notes = {
        "Engine": _engine(run),
        "Machine": _machine(run),
        "Memory, whole run": _memory(run, epochs, forecast.get("peak_memory_bytes")),
        "Time": _time(run, epochs, forecast),
        "Weights": _weights(run, epochs),
    }
    return {topic: sentence for topic, sentence in notes.items() if sentence}


def _weights(run: Run, epochs: Sequence[EpochEnd]) -> str:
    """Describe which weights a run with early stopping ended with."""
    losses = {each.epoch: each.val_loss for each in epochs if each.val_loss is not None}
    if run.request.recipe.patience is None or run.state != "finished" or not losses:
        return ""
    best, last = min(losses, key=losses.__getitem__), max(losses)
    if run.weights_step is not None or best == last:
        return f"Those of epoch {best}, the one with the lowest validation loss."
    return (
        f"Those of the last epoch, {last}; epoch {best} had the lowest validation loss. This run "
        "did not restore its best epoch."
    )


def _engine(run: Run) -> str:
    """Describe threads, memory format and precision, the reason and the alternatives."""
    chosen = run.chosen
    if "threads" not in chosen:
        return ""
    threads = chosen["threads"]
    parts = [
        plural(threads, "processor thread"),
        "channels-last format" if chosen.get("channels_last") else "channels-first format",
        "bfloat16 in matrix products" if chosen.get("precision") == "bf16" else "float32",
    ]
    parts += ["compiled"] if chosen.get("compiled") else []
    return f"{', '.join(parts)}: {chosen.get('reason') or 'the default'}{_timed(run)}."


def _timed(run: Run) -> str:
    """Describe the time of a step: in training where that is known, then in the trial."""
    chosen, speed = run.chosen, run.summary.get("images_per_second")
    seconds = {mode: each for mode, each in chosen.get("seconds_per_step", {}).items() if each}
    in_trial = seconds.pop(chosen.get("mode"), None)
    expected = chosen.get("step_seconds") or in_trial
    in_training = run.request.recipe.batch_size / speed if speed else expected
    trial = [format_time(in_trial)] if in_trial else []
    trial += [f"{mode} {format_time(each)}" for mode, each in sorted(seconds.items())]
    if in_training is None:
        return ""
    if in_training == in_trial:
        return f" ({'; '.join([f'{trial[0]} per step', *trial[1:]])})"
    parts = [f"{format_time(in_training)} per step in training"]
    parts += [f"in the trial {', '.join(trial)}"] if trial else []
    return f" ({'; '.join(parts)})"


def _machine(run: Run) -> str:
    """Describe the processor and the versions of the libraries."""
    if run.machine is None:
        return ""
    versions = [f"{name} {version}" for name, version in run.machine.versions.items()]
    return f"{', '.join([run.machine.processor, *versions])}."


def _memory(run: Run, epochs: Sequence[EpochEnd], forecast: float | None) -> str:
    """Describe the measured peak memory and the forecast."""
    most = max((epoch.memory_bytes for epoch in epochs), default=0)
    most = max(most, run.summary.get("peak_memory_bytes") or 0)
    parts = [f"{'Peak so far' if run.is_live else 'Peak'} {format_size(most)}"] if most else []
    parts += [f"{'forecast' if most else 'Forecast'} {forecast_size(forecast)}"] if forecast else []
    return f"{', '.join(parts)}." if parts else ""


def _time(run: Run, epochs: Sequence[EpochEnd], forecast: Mapping[str, Any]) -> str:
    """Describe the time of an epoch, forecast and measured, and that of a finished run."""
    per_epoch = forecast.get("seconds_per_epoch")
    if not per_epoch:
        return ""
    basis = _BASES.get(forecast.get("basis", ""), "")
    parts = [f"Forecast {format_time(per_epoch)} per epoch{f', {basis}' if basis else ''}"]
    measured = [epoch.seconds for epoch in epochs if epoch.seconds]
    if measured:
        parts.append(f"measured {format_time(sum(measured) / len(measured))} per epoch")
    if run.state == "finished" and forecast.get("seconds"):
        parts.append(
            f"in total {format_time(run.train_seconds)}, "
            f"forecast {format_time(forecast['seconds'])}"
        )
    return "; ".join(parts) + "."
