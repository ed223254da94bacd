"""Charts of reports as SVG: scales and marks; the results table as a page."""

import pytest
from compare_runs import a_finished_run, a_store
from html_check import HtmlCheck

from cnnlib.compare.columns import columns
from cnnlib.compare.rows import load_rows
from cnnlib.experiments.duel_statistics import judge
from cnnlib.records.compare import Curve, Point
from cnnlib.report.page import to_html
from cnnlib.report.svg import (
    Axis,
    class_chart,
    curves_chart,
    duel_chart,
    interval_line,
    points_chart,
    round_values,
)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (94.1, 97.3, [95, 96, 97]),
        (-0.25, 0.25, [-0.2, -0.1, 0, 0.1, 0.2]),
        (1, 2, [1, 1.2, 1.4, 1.6, 1.8, 2]),
    ],
)
def test_ticks_are_round(low, high, expected):
    assert round_values(low, high) == pytest.approx(expected)


def test_a_scale_places_values():
    assert Axis(0, 10, 50, 150).place(5) == 100
    log = Axis(10, 1000, 0, 200, is_log=True)
    assert log.place(100) == pytest.approx(100)
    assert log.ticks() == [10, 100, 1000]


def test_charts_without_data_are_empty():
    assert curves_chart([], "Loss", is_share=False) == ""
    assert duel_chart(judge([]), [], "B minus A") == ""
    assert class_chart([], ("A", "B"), "Classes") == ""
    assert points_chart([], "Cost", "Parameters") == ""


def test_each_chart_is_described_in_words():
    curve = Curve("<net>", (1, 2), (0.5, 0.9), (0.4, 0.8), (0.6, 1.0), 3)
    verdict = judge([0.01, 0.02, 0.012, 0.015, 0.011, 0.014, 0.013])
    charts = {
        "After the last epoch: <net> 90.00 %": curves_chart([curve], "Accuracy", is_share=True),
        "Mean difference after 7 pairs: 1.36 points, interval": duel_chart(
            verdict, [0.01] * 7, "B minus A"
        ),
        "cat 2.00": class_chart([("cat", 0.02, -0.01, 0.04)], ("A", "B"), "Classes"),
        "B minus A: 1.00 points, interval 0.50 to 1.50": interval_line(
            0.01, (0.005, 0.015), 0.001, "B minus A"
        ),
        "1: net 1 K, 90.00 %": points_chart(
            [Point("1: net", 1000, 0.9, on_frontier=True)], "Cost", "Parameters"
        ),
    }
    for words, chart in charts.items():
        read = HtmlCheck(chart)
        assert read.problems == []
        described = [a["aria-label"] or "" for _, a in read.attributes if "aria-label" in a]
        assert any(words in each for each in described)


def test_a_run_of_one_epoch_and_a_constant_curve_are_drawn():
    one = Curve("net", (1,), (0.5,), (0.5,), (0.5,))
    assert "nan" not in curves_chart([one], "Accuracy", is_share=True)
    flat = Curve("net", (0, 1), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
    assert "<path" in curves_chart([flat], "Loss", is_share=False)


def test_the_page_of_the_table_is_valid_and_numbers_its_rows(tmp_path):
    store = a_store(tmp_path)
    for name, val, channels in (("good", 0.9, (4,)), ("bad", 0.8, (8,))):
        for seed in range(2):
            a_finished_run(store, val=val, test=val, channels=channels, seed=seed, name=name)
    a_finished_run(store, val=0.7, channels=(16,), name="<b>bold</b>")
    page = to_html(load_rows(store), columns(["name", "test_accuracy"]))
    store.close()
    read = HtmlCheck(page)
    assert read.problems == []
    assert len(page.encode()) < 500_000
    assert "script" not in read.tags
    assert "<b>bold</b>" not in page
    lines = {*read.text.split("\n")}
    assert {"90.00 %", "80.00 %"} <= lines
    assert {"1: good, 2 seeds", "2: bad, 2 seeds", "3: <b>bold</b>"} <= lines
    headings = ["Table", "How they learned", "Accuracy against cost", "Designs", "Recipes"]
    assert {*headings} <= lines


def test_the_page_of_an_empty_table_is_valid():
    read = HtmlCheck(to_html([], columns(["name"])))
    assert read.problems == []
    assert "0 rows of 0 runs" in read.text
