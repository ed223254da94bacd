"""All panels of the Inspect page on all layers of networks trained on real pictures."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from inspecting import open_inspect, page_text
from sample_data import write_zip

from cnnlib.design.presets import preset
from cnnlib.probe.filters import convolutions, filters
from cnnlib.probe.forward import activations
from cnnlib.probe.graph import steps
from cnnlib.probe.weights import read_arrays, weights_by_step
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore
from cnnlib.train.api import load_run
from cnnlib.train.control import Control
from cnnlib.train.worker.execute_run import execute_run

pytestmark = pytest.mark.usefixtures("page_viewer")

METHODS = ("saliency", "integrated", "occlusion", "grad_cam", "guided")
FEW = 16  # training pictures; two steps
CUT = 2  # pictures per class and split of CIFAR-10


def trained(store: RunStore, name: str, dataset: str) -> str:
    """Train a run for two steps and return its id."""
    recipe = Recipe(epochs=1, batch_size=8)
    request = RunRequest(preset(name).spec, recipe, dataset, device="cpu", train_limit=FEW)
    worker_id, run_id = store.workers.register(), store.submit(request)
    execute_run(store.claim(worker_id, run_id), store, worker_id, Control())
    store.workers.unregister(worker_id)
    assert store.run(run_id).state == "finished", store.run(run_id).reason
    return run_id


@pytest.fixture
def cifar_cut(cifar_jpeg_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder with the first pictures of each class of the real CIFAR-10."""
    last = tuple(f"/{number:04}.jpg" for number in range(CUT))
    with zipfile.ZipFile(cifar_jpeg_zip) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name.endswith(last)}
    write_zip(tmp_path / "cut" / "cifar10-jpeg.zip", files)
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "cut"))


@pytest.fixture(params=["lenet5", "resnet20"])
def run_id(request: pytest.FixtureRequest):
    """A trained run on real pictures."""
    fixture, dataset = {
        "lenet5": ("mnist_folder", "mnist"),
        "resnet20": ("cifar_cut", "folder:cifar10-jpeg"),
    }[request.param]
    request.getfixturevalue(fixture)
    store = RunStore()
    yield trained(store, request.param, dataset)
    store.close()


def test_every_panel_opens_on_every_layer(run_id):
    planned = load_run(run_id).net.plan
    names = [step.name for step in steps(planned)]
    for view, layers in {
        "Filters and maps": names,
        "Gradients": names,
        "What activates it": names[:: max(1, len(names) // 8)],
        "Ablation": convolutions(planned)[::4],
    }.items():
        app = open_inspect(run=run_id, view=view)
        for layer in layers:
            app.selectbox(key="inspect_layer").select(layer).run()
            assert not app.exception and not app.error, (view, layer)
    app = open_inspect(run=run_id, view="Why this answer")
    for method in METHODS:
        app.segmented_control(key="inspect_method").set_value(method).run()
        assert not app.exception and not app.error, method
    assert "Test accuracy: " in page_text(open_inspect(run=run_id, view="Errors"))


def test_filters_and_maps_are_the_tensors_that_torch_gives(run_id):
    net = load_run(run_id).net.eval()
    folders = Folders.from_environment()
    with_store = RunStore()
    saved = weights_by_step(with_store.saved_weights(run_id))
    with_store.close()
    weights = read_arrays(folders.run(run_id) / saved[max(saved)].file)
    for name in convolutions(net.plan):
        expected = net.get_submodule(name).weight.detach().numpy()
        np.testing.assert_array_equal(filters(net.plan, weights, name), expected)
    pictures = torch.randn(2, *net.plan.spec.in_size, generator=torch.Generator().manual_seed(0))
    seen: dict[str, np.ndarray] = {}
    for name, module in net.named_modules():
        module.register_forward_hook(
            lambda _, __, out, name=name: seen.update({name: out.detach().numpy().copy()})
        )
    net(pictures)
    found = activations(net, pictures.numpy())
    for step in steps(net.plan):
        if step.leaf is not None:
            np.testing.assert_array_equal(found[step.name], seen[step.name], err_msg=step.name)
