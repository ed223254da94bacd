"""Fixtures for all tests: temporary folders, real datasets if available, a browser."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

# Set before torch is imported. Several test processes share the cores, and with one thread sums are
# the same on every machine. The app that browser tests start does not inherit these variables.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator

    from in_process_viewer import InProcessViewer
    from playwright.sync_api import Browser, Page
    from postgres import Postgres
    from s3 import S3

# Examples have no time limit, since the machine may be busy. In CI they are the same every time.
settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")

ROOT = Path(__file__).resolve().parent.parent
DATASETS = Path(os.environ.get("CNNLAB_DATA", ROOT / "data")).resolve()

# Prefix of the reasons for which a test may be skipped in CI: hardware or rights that are missing.
CANNOT_RUN_HERE = "cannot run here:"

# What Playwright disables (Chromium heeds one such list, so it is repeated here), and the popups of
# the address bar: two pages that each new window loads, which takes a second of processor time.
DISABLED_FEATURES = [
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "TcpPortRandomizationWin",
    "ThirdPartyStoragePartitioning",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxPopup",
]

# Keeps the browser from any network request besides those of the opened pages.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    f"--disable-features={','.join(DISABLED_FEATURES)}",
]


# -- no test is skipped silently in CI -------------------------------------------------------------


class SkipsFailInCI:
    """Fails a session in CI in which a test was skipped because of something installable."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def _collect(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if not reason.startswith(CANNOT_RUN_HERE):
                self.skipped.append(f"{report.nodeid}: {reason}")

    pytest_runtest_logreport = _collect
    pytest_collectreport = _collect

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped:
            terminalreporter.section("skipped, and nothing may be skipped in CI", red=True)
            for line in self.skipped:
                terminalreporter.line(line)


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")  # pytest-xdist: the controller gets all reports
    if os.environ.get("CI") and not is_worker:
        config.pluginmanager.register(SkipsFailInCI())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests that need a device which this machine lacks."""
    for marker, is_available in {"needs_cuda": _has_cuda, "needs_mps": _has_mps}.items():
        marked = [item for item in items if item.get_closest_marker(marker)]
        if marked and not is_available():
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
    """Give every test its own folders: no data folder yet, no runs, the SQLite database."""
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CNNLAB_RUNS", str(tmp_path / "runs"))
    for name in ("CNNLAB_DATABASE", "CNNLAB_DATABASE_DIRECT", "CNNLAB_FILES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def _linked_datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary folder of links to the real datasets, in which the lab may write."""
    folder = tmp_path_factory.mktemp("datasets")
    for entry in DATASETS.iterdir() if DATASETS.is_dir() else ():
        (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture
def data_folder(_linked_datasets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of real datasets, as CNNLAB_DATA; prepared copies are shared by all tests."""
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


# -- the viewer ------------------------------------------------------------------------------------


@pytest.fixture
def page_viewer(monkeypatch: pytest.MonkeyPatch) -> "InProcessViewer":
    """The viewer of the pages that the test opens, in this process."""
    from in_process_viewer import answer_in_process

    return answer_in_process(monkeypatch)


# -- databases -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server() -> "Generator[Postgres]":
    """A PostgreSQL server for the tests."""
    from postgres import find_programs, running_server

    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'psycopg[binary]'")
    installed = find_programs()
    if installed is None:
        pytest.skip("needs PostgreSQL, and there is no initdb: apt install postgresql")
    with running_server(installed) as server:
        yield server


@pytest.fixture(scope="session")
def pooled_server(postgres_server: "Postgres") -> "Generator[Postgres]":
    """The same server, with PgBouncer in transaction mode before it."""
    from postgres import find_pooler, running_pooler

    program = find_pooler()
    if program is None:
        pytest.skip("needs PgBouncer: apt install pgbouncer")
    with running_pooler(postgres_server, program):
        yield postgres_server


@pytest.fixture(
    params=["sqlite", "postgres", pytest.param("pgbouncer", marks=pytest.mark.pgbouncer)]
)
def store_address(request: pytest.FixtureRequest) -> str:
    """A value of CNNLAB_DATABASE for an empty store, in each supported database."""
    from postgres import POOLER_PORT

    if request.param == "sqlite":
        return ""
    if request.param == "pgbouncer":
        return request.getfixturevalue("pooled_server").create_schema(POOLER_PORT)
    return request.getfixturevalue("postgres_server").create_schema()


# -- object stores ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def s3_server() -> "Generator[S3]":
    """An S3 server for the tests."""
    from s3 import running_server

    pytest.importorskip("moto", reason="needs moto: pip install 'moto[server]'")
    with running_server() as server:
        yield server


@pytest.fixture
def s3_address(s3_server: "S3", monkeypatch: pytest.MonkeyPatch) -> str:
    """A value of CNNLAB_FILES for an empty bucket; the credentials are in the environment."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server.create_bucket()


@pytest.fixture(params=["file", "s3"])
def files_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A value of CNNLAB_FILES for an empty place, of each supported kind."""
    if request.param == "s3":
        return str(request.getfixturevalue("s3_address"))
    (tmp_path / "objects").mkdir()
    return (tmp_path / "objects").as_uri()


# -- a browser -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium or Chrome."""
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
    """An empty tab in a new browser context. An error in the page's script fails the test."""
    errors: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
    assert not errors, f"The page's script raised: {errors}"
