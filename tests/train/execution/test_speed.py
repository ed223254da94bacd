"""The time for a picture: measured, for designs side by side."""

import torch

from cnnlib.design.spec import CNNSpec
from cnnlib.train.execution.speed import picture_speeds


def test_each_design_has_its_times_and_the_same_batch():
    specs = [CNNSpec(channels=(2,)), CNNSpec(channels=(4,))]
    threads = torch.get_num_threads()
    speeds = picture_speeds(specs)
    assert len(speeds) == 2
    for speed in speeds:
        assert speed.alone_seconds > 0
        assert speed.batch_seconds > 0
        assert (speed.batch_size, speed.threads) == (32, 1)
        assert speed.processor
    assert torch.get_num_threads() == threads


def test_large_designs_get_a_small_batch():
    # 3 x 3 x 64 x 64 weights at 128 x 128 pixels: 604 million operations, and as many again
    spec = CNNSpec(in_size=(3, 128, 128), channels=(64, 64), pool_every=2)
    [speed] = picture_speeds([spec])
    assert 1 <= speed.batch_size <= 3
