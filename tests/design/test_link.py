"""Links of designs: round trips, and errors for damaged texts."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_specs import random_specs

from cnnlib.design.link import _FIELDS, MAX_LENGTH, decode, encode
from cnnlib.design.presets import presets
from cnnlib.design.spec import CNNSpec, Stem
from cnnlib.errors import SpecError


def test_random_designs_survive_their_link():
    for spec in random_specs(500, seed=3):
        assert decode(encode(spec)) == spec


def test_every_preset_survives_its_link():
    for preset in presets():
        assert decode(encode(preset.spec)) == preset.spec


def test_no_character_of_a_link_is_escaped():
    for spec in random_specs(200, seed=4):
        assert quote(encode(spec), safe="") == encode(spec)


def test_a_link_can_be_read_by_people():
    spec = CNNSpec(
        in_size=(3, 32, 32),
        channels=(16,) * 6 + (32,) * 6,
        pool_every=6,
        kernel_size=(5,) + (3,) * 11,
        stem=Stem(16, kernel_size=7, stride=2, padding=3, bias=False, pool=True),
        block="residual",
        activation="lrelu",
        activation_params={"negative_slope": 0.2},
    )
    assert encode(spec) == (
        "1~in.3x32x32~ch.16x6-32x6~every.6~k.5-3x11~stem.16-k7-s2-p3-nobias-pool"
        "~block.residual~act.lrelu~actp.negative_slope-0.2"
    )


def test_the_largest_design_has_a_link_of_bounded_length():
    odd = tuple(4000 + i % 97 for i in range(200))
    small = tuple(10 + i % 50 for i in range(200))
    spec = CNNSpec(
        channels=odd,
        kernel_size=small,
        stride=small,
        padding=small,
        dilation=small,
        bias=tuple(i % 2 == 0 for i in range(200)),
        hidden_dims=tuple(16_000 + i for i in range(32)),
    )
    assert len(encode(spec)) < MAX_LENGTH
    assert decode(encode(spec)) == spec


def test_links_of_version_1_keep_their_meaning():
    # Old links must stay readable. If this fails, a default or a name has changed: add version 2.
    assert decode("1").to_dict() == {
        "in_size": [1, 28, 28],
        "out_classes": 10,
        "channels": [],
        "pool_every": 1,
        "hidden_dims": [],
        "kernel_size": 3,
        "stride": 1,
        "padding": "same",
        "dilation": 1,
        "bias": True,
        "stem": None,
        "block": "plain",
        "block_convs": 0,
        "block_stride": 1,
        "last_norm": False,
        "shortcut_norm": False,
        "shortcut": "conv",
        "stride_at": "first",
        "preactivation": False,
        "downsample": "pool",
        "activation": "relu",
        "activation_params": {},
        "pooling": "max",
        "pool_kernel_size": 2,
        "pool_stride": None,
        "pool_padding": 0,
        "pool_dilation": 1,
        "norm": "none",
        "norm_groups": 4,
        "norm_place": "conv-norm-act",
        "dropout": 0.0,
        "hidden_dropout": 0.0,
        "head": "flatten",
        "init": "default",
    }
    assert decode("1~stem.8").stem.to_dict() == {
        "channels": 8,
        "kernel_size": 3,
        "stride": 1,
        "padding": "same",
        "bias": True,
        "pool": False,
    }


def test_every_field_has_a_name_in_links():
    assert {name for name, _ in _FIELDS.values()} == set(CNNSpec().to_dict())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with '', but this lab reads format version 1"),
        ("2~ch.6", "begins with '2', but this lab reads format version 1"),
        ("1~", "contains '', which is not a known setting"),
        ("1~chan.6", "contains 'chan.6', which is not a known setting"),
        ("1~ch.6~ch.7", "sets ch twice"),
        ("1~ch", "the value in 'ch' cannot be read"),
        ("1~ch.6-", "the value in 'ch.6-' cannot be read"),
        ("1~ch.\u0663", "the value in .* cannot be read"),
        ("1~ch.6x999999999", "channels has 201 entries, but at most 200 are allowed"),
        ("1~in.28x28", "the size of a picture is three numbers"),
        ("1~drop.nan", "dropout is nan"),
        ("1~bias.2", "the value in 'bias.2' cannot be read"),
        ("1~stem.8-q", "the value in 'stem.8-q' cannot be read"),
        ("1~k.3-5", "kernel_size has 2 entries, but the network has 0 convolutions"),
        ("1" * (MAX_LENGTH + 1), "has 8,001 characters, but a design has at most 8,000"),
    ],
)
def test_a_damaged_link_gives_one_sentence(text, message):
    with pytest.raises(SpecError, match=message):
        decode(text)


ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz.-~_x" + "1~chinoutk\u0663\x00%"


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.one_of(st.text(ALPHABET).map("1~".__add__), st.text()))
def test_any_text_gives_a_design_or_an_error(text):
    try:
        spec = decode(text)
    except SpecError:
        return
    assert decode(encode(spec)) == spec


LINKS = [encode(spec) for spec in random_specs(50, seed=5)]


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.sampled_from(LINKS), st.integers(0, 300), st.integers(0, 300), st.text(ALPHABET))
def test_an_edited_link_gives_a_design_or_an_error(link, start, end, piece):
    damaged = link[:start] + piece + link[end:]
    try:
        spec = decode(damaged)
    except SpecError:
        return
    assert decode(encode(spec)) == spec
