"""Tests of the viewer's maps: equal to torch's, chosen by strength, with their links."""

from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from cnnlib.design.columns import columns
from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.presets import presets
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import ProbeError, SpecError
from cnnlib.nets.model import build_model
from cnnlib.probe.viewer.maps import OUTPUT_BYTES, maps, outputs_of
from cnnlib.probe.viewer.sources import NETWORK_BYTES, network_of, validation_of
from cnnlib.records.maps import MapsRequest, NetworkSource
from cnnlib.train.checkpoint import write_weights

SPEC = CNNSpec(channels=(6, 16), kernel_size=5, hidden_dims=(12,))


def wanted(split, spec=SPEC, **options) -> MapsRequest:
    return MapsRequest(NetworkSource(spec), split, **options)


def logits_of(spec: CNNSpec, split, picture: int) -> np.ndarray:
    """The network's own output for a picture."""
    validation = validation_of(split)
    pixels, _ = validation.picture(picture)
    with torch.inference_mode():
        return build_model(spec, seed=0).eval()(validation.normalise(pixels[None]))[0].numpy()


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_every_preset_has_its_columns_and_the_answer_of_torch(preset, split):
    spec = preset.adapt((1, 28, 28), 10)
    found = maps(wanted(split, spec, picture=3))
    shown = columns(plan(spec))
    assert [each["kind"] for each in found["columns"]] == [each.kind for each in shown]
    for column, values in zip(shown, found["columns"], strict=True):
        if column.kind == "maps":
            count = len(values["maps"])
            assert values["size"] == list(column.shape[1:])
            assert len(b64decode(values["pixels"])) == count * column.shape[1] * column.shape[2]
        elif column.kind != "input":
            assert len(values["values"]) == column.shape[0]
    np.testing.assert_allclose(
        found["columns"][-1]["values"], logits_of(spec, split, 3), rtol=1e-4, atol=1e-4
    )
    assert sum(found["probabilities"]) == pytest.approx(1, abs=1e-4)


def test_the_maps_of_a_column_are_the_networks_own(split):
    found = maps(wanted(split, picture=5, tiles=3))["columns"][1]
    validation = validation_of(split)
    net = build_model(SPEC, seed=0).eval()
    with torch.inference_mode():
        pixels = validation.normalise(validation.picture(5)[0][None])
        values = net.features[:3](pixels)[0].numpy()  # convolution, ReLU, pooling
    strength = np.abs(values).mean(axis=(1, 2))
    assert found["maps"] == np.argsort(-strength, kind="stable")[:3].tolist()
    shown = np.frombuffer(b64decode(found["pixels"]), np.uint8).reshape(3, *values.shape[1:])
    step = (found["high"] - found["low"]) / 255
    np.testing.assert_allclose(
        shown * step + found["low"], values[found["maps"]], atol=0.51 * step + 1e-5
    )


def test_held_and_opened_maps_keep_their_order(split):
    assert maps(wanted(split, held={1: (4, 0)}))["columns"][1]["maps"] == [4, 0]
    assert maps(wanted(split, held={1: ()}))["columns"][1]["maps"] == []
    opened = maps(wanted(split, open=frozenset({2}), tiles=2))["columns"]
    assert opened[2]["maps"] == list(range(16))
    assert len(opened[1]["maps"]) == 2


def test_the_links_of_a_map_add_up_to_it(split):
    """With the bias: what all input maps add to a convolution's map is the map."""
    net = build_model(SPEC, seed=0).eval()
    found = maps(wanted(split, chosen=(2, 7), open=frozenset({1})))["links"]
    assert (found["column"], found["map"]) == (2, 7)
    assert [each["map"] for each in found["from"]] == list(range(6))
    kernels = np.array([each["kernel"] for each in found["from"]])
    own = net.get_submodule("features.conv2").weight[7].detach().numpy()
    np.testing.assert_allclose(kernels, own, rtol=1e-4)
    validation = validation_of(split)
    with torch.inference_mode():
        inputs = net.features[:3](validation.normalise(validation.picture(0)[0][None]))
        added = [
            conv2d(inputs[:, i : i + 1], net.features[3].weight[7:8, i : i + 1], padding=2)
            for i in range(6)
        ]
    expected = [float(each.abs().mean() * each.sum().sign()) for each in added]
    np.testing.assert_allclose(
        [each["contribution"] for each in found["from"]], expected, rtol=1e-3
    )


def test_the_links_of_an_answer_are_weight_times_input(split):
    found = maps(wanted(split, chosen=(4, 2)))
    hidden, answers = found["columns"][3]["values"], found["columns"][4]["values"]
    net = build_model(SPEC, seed=0)
    bias = float(net.classifier[-1].bias[2].detach())
    total = sum(each["contribution"] for each in found["links"]["from"]) + bias
    assert len(found["links"]["from"]) == len(hidden) == 12
    assert total == pytest.approx(answers[2], abs=1e-3)


def test_a_drawing_takes_the_place_of_the_picture(split):
    found = maps(wanted(split, pixels=bytes(28 * 28)))
    assert found["picture"]["index"] is None and found["picture"]["label"] is None
    assert b64decode(found["picture"]["pixels"]) == bytes(28 * 28)


def test_the_strip_shows_pictures_of_the_validation_split(split):
    strip = maps(wanted(split, strip=True))["strip"]
    validation = validation_of(split)
    assert len(set(strip["pictures"])) == len(strip["pictures"]) == 16
    assert strip["labels"] == [validation.picture(each)[1] for each in strip["pictures"]]
    own = [int(logits_of(SPEC, split, each).argmax()) for each in strip["pictures"]]
    assert strip["predicted"] == own


def test_weights_of_another_design_are_used_where_they_fit(split, tmp_path):
    trained = build_model(replace(SPEC, hidden_dims=(12, 7)), seed=5)
    path = tmp_path / "weights.safetensors"
    write_weights(path, trained, step=40)
    source = NetworkSource(SPEC, seed=0, weights=path, written=path.stat().st_mtime_ns)
    found = maps(MapsRequest(source, split, open=frozenset({1, 2})))
    assert (found["step"], found["trained"]) == (40, True)
    mixed = build_model(SPEC, seed=0)
    own = mixed.state_dict()
    fitting = {
        name: value
        for name, value in trained.state_dict().items()
        if name in own and own[name].shape == value.shape
    }
    assert 0 < len(fitting) < len(own)
    mixed.load_state_dict(fitting, strict=False)
    validation = validation_of(split)
    with torch.inference_mode():
        logits = mixed.eval()(validation.normalise(validation.picture(0)[0][None]))[0]
    np.testing.assert_allclose(found["columns"][-1]["values"], logits, rtol=1e-3, atol=1e-4)


def test_outputs_and_networks_are_kept_up_to_a_number_of_bytes(split):
    """Counted as entries, the outputs of two dozen large networks would fill the memory."""
    spec, pixels = CNNSpec(channels=(8,), hidden_dims=()), bytes(784)
    outputs_of.cache.clear()
    network_of.cache.clear()
    outputs = outputs_of(NetworkSource(spec, 0), split, pixels)
    assert outputs_of.cache.currsize == sum(each.nbytes for each in outputs.values())
    assert network_of.cache.currsize == 4 * cost(plan(spec)).params
    assert outputs_of(NetworkSource(spec, 0), split, pixels) is outputs
    assert (outputs_of.cache.maxsize, network_of.cache.maxsize) == (OUTPUT_BYTES, NETWORK_BYTES)


@pytest.mark.parametrize(
    "spec",
    [
        CNNSpec(channels=(4096, 2048), kernel_size=7),  # 400 million parameters
        CNNSpec(channels=(512,) * 12, pool_every=0, head="gap"),  # 20 billion multiplications
    ],
)
def test_a_network_that_would_fill_the_memory_is_refused_before_it_is_built(split, spec):
    with pytest.raises(SpecError, match="Choose fewer channels"):
        maps(wanted(split, spec))


def test_a_picture_that_is_not_there_is_a_sentence(split):
    with pytest.raises(ProbeError, match="is not in the validation split"):
        maps(wanted(split, picture=100_000))


def test_a_damaged_file_is_a_sentence(split, tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"x" * 100)
    with pytest.raises(ProbeError, match="cannot be read"):
        maps(MapsRequest(NetworkSource(SPEC, 0, path, 1), split))
