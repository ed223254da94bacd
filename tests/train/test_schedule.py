"""Tests of the schedules: against torch's own, and for very short runs."""

import pytest
import torch

from cnnlib.records.recipe import Recipe
from cnnlib.train.schedule import factor

TOTAL, PER_EPOCH = 60, 6


def _rates(recipe: Recipe) -> list[float]:
    return [
        factor(recipe, step=step, total_steps=TOTAL, epoch=step // PER_EPOCH)
        for step in range(TOTAL)
    ]


def _torch_rates(make, every: int = 1) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for step in range(TOTAL):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if (step + 1) % every == 0 and step + 1 < TOTAL:
            scheduler.step()
    return rates


def test_a_constant_schedule_is_one_everywhere():
    assert _rates(Recipe(schedule="constant")) == [1.0] * TOTAL


def test_the_step_schedule_equals_torchs_step_lr_stepped_per_epoch():
    reference = _torch_rates(
        lambda o: torch.optim.lr_scheduler.StepLR(o, 4, gamma=0.3), every=PER_EPOCH
    )
    assert _rates(Recipe(schedule="step", step_epochs=4, step_factor=0.3)) == pytest.approx(
        reference
    )


def test_the_cosine_schedule_equals_torchs_cosine_annealing():
    reference = _torch_rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=TOTAL))
    assert _rates(Recipe(schedule="cosine")) == pytest.approx(reference, abs=1e-12)


@pytest.mark.parametrize("warmup", [0.1, 0.25, 0.5])
def test_the_one_cycle_schedule_equals_torchs_one_cycle_lr(warmup):
    reference = _torch_rates(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o, max_lr=1.0, total_steps=TOTAL, pct_start=warmup, cycle_momentum=False
        )
    )
    assert _rates(Recipe(schedule="one_cycle", warmup=warmup)) == pytest.approx(
        reference, abs=1e-12
    )


@pytest.mark.parametrize("warmup", [0.0, 0.4 / TOTAL, 1 / TOTAL])
def test_a_warmup_of_at_most_one_step_begins_at_the_highest_rate(warmup):
    rates = _rates(Recipe(schedule="one_cycle", warmup=warmup))
    assert rates[0] == 1.0
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(4e-6)


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "one_cycle"])
@pytest.mark.parametrize("warmup", [0.0, 1.0])
@pytest.mark.parametrize("total", [1, 2])
def test_a_run_of_one_or_two_steps_has_factors_from_0_to_1(schedule, warmup, total):
    recipe = Recipe(schedule=schedule, warmup=warmup)
    for step in range(total):
        assert 0.0 <= factor(recipe, step=step, total_steps=total, epoch=0) <= 1.0
