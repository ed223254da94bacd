"""Tests of the columns of an unfolded network."""

import pytest

from cnnlib.design.columns import Column, columns, folds
from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.presets import presets
from cnnlib.design.spec import CNNSpec


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_the_columns_of_every_preset_partition_its_layers(preset):
    planned = plan(preset.spec)
    found = columns(planned)
    names = [name for column in found for name in column.layers]
    assert names == [layer.name for layer in planned.layers]
    costs = cost(planned)
    assert sum(column.params for column in found) == costs.params
    assert sum(column.macs for column in found) == costs.macs
    assert [found[0].kind, found[-1].kind] == ["input", "answers"]
    assert found[-1].shape == (preset.spec.out_classes,)


def test_lenet_has_two_columns_of_maps_and_two_of_hidden_units():
    spec = CNNSpec(channels=(6, 16), hidden_dims=(120, 84))
    assert [(column.kind, column.shape) for column in columns(plan(spec))] == [
        ("input", (1, 28, 28)),
        ("maps", (6, 14, 14)),
        ("maps", (16, 7, 7)),
        ("vector", (120,)),
        ("vector", (84,)),
        ("answers", (10,)),
    ]


def test_a_residual_block_is_one_column_and_a_global_pooling_a_vector():
    spec = CNNSpec(channels=(8,) * 4, block="residual", pool_every=2, head="gap")
    found = columns(plan(spec))
    assert [column.is_block for column in found] == [False, True, True, False, False]
    assert (found[3].kind, found[3].shape) == ("vector", (8,))


def test_a_network_without_convolutions_has_vectors_only():
    found = columns(plan(CNNSpec(channels=(), hidden_dims=(100,))))
    assert [column.kind for column in found] == ["input", "vector", "answers"]


def test_three_or_more_equal_columns_are_folded():
    found = columns(plan(CNNSpec(channels=(8,) * 40, pool_every=10)))
    # Convolution 1 has other inputs, and every tenth is pooled: 2-9, 11-19, 21-29, 31-39.
    assert folds(found) == ((2, 8), (11, 9), (21, 9), (31, 9))
    assert folds(columns(plan(CNNSpec(channels=(8, 8, 8), pool_every=0)))) == ()
    assert folds((Column("maps", "a", (1, 2, 2)),) * 3) == ((0, 3),)
