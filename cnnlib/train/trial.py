"""The trial: a few steps of the real network in each execution mode."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from math import inf
from time import perf_counter, thread_time

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cnnlib.nets.model import Network
from cnnlib.nets.training_form import training_form
from cnnlib.records.recipe import Recipe
from cnnlib.train.execution.machine import wait_for
from cnnlib.train.execution.mode import ExecutionMode
from cnnlib.train.optimizers import build_optimizer

TRIAL_SECONDS = 0.3
_MOST_ROUNDS = 8
# A mode further down the list of candidates has to be this much faster than one further up.
_CLEARLY_FASTER = 1.05


def measure(
    modes: Sequence[ExecutionMode],
    net: Network,
    recipe: Recipe,
    images: Tensor,
    labels: Tensor,
    limit_seconds: float = TRIAL_SECONDS,
    warm_up: bool = False,
) -> dict[ExecutionMode, float]:
    """Seconds per training step in each mode, alternated; the best of as many steps as fit.

    Everything happens on throwaway copies of the net. The first step of a mode, in which memory is
    found and kernels are made, counts only if there is time for no other. A mode whose turn did
    not come is missing. Where every mode has one processor thread, its own time is taken, which
    other programs disturb less than the time on the wall.

    Args:
        warm_up: The time of first steps is not part of the limit: compiling takes longer.
    """
    end = perf_counter() + limit_seconds
    threads = torch.get_num_threads()
    alone = images.device.type == "cpu" and all(mode.threads == 1 for mode in modes)
    clock = thread_time if alone else perf_counter
    first: dict[ExecutionMode, float] = {}
    best: dict[ExecutionMode, float] = {}
    steps: dict[ExecutionMode, Callable[[], None]] = {}
    try:
        for mode in modes:
            if warm_up or perf_counter() < end or not first:
                torch.set_num_threads(mode.threads)
                steps[mode] = _step_on_a_copy(mode, net, recipe, images, labels)
                first[mode] = _seconds(steps[mode], images.device, clock)
        end = perf_counter() + limit_seconds if warm_up else end
        for mode, step in list(steps.items()) * _MOST_ROUNDS:
            if perf_counter() >= end:
                break
            torch.set_num_threads(mode.threads)
            best[mode] = min(_seconds(step, images.device, clock), best.get(mode, inf))
    finally:
        torch.set_num_threads(threads)
    return first | best


def fastest(seconds: Mapping[ExecutionMode, float]) -> ExecutionMode:
    """The first mode of the list, unless a later one is clearly faster."""
    chosen, *others = seconds
    for mode in others:
        if seconds[mode] * _CLEARLY_FASTER < seconds[chosen]:
            chosen = mode
    return chosen


def _step_on_a_copy(
    mode: ExecutionMode, net: Network, recipe: Recipe, images: Tensor, labels: Tensor
) -> Callable[[], None]:
    """One training step as the loop does it, on a copy of the net and of the batch."""
    net = mode.place(copy.deepcopy(net), images.device).train()
    images = images.clone(memory_format=mode.memory_format)
    optimizer = build_optimizer(net, recipe)
    forward = training_form(net)
    forward = torch.compile(forward) if mode.compiled else forward

    def step() -> None:
        with mode.autocast(images.device):
            loss = cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step(optimizer.gradients())

    return step


def _seconds(step: Callable[[], None], device: torch.device, clock: Callable[[], float]) -> float:
    start = clock()
    step()
    wait_for(device)
    return clock() - start
