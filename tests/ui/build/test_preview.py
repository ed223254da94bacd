"""What the picture of Build shows while a slider is dragged."""

import json

import pytest
from route_client import send

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.presets import preset, presets
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import SpecError
from cnnlib.ui.build.controls import CONTROLS
from cnnlib.ui.build.field_labels import with_form_label
from cnnlib.ui.build.preview import SIZES, main_numbers, pictures_of, slider_request
from cnnlib.ui.build.state import BuildState, Draft, with_change

LENET = preset("lenet5").spec
SLIDERS = [control for control in CONTROLS.values() if control.kind == "slider"]


def state(spec: CNNSpec = LENET, **changed) -> BuildState:
    return BuildState(Draft(spec, "mnist"), valid=spec, **changed)


def ask(shown: BuildState, control: str, value, fold: bool = True, **changed) -> dict:
    body = slider_request(shown, fold) | {"control": control, "value": value, "size": 0}
    answer = send("POST", "/api/preview", body | changed)
    assert answer.status_code == 200
    return answer.json()


SHOWN = [
    pytest.param(entry, control, id=f"{entry.name}-{control.name}")
    for entry in presets()
    for control in SLIDERS
    if control.shown(entry.spec)
]


@pytest.mark.parametrize(("entry", "control"), SHOWN)
def test_a_dragged_slider_shows_what_the_page_shows_after_its_release(entry, control):
    value = control.read(entry.spec)
    moved = value + control.range.step if value < control.range.high else control.range.low
    shown = state(entry.spec, batch_size=64, optimizer="sgd", pinned=LENET)
    answer = ask(shown, control.name, moved)
    after = with_change(shown.draft, lambda spec: control.write(spec, moved), control.name).spec
    try:
        planned = plan(after)
    except SpecError as error:
        assert answer == {"error": with_form_label(str(error), control.name)}
        return
    expected = main_numbers(
        cost(planned, batch_size=64, optimizer="sgd"),
        cost(plan(LENET), batch_size=64, optimizer="sgd"),
    )
    assert answer["numbers"] == expected
    assert answer["sizes"] == pictures_of(planned, fold=True)[:1]


def test_the_picture_has_the_width_that_is_shown():
    widths = [ask(state(), "width", 7, size=place)["sizes"][0]["width"] for place in range(3)]
    assert widths == [width for width, _ in SIZES]
    assert ask(state(), "width", 7, fold=False, size=2)["sizes"][0]["width"] == SIZES[0][0]


def test_a_slider_moved_to_and_fro_shows_the_design_of_a_single_move():
    moved = state().changed(Draft(CNNSpec(channels=(1, 3)), "mnist"), "width", now=0.0)
    assert ask(moved, "width", 6) == ask(state(), "width", 6)
    assert ask(moved, "convolutions", 1) != ask(state(), "convolutions", 1)


def test_typed_channels_are_kept_while_another_slider_is_dragged():
    typed = BuildState(Draft(CNNSpec(channels=(5, 9)), "mnist", is_typed=True), CNNSpec())
    params = cost(plan(CNNSpec(channels=(5, 9, 9)))).params
    assert ask(typed, "convolutions", 3)["numbers"][0]["exact"] == f"{params:,}"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"value": 8, "control": "convolutions"}, "pooling layer"),
        ({"control": "hidden_dims"}, "'hidden_dims' is not a slider of the Build page."),
        ({"control": ["width"]}, "is not a slider of the Build page."),
        ({"value": 1e9}, '"Width" must be a number from 1 to 4,096; found 1000000000.0.'),
        ({"value": 0}, '"Width" must be a number from 1 to'),
        ({"value": "7"}, "found '7'."),
        ({"value": True}, "found True."),
        ({"value": None}, "found None."),
        ({"drafts": {}}, "The request contains no design. Reload the page."),
        ({"drafts": {"": "6"}}, "The request contains no design. Reload the page."),
        ({"address": {}}, "The request contains no design. Reload the page."),
        ({"address": {"design": "x!"}}, "link"),
        ({"address": state().address() | {"batch": "0"}}, "contains batch='0'"),
    ],
)
def test_what_cannot_be_shown_is_said(changed, sentence):
    one_pool_each = state(CNNSpec(channels=(6, 6), pool_every=1))
    answer = ask(one_pool_each, **({"control": "width", "value": 7} | changed))
    assert sentence in answer["error"], json.dumps(answer)[:300]
