"""The picture of a network: sizes to scale, positions, details of layers, SVG."""

import itertools
import xml.etree.ElementTree as ET

import pytest
from random_specs import random_specs

from cnnlib.design.plan import plan
from cnnlib.design.presets import preset, presets
from cnnlib.design.spec import CNNSpec
from cnnlib.figures.architecture import SMALLEST_GAP, TARGET_WIDTH, Drawing, draw, share_text
from cnnlib.figures.architecture_svg import architecture_svg

LENET = preset("lenet5").spec
RESNET = preset("resnet20").spec
DEEP = CNNSpec(
    in_size=(3, 32, 32),
    channels=(16,) * 20 + (32,) * 20 + (64,) * 20,
    pool_every=20,
    block="residual",
    block_convs=2,
    norm="batch",
    head="gap",
)


def draw_spec(spec: CNNSpec, **options) -> Drawing:
    return draw(plan(spec), **options)


def slab(drawing: Drawing, name: str):
    return next(slab for slab in drawing.slabs if slab.name.endswith(name))


# -- layout ----------------------------------------------------------------------------------------


def test_the_smallest_network_is_an_image_and_two_bars():
    kinds = [slab.kind for slab in draw_spec(CNNSpec()).slabs]
    assert kinds == ["input", "flatten", "linear"]


def test_height_and_depth_are_to_scale():
    # lenet5: 28x28 before the first pooling, 14x14 after it.
    drawing = draw_spec(LENET)
    before, after = slab(drawing, "conv1"), slab(drawing, "conv2")
    assert before.height == pytest.approx(2 * after.height)
    assert before.depth == pytest.approx(2 * after.depth)


def test_width_is_to_scale_with_channels():
    # lenet5: 6 and 16 channels.
    drawing = draw_spec(LENET)
    assert slab(drawing, "conv2").width / slab(drawing, "conv1").width == pytest.approx(16 / 6)


def test_bars_are_to_scale_with_features():
    # lenet5: 784 features flattened, 120 in the first hidden layer.
    drawing = draw_spec(LENET)
    assert slab(drawing, "flatten").height / slab(drawing, "fc1").height == pytest.approx(784 / 120)


def test_height_and_width_of_an_image_may_differ():
    image = draw_spec(CNNSpec(in_size=(3, 10, 20), channels=(4,))).slabs[0]
    assert image.height < image.depth / 0.4 == pytest.approx(2 * image.height)


def test_layers_that_change_no_shape_are_bands_in_forward_order():
    spec = CNNSpec(channels=(4,), norm="batch", norm_place="conv-act-norm", dropout=0.1)
    assert slab(draw_spec(spec), "conv1").bands == ("dropout", "activation", "norm")


def test_slabs_go_from_left_to_right_without_touching():
    for spec in (LENET, RESNET, DEEP):
        slabs = draw_spec(spec).slabs
        for before, after in itertools.pairwise(slabs):
            assert after.x - (before.x + before.full_width) >= SMALLEST_GAP


@pytest.mark.parametrize("width", [560, TARGET_WIDTH])
@pytest.mark.parametrize("spec", [CNNSpec(), LENET, RESNET, DEEP])
def test_a_network_of_up_to_sixty_convolutions_fills_the_width(spec, width):
    assert draw_spec(spec, width=width).width == pytest.approx(width, rel=0.01)


def test_equal_columns_fold_where_there_is_no_room_for_all():
    # Three stages of ten blocks, of which the first and the last differ from the eight between.
    folded = draw_spec(DEEP)
    assert [repeat.count for repeat in folded.repeats] == [8, 8, 8]
    assert sum(slab.repeats for slab in folded.slabs if slab.kind == "conv2d") == 60
    assert draw_spec(DEEP, fold=False).repeats == draw_spec(LENET).repeats == ()


def test_shares_of_a_folded_column_are_those_of_all_its_repeats():
    # The shares of a folded network and those of the whole one have the same sum.
    for quantity in ("params", "macs"):
        sums = [
            sum(getattr(slab, quantity) for slab in draw_spec(DEEP, fold=fold).slabs)
            for fold in (True, False)
        ]
        assert sums[0] == pytest.approx(sums[1])
    assert sum(slab.params for slab in draw_spec(LENET).slabs) == pytest.approx(1)
    assert (
        "repeats: 8 equal ones" in next(s for s in draw_spec(DEEP).slabs if s.repeats > 1).details
    )


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0%"), (0.004, "<1%"), (0.302, "30%"), (1.0, "100%")]
)
def test_a_share_is_a_whole_percentage(share, text):
    assert share_text(share) == text


@pytest.mark.parametrize("convolutions", [6, 16])
def test_a_bar_stands_beside_the_side_of_the_last_block(convolutions):
    drawing = draw_spec(CNNSpec(channels=(64,) * convolutions, pool_every=0))
    blocks = [slab for slab in drawing.slabs if slab.depth]
    bar = drawing.slabs[len(blocks)]
    assert bar.kind == "flatten"
    assert bar.x >= blocks[-1].x + blocks[-1].full_width + blocks[-1].depth


def test_labels_never_overlap_and_the_ends_always_have_one():
    for spec in (LENET, RESNET, DEEP):
        labels = sorted(draw_spec(spec).labels, key=lambda label: label.x)
        widths = [6.4 * len(label.text) for label in labels]
        for i in range(len(labels) - 1):
            assert labels[i + 1].x - labels[i].x > (widths[i] + widths[i + 1]) / 2
        texts = [label.text for label in labels]
        channels, height, width = spec.in_size
        assert texts[0] == f"{channels}@{height}×{width}"
        assert texts[-1] == str(spec.out_classes)


def test_a_small_network_has_every_shape_written_under_it():
    assert len(draw_spec(LENET).labels) == len(draw_spec(LENET).slabs)


def test_every_block_has_an_arc_that_is_marked_where_it_projects():
    # resnet20: nine blocks; the first of the second and third stage change shape.
    arcs = draw_spec(RESNET, fold=False).arcs
    assert len(arcs) == 9
    assert [arc.projected for arc in arcs] == [False] * 3 + ([True] + [False] * 2) * 2
    assert all(arc.start[0] < arc.end[0] for arc in arcs)


# -- details --------------------------------------------------------------------------------------


def test_details_of_a_layer_have_shapes_kernel_parameters_macs_and_receptive_field():
    # 6 * 1 * 9 + 6 = 60 of 106,154 parameters; 28 * 28 * 54 = 42,336 of 316,680 MACs.
    assert slab(draw_spec(LENET), "conv1").details == (
        "Convolution 3 × 3",
        "name: features.conv1",
        "shape: 1 × 28 × 28 → 6 × 28 × 28",
        "settings: stride 1, padding 1",
        "parameters: 60 (0.1%)",
        "MACs: 42,336 (13.4%)",
        "receptive field: 3 pixels",
        "then: ReLU",
    )


def test_a_band_is_part_of_the_details_of_its_block():
    details = slab(draw_spec(CNNSpec(channels=(4,), norm="group", norm_groups=2)), "conv1").details
    assert details[-2:] == ("then: Group norm, 2 groups, 8 parameters", "then: ReLU")


def test_details_of_a_skip_list_its_layers():
    arc = next(arc for arc in draw_spec(RESNET).arcs if arc.projected)
    assert arc.details[0] == "Skip connection of a residual block"
    # 16 -> 32 channels by a 1x1 convolution without bias: 512 parameters; its norm: 64.
    assert arc.details[-2:] == (
        "shortcut: Convolution 1 × 1, stride 2, no bias, 512 parameters",
        "shortcut: Batch norm, 64 parameters",
    )


# -- the SVG ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [preset.name for preset in presets()])
def test_every_preset_becomes_well_formed_svg(name):
    svg = ET.fromstring(architecture_svg(plan(preset(name).spec)))
    names = {element.get("data-layer") for element in svg.iter() if element.get("data-layer")}
    drawing = draw_spec(preset(name).spec)
    assert names == {part.name for part in (*drawing.slabs, *drawing.arcs)}


def test_any_network_becomes_well_formed_svg():
    for spec in random_specs(50, seed=3):
        ET.fromstring(architecture_svg(plan(spec)))


def test_everything_that_can_be_pointed_at_has_a_title():
    svg = ET.fromstring(architecture_svg(plan(RESNET)))
    for element in svg.iter("{http://www.w3.org/2000/svg}g"):
        if element.get("data-layer"):
            assert element.find("{http://www.w3.org/2000/svg}title").text


def test_the_picture_is_named_for_a_screen_reader():
    svg = ET.fromstring(architecture_svg(plan(RESNET)))  # folded
    # One stem, 18 in blocks (the shortcuts' two are not on the main path), one linear layer.
    label = "Picture of a network. Convolutions: 19; skips: 9; linear layers: 1"
    assert svg.get("aria-label") == label


def test_the_legend_has_only_the_kinds_in_the_picture():
    text = architecture_svg(plan(CNNSpec(hidden_dims=(100,))))
    assert "linear" in text and ">convolution<" not in text


def test_the_picture_is_the_same_height_for_every_network():
    heights = {
        ET.fromstring(architecture_svg(plan(spec))).get("height") for spec in (LENET, DEEP, RESNET)
    }
    assert len(heights) == 1


def test_a_tinted_picture_has_the_shares_as_text():
    # lenet5: the first hidden layer has 784 * 120 + 120 = 94,200 of 106,154 parameters.
    svg = ET.fromstring(architecture_svg(plan(LENET)))
    texts = svg.iter("{http://www.w3.org/2000/svg}text")
    assert "89%" in [text.text for text in texts if text.get("class") == "middle params"]
