"""What all tests share: folders of their own, real datasets where there are any, a real browser."""

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

# Before anything imports torch. Several test processes share the cores, and one thread makes sums
# come out the same on every machine. The app that browser tests start does not inherit it.
_THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
os.environ.update(_THREADS)

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402
from serving import serving  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from postgres import Postgres

# No example has a time limit: the machine may be busy. In CI the examples are the same every time.
settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")

ROOT = Path(__file__).resolve().parent.parent
DATASETS = Path(os.environ.get("CNNLAB_DATA", ROOT / "data")).resolve()

# A test may be skipped in CI only for what no installation can give the machine.
CANNOT_RUN_HERE = "cannot run here:"

# The browser may ask the network for nothing but the pages it is sent to.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]


# -- no test is skipped in silence -----------------------------------------------------------------


class SkipsFailInCI:
    """Fails a session in CI in which a test was skipped for something that can be installed."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if not reason.startswith(CANNOT_RUN_HERE):
                self.skipped.append(f"{report.nodeid}: {reason}")

    pytest_runtest_logreport = _note
    pytest_collectreport = _note

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped:
            terminalreporter.section("skipped, and nothing may be skipped in CI", red=True)
            for line in self.skipped:
                terminalreporter.line(line)


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")  # of pytest-xdist; its controller sees all reports
    if os.environ.get("CI") and not is_worker:
        config.pluginmanager.register(SkipsFailInCI())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a processor that this machine does not have."""
    for marker, is_here in {"needs_cuda": _has_cuda, "needs_mps": _has_mps}.items():
        marked = [item for item in items if item.get_closest_marker(marker)]
        if marked and not is_here():
            device = marker.removeprefix("needs_").upper()
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=f"{CANNOT_RUN_HERE} no {device} device"))


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _has_mps() -> bool:
    import torch

    return torch.backends.mps.is_available()


# -- folders and datasets --------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a fresh machine: no data folder yet, no runs, the embedded database."""
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CNNLAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("CNNLAB_DATABASE", raising=False)


@pytest.fixture(scope="session")
def _linked_datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of links to the real datasets: what the lab writes beside them is temporary."""
    folder = tmp_path_factory.mktemp("datasets")
    for entry in DATASETS.iterdir() if DATASETS.is_dir() else ():
        (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture
def data_folder(_linked_datasets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of real datasets, which CNNLAB_DATA then names; prepared copies are shared."""
    if not any(_linked_datasets.iterdir()):
        pytest.skip(f"needs real datasets, and {DATASETS} has none: set CNNLAB_DATA")
    monkeypatch.setenv("CNNLAB_DATA", str(_linked_datasets))
    return _linked_datasets


@pytest.fixture
def mnist_folder(data_folder: Path) -> Path:
    """The folder of real datasets, with MNIST's four files in MNIST/raw."""
    if not list(data_folder.glob("MNIST/raw/train-images-idx3-ubyte*")):
        pytest.skip(f"needs MNIST, and {DATASETS} has no MNIST/raw: set CNNLAB_DATA")
    return data_folder


@pytest.fixture
def cifar_jpeg_zip(data_folder: Path) -> Path:
    """CIFAR-10 as a zip of JPEG pictures, one folder per class."""
    archive = data_folder / "cifar10-jpeg.zip"
    if not archive.exists():
        pytest.skip(f"needs cifar10-jpeg.zip, and {DATASETS} has none: set CNNLAB_DATA")
    return archive


# -- databases -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server() -> "Generator[Postgres]":
    """A PostgreSQL of the tests' own."""
    from postgres import programs, running

    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'psycopg[binary]'")
    installed = programs()
    if installed is None:
        pytest.skip("needs PostgreSQL, and there is no initdb: apt install postgresql")
    with running(installed) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def store_address(request: pytest.FixtureRequest) -> str:
    """What CNNLAB_DATABASE says, for a store in each of the databases that the lab knows."""
    if request.param == "sqlite":
        return ""
    return request.getfixturevalue("postgres_server").empty()


# -- the app and a browser -------------------------------------------------------------------------


@pytest.fixture
def app_server(tmp_path: Path) -> Generator[Callable[..., str]]:
    """A function that starts the app, with further variables if given, and returns its address.

    The app sees the test's own folders, and ends with the test.
    """
    with ExitStack() as stack:

        def start(env: dict[str, str] | None = None, port: int | None = None) -> str:
            log = tmp_path / f"server-{len(list(tmp_path.glob('server-*.log')))}.log"
            own = {name: value for name, value in os.environ.items() if name not in _THREADS}
            return stack.enter_context(serving(log, {**own, **(env or {})}, port)).url

        yield start


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("needs Chromium, and there is neither chromium nor google-chrome on the PATH")


@pytest.fixture(scope="session")
def browser(chromium: str) -> "Generator[Browser]":
    """A headless Chromium, one for the whole session."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: "Browser") -> "Generator[Page]":
    """An empty tab with a memory of its own. An error in the page's script fails the test."""
    errors: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
    assert not errors, f"The page's script raised: {errors}"
