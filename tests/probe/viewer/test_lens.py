"""Tests of the lens: its sums are the network's own values."""

from base64 import b64decode
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from random_specs import random_specs
from windows import tolerance

from cnnlib.design.columns import columns
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import ProbeError
from cnnlib.nets.model import build_model
from cnnlib.probe.forward import activations
from cnnlib.probe.graph import step_named
from cnnlib.probe.viewer.lens import lens, lens_values
from cnnlib.probe.viewer.maps import maps
from cnnlib.probe.viewer.sources import network_of, validation_of
from cnnlib.records.maps import MapsRequest, NetworkSource
from cnnlib.records.probe import Arithmetic

SPEC = CNNSpec(channels=(6, 16), kernel_size=5, hidden_dims=(12,))


def numbers(text: str) -> np.ndarray:
    return np.frombuffer(b64decode(text), "<f4")


def received(values: dict) -> Arithmetic:
    """What a browser has after decoding; `Arithmetic.at` computes as sums.js does."""
    count, height, width = (values[name] for name in ("count", "height", "width"))
    size = values["kernel_height"], values["kernel_width"]
    return Arithmetic(
        layer=values["layer"],
        channel=0,
        inputs=numbers(values["inputs"]).reshape(count, height, width),
        input_names=(),
        kernel=numbers(values["kernel"]).reshape(count, *size),
        bias=float(numbers(values["bias"])[0]),
        stride=values["stride"],
        padding=values["padding"],
        left_padding=values.get("left_padding"),
        dilation=values["dilation"],
        reduce=values["reduce"],
        output=numbers(values["output"]).reshape(values["rows"], values["columns"]),
    )


def test_200_random_places_on_20_random_networks_are_the_networks_own_values():
    random = Random(0)
    for seed, spec in enumerate(random_specs(20, seed=17)):
        net = build_model(spec, seed=seed).eval()
        pixels = np.random.default_rng(seed).normal(size=(1, *spec.in_size)).astype(np.float32)
        outputs = activations(net, pixels)
        own = columns(net.plan)
        for _ in range(10):
            place = random.randrange(1, len(own))
            unit = random.randrange(own[place].shape[0])
            values = lens_values(net, outputs, place, unit)
            shown = received(values)
            row, column = random.randrange(values["rows"]), random.randrange(values["columns"])
            window = shown.at(row, column)
            actual = outputs[values["layer"]][0, unit]
            assert window.output == (actual if actual.ndim == 0 else actual[row, column])
            assert abs(window.value - window.output) <= tolerance(window)
            check_the_end(values, outputs[step_named(net.plan, own[place].layer).name][0, unit])


def check_the_end(values: dict, shown: np.ndarray) -> None:
    """The last step of the lens is what the column shows."""
    last = values["after"][-1]["values"] if values["after"] else values["output"]
    np.testing.assert_array_equal(numbers(last), shown.reshape(-1))


def test_the_lens_has_the_step_and_the_values_of_the_maps(split):
    request = MapsRequest(NetworkSource(SPEC), split, picture=3, chosen=(2, 7))
    values = lens(request)
    assert (values["step"], values["column"], values["map"]) == (0, 2, 7)
    shown = maps(replace(request, held={2: (7,)}))["columns"][2]
    level = (shown["high"] - shown["low"]) / 255
    pooled = numbers(values["after"][-1]["values"])
    assert [each["kind"] for each in values["after"]] == ["activation", "pool"]
    pixels = np.frombuffer(b64decode(shown["pixels"]), np.uint8)
    np.testing.assert_allclose(pixels * level + shown["low"], pooled, atol=0.51 * level + 1e-5)


def test_the_pooling_of_the_lens_is_described_completely(split):
    values = lens(MapsRequest(NetworkSource(SPEC), split, chosen=(1, 0)))
    relu, pool = values["after"]
    rows, kept = values["rows"], pool["rows"]
    windows = numbers(relu["values"]).reshape(kept, rows // kept, kept, rows // kept)
    assert (pool["reduce"], pool["kernel_size"], pool["stride"]) == ("max", 2, 2)
    np.testing.assert_array_equal(numbers(pool["values"]), windows.max(axis=(1, 3)).reshape(-1))


def test_an_answer_is_the_sum_of_its_products(split):
    request = MapsRequest(NetworkSource(SPEC), split, picture=5, chosen=(4, 3))
    values = lens(request)
    assert (values["kind"], values["count"], values["sources"]) == ("unit", 12, [12])
    net, validation = network_of(request.network).net, validation_of(split)
    with torch.inference_mode():
        logits = net(validation.normalise(validation.picture(5)[0][None]))[0]
    assert received(values).at(0, 0).value == pytest.approx(float(logits[3]), abs=1e-5)


def test_a_block_is_the_sum_of_branch_and_skip():
    spec = CNNSpec(channels=(4, 4), block="residual", hidden_dims=())
    net = build_model(spec, seed=0).eval()
    outputs = activations(net, np.ones((1, 1, 28, 28), np.float32))
    place = next(i for i, each in enumerate(columns(net.plan)) if each.is_block)
    values = lens_values(net, outputs, place, 2)
    branch, skip = numbers(values["inputs"]).reshape(2, -1)
    assert values["operation"] == "sum"
    np.testing.assert_array_equal(branch + skip, numbers(values["output"]))


def test_what_has_no_lens_is_a_sentence(split):
    request = MapsRequest(NetworkSource(SPEC), split)
    with pytest.raises(ProbeError, match="No map is chosen"):
        lens(request)
    with pytest.raises(ProbeError, match="no map 6 in column 1"):
        lens(replace(request, chosen=(1, 6)))
    large = CNNSpec(in_size=(3, 512, 512), channels=(4, 4), hidden_dims=())
    net = build_model(large, seed=0).eval()
    outputs = activations(net, np.zeros((1, 3, 512, 512), np.float32))
    with pytest.raises(ProbeError, match=r"at most 2 MB"):
        lens_values(net, outputs, 1, 0)
