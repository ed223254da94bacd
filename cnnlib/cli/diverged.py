"""What the command line says of a run that diverged, or that learned nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.cli.output import print_note
from cnnlib.cli.parser import PROGRAM
from cnnlib.units import percent

if TYPE_CHECKING:
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore


def fork_advice(store: RunStore, run: Run) -> str:
    """Return the command that continues a diverged run with a lower rate, as a sentence, or ""."""
    from cnnlib.diagnosis.lower_rate import lower_rate

    advised = lower_rate(store, run)
    if advised is None:
        return ""
    return (
        f"To continue from step {advised.step:,} with learning rate {advised.lr:g}, "
        f"{advised.source}: "
        f"'{PROGRAM} fork {run.id} --step {advised.step} --lr {advised.lr:g}'."
    )


def warn_of_useless(run: Run) -> None:
    """Print on standard error that the answers of a network mean little.

    It diverged, or is hardly better than guessing.
    """
    from cnnlib.experiments.duel_statistics import learned_nothing

    accuracy = run.summary.get("last_val_accuracy")
    if run.state == "diverged":
        print_note(
            f"The run {run.id} diverged: its weights are the last finite ones, and what its "
            "network answers means little."
        )
    elif accuracy is not None and learned_nothing([accuracy], run.request.spec.out_classes):
        print_note(
            f"The network of run {run.id} is hardly better than guessing ({percent(accuracy)} of "
            f"the validation pictures), and what it answers means little. '{PROGRAM} runs show "
            f"{run.id}' says what may be the cause."
        )
