"""Lanes of the training engine with its recording, and of the bare step that bounds its speed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from bench.lanes import LR, Workload
from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import Prepared, is_prepared, load_prepared
from cnnlib.design.presets import preset
from cnnlib.nets.model import build_model
from cnnlib.records.events import Started, StepMetrics
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore
from cnnlib.train.control import Control
from cnnlib.train.execution.mode import ExecutionMode, restored_thread_count
from cnnlib.train.execution.peak_memory import retained_memory
from cnnlib.train.loop import train
from cnnlib.train.worker.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cnnlib.records.folders import Folders


def engine(
    workload: Workload,
    folders: Folders,
    listen: Callable[[str, Started], None] = lambda *_: None,
    precision: str = "auto",
) -> Generator[int]:
    """Run `train` with its events recorded in a store, as a worker does; without validation.

    Args:
        listen: Called with the run's id and its `Started` event.
    """
    prepared = prepared_dataset(workload.dataset(folders), folders)
    recipe = Recipe(epochs=10_000, batch_size=workload.batch_size, optimizer="sgd", lr=LR)
    request = RunRequest(
        preset(workload.net).spec,
        recipe,
        workload.dataset(folders),
        validation=0,
        device="cpu",
        precision=precision,
    )
    _choose_mode(request, prepared, workload.threads, folders)
    store = RunStore(folders)
    with store.workers.registered("runs") as worker_id:
        run = store.claim(worker_id, store.submit(request, now=True))
        folder = folders.run(run.id)
        folder.mkdir(parents=True, exist_ok=True)
        control = Control()
        with Recorder(store, run.id, worker_id, control) as recorder:
            for event in train(
                request, prepared, folder=folder, control=control, threads=workload.threads
            ):
                recorder.record(event)
                if isinstance(event, Started):
                    listen(run.id, event)
                if isinstance(event, StepMetrics):
                    yield workload.batch_size


def _choose_mode(request: RunRequest, prepared: Prepared, threads: int, folders: Folders) -> None:
    """Choose and cache the execution mode by a run of one step.

    For a run as long as the lane, compiling would pay off and be chosen.
    """
    short = replace(request, recipe=replace(request.recipe, max_batches=1))
    folder = folders.run("first")
    folder.mkdir(parents=True, exist_ok=True)
    for _ in train(short, prepared, folder=folder, threads=threads):
        pass


def bare(workload: Workload, mode: ExecutionMode, folders: Folders) -> Generator[int]:
    """Repeat forward, backward and step on one fixed batch in the engine's mode: the limit."""
    info = prepared_dataset(workload.dataset(folders), folders).info
    torch.manual_seed(0)
    net = mode.place(build_model(preset(workload.net).spec, seed=0), torch.device("cpu"))
    images = torch.randn(workload.batch_size, *info.in_size)
    images = images.contiguous(memory_format=mode.memory_format)
    labels = torch.randint(len(info.classes), (workload.batch_size,))
    optimizer = torch.optim.SGD(net.parameters(), lr=LR, fused=True)
    while True:
        cross_entropy(net(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        yield workload.batch_size


def limit(workload: Workload, folders: Folders) -> Generator[int]:
    """Run the bare step in its own process: an upper bound for every training loop."""
    with retained_memory(), restored_thread_count():
        torch.set_num_threads(workload.threads)
        yield from bare(workload, ExecutionMode(workload.threads, channels_last=True), folders)


def prepared_dataset(name: str, folders: Folders) -> Prepared:
    """Load a dataset; prepare it first if necessary."""
    if not is_prepared(name, folders):
        for _ in prepare(name, folders):
            pass
    return load_prepared(name, folders)
