"""A progress bar with an ETA for runs in a terminal or a notebook."""

from __future__ import annotations

from tqdm.auto import tqdm

from cnnlib.records.events import EpochEnd, Event, Phase, RunEnd, SampleScore, Started, StepMetrics
from cnnlib.units import percent


class ProgressBar:
    """Shows the events of a run as a bar over its steps, until it is closed.

    Args:
        shown: False shows nothing; None shows it in a terminal or a notebook only.
    """

    def __init__(self, shown: bool | None = None) -> None:
        self._bar = tqdm(
            disable=None if shown is None else not shown, unit=" steps", dynamic_ncols=True
        )
        self._numbers: dict[str, str] = {}

    def close(self) -> None:
        """Leave the bar as it is, and begin a new line."""
        self._bar.close()

    def describe(self, text: str) -> None:
        """Show what is going on, in front of the bar."""
        self._bar.set_description(text)

    def update(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Started():
                self._bar.reset(total=event.total_steps)
                self.describe("training")
            case StepMetrics():
                self._numbers["loss"] = f"{event.loss:.4f}"
                self._bar.update(event.step - self._bar.n)
            case SampleScore():
                share = percent(event.correct / event.count, 1)
                self._show_number("sample", f"{share} ({event.correct} of {event.count})")
            case EpochEnd() if event.val_accuracy is not None:
                self._show_number("validation", percent(event.val_accuracy))
            case Phase():
                self.describe(event.text or event.state)
            case RunEnd():
                if event.test is not None:
                    self._numbers["test"] = percent(event.test.accuracy)
                self.describe(event.state)
                self._bar.set_postfix(self._numbers)

    def _show_number(self, name: str, text: str) -> None:
        self._numbers[name] = text
        self._bar.set_postfix(self._numbers, refresh=False)
