import math

import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.metrics import MAE
from chainrule.runs.comparison.chance import detectable, holm, p_values
from chainrule.runs.comparison.comparison import Comparison

NAN = math.nan
TWO = {"activation": ["ReLU()", "ELU()", "GELU()"], "optimizer": ["Adam()", "Lion()"]}
NOISE = np.random.default_rng(0).normal(0, 0.004, (6, 5))
CLEAR = (0.9 - 0.05 * np.arange(6)[:, None] + NOISE).tolist()


def names(standings) -> list[str]:
    return [" ".join(each.choices.values()) for each in standings]


def test_the_best_stands_first_with_its_mean_its_errors_and_its_rank(compared):
    found = compared(
        {"activation": ["ReLU()", "ELU()"]}, [[0.7, 0.8, 0.9], [0.8, 0.9, 0.7]], rows={"train": 3, "test": 1}
    )
    (one, other), deviation = found.standings, 0.1
    assert names(found.standings) == ["ELU()", "ReLU()"]  # of the same mean: by their ranks
    assert (one.mean, one.deviation, one.rank) == pytest.approx((0.8, deviation, (1 + 1 + 2) / 3))
    assert one.error == pytest.approx(math.sqrt(1 / 3 + 1 / 3) * deviation)
    assert math.isnan(one.p)
    assert not other.beyond_chance


def test_differences_count_all_pairs(compared):
    found = compared({"activation": TWO["activation"]}, CLEAR[:3])
    values = np.array(CLEAR[:3])
    p = holm(p_values(values[[0, 0, 1]], values[[1, 2, 2]], 0.25))
    assert [each.p for each in found.pairs] == pytest.approx(p)
    assert [each.p for each in found.standings[1:]] == pytest.approx(p[:2])
    assert [each.difference for each in found.pairs] == pytest.approx(
        [*(values[0] - values[1:]).mean(axis=1), (values[1] - values[2]).mean()]
    )


@pytest.mark.parametrize("metric", [None, MAE()])
def test_of_costs_and_errors_the_lowest_is_best(compared, metric):
    found = compared({"activation": ["ReLU()", "ELU()"]}, [[0.4, 0.5], [0.3, 0.3]], metric=metric)
    assert names(found.standings) == ["ELU()", "ReLU()"]
    assert found.best.rank == 1


def test_who_diverged_stands_last_and_is_not_tested(compared):
    values = [[0.9, NAN, 0.9], [0.1, 0.2, 0.3], [NAN, NAN, NAN], [0.15, 0.15, 0.15]]
    found = compared({"activation": ["ReLU()", "ELU()", "GELU()", "SiLU()"]}, values)
    assert names(found.standings) == ["ELU()", "SiLU()", "ReLU()", "GELU()"]
    assert [each.diverged for each in found.standings] == [0, 0, 1, 3]
    assert [each.mean for each in found.standings] == pytest.approx([0.2, 0.15, 0.9, NAN], nan_ok=True)
    assert [each.rank for each in found.standings] == pytest.approx(
        [(3 + 1 + 2) / 3, (2 + 2 + 3) / 3, (1 + 3.5 + 1) / 3, (4 + 3.5 + 4) / 3]
    )
    assert [math.isnan(each.p) for each in found.standings] == [True, False, True, True]
    assert len(found.pairs) == 1


@pytest.mark.parametrize("strange", [math.inf, -math.inf])
def test_what_is_no_number_is_taken_as_diverged(compared, strange):
    assert compared({"activation": ["ReLU()"]}, [[0.5, strange]]).best.diverged == 1


def test_of_one_seed_nothing_is_told(compared):
    found = compared({"activation": ["ReLU()", "ELU()"]}, [[0.7], [0.8]])
    assert names(found.standings) == ["ELU()", "ReLU()"]
    assert all(math.isnan(each.error) and math.isnan(each.p) for each in found.standings)
    assert found.equals == []
    assert math.isnan(found.spread)
    for asked in (found.detectable, lambda: found.seeds_for(0.1)):
        with pytest.raises(ChainruleError, match=r"^How many seeds it takes is told by the spread of several: "):
            asked()


def test_an_axis_is_compared_over_the_choices_of_the_others(compared):
    activation, optimizer = compared(TWO, CLEAR).effects
    values = np.array(CLEAR).reshape(3, 2, 5)
    assert (activation.axis, activation.over, activation.left_out) == ("activation", 2, 0)
    assert [each.values for each in activation.standings] == [pytest.approx(row) for row in values.mean(axis=1)]
    assert [each.values for each in optimizer.standings] == [pytest.approx(row) for row in values.mean(axis=0)]
    assert [each.beyond_chance for each in activation.standings] == [False, True, True]


def test_an_axis_alone_has_no_effect_but_its_table(compared):
    assert compared({"activation": ["ReLU()", "ELU()"], "optimizer": ["Adam()"]}, CLEAR[:2]).effects == []


def test_an_axis_is_compared_where_none_of_its_choices_diverged(compared):
    values = [*CLEAR]
    values[3] = [NAN, *CLEAR[3][1:]]  # ELU with Lion
    activation, optimizer = compared(TWO, values).effects
    assert (activation.over, activation.left_out) == (1, 1)
    assert [each.values for each in activation.standings] == [pytest.approx(CLEAR[place]) for place in (0, 2, 4)]
    assert (optimizer.over, optimizer.left_out) == (2, 1)


def test_what_diverged_with_all_others_does_not_cost_these_their_comparison(compared):
    values = [*CLEAR]
    values[2] = values[3] = [NAN] * 5  # ELU
    activation, optimizer = compared(TWO, values).effects
    assert (activation.over, activation.left_out) == (2, 0)
    assert names(activation.standings) == ["ReLU()", "GELU()", "ELU()"]
    assert activation.standings[1].beyond_chance
    assert activation.standings[2].diverged == 5
    assert (optimizer.over, optimizer.left_out) == (2, 1)


def test_where_something_diverged_everywhere_no_axis_is_compared(compared):
    values = [[NAN, *each[1:]] for each in CLEAR]
    activation, _ = compared(TWO, values).effects
    assert all(each.diverged for each in activation.standings)


def test_a_candidate_that_was_not_trained_is_none(compared):
    whole = compared(TWO, CLEAR)
    cut = Comparison(whole.trials[:20], TWO, whole.metric)  # without GELU
    assert names(cut.standings) == ["ReLU() Adam()", "ReLU() Lion()", "ELU() Adam()", "ELU() Lion()"]
    assert names(cut.effects[0].standings) == ["ReLU()", "ELU()"]


def test_seeds_are_the_same_for_all(compared):
    whole = compared(TWO, CLEAR)
    with pytest.raises(ChainruleError) as error:
        Comparison(whole.trials[:-1], TWO)
    assert str(error.value) == (
        "GELU(), Lion(): expected a trial of each seed, 0 1 2 3 4, got 0 1 2 3. Train those that lack."
    )
    with pytest.raises(
        ChainruleError, match=r"^A comparison needs trials, got none\. Train some: chainrule compare digits\.$"
    ):
        Comparison((), TWO)


def test_what_learning_sees_to_validate_counts_as_trained_on(compared):
    axes = {"activation": ["ReLU()"]}
    assert compared(axes, [[0.5]]).ratio == pytest.approx(20 / 80)
    assert compared(axes, [[0.5]], redrawn=False).ratio == 0


def test_how_many_seeds_it_takes(compared):
    found = compared({"activation": TWO["activation"]}, CLEAR[:3])
    deviations = [pair.deviation for pair in found.pairs if pair.better == found.best.choices]
    assert found.spread == pytest.approx(math.sqrt(np.mean(np.square(deviations))))
    assert found.detectable() == pytest.approx(detectable(found.spread, 5, 0.25, 3))
    assert found.detectable(40) < found.detectable()
    seeds = found.seeds_for(found.detectable(40))
    assert seeds in (40, 41)
    assert found.seeds_for(found.detectable(math.inf) / 2) is None


def test_it_is_asked_of_those_that_are_not_told_from_the_best(compared):
    wild = [0.30, 0.32, 0.30, 0.28, 0.30]
    found = compared({"activation": TWO["activation"]}, [CLEAR[0], [value - 0.001 for value in CLEAR[0][::-1]], wild])
    near, far = found.pairs[:2]
    assert (near.beyond_chance, far.beyond_chance) == (False, True)
    assert found.spread == pytest.approx(near.deviation)
