"""The controls of the Build page on specs, and the page state, without Streamlit."""

from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from classics import CLASSICS
from random_specs import random_specs

from cnnlib.design.field_labels import FIELD_LABELS as DESIGN_LABELS
from cnnlib.design.plan import plan
from cnnlib.design.presets import preset, presets
from cnnlib.design.spec import CNNSpec, Stem
from cnnlib.errors import SpecError
from cnnlib.figures.architecture import draw
from cnnlib.ui.build import channels as widths
from cnnlib.ui.build import widget_sync
from cnnlib.ui.build.control import Control
from cnnlib.ui.build.controls import CONTROLS, GROUPS
from cnnlib.ui.build.field_labels import FIELD_LABELS, with_form_label
from cnnlib.ui.build.layer_controls import control_of
from cnnlib.ui.build.side_effects import side_effects
from cnnlib.ui.build.state import JOIN_SECONDS, BuildState, Draft

LENET = preset("lenet5").spec
RESNET = preset("resnet20").spec


# -- controls --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONTROLS)
def test_writing_what_a_control_shows_changes_nothing(name):
    control = CONTROLS[name]
    for spec in (*(entry.spec for entry in presets()), *random_specs(60, seed=5)):
        if control.shown(spec):
            assert control.write(spec, control.read(spec)) == spec


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_can_show_every_spec(name):
    control = CONTROLS[name]
    for spec in (*(entry.spec for entry in presets()), *random_specs(60, seed=6)):
        if control.shown(spec) and control.kind in ("slider", "number"):
            assert (
                control.range.low
                <= control.read(spec)
                <= max(control.range.high, control.range.highest)
            )
        if control.shown(spec) and control.kind in ("choice", "menu"):
            assert control.read(spec) in (*control.options, None)


def test_no_two_controls_have_one_name():
    assert len(CONTROLS) == sum(len(group) for group in GROUPS.values())


def test_every_control_has_a_help_text():
    for control in CONTROLS.values():
        assert control.help.endswith(".")
        assert control.help[0].isupper() or control.help[0].isdigit()


def test_a_slider_keeps_what_no_slider_shows():
    changed = CONTROLS["width"].write(RESNET, 8)
    assert changed == replace(RESNET, channels=(8,) * 6 + (16,) * 6 + (32,) * 6)


def test_taking_more_convolutions_lengthens_the_lists_of_other_fields():
    spec = CNNSpec(channels=(6, 16), kernel_size=(5, 3), bias=(True, False))
    more = CONTROLS["convolutions"].write(spec, 4)
    assert more.kernel_size == (5, 3, 3, 3)
    assert more.bias == (True, False, False, False)


def test_residual_blocks_in_a_long_group_lead_past_two_convolutions():
    spec = replace(CNNSpec(channels=(16,) * 12), pool_every=6)
    assert CONTROLS["block"].write(spec, "residual").block_convs == 2


def test_residual_blocks_in_a_short_group_lead_past_all_of_it():
    spec = replace(CNNSpec(channels=(16,) * 4), pool_every=2)
    assert CONTROLS["block"].write(spec, "residual").block_convs == 0


def test_a_bottleneck_grows_with_a_quarter_of_the_channels_inside():
    spec = CNNSpec(channels=(64,) * 6, pool_every=3)
    changed = CONTROLS["block"].write(spec, "bottleneck")
    assert changed.channels == (64, 16, 64) * 2
    assert [layer.block for layer in plan(changed).layers if layer.kind == "residual"] == [
        "residual",  # its input is the image, of one channel
        "bottleneck",
    ]


def test_another_activation_forgets_the_parameters_of_the_last():
    spec = CNNSpec(activation="lrelu", activation_params={"negative_slope": 0.2})
    assert CONTROLS["activation"].write(spec, "tanh").activation_params == ()


def test_a_stem_begins_as_wide_as_the_first_convolution():
    assert CONTROLS["stem"].write(LENET, True).stem == Stem(6)


def test_an_unselected_choice_changes_nothing():
    for control in CONTROLS.values():
        if control.kind == "choice" and control.shown(RESNET):
            assert control.write(RESNET, None) == RESNET


def test_any_position_of_any_control_plans_or_is_refused_with_a_repair():
    random = Random(0)
    spec = LENET
    for _ in range(300):
        control = random.choice(list(CONTROLS.values()))
        if control.shown(spec):
            with suppress(SpecError):  # a refused value leaves the spec unchanged
                spec = control.write(spec, any_position(control, random))
        try:
            plan(spec)
        except SpecError as error:
            assert error.repair and error.repair_text
            spec = replace(spec, **error.repair)
            plan(spec)


def any_position(control: Control, random: Random):
    """Draw a value that a control accepts."""
    if control.kind in ("choice", "menu"):
        return random.choice(list(control.options))
    if control.kind == "toggle":
        return random.random() < 0.5
    if control.kind == "text":
        return random.choice(["", "3", "same", "16x6", "8, 16, 32"])
    steps = int((min(control.range.high, 64) - control.range.low) / control.range.step)
    return (
        control.range.low + random.choice([0, steps, random.randint(0, steps)]) * control.range.step
    )


# -- channels --------------------------------------------------------------------------------------


def test_channels_grow_with_each_group_up_to_a_bound():
    spec = CNNSpec(pool_every=1)
    # 64, 128, 256, 512, and no further.
    assert widths.grow_channels(spec, 5, 64, 2.0) == (64, 128, 256, 512, 512)


def test_a_width_beyond_the_bound_is_kept():
    assert widths.grow_channels(CNNSpec(), 2, 1000, 2.0) == (1000, 1000)


def test_growth_is_read_off_a_list_that_follows_it():
    assert widths.find_growth(CNNSpec(channels=(16, 32, 64))) == 2.0
    assert widths.find_growth(CNNSpec(channels=(16, 24, 36))) == 1.5


def test_a_list_of_ones_own_has_no_growth():
    assert widths.find_growth(LENET) is None


def test_a_list_of_ones_own_keeps_its_proportions_when_it_gets_wider():
    # 16 * 12 / 6 = 32.
    assert widths.with_width(LENET, 12).channels == (12, 32)


def test_a_list_of_ones_own_goes_on_with_its_last_entry():
    assert widths.with_count(LENET, 4).channels == (6, 16, 16, 16)
    assert widths.with_count(LENET, 1).channels == (6,)


def test_the_first_convolution_of_a_perceptron_has_a_usual_width():
    assert widths.with_count(CNNSpec(hidden_dims=(100,)), 2).channels == (16, 32)


def test_other_groups_regrow_a_list_that_followed_the_rule():
    spec = CNNSpec(channels=(16, 32, 64, 128))
    assert CONTROLS["pool_every"].write(spec, 2).channels == (16, 16, 32, 32)


# -- lists as text ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ((), ""),
        ((6, 16), "6, 16"),
        ((16, 16), "16, 16"),
        ((16,) * 20 + (32,) * 20, "16*20, 32*20"),
        (3, "3"),
        (("same", 0), "same, 0"),
        (((3, 5), 3, 3, 3), "3x5, 3*3"),
    ],
)
def test_a_list_is_written_as_people_write_it(entries, text):
    assert widths.format_list(entries) == text


@pytest.mark.parametrize("text", ["16, 32*2", "16 32*2", "16,32 * 2", " 16 , 32 , 32 "])
def test_a_list_is_read_however_people_write_it(text):
    assert widths.parse_list("The list", text) == (16, 32, 32)


@pytest.mark.parametrize(
    "text",
    ["16, zwei", "16,, x3", "1.5", "3**2", "-", "3x", "3*", "*3", "3x0", "3*2*2", "1_6", "٣"],
)
def test_what_is_no_list_is_refused_with_an_example(text):
    with pytest.raises(SpecError, match="must be a whole number. Write numbers like 16, 32, 64"):
        widths.parse_list("The list", text)


def test_a_list_that_cannot_be_read_is_quoted_as_it_was_typed():
    with pytest.raises(SpecError, match="\"The list\" has the entry 'Zwei X 3'"):
        widths.parse_list("The list", "16, Zwei X 3")


@pytest.mark.parametrize("control", ["channels", "groups", "hidden_dims", "stride", "padding"])
@pytest.mark.parametrize(("text", "written"), [("3x5", "3*5"), ("3 X 5", "3*5"), ("3×5", "3*5")])
def test_an_x_is_no_repetition(control, text, written):
    message = f"the entry '{text}', but each entry must be .* For 5 times 3 write 3\\{written[1:]}"
    with pytest.raises(SpecError, match=message):
        CONTROLS[control].write(LENET, f"1, {text}")


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("3x5, 3", ((3, 5), 3)),
        ("3 × 5 3", ((3, 5), 3)),
        ("3X5*2", ((3, 5), (3, 5))),
        ("3*2", 3),
        ("3x3", 3),
        ("3x5", ((3, 5), (3, 5))),  # one size is for all convolutions
    ],
)
def test_kernel_sizes_are_height_x_width_and_repeated_by_an_asterisk(text, sizes):
    assert CONTROLS["kernel_sizes"].write(LENET, text).kernel_size == sizes


def test_one_rectangle_for_all_convolutions_is_shown_as_it_was_typed():
    control = CONTROLS["kernel_sizes"]
    assert control.read(control.write(LENET, "3x5")) == "3x5"


@pytest.mark.parametrize("text", ["3x", "x3", "3:", "3:5", "3x5x7", "three", "3x -5", "-3"])
def test_a_kernel_size_that_is_incomplete_is_refused_as_it_was_typed(text):
    with pytest.raises(SpecError) as caught:
        CONTROLS["kernel_sizes"].write(LENET, f"3, {text}")
    assert with_form_label(str(caught.value), "kernel_sizes") == (
        f"Entry 2 of \"Kernel sizes\" is '{text}', but the size of a window is one number, or its "
        "height and width. Write 3, or 3x5 for 3 rows and 5 columns."
    )


def test_the_old_sign_of_repetition_is_no_repetition_of_a_kernel_size():
    with pytest.raises(SpecError, match="2 entries, but the network has 4 convolutions"):
        CONTROLS["kernel_sizes"].write(CNNSpec(channels=(4,) * 4), "5, 3×3")


def test_a_padding_that_is_refused_is_shown_as_it_was_typed():
    padding = CONTROLS["stem_padding"]
    with_stem = CNNSpec(stem=Stem(8))
    with pytest.raises(SpecError, match="'Valid'"):
        padding.write(with_stem, "Valid")
    assert padding.write(with_stem, " Same ").stem.padding == "same"


def test_an_absurd_number_of_repetitions_is_refused_without_making_the_list():
    with pytest.raises(SpecError, match="at most 200"):
        CONTROLS["channels"].write(LENET, "16*999999999999")


# -- labels in errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "start"),
    [
        ({"hidden_dims": (-1,)}, 'Entry 1 of "Hidden layers" is -1'),
        ({"channels": (6, 0)}, 'Entry 2 of "Channels of each convolution" is 0'),
        ({"channels": (1,) * 201}, '"Channels of each convolution" has 201 entries'),
        ({"kernel_size": 65}, '"Kernel sizes" is 65'),
        ({"channels": (6, 16), "stride": (1, 2, 1)}, '"Stride" has 3 entries, but the network has'),
        ({"in_size": (1, 0, 28)}, '"Picture height" is 0'),
        ({"stem": {"channels": 8, "padding": "valid"}}, "\"Stem padding\" is 'valid'"),
        ({"activation": "elu", "activation_params": {"alpha": 11}}, '"Alpha" is 11'),
        (
            {"channels": (6,), "kernel_size": [[99, 3]]},
            'The height in entry 1 of "Kernel sizes" is 99',
        ),
        (
            {"channels": (6,), "kernel_size": [[3, 3, 3]]},
            'Entry 1 of "Kernel sizes" has 3 entries',
        ),
        ({"pool_every": [0, 2]}, 'Entry 1 of "Convolutions of each group" is 0'),
        ({"pool_every": [1, 2]}, '"Convolutions of each group" has groups of 3 convolutions'),
        ({"pool_every": 201}, '"Pool every" is 201'),
    ],
)
def test_an_error_names_the_label_that_the_form_shows(fields, start):
    with pytest.raises(SpecError) as caught:
        CNNSpec.from_dict(fields)
    assert with_form_label(str(caught.value)).startswith(start)


@pytest.mark.parametrize(
    ("control", "text", "start"),
    [
        ("groups", "999", '"Convolutions of each group" is 999'),
        ("groups", "0, 3", 'Entry 1 of "Convolutions of each group" is 0'),
        ("groups", "150, 99", '"Convolutions of each group" has groups of 249 convolutions'),
        ("groups", "9999999999999, 1", '"Convolutions of each group" has groups of 10,0'),
        ("kernel_sizes", "99", '"Kernel sizes" is 99'),
        ("kernel_sizes", "3, 3x99", 'The width in entry 2 of "Kernel sizes" is 99'),
    ],
)
def test_an_error_names_the_control_that_was_used(control, text, start):
    with pytest.raises(SpecError) as caught:
        CONTROLS[control].write(LENET, text)
    assert with_form_label(str(caught.value), control).startswith(start)


# -- what a control changes besides its own field --------------------------------------------------


def test_the_groups_set_the_number_of_convolutions_and_keep_the_channels():
    spec = CNNSpec(channels=(16, 32), kernel_size=(5, 3))
    changed = CONTROLS["groups"].write(spec, "2, 3")
    assert (changed.channels, changed.pool_every) == ((16, 32, 32, 32, 32), (2, 3))
    assert side_effects(Draft(spec, ""), Draft(changed, ""), "groups") == (
        '"Convolutions" is now 5; it was 2. '
        '"Channels of each convolution" is now 16, 32*4; it was 16, 32. '
        '"Kernel sizes" is now 5, 3*4; it was 5, 3.'
    )


def test_groups_of_the_same_sum_leave_channels_that_happen_to_follow_a_growth():
    spec = CNNSpec(channels=(16, 32, 64, 128))
    assert CONTROLS["groups"].write(spec, "1, 3").channels == (16, 32, 64, 128)
    assert CONTROLS["groups"].write(spec, "2, 2").channels == (16, 32, 64, 128)


def test_no_channels_leave_no_groups():
    spec = CNNSpec(channels=(16, 32, 64), pool_every=(1, 2))
    assert CONTROLS["channels"].write(spec, "").pool_every == 1


def test_what_a_head_without_linear_layers_takes_away_is_named():
    changed = CONTROLS["head"].write(LENET, "gap_only")
    assert side_effects(Draft(LENET, ""), Draft(changed, ""), "head") == (
        '"Channels of each convolution" is now 6, 10; it was 6, 16. '
        '"Hidden layers" is now empty; it was 120, 84.'
    )


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_never_names_its_own_field_as_an_effect(name):
    control, random = CONTROLS[name], Random(3)
    for spec in random_specs(40, seed=7):
        if control.shown(spec):
            with suppress(SpecError):
                changed = control.write(spec, any_position(control, random))
                text = side_effects(Draft(spec, ""), Draft(changed, ""), name)
                assert f'"{control.label}"' not in text
                assert "_" not in text


def test_every_field_of_a_spec_has_a_label():
    given = {name for name in CNNSpec().to_dict() if name not in ("in_size", "activation_params")}
    stem = {f"stem.{name}" for name in Stem(1).to_dict()}
    assert (given | stem) <= FIELD_LABELS.keys()


def test_each_field_of_a_design_has_a_label():
    assert DESIGN_LABELS.keys() == CNNSpec().to_dict().keys()


@pytest.mark.parametrize(("every", "control"), [(1, "pool_every"), ((1, 1, 1, 1, 1, 2), "groups")])
def test_a_misfit_names_the_layer_in_words_and_the_control_by_its_label(every, control):
    with pytest.raises(SpecError) as caught:
        plan(CNNSpec(channels=(16,) * 7, pool_every=every))
    message = with_form_label(str(caught.value))
    assert message.startswith("The window of the fifth pooling layer covers 2 pixels")
    assert f'"{CONTROLS[control].label}"' in message
    assert caught.value.layer == "features.pool5"


# -- the state -------------------------------------------------------------------------------------


def state_after(*counts: int) -> BuildState:
    """The state after drafts with these numbers of convolutions, too slow for a drag."""
    drafts = [Draft(CNNSpec(channels=(16,) * count), "digits") for count in counts]
    state = BuildState(drafts[0], valid=drafts[0].spec)
    for number, draft in enumerate(drafts[1:], start=1):
        state = state.changed(draft, "convolutions", number * 2 * JOIN_SECONDS)
    return state


def draft_convolutions(state: BuildState) -> int:
    return len(state.draft.spec.channels)


def test_undo_and_redo_lead_back_and_forth():
    state = state_after(1, 2, 3)
    assert draft_convolutions(state) == 3
    assert draft_convolutions(state.undone()) == 2
    assert draft_convolutions(state.undone().undone()) == 1
    assert draft_convolutions(state.undone().undone().redone()) == 2


def test_undo_at_the_beginning_and_redo_at_the_end_change_nothing():
    assert state_after(1).undone() == state_after(1).redone() == state_after(1)


def test_a_change_after_undo_forgets_what_redo_led_to():
    state = state_after(1, 2, 3).undone()
    assert state.changed(Draft(CNNSpec(), ""), "head", 99.0).future == ()


def test_a_drag_of_one_slider_is_one_step():
    state = state_after(1, 2)
    for count, now in ((3, 2.1), (4, 2.2), (5, 2.3)):
        draft = Draft(CNNSpec(channels=(16,) * count), "digits")
        state = state.changed(draft, "convolutions", now)
    assert draft_convolutions(state) == 5
    assert draft_convolutions(state.undone()) == 1


@pytest.mark.parametrize("pause", [0.1, 2 * JOIN_SECONDS])
def test_a_series_of_changes_is_of_the_draft_that_it_began_with(pause):
    state = BuildState(Draft(LENET, "digits"), valid=LENET)
    for step, count in enumerate((1, 2, 3)):  # dragged to the left too far, then to the right
        draft = state.base_draft("convolutions")
        longer = widths.with_count(draft.spec, count)
        state = state.changed(Draft(longer, "digits"), "convolutions", step * pause)
    assert state.draft.spec.channels == (6, 16, 16)
    assert state.base_draft("width") == state.draft
    assert state.undone().base_draft("convolutions") == state.undone().draft


def test_changes_of_two_sliders_are_two_steps_however_fast():
    draft = Draft(CNNSpec(channels=(8,) * 3), "digits")
    state = state_after(1, 2).changed(draft, "width", 2.01)
    assert draft_convolutions(state.undone()) == 2


def test_an_address_gives_the_same_state_back():
    state = replace(state_after(3), batch_size=64, optimizer="sgd", pinned=LENET)
    opened = state_after(1).opened(state.address(), now=0.0)
    assert opened.address() == state.address()
    assert (opened.draft, opened.pinned) == (state.draft, LENET)


def test_what_an_address_leaves_out_never_changes():
    assert state_after(1).address().keys() == {"design", "dataset"}
    assert (state_after(1).batch_size, state_after(1).optimizer) == (128, "adamw")


def test_opening_an_address_can_be_undone():
    opened = state_after(1).opened(state_after(3).address(), now=0.0)
    assert draft_convolutions(opened.undone()) == 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("design", "1~zz.3", "This link does not describe a design"),
        ("pinned", "nonsense", "This link does not describe a design"),
        ("pinned", "1~ch.16x12", "the fifth pooling layer covers 2 pixels"),
        ("batch", "0", "batch='0', but batch must be a whole number from 1"),
        ("batch", "1e9", "batch='1e9'"),
        ("batch", "٣", "batch='٣'"),
        ("optimizer", "magic", "must be one of sgd, momentum"),
    ],
)
def test_a_damaged_address_is_refused_with_a_sentence(name, value, message):
    with pytest.raises(SpecError, match=message):
        state_after(1).opened({**state_after(2).address(), name: value}, now=0.0)


@pytest.mark.parametrize("name", CLASSICS)
def test_every_classic_is_reached_by_the_controls(name):
    target, _ = CLASSICS[name]
    spec = CNNSpec()
    for control in [*CONTROLS.values()] * 2:  # some are shown only once others are set
        wanted = control.read(target) if control.shown(target) else None
        if control.shown(spec) and control.enabled(spec) and wanted is not None:
            spec = control.write(spec, wanted)
    assert spec == target


@pytest.mark.parametrize(
    ("layer", "control"),
    [
        ("input", "dataset"),
        ("features.block1", "block"),
        ("features.block1.sum", "block"),
        ("classifier.flatten", "head"),
        ("classifier.fc1", "hidden_dims"),
        ("classifier.fc2", "hidden_dims"),
    ],
)
def test_each_layer_of_the_picture_has_its_control(layer, control):
    planned = plan(CNNSpec(channels=(8, 8), pool_every=2, block="residual", hidden_dims=(20,)))
    assert control_of(planned, layer) == control


@pytest.mark.parametrize("name", [entry.name for entry in presets()])
def test_a_click_on_any_layer_of_a_preset_finds_a_control(name):
    planned = plan(preset(name).spec)
    for slab in draw(planned, fold=False).slabs:
        for layer in (slab.name, *slab.layers):
            control = control_of(planned, layer)
            assert control == "dataset" or CONTROLS[control].shown(planned.spec)


# -- values that the browser may still hold --------------------------------------------------------


def test_a_step_back_to_an_earlier_value_is_no_repetition(monkeypatch):
    monkeypatch.setattr(widget_sync.st, "session_state", session := {})

    def report(**values: int) -> list[tuple[str, int]]:
        for key, value in values.items():
            session[key] = value
            widget_sync.record_change(key, lambda state: state, key)
        return [(change.key, change.value) for change in widget_sync.take_changes()[1]]

    widget_sync.show_value("pools", 1)
    widget_sync.show_value("growth", 2)
    assert report(pools=0) == [("pools", 0)]
    widget_sync.show_value("growth", 1)  # the page's own change, not in the browser yet
    assert report(pools=1, growth=2) == [("pools", 1)]
