"""The time that designs need for a picture and for a training step, measured on this machine."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import build_model
from cnnlib.records.compare import Speed
from cnnlib.records.run import RunRequest
from cnnlib.train.evaluation import forward_seconds
from cnnlib.train.execution.autotune import measure
from cnnlib.train.execution.host import processor_name
from cnnlib.train.execution.mode import parse_requested_mode, restored_thread_count

_ROUNDS = 3
_BATCH = 32
_MOST_MACS = 2_000_000_000  # of a batch, so that large networks are measured in seconds


def picture_speeds(specs: Sequence[CNNSpec]) -> list[Speed]:
    """Measure designs on the processor with one thread, in float32, with weights at their start.

    The designs take turns, so that a change in the load of the machine concerns all of them; each
    number is the smallest of the rounds, since other programs only add to it. All have the same
    batch size.
    """
    nets = [build_model(spec, seed=0) for spec in specs]
    largest = max((cost(plan(spec)).macs for spec in specs), default=0)
    size = max(1, min(_BATCH, _MOST_MACS // max(1, largest)))
    batches = [torch.rand(size, *spec.in_size) for spec in specs]
    with restored_thread_count():
        torch.set_num_threads(1)
        rounds = [
            [
                (forward_seconds(net, images[:1]), forward_seconds(net, images) / size)
                for net, images in zip(nets, batches, strict=True)
            ]
            for _ in range(_ROUNDS)
        ]
    speeds = []
    for times in zip(*rounds, strict=True):
        alone, batch = (min(seconds) for seconds in zip(*times, strict=True))
        speeds.append(Speed(alone, batch, size, 1, processor_name()))
    return speeds


def training_step_seconds(request: RunRequest) -> float:
    """Measure a training step of a request in its mode, on random pictures, for about 0.3 s.

    Args:
        request: Its mode is a name such as ``t1-nhwc-fp32``.
    """
    spec, recipe = request.spec, request.recipe
    images = torch.rand(recipe.batch_size, *spec.in_size)
    labels = torch.arange(recipe.batch_size) % spec.out_classes
    mode = parse_requested_mode(request.mode)
    net = build_model(spec, seed=0)
    return measure([mode], net, recipe, images, labels)[mode]
