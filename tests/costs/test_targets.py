"""A cost says what it takes and what it is computed with; nobody asks which one it is."""

import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import Identity, Sigmoid, Softmax, Softplus
from chainrule.costs import CategoricalCrossEntropy, Cost, CrossEntropy, Quadratic
from chainrule.costs.base import summed
from chainrule.costs.targets import CLASSES, NON_NEGATIVE, PROBABILITIES, SIGNS, VALUES
from chainrule.errors import ChainruleError
from chainrule.notation import as_chain
from chainrule.notation.families import family
from chainrule.training import fit
from chainrule.training.ending import default_cost

random = np.random.default_rng(0)
X = random.normal(size=(64, 3)).astype(np.float32)
COUNTS = random.poisson(np.exp(X[:, 0]))


class Margin(Cost):
    """Somebody's own cost: of the margin by which the sign is right."""

    targets = SIGNS
    textbook = "sum(max(0, 1 - E * a))"

    def each(self, a, E):
        return summed(jnp.maximum(0, 1 - E * a))


class Counting(Cost):
    """Somebody's own cost of counts, behind an activation that keeps the outputs above 0."""

    canonical_activations = (Softplus,)
    targets = NON_NEGATIVE
    textbook = "sum(a - E * ln(a))"

    def each(self, a, E):
        return summed(a - E * jnp.log(a))

    def behind(self, z, E, end=None):
        return self.each(Softplus()(z), E)


class Spread(Cost):
    """Somebody's own cost of a mean and the logarithm of a deviation beside it."""

    outputs_per_target = 2
    textbook = "sum(s + exp(-2 * s) * (a - E)**2 / 2)"

    def each(self, a, E):
        mean, s = jnp.split(a, 2, axis=-1)
        return summed(s + jnp.exp(-2 * s) * (mean - E) ** 2 / 2)


class Divergence(Cost):
    """Somebody's own cost of distributions."""

    canonical_activations = (Softmax,)
    targets = CLASSES
    textbook = "sum(E * ln(E / a))"

    def each(self, a, E):
        return summed(jnp.where(E > 0, E * jnp.log(jnp.where(E > 0, E, 1) / a), 0))

    def behind(self, z, E, end=None):
        return self.each(Softmax()(z), E)


def train(network, y, cost, **options):
    return fit(network, X, y, cost=cost, **({"optimizer": "Adam(0.02)", "epochs": 60, "progress": False} | options))


def test_each_cost_of_ours_says_what_it_takes():
    said = {
        cost: (cost.targets, cost.canonical_activations) for cost in (Quadratic, CrossEntropy, CategoricalCrossEntropy)
    }
    assert said == {
        Quadratic: (VALUES, ()),
        CrossEntropy: (PROBABILITIES, (Sigmoid,)),
        CategoricalCrossEntropy: (CLASSES, (Softmax,)),
    }


@pytest.mark.parametrize(
    ("end", "cost"),
    [
        (Softmax(), CategoricalCrossEntropy()),
        (Sigmoid(), CrossEntropy()),
        (Softplus(), Quadratic()),
        (Identity(), Quadratic()),
    ],
)
def test_the_default_cost_is_found_in_the_family_by_the_end(end, cost):
    assert default_cost(as_chain(end)) == cost  # though Divergence and Counting end so too


def test_no_two_defaults_have_one_canonical_activation():
    ends = [end for cost in family(Cost) if cost.is_default for end in cost.canonical_activations]
    assert len(ends) == len(set(ends)) > 1


def test_signs_are_made_of_class_numbers():
    a = jnp.array([[0.5], [-0.5], [2.0]])
    assert Margin()(a, jnp.array([1, 0, 1])) == Margin()(a, jnp.array([1, -1, 1])) == pytest.approx(1 / 3)
    one_of_two = jnp.array([[0.5, -1.0], [0.25, 0.5]])
    assert float(Margin()(one_of_two, jnp.array([0, 1]))) == pytest.approx((0.5 + 0 + 1.25 + 0.5) / 2)
    with pytest.raises(ChainruleError) as caught:
        Margin()(a, jnp.array([1, -2, 1]))
    assert str(caught.value) == "Margin(): E[1, 0] is -2, expected -1 or 1."


@pytest.mark.parametrize("named", [(-1, 1), ("no", "yes"), (False, True)], ids=str)
def test_signs_are_two_classes_in_fit(named):
    right = (X[:, 1] > 0).astype(int)
    model = train("Dense(1)", np.asarray(named)[right], Margin())
    assert model.classes == named
    assert np.mean((model(X)[:, 0] > 0) == right) > 0.9


def test_counts_are_values_and_none_is_below_0():
    with pytest.warns(UserWarning, match=r"Dense\(1\) >> Softplus\(\) is added, for 1 value"):
        model = train("Dense(8) >> Dropout(0.1)", COUNTS, Counting())
    assert model.classes is None
    assert model.history["cost"][-1] < model.history["cost"][0]
    with pytest.raises(ChainruleError) as caught:
        train("Dense(1) >> Softplus()", COUNTS - 1, Counting())
    place = int(np.argmin(COUNTS != 0))
    assert str(caught.value) == f"fit: y[{place}, 0] is -1.0, expected a number >= 0."


def test_a_target_may_have_several_outputs():
    y = 2 * X[:, 0] + random.normal(size=64) * 0.5
    model = train("Dense(2)", y, Spread(), epochs=200)
    assert model.classes is None
    assert model(X).shape == (64, 2)
    assert np.exp(model(X)[:, 1]).mean() == pytest.approx(0.5, abs=0.15)
    assert list(model.evaluate(X, y)) == ["cost", "r2", "rmse", "mae"]
    assert model.evaluate(X, y)["rmse"] == pytest.approx(np.sqrt(np.mean((model.predict(X) - y) ** 2)), rel=1e-5)
    assert model.evaluate(X, y)["cost"] == pytest.approx(model.history["cost"][-1], abs=0.1)
    with pytest.raises(ChainruleError) as caught:
        train("Dense(4)", y, Spread())
    assert str(caught.value) == (
        "fit: expected targets of shape (64, 2), as the network's outputs, or class numbers (64,), got float64 of "
        "shape (64,). Change the last layer, Dense(4)."
    )


def test_distributions_are_of_classes():
    E = np.eye(3, dtype=np.float32)[X.argmax(axis=1)]
    model = train("Dense(3) >> Softmax()", E, Divergence())
    assert model.classes == (0, 1, 2)
    assert np.mean(model.predict(X) == X.argmax(axis=1)) > 0.9
