"""The page server does not import torch: its modules, and its pages with a viewer process."""

import os
import subprocess
import sys

import pytest
from inspecting import a_run_with_even_errors

from cnnlib.runs import RunStore

ALL_MODULES = """
import pkgutil, sys
import cnnlib.ui
from apps import AppTest

# The canvas registers its files at its first import, which must happen inside Streamlit.
AppTest.from_string("import cnnlib.ui.common.drawing_pad", default_timeout=60).run()
for module in pkgutil.walk_packages(cnnlib.ui.__path__, "cnnlib.ui."):
    __import__(module.name)
assert "torch" not in sys.modules
"""

# The pages of a run, with the app's own viewer process.
PAGES = """
import sys, time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from apps import AppTest

from cnnlib.ui.common.shared import place
from cnnlib.ui.common.urls import DATA, DRAW, INSPECT, LAB, TRAIN
from cnnlib.ui.inspect.page import MAPS, TABS

MAIN = LAB.parent.parent / "cnnlib" / "ui" / "server" / "main.py"


def opened(path, **query):
    app = AppTest.from_file(str(MAIN), default_timeout=120).run()
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(str(path)).run()
    check(app)
    return app


def check(app):
    texts = [str(each.value) for each in [*app.error, *app.warning, *app.exception, *app.caption]]
    assert not app.exception and not app.error and not app.warning, texts
    assert not [text for text in texts if "viewer" in text], texts


AppTest.from_string("import cnnlib.ui.common.drawing_pad", default_timeout=60).run()
import cnnlib.ui.common.drawing_pad as drawing_pad

pixels = np.zeros((280, 280, 4), np.uint8)
pixels[60:220, 130:150] = 255
drawn = SimpleNamespace(image_data=pixels, json_data={"objects": []})
drawing_pad.st_canvas = lambda **_: drawn

pool = place()
pool._for_viewer.ensure_started()
try:
    deadline = time.monotonic() + 120
    while not pool.viewer.is_ready:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for view in TABS:
        app = opened(INSPECT, view=view)
        if view == MAPS:
            app.selectbox(key="inspect_layer").select("features.conv2").run()
            app.toggle(key="inspect_dead").set_value(True).run()
        elif view == "Gradients":
            app.toggle(key="inspect_gradients_over_time").set_value(True).run()
        check(app)
    assert "% probability" in " ".join(each.proto.body for each in opened(DRAW).get("html"))
    for view in ("Test pictures", "Layers"):
        app = opened(TRAIN, run=sys.argv[1])
        app.button_group(key="train_look").set_value(view).run()
        check(app)
    opened(DATA, dataset="digits")
finally:
    pool.shutdown()
loaded = [name for name in sys.modules if name.split(".")[0] in ("torch", "torchvision")]
assert not loaded, loaded
"""


@pytest.fixture
def run_id():
    """A run with saved weights and predictions on the test split."""
    store = RunStore()
    yield a_run_with_even_errors(store)
    store.close()


def run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_module_of_the_pages_imports_torch():
    run(ALL_MODULES)


def test_pages_of_a_run_import_no_torch(run_id):
    run(PAGES, run_id)
