"""Saved steps of a run on disk: when they are written and which are deleted for the budget."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cnnlib.records.events import WeightsSaved
from cnnlib.records.folders import attempt_name
from cnnlib.train.checkpoint import (
    Circumstances,
    Progress,
    is_finite,
    read_weights,
    write_checkpoint,
    write_state,
    write_weights,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cnnlib.train.optimizers import Optimizer

BUDGET_BYTES = 16_000_000
MIN_SNAPSHOTS, MIN_CHECKPOINTS = 8, 2
_MAX_SNAPSHOTS = 48
_CHECKPOINT_SECONDS = 30.0
_LATEST = "latest.safetensors"
_FILE = re.compile(r"(snapshot|checkpoint)-(\d{8,})(?:\.a(\d{1,9}))?\.safetensors")


@dataclass(frozen=True, order=True)
class SavedFile:
    """One file of saved weights of a run, and the attempt that wrote it."""

    step: int
    what: Literal["snapshot", "checkpoint"]
    size_bytes: int
    attempt: int = 1

    @property
    def file(self) -> str:
        """The file's name in the folder."""
        return attempt_name(f"{self.what}-{self.step:08}.safetensors", self.attempt)


@dataclass(frozen=True)
class Attempt:
    """What an attempt of a recorded run knows of the run's files.

    It writes files of its own names, so that it cannot overwrite those of another attempt, and
    deletes none: whoever records its events does so afterwards, if the run is still its own.

    Args:
        number: 1 is the first.
        saved: The recorded weights of this run.
        fetch: Returns a local file with recorded weights of this run.
        origin: A file with the weights that the request starts from; None without.
    """

    number: int
    saved: Sequence[WeightsSaved]
    fetch: Callable[[WeightsSaved], Path]
    origin: Path | None = None


def _write_latest(path: Path, weights: dict[str, Tensor], step: int) -> WeightsSaved:
    size = write_state(path, weights, step)
    return WeightsSaved(step, path.name, "latest", size)


def saved_files(folder: Path) -> list[SavedFile]:
    """List the snapshots and checkpoints in a run's folder by step, without the `latest` file."""
    found = []
    for path in folder.glob("*.safetensors"):
        with suppress(FileNotFoundError):  # deleted just now
            found.append(_parse_name(path.name, path.stat().st_size))
    return sorted(saved for saved in found if saved is not None)


def _parse_name(name: str, size_bytes: int) -> SavedFile | None:
    """Return the record of a file; None if it is another kind of file."""
    match = _FILE.fullmatch(name)
    if match is None:
        return None
    what: Literal["snapshot", "checkpoint"] = "snapshot" if match[1] == "snapshot" else "checkpoint"
    return SavedFile(int(match[2]), what, size_bytes, int(match[3] or 1))


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the path of the newest checkpoint; None if there is none."""
    checkpoints = [saved for saved in saved_files(folder) if saved.what == "checkpoint"]
    return folder / checkpoints[-1].file if checkpoints else None


def snapshot_steps(total_steps: int, count: int) -> frozenset[int]:
    """Return about ``count`` steps from 0 to the last, even on a log scale: 0, 1, 2, 4, 8..."""
    if total_steps < 1:
        return frozenset({0})
    indices = range(max(1, count - 1))
    log_ratio = math.log(total_steps) / max(1, len(indices) - 1)
    return frozenset({0, total_steps} | {round(math.exp(log_ratio * index)) for index in indices})


def files_to_delete(
    saved: list[SavedFile], budget_bytes: int, protected: Collection[SavedFile] = ()
) -> list[SavedFile]:
    """Return the files to delete so that the rest fits the budget and is spaced evenly.

    The first and the last of each kind and those ``protected`` are kept, and at least eight
    snapshots and two checkpoints. Checkpoints are deleted first: the newest one suffices to
    resume a run.
    """
    kept, dropped = sorted(saved), []
    while sum(file.size_bytes for file in kept) > budget_bytes:
        file = _most_redundant(kept, "checkpoint", MIN_CHECKPOINTS, protected)
        file = file or _most_redundant(kept, "snapshot", MIN_SNAPSHOTS, protected)
        if file is None:
            break
        kept.remove(file)
        dropped.append(file)
    return dropped


def _most_redundant(
    kept: list[SavedFile], what: str, minimum: int, protected: Collection[SavedFile]
) -> SavedFile | None:
    """Return the file of a kind with the smallest gap between its neighbours.

    Those ``protected`` are left out. Gaps of snapshots are measured on a log scale. None if no
    more than ``minimum`` are left.
    """
    files = [file for file in kept if file.what == what]
    if len(files) <= minimum:
        return None

    def position(file: SavedFile) -> float:
        return math.log1p(file.step) if what == "snapshot" else file.step

    gaps = {
        file: position(after) - position(before)
        for before, file, after in zip(files, files[1:], files[2:], strict=False)
        if file not in protected
    }
    return min(gaps, key=lambda file: (gaps[file], -file.step), default=None)


class Saver:
    """Writes the weights and checkpoints of one run into its folder, within its budget.

    Without a folder (a run in a notebook without files) it writes nothing.

    Args:
        total_steps: The step of the last snapshot.
        weights_bytes, optimizer_bytes: Size of one copy each; determines how many fit.
        best_step: The step of the best epoch of a run that is resumed.
        attempt: Of a recorded run; None takes the files in the folder, and deletes files at once.
    """

    def __init__(
        self,
        folder: Path | None,
        total_steps: int,
        weights_bytes: int,
        optimizer_bytes: int,
        best_step: int | None = None,
        attempt: Attempt | None = None,
    ) -> None:
        self._folder = folder
        self._attempt = attempt
        self._recorded = {each.file: each for each in attempt.saved} if attempt else {}
        minimum = (MIN_SNAPSHOTS + MIN_CHECKPOINTS) * weights_bytes
        minimum += MIN_CHECKPOINTS * optimizer_bytes
        self.budget_bytes = max(BUDGET_BYTES, minimum)
        affordable = self.budget_bytes // 2 // max(1, weights_bytes)
        count = min(_MAX_SNAPSHOTS, max(MIN_SNAPSHOTS, affordable))
        self._snapshot_steps = snapshot_steps(total_steps, count)
        if attempt is not None:
            known = (_parse_name(each.file, each.size_bytes) for each in attempt.saved)
            self._saved = sorted(each for each in known if each is not None)
        else:
            self._saved = saved_files(folder) if folder else []
        self._checkpoint_seconds = 0.0
        snapshots = (file for file in self._saved if file.what == "snapshot")
        self._best = next((file for file in snapshots if file.step == best_step), None)
        self._best_weights: dict[str, Tensor] = {}  # without a folder
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="latest")
        self._latest: Future[WeightsSaved] | None = None  # written at this moment

    def has_saved(self, step: int, what: str) -> bool:
        """Return whether that step is on disk; also True without a folder."""
        return self._folder is None or any(
            file.step == step and file.what == what for file in self._saved
        )

    def snapshot_is_due(self, step: int) -> bool:
        """Return whether this step is one of those for the time slider."""
        return step in self._snapshot_steps

    def checkpoint_is_due(self, seconds: float) -> bool:
        """Return whether 30 s of training have passed since the last checkpoint."""
        return seconds - self._checkpoint_seconds >= _CHECKPOINT_SECONDS

    def save_snapshot(self, net: nn.Module, step: int) -> list[WeightsSaved]:
        """Write the weights of this step."""
        if self._folder is None:
            return []
        path = self._folder / self._new(step, "snapshot", 0).file
        return [self._add(self._new(step, "snapshot", write_weights(path, net, step)))]

    def save_best(self, net: nn.Module, step: int) -> list[WeightsSaved]:
        """Save the weights of the best epoch so far; they are not deleted for the budget."""
        if self._folder is None:
            self._best_weights = {name: value.clone() for name, value in net.state_dict().items()}
            return []
        [saved] = self.save_snapshot(net, step)
        self._best = self._new(step, "snapshot", saved.size_bytes)
        return [saved]

    def read_best(self, step: int) -> dict[str, Tensor]:
        """Read the weights that `save_best` saved at a step."""
        if self._folder is None:
            return self._best_weights
        return read_weights(self._path(self._best or self._new(step, "snapshot", 0)))

    def save_checkpoint(
        self,
        net: nn.Module,
        optimizer: Optimizer,
        progress: Progress,
        circumstances: Circumstances,
    ) -> list[WeightsSaved]:
        """Write everything that a continuation from this step needs.

        Returns:
            The checkpoint, after the newest weights if they were still being written.
        """
        self._checkpoint_seconds = progress.train_seconds
        if self._folder is None:
            return []
        latest = self._take_latest()
        path = self._folder / self._new(progress.step, "checkpoint", 0).file
        size = write_checkpoint(path, net, optimizer, progress, circumstances)
        return [*latest, self._add(self._new(progress.step, "checkpoint", size))]

    def save_latest(self, net: nn.Module, step: int) -> list[WeightsSaved]:
        """Overwrite the file of the newest weights, for inspection during the run.

        The weights are copied, and written on another thread.

        Returns:
            What was written by the call before.
        """
        if self._folder is None:
            return []
        written = self._take_latest()
        weights = {name: value.to("cpu", copy=True) for name, value in net.state_dict().items()}
        path = self._folder / self.file_name(_LATEST)
        self._latest = self._writer.submit(_write_latest, path, weights, step)
        return written

    @property
    def writes_latest(self) -> bool:
        """Whether the newest weights are being written at this moment."""
        return self._latest is not None and not self._latest.done()

    def _take_latest(self) -> list[WeightsSaved]:
        """Wait for the end of the write that was begun, and return what it has written."""
        latest, self._latest = self._latest, None
        return [] if latest is None else [latest.result()]

    def delete_after(self, step: int) -> tuple[str, ...]:
        """Delete the files of all later steps, before a run is resumed; return their names."""
        return self._delete([file for file in self._saved if file.step > step])

    def delete_before(self, step: int) -> tuple[str, ...]:
        """Delete the files of all earlier steps, and `latest`; return their names.

        After a change of the design they do not fit it.
        """
        names = self._delete([file for file in self._saved if file.step < step])
        if self._folder is None:
            return names
        latest = self.file_name(_LATEST)
        if self._attempt is None:
            (self._folder / latest).unlink(missing_ok=True)
        return (*names, latest)

    def delete_broken(self) -> WeightsSaved | None:
        """Delete the newest files until one has only finite weights; return that one."""
        broken: list[SavedFile] = []
        for file in sorted(self._saved, reverse=True):
            if self._folder is not None and is_finite(self._path(file)):
                names = self._delete(broken)
                return WeightsSaved(file.step, file.file, file.what, file.size_bytes, names)
            broken.append(file)
        return None

    def _add(self, new: SavedFile) -> WeightsSaved:
        """Register a file that was just written, and delete others to stay within the budget.

        The checkpoint of the step before stays: the two show what one batch changed.
        """
        others = [file for file in self._saved if file.file != new.file]
        same = [file for file in others if (file.step, file.what) == (new.step, new.what)]
        self._saved = [*others, new]
        if self._best in same:
            self._best = new
        before = [file for file in self._saved if file.step == new.step - 1]
        protected = [*before, *([self._best] if self._best else [])]
        names = self._delete(same)  # of an earlier attempt
        names += self._delete(files_to_delete(self._saved, self.budget_bytes, protected))
        return WeightsSaved(new.step, new.file, new.what, new.size_bytes, names)

    def _delete(self, files: list[SavedFile]) -> tuple[str, ...]:
        if self._attempt is None:
            for file in files:
                assert self._folder is not None  # without a folder there are no files
                (self._folder / file.file).unlink(missing_ok=True)
        self._saved = [file for file in self._saved if file not in files]
        return tuple(file.file for file in files)

    def file_name(self, name: str) -> str:
        """Return the name of a file of this attempt."""
        return attempt_name(name, self._attempt.number if self._attempt else 1)

    def _new(self, step: int, what: Literal["snapshot", "checkpoint"], size: int) -> SavedFile:
        """Return the record of a file of this attempt."""
        return SavedFile(step, what, size, self._attempt.number if self._attempt else 1)

    def _path(self, file: SavedFile) -> Path:
        """Return a local file; that of an earlier attempt may have to be fetched."""
        if self._attempt is not None and file.file in self._recorded:
            return self._attempt.fetch(self._recorded[file.file])
        assert self._folder is not None  # without a folder there are no files
        return self._folder / file.file
