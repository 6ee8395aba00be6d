"""Constraints: they hold after each step, in every training, and change nothing that holds them already."""

import jax
import numpy as np
import optax
import pytest

from chainrule import NetworkClassifier, load
from chainrule.errors import ChainruleError
from chainrule.notation.families import members
from chainrule.regularizers import L1, L2, GroupLasso, MaxNorm, NonNegative, Projection, UnitNorm
from chainrule.runs import plan
from chainrule.training import fit

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 5)), RNG.integers(0, 3, 40)
EACH = [NonNegative(), MaxNorm(0.8), UnitNorm()]


def lengths(w):
    return np.sqrt((np.asarray(w, float) ** 2).sum(axis=tuple(range(w.ndim - 1))))


TRUTHS = {
    NonNegative: lambda w: np.maximum(w, 0),
    MaxNorm: lambda w: w * np.minimum(1, 0.8 / lengths(w)),
    UnitNorm: lambda w: w / lengths(w),
}


def test_every_constraint_is_tried():
    ours = [one for one in members("constraints") if one.__module__.startswith("chainrule.")]
    assert [type(one) for one in EACH] == ours
    assert not {*ours} & {*members("regularizers")}
    assert all(issubclass(one, Projection) for one in ours)


@pytest.mark.parametrize("constraint", EACH, ids=repr)
def test_a_kernel_is_put_to_the_nearest_place_that_holds_it(constraint):
    for shape in [(4, 3), (3, 2, 5), (2, 3, 2, 4), (1, 3)]:
        w = (0.5 * RNG.normal(size=shape)).astype(np.float32)
        w[..., 1] *= 0.1
        put = np.asarray(constraint.project(w))
        np.testing.assert_allclose(put, TRUTHS[type(constraint)](w.astype(float)), rtol=1e-6)
        np.testing.assert_allclose(constraint.project(put), put, rtol=3e-7)
        np.testing.assert_array_equal(constraint.proximal(w, 0.3), constraint.proximal(w, np.ones_like(w)))
        others = (np.asarray(constraint.project(w + 0.2 * RNG.normal(size=shape))) for _ in range(20))
        assert all(((other - w) ** 2).sum() >= ((put - w) ** 2).sum() * (1 - 1e-6) for other in others)
        assert constraint(w) == 0


def test_kernels_without_a_direction_and_those_whose_squares_no_float_holds():
    w = np.array([[0.0, 3e30, 3e-30], [0.0, -4e30, 4e-30]], np.float32)
    np.testing.assert_allclose(UnitNorm().project(w), [[0, 0.6, 0.6], [0, -0.8, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(MaxNorm(2).project(w), [[0, 1.2, 3e-30], [0, -1.6, 4e-30]], rtol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "regularizer"),
    [
        ("Lion(0.1)", "NonNegative() + MaxNorm(0.5)"),
        (optax.sgd(0.5), "MaxNorm(0.5) + NonNegative() + L2(0.001)"),
        ("Adam(0.1)", "MaxNorm(0.5) + L1(0.001) + NonNegative()"),
        ("Averaged(Adam(0.1))", "NonNegative() + MaxNorm(0.5)"),
    ],
    ids=["Lion", "Optax", "L1", "mean"],
)
def test_they_hold_after_each_step_whatever_the_optimizer(optimizer, regularizer, tmp_path):
    kernels = []
    model = fit(
        "Dense(4) >> Tanh() >> Dense(3) >> Softmax()", X, Y, optimizer=optimizer, regularizer=regularizer, epochs=3,
        callbacks=[lambda end: kernels.extend(layer["kernel"] for layer in end.model().parameters[::2])],
        batch_size="all", progress=False,
    )  # fmt: skip
    assert len(kernels) == 6
    for kernel in kernels:
        assert (np.asarray(kernel) >= 0).all()
        assert (lengths(kernel) <= 0.5 * (1 + 1e-6)).all()
    assert any((np.asarray(layer["bias"]) < 0).any() for layer in model.parameters[::2])
    model.save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").regularizer == model.regularizer


def test_the_cost_has_no_term_of_them():
    options = {"optimizer": "GradientDescent(0.0001)", "epochs": 1, "batch_size": "all", "progress": False}
    plain, bound = (
        fit("Dense(3) >> Softmax()", X, Y, regularizer=of, **options) for of in ("L2(0.01)", "L2(0.01) + MaxNorm(100)")
    )
    assert plain.history["cost"] == bound.history["cost"]
    np.testing.assert_array_equal(*(model.parameters[0]["kernel"] for model in (plain, bound)))


def test_a_population_has_bounds_of_its_own():
    models = fit("Dense(3) >> Softmax()", X, Y, optimizer="Adam(0.1)", regularizer=MaxNorm([0.1, 0.4]), epochs=2,
                 progress=False)  # fmt: skip
    for model, bound in zip(models, (0.1, 0.4), strict=True):
        assert lengths(model.parameters[0]["kernel"]).max() == pytest.approx(bound, rel=1e-5)
        assert repr(model.regularizer) == f"MaxNorm({bound})"


def test_estimators_and_runs_take_them():
    model = NetworkClassifier((4,), regularizer="L2(0.01) + MaxNorm(3)", epochs=2, random_state=0)
    assert model.set_params(regularizer__terms__1__max_norm=0.25).fit(X, Y)
    for layer in model.model_.parameters:
        assert lengths(layer["kernel"]).max() <= 0.25 * (1 + 1e-6) if layer else True
    assert repr(plan("iris", regularizer="L2(1e-4) + MaxNorm(3)").regularizer) == "L2(0.0001) + MaxNorm(3.0)"


def test_what_sums_need():
    assert not MaxNorm(1).needs_rates
    assert not (L2(0.1) + MaxNorm(1)).needs_rates
    assert (MaxNorm(1) + L1(0.1)).needs_rates
    assert (UnitNorm() + GroupLasso(0.1)).needs_rates
    with pytest.raises(ChainruleError, match=r"^MaxNorm: max_norm must be a number > 0, got 0\.$"):
        MaxNorm(0)
    with pytest.raises(ChainruleError, match=r"^fit: L1\(0\.1\) \+ MaxNorm\(1\.0\) needs the rates of the optimizer's"):
        fit("Dense(3)", X, Y, optimizer="Lion()", regularizer=L1(0.1) + MaxNorm(1))


def test_a_program_takes_another_bound_as_it_is():
    step = jax.jit(lambda constraint, w: constraint.proximal(w, 1.0))
    w = np.ones((4, 2), np.float32)
    assert [float(step(MaxNorm(bound), w)[0, 0]) for bound in (1, 1.5, 3)] == [0.5, 0.75, 1]
