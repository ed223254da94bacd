"""What is wrong with a training, in words, on curves made by hand."""

from math import exp, log

import pytest
from example_runs import a_request, a_running_run, a_store, the_end

from cnnlib.design.spec import CNNSpec
from cnnlib.diagnosis.rules import Curve, diagnose
from cnnlib.records.events import EpochEnd, StepMetrics
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import Run, RunRequest

CHANCE = log(10)
DEEP = CNNSpec(channels=(4,) * 10, pool_every=0)
RESIDUAL = CNNSpec(channels=(4,) * 10, pool_every=2, block="residual")


SHALLOW = CNNSpec(channels=(4,))


def a_run(spec: CNNSpec = SHALLOW, state: str = "running") -> Run:
    request = RunRequest(spec, Recipe(), "digits")
    return Run(
        *("id", request, state, "", 0, 0, 0, 0.0, 0.0, None, None, {}, "", {}, None, False, {})
    )


def curve(losses, norm: float = 1.0) -> dict:
    """One step a loss, with a learning rate of 0.01."""
    count = len(losses)
    columns = {"step": list(range(1, count + 1)), "loss": list(losses)}
    return columns | {"lr": [0.01] * count, "grad_norm": [norm] * count}


def epochs(train, val, **more) -> list[EpochEnd]:
    """Epochs with these losses; ten steps each."""
    return [
        EpochEnd(at, 10 * at, loss, 0.5, measured, 0.9, 1.0, 0.1, **more)
        for at, (loss, measured) in enumerate(zip(train, val, strict=True), 1)
    ]


def titles(run: Run, columns: dict, told=()) -> list[str]:
    return [trouble.title for trouble in diagnose(run, columns, told)]


LEARNING = [CHANCE * exp(-step / 100) + 0.05 for step in range(300)]
FLAT = [CHANCE + (0.02 if step % 2 else -0.02) for step in range(300)]


def test_a_run_that_learns_has_no_troubles():
    told = epochs([0.5, 0.3, 0.2, 0.1], [0.5, 0.4, 0.35, 0.36])
    assert titles(a_run(), curve(LEARNING), told) == []


def test_a_run_without_a_step_has_no_troubles():
    assert titles(a_run(), curve([])) == []


def test_a_loss_that_rises_back_to_guessing_is_diverging():
    [found] = diagnose(a_run(), curve([*LEARNING, *[CHANCE] * 100]), ())
    # The lowest of twelve blocks of 33 steps holds the last steps of LEARNING.
    assert found.title == "Diverging"
    assert "is 2.3 now; guessing gives 2.3" in found.sentence
    assert "(now 0.01)" in found.sentence


def test_a_spike_that_passes_is_no_trouble():
    spike = [*LEARNING[:200], 9.0, 7.0, 3.0, *LEARNING[200:]]
    assert titles(a_run(), curve(spike)) == []


def test_a_design_of_one_class_has_nothing_to_learn_and_no_troubles():
    one_class = CNNSpec(channels=(4,), out_classes=1)  # the loss and that of guessing are both 0
    assert titles(a_run(one_class), curve([0.0] * 300)) == []


def test_a_run_that_diverged_is_told_its_gradients():
    columns = curve([2.0, 3.0, 9.0])
    columns["grad_norm"] = [1.0, 2.0, 400.0]
    [found] = diagnose(a_run(state="diverged"), columns, ())
    assert "was 2 as a rule and 400 at step 3" in found.sentence


def test_steps_without_a_number_are_left_out():
    columns = curve([2.0, 1.0, None])
    assert Curve.of(columns).step == (1, 2)


def reasons(run: Run, columns: dict, told=()) -> dict[str, bool]:
    """Which of the reasons fit, by words of their questions."""
    [found] = diagnose(run, columns, told)
    assert found.title == "Not learning"
    names = ("learning rate", "flow back", "deep")
    return {name: check.fits for name in names for check in found.checks if name in check.question}


def test_a_flat_loss_at_guessing_is_not_learning_and_no_reason_may_fit():
    found = reasons(a_run(), curve(FLAT))
    assert found == {"learning rate": False, "flow back": False, "deep": False}


def test_nothing_is_said_before_a_hundred_steps():
    assert titles(a_run(), curve(FLAT[:99])) == []


def test_a_loss_that_jumped_speaks_of_a_learning_rate_that_is_too_high():
    jumped = [2.3, 9.0, 30.0, 12.0, *[CHANCE] * 300]
    assert reasons(a_run(), curve(jumped))["learning rate"]


def test_a_loss_that_falls_steadily_but_hardly_speaks_of_one_that_is_too_low():
    slow = [CHANCE - 0.0001 * step for step in range(300)]
    [found] = diagnose(a_run(), curve(slow), ())
    assert found.checks[0].fits and "Try ten times 0.01" in found.checks[0].sentence


def test_a_gradient_of_nought_speaks_of_a_dead_start():
    assert reasons(a_run(), curve([CHANCE] * 300, norm=1e-6))["flow back"]


def test_dead_units_speak_of_a_dead_start_and_are_a_trouble_of_their_own():
    told = epochs([CHANCE], [CHANCE], dead_units={"features.act1": 0.1, "features.act2": 0.95})
    told = [EpochEnd(1, 10, CHANCE, 0.1, CHANCE, 0.1, 1.0, 0.1, dead_units=told[0].dead_units)]
    first, second = diagnose(a_run(), curve(FLAT), told)
    assert first.checks[1].fits and "95 % of the units of features.act2" in first.checks[1].sentence
    assert second.title == "Dead ReLUs"


@pytest.mark.parametrize(("spec", "fits"), [(DEEP, True), (RESIDUAL, False)])
def test_depth_is_a_reason_without_normalisation_and_skips_alone(spec, fits):
    assert reasons(a_run(spec), curve(FLAT))["deep"] is fits


def test_a_training_split_that_is_learned_is_no_failure_to_learn():
    told = [EpochEnd(1, 10, 2.2, 0.5, 2.3, 0.1, 1.0, 0.1)]  # half of it is right
    assert titles(a_run(), curve(FLAT), told) == []


def test_few_dead_units_are_no_trouble():
    assert titles(a_run(), curve(LEARNING), epochs([1], [1], dead_units={"act": 0.39})) == []
    found = titles(a_run(), curve(LEARNING), epochs([1], [1], dead_units={"act": 0.4}))
    assert found == ["Dead ReLUs"]


def test_a_validation_loss_that_rises_while_training_falls_is_over_fitting_since_its_lowest():
    told = epochs([0.9, 0.5, 0.3, 0.2, 0.1], [0.8, 0.6, 0.62, 0.7, 0.8])
    [found] = diagnose(a_run(), curve(LEARNING), told)
    assert found.title == "Over-fitting since epoch 2"
    assert "lowest then (0.6) and is 0.8 after epoch 5" in found.sentence


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ([0.9, 0.5, 0.3], [0.8, 0.6, 0.7]),  # one epoch is not a trend
        ([0.9, 0.5, 0.4, 0.3], [0.8, 0.6, 0.61, 0.62]),  # by a thirtieth: noise
        ([0.9, 0.5, 0.4, 0.3], [0.8, 0.6, 0.61, 0.7]),  # one epoch at a high rate: noise too
        ([0.9, 0.5, 0.6, 0.7], [0.8, 0.6, 0.7, 0.8]),  # the training loss rises too
        ([0.9, 0.5, 0.4, 0.3], [None] * 4),  # nothing was measured
    ],
)
def test_what_is_not_over_fitting(train, val):
    assert titles(a_run(), curve(LEARNING), epochs(train, val)) == []


def test_a_stored_run_is_read_by_a_sample_that_does_not_grow(tmp_path):
    store = a_store(tmp_path)
    run_id, worker_id = a_running_run(store)
    told = [StepMetrics(step, 1.0, 0.1, 2.0, 64.0, step / 10) for step in range(1, 5001)]
    store.record_events(run_id, worker_id, told)
    sample = store.sampled_steps(run_id, 100)
    # The first twenty steps, and every fiftieth.
    assert sample["step"] == [*range(1, 21), *range(50, 5001, 50)]
    assert len(store.sampled_steps(run_id, 10_000)["step"]) == 5000
    store.record_events(run_id, worker_id, [the_end()])
    store.close()


def test_a_run_without_steps_has_an_empty_sample(tmp_path):
    store = a_store(tmp_path)
    run_id = store.submit(a_request())
    assert store.sampled_steps(run_id)["step"] == []
    store.close()
