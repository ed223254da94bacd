"""What the command line says of a run that diverged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.cli.output import print_note
from cnnlib.cli.parser import PROGRAM

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
        f"To continue from step {advised.step:,} with a tenth of its learning rate: "
        f"'{PROGRAM} fork {run.id} --step {advised.step} --lr {advised.lr:g}'."
    )


def warn_if_diverged(run: Run) -> None:
    """Print on standard error that the answers of a diverged network mean little."""
    if run.state == "diverged":
        print_note(
            f"The run {run.id} diverged: its weights are the last finite ones, and what its "
            "network answers means little."
        )
