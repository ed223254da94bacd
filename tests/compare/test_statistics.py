"""Seeds, sequential bounds and duels, against SciPy, published tables and simulation."""

import numpy as np
import pytest
from scipy import stats

from bench.duels import promises
from bench.luck import heights
from cnnlib.compare.seeds import accuracy_interval, best_of, pooled_sd, summary
from cnnlib.errors import RecipeError
from cnnlib.experiments.duel import verdict_sentence
from cnnlib.experiments.duel_statistics import decisions, judge
from cnnlib.experiments.group_sequential import bounds, nominal_levels

VALUES = [0.981, 0.984, 0.979, 0.986]


# -- seeds -----------------------------------------------------------------------------------------


def test_the_interval_over_seeds_is_scipys_t_interval():
    found = summary(VALUES)
    expected = stats.t.interval(0.95, 3, loc=np.mean(VALUES), scale=stats.sem(VALUES))
    assert (found.interval.low, found.interval.high) == pytest.approx(expected, abs=1e-12)


def test_mean_and_spread_are_those_worked_by_hand():
    # mean 3.93 / 4 = 0.9825; squares (1.5^2 + 1.5^2 + 3.5^2 + 3.5^2) e-6 = 29e-6, over 3
    found = summary(VALUES)
    assert found.mean == pytest.approx(0.9825)
    assert found.sd == pytest.approx((29e-6 / 3) ** 0.5)


def test_one_seed_has_no_spread():
    found = summary([0.5])
    assert (found.count, found.mean, found.sd, found.interval) == (1, 0.5, None, None)


def test_no_seed_has_no_summary():
    assert summary([]) is None
    assert accuracy_interval([], 100) == (None, "")


def test_one_run_gets_wilsons_interval_over_pictures_and_several_students_over_seeds():
    one, over_pictures = accuracy_interval([0.8], pictures=10)
    assert (over_pictures, one.low) == ("pictures", pytest.approx(0.490163, abs=2e-6))
    assert accuracy_interval(VALUES, pictures=10)[1] == "seeds"


def test_the_best_of_many_equal_designs_is_ahead_by_luck():
    # The expected largest of 10 normal numbers is 1.5388 (David & Nagaraja 2003, table 3.1).
    assert best_of([1.0] * 10) == pytest.approx(1.53875, abs=1e-4)
    assert best_of([2.0, 2.0]) == pytest.approx(2 / np.pi**0.5, abs=1e-4)  # 1 / sqrt(pi) for sd 1
    assert best_of([1.0]) == best_of([0.0, 0.0]) == 0.0
    # The larger of 0 and a normal number: 1 / sqrt(2 pi).
    assert best_of([1.0, 0.0]) == pytest.approx(0.39894, abs=1e-3)


@pytest.mark.parametrize("designs", [2, 3, 10, 50])
@pytest.mark.parametrize("seeds", [(2,), (3,), (1, 2, 5)])
def test_the_luck_that_is_stated_is_the_luck_that_is_found(designs, seeds):
    found, stated, error = heights(designs, seeds, tables=1500)
    assert stated == pytest.approx(found, abs=3 * error + 0.03 * found)


def test_a_design_in_which_a_seed_never_learned_does_not_enter_the_spread():
    assert pooled_sd([[0.9, 0.91], [0.8, 0.81], [0.1, 0.9]]) == pooled_sd(
        [[0.9, 0.91], [0.8, 0.81]]
    )
    assert pooled_sd([[0.9], [0.8]]) is None


# -- bounds ----------------------------------------------------------------------------------------


def test_five_equal_looks_with_obrien_fleming_spending_give_the_published_bounds():
    # Lan & DeMets 1983: 2.5 % on each side, each spending 2 - 2 Phi(z / sqrt(share)) with z the
    # quantile of 1.25 %; five looks: 4.877, 3.357, 2.680, 2.290, 2.031.
    share = np.arange(1, 6) / 5
    spending = 2 * 2 * stats.norm.sf(stats.norm.isf(0.0125) / np.sqrt(share))
    found = stats.norm.isf(nominal_levels(spending, share) / 2)
    assert found == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=0.002)


def test_a_single_look_spends_everything_and_is_students_quantile():
    assert bounds(3) == pytest.approx((stats.t.isf(0.02, 2),), abs=1e-6)


# -- verdicts --------------------------------------------------------------------------------------


def test_a_clear_difference_is_called_at_the_first_look():
    # mean 0.002, sd 0.0001, error 0.0001 / sqrt(3) = 0.0000577; reach 31.1 * 0.0000577 = 0.00180
    found = judge([0.0019, 0.0020, 0.0021])
    assert (found.outcome, found.pairs) == ("b", 3)
    assert found.low == pytest.approx(0.002 - bounds(20)[0] * 0.0001 / 3**0.5)
    assert verdict_sentence(found, "A", "B") == (
        "B is better by 0.20 points (95 % interval 0.02 to 0.38, 3 paired seeds)."
    )


def test_the_other_side_gives_the_mirror_image():
    found = judge([-0.0019, -0.0020, -0.0021])
    assert found.outcome == "a"
    assert verdict_sentence(found, "A", "B") == (
        "A is better by 0.20 points (95 % interval 0.02 to 0.38, 3 paired seeds)."
    )


def test_nothing_is_called_before_the_third_pair():
    found = judge([0.5, 0.5])
    assert (found.outcome, found.low) == ("open", None)
    assert "A and B: undecided after 2 paired seeds" in verdict_sentence(found, "A", "B")


def test_pairs_after_the_one_that_decided_do_not_count():
    start = [0.0019, 0.0020, 0.0021]
    assert judge([*start, -1.0, -1.0]) == judge(start)


def test_equal_results_are_the_same_within_a_tenth_of_a_point():
    # Rounded to 1 in 10,000 pictures: sd >= 0.0001 / sqrt(6); 22 * 0.0000408 / sqrt(3) = 0.0005
    found = judge([0.0, 0.0, 0.0], within=0.001, resolution=1e-4)
    assert found.outcome == "same"
    assert verdict_sentence(found, "A", "B") == (
        "A and B are equal within 0.10 points "
        "(B minus A: 90 % interval −0.05 to 0.05, 3 paired seeds)."
    )


def test_equal_differences_are_no_certainty_where_results_are_rounded():
    # 100 pictures: three times one picture more. sd >= 0.01 / sqrt(6), reach 31.1 * 0.0024 = 0.07
    assert judge([0.01, 0.01, 0.01], resolution=0.01).outcome == "open"


def test_a_duel_that_cannot_tell_says_how_many_more_pairs_would():
    found = judge([0.003, -0.001, 0.002, 0.001, 0.0], most_pairs=5)
    assert found.outcome == "untold"
    # mean 0.001, sd 0.00158: bounds(5)[-1] * 0.00158 / sqrt(n) < 0.001
    needed = int(np.ceil((bounds(5)[-1] * found.sd / found.mean) ** 2))
    assert found.more_pairs == needed - 5
    assert f"Estimated: {needed - 5} more pairs. Start a longer duel." in verdict_sentence(
        found, "A", "B"
    )


@pytest.mark.parametrize("most_pairs", [2, 101])
def test_a_number_of_pairs_that_the_bounds_are_not_made_for_is_refused(most_pairs):
    with pytest.raises(RecipeError, match=f"maximum number of pairs is {most_pairs}"):
        judge([], most_pairs=most_pairs)


def test_many_duels_at_once_end_as_one_by_one():
    values = np.random.default_rng(5).normal(0.5, 1.0, (30, 20))
    pairs, how = decisions(values, 20, within=1.0)
    for row, pair, code in zip(values, pairs, how, strict=True):
        found = judge(row, within=1.0)
        assert found.outcome == {0: "untold", 1: "b", -1: "a", 2: "same"}[int(code)]
        assert found.pairs == (pair or 20)


def test_the_duel_keeps_its_promises_in_simulation():
    # 4,000 duels: a standard error of at most 0.65 points; three of them are allowed here. The full
    # 20,000 stand in docs/results.md.
    for what, promised, found, error in promises(duels=4000, seed=1):
        bound = float(promised.split()[-2]) / 100
        if promised.startswith("at most"):
            assert found <= bound + 3 * error, what
        else:
            assert found >= bound - 3 * error, what
