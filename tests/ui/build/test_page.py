"""The Build page through AppTest: controls, numbers, address, files and saved designs."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from apps import AppTest, components

from cnnlib.design import link
from cnnlib.design.presets import preset, presets
from cnnlib.design.spec import CNNSpec
from cnnlib.runs import RunStore
from cnnlib.runs.saved_designs import SavedDesign, SavedDesigns
from cnnlib.ui.build.channels import format_list
from cnnlib.ui.build.controls import GROUPS
from cnnlib.ui.build.cost_numbers import NUMBERS, format_whole
from cnnlib.ui.build.files import design_from_json, design_json

PAGE = Path(__file__).resolve().parents[3] / "pages" / "build.py"
CIFAR_RESNET = preset("resnet20").spec


def designs() -> list[SavedDesign]:
    """The saved designs."""
    with closing(RunStore()) as store:
        return SavedDesigns(store).designs()


def opened(**address: str) -> AppTest:
    """Open the page by an address, without datasets except digits."""
    page = AppTest.from_file(str(PAGE), default_timeout=30)
    for name, value in address.items():
        page.query_params[name] = value
    return run(page)


def run(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def spec(page: AppTest) -> CNNSpec:
    return page.session_state["build_state"].draft.spec


def shown(page: AppTest) -> dict[str, str]:
    """Label -> value of the numbers on screen."""
    main = {number["label"]: number["text"] for number in picture(page)["numbers"]}
    return main | {metric.label: metric.value for metric in page.metric}


def picture(page: AppTest) -> dict:
    """What the page told the picture of the design."""
    return next(each for each in components(page) if "preview" in each)


def change(page: AppTest, control: str, value) -> AppTest:
    page.get_by_key(f"build_{control}").set_value(value)
    return run(page)


def press(page: AppTest, button: str) -> AppTest:
    page.button(key=f"build_{button}").click()
    return run(page)


def open_tab(page: AppTest, key: str, label: str) -> AppTest:
    page.session_state[key] = label
    return run(page)


# -- what is there at first ------------------------------------------------------------------------


@pytest.mark.parametrize("group", GROUPS)
def test_every_tab_of_the_form_opens(group):
    page = open_tab(opened(), "build_group", group)
    assert not page.exception


def test_the_first_design_is_lenet_on_a_dataset_that_is_there():
    page = opened()
    assert page.selectbox(key="build_dataset").value == "digits"
    assert page.selectbox(key="build_preset").value == "lenet5"
    assert shown(page)["Parameters"] == "106,154"
    assert page.query_params == {}


def test_every_number_is_there():
    assert list(shown(opened())) == [number.label for number in NUMBERS]


def test_the_receptive_field_stands_against_the_image():
    # Two 3x3 convolutions and two poolings: 1 + 2 + 1 + 4 + 2 = 10.
    assert shown(opened())["Receptive field"] == "10 of 28 px"


def field_notes(page: AppTest) -> list[str]:
    return [each.value for each in page.caption if "receptive field larger" in each.value]


def test_a_receptive_field_larger_than_the_image_is_explained():
    assert field_notes(opened()) == []
    # The stem: 3. Six convolutions at jump 1: 15; one at 1 and five at 2: 37; at 2 and 4: 81.
    assert field_notes(change(opened(), "preset", "resnet20")) == [
        "A receptive field larger than the picture (81 of 28 pixels) is the size on a picture "
        "without edges; what lies outside the real picture is padding."
    ]


def test_pre_activation_stands_beside_the_blocks():
    page = change(change(opened(), "block", "residual"), "preactivation", True)
    assert spec(page).preactivation


def test_a_number_field_reads_all_that_is_typed():
    # The browser's field for integers would read 1e20 as 1.
    page = open_tab(opened(), "build_group", "More")
    fields = page.number_input
    assert len(fields) > 5
    assert all(field.proto.data_type == field.proto.FLOAT for field in fields)
    assert all(type(size) is int for size in spec(change(page, "in_height", 40)).in_size)


@pytest.mark.parametrize("group", GROUPS)
def test_the_value_of_every_field_is_its_default_too(group):
    # A browser that has not received the value that was set shows the default of the field.
    design = link.encode(preset("resnet20").adapt((3, 40, 50), 7))
    page = open_tab(opened(design=design, batch="32", optimizer="adam"), "build_group", group)
    shown = {f.label: (f.proto.default, f.value) for f in (*page.number_input, *page.text_input)}
    shown |= {f.label: (f.proto.default, [f.value]) for f in page.slider}
    shown |= {f.label: (f.options[f.proto.default], f.format_func(f.value)) for f in page.selectbox}
    assert {"Batch size", "Optimiser", "Dataset", "Start from"} < shown.keys()
    assert [label for label, (default, value) in shown.items() if default != value] == []


def test_a_perceptron_sees_the_whole_image():
    page = change(opened(), "preset", "mlp")
    assert shown(page)["Receptive field"] == "all pixels"


def test_the_table_has_a_row_for_every_layer():
    table = opened().dataframe[0].value
    # conv, ReLU, pool, twice; flatten; linear and ReLU, twice; linear.
    assert len(table) == 12
    assert table["Parameters"].sum() == 106_154
    assert table["% of parameters"].sum() == pytest.approx(100)


@pytest.mark.parametrize("name", [entry.name for entry in presets()])
def test_every_preset_can_be_taken(name):
    page = change(opened(), "preset", name)
    assert spec(page) == preset(name).adapt((1, 28, 28), 10)
    assert page.selectbox(key="build_preset").value == name


# -- controls --------------------------------------------------------------------------------------


def test_a_slider_changes_the_spec_the_numbers_and_the_address():
    page = change(opened(), "width", 12)
    assert spec(page).channels == (12, 32)
    assert shown(page)["Parameters"] != "106,154"
    assert link.decode(page.query_params["design"]).channels == (12, 32)


def test_what_the_browser_still_holds_does_not_turn_a_slider_back():
    # The list of channels was rewritten with the width; the browser sends the next width, and the
    # old list with it, before it has received the new list.
    page = change(opened(), "width", 7)
    page.text_input(key="build_channels").set_value("6, 16")
    page = change(page, "width", 8)
    assert spec(page).channels[0] == 8
    assert page.text_input(key="build_channels").value == "8, 21"  # 16 * 8 / 6


def test_two_changes_of_a_person_that_arrive_together_are_both_made():
    page = opened()
    page.text_input(key="build_channels").set_value("10, 20, 40")
    page = change(page, "block", "residual")
    assert (spec(page).channels, spec(page).block) == ((10, 20, 40), "residual")


def test_a_list_may_be_written_back_to_what_it_was():
    page = change(change(opened(), "width", 7), "channels", "6, 16")
    assert spec(page).channels == (6, 16)


def test_the_list_of_channels_is_edited_in_place():
    page = change(opened(), "channels", "8, 16*2")
    assert spec(page).channels == (8, 16, 16)
    assert page.text_input(key="build_channels").value == "8, 16, 16"


def test_a_list_that_cannot_be_read_stays_to_be_mended_and_the_design_stays_too():
    page = change(opened(), "channels", "8, wide")
    assert "must be a whole number" in page.error[0].value
    assert page.text_input(key="build_channels").value == "8, wide"
    assert shown(page)["Parameters"] == "106,154"
    page = change(page, "channels", "8, 16")
    assert not page.error


def notes(page: AppTest) -> list[str]:
    """The notes beside controls on what they changed in other fields."""
    captions = [caption.value for caption in page.caption if "it was" in caption.value]
    return [note.removeprefix(":material/info: ").replace("\\", "") for note in captions]


@pytest.mark.parametrize(
    ("control", "value"),
    [("pool_every", 2), ("block", "bottleneck"), ("convolutions", 4), ("groups", "1, 2")],
)
def test_channels_that_were_typed_stay(control, value):
    page = open_tab(change(opened(), "channels", "4, 8, 16"), "build_group", "More")
    page = page if control == "groups" else open_tab(page, "build_group", "Convolutions")
    assert spec(change(page, control, value)).channels[:3] == (4, 8, 16)


def test_channels_that_follow_a_growth_are_redrawn_with_a_note():
    page = change(change(change(opened(), "width", 8), "growth", 2.0), "pool_every", 2)
    assert spec(page).channels == (8, 8)
    assert notes(page) == ['"Channels of each convolution" is now 8, 8; it was 8, 16.']
    assert notes(change(page, "width", 9)) == []


def test_a_list_of_channels_sets_the_number_of_convolutions_with_a_note():
    page = change(opened(), "channels", "4*8")
    assert spec(page).channels == (4,) * 8
    assert notes(page) == ['"Convolutions" is now 8; it was 2.']
    assert notes(press(page, "undo")) == []


def test_a_number_of_convolutions_that_cuts_what_was_typed_has_a_note():
    page = change(change(opened(), "channels", "4, 8, 16"), "convolutions", 2)
    assert notes(page) == ['"Channels of each convolution" is now 4, 8; it was 4, 8, 16.']
    page = change(change(opened(), "growth", 2.0), "convolutions", 3)
    assert notes(page) == []


def test_a_dataset_that_repairs_the_design_has_a_note():
    design = CNNSpec(in_size=(3, 32, 32), channels=(8,) * 5)  # 32, 16, 8, 4, 2, 1
    page = change(opened(design=link.encode(design), dataset="cifar10"), "dataset", "digits")
    assert notes(page) == ['"Pool every" is now 2; it was 1.']  # 28, 14, 7, 3, 1, and no fifth


def test_an_error_names_the_field_as_the_form_does():
    page = change(open_tab(opened(), "build_group", "Head"), "hidden_dims", "120, -1")
    assert page.error[0].value.startswith('Entry 2 of "Hidden layers" is -1')
    assert not any("hidden\\_dims" in error.value for error in page.error)


def with_a_bad_list() -> AppTest:
    """A page with one change to undo, and with an error beside the list of channels."""
    page = change(change(opened(), "width", 12), "channels", "8, wide")
    assert page.error and page.text_input(key="build_channels").value == "8, wide"
    return page


def has_no_error(page: AppTest) -> bool:
    """Whether no error is on screen and the list of channels is that of the design."""
    text = page.text_input(key="build_channels").value
    return not page.error and text == format_list(spec(page).channels)


def test_a_preset_removes_the_error_and_the_text_of_the_design_before():
    assert has_no_error(change(with_a_bad_list(), "preset", "cnn3"))


def test_undo_and_redo_remove_the_error_and_the_text_of_the_design_before():
    page = press(with_a_bad_list(), "undo")
    assert has_no_error(page)
    page = change(page, "channels", "wide")
    assert page.error
    assert has_no_error(press(page, "redo"))


def test_pinning_keeps_an_error_on_screen():
    assert not has_no_error(press(with_a_bad_list(), "pin"))


def test_a_link_removes_the_error_and_the_text_of_the_design_before():
    page = with_a_bad_list()
    page.query_params["design"] = link.encode(preset("cnn3").spec)
    assert has_no_error(run(page))


def test_a_damaged_link_removes_the_error_and_the_text_of_the_design_before():
    page = with_a_bad_list()
    page.query_params["design"] = "1~ch.six"
    assert has_no_error(run(page))


def test_an_uploaded_design_removes_the_error_and_the_text_of_the_design_before():
    page = open_tab(with_a_bad_list(), "build_panel", "Export")
    page.file_uploader(key="build_upload").upload("d.json", design_json(CIFAR_RESNET).encode())
    assert has_no_error(run(page))


def test_a_saved_design_removes_the_error_and_the_text_of_the_design_before():
    with closing(RunStore()) as store:
        SavedDesigns(store).save("cnn3", preset("cnn3").spec)
    page = open_tab(with_a_bad_list(), "build_panel", "Saved")
    assert has_no_error(press(page, "open_0"))


def test_another_dataset_adapts_the_design():
    page = change(opened(), "dataset", "cifar10")
    assert (spec(page).in_size, spec(page).out_classes) == ((3, 32, 32), 10)
    assert page.selectbox(key="build_preset").value == "lenet5"


def test_images_of_ones_own_size_belong_to_no_dataset():
    page = open_tab(opened(), "build_group", "More")
    page = change(page, "in_height", 40)
    assert spec(page).in_size == (1, 40, 28)
    assert page.selectbox(key="build_dataset").value == ""


def test_batch_size_and_optimiser_change_the_memory_of_a_step_and_the_address():
    before = opened()
    after = change(change(before, "batch_size", 256), "optimizer", "sgd")
    assert shown(after)["Memory, training step"] != "9.24 MB"
    assert (after.query_params["batch"], after.query_params["optimizer"]) == ("256", "sgd")


def test_a_control_that_makes_no_sense_is_not_there():
    page = opened()
    keys = {slider.key for slider in page.slider}
    assert "build_block_convs" not in keys
    page = change(page, "block", "residual")
    assert "build_block_convs" in {slider.key for slider in page.slider}


def test_a_count_beyond_the_slider_gets_a_longer_slider():
    page = opened(design=link.encode(CNNSpec(channels=(4,) * 150, pool_every=0)))
    assert page.slider(key="build_convolutions_wide").value == 150


# -- a design that does not fit --------------------------------------------------------------------


def test_what_does_not_fit_is_told_and_the_last_design_stays_on_screen():
    page = change(opened(), "convolutions", 12)
    assert "the fifth pooling layer" in page.error[0].value
    assert page.slider(key="build_convolutions").value == 12
    assert shown(page)["Parameters"] == "106,154"


def test_a_design_that_does_not_fit_is_neither_trained_nor_pinned():
    page = change(opened(), "convolutions", 12)
    assert page.button(key="build_train").disabled and page.button(key="build_pin").disabled
    page = press(page, "repair")
    assert not page.button(key="build_train").disabled and not page.button(key="build_pin").disabled


@pytest.mark.parametrize("text", ["0, 16", "abc", "6.5"])
def test_an_entry_that_cannot_be_read_replaces_one_that_did_not_fit(text):
    page = change(opened(), "channels", "16*12")
    assert "the fifth pooling layer" in page.error[0].value
    page = change(page, "channels", text)
    assert len(page.error) == 1 and "Channels of each convolution" in page.error[0].value
    assert page.text_input(key="build_channels").value == text
    # What the sliders show is what the page shows and trains.
    assert page.slider(key="build_convolutions").value == 2
    assert shown(page)["Parameters"] == "106,154"
    assert not page.button(key="build_train").disabled
    assert notes(page) == ['"Convolutions" is now 2; it was 12.']
    assert len(spec(press(page, "undo")).channels) == 12


def test_an_entry_that_cannot_be_read_leaves_the_misfit_of_another_control():
    page = change(change(opened(), "convolutions", 12), "channels", "abc")
    assert len(page.error) == 2
    assert page.slider(key="build_convolutions").value == 12
    assert page.button(key="build_train").disabled


def test_other_pages_are_given_the_design_that_is_shown():
    page = change(opened(), "convolutions", 12)
    assert page.session_state["kept_design"] == link.encode(preset("lenet5").spec)


def test_the_repair_is_named_and_one_click():
    page = change(opened(), "convolutions", 12)
    assert page.button(key="build_repair").label == "Repair: pool every 3 instead of 1"
    page = press(page, "repair")
    assert not page.error
    assert spec(page).pool_every == 3
    assert shown(page)["Parameters"] != "106,154"


def test_a_link_to_a_design_that_does_not_fit_shows_it_with_its_repair():
    page = opened(design=link.encode(CNNSpec(channels=(16,) * 12)))
    assert "the fifth pooling layer" in page.error[0].value
    assert press(page, "repair").error == []


# -- undo, pin, address ----------------------------------------------------------------------------


def test_undo_and_redo_change_controls_and_numbers():
    page = change(opened(), "width", 12)
    page = press(page, "undo")
    assert (page.slider(key="build_width").value, shown(page)["Parameters"]) == (6, "106,154")
    assert page.button(key="build_undo").disabled
    page = press(page, "redo")
    assert page.slider(key="build_width").value == 12


def test_numbers_show_their_change_against_a_pinned_design():
    page = change(press(opened(), "pin"), "block", "residual")
    # lenet5 with skips: 6 + 6 * 16 = 102 parameters of two 1x1 shortcuts more.
    assert picture(page)["numbers"][0]["change"] == "+102 (+0.1%)"
    assert link.decode(page.query_params["pinned"]) == preset("lenet5").spec
    assert picture(press(page, "unpin"))["numbers"][0]["change"] == ""


def test_a_number_that_does_not_change_says_so():
    page = press(opened(), "pin")
    assert {metric.delta for metric in page.metric} == {"±0"}
    assert {number["change"] for number in picture(page)["numbers"]} == {"±0"}


def test_a_link_gives_the_same_page():
    address = {
        "design": link.encode(CIFAR_RESNET),
        "dataset": "cifar10",
        "batch": "32",
        "optimizer": "sgd",
        "pinned": link.encode(preset("lenet5").spec),
    }
    page = opened(**address)
    assert spec(page) == CIFAR_RESNET
    assert page.selectbox(key="build_preset").value == "resnet20"
    assert page.number_input(key="build_batch_size").value == 32
    assert page.query_params == address
    assert page.button(key="build_undo").disabled


def test_a_damaged_link_gives_a_sentence_and_the_first_design():
    page = opened(design="1~ch.six")
    assert "This link does not describe a design" in page.warning[0].value
    assert shown(page)["Parameters"] == "106,154"
    assert run(page).warning == []


def test_the_address_wins_when_it_changes_without_a_control():
    page = change(opened(), "width", 12)
    page.query_params["design"] = link.encode(preset("cnn3").spec)
    assert run(page).selectbox(key="build_preset").value == "cnn3"


def test_back_to_the_plain_address_shows_the_first_design():
    page = change(opened(), "width", 12)
    for name in list(page.query_params):
        del page.query_params[name]
    page = run(page)
    assert shown(page)["Parameters"] == "106,154"
    assert spec(press(page, "undo")).channels == (12, 32)


def test_a_link_without_a_dataset_finds_one_that_fits():
    page = opened(design=link.encode(preset("cnn3").spec))
    assert page.selectbox(key="build_dataset").value == "digits"


def test_a_dataset_that_does_not_fit_the_design_is_not_believed():
    page = opened(design=link.encode(CIFAR_RESNET), dataset="digits")
    assert page.selectbox(key="build_dataset").value == "cifar10"


# -- other tools, files, saved designs -------------------------------------------------------------


def test_what_other_tools_would_print_is_listed_with_versions():
    page = open_tab(opened(), "build_panel", "Other tools")
    text = " ".join(markdown.value for markdown in page.markdown)
    # torch's own counter: twice 316,680 MACs.
    assert "**torch.utils.flop_counter** 2.15.0 | **633,360** Total FLOPs" in text
    assert "Not counted: biases, ReLU, poolings, flattening." in text


def test_a_design_is_handed_out_in_four_forms_and_as_a_link():
    page = open_tab(opened(), "build_panel", "Export")
    labels = [button.label for button in page.get("download_button")]
    assert labels == ["JSON", "PyTorch", "Markdown", "Diagram"]
    assert "?design=1~ch.6-16~fc.120-84&dataset=digits" in page.code[0].value


def test_a_design_comes_back_from_its_json():
    assert design_from_json(design_json(CIFAR_RESNET).encode()) == CIFAR_RESNET
    assert design_from_json(json.dumps({"spec": {"channels": [6]}}).encode()).channels == (6,)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 99_999, b"[1]", b'{"chanels": [1]}'])
def test_a_file_that_is_no_design_is_refused_with_a_sentence(content):
    page = open_tab(opened(), "build_panel", "Export")
    page.file_uploader(key="build_upload").upload("design.json", content)
    run(page)
    assert len(page.error) == 1 and page.error[0].value.endswith(".")
    assert shown(page)["Parameters"] == "106,154"


def test_an_uploaded_design_is_opened():
    page = open_tab(opened(), "build_panel", "Export")
    page.file_uploader(key="build_upload").upload("d.json", design_json(CIFAR_RESNET).encode())
    assert spec(run(page)) == CIFAR_RESNET


def test_a_design_is_saved_opened_and_removed():
    page = open_tab(change(opened(), "width", 12), "build_panel", "Saved")
    page.text_input(key="build_saved_name").set_value("Wide *LeNet*")
    page = press(page, "save")
    assert [(d.name, d.spec.channels) for d in designs()] == [("Wide *LeNet*", (12, 32))]
    page = press(press(page, "undo"), "open_0")
    assert spec(page).channels == (12, 32)
    press(page, "remove_0")
    assert designs() == []


def test_a_name_is_needed_to_save():
    page = press(open_tab(opened(), "build_panel", "Saved"), "save")
    assert "it needs 1 to 60" in page.error[0].value


# -- numbers as text -------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "text"), [(61_706, "61,706"), (12_300_000, "12.3 M")])
def test_a_number_is_written_out_as_long_as_it_can_be_read(value, text):
    assert format_whole(value) == text
