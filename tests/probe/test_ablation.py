"""Ablation, activation maximisation and patches: results by hand, jobs and panels."""

import numpy as np
import pytest
import torch
from apps import components
from inspecting import PLAIN, RESIDUAL, a_saved_run, open_inspect, page_text
from sample_data import prepared_now

from cnnlib.data.batches import Normaliser
from cnnlib.design.cost import Field, receptive_fields
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import ProbeError
from cnnlib.figures.inspect import ablation_figure
from cnnlib.nets.model import build_model
from cnnlib.probe.ablation import replace_filter, subset
from cnnlib.probe.activation_maximisation import STEPS, maximise_activation
from cnnlib.probe.forward import activations
from cnnlib.probe.patches import strongest_patches
from cnnlib.probe.pictures import crop_patch, patch_corner, receptive_field
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore
from cnnlib.train.worker.job_kinds import execute_job
from cnnlib.ui.inspect import attribution

pytestmark = pytest.mark.usefixtures("page_viewer")


@pytest.fixture
def store():
    with_folders = RunStore()
    yield with_folders
    with_folders.close()


def exhaust(generator):
    """Run a generator to its end; return its value and all yielded items."""
    updates = []
    while True:
        try:
            updates.append(next(generator))
        except StopIteration as end:
            return end.value, updates


def weights_of(net) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in net.state_dict().items()}


def test_a_muted_filter_has_a_constant_map():
    spec = CNNSpec(in_size=(1, 8, 8), channels=(4,))
    net = build_model(spec, seed=0)
    changed = replace_filter(weights_of(net), {}, "features.conv1", 2)
    net.load_state_dict({name: torch.from_numpy(value) for name, value in changed.items()})
    images = np.random.default_rng(0).normal(size=(2, 1, 8, 8)).astype(np.float32)
    maps = activations(net.eval(), images)["features.conv1"]
    assert (maps[:, 2] == 0).all() and (maps[:, [0, 1, 3]] != 0).any()


def test_a_reset_filter_has_its_first_weights_and_the_others_are_kept():
    spec = CNNSpec(in_size=(1, 8, 8), channels=(4,))
    now, first = (weights_of(build_model(spec, seed=seed)) for seed in (1, 0))
    changed = replace_filter(now, first, "features.conv1", 3)
    np.testing.assert_array_equal(
        changed["features.conv1.weight"][3], first["features.conv1.weight"][3]
    )
    np.testing.assert_array_equal(
        changed["features.conv1.weight"][:3], now["features.conv1.weight"][:3]
    )


def test_the_subset_of_validation_pictures_is_the_same_for_a_seed():
    prepared = prepared_now("digits")
    request = RunRequest(PLAIN, Recipe(epochs=1), "digits")
    chosen = subset(prepared, request, 60, seed=0)
    assert len(chosen) == len(set(chosen)) == 60
    np.testing.assert_array_equal(chosen, subset(prepared, request, 60, seed=0))
    everything = subset(prepared, request, 10**6, seed=0)
    assert set(chosen) <= set(everything)
    assert len(everything) == round(0.1 * len(prepared.train_labels))


@pytest.mark.parametrize(("layer", "channel"), [("features.conv1", 1), ("classifier.fc2", 7)])
def test_the_maximising_picture_has_a_higher_activation_than_noise(layer, channel):
    info = prepared_now("digits").info
    net = build_model(PLAIN, seed=0).eval()
    (pixels, answer, began), updates = exhaust(
        maximise_activation(net, info, layer, channel, seed=1)
    )
    assert (pixels.shape, pixels.dtype) == ((1, 28, 28), np.uint8)
    assert answer > began
    assert len(updates) == STEPS and updates[-1].fraction == 1
    (again, _, _), _ = exhaust(maximise_activation(net, info, layer, channel, seed=1))
    np.testing.assert_array_equal(again, pixels)


def test_an_unknown_channel_is_refused():
    info = prepared_now("digits").info
    with pytest.raises(ProbeError, match="no channel 99. Choose one from 0 to 3"):
        next(maximise_activation(build_model(PLAIN), info, "features.conv1", 99))


def run_jobs(store: RunStore) -> list:
    """Execute all queued jobs and return them."""
    worker_id = store.workers.register("jobs")
    done = []
    while (job := store.jobs.claim(worker_id)) is not None:
        execute_job(job, store, worker_id)
        done.append(store.jobs.find(job.id))
    store.workers.unregister(worker_id)
    return done


@pytest.mark.parametrize("how", ["mute", "reset"])
def test_ablation_is_a_job_with_a_stored_result(store, how):
    a_saved_run(store, RESIDUAL)
    app = open_inspect(view="Ablation")
    app.segmented_control(key="inspect_how").set_value(how).run()
    app.button(key="inspect_ablation").click().run()
    [job] = run_jobs(store)
    assert job.state == "done", job.reason
    assert len(job.result["after"]) == 4 and len(job.result["classes_after"][0]) == 10
    assert job.result["count"] == 144  # a tenth of 1,438 digits
    app.run()
    assert "of 144 validation pictures)" in page_text(app)
    assert len(app.get("plotly_chart")) == 1


def test_activation_maximisation_is_a_job_with_a_stored_result(store):
    a_saved_run(store)
    app = open_inspect(view="What activates it", layer="classifier.fc2")
    app.button(key="inspect_maximise").click().run()
    [job] = run_jobs(store)
    assert job.state == "done", job.reason
    app.run()
    assert "the mean activation rose from" in page_text(app)
    assert components(app)[0]["count"] == 1


def test_the_receptive_field_of_a_value_by_hand():
    # A 3 x 3 convolution with padding 1, a 2 x 2 pooling, a 3 x 3 convolution: 3, 4, 4 + 2 * 2 = 8
    # pixels; the first square begins 1 + 2 * 1 = 3 before the picture, neighbours are 2 apart.
    field = receptive_field(plan(PLAIN), "features.conv2")
    assert field == Field(size=8, jump=2, before=3)
    assert receptive_fields(plan(PLAIN))["features.conv2"].size == 8
    assert [patch_corner(field, place, 8, 28) for place in (0, 2, 13)] == [
        0,
        1,
        20,
    ]  # 4 - 3; 28 - 8


def test_the_strongest_patches_are_the_maxima_of_the_maps():
    prepared = prepared_now("digits")
    net = build_model(PLAIN, seed=0).eval()
    chosen = np.arange(30)
    found, _ = exhaust(strongest_patches(net, prepared, "features.act2", chosen))
    images = Normaliser(prepared.info, "cpu")(torch.from_numpy(prepared.test_images[chosen]))
    maps = activations(net, images.numpy())["features.act2"]
    for channel, places in enumerate(found):
        strongest = np.sort(maps[:, channel].max(axis=(1, 2)))[::-1][:9]
        np.testing.assert_allclose([each[3] for each in places], strongest, rtol=1e-5)
        picture, row, column, answer = places[0]
        assert maps[picture, channel, row, column] == pytest.approx(answer)
        assert crop_patch(
            prepared, receptive_field(net.plan, "features.act2"), places[0]
        ).shape == (1, 8, 8)


def test_patches_are_a_job_with_a_stored_result(store):
    a_saved_run(store, RESIDUAL)
    app = open_inspect(view="What activates it", layer="features.block1.sum")
    app.button(key="inspect_patches").click().run()
    [job] = run_jobs(store)
    assert job.state == "done", job.reason
    app.run()
    assert "From a random sample of 359 test pictures" in page_text(app)
    assert components(app)[0]["count"] == 9


def test_a_layer_without_maps_has_no_receptive_field():
    with pytest.raises(ProbeError, match="has no feature maps"):
        receptive_field(plan(PLAIN), "classifier.fc1")


def test_a_queued_job_can_be_stopped(store):
    a_saved_run(store)
    app = open_inspect(view="Ablation")
    app.button(key="inspect_ablation").click().run()
    app.button(key="inspect_ablation_stop").click().run()
    [job] = store.jobs.all()
    assert job.state == "stopped"
    assert app.button(key="inspect_ablation").label.startswith("Test each filter")


@pytest.mark.parametrize("method", ["integrated", "grad_cam"])
def test_an_explanation_as_a_job_equals_that_on_the_page(store, monkeypatch, method):
    a_saved_run(store)

    def texts(app) -> list[str]:
        texts = [each.value for each in (*app.markdown, *app.caption)]
        return [each for each in texts if "informative: " in each or "The map has" in each]

    app = open_inspect(view="Why this answer")
    app.segmented_control(key="inspect_method").set_value(method).run()
    on_the_page = components(app)[1]["values"], texts(app)
    monkeypatch.setattr(attribution, "MOST_MACS", 0)
    app.run()
    app.button(key="inspect_explain").click().run()
    [job] = run_jobs(store)
    assert job.state == "done", job.reason
    app.run()
    assert (components(app)[1]["values"], texts(app)) == on_the_page


def test_figures_leave_out_classes_without_pictures():
    assert ablation_figure([0.5, None], [0.25, None], ["a", "b"], 3).data[1].y == (25.0,)
    assert "No picture" in ablation_figure([None], [None], ["a"], 0).layout.annotations[0].text
