"""The memory of a training step and of an evaluation, against the storages that torch holds."""

import pytest
from live_storages import measure_evaluation, measure_step
from random_specs import random_specs

from cnnlib.design.memory import PARTS, evaluation_memory, training_memory
from cnnlib.design.plan import plan
from cnnlib.design.presets import presets
from cnnlib.vocabulary.training import OPTIMIZERS

SPECS = [*(preset.spec for preset in presets()), *random_specs(24, seed=7)]
BATCH = 16
CLOSE = 0.03


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_step_holds_what_was_forecast(optimizer):
    for spec in SPECS[::3]:
        forecast = training_memory(plan(spec), BATCH, optimizer)[0].bytes
        assert forecast == pytest.approx(measure_step(spec, BATCH, optimizer), rel=CLOSE)


def test_every_design_holds_what_was_forecast():
    for spec in SPECS:
        step = training_memory(plan(spec), BATCH, "adamw")[0]
        assert step.bytes == pytest.approx(measure_step(spec, BATCH, "adamw"), rel=CLOSE)
        evaluation = evaluation_memory(plan(spec), BATCH)
        assert evaluation.bytes == pytest.approx(measure_evaluation(spec, BATCH), rel=CLOSE)


def test_the_moment_of_the_peak_is_a_layer_of_the_plan():
    for spec in SPECS:
        planned = plan(spec)
        peak = training_memory(planned, BATCH, "momentum")[0]
        assert peak.phase == "update" or peak.layer in ("loss", planned.layer(peak.layer).name)
        assert set(peak.parts) <= set(PARTS)
