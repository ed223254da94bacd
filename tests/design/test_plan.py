"""Plans: layers in forward order, shapes calculated by hand, errors that name the layer."""

from dataclasses import replace

import pytest
from random_specs import random_spec

from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec, Stem
from cnnlib.errors import SpecError


def names(spec: CNNSpec) -> list[str]:
    """Return the names of all leaves, without ``features.``."""
    return [leaf.name.removeprefix("features.") for leaf in plan(spec).walk()]


def out_shape(spec: CNNSpec, name: str) -> tuple[int, ...]:
    return plan(spec).layer(name).out_shape


# -- the pattern -----------------------------------------------------------------------------------


def test_convolutions_come_in_groups_with_a_pool_after_each_full_group():
    spec = CNNSpec(channels=(4, 4, 4, 4, 4), pool_every=2)
    kinds = [layer.kind for layer in plan(spec).layers if layer.kind in ("conv2d", "pool")]
    # Five convolutions in groups of two: the fifth is left over and has no pool.
    assert kinds == ["conv2d", "conv2d", "pool", "conv2d", "conv2d", "pool", "conv2d"]


def test_pool_every_zero_never_pools():
    assert "pool1" not in names(CNNSpec(channels=(4, 4), pool_every=0))


def test_no_convolutions_is_a_multilayer_perceptron():
    assert names(CNNSpec(hidden_dims=(100,))) == [
        "classifier.flatten",
        "classifier.fc1",
        "classifier.act1",
        "classifier.fc2",
    ]


def test_dropout_stands_before_norm_and_activation():
    spec = CNNSpec(channels=(4,), norm="batch", dropout=0.1)
    assert names(spec)[:5] == ["conv1", "drop1", "norm1", "act1", "pool1"]


def test_the_norm_may_stand_after_the_activation():
    spec = CNNSpec(channels=(4,), norm="batch", norm_place="conv-act-norm")
    assert names(spec)[:4] == ["conv1", "act1", "norm1", "pool1"]


def test_activation_none_plans_no_layer():
    spec = CNNSpec(channels=(4,), hidden_dims=(5,), activation="none")
    assert "act" not in "".join(names(spec))


def test_hidden_dropout_follows_each_hidden_activation():
    assert names(CNNSpec(hidden_dims=(5,), hidden_dropout=0.5))[2:4] == [
        "classifier.act1",
        "classifier.drop1",
    ]


def test_the_gap_head_averages_each_channel():
    spec = CNNSpec(channels=(7,), head="gap")
    assert plan(spec).layer("classifier.gap").out_shape == (7, 1, 1)
    assert plan(spec).layer("classifier.fc1").in_shape == (7,)


def test_a_stem_stands_before_the_first_group_and_may_pool():
    spec = CNNSpec(channels=(4,), stem=Stem(3, kernel_size=7, stride=2, padding=3, pool=True))
    assert names(spec)[:4] == ["stem_conv", "stem_act", "stem_pool", "conv1"]
    # (28 + 6 - 7) // 2 + 1 = 14, halved by the pool to 7.
    assert out_shape(spec, "features.stem_pool") == (3, 7, 7)


def test_downsampling_by_stride_strides_the_first_convolution_of_each_later_group():
    spec = CNNSpec(channels=(4,) * 5, pool_every=2, downsample="stride")
    strides = [layer.stride for layer in plan(spec).layers if layer.kind == "conv2d"]
    assert strides == [1, 1, 2, 1, 2]


# -- blocks ----------------------------------------------------------------------------------------


def test_the_texts_block_has_norms_between_its_convolutions_only():
    spec = CNNSpec(channels=(4, 4), pool_every=2, block="residual", norm="batch", dropout=0.1)
    assert names(spec)[:8] == [
        "block1.main.conv1",
        "block1.main.drop1",
        "block1.main.norm1",
        "block1.main.act1",
        "block1.main.conv2",
        "block1.shortcut.conv",
        "block1.act",
        "pool1",
    ]


def test_hes_block_has_norms_after_every_convolution_and_on_the_shortcut():
    spec = CNNSpec(
        channels=(4, 4),
        pool_every=2,
        block="residual",
        norm="batch",
        last_norm=True,
        shortcut_norm=True,
    )
    assert names(spec)[3:8] == [
        "block1.main.conv2",
        "block1.main.norm2",
        "block1.shortcut.conv",
        "block1.shortcut.norm",
        "block1.act",
    ]


def test_equal_channels_need_no_shortcut():
    spec = CNNSpec(in_size=(4, 8, 8), channels=(6, 4), pool_every=2, block="residual")
    assert plan(spec).layers[0].shortcut == ()


def test_a_strided_block_has_a_strided_shortcut():
    spec = CNNSpec(in_size=(4, 9, 9), channels=(4,), block="residual", block_stride=2)
    block = plan(spec).layers[0]
    # (9 + 2 - 3) // 2 + 1 = 5 on the main path, (9 - 1) // 2 + 1 = 5 on the shortcut.
    assert block.main[-1].out_shape == block.shortcut[-1].out_shape == (4, 5, 5)


def test_a_group_is_cut_into_blocks_of_block_convs():
    spec = CNNSpec(channels=(4,) * 5, pool_every=5, block="residual", block_convs=2)
    blocks = [layer for layer in plan(spec).layers if layer.kind == "residual"]
    convolutions = [sum(leaf.kind == "conv2d" for leaf in block.main) for block in blocks]
    assert convolutions == [2, 2, 1]


def test_the_remaining_convolutions_are_a_block_without_a_pool():
    spec = CNNSpec(channels=(4,) * 3, pool_every=2, block="residual")
    assert [layer.name for layer in plan(spec).layers[:3]] == [
        "features.block1",
        "features.pool1",
        "features.block2",
    ]


def test_a_bottleneck_narrows_between_two_1x1_convolutions():
    spec = CNNSpec(in_size=(64, 8, 8), channels=(64, 16, 64), pool_every=3, block="bottleneck")
    block = plan(spec).layers[0]
    convolutions = [leaf for leaf in block.main if leaf.kind == "conv2d"]
    assert block.block == "bottleneck"
    assert [(c.in_channels, c.out_channels, c.kernel_size) for c in convolutions] == [
        (64, 16, (1, 1)),
        (16, 16, (3, 3)),
        (16, 64, (1, 1)),
    ]


@pytest.mark.parametrize("channels", [(64, 16, 32), (16, 64)])
def test_other_groups_of_a_bottleneck_network_stay_residual(channels):
    spec = CNNSpec(in_size=(64, 8, 8), channels=channels, pool_every=3, block="bottleneck")
    block = plan(spec).layers[0]
    assert block.block == "residual"
    assert block.main[0].kernel_size == (3, 3)


# -- the plan --------------------------------------------------------------------------------------


def test_walk_opens_blocks_in_forward_order_and_layers_does_not():
    spec = CNNSpec(channels=(4, 4), pool_every=2, block="residual")
    planned = plan(spec)
    assert [layer.kind for layer in planned.layers[:2]] == ["residual", "pool"]
    assert planned.layer("features.block1.main.conv2").out_shape == (4, 28, 28)


def test_the_error_for_an_unknown_layer_lists_the_known_ones():
    with pytest.raises(SpecError, match="no layer 'conv9'.*classifier.flatten, classifier.fc1"):
        plan(CNNSpec()).layer("conv9")


# -- what does not fit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "layer", "message", "repair"),
    [
        (
            {"channels": (8,) * 6},  # 28, 14, 7, 3, 1: too small for the fifth pool
            "features.pool5",
            "covers 2 pixels .* only 1 x 1 pixels",
            "pool every 2 instead of 1",
        ),
        (
            {"channels": (8, 8, 8), "kernel_size": 5, "padding": 0, "in_size": (1, 9, 12)},
            "features.conv2",  # 9 - 4 = 5, pooled to 2
            r"covers 5 pixels .* only 2 x 4 pixels \(padding 0\)",
            'padding "same"',
        ),
        (
            {"channels": (8,), "kernel_size": 4, "stride": 2},
            "features.conv1",
            "with stride 2 .* both sides get the same padding",
            "kernel size 3 instead of 4",
        ),
        (
            {"channels": (8, 6, 10), "norm": "group"},
            "features.norm2",
            "divides 6 channels into 4 groups",
            "groups of the group norm 2 instead of 4",
        ),
        (
            {"channels": (8,), "in_size": (1, 2, 2), "pool_every": 0, "stride": 2, "norm": "layer"}
            | {"channels": (1,)},
            "features.norm1",
            "mean over a single value",
            "normalisation batch instead of layer",
        ),
        (
            {"channels": (8,), "pooling": "avg", "pool_dilation": 2},
            "features.pool1",
            "only max pooling can be dilated",
            "pooling dilation 1 instead of 2",
        ),
        (
            {"channels": (8,), "pool_padding": 2},
            "features.pool1",
            "at most half of its window of 2",
            "pooling padding 1 instead of 2",
        ),
        (
            {"channels": (8,), "in_size": (1, 1, 9), "pool_padding": 1, "pool_dilation": 2},
            "features.pool1",
            "at least one pixel that is not padding",
            "pooling dilation 1 instead of 2",
        ),
        (
            {"channels": (8, 8), "block": "residual", "stride": (1, 2), "pool_every": 2},
            "features.block1.main.conv2",
            "convolutions of a block must have stride 1",
            "stride 1 instead of [1, 2]",
        ),
        (
            {"channels": (8,), "block": "residual", "padding": 0},
            "features.block1.main.conv1",
            "keeps the size only with padding 1",
            'padding "same"',
        ),
        (
            {"channels": (4096,) * 40, "pool_every": 0},
            "features.conv2",
            "parameters, most of them in the second convolution",
            None,
        ),
        (
            {"channels": (1024,), "in_size": (3, 1024, 1024), "head": "gap"},
            "features.conv1",
            "values for one picture",
            None,
        ),
    ],
)
def test_a_layer_that_does_not_fit_is_named_and_a_repair_is_suggested(
    fields, layer, message, repair
):
    with pytest.raises(SpecError, match=message) as caught:
        plan(CNNSpec(**fields))
    assert caught.value.layer == layer
    assert repair is None or caught.value.repair_text == repair
    plan(replace(CNNSpec(**fields), **caught.value.repair))


def test_every_repair_of_a_thousand_random_designs_plans():
    from random import Random

    random = Random(0)
    for _ in range(1000):
        spec = random_spec(random)
        try:
            plan(spec)
        except SpecError as error:
            assert error.layer and error.repair and error.repair_text, spec
            plan(replace(spec, **error.repair))
