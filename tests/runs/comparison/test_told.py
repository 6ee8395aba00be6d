import math
from dataclasses import replace

import numpy as np
import pytest

from chainrule.runs.comparison import told

NAN = math.nan
AXES = {"activation": ["ReLU()", "ELU()"], "optimizer": ["Adam()", "Lion()"]}
LONG = {"network": ["Dense(10)", "Dense(64) >> ReLU() >> Dense(10) >> Softmax()"], "optimizer.learning_rate": ["0.1"]}


def noisy(*means: float, seeds: int = 5) -> list[list[float]]:
    return (np.array(means)[:, None] + np.random.default_rng(0).normal(0, 0.004, (len(means), seeds))).tolist()


def test_all_of_it(compared):
    values = noisy(0.9, 0.7, 0.895, 0.6)
    values[3][2] = NAN
    assert (
        str(compared(AXES, values, tuned=[0.1, 0.1, 0.1, 0.01, 0.1]))
        == """\
flowers: 4 candidates × 5 seeds
rows: 70 to train, 10 to validate, 20 to test, drawn by each seed
epochs: 2
programs: 1 for each candidate

activation  optimizer         accuracy  rank        tuned learning_rate  seconds
ReLU()         Adam()  0.9002 ± 0.0011   1.0  best             0.01–0.1      1.2
ELU()          Adam()  0.8915 ± 0.0025   2.0     =             0.01–0.1      1.2
ReLU()         Lion()  0.7005 ± 0.0029   3.0     <             0.01–0.1      1.2
ELU()          Lion()  0.6002 ± 0.0024   4.0    †1             0.01–0.1      1.2

activation, over 1 choice of optimizer × 5 seeds; 1 left out, as some diverged there
activation         accuracy  rank
ReLU()      0.9002 ± 0.0011   1.0  best
ELU()       0.8915 ± 0.0025   2.0     =

optimizer, over 1 choice of activation × 5 seeds; 1 left out, as some diverged there
optimizer         accuracy  rank
Adam()     0.9002 ± 0.0011   1.0  best
Lion()     0.7005 ± 0.0029   2.0     <

± standard error of the mean. = can't be told from the best, < is worse beyond
chance: t-test of paired seeds, corrected for the rows that these share (Nadeau
and Bengio) and for all pairs of a table (Holm), at 5 %. † diverged with so many
seeds: in rank the last there, the mean of the others, not tested.

ReLU() with Adam() has the highest accuracy, 0.9002 ± 0.0011: ELU() with Adam()
can't be told from it with 5 seeds, 1 is worse beyond chance, 1 diverged with
some seeds. A difference of 0.017 is seen with 5 seeds in four of five cases,
one of 0.012 with about 8; below 0.0078 no number of seeds tells, only more
rows."""
    )


def test_what_is_not_varied_and_what_is_long_is_said_above(compared):
    found = compared(LONG, noisy(0.9, 0.8))
    assert told.shared(found)[2:5] == [
        "optimizer.learning_rate: 0.1",
        "network 1: Dense(10)",
        "network 2: Dense(64) >> ReLU() >> Dense(10) >> Softmax()",
    ]
    assert told.table(found)["network"] == ["network 1", "network 2"]
    assert "learning_rate" not in told.table(found)
    assert told.answer(found).startswith("network 1 is best, accuracy 0.90")


ONE = {"activation": ["ELU()"]}
MANY = {"activation": ["ReLU()", "ELU()", "GELU()", "SiLU()", "Mish()", "CELU()"]}
ANSWERS = {
    "one candidate": (ONE, noisy(0.9), "ELU(): accuracy 0.9002 ± 0.0011 with 5 seeds."),
    "all diverged": (
        AXES,
        [[NAN, NAN]] * 4,
        "Every training diverged. Choose lower learning rates, or clip the gradients: ClipNorm(1.0) >> Adam().",
    ),
    "each diverged once": (
        MANY | {"activation": ["ReLU()", "ELU()"]},
        [[0.5, NAN], [NAN, 0.6]],
        "With each candidate some seed diverged, most rarely with ELU(), 1 of 2 seeds; the others came to a mean "
        "accuracy of 0.6000. Choose lower learning rates.",
    ),
    "one seed": (
        AXES,
        [[0.1], [0.2], [0.3], [0.4]],
        "ELU() with Lion() has the highest accuracy, 0.4000, with one seed. One has no spread, so that nothing tells "
        "whether it is chance. Compare with several, such as 10.",
    ),
    "the best alone": (
        AXES,
        noisy(0.9, 0.7, 0.5, 0.3),
        "ReLU() with Adam() is best, accuracy 0.9002 ± 0.0011: 3 are worse beyond chance.",
    ),
    "many alike": (
        MANY,
        noisy(0.9, 0.899, 0.9, 0.9, 0.9, 0.9),
        "Mish() has the highest accuracy, 0.9015 ± 0.0022: 5 others can't be told from it with 5 seeds. A difference "
        "of 0.022 is seen with 5 seeds in four of five cases, one of 0.015 with about 8; below 0.0080 no number of "
        "seeds tells, only more rows.",
    ),
    "identical": (
        {"activation": ["ReLU()", "ELU()"]},
        [[0.5, 0.6]] * 2,
        "ReLU() has the highest accuracy, 0.550 ± 0.061: ELU() can't be told from it with 2 seeds.",
    ),
}


def test_a_candidate_alone_has_a_row(compared):
    found = compared({"network": LONG["network"][1:], **ONE}, noisy(0.9))
    assert told.shared(found)[2:4] == ["activation: ELU()", f"network 1: {LONG['network'][1]}"]
    assert list(told.table(found)) == ["network", "accuracy", "rank", "", "seconds"]
    assert "<pre>flowers: 1 candidate × 5 seeds\n" in found._repr_html_()


@pytest.mark.parametrize(("axes", "values", "said"), ANSWERS.values(), ids=ANSWERS)
def test_the_answer(compared, axes, values, said):
    assert compared(axes, values).answer == said


def test_the_cost_is_best_at_its_lowest(compared):
    found = compared({"activation": ["ReLU()", "ELU()"]}, noisy(0.5, 0.1), metric=None)
    assert found.answer == "ELU() is best, cost 0.1005 ± 0.0029: 1 is worse beyond chance."


def test_of_the_same_test_rows_more_seeds_tell_any_difference(compared):
    found = compared({"activation": ["ReLU()", "ELU()"]}, noisy(0.9, 0.899), redrawn=False)
    assert told.shared(found)[1].endswith(", 20 to test, the same to test for all seeds")
    assert "Nadeau" not in told.legend(found)
    assert found.answer.endswith(
        "A difference of 0.0062 is seen with 5 seeds in four of five cases, one of 0.0031 with about 14."
    )


def test_programs_stand_in_the_table_where_they_differ(compared):
    found = compared({"activation": ["ReLU()", "ELU()"]}, noisy(0.9, 0.7))
    trials = tuple(
        replace(trial, compilations=0.4) if trial.choices["activation"] == "ELU()" else trial for trial in found.trials
    )
    assert told.table(replace(found, trials=trials))["programs"] == ["1", "2"]


def test_a_formula_is_told_without_its_defaults_a_number_by_its_field(compared):
    axes = {"activation": ["ELU(alpha=1.0)", "ELU(alpha=0.5)"], "optimizer.learning_rate": ["0.1", "0.01"]}
    found = compared(axes, noisy(0.9, 0.7, 0.5, 0.3))
    assert found.answer.startswith("ELU() with learning_rate=0.1 is best, ")
    assert told.table(found)["activation"] == ["ELU()", "ELU()", "ELU(alpha=0.5)", "ELU(alpha=0.5)"]
    assert told.table(found)["learning_rate"] == ["0.1", "0.01"] * 2
