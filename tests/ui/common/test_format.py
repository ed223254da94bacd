"""Tests of escaped names and sentences, of menus, and of the order of headings on pages."""

import itertools

import pytest
from apps import AppTest
from example_runs import a_request, a_running_run, an_epoch, steps, the_end

from cnnlib.runs import RunStore
from cnnlib.ui.common.format import dataset_label, describe_answer, distinct, escape_markdown
from cnnlib.ui.common.urls import PAGES

MAIN = PAGES.parent / "cnnlib" / "ui" / "server" / "main.py"
NAME = "**x** [a](http://b) <b>"


def test_nothing_in_a_name_is_markdown():
    assert escape_markdown("a **b**_c_") == r"a \*\*b\*\*\_c\_"
    assert escape_markdown("[a](http://b)") == r"\[a\](http\://b)"
    assert escape_markdown("<b> & $x$ `y` ~z~ |") == r"\<b\> \& \$x\$ \`y\` \~z\~ \|"


def test_characters_special_at_line_starts_are_escaped_only_there():
    assert escape_markdown("- a - b\n+ c\n1. d 1. e") == "\\- a - b\n\\+ c\n1\\. d 1. e"
    assert escape_markdown("98.5 %, lr 0.1: good") == "98.5 %, lr 0.1: good"


def test_shortcodes_are_split_by_an_invisible_character():
    # Streamlit replaces them after removing the escapes, so a separator character is needed.
    assert escape_markdown(":smile:") == "\\:\u2060smile:"
    assert escape_markdown(":material/home:") == "\\:\u2060material/home:"
    assert "\u2060" not in escape_markdown("folder:gone 12:30:45")


def test_an_answer_names_the_likeliest_and_the_truth():
    shares = [0.1, 0.7, 0.2]
    assert describe_answer(shares, "abc", None) == "**b (70.0 %), c (20.0 %), a (10.0 %)**."
    assert describe_answer(shares, "abc", 1).endswith("**. Correct.")
    assert describe_answer(shares, "a*c", 2).endswith("**. Wrong: the true class is c.")


# -- headings --------------------------------------------------------------------------------------


def levels(page: str, **query: str) -> list[int]:
    """Return the levels, 1 to 6, of the headings of a page in order."""
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(str(PAGES / f"{page}.py")).run()
    assert not app.exception
    return [int(each.tag[1]) for each in app.main if each.type in ("title", "header", "subheader")]


@pytest.fixture
def filled():
    """Fill the store with a finished, a live and a queued run; yield the id of the first."""
    store = RunStore()
    run_id, worker_id = a_running_run(store, preset="lenet5")
    store.record_events(
        run_id, worker_id, [*steps(1, 20), an_epoch(1, 10), an_epoch(2, 20), the_end()]
    )
    a_running_run(store, seed=1)
    store.submit(a_request(seed=2))
    yield run_id
    store.close()


@pytest.mark.parametrize("page", sorted(path.stem for path in PAGES.glob("*.py")))
def test_no_level_of_headings_is_left_out(page, filled):
    for found in (levels(page), levels(page, run=filled)):
        assert found[0] == 1 and found.count(1) == 1
        increases = [below - above for above, below in itertools.pairwise(found)]
        assert max(increases, default=0) <= 1, found


# -- names on pages --------------------------------------------------------------------------------


def test_a_warning_repeats_what_was_typed_and_none_of_it_is_markdown():
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    app.query_params["run"] = NAME
    app.switch_page(str(PAGES / "train.py")).run()
    [warning] = app.warning
    assert escape_markdown(NAME) in warning.value


def test_what_a_part_of_a_page_raises_is_a_sentence_in_its_place():
    def page():
        import streamlit as st

        from cnnlib.errors import StoreError
        from cnnlib.ui.common.messages import fragment

        def part() -> None:
            raise StoreError("The run *x* was deleted.")

        fragment(part)()
        st.write("below")

    app = AppTest.from_function(page).run()
    assert not app.exception
    assert [each.value for each in app.error] == [r"The run \*x\* was deleted."]
    assert app.markdown[0].value == "below"


# -- menus -----------------------------------------------------------------------------------------


def test_equal_labels_of_a_menu_are_made_unique():
    assert distinct({"a": "lenet5", "b": "tiny99", "c": "lenet5"}) == {
        "a": "lenet5 (a)",
        "b": "tiny99",
        "c": "lenet5 (c)",
    }


def test_a_dataset_of_drawings_is_named_as_such():
    assert dataset_label("folder:lesson 12 for fashion-mnist") == "your drawings, set 12"
    assert dataset_label("folder:drawings for mnist (9f03ab)") == "your drawings for MNIST"
    assert dataset_label("mnist", "MNIST") == "MNIST"
    assert dataset_label("folder:leaves") == "leaves"


def test_two_runs_with_the_same_title_can_both_be_chosen():
    store = RunStore()
    for _ in range(2):
        _create_finished_run(store)
    store.close()
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    app.switch_page(str(PAGES / "inspect.py")).run()
    menu = app.selectbox(key="inspect_run")
    titles = ("twice", "twice (2)")
    assert {f"{title} (finished)" for title in titles} <= {*menu.options}


def _create_finished_run(store: RunStore) -> None:
    run_id, worker_id = a_running_run(store, name="twice")
    store.record_events(run_id, worker_id, [*steps(1, 20), the_end()])
