"""Costs and penalties as curves of one number."""

import numpy as np
import pytest

from chainrule.costs import (
    CategoricalCrossEntropy,
    CategoricalHinge,
    CosineDistance,
    CrossEntropy,
    Dice,
    GaussianNLL,
    Hinge,
    Huber,
    Poisson,
    SquaredLog,
)
from chainrule.optimizers import Adam
from chainrule.regularizers import L1, L2, GroupLasso, MaxNorm, Orthogonality
from chainrule.textbook.curves import sections

DEFINITIONS = {
    Huber(1.0): {"J(a), E = 0": lambda a: np.where(abs(a) < 1, a**2 / 2, abs(a) - 0.5)},
    SquaredLog(): {"J(a), E = 0": lambda a: np.log(1 + a) ** 2 / 2},
    Poisson(): {"J(a), E = 1": lambda a: a - np.log(a)},
    CrossEntropy(): {"J(a), E = 1": lambda a: -np.log(a), "J(a), E = 0": lambda a: -np.log(1 - a)},
    Hinge(): {"J(a), E = 1": lambda a: np.maximum(1 - a, 0), "J(a), E = −1": lambda a: np.maximum(1 + a, 0)},
    CategoricalCrossEntropy(): {"J(a₁), E = (1, 0)": lambda a: -np.log(a)},
    CategoricalHinge(): {"J(a₁), E = (1, 0)": lambda a: np.maximum(1 - a, 0)},
    L1(0.5): {"R(w)": lambda w: 0.5 * abs(w)},
    L1(0.5) + L2(2.0): {"R(w)": lambda w: 0.5 * abs(w) + 2 * w**2},
}


@pytest.mark.parametrize("formula", DEFINITIONS, ids=repr)
def test_a_section_is_the_cost_of_one_output_or_the_penalty_of_one_weight(formula):
    found, expected = sections(formula, 41), DEFINITIONS[formula]
    assert [*found] == [*expected]
    for name, (x, y) in found.items():
        assert np.ptp(x) > 0.9
        np.testing.assert_allclose(y, expected[name](x.astype(float)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "formula", [CosineDistance(), Dice(), GaussianNLL(), GroupLasso(0.1), Orthogonality(0.1), MaxNorm(1.0), Adam()]
)
def test_what_several_numbers_make_together_has_none(formula):
    assert sections(formula, 41) == {}
