"""Names and sentences as pages show them, numbers with units, and the order of headings."""

import itertools

import pytest
from example_runs import a_request, a_running_run, an_epoch, steps, the_end
from streamlit.testing.v1 import AppTest

from cnnlib.runs import RunStore
from cnnlib.ui.common.format import describe_answer, distinct, escape_markdown
from cnnlib.ui.common.urls import PAGES

MAIN = PAGES.parent / "cnnlib" / "ui" / "server" / "main.py"
NAME = "**x** [a](http://b) <b>"


def test_nothing_in_a_name_is_markdown():
    assert escape_markdown("a **b**_c_") == r"a \*\*b\*\*\_c\_"
    assert escape_markdown("[a](http://b)") == r"\[a\](http\://b)"
    assert escape_markdown("<b> & $x$ `y` ~z~ |") == r"\<b\> \& \$x\$ \`y\` \~z\~ \|"


def test_signs_that_mean_something_where_a_line_begins_are_escaped_there_alone():
    assert escape_markdown("- a - b\n+ c\n1. d 1. e") == "\\- a - b\n\\+ c\n1\\. d 1. e"
    assert escape_markdown("98.5 %, lr 0.1: good") == "98.5 %, lr 0.1: good"


def test_shortcodes_are_taken_apart_where_nobody_sees_it():
    # Streamlit replaces them after the escapes are gone, so only another sign between helps.
    assert escape_markdown(":smile:") == "\\:\u2060smile:"
    assert escape_markdown(":material/home:") == "\\:\u2060material/home:"
    assert "\u2060" not in escape_markdown("folder:gone 12:30:45")


def test_an_answer_names_the_likeliest_and_the_truth():
    shares = [0.1, 0.7, 0.2]
    assert describe_answer(shares, "abc", None) == "**b (70.0 %), c (20.0 %), a (10.0 %)**."
    assert describe_answer(shares, "abc", 1).endswith("**. Right.")
    assert describe_answer(shares, "a*c", 2).endswith("**. It is c.")


# -- headings --------------------------------------------------------------------------------------


def levels(page: str, **query: str) -> list[int]:
    """The headings of a page in their order, 1 to 6."""
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(str(PAGES / f"{page}.py")).run()
    assert not app.exception
    return [int(each.tag[1]) for each in app.main if each.type in ("title", "header", "subheader")]


@pytest.fixture
def filled():
    """Runs in the store: one that finished, one under way, one that waits."""
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
        deeper = [below - above for above, below in itertools.pairwise(found)]
        assert max(deeper, default=0) <= 1, found


# -- names on pages --------------------------------------------------------------------------------


def test_an_error_repeats_what_was_typed_and_none_of_it_is_markdown():
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    app.query_params["run"] = NAME
    app.switch_page(str(PAGES / "train.py")).run()
    [error] = app.error
    assert escape_markdown(NAME) in error.value


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


def test_options_of_a_menu_that_are_called_the_same_are_told_apart():
    assert distinct({"a": "lenet5", "b": "tiny99", "c": "lenet5"}) == {
        "a": "lenet5 (a)",
        "b": "tiny99",
        "c": "lenet5 (c)",
    }


def test_of_two_runs_that_are_called_the_same_both_can_be_chosen():
    store = RunStore()
    older, newer = (_a_finished_run(store) for _ in range(2))
    store.close()
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    app.switch_page(str(PAGES / "inspect.py")).run()
    menu = app.selectbox(key="inspect_run")
    assert menu.options.count("twice on digits, seed 0 (finished)") == 0
    assert {f"twice on digits, seed 0 (finished) ({each})" for each in (older, newer)} <= {
        *menu.options
    }


def _a_finished_run(store: RunStore) -> str:
    run_id, worker_id = a_running_run(store, name="twice")
    store.record_events(run_id, worker_id, [*steps(1, 20), the_end()])
    return run_id
