"""The labels of settings, which forms, tables, figures and sentences share."""

import pytest
from example_runs import a_request

from cnnlib.experiments.search_space import SETTINGS
from cnnlib.records.setting_labels import SETTING_LABELS, setting_label, value_label


@pytest.mark.parametrize("name", [*SETTINGS, *a_request().to_dict()["recipe"]["augmentation"]])
def test_each_setting_that_can_be_varied_has_a_label(name):
    assert name in SETTING_LABELS


def test_no_two_settings_share_a_label():
    assert len(set(SETTING_LABELS.values())) == len(SETTING_LABELS)


def test_a_setting_of_another_version_keeps_its_name():
    assert setting_label("momentum_of_tomorrow") == "momentum_of_tomorrow"


def test_values_that_are_names_have_labels_and_others_stay():
    assert value_label("optimizer", "adamw") == "AdamW"
    assert value_label("norm", "batch") == "Batch norm"
    assert value_label("lr", "0.01") == "0.01"
