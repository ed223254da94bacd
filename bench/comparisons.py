"""Two comparisons of the course, made with the lab's own commands, as parts of ``docs/results.md``.

Used by ``python -m bench.results``. A comparison in the run store is read, not repeated.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.experiments.duel import DuelState, read_duel
from cnnlib.figures.theme import colour, figure
from cnnlib.records.events import EpochEnd
from cnnlib.runs import RunStore, studies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cnnlib.records.folders import Folders
    from cnnlib.runs.studies import Study

DUEL = (
    *("duel", "conv_maxpool", "conv_batchnorm", "--dataset", "mnist"),
    *("--recipe", "mnist-adam", "--pairs", "6", "--max-pairs", "6"),
)
DEPTH = (
    *("experiment", "grid", "--preset", "cnn3", "--dataset", "folder:cifar10-jpeg"),
    *("--name", "Depth on CIFAR-10", "--recipe", "cifar-sgd", "--optimizer", "adam"),
    *("--lr", "0.001", "--epochs", "4", "--train-limit", "12000"),
    *("--vary", "K=32", "--vary", "L=2,4,8,16", "--vary", "P=L/4"),
    *("--vary", "block=plain,residual", "--vary", "init=default,he", "--vary", "norm=none"),
)
CHANCE = 0.1
DEPTH_IMAGE = Path(__file__).parents[1] / "docs" / "images" / "depth.png"
_MADE = "Made by `python -m cnnlib {}`."

# Kind of network in the depth experiment (block and initialisation) -> depth -> its epochs.
Curves = dict[str, dict[int, list[EpochEnd]]]


def sections(folders: Folders, *, kept_only: bool) -> list[str]:
    """Both comparisons as lines of Markdown; a missing one is run first, or left out."""
    lines = []
    for command, kind, write in ((DUEL, "duel", _duel_section), (DEPTH, "grid", _depth_section)):
        plan = _find_kept(command, kind, folders)
        if plan is None and not kept_only:
            subprocess.run([sys.executable, "-m", "cnnlib", *command], check=True)
            plan = _find_kept(command, kind, folders)
        if plan is not None:
            lines += write(plan, _MADE.format(_shell(command)))
    return lines


def _shell(command: tuple[str, ...]) -> str:
    return " ".join(f'"{part}"' if " " in part else part for part in command)


def _find_kept(command: tuple[str, ...], kind: str, folders: Folders) -> Study | None:
    """Find the newest finished study of this kind that the command would repeat."""
    with closing(RunStore(folders)) as store:
        for found in studies.find_all(store, (kind,)):
            if found.state == "done" and _matches(found.body, command):
                return studies.find(store, found.id)
    return None


def _matches(body: Mapping[str, Any], command: tuple[str, ...]) -> bool:
    if command is DEPTH:
        return body.get("name") == "Depth on CIFAR-10"
    return (body["a"]["preset"], body["b"]["preset"]) == command[1:3]


# -- the duel --------------------------------------------------------------------------------------


def _duel_section(plan: Study, made: str) -> list[str]:
    """The duel's verdict, with the accuracies of each pair."""
    state = read_duel(plan)
    names = (state.duel.name_a, state.duel.name_b)
    lines = [
        "",
        "## A duel: `conv_batchnorm` against `conv_maxpool` in the texts' setting",
        "",
        f"**{state.sentence}**",
        "",
        f"{made} The verdict is on validation accuracy; test accuracy is given as well.",
        "",
        f"| seed | {names[0]}, validation | {names[1]}, validation | {names[0]}, test "
        f"| {names[1]}, test |",
        "|---:|---:|---:|---:|---:|",
    ]
    return lines + _pair_rows(state)


def _pair_rows(state: DuelState) -> list[str]:
    rows = []
    for pair in state.pairs:
        cells = [f"{run.summary['last_val_accuracy']:.2%}" for run in pair]
        cells += [f"{run.summary['test_accuracy']:.2%}" for run in pair]
        rows.append(f"| {pair[0].request.seed} | {' | '.join(cells)} |")
    return rows


# -- depth -----------------------------------------------------------------------------------------


def _depth_section(plan: Study, made: str) -> list[str]:
    """The results at each depth as a table and a chart, and a summary of each kind."""
    curves = _curves(plan)
    _write_depth_image(curves)
    depths = sorted(next(iter(curves.values())))
    lines = [
        "",
        "## Depth on CIFAR-10 (JPEG pictures): plain against residual",
        "",
        "K = 32 filters in each convolution, L convolutions, a pooling after every max(1, L/4) "
        f"convolutions, no norm layers. {made} Each epoch has only 12,000 pictures, and there is "
        "one seed.",
        "",
        *_summaries(curves),
        "",
        "![Validation accuracy over depth](images/depth.png)",
        "",
        f"| training loss, best validation accuracy | {' | '.join(f'L = {d}' for d in depths)} |",
        f"|---|{'---:|' * len(depths)}",
    ]
    for name, by_depth in curves.items():
        cells = [f"{by_depth[d][-1].train_loss:.3f}, {_best(by_depth[d]):.1%}" for d in depths]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _curves(plan: Study) -> Curves:
    curves: Curves = {}
    for number, settings in enumerate(plan.body["trials"]):
        name = f"{settings['block']}, {settings['init']} initialisation"
        curves.setdefault(name, {})[settings["L"]] = list(plan.epochs[f"{number}.0"])
    return curves


def _best(epochs: list[EpochEnd]) -> float:
    return max(epoch.val_accuracy for epoch in epochs)


def _summaries(curves: Curves) -> list[str]:
    """A line per kind of network: shallowest and deepest accuracy, and depths at chance level."""
    lines = []
    for name, by_depth in curves.items():
        ends = (min(by_depth), max(by_depth))
        reached = " and ".join(f"{_best(by_depth[d]):.1%} with L = {d}" for d in ends)
        stuck = [str(d) for d, epochs in sorted(by_depth.items()) if _best(epochs) < 1.5 * CHANCE]
        guessing = f"; chance level with L = {', '.join(stuck)}" if stuck else ""
        lines.append(f"- {name}: {reached}{guessing}.")
    return lines


def _write_depth_image(curves: Curves) -> None:
    """Draw the chart and take a screenshot of it in Chromium."""
    from playwright.sync_api import sync_playwright

    traces = [
        {
            "type": "scatter",
            "x": sorted(by_depth),
            "y": [100 * _best(by_depth[depth]) for depth in sorted(by_depth)],
            "name": name,
            "mode": "lines+markers",
            "line": {"color": colour(number), "dash": "dot" if "plain" in name else "solid"},
            "marker": {"symbol": number, "size": 9},
        }
        for number, (name, by_depth) in enumerate(curves.items())
    ]
    chart = figure(
        traces,
        "Validation accuracy over depth, after four short epochs",
        "Convolutions L",
        "Best validation accuracy (%)",
        paper_bgcolor="white",
        width=720,
        height=400,
        legend={"y": 0.02, "yanchor": "bottom", "x": 0.02},
    )
    chart.update_xaxes(type="log", tickvals=sorted(next(iter(curves.values()))))
    chart.update_yaxes(rangemode="tozero")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 720, "height": 400})
        page.set_content(chart.to_html(config={"displayModeBar": False}, full_html=True))
        page.locator(".plotly-graph-div").screenshot(path=DEPTH_IMAGE)
        browser.close()
