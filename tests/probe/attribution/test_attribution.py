"""Attribution maps agree with Captum's, and the sanity checks detect uninformative maps."""

import numpy as np
import pytest
import torch
from attribution_cases import RECORDED, SPECS, build_net, random_picture
from tiny import tiny_prepared, tiny_request

from cnnlib.data.batches import Normaliser
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import ProbeError
from cnnlib.nets.model import build_model
from cnnlib.probe.attribution.methods import METHODS, cam_layer, explain, integrated
from cnnlib.probe.attribution.sanity_checks import (
    deletion,
    enlarge,
    randomised_weights,
    rank_correlation,
)
from cnnlib.probe.weights import network
from cnnlib.train.checkpoint import read_weights
from cnnlib.train.loop import train


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", SPECS)
def test_a_method_agrees_with_captum(case, method):
    spec = SPECS[case]
    ours = explain(build_net(spec), random_picture(spec), 1, method)
    captums = np.load(RECORDED)[f"{case}/{method}"]
    assert ours.shape == captums.shape
    np.testing.assert_allclose(ours, captums, rtol=1e-4, atol=1e-5 * np.abs(captums).max())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("block", ["plain", "residual", "bottleneck"])
def test_a_method_works_on_every_kind_of_block_and_changes_nothing(block, method):
    spec = CNNSpec(
        in_size=(3, 12, 12), channels=(4, 4, 4), block=block, norm="group", pool_every=3, head="gap"
    )
    net = build_model(spec, seed=0).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = explain(net, random_picture(spec), 2, method)
    assert np.isfinite(found).all()
    assert net.training
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_integrated_gradients_sum_to_the_difference_of_the_scores():
    spec = SPECS["grey"]
    net, image = build_net(spec), random_picture(spec)
    with torch.inference_mode():
        picture = torch.from_numpy(image)[None]
        difference = (net(picture) - net(torch.zeros_like(picture)))[0, 1].item()
    assert integrated(net, image, 1).sum() == pytest.approx(difference, rel=0.02)


def test_guided_backprop_is_refused_for_other_activations():
    spec = CNNSpec(in_size=(1, 8, 8), channels=(4,), activation="gelu")
    with pytest.raises(ProbeError, match="ReLU activations only, and this network has gelu"):
        explain(build_model(spec), random_picture(spec), 0, "guided")


def test_grad_cam_is_refused_without_convolutions():
    spec = CNNSpec(in_size=(1, 8, 8), channels=(), hidden_dims=(4,))
    with pytest.raises(ProbeError, match="has none, because it has no convolution"):
        explain(build_model(spec), random_picture(spec), 0, "grad_cam")


def test_grad_cam_uses_the_layer_before_global_pooling():
    assert cam_layer(build_model(CNNSpec(channels=(4,), head="gap")).plan) == "features.pool1"


@pytest.mark.parametrize(
    ("method", "target", "sentence"),
    [
        ("magic", 0, "'magic' is not an attribution method. Choose one of"),
        ("saliency", 99, "no class 99"),
    ],
)
def test_an_unknown_method_or_class_is_refused(method, target, sentence):
    spec = SPECS["grey"]
    with pytest.raises(ProbeError, match=sentence):
        explain(build_net(spec), random_picture(spec), target, method)


# -- the checks ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small trained network, with a test picture and its label."""
    folder = tmp_path_factory.mktemp("run")
    prepared = tiny_prepared()
    spec = CNNSpec(in_size=(1, 8, 8), out_classes=3, channels=(8, 8))
    events = list(train(tiny_request(spec, epochs=12), prepared, folder=folder))
    last = max((e for e in events if e.kind == "weights"), key=lambda e: e.step)
    weights = {k: v.numpy() for k, v in read_weights(folder / last.file).items()}
    image = Normaliser(prepared.info, "cpu")(torch.from_numpy(prepared.test_images[:1]))
    return network(spec, weights), image[0].numpy(), int(prepared.test_labels[0])


def edges(net, image: np.ndarray, target: int) -> np.ndarray:
    """Return an edge map, which does not depend on the network."""
    return np.abs(np.diff(image, axis=1, append=0)) + np.abs(np.diff(image, axis=2, append=0))


def test_the_randomised_weights_check_fires_on_an_edge_detector(trained):
    found = randomised_weights(edges, *trained)
    assert found.fires and found.correlation == pytest.approx(1)
    assert found.sentence.startswith("Not informative")


def test_the_randomised_weights_check_does_not_fire_on_plain_gradients(trained):
    found = randomised_weights(METHODS["saliency"], *trained)
    assert not found.fires
    assert found.sentence.startswith("Informative: the map depends on the trained weights")


def test_deletion_on_a_trained_network_is_better_than_random(trained):
    net, image, label = trained
    found = deletion(net, image, label, METHODS["occlusion"](net, image, label))
    assert found.is_informative, found.sentence
    assert found.ordered[0] == found.random[0, 0]  # no pixel is deleted
    assert found.ordered[-1] == pytest.approx(found.random[0, -1])  # all pixels are


@pytest.mark.parametrize("method", METHODS)
def test_deletion_on_an_untrained_network_is_no_better_than_random(method, trained):
    net, (_, image, label) = build_model(trained[0].plan, seed=3).eval(), trained
    found = deletion(net, image, label, METHODS[method](net, image, label))
    assert not found.is_informative
    assert "no faster than in random order" in found.sentence


def test_a_rank_correlation_by_hand():
    # Ranks 1 2 3 4 against 1 3 2 4: 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15) = 0.8.
    assert rank_correlation(np.array([1, 2, 3, 4]), np.array([1, 5, 2, 9])) == pytest.approx(0.8)
    assert rank_correlation(np.zeros(3), np.ones(3)) == 1
    assert rank_correlation(np.zeros(3), np.arange(3)) == 0


def test_a_coarse_map_is_enlarged_by_nearest_neighbours():
    assert enlarge(np.array([[1, 2]]), 2, 4).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]
