import itertools
import math

import numpy as np
import pytest
from scipy.stats import nct, t, ttest_rel

from chainrule.runs.comparison.chance import LEVEL, detectable, draws_for, holm, p_values, standard_error

RATIO = 0.25


def draws(rng, shape: tuple[int, ...], ratio: float) -> np.ndarray:
    """Standard normal results of draws that are as alike as Nadeau and Bengio hold: by the share of the test rows."""
    share = ratio / (1 + ratio)
    common = rng.normal(size=(*shape[:-1], 1))
    return math.sqrt(share) * common + math.sqrt(1 - share) * rng.normal(size=shape)


def test_without_shared_rows_it_is_the_t_test_of_pairs():
    one, other = np.random.default_rng(0).normal(size=(2, 5, 10))
    np.testing.assert_allclose(p_values(one, other, 0.0), ttest_rel(one, other, axis=-1).pvalue, rtol=1e-12)


def test_a_value_by_hand():
    differences = np.array([1.0, 2.0, 3.0])  # mean 2, S² 1
    statistic = 2 / math.sqrt((1 / 3 + 1 / 4) * 1)
    by_hand = 1 - statistic / math.sqrt(2 + statistic**2)  # Student's distribution of two degrees in closed form
    assert p_values(differences, np.zeros(3), 0.25) == pytest.approx(by_hand, rel=1e-12)
    assert standard_error(differences, 0.25) == pytest.approx(math.sqrt(7 / 12))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_better_may_stand_on_either_side(sign):
    values = sign * np.array([0.1, 0.2, 0.15])
    assert p_values(values, np.zeros(3), 0.1) == pytest.approx(p_values(abs(values), np.zeros(3), 0.1))


def test_chance_alone_passes_as_rarely_as_it_is_said():
    rng = np.random.default_rng(1)
    one, other = draws(rng, (4000, 10), RATIO), draws(rng, (4000, 10), RATIO)
    assert np.mean(p_values(one, other, RATIO) <= LEVEL) == pytest.approx(LEVEL, abs=0.01)
    assert np.mean(ttest_rel(one, other, axis=-1).pvalue <= LEVEL) > 0.2  # the ordinary test, which is misled


def test_among_all_pairs_of_equals_a_false_alarm_is_as_rare():
    rng = np.random.default_rng(2)
    values = draws(rng, (2000, 6, 10), RATIO)
    one, other = np.triu_indices(6, 1)
    p = p_values(values[:, one], values[:, other], RATIO)
    alarms = [bool((holm(each) <= LEVEL).any()) for each in p]
    assert 0.02 < np.mean(alarms) <= LEVEL + 0.01
    assert np.mean((p <= LEVEL).any(axis=1)) > 0.2  # without the correction


def test_holm_is_the_closure_of_bonferroni():
    rng = np.random.default_rng(3)
    for p in rng.uniform(0, 0.3, (20, 5)):
        sets = [each for size in range(1, 6) for each in itertools.combinations(range(5), size)]
        closed = [max(min(len(each) * p[list(each)].min(), 1) for each in sets if i in each) for i in range(5)]
        np.testing.assert_allclose(holm(p), closed)


@pytest.mark.parametrize(
    ("one", "p"),
    [
        ([0.5, 0.5, 0.5, 0.5], 1.0),  # alike
        ([0.5 + 1e-8, 0.5 + 2e-8, 0.5 + 1e-8, 0.5], 1.0),  # but for the rounding of float32
        ([0.75, 0.75, 0.75, 0.75], 0.125),  # always the same apart: the sign test, 2 · 2⁻⁴
        ([0.5], math.nan),
    ],
)
def test_differences_without_a_spread(one, p):
    assert p_values(np.array(one), np.full(len(one), 0.5), RATIO) == pytest.approx(p, nan_ok=True)


def test_a_single_draw_has_no_error():
    assert math.isnan(standard_error(np.array([0.5]), RATIO))


@pytest.mark.parametrize(("count", "ratio", "pairs"), [(3, 0.25, 1), (10, 0.25, 36), (10, 0.0, 3)])
def test_a_detectable_difference_is_seen_in_four_of_five_cases(count, ratio, pairs):
    found = detectable(0.02, count, ratio, pairs)
    shift = found / (0.02 * math.sqrt(1 / count + ratio))
    bound = t.isf(LEVEL / 2 / pairs, count - 1)
    assert nct.sf(bound, count - 1, shift) == pytest.approx(0.8, abs=1e-5)
    one = draws(np.random.default_rng(4), (4000, count), ratio)
    other = draws(np.random.default_rng(5), (4000, count), ratio)
    spread = math.sqrt(2 / (1 + ratio))  # of a difference, within the draws
    one += detectable(spread, count, ratio, pairs)
    assert np.mean(pairs * p_values(one, other, ratio) <= LEVEL) == pytest.approx(0.8, abs=0.02)


def test_more_draws_see_less_down_to_what_only_more_rows_do():
    found = [detectable(1.0, count, RATIO, 3) for count in (2, 3, 10, 100, 10_000, math.inf)]
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(found[-2], rel=1e-3)
    assert detectable(1.0, math.inf, 0.0, 3) == 0


@pytest.mark.parametrize("difference", [5.0, 2.0, 1.7])
def test_so_many_draws_are_enough_and_no_fewer(difference):
    count = draws_for(difference, 1.0, RATIO, 3)
    assert detectable(1.0, count, RATIO, 3) <= difference < detectable(1.0, count - 1, RATIO, 3)


def test_what_no_number_of_draws_shows():
    assert draws_for(1.6, 1.0, RATIO, 3) is None
    assert draws_for(0.0, 1.0, 0.0, 3) is None
