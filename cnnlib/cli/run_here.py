"""Submit runs, follow them to their end, and train here those that no worker takes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

from cnnlib.cli.commands.watch import POLL_SECONDS, exit_code, follow_run, progress_output
from cnnlib.cli.output import one_line, print_json, print_note
from cnnlib.cli.parser import INTERRUPTED, PROGRAM
from cnnlib.cli.store import print_unless_served, run_facts
from cnnlib.records.events import Command
from cnnlib.units import listed, percent, plural

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Iterator, Sequence

    from cnnlib.cli.output import ProgressOutput, Update
    from cnnlib.records.run import Run, RunRequest
    from cnnlib.runs import RunStore
    from cnnlib.runs.capacity import Capacity
    from cnnlib.train.control import Control

PATIENCE_SECONDS = 0.5  # wait for a worker, per queue position
_PATIENCE_AFTER_INTERRUPT = 15.0  # wait for runs that another process ends
T = TypeVar("T")


@contextmanager
def workers_for(store: RunStore, runs: int) -> Generator[bool]:
    """Start workers for several runs, which then train at once; they end with the block.

    Yields:
        Whether they were started: on this machine not for one run, and not where the app's workers
            are.
    """
    from cnnlib.runs.capacity import default_runs
    from cnnlib.runs.places.opening import open_place, place_kind

    is_local = place_kind() == "local"
    if is_local and (min(runs, default_runs()) < 2 or store.workers.serve_runs_here()):
        yield False
        return
    place = open_place(store.folders)
    place.start()
    try:
        yield True
    finally:
        place.shutdown()


def follow_or_train(
    store: RunStore,
    run_id: str,
    output: ProgressOutput,
    *,
    skip_queue: bool = False,
    has_workers: bool = False,
) -> int:
    """Print the progress of a run until it ends; train it here if no worker does.

    Ctrl-C or SIGTERM ends the run with a checkpoint, in whichever process it trains. A second
    Ctrl-C ends this process at once.

    Args:
        skip_queue: Train it here at once, whatever else trains on this machine.
        has_workers: Workers of this program train it, and interrupt it after Ctrl-C.

    Returns:
        The program's exit code.
    """
    from cnnlib.runs.capacity import machine_capacity
    from cnnlib.train.control import Control, interrupted_by_signals

    control = Control()
    with interrupted_by_signals(control):
        starts_now = skip_queue or (not has_workers and _is_first(store, run_id))
        updates = follow_run(store, run_id, output, is_waiting=not starts_now)
        turn = _QueueTurn(store, skip_queue)
        is_interrupted = False
        for update in updates:
            if has_workers:
                if control.interrupted:
                    return INTERRUPTED
            elif control.interrupted and not is_interrupted:
                is_interrupted = bool(store.submit_command(run_id, Command("interrupt")))
            elif turn.is_our_turn(update):
                _train_here(
                    store, run_id, updates, control, None if skip_queue else machine_capacity(1)
                )
            time.sleep(POLL_SECONDS)
    return INTERRUPTED if control.interrupted else exit_code(store.run(run_id))


def _is_first(store: RunStore, run_id: str) -> bool:
    """Whether a run starts in this process at once: no worker serves, and nothing is before it."""
    from cnnlib.runs.queue import BUSY_STATES

    is_next = store.position(run_id) == 1 and not store.runs(limit=1, states=BUSY_STATES)
    return is_next and not store.workers.serve_runs()


class StudyFollower:
    """Follows the runs of a study one after another, so that each is printed from start to end.

    Runs that train beside the one that is followed are printed after it. Runs that had ended
    before are not printed.

    Args:
        has_workers: Workers of this program train the runs.
    """

    def __init__(self, store: RunStore, study_id: str, *, as_json: bool, has_workers: bool) -> None:
        from cnnlib.runs import studies

        self._store, self._id = store, study_id
        self._as_json, self._has_workers = as_json, has_workers
        runs = studies.find(store, study_id).runs.values()
        self._printed = {run.id for run in runs if not run.is_live}

    def unprinted(self, runs: Sequence[Run]) -> list[Run]:
        """Return the runs that are still to be printed, in the order of their start."""
        found = [run for run in runs if run.id not in self._printed]
        return sorted(found, key=lambda run: (run.state == "queued", run.id))

    def follow(self, run: Run) -> bool:
        """Follow a run to its end.

        Returns:
            False after Ctrl-C, which interrupts the study; then it is said how to continue it.
        """
        from cnnlib.runs import studies

        output = progress_output(self._as_json)
        self._printed.add(run.id)
        code = follow_or_train(self._store, run.id, output, has_workers=self._has_workers)
        if code != INTERRUPTED:
            return True
        kind = studies.find(self._store, self._id).kind
        studies.interrupt(self._store, self._id)
        print_note(
            f"The {studies.KIND_LABELS[kind]} is interrupted; all that its runs have trained is "
            f"kept. To continue it: '{resume_command(kind, self._id)}'."
        )
        return False


def resume_command(kind: str, study_id: str) -> str:
    """Return the command that continues a study of a kind."""
    words = "duel --id" if kind == "duel" else "experiment resume"
    return f"{PROGRAM} {words} {study_id}"


class _QueueTurn:
    """Decides whether a queued run is to be trained in this process.

    That is so when no run trains and no worker has claimed it for a while. The wait grows with the
    queue position, so that runs start in the order of the queue.
    """

    def __init__(self, store: RunStore, skip: bool) -> None:
        self._store = store
        self._skip = skip
        self._idle_since: float | None = None
        self._reason_printed = False

    def is_our_turn(self, update: Update) -> bool:
        """Whether to train now; called at every poll with the newest update."""
        from cnnlib.runs.queue import BUSY_STATES

        if update["state"] != "queued":
            return False
        if self._skip:
            return True
        busy = self._store.runs(limit=2, states=BUSY_STATES)
        if busy:
            self._idle_since = None
            if all(run.id != update["run_id"] for run in busy):  # it may have started since then
                self._print_reason(busy[0])
            return False
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        places = min(10, update["queue_position"] or 1)
        return now - self._idle_since >= PATIENCE_SECONDS * places

    def _print_reason(self, busy: Run) -> None:
        """Print once which run this one waits for."""
        if not self._reason_printed:
            print_note(
                f"Run {busy.id} is {busy.state}, so this run waits in the queue. "
                "Use --now to start without waiting."
            )
        self._reason_printed = True


def _train_here(
    store: RunStore,
    run_id: str,
    updates: Iterator[Update],
    control: Control,
    capacity: Capacity | None,
) -> None:
    """Claim a run and train it as a worker, unless another worker has claimed it.

    The network trains in this thread, as in any worker; another thread prints the progress.
    """
    from cnnlib.train.worker.execute_run import execute_run

    with store.workers.registered("runs") as worker_id:
        run: Run | None = store.claim(worker_id, run_id, capacity)
        if run is None:
            return
        failed = threading.Event()
        with ThreadPoolExecutor(1, "progress") as threads:
            printing = threads.submit(_print_progress, updates, control, failed)
            try:
                execute_run(run, store, worker_id, control)
            except BaseException:
                failed.set()
                raise
            printing.result()


def _print_progress(updates: Iterator[Update], control: Control, failed: threading.Event) -> None:
    """Print until the run ends; a closed output interrupts the run, with a checkpoint."""
    try:
        for _ in updates:
            if failed.wait(POLL_SECONDS):
                return
    except BrokenPipeError:
        control.interrupt()
        raise


def add_queue_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--now`` and ``--detach``."""
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--now", action="store_true", help="skip the queue: train here and now")
    when.add_argument(
        "--detach", action="store_true", help="queue the run for a worker, and return"
    )


def submit(store: RunStore, request: RunRequest, args: argparse.Namespace, seeds: int = 1) -> int:
    """Queue runs of one design, and follow them to their end."""
    from cnnlib.train.submit import submit_runs

    return follow_all(store, submit_runs(store, request, seeds, now=args.now), args)


def follow_all(
    store: RunStore,
    run_ids: Sequence[str],
    args: argparse.Namespace,
    group: Sequence[str] | None = None,
) -> int:
    """Follow each run until it ends; returns the worst of their exit codes.

    After Ctrl-C all of them are interrupted, and the command that continues them is printed.

    Args:
        group: Runs to sum up in the end, where that is more than those that are followed.
    """
    if args.detach:
        for run_id in run_ids:
            _print_queued(store.run(run_id), args.json)
        if not args.json:
            print_note(f"To follow a run: '{PROGRAM} watch {run_ids[0]}'.")
            what = "this run" if len(run_ids) == 1 else "these runs"
            print_unless_served(store, what, _resume_command(store, run_ids))
        return 0
    codes: list[int] = []
    with workers_for(store, 1 if args.now else len(run_ids)) as has_workers:
        for run_id in run_ids:
            output = progress_output(args.json)
            codes.append(
                follow_or_train(store, run_id, output, skip_queue=args.now, has_workers=has_workers)
            )
            if INTERRUPTED in codes:
                for other in run_ids:
                    store.submit_command(other, Command("interrupt"))
                break
    _wait_for_ends(store, run_ids)
    summed = [store.run(run_id) for run_id in group or run_ids]
    if len(summed) > 1:
        _print_group(summed, args.json)
    if INTERRUPTED in codes and not args.json:
        print(_interrupted_sentence(summed, _resume_command(store, run_ids)), flush=True)
    return INTERRUPTED if INTERRUPTED in codes else max(codes)


def _wait_for_ends(store: RunStore, run_ids: Sequence[str]) -> None:
    """Wait until runs have ended that workers of the app interrupt."""
    end = time.monotonic() + _PATIENCE_AFTER_INTERRUPT
    while any(store.run(run_id).is_live for run_id in run_ids) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)


def _resume_command(store: RunStore, run_ids: Sequence[str]) -> str:
    """Return the command that continues runs: by the name of their group, if they have one."""
    group = store.run(run_ids[0]).request.group
    return f"{PROGRAM} resume {group if group and len(run_ids) > 1 else ' '.join(run_ids)}"


def _interrupted_sentence(runs: Sequence[Run], command: str) -> str:
    """Write what is kept of runs that were interrupted, and how to continue them."""
    left = [run for run in runs if run.state == "interrupted"]
    begun = sum(run.step > 0 for run in left)
    to_continue = f"To continue: '{command}'."
    if len(runs) == 1:
        step = f"Its {plural(runs[0].step, 'step')} are kept. " if runs[0].step > 1 else ""
        return f"{step}{to_continue}"
    counts = {
        "keeps its steps" if begun == 1 else "keep their steps": begun,
        "has not begun" if len(left) - begun == 1 else "have not begun": len(left) - begun,
        "ended before": sum(not run.is_live for run in runs) - len(left),
    }
    parts = listed([f"{count} {what}" for what, count in counts.items() if count])
    return f"Interrupted: of {len(runs)} runs, {parts}. {to_continue}"


def _print_queued(run: Run, as_json: bool) -> None:
    if as_json:
        print_json({"event": "state"} | run_facts(run))
    else:
        print(f"{run.id}  {run.state}  {one_line(run.title)}")


def _print_group(runs: Sequence[Run], as_json: bool) -> None:
    """Print the mean over the seeds that finished, if any; the others are counted apart."""
    facts = [run_facts(run) for run in runs]
    finished = [fact for fact in facts if fact["state"] == "finished"]
    scores = {
        name: [fact[name] for fact in finished if fact[name] is not None]
        for name in ("val_accuracy", "test_accuracy")
    }
    means = {name: fmean(values) if values else None for name, values in scores.items()}
    if as_json:
        both = {"event": "group", "group": runs[0].request.group}
        print_json(both | {"run_ids": [run.id for run in runs]} | means | {"runs": facts})
        return
    if not finished:
        return
    count = plural(len(runs), "seed")
    if len(finished) < len(runs):
        count = f"{len(finished)} of {count} that finished"
    parts = [f"mean of {count}:"]
    parts += [
        f"{name.replace('_', ' ')} {percent(mean)}"
        for name, mean in means.items()
        if mean is not None
    ]
    print("  ".join(parts))
