"""`serving` starts the app for a block, and leaves no process after it."""

import os
import urllib.request
from pathlib import Path

import psutil
import pytest
import serving

# A replacement for the app that starts a process in a new session, as the app does with a worker.
APP = """
import subprocess, sys
from pathlib import Path
import streamlit as st

sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
sleeper = subprocess.Popen(sleep, start_new_session=True)
Path("sleeper.pid").write_text(str(sleeper.pid))
app = st.App("main.py")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "ROOT", tmp_path)
    monkeypatch.setattr(serving, "STOP_SECONDS", 2.0)
    (tmp_path / "main.py").write_text("import streamlit as st\nst.title('Hello')\n")
    return tmp_path


def test_the_app_answers_inside_the_block_and_leaves_no_process_after_it(folder):
    (folder / "app.py").write_text(APP)
    with serving.serving(folder / "log", os.environ) as served:
        assert urllib.request.urlopen(f"{served.url}/_stcore/health").read() == b"ok"
        sleeper = psutil.Process(int((folder / "sleeper.pid").read_text()))
        assert sleeper.is_running()
    assert served.process.returncode is not None
    assert not sleeper.is_running()


def test_an_app_that_does_not_start_is_reported_with_what_it_printed(folder):
    # There is no app.py.
    with (
        pytest.raises(serving.ServingError, match=r"(?s)ended with code \d+.*app\.py"),
        serving.serving(folder / "log", os.environ),
    ):
        pass


def test_a_server_whose_settings_are_wrong_does_not_start_and_says_why(tmp_path):
    runs = Path(os.environ["CNNLAB_RUNS"])
    runs.mkdir()
    (runs / "cnnlab.toml").write_text("[class]\non = 'perhaps'\n")
    with (
        pytest.raises(serving.ServingError, match=r"in section \[class\]: on is 'perhaps', but"),
        serving.serving(tmp_path / "log", os.environ),
    ):
        pass
    assert "Traceback" not in (tmp_path / "log").read_text()
