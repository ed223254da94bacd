"""Seeds, the sign-flip test and duels, against SciPy, exact enumeration and simulation."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from bench.duels import EQUAL, POINT, duels, promises, rates, unseen
from bench.luck import heights
from cnnlib.compare.seeds import accuracy_interval, best_of, pooled_sd, summary
from cnnlib.experiments.duel import forecast_sentence, verdict_sentence
from cnnlib.experiments.duel_statistics import count_collapsed, judge, most_unseen, pairs_needed
from cnnlib.experiments.group_sequential import (
    FIRST_LOOK,
    boundaries,
    crossing,
    first_verdict,
    rounded_sizes,
)

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


# -- the sign-flip test ----------------------------------------------------------------------------


def test_the_test_is_exact_over_all_signs_of_any_sizes():
    # Of the 2^10 combinations of signs, at most 5 % may be rejected, at any look.
    for sizes in (
        [1.0] * 10,
        [1.0, 0.2, 3.0, 0.5, 1.1, 0.7, 2.0, 0.1, 0.9, 80.0],
        [0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0],
    ):
        signs = np.array(list(product([-1, 1], repeat=10)))
        rejected = np.mean([crossing(sign * sizes, 10)[0] > 0 for sign in signs])
        assert 0.01 < rejected <= 0.05
        # ... as many as the boundaries say that they spend
        *_, (_, spent) = boundaries(rounded_sizes(np.array(sizes)), 10)
        assert rejected == pytest.approx(spent, abs=1e-9)


def test_the_verdict_is_the_same_for_both_directions():
    values = np.random.default_rng(2).normal(1.0, 1.0, (50, 20))
    for row in values:
        pair, sign = crossing(row, 20)
        assert crossing(-row, 20) == (pair, -sign)


def test_a_verdict_is_possible_from_the_first_verdict_on_and_not_before():
    for most_pairs in (6, 12, 20, 50, 100):
        assert crossing([0.01] * most_pairs, most_pairs) == (first_verdict(most_pairs), 1)
    for most_pairs in range(1, FIRST_LOOK):
        assert first_verdict(most_pairs) is None
        assert crossing([0.01] * most_pairs, most_pairs) == (0, 0)


def test_what_cannot_be_seen_is_bounded_exactly():
    # None of n: 1 - 0.05^(1/n); scipy's interval for one of n.
    assert most_unseen(0, 20) == pytest.approx(1 - 0.05 ** (1 / 20))
    expected = stats.binomtest(2, 20, alternative="less").proportion_ci(0.95, method="exact").high
    assert most_unseen(2, 20) == pytest.approx(expected)
    assert most_unseen(3, 3) == 1.0


# -- verdicts --------------------------------------------------------------------------------------

CLEAR = [0.0019, 0.0020, 0.0021, 0.0019, 0.0020, 0.0021, 0.0020]


def test_a_clear_difference_is_called_after_seven_of_twenty_pairs():
    found = judge(CLEAR)
    assert (found.outcome, found.pairs) == ("b", 7)
    # Seven equal signs exclude all centres beyond the smallest and the largest difference.
    assert (found.low, found.high) == pytest.approx((0.0019, 0.0021), abs=1e-6)
    assert verdict_sentence(found, "A", "B") == (
        "B is better by 0.20 points (95 % interval 0.19 to 0.21, 7 paired seeds)."
    )


def test_the_other_side_gives_the_mirror_image():
    found = judge([-each for each in CLEAR])
    assert found.outcome == "a"
    assert verdict_sentence(found, "A", "B") == (
        "A is better by 0.20 points (95 % interval 0.19 to 0.21, 7 paired seeds)."
    )


def test_nothing_is_called_before_a_verdict_is_possible():
    found = judge([0.5] * 6)
    assert (found.outcome, found.low) == ("open", None)
    assert verdict_sentence(found, "A", "B") == (
        "A and B: undecided after 6 paired seeds. A verdict is possible from pair 7 on."
    )


def test_pairs_after_the_one_that_decided_do_not_count():
    assert judge([*CLEAR, -1.0, -1.0]) == judge(CLEAR)


def test_equal_results_are_the_same_within_a_tenth_of_a_point_with_what_can_go_unseen():
    found = judge(
        [0.0, 0.0001, -0.0001, 0.0, 0.0, 0.0001, -0.0001, 0.0], within=0.001, resolution=1e-4
    )
    assert (found.outcome, found.pairs) == ("same", 8)
    assert verdict_sentence(found, "A", "B") == (
        "A and B are equal within 0.10 points (B minus A: 90 % interval −0.01 to 0.01, 8 paired "
        "seeds). A collapse in up to 31 % of the seeds can go unseen."  # 1 - 0.05^(1/8)
    )
    known = verdict_sentence(replace(found, collapsed=(0, 0)), "A", "B")
    assert known.endswith(
        "No seed collapsed; with 8 seeds, a collapse in up to 31 % of the seeds of each design can "
        "go unseen."
    )


def test_designs_are_not_called_the_same_within_less_than_a_picture():
    found = judge([0.0] * 20, within=0.001, resolution=0.005)
    assert found.outcome == "untold"
    differing = judge([0.0] * 19 + [0.005], within=0.001, resolution=0.005)
    assert "One picture is 0.50 points" in verdict_sentence(differing, "A", "B")
    assert "more pair" not in verdict_sentence(differing, "A", "B").replace("more pairs", "")


def test_a_duel_without_any_difference_ends_with_one_sentence():
    found = judge([0.0] * 20, within=0.001, resolution=0.005)
    assert found.more_pairs is None
    assert verdict_sentence(found, "A", "B") == (
        "A and B: undecided, with the same accuracy of both in all 20 paired seeds; one picture is "
        "0.50 points, so this split is too small to find that they are equal within 0.10 points."
    )
    without_margin = judge([0.0] * 20, within=0)
    assert verdict_sentence(without_margin, "A", "B") == (
        "A and B: undecided, with the same accuracy of both in all 20 paired seeds."
    )


def test_a_seed_that_collapsed_is_named_with_its_share_and_ends_equality():
    values = [0.0, 0.0002, -0.0001, 0.0001, -0.0002, -0.8, 0.0001, 0.0, -0.0001, 0.0002]
    found = judge(values)
    assert found.outcome == "open"
    sentence = verdict_sentence(replace(found, collapsed=(0, 1)), "A", "B")
    # One of ten: 39.4 % by Clopper and Pearson; none of ten: 25.9 %.
    assert sentence.endswith(
        "Collapsed: 0 of 10 seeds of A (at most 26 % of all its seeds) and 1 of 10 seeds of B "
        "(at most 39 % of all its seeds)."
    )


def test_a_seed_collapsed_if_it_learned_less_than_half_of_the_best():
    # conv_maxpool in docs/results.md: half way from 0.1 to 0.9632 is 0.5316.
    assert count_collapsed([0.9632, 0.1022, 0.1123], classes=10) == 2
    assert count_collapsed([0.10, 0.11, 0.09], classes=10) == 0  # none learns
    assert count_collapsed([0.6, 0.7, 0.55], classes=2) == 1  # half way from 0.5 to 0.7 is 0.6
    assert count_collapsed([], classes=10) == 0


def test_a_design_whose_mean_a_collapse_turns_is_not_called_better():
    assert judge([0.0001] * 19 + [-0.9], most_pairs=20, within=0).outcome == "b"  # pair 7 decides
    late = [0.0001, -0.9] + [0.0001] * 58
    assert judge(late, most_pairs=60, within=0).outcome == "untold"


def test_a_duel_that_cannot_tell_says_how_many_more_pairs_would():
    found = judge([0.003, -0.001, 0.002, 0.001, 0.0, 0.001], most_pairs=6)
    assert found.outcome == "untold"
    # mean 0.001, sd 0.001414: 13 * 2 + 3 = 29 pairs
    assert found.more_pairs == 29 - 6
    assert "Estimated: 23 more pairs. Start a longer duel." in verdict_sentence(found, "A", "B")


def test_an_estimate_beyond_what_is_allowed_says_so():
    values = [0.003, -0.0025, 0.002, -0.002, 0.0005, 0.001, 0.0, -0.001, 0.001, 0.0005]
    open_duel = judge(values, most_pairs=20, within=0)
    assert "which is more than the 100 that a duel may have" in verdict_sentence(
        open_duel, "A", "B"
    )
    nearer = judge([0.003, -0.001, 0.002, 0.001, 0.0, 0.001, 0.001], most_pairs=20, within=0)
    assert "which is more than the 20 of this duel" in verdict_sentence(nearer, "A", "B")


def test_the_pairs_for_three_differences_are_forecast():
    found = judge([0.0, 0.02, -0.01, 0.01])
    # sd 0.01291: 13 * (0.01291 / 0.005)^2 + 3 = 89.7; / 0.01: 24.7; / 0.03: 5.4, but the first
    # verdict is possible at pair 7 of 20.
    assert [each.pairs for each in found.forecast] == [90, 25, 7]
    assert forecast_sentence(found) == (
        "Pairs needed to find a difference, in points: about 90 for 0.5, about 25 for 1, about 7 "
        "for 3."
    )
    wide = judge([0.0, 0.08, -0.04, 0.04])
    assert "points: more than 100 for 0.5, more than 100 for 1" in forecast_sentence(wide)
    assert forecast_sentence(replace(found, outcome="b")) == ""  # after the verdict


def test_the_duel_keeps_its_promises_in_simulation():
    # Three standard errors are allowed; the full table stands in docs/verdicts.md.
    for what, promised, found, error in promises(count=600, seed=1):
        assert found >= float(promised.split()[-2]) / 100 - 3 * error, what


@pytest.mark.parametrize("name", EQUAL)
def test_the_duel_errs_in_five_of_a_hundred_with_any_differences(name):
    found = rates(EQUAL[name], count=400, seed=3)
    assert 0.03 < found["better"][0] <= 0.05  # exact, for the sizes that were drawn
    assert found["wrongly the same"][0] <= 0.05 + 3 * 0.011


@pytest.mark.parametrize("collapse", [1 / 50, 1 / 10])
def test_equality_is_not_said_after_a_collapse_and_the_share_stated_is_high_enough(collapse):
    found = unseen(collapse, count=400)
    assert found["after a collapse"][0] == 0.0
    assert found["too low"][0] <= 0.05 + 3 * 0.011


@pytest.mark.parametrize("difference", [2.0, 1.0, 0.6])
def test_the_forecast_of_pairs_finds_the_difference_in_four_of_five_duels(difference):
    pairs = pairs_needed(difference, sd=1.0)
    results = duels(EQUAL["normal"], shift=difference * POINT, count=400, most_pairs=pairs)
    found = np.mean([outcome == "b" for _, outcome in results])
    assert found >= 0.75
    assert found <= 0.9 or pairs == 7  # not far more pairs than needed
