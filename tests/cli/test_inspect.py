"""``python -m cnnlib inspect``: the same numbers as the library, to a terminal or a file."""

import json
from contextlib import closing

import numpy as np
import pytest
import sqlalchemy as sa
from inspecting import PLAIN, a_saved_run, snapshot_name
from PIL import Image

from cnnlib.cli.main import main
from cnnlib.figures.tiles import tiles_picture
from cnnlib.nets.model import build_model
from cnnlib.records.events import RunEnd
from cnnlib.runs import RunStore
from cnnlib.runs.tables import runs
from cnnlib.train.checkpoint import write_weights


@pytest.fixture
def run_id():
    store = RunStore()
    yield a_saved_run(store)
    store.close()


def page_text(capsys, *arguments: str) -> str:
    assert main(["inspect", *arguments]) == 0
    return capsys.readouterr().out


def test_filters_go_into_a_file_of_numbers(run_id, tmp_path, capsys):
    out = tmp_path / "filters.npz"
    text = page_text(capsys, "filters", run_id, "--layer", "features.conv2", "--out", str(out))
    assert "values of shape 6 x 4 x 3 x 3 to" in text
    named = ("--layer", "features.conv2", "--out", str(out), "--json")
    found = json.loads(page_text(capsys, "filters", run_id, *named))
    assert found == {"file": str(out), "shape": [6, 4, 3, 3]}
    weight = build_model(PLAIN, seed=5).get_submodule("features.conv2").weight  # the last step is 5
    np.testing.assert_array_equal(np.load(out)["values"], weight.detach().numpy())


def test_maps_go_into_a_file_of_numbers_or_a_picture(run_id, tmp_path, capsys):
    arguments = ("maps", run_id, "--layer", "features.act1", "--step", "0", "--out")
    page_text(capsys, *arguments, str(tmp_path / "maps.json"))
    assert np.shape(json.loads((tmp_path / "maps.json").read_text())) == (4, 28, 28)
    page_text(capsys, *arguments, str(tmp_path / "maps.png"))
    # Two rows of two tiles, each 28 pixels twice as large, with gaps of 2: 2 * 58 + 2.
    with Image.open(tmp_path / "maps.png") as picture:
        assert picture.size == (118, 118)


def test_numbers_add_up(run_id, capsys):
    place = ("--channel", "3", "--row", "5", "--column", "6", "--json")
    found = json.loads(page_text(capsys, "numbers", run_id, "--layer", "features.conv1", *place))
    assert found["together"] == pytest.approx(found["network"], abs=1e-5)
    assert np.sum(found["products"]) == pytest.approx(found["sum"])
    assert "features.act1" in found
    assert "products:" in page_text(capsys, "numbers", run_id, "--layer", "features.pool1")


def test_attribution_prints_what_the_check_says(run_id, tmp_path, capsys):
    out = tmp_path / "map.npz"
    text = page_text(
        capsys, "attribution", run_id, "--class", "3", "--method", "occlusion", "--out", str(out)
    )
    assert "Score of class 3" in text
    assert "Not informative: " in text  # it was never trained
    assert np.load(out)["values"].shape == (1, 28, 28)


@pytest.mark.parametrize(
    "arguments",
    [
        ["attribution"],
        ["attribution", "--method", "grad_cam", "--class", "3"],
        ["maps", "--layer", "features.act1", "--out", "maps.npz"],
        ["numbers", "--layer", "features.conv1"],
        ["ablation", "--layer", "features.conv1"],
        ["patches", "--layer", "features.conv1"],
        ["maximise", "--layer", "features.conv1", "--out", "best.png"],
        ["gradients"],
        ["dead"],
    ],
    ids=lambda arguments: " ".join(arguments[:3]),
)
def test_a_network_whose_outputs_are_not_numbers_is_a_sentence(run_id, capsys, arguments):
    with closing(RunStore()) as store:
        file = store.folders.run(run_id) / snapshot_name(5)
    net = build_model(PLAIN, seed=5)
    for parameter in net.parameters():
        parameter.data.fill_(float("nan"))
    write_weights(file, net, 5)
    assert main(["inspect", arguments[0], run_id, *arguments[1:]]) == 2
    shown = capsys.readouterr()
    assert "The outputs of this network are not numbers (NaN or infinite)" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("how", ["mute", "reset"])
def test_ablation_ranks_filters_by_the_accuracy_without_them(run_id, how, capsys):
    layer = ("--layer", "features.conv1", "--how", how, "--pictures", "40")
    found = json.loads(page_text(capsys, "ablation", run_id, *layer, "--json"))
    assert found["count"] == 40 and len(found["after"]) == 4
    assert "accuracy without it" in page_text(capsys, "ablation", run_id, *layer)


def test_patches_are_listed_per_channel(run_id, capsys):
    layer = ("--layer", "features.act2", "--pictures", "20")
    found = json.loads(page_text(capsys, "patches", run_id, *layer, "--json"))
    assert found["count"] == 20 and len(found["found"]) == 6
    assert "activation" in page_text(capsys, "patches", run_id, *layer)


def test_an_input_that_maximises_an_activation_goes_into_a_file(run_id, tmp_path, capsys):
    out = tmp_path / "maximised.npz"
    to = ("--layer", "classifier.fc2", "--channel", "3", "--out", str(out))
    found = json.loads(page_text(capsys, "maximise", run_id, *to, "--json"))
    assert found["answer"] > found["began"]
    assert np.load(out)["values"].shape == (1, 28, 28)


def test_gradients_are_told_layer_by_layer(run_id, capsys):
    found = json.loads(page_text(capsys, "gradients", run_id, "--json"))
    assert [each["layer"] for each in found["layers"]] == [
        "features.conv1",
        "features.conv2",
        "classifier.fc1",
        "classifier.fc2",
    ]
    assert "weight norm" in page_text(capsys, "gradients", run_id, "--picture", "3")


def test_dead_maps_are_counted(run_id, capsys):
    found = json.loads(page_text(capsys, "dead", run_id, "--pictures", "12", "--json"))
    assert found["pictures"] == 12 and found["dead"]["features.conv1"] == []
    assert "numbers of the first 20" in page_text(capsys, "dead", run_id, "--pictures", "12")


def test_a_kernel_slides_over_a_picture_of_ones_own(tmp_path, capsys):
    drawn = np.zeros((8, 8), np.uint8)
    drawn[:, 4:] = 255
    Image.fromarray(drawn).save(tmp_path / "edge.png")
    edge = ("convolve", str(tmp_path / "edge.png"), "--size", "8", "--kernel", "-1 0 1")
    assert main([*edge, "--column", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # The window covers columns 2 to 4, which are black, black, white: -0 + 0 + 1.
    assert found["products"] == [[0, 0, 1]] and found["sum"] == 1
    assert found["output"][0] == [0, 0, 1, 1, 0, 0]
    assert main([*edge, "--out", str(tmp_path / "out.png")]) == 0
    assert "Output: 8 x 6" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--kernel", "a b"), "'a' is not a number"),
        (("--kernel", "1", "--row", "99"), "There is no such output value"),
        (("--kernel", "1", "--stride", "0"), "--stride 0 is not between 1 and 512"),
        (("--kernel", "1", "--padding", "1000000"), "--padding 1000000 is not between 0 and 512"),
        (("--kernel", "1", "--size", "9999"), "not between 1 and 512"),
        (("--kernel", "1 1; 1 1", "--dilation", "99"), "does not fit"),
    ],
)
def test_what_cannot_be_convolved_is_one_sentence(arguments, sentence, tmp_path, capsys):
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    assert main(["convolve", str(tmp_path / "a.png"), *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_errors_of_a_run_that_was_not_measured_are_a_sentence(capsys):
    store = RunStore()
    run_id = a_saved_run(store, end=RunEnd("stopped", step=5))
    store.close()
    assert main(["inspect", "errors", run_id]) == 2
    assert "has no results on the test split" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("filters", "--layer", "features.act1", "--out", "x.npz"), "is not a convolution"),
        (("maps", "--layer", "nowhere", "--out", "x.npz"), "no layer 'nowhere'"),
        (("maps", "--layer", "features.act1", "--out", "x.gif"), "does not end with"),
        (("maps", "--layer", "features.act1", "--out", "no/such/x.npz"), "cannot be written"),
        (("maps", "--layer", "input9", "--picture", "99999", "--out", "x.npz"), "no layer"),
        (("attribution", "--picture", "99999"), "no test picture '99999'"),
        (("attribution", "--picture", "gone.png"), "cannot be read"),
        (("attribution", "--picture", "²"), "cannot be read"),
        (("attribution", "--picture", "9" * 5000), "cannot be read"),
        (("attribution", "--class", "eleven"), "no class 'eleven'"),
        (("numbers", "--layer", "features.conv1", "--row", "99"), "There is no such output value"),
        (("attribution", "--step", "77"), "no weights at step 77"),
        (("ablation", "--layer", "features.act1"), "is not a convolution"),
        (("ablation", "--layer", "features.conv1", "--pictures", "0"), "less than 1"),
        (("ablation", "--layer", "features.conv1", "--seed", "-1"), "--seed -1 is less than 0"),
        (("patches", "--layer", "classifier.fc1"), "has no feature maps"),
        (
            ("maximise", "--layer", "features.conv1", "--channel", "9", "--out", "x.png"),
            "no channel",
        ),
        (("gradients", "--picture", "99999"), "no test picture '99999'"),
        (("gradients", "--class", "eleven"), "no class 'eleven'"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(run_id, arguments, sentence, capsys):
    word, *rest = arguments
    assert main(["inspect", word, run_id, *rest]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ("predict", "{run}", "{picture}"),
        ("read", "{run}", "{picture}"),
        ("ood", "{run}"),
        ("inspect", "maps", "{run}", "--layer", "features.conv1", "--out", "{out}"),
        ("inspect", "ablation", "{run}", "--layer", "features.conv1"),
        ("inspect", "patches", "{run}", "--layer", "features.conv1"),
        ("inspect", "maximise", "{run}", "--layer", "features.conv1", "--out", "{out}"),
    ],
)
def test_a_run_whose_pictures_have_changed_is_a_sentence(run_id, command, tmp_path, capsys):
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    with closing(RunStore()) as store, store.database.write() as connection:
        own = runs.c.id == run_id
        connection.execute(sa.update(runs).where(own).values(fingerprint="as it was before"))
    words = {"run": run_id, "picture": str(tmp_path / "a.png"), "out": str(tmp_path / "x.npz")}
    assert main([part.format(**words) for part in command]) == 2
    assert "digits has changed since this run was trained on it" in capsys.readouterr().err


def test_signed_tiles_have_a_white_zero_and_others_are_grey():
    signed = tiles_picture(np.array([[[-1.0, 0.0, 1.0]]]))
    assert [tuple(map(int, signed[3, x])) for x in (3, 26, 42)] == [
        (0x00, 0x3F, 0x66),
        (255, 255, 255),
        (0x7A, 0x24, 0x00),
    ]
    grey = tiles_picture(np.array([[[0.0, 2.0]]]))
    assert grey[3, 3].tolist() == [0, 0, 0] and grey[3, 40].tolist() == [255] * 3
