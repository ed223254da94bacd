"""Settings and fixtures of the browser tests: the app that they share, and apps of their own."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import expect
from serving import serving
from shared_app import SharedApp, app_environment, empty, shared_app

from cnnlib.runs import RunStore

# The browser, the app, its worker and other tests share the cores, so a page may be slow. Tests of
# speed set shorter timeouts themselves.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Generator[SharedApp]:
    """One app for all tests of this process."""
    with shared_app(tmp_path_factory.mktemp("app")) as app:
        yield app


@pytest.fixture
def url(app: SharedApp, monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """The address of the shared app, which has no runs; the test uses its folders."""
    monkeypatch.setenv("CNNLAB_DATA", str(app.store.folders.data))
    monkeypatch.setenv("CNNLAB_RUNS", str(app.store.folders.runs))
    yield app.url
    empty(app.store)


@pytest.fixture
def store(url: str, app: SharedApp) -> RunStore:
    """The run store of the shared app."""
    return app.store


@pytest.fixture
def app_server(tmp_path: Path) -> Generator[Callable[..., str]]:
    """A function that starts an app, with optional further variables, and returns its address.

    For tests that need a cold app, other settings or datasets, or that kill its processes. The app
    uses the test's folders, and ends with the test.
    """
    with ExitStack() as stack:

        def start(env: dict[str, str] | None = None, port: int | None = None) -> str:
            log = tmp_path / f"server-{len(list(tmp_path.glob('server-*.log')))}.log"
            served = serving(log, app_environment(**(env or {})), port)
            return stack.enter_context(served).url

        yield start
