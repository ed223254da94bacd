"""Attribution maps agree with Captum's, and the sanity check refuses maps that carry nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from attribution_cases import RECORDED, SPECS, build_net, random_picture
from scipy.ndimage import gaussian_filter
from tiny import tiny_prepared, tiny_request
from useless_maps import useless_rankings

from cnnlib.data.batches import Normaliser
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import ProbeError
from cnnlib.figures.inspect import deletion_figure
from cnnlib.nets.model import build_model
from cnnlib.probe.attribution.methods import (
    METHODS,
    cam_layer,
    completeness,
    explain,
    integrated,
)
from cnnlib.probe.attribution.sanity_checks import (
    _moved_copy,
    check_ranking,
    enlarge,
    rank_correlation,
    ranking_of,
)
from cnnlib.probe.weights import network
from cnnlib.records.job import run_job
from cnnlib.records.probe import Completeness, SanityCheck
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


@pytest.mark.parametrize("name", useless_rankings(0))
def test_a_map_that_carries_nothing_passes_in_at_most_one_of_twenty_cases(trained, name):
    net, image, label = trained
    passed = 0
    for seed in range(100):
        ranking = useless_rankings(seed)[name]
        passed += run_job(check_ranking(ranking, net, image, label, seed)).is_informative
    # With an error of 5 % there are more than 9 passes of 100 in 3 % of such tests.
    assert passed <= 9


@pytest.mark.parametrize("name", ["constant", "edges of the picture", "centred blob"])
def test_a_map_that_is_the_same_with_random_weights_never_passes(trained, name):
    check = run_job(check_ranking(useless_rankings(0)[name], *trained))
    assert check.beaten_random_weights == 0 and check.correlation == pytest.approx(1)
    assert check.sentence.startswith("Not informative: ")
    assert check.sentence.endswith(f"only {check.beaten_copies} of 38 maps that know nothing.")
    assert "maps of 19 networks with random weights (0 fall more slowly)" in check.details


def test_contiguous_deletion_is_compared_with_contiguous_deletion(trained):
    def blurred(net, image, target):
        return gaussian_filter(np.random.default_rng(1).normal(size=image.shape[1:]), 1.5)

    ordered = blurred(*trained)
    copy = _moved_copy(ordered, np.random.default_rng(0))
    assert sorted(copy.ravel()) == sorted(ordered.ravel())

    def roughness(values):  # of a map on a torus, which no copy changes
        return sum(float(((values - np.roll(values, 1, axis)) ** 2).sum()) for axis in (0, 1))

    assert roughness(copy) == pytest.approx(roughness(ordered))


def test_a_copy_of_a_map_that_is_not_square_has_its_size():
    random = np.random.default_rng(0)
    assert {_moved_copy(np.zeros((4, 6)), random).shape for _ in range(20)} == {(4, 6)}


def test_integrated_gradients_of_a_trained_network_are_informative(trained):
    check = run_job(check_ranking(ranking_of("integrated"), *trained))
    assert check.is_informative, check.sentence
    assert check.sentence.startswith("Informative: ")
    assert check.sentence.endswith("that of each of 38 maps that know nothing.")
    assert "19 shifted, turned and mirrored copies (19 fall more slowly)" in check.details
    controls = np.concatenate([check.copies, check.random_weights])
    assert controls[:, 0] == pytest.approx(check.ordered[0])  # no pixel is deleted
    assert controls[:, -1] == pytest.approx(check.ordered[-1])  # all pixels are


@pytest.mark.parametrize("method", METHODS)
def test_the_map_of_an_untrained_network_is_not_informative(trained, method):
    _, image, label = trained
    net = build_model(trained[0].plan, seed=103).eval()
    assert not run_job(check_ranking(ranking_of(method), net, image, label)).is_informative


def test_a_small_decrease_is_not_informative():
    ordered, controls = np.full(2, 0.46), np.full((3, 2), 0.5)
    check = SanityCheck(np.arange(2.0), ordered, controls, controls, 0.0)
    assert check.beaten_copies == check.beaten_random_weights == 3  # all, but by 8 % only
    assert not check.is_informative
    assert replace(check, ordered=np.full(2, 0.44)).is_informative  # by 12 %


def test_the_deletion_figure_names_each_kind_of_curve_once():
    two, three = np.ones((2, 2)), np.ones((3, 2))
    drawn = deletion_figure(SanityCheck(np.arange(2.0), np.ones(2), two, three, 0.0)).data
    assert len(drawn) == 2 + 3 + 1
    assert [each.name for each in drawn if each.showlegend is not False] == [
        "copies of the map",
        "maps of random weights",
        "most important first",
    ]
    none = np.ones((0, 0))
    empty = deletion_figure(SanityCheck(np.ones(0), np.ones(0), none, none, 0.0))
    assert "Nothing was deleted" in empty.layout.annotations[0].text


def test_a_sanity_check_survives_json():
    check = SanityCheck(np.arange(2.0), np.arange(2.0), np.ones((3, 2)), np.zeros((3, 2)), 0.5)
    read = SanityCheck.from_dict(json.loads(json.dumps(check.to_dict())))
    assert read.to_dict() == check.to_dict() and read.sentence == check.sentence
    assert (read.beaten_copies, read.beaten_random_weights) == (3, 0)  # means 1 and 0, against 0.5


def test_negative_contributions_are_unimportant_and_negative_gradients_important():
    net, image = build_net(SPECS["grey"]), random_picture(SPECS["grey"])
    values = explain(net, image, 1, "integrated").sum(axis=0)
    np.testing.assert_array_equal(ranking_of("integrated")(net, image, 1), values)
    gradient = explain(net, image, 1, "saliency")[0]
    np.testing.assert_array_equal(ranking_of("saliency")(net, image, 1), np.abs(gradient))


def test_the_completeness_gap_is_the_error_of_the_sum():
    net, image = build_net(SPECS["grey"]), random_picture(SPECS["grey"])
    found = explain(net, image, 1, "integrated")
    exact = completeness(net, image, 1, "integrated", found)
    assert exact.gap < 0.02
    # 1.1 times the map adds up to 1.1 times the difference, but for the gap that it had.
    assert completeness(net, image, 1, "integrated", 1.1 * found).gap == pytest.approx(
        0.1, abs=0.03
    )
    assert completeness(net, image, 1, "saliency", found) is None
    assert Completeness(1.02, 1.0, 50).sentence.endswith("a gap of 2.00 %.")
    assert Completeness(0.5, 0.0, 50).gap is None


def test_a_rank_correlation_by_hand():
    # Ranks 1 2 3 4 against 1 3 2 4: 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15) = 0.8.
    assert rank_correlation(np.array([1, 2, 3, 4]), np.array([1, 5, 2, 9])) == pytest.approx(0.8)
    assert rank_correlation(np.zeros(3), np.ones(3)) == 1
    assert rank_correlation(np.zeros(3), np.arange(3)) == 0


def test_a_coarse_map_is_enlarged_by_nearest_neighbours():
    assert enlarge(np.array([[1, 2]]), 2, 4).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]
