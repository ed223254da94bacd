"""The default layout of figures, and the colours."""

import sys
from threading import Event, Thread
from types import SimpleNamespace

from cnnlib.figures import theme
from cnnlib.figures.compare import curves_figure
from cnnlib.records.compare import Curve


def test_an_empty_figure_has_its_title_and_its_sentence():
    figure = theme.empty_figure("Loss", "No run yet.")
    assert figure.layout.title.text == "Loss"
    assert [note.text for note in figure.layout.annotations] == ["No run yet."]
    assert len(figure.data) == 0


def test_a_figure_has_its_axis_titles_and_no_background_of_its_own():
    line = {"type": "scatter", "x": [1, 2], "y": [0.5, 0.25]}
    figure = theme.figure([line], "Loss", "step", "loss (nats)")
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == (
        "step",
        "loss (nats)",
    )
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == theme.CLEAR
    assert list(figure.data[0].y) == [0.5, 0.25]


def test_html_in_names_is_shown_as_text():
    # plotly interprets <b>, <a href=...> and &lt; in names, and shows &lt;b> as <b>.
    figure = theme.figure([{"type": "bar", "x": ["<b>seven", 2], "y": [1, 2], "name": "a & b"}], "")
    assert list(figure.data[0].x) == ["&lt;b&gt;seven", 2]
    assert figure.data[0].name == "a &amp; b"


def test_the_same_input_gives_the_same_figure():
    line = {"type": "scatter", "x": [1], "y": [1]}
    assert theme.figure([line], "A") == theme.figure([line], "A")


def test_a_colour_with_an_opacity():
    assert theme.with_alpha("#0068a8", 0.5) == "rgba(0, 104, 168, 0.5)"


def test_an_axis_of_few_whole_numbers_has_no_fractions_between_them():
    assert theme.counted_axis("Trial", 2)["dtick"] == 1
    assert "dtick" not in theme.counted_axis("Trial", 21)


def test_the_height_grows_with_the_legend():
    curve = Curve("a", (1, 2), (0.5, 0.6), (0.5, 0.6), (0.5, 0.6), 1)
    one, seven = (curves_figure([curve] * count, "Loss").layout.height for count in (1, 7))
    assert (one, seven) == (theme.HEIGHT, theme.HEIGHT + 6 * 18)  # 18 pixels for each name more


def test_layout_may_be_overridden():
    assert theme.figure([], "A", height=100).layout.height == 100


def test_colours_repeat_after_the_last():
    assert theme.colour(len(theme.CATEGORICAL)) == theme.colour(0)


def test_thirty_lines_and_thirty_bars_look_different():
    # 6 colours and 5 dashes have no common divisor: the pair repeats after 6 * 5.
    assert len({tuple(theme.stroke(number).values()) for number in range(30)}) == 30
    bars = [theme.fill(number) for number in range(30)]
    assert len({(bar["color"], bar["pattern"]["shape"]) for bar in bars}) == 30


def test_lines_and_bars_beside_each_other_differ_in_more_than_their_colour():
    for number in range(30):
        assert theme.stroke(number)["dash"] != theme.stroke(number + 1)["dash"]
        assert theme.fill(number)["pattern"] != theme.fill(number + 1)["pattern"]


def test_a_mix_lies_between_two_colours():
    # 0x00 and 0xff, a fifth of the way: 51 = 0x33.
    assert theme.mix("#000000", "#ffffff", 0.2) == "#333333"


def test_a_figure_waits_while_another_thread_imports_pandas(tmp_path, monkeypatch):
    (tmp_path / "pandas.py").write_text(
        "import half\nhalf.begun.set()\nhalf.go_on.wait(30)\nclass Series: pass\nIndex = Series\n"
    )
    half = SimpleNamespace(begun=Event(), go_on=Event())
    monkeypatch.setitem(sys.modules, "half", half)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "pandas", None)  # restored after the test
    del sys.modules["pandas"]
    original = theme.import_module
    monkeypatch.setattr(theme, "import_module", lambda name: (half.go_on.set(), original(name)))
    other = Thread(target=lambda: __import__("pandas"))
    other.start()
    assert half.begun.wait(30)
    line = {"type": "scatter", "x": ["a"], "y": [1.0]}
    assert list(theme.figure([line], "A").data[0].x) == ["a"]
    other.join()
