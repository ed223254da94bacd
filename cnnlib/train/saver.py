"""Which steps of a run are kept on disk, and which are given up to stay within its budget."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cnnlib.records.events import WeightsSaved
from cnnlib.train.checkpoint import Circumstances, is_finite, write_checkpoint, write_weights

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from cnnlib.train.optimizers import Optimizer
    from cnnlib.train.progress import Progress

BUDGET_BYTES = 16_000_000
FEWEST_SNAPSHOTS, FEWEST_CHECKPOINTS = 8, 2
_MOST_SNAPSHOTS = 48
_CHECKPOINT_SECONDS = 30.0
_LATEST = "latest.safetensors"
_FILE = re.compile(r"(snapshot|checkpoint)-(\d{8,})\.safetensors")


@dataclass(frozen=True, order=True)
class Saved:
    """One file of a run's folder."""

    step: int
    what: Literal["snapshot", "checkpoint"]
    size_bytes: int

    @property
    def file(self) -> str:
        """Its name inside the folder."""
        return f"{self.what}-{self.step:08}.safetensors"


def saved_files(folder: Path) -> list[Saved]:
    """Snapshots and checkpoints in a run's folder, by step; `latest` is not among them."""
    found = (_saved(path) for path in folder.glob("*.safetensors"))
    return sorted(saved for saved in found if saved is not None)


def _saved(path: Path) -> Saved | None:
    """What a file holds, by its name; None where it is another one, or was thinned out just now."""
    match = _FILE.fullmatch(path.name)
    if match is None:
        return None
    try:
        what: Literal["snapshot", "checkpoint"] = (
            "snapshot" if match[1] == "snapshot" else "checkpoint"
        )
        return Saved(int(match[2]), what, path.stat().st_size)
    except FileNotFoundError:
        return None


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint from which a run goes on; None where there is none."""
    checkpoints = [saved for saved in saved_files(folder) if saved.what == "checkpoint"]
    return folder / checkpoints[-1].file if checkpoints else None


def snapshot_steps(total_steps: int, count: int) -> frozenset[int]:
    """About ``count`` steps from 0 to the last, evenly on a log scale: 0, 1, 2, 4, 8..."""
    if total_steps < 1:
        return frozenset({0})
    places = range(max(1, count - 1))
    ratio = math.log(total_steps) / max(1, len(places) - 1)
    return frozenset({0, total_steps} | {round(math.exp(ratio * place)) for place in places})


def thinned(saved: list[Saved], budget_bytes: int) -> list[Saved]:
    """What to delete so that the rest fits, taken where the rest stays most even.

    The first and the last of each kind stay, and never fewer than eight snapshots and two
    checkpoints. Checkpoints go first: a run can go on from the newest one alone.
    """
    kept, dropped = sorted(saved), []
    while sum(file.size_bytes for file in kept) > budget_bytes:
        victim = _least_missed(kept, "checkpoint", FEWEST_CHECKPOINTS)
        victim = victim or _least_missed(kept, "snapshot", FEWEST_SNAPSHOTS)
        if victim is None:
            break
        kept.remove(victim)
        dropped.append(victim)
    return dropped


def _least_missed(kept: list[Saved], what: str, fewest: int) -> Saved | None:
    """The file of a kind whose neighbours are closest; snapshots are compared on a log scale."""
    files = [file for file in kept if file.what == what]
    if len(files) <= fewest:
        return None

    def place(file: Saved) -> float:
        return math.log1p(file.step) if what == "snapshot" else file.step

    gaps = {
        file: place(after) - place(before)
        for before, file, after in zip(files, files[1:], files[2:], strict=False)
    }
    return min(gaps, key=lambda file: (gaps[file], -file.step))


class Saver:
    """Writes the weights and checkpoints of one run into its folder, within its budget.

    Without a folder (a run in a notebook that keeps nothing) it writes nothing.

    Args:
        total_steps: Where the last snapshot will be.
        weights_bytes, optimizer_bytes: Of one copy each, to see how many fit.
    """

    def __init__(
        self, folder: Path | None, total_steps: int, weights_bytes: int, optimizer_bytes: int
    ) -> None:
        self._folder = folder
        least = (FEWEST_SNAPSHOTS + FEWEST_CHECKPOINTS) * weights_bytes
        least += FEWEST_CHECKPOINTS * optimizer_bytes
        self.budget_bytes = max(BUDGET_BYTES, least)
        fit = self.budget_bytes // 2 // max(1, weights_bytes)
        count = min(_MOST_SNAPSHOTS, max(FEWEST_SNAPSHOTS, fit))
        self._due = snapshot_steps(total_steps, count)
        self._saved = saved_files(folder) if folder else []
        self._checkpoint_seconds = 0.0

    def holds(self, step: int, what: str) -> bool:
        """That step lies on disk already (or nothing ever will)."""
        return self._folder is None or any(
            file.step == step and file.what == what for file in self._saved
        )

    def snapshot_is_due(self, step: int) -> bool:
        """This step is one of those that the time slider replays."""
        return step in self._due

    def checkpoint_is_due(self, seconds: float) -> bool:
        """It is 30 s of training since the last one."""
        return seconds - self._checkpoint_seconds >= _CHECKPOINT_SECONDS

    def snapshot(self, net: nn.Module, step: int) -> list[WeightsSaved]:
        """Keep the weights of this step."""
        if self._folder is None:
            return []
        size = write_weights(self._folder / Saved(step, "snapshot", 0).file, net, step)
        return [self._kept(Saved(step, "snapshot", size))]

    def checkpoint(
        self,
        net: nn.Module,
        optimizer: Optimizer,
        progress: Progress,
        circumstances: Circumstances,
    ) -> list[WeightsSaved]:
        """Keep everything that a continuation from here needs."""
        self._checkpoint_seconds = progress.train_seconds
        if self._folder is None:
            return []
        path = self._folder / Saved(progress.step, "checkpoint", 0).file
        size = write_checkpoint(path, net, optimizer, progress, circumstances)
        return [self._kept(Saved(progress.step, "checkpoint", size))]

    def latest(self, net: nn.Module, step: int) -> list[WeightsSaved]:
        """Overwrite the weights that somebody looks at while the run goes on."""
        if self._folder is None:
            return []
        size = write_weights(self._folder / _LATEST, net, step)
        return [WeightsSaved(step, _LATEST, "latest", size)]

    def forget_after(self, step: int) -> tuple[str, ...]:
        """Delete what a run had saved after the step from which it now goes on; their names."""
        return self._delete([file for file in self._saved if file.step > step])

    def last_good(self) -> WeightsSaved | None:
        """Delete saved steps from the newest on until one has only finite weights; that one."""
        broken: list[Saved] = []
        for file in sorted(self._saved, reverse=True):
            if self._folder is not None and is_finite(self._folder / file.file):
                names = self._delete(broken)
                return WeightsSaved(file.step, file.file, file.what, file.size_bytes, names)
            broken.append(file)
        return None

    def _kept(self, new: Saved) -> WeightsSaved:
        """Count a file that was just written, and make room for it."""
        self._saved = [file for file in self._saved if file.file != new.file] + [new]
        names = self._delete(thinned(self._saved, self.budget_bytes))
        return WeightsSaved(new.step, new.file, new.what, new.size_bytes, names)

    def _delete(self, files: list[Saved]) -> tuple[str, ...]:
        for file in files:
            assert self._folder is not None  # only then there are files
            (self._folder / file.file).unlink(missing_ok=True)
        self._saved = [file for file in self._saved if file not in files]
        return tuple(file.file for file in files)
