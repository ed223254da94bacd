"""The engine with everything recorded in a run store, and the bare step that bounds it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from bench.lanes import LR, Work
from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import Prepared, is_prepared, load_prepared
from cnnlib.design.presets import preset
from cnnlib.nets.model import build_model
from cnnlib.records.events import Started, StepMetrics
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore
from cnnlib.runs.workers.heartbeat import registered_worker
from cnnlib.train.control import Control
from cnnlib.train.execution.mode import ExecutionMode, kept_threads
from cnnlib.train.execution.peak_memory import kept_memory
from cnnlib.train.loop import train
from cnnlib.train.worker.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cnnlib.records.folders import Folders


def engine(
    work: Work,
    folders: Folders,
    listen: Callable[[str, Started], None] = lambda *_: None,
    precision: str = "auto",
) -> Generator[int]:
    """`train`, its events in a store, as a worker runs it; validation is left out.

    Args:
        listen: Is told the run's id, and how it runs.
    """
    prepared = prepared_dataset(work.dataset(folders), folders)
    recipe = Recipe(epochs=10_000, batch_size=work.batch_size, optimizer="sgd", lr=LR)
    request = RunRequest(
        preset(work.net).spec,
        recipe,
        work.dataset(folders),
        validation=0,
        device="cpu",
        precision=precision,
    )
    _choose_a_mode(request, prepared, work.threads, folders)
    store = RunStore(folders)
    with registered_worker(store, "runs") as worker_id:
        run = store.claim(worker_id, store.submit(request, now=True))
        folder = folders.run(run.id)
        folder.mkdir(parents=True, exist_ok=True)
        control = Control()
        with Recorder(store, run.id, worker_id, control) as recorder:
            for event in train(
                request, prepared, folder=folder, control=control, threads=work.threads
            ):
                recorder.record(event)
                if isinstance(event, Started):
                    listen(run.id, event)
                if isinstance(event, StepMetrics):
                    yield work.batch_size


def _choose_a_mode(request: RunRequest, prepared: Prepared, threads: int, folders: Folders) -> None:
    """By a run of one step, and kept: a run as long as the lane would be worth compiling for."""
    short = replace(request, recipe=replace(request.recipe, max_batches=1))
    folder = folders.run("first")
    folder.mkdir(parents=True, exist_ok=True)
    for _ in train(short, prepared, folder=folder, threads=threads):
        pass


def bare(work: Work, mode: ExecutionMode, folders: Folders) -> Generator[int]:
    """Forward, backward, step on one fixed batch, in the engine's mode: the limit."""
    info = prepared_dataset(work.dataset(folders), folders).info
    torch.manual_seed(0)
    net = mode.place(build_model(preset(work.net).spec, seed=0), torch.device("cpu"))
    images = torch.randn(work.batch_size, *info.in_size)
    images = images.contiguous(memory_format=mode.memory_format)
    labels = torch.randint(len(info.classes), (work.batch_size,))
    optimizer = torch.optim.SGD(net.parameters(), lr=LR, fused=True)
    while True:
        cross_entropy(net(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        yield work.batch_size


def limit(work: Work, folders: Folders) -> Generator[int]:
    """The bare step in a process of its own: what no loop around it can pass."""
    with kept_memory(), kept_threads():
        torch.set_num_threads(work.threads)
        yield from bare(work, ExecutionMode(work.threads, channels_last=True), folders)


def prepared_dataset(name: str, folders: Folders) -> Prepared:
    """The dataset, prepared first where need be."""
    if not is_prepared(name, folders):
        for _ in prepare(name, folders):
            pass
    return load_prepared(name, folders)
