"""What is wrong with a training, in words, on curves made by hand."""

from math import exp, log

import pytest
from example_runs import a_checkpoint, a_request, a_running_run, a_store, the_end

from cnnlib.design.spec import CNNSpec
from cnnlib.diagnosis.curve import Curve
from cnnlib.diagnosis.lower_rate import lower_rate
from cnnlib.diagnosis.rules import diagnose
from cnnlib.records.events import EpochEnd, StepMetrics
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import Run, RunRequest

CHANCE = log(10)
DEEP = CNNSpec(channels=(4,) * 10, pool_every=0)
RESIDUAL = CNNSpec(channels=(4,) * 10, pool_every=5, block="residual")


SHALLOW = CNNSpec(channels=(4,))
RECIPE = Recipe()


def a_run(
    spec: CNNSpec = SHALLOW, state: str = "running", recipe: Recipe = RECIPE, **summary
) -> Run:
    request = RunRequest(spec, recipe, "digits")
    return Run(
        *("id", request, state, "", 0, 0, 0, 0.0, 0.0, None, None, {}, "", {}, None, False, summary)
    )


def curve(losses, norm: float = 1.0, lr: float = 0.01) -> dict:
    """Columns with one step for each loss, at a constant learning rate."""
    count = len(losses)
    columns = {"step": list(range(1, count + 1)), "loss": list(losses)}
    return columns | {"lr": [lr] * count, "grad_norm": [norm] * count}


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
    assert "is 2.3 in the last ones; guessing has a loss of 2.3" in found.sentence
    assert "(up to 0.01 since then)" in found.sentence


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
    assert "was typically 2, but 400 at step 3" in found.sentence


def test_steps_without_a_number_are_left_out():
    columns = curve([2.0, 1.0, None])
    assert Curve.of(columns).step == (1, 2)


def reasons(run: Run, columns: dict, told=()) -> dict[str, bool]:
    """Which of the reasons fit, by words of their questions."""
    [found] = diagnose(run, columns, told)
    assert found.title == "Not learning"
    names = ("learning rate", "almost zero", "deep")
    return {name: check.fits for name in names for check in found.checks if name in check.question}


def test_a_flat_loss_at_guessing_is_not_learning_and_no_reason_may_fit():
    found = reasons(a_run(), curve(FLAT))
    assert found == {"learning rate": False, "almost zero": False, "deep": False}


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
    assert reasons(a_run(), curve([CHANCE] * 300, norm=1e-6))["almost zero"]


def test_dead_units_speak_of_a_dead_start_and_are_a_trouble_of_their_own():
    shares = {"features.act1": 0.1, "features.act2": 0.95}
    found = {"dead_units": shares, "dead_units_images": 256}
    told = [EpochEnd(1, 100, CHANCE, 0.1, CHANCE, 0.1, 1.0, 0.1, **found)]
    first, second = diagnose(a_run(initial_dead_units=ALIVE), curve(FLAT), told)
    assert first.checks[1].fits and "95 % of the units of features.act2" in first.checks[1].sentence
    assert second.title == "Dead ReLUs"


TOO_HIGH = [2.3, 9.0, 30.0, 12.0, *[CHANCE] * 300]  # the loss jumped, then stayed at guessing


def test_units_that_died_by_too_high_a_rate_are_neither_a_cause_nor_a_trouble_of_their_own():
    found = {"dead_units": {"features.act2": 0.95}, "dead_units_images": 256}
    told = [EpochEnd(1, 304, CHANCE, 0.1, CHANCE, 0.1, 1.0, 0.1, **found)]
    [only] = diagnose(a_run(initial_dead_units=ALIVE), curve(TOO_HIGH, lr=0.5), told)
    assert [check.fits for check in only.checks] == [True, False, False]
    assert "such a learning rate does that" in only.checks[1].sentence


def test_too_high_a_rate_names_that_of_the_default_recipe_of_the_design():
    [found] = diagnose(a_run(), curve(TOO_HIGH, lr=0.5), ())
    # AdamW without batch norm: 0.002.
    advice = "Try 0.002, that of the default recipe of this design."
    assert found.checks[0].sentence.endswith(advice)


def test_too_high_a_rate_of_sgd_names_that_of_a_recipe_with_sgd():
    run = a_run(state="diverged", recipe=Recipe(optimizer="sgd"))
    [found] = diagnose(run, curve([2.3, 40.0, 1e5], lr=30.0), ())
    assert "Train with 0.003, the lowest of the lab's recipes with SGD, or" in found.sentence


def test_a_loss_that_stays_at_guessing_under_a_rate_ten_times_the_default_speaks_of_it():
    assert reasons(a_run(), curve(FLAT, lr=0.02))["learning rate"]
    assert not reasons(a_run(), curve(FLAT, lr=0.019))["learning rate"]


def test_a_rate_at_or_below_the_default_has_no_known_rate_below_it():
    [found] = diagnose(a_run(state="diverged"), curve([2.3, 40.0, 1e5], lr=0.002), ())
    assert "Train with a tenth of 0.002, or clip the gradients." in found.sentence


@pytest.mark.parametrize(
    ("losses", "step"),
    [
        ([2.3, 9.0, *[1e3] * 22], 0),  # it rose from the start: no later step is worth a fork
        ([*(2.3 - 0.1 * at for at in range(12)), *[1e3] * 12], 10),  # it fell until step 12
    ],
)
def test_a_diverged_run_is_continued_from_before_the_rise(tmp_path, losses, step):
    store = a_store(tmp_path)
    run_id, worker_id = a_running_run(store)
    told = [StepMetrics(at, loss, 0.5, 2.0, 64.0, at / 10) for at, loss in enumerate(losses, 1)]
    saved = [a_checkpoint(at) for at in (0, 10, 20)]
    store.folders.run(run_id).mkdir(parents=True)
    for each in saved:
        (store.folders.run(run_id) / each.file).touch()
    store.record_events(run_id, worker_id, [*saved, *told, the_end("diverged", step=24)])
    advised = lower_rate(store, store.run(run_id))
    assert (advised.step, advised.lr) == (step, 0.002)
    store.close()


@pytest.mark.parametrize(("spec", "fits"), [(DEEP, True), (RESIDUAL, False)])
def test_depth_is_a_reason_without_normalisation_and_skips_alone(spec, fits):
    assert reasons(a_run(spec), curve(FLAT))["deep"] is fits


def test_a_training_split_that_is_learned_is_no_failure_to_learn():
    told = [EpochEnd(1, 10, 2.2, 0.5, 2.3, 0.1, 1.0, 0.1)]  # half of it is right
    assert titles(a_run(), curve(FLAT), told) == []


ALIVE = {"act": 0.0, "features.act1": 0.0, "features.act2": 0.0}


def dead(
    share: float, images: int = 256, initial: dict | None = None, step: int = 100
) -> list[str]:
    """Titles of the diagnoses with that share of dead units in a layer."""
    run = a_run(initial_dead_units=ALIVE if initial is None else initial)
    measured = {"dead_units": {"act": share}, "dead_units_images": images}
    end = EpochEnd(1, step, 1.0, 0.5, 1.0, 0.9, 1.0, 0.1, **measured)
    return titles(run, curve(LEARNING), [end])


def test_few_dead_units_are_not_diagnosed():
    assert dead(0.39) == []
    assert dead(0.4) == ["Dead ReLUs"]


def test_units_that_are_dead_on_few_pictures_are_not_diagnosed():
    assert dead(0.9, images=99) == []
    assert dead(0.9, images=100) == ["Dead ReLUs"]


def test_dead_units_are_not_diagnosed_in_the_first_steps():
    assert dead(0.9, step=99) == []


def test_units_that_were_dead_before_training_are_not_diagnosed():
    assert dead(0.6, initial={"act": 0.55}) == []
    assert dead(0.6, initial={"act": 0.35}) == ["Dead ReLUs"]


def test_without_the_untrained_network_nothing_is_said_about_dead_units():
    assert dead(0.9, initial={}) == []


def test_a_learning_rate_of_zero_is_the_reason_and_is_not_to_be_lowered():
    assert titles(a_run(), curve([0.5] * 200 + [CHANCE] * 100, lr=0.0)) == ["Not learning"]
    [diagnosis] = diagnose(a_run(), curve(FLAT, lr=0.0), [])
    assert diagnosis.checks[0].fits and "it is 0" in diagnosis.checks[0].sentence
    assert "ower the learning rate" not in str(diagnosis)


def test_the_advice_names_the_rate_of_the_rise_not_the_end_of_the_schedule():
    columns = curve([0.5] * 200 + [CHANCE] * 100)
    columns["lr"] = [0.1] * 250 + [0.0] * 50
    [diagnosis] = diagnose(a_run(), columns, [])
    assert "Lower the learning rate (up to 0.1 since then)" in diagnosis.sentence


def test_a_validation_loss_that_rises_while_training_falls_is_over_fitting_since_its_lowest():
    told = epochs([0.9, 0.5, 0.3, 0.2, 0.1], [0.8, 0.6, 0.62, 0.75, 0.8])
    [found] = diagnose(a_run(), curve(LEARNING), told)
    assert found.title == "Over-fitting since epoch 2"
    assert "From epoch 2 to epoch 5, the validation loss rose from 0.6 to 0.8" in found.sentence
    assert "while the training loss fell from 0.5 to 0.1. Stop earlier (patience)" in found.sentence


def test_a_run_with_early_stopping_is_not_told_to_stop_earlier():
    told = epochs([0.9, 0.5, 0.4, 0.3, 0.2], [0.8, 0.6, 0.62, 0.75, 0.8])
    [found] = diagnose(a_run(recipe=Recipe(patience=2)), curve(LEARNING), told)
    assert found.sentence.endswith(
        "from 0.5 to 0.2. Augment the pictures, or add dropout or weight decay."
    )


def test_over_fitting_names_the_label_smoothing_of_the_training_loss():
    told = epochs([0.9, 0.5, 0.4, 0.3, 0.2], [0.8, 0.6, 0.62, 0.75, 0.8])
    [found] = diagnose(a_run(recipe=Recipe(label_smoothing=0.1)), curve(LEARNING), told)
    assert "the training loss (with label smoothing) fell from 0.5 to 0.2" in found.sentence


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ([0.9, 0.5, 0.3], [0.8, 0.6, 0.7]),  # one epoch is not a trend
        ([0.9, 0.5, 0.4, 0.3], [0.8, 0.6, 0.61, 0.62]),  # by a thirtieth: noise
        ([0.9, 0.5, 0.4, 0.3], [0.8, 0.6, 0.61, 0.7]),  # one epoch at a high rate: noise too
        ([0.9, 0.5, 0.6, 0.7], [0.8, 0.6, 0.7, 0.8]),  # the training loss rises too
        ([0.9, 0.5, 0.4, 0.3], [None] * 4),  # nothing was measured
        ([0.9, 0.5, 0.4, 0.3, 0.2], [0.8, 0.7, 0.5, 0.7, 0.7]),  # one low epoch is noise
        # Up and down from the start, by more than it has risen since.
        ([0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1], [0.10, 0.14, 0.09, 0.13, 0.10, 0.15, 0.14]),
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
