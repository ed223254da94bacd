"""The viewer's functions give what the probes give for the network of the saved step."""

import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sample_data import prepared_now

from cnnlib.data.augment import augment
from cnnlib.data.batches import Normaliser
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import ProbeError
from cnnlib.nets.model import build_model
from cnnlib.probe import answer as answers
from cnnlib.probe.attribution.methods import METHODS, completeness, explain
from cnnlib.probe.attribution.sanity_checks import check_ranking, ranking_of
from cnnlib.probe.filters import by_layer
from cnnlib.probe.forward import activations, dead_channels, gradients
from cnnlib.probe.ood.detector_file import write_ood_detector
from cnnlib.probe.ood.distance import distance, features
from cnnlib.probe.viewer.functions import FUNCTIONS
from cnnlib.records.job import run_job
from cnnlib.records.maps import NetworkSource
from cnnlib.records.probe import OodDetector
from cnnlib.records.recipe import Augmentation
from cnnlib.train.checkpoint import write_weights

SPEC = CNNSpec(channels=(4, 6), norm="batch", hidden_dims=(12,))


@pytest.fixture
def net():
    return build_model(SPEC, seed=3).eval()


@pytest.fixture
def data():
    return prepared_now("digits")


@pytest.fixture
def source(net, tmp_path) -> NetworkSource:
    path = tmp_path / "weights.safetensors"
    write_weights(path, net, step=7)
    return NetworkSource(SPEC, weights=path, written=path.stat().st_mtime_ns)


def ask(name, *arguments):
    """Call a function of the viewer, with all values pickled as between the processes."""
    return pickle.loads(pickle.dumps(FUNCTIONS[name](*pickle.loads(pickle.dumps(arguments)))))


def normalised(data, pictures) -> np.ndarray:
    return Normaliser(data.info, "cpu")(torch.from_numpy(np.array(pictures))).numpy()


def assert_same(found, expected) -> None:
    """Compare arrays by name, bit by bit."""
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


def test_outputs_and_dead_channels(net, data, source):
    picture = np.array(data.test_images[4])
    outputs = ask("layer_outputs", source, data.info, picture)
    assert_same(outputs, activations(net, normalised(data, picture[None])))
    pictures = np.array(data.test_images[:60])
    found = ask("dead_channels", source, data.info, pictures)
    assert_same(found, dead_channels(net, normalised(data, pictures)))


def test_gradients_and_their_sizes(net, data, source):
    picture = np.array(data.test_images[4])
    expected = gradients(net, normalised(data, picture[None])[0], 3)
    found = ask("gradients", source, data.info, picture, 3)
    assert found.loss == expected.loss
    assert_same(found.weights, expected.weights)
    assert_same(found.maps, expected.maps)
    weights = {name: value.numpy() for name, value in net.state_dict().items()}
    sizes = ask("layer_gradients", source, data.info, picture, 3)
    assert [vars(each) for each in sizes] == [vars(each) for each in by_layer(expected, weights)]


@pytest.mark.parametrize("method", METHODS)
def test_attribution_maps_and_their_check(net, data, source, method):
    picture = np.array(data.test_images[4])
    image = normalised(data, picture[None])[0]
    expected = explain(net, image, 2, method)
    found = ask("attribution_map", source, data.info, picture, 2, method)
    np.testing.assert_array_equal(found, expected)
    total = ask("completeness", source, data.info, picture, 2, method, found)
    assert total == completeness(net, image, 2, method, expected)
    check = ask("sanity_check", source, data.info, picture, 2, method)
    expected_check = run_job(check_ranking(ranking_of(method), net, image, 2))
    assert check.to_dict() == expected_check.to_dict()


def test_predictions_of_pictures_and_of_a_drawing(net, data, source):
    pictures = np.array(data.test_images[:9])
    np.testing.assert_array_equal(
        ask("class_probabilities", source, data.info, pictures),
        answers.class_probabilities(net, data.info, pictures),
    )
    run = SimpleNamespace(id="r1", title="a run")
    answer = ask("answer", source, data.info, run, pictures[0])
    assert answer == answers.answer(net, data.info, run, pictures[0])
    found = ask("robustness", source, data.info, answer, pictures[0])
    assert found == answers.robustness(net, data.info, answer, pictures[0])


def test_the_distance_to_the_training_pictures(net, data, source, tmp_path):
    known = features(net, data.info, data.train_images[:50])
    detector = OodDetector(known, np.linspace(0, 1, 11), 0.5, 3, 0.1, {})
    file = tmp_path / "familiarity-7.npz"
    write_ood_detector(file, detector)
    picture = np.array(data.test_images[0])
    found = ask("ood_distance", source, data.info, file, file.stat().st_mtime_ns, picture)
    assert found == distance(detector, net, data.info, picture)
    file.write_bytes(b"")
    with pytest.raises(ProbeError, match="familiarity-7.npz of the out-of-distribution check"):
        ask("ood_distance", source, data.info, file, 1, picture)


def test_variants_are_those_of_the_training(data):
    pictures, options = np.array(data.train_images[:3]), Augmentation(flip=True, shift=2, cutout=5)
    found = ask("augmented", pictures, data.info, options, 4, 8)
    repeated = torch.from_numpy(pictures).repeat_interleave(8, dim=0)
    colour = Normaliser(data.info, "cpu").mean_colour
    expected = augment(repeated, options, torch.Generator().manual_seed(4), colour).numpy()
    first = np.arange(len(found)) % 8 == 0
    np.testing.assert_array_equal(found[first], pictures)
    np.testing.assert_array_equal(found[~first], expected[~first])


def test_all_weights_of_a_saved_step_must_fit(data, source):
    picture = np.array(data.test_images[0])
    other = replace(source, spec=replace(SPEC, hidden_dims=(13,)))
    with pytest.raises(ProbeError, match="do not fit the design of their run"):
        ask("layer_outputs", other, data.info, picture)
    with pytest.raises(ProbeError, match="gone.safetensors cannot be read"):
        gone = source.weights.with_name("gone.safetensors")
        ask("layer_outputs", replace(source, weights=gone), data.info, picture)
    with pytest.raises(ProbeError, match="never trained"):
        ask("layer_outputs", NetworkSource(SPEC), data.info, picture)


def test_rewritten_weights_are_read_again(data, source):
    picture = np.array(data.test_images[0])
    before = ask("layer_outputs", source, data.info, picture)
    write_weights(source.weights, build_model(SPEC, seed=9), step=8)
    later = replace(source, written=source.written + 1)
    after = ask("layer_outputs", later, data.info, picture)
    assert not np.array_equal(before["classifier.fc2"], after["classifier.fc2"])
