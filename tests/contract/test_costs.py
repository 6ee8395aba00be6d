"""What holds for every cost: its textbook form, its shape check, its gradient, and the chain rule at its end."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy as sp

from chainrule.arrays.masked import Masked
from chainrule.costs import (
    CategoricalCrossEntropy,
    CategoricalFocal,
    CrossEntropy,
    Exponential,
    Focal,
    Huber,
    KullbackLeibler,
    Quadratic,
    Quantile,
    SparsemaxCost,
    Tweedie,
)
from chainrule.errors import ChainruleError
from chainrule.textbook.expression import expression
from chainrule.textbook.letters import array
from chainrule.textbook.mathematics import Over

SETTINGS = [
    *(CrossEntropy(0.1), CategoricalCrossEntropy(0.1), Huber(0.1), Quantile(0.9), Exponential(0.5), Tweedie(1.2)),
    *(Focal(0.5), Focal(0.0), CategoricalFocal(0.0)),
]


@pytest.fixture
def fused(cost):
    """A cost that is computed together with its canonical activations."""
    if not cost.canonical_activations:
        pytest.skip("no canonical activation")
    return cost


@pytest.fixture
def entropy(fused):
    """A cost by which networks of classes are trained where none is said."""
    if not fused.is_default or isinstance(fused, SparsemaxCost):
        pytest.skip("no entropy")
    return fused


def outputs(cost, shape=(5, 4), seed=0):
    """Outputs and expected outputs that the cost takes: distributions, and signs where it takes nothing between."""
    rng = np.random.default_rng(seed)
    a, E = (rng.dirichlet(np.full(shape[-1], 3.0), shape[:-1]) for _ in range(2))
    a = np.concatenate([a, *(1 - a for _ in range(cost.outputs_per_target - 1))], axis=-1)
    E = np.where(E > 0.25, cost.targets.yes, cost.targets.no) if cost.targets.only else E
    return jnp.asarray(a, jnp.float32), jnp.asarray(E, jnp.float32)


def written(cost, columns=4):
    """A cost's textbook form as a function of a row of outputs and one of expected outputs."""
    form = expression(cost, values=True).subs(sp.Symbol("n", integer=True), columns).doit()
    form = form.replace(Over, lambda _, body, j: sp.Max(*(body.subs(j, place) for place in range(columns))))
    letters = {entry.base for entry in form.atoms(sp.Indexed)}
    outputs = sorted(letters - {array("E"), array("z")}, key=str)
    entries = [[base[j] for j in range(columns)] for base in (*outputs, array("E"))]
    form = form.xreplace({array("z")[j]: array("a")[j] for j in range(columns)})  # as the outputs of no activation are
    function = sp.lambdify(entries, form, "numpy")
    return lambda a, E: float(function(*np.split(a, len(outputs)), E))


def test_each_example_costs_its_textbook_form(cost):
    a, E = outputs(cost)
    if not cost.takes_steps:
        assert cost.each(a, E).shape == a.shape[:1]
    form = written(cost)
    for each, row, expected in zip(cost.each(a, E), np.float64(a), np.float64(E), strict=True):
        assert float(each) == pytest.approx(form(row, expected), rel=2e-6)


@pytest.mark.parametrize("settled", SETTINGS, ids=repr)
def test_with_other_settings_it_costs_what_is_shown(settled):
    cost = settled
    a, E = outputs(cost)
    form = written(cost)
    truth = [form(*of) for of in zip(np.float64(a), np.float64(E), strict=True)]
    np.testing.assert_allclose(cost.each(a, E), truth, rtol=2e-6)
    for end in cost.canonical_activations:
        z = jnp.log(a)
        np.testing.assert_allclose(cost.behind(z, E, end), cost.each(end()(z), E), rtol=1e-5)


@pytest.mark.by_turns(3)
def test_the_gradient_is_that_of_the_textbook_form(cost):
    with jax.enable_x64(True):
        a, E = (jnp.asarray(v, jnp.float64) for v in outputs(cost))
        gradient = jax.jit(jax.grad(lambda a: cost(a, E)))(a)
        steps = 1e-6 * jnp.eye(a.size).reshape(a.size, *a.shape)
        costs = jax.jit(jax.vmap(lambda step: cost(a + step, E)))
        central = (costs(steps) - costs(-steps)) / 2e-6
    np.testing.assert_allclose(gradient.ravel(), central, rtol=1e-5, atol=1e-8)


@pytest.mark.by_turns(6)
def test_a_batch_costs_the_weighted_mean_of_its_examples(cost):
    a, E = outputs(cost)
    each = np.float64(cost.each(a, E))
    weights = np.array([1.0, 0.0, 2.0, 0.5, 3.0], np.float32)
    assert cost(a, E).shape == cost(a, E, weights).shape == ()
    assert float(cost(a, E)) == pytest.approx(each.mean(), rel=1e-6)
    assert float(cost(a, E, weights)) == pytest.approx(np.average(each, weights=weights), rel=1e-6)


@pytest.mark.by_turns(8)
def test_an_example_of_weight_0_is_as_if_it_were_not_there(cost):
    a, E = outputs(cost)
    weights = jnp.array([1.0, 1.0, 0.0, 1.0, 1.0])
    present = jnp.array([0, 1, 3, 4])
    assert float(cost(a, E, weights)) == pytest.approx(float(cost(a[present], E[present])), rel=1e-6)
    gradient = jax.grad(lambda a: cost(a, E, weights))(a)
    assert not gradient[2].any()
    assert gradient[0].any()


@pytest.mark.by_turns(8)
def test_the_class_axis_is_the_last_and_each_step_before_it_is_an_example(cost):
    a, E = outputs(cost, (2, 3, 4))
    if not cost.takes_steps:
        assert cost.each(a, E).shape == (2,)
        return
    flat = cost.each(a.reshape(6, -1), E.reshape(6, 4))
    np.testing.assert_allclose(cost.each(a, E), flat.reshape(2, 3), rtol=1e-6)
    assert float(cost(a, E)) == pytest.approx(float(flat.mean()), rel=1e-6)
    of_rows, of_steps = jnp.array([1.0, 3.0]), jnp.array([[1.0, 0.0, 2.0], [0.5, 1.0, 0.0]])
    for weights, each in ((of_rows, np.repeat([1, 3], 3)), (of_steps, np.ravel(of_steps))):
        assert float(cost(a, E, weights)) == pytest.approx(np.average(flat, weights=each), rel=1e-6)


@pytest.mark.by_turns(16)
@pytest.mark.parametrize("padding", [0.0, 1.0, np.nan, np.inf, -1e30])
def test_padding_costs_nothing_whatever_stands_there(cost, padding):
    a, E = outputs(cost, (2, 3, 4))
    mask = jnp.array([[True, True, True], [True, False, False]])
    if not cost.takes_steps:
        with pytest.raises(ChainruleError, match="is the cost of a whole row"):
            cost(Masked(a, mask), E)
        return
    alone = cost.each(a, E)[mask].mean()
    hidden = [jnp.where(mask[..., None], each, padding) for each in (a, E)]
    value, gradient = jax.value_and_grad(lambda a: cost(Masked(a, mask), hidden[1]))(hidden[0])
    assert float(value) == pytest.approx(float(alone), rel=1e-6)
    assert not gradient[~mask].any()
    np.testing.assert_allclose(gradient[mask], jax.grad(lambda a: cost.each(a, E[mask]).mean())(a[mask]), rtol=1e-5)
    classes = jnp.where(mask, jnp.array([[0, 3, 1], [2, 0, 0]]), -100)  # as PyTorch ignores them
    if not cost.targets.have_classes:
        return
    assert jnp.isfinite(cost(Masked(a, mask), classes))


@pytest.fixture
def numbered(cost):
    """A cost that takes class numbers."""
    if not cost.targets.have_classes:
        pytest.skip("its numbers are values")
    return cost


@pytest.mark.by_turns(6)
def test_class_numbers_are_one_hot_targets(numbered):
    cost, (no, yes) = numbered, (numbered.targets.no, numbered.targets.yes)
    a, _ = outputs(cost)
    classes = jnp.array([0, 3, 1, 1, 2])
    assert cost(a, classes) == cost(a, no + (yes - no) * jax.nn.one_hot(classes, 4))
    b, _ = outputs(cost, (2, 3, 4))
    assert cost(b, classes[:6].repeat(2)[:6].reshape(2, 3)).shape == ()


@pytest.mark.by_turns(6)
def test_a_single_output_takes_a_flat_column(cost):
    a, no = outputs(cost, (2, 1))[0], 2 if cost.targets.above else cost.targets.no
    column = cost(a, jnp.array([[1.0], [no]], jnp.float32))
    assert cost(a, jnp.array([1, no], jnp.float32)) == column == cost(a, jnp.array([1, int(no)]))


@pytest.mark.by_turns(20)
@pytest.mark.parametrize(
    "shape", [(5, 1), (5, 3), (4, 4), (1, 4), (4,), (5,), (), (5, 4, 1), (1,)], ids=lambda shape: str(shape)
)
def test_it_refuses_targets_of_another_shape(cost, shape):
    a, _ = outputs(cost)
    with pytest.raises(ChainruleError) as caught:
        cost(a, jnp.zeros(shape, jnp.float32))
    classes = " or class numbers of shape (5,)" if cost.targets.have_classes else ""
    assert str(caught.value) == (
        f"{cost!r}: expected targets of shape (5, 4){classes}, got float32 of shape {shape}. Reshape the targets."
    )


@pytest.mark.by_turns(20)
@pytest.mark.parametrize("shape", [(5, 1), (1,), (), (4,), (1, 5)])
def test_it_refuses_weights_of_another_shape(cost, shape):
    a, E = outputs(cost)
    with pytest.raises(ChainruleError) as caught:
        cost(a, E, jnp.ones(shape))
    assert str(caught.value) == f"{cost!r}: expected weights of shape (5,), one an example, got {shape}."


@pytest.mark.by_turns(8)
def test_the_check_works_inside_a_compilation(cost):
    a, _ = outputs(cost)
    with pytest.raises(ChainruleError, match="Reshape the targets"):
        jax.jit(cost)(a, jnp.zeros((5, 1)))


@pytest.mark.by_turns(12)
@pytest.mark.parametrize("wrong", [-1, 7])
def test_classes_that_there_are_not_are_refused_with_their_place(numbered, wrong):
    cost = numbered
    a, _ = outputs(cost)
    classes = jnp.array([0, 3, wrong, 1, wrong])
    with pytest.raises(ChainruleError) as caught:
        cost(a, classes)
    assert str(caught.value) == f"{cost!r}: E[2] is {wrong}, expected a class number from 0 to 3."
    each = jax.jit(lambda E: cost.each(a, cost.expected(a, E)))(classes)  # where nobody can look
    assert jnp.isnan(each).tolist() == [False, False, True, False, True]


def test_numbers_that_can_t_be_expected_are_refused_with_their_place(cost):
    targets = cost.targets
    a, E = outputs(cost)
    for wrong in (targets.least - 1, targets.most + 1, *[targets.least] * targets.above, *[0] * targets.only):
        if np.isfinite(wrong):
            with pytest.raises(ChainruleError) as caught:
                cost(a, E.at[3, 1].set(wrong))
            assert str(caught.value) == f"{cost!r}: E[3, 1] is {float(wrong)}, expected {targets.expected}."
    if not (targets.only or targets.above):
        cost(a, E.at[0].set(jnp.array([1 + 1e-7, 0, 0, 0], jnp.float32)))  # rounded


@pytest.mark.by_turns(12)
def test_complex_outputs_are_refused(cost):
    a, E = outputs(cost)
    with pytest.raises(ChainruleError) as caught:
        cost(a + 0j, E)
    assert str(caught.value) == "Expected real numbers, got complex64. Make of a complex number two real ones."


@pytest.mark.by_turns(16)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_added_up_in_single(cost, dtype):
    E = jnp.full((40, 4), 1 if cost.targets.only else 0.25, dtype).at[0].set(1)
    a, weights = jnp.tile(E / 2, cost.outputs_per_target), jnp.full(40, 3000, dtype)  # which add up to infinity
    truth = cost(*(of.astype(jnp.float32) for of in (a, E, weights)))
    assert cost(a, E, weights) == truth.astype(dtype)
    assert Quadratic()(jnp.full((2, 1), 300, dtype), jnp.zeros((2, 1), dtype)) == jnp.asarray(45_000, dtype)


@pytest.mark.by_turns(12)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_it_keeps_the_dtype(cost, dtype):
    a, E = (v.astype(dtype) for v in outputs(cost))
    assert jax.eval_shape(cost, a, E).dtype == dtype


@pytest.mark.by_turns(4)
def test_without_a_canonical_activation_there_is_nothing_behind_it(cost):
    if cost.canonical_activations:
        pytest.skip("it has a canonical activation")
    with pytest.raises(NotImplementedError, match="no canonical activation"):
        cost.behind(jnp.zeros((1, 2)), jnp.zeros((1, 2)))


@pytest.mark.by_turns(3)
def test_behind_its_canonical_activation_it_is_the_cost_of_the_activation_s_output(fused):
    z = jax.random.normal(jax.random.key(1), (5, 4)) * 3
    E = jax.nn.one_hot(jnp.array([0, 1, 2, 3, 0]), 4) * 0.6 + 0.1
    if isinstance(fused, SparsemaxCost):
        pytest.skip("it counts what the output does not show")

    def both(z, E, end):
        forms = [lambda z: fused.behind(z, E, end), lambda z: fused.each(end()(z), E)]
        return [form(z) for form in forms], [jax.grad(lambda z, form=form: form(z).sum())(z) for form in forms]

    for end in fused.canonical_activations:
        values, slopes = jax.jit(both, static_argnums=2)(z, E, end)
        np.testing.assert_allclose(*values, rtol=1e-5)
        np.testing.assert_allclose(*slopes, rtol=1e-4, atol=1e-6)


INFINITE = jnp.array([[-1, 0], [0, -1], [1, 0], [0, 1], [-1, 1], [-1, -1], [1, 1]]) * jnp.inf
INFINITE = jnp.where(jnp.isnan(INFINITE), 0, INFINITE)


@pytest.mark.by_turns(3)
def test_behind_its_canonical_activation_only_nan_makes_nan(fused):
    E = jnp.array([[1.0, 1.0]] if fused.targets.above else [[0.0, 1.0]]).repeat(len(INFINITE), 0)

    def both(z, end):
        return fused.behind(z, E, end), jax.grad(lambda z: fused.behind(z, E, end).sum())(z)

    for end in fused.canonical_activations:
        value, slope = jax.jit(both, static_argnums=1)(INFINITE, end)
        assert not jnp.isnan(value).any()
        assert not jnp.isnan(slope).any()
        assert jnp.isnan(jax.jit(fused.behind, static_argnums=2)(INFINITE.at[0, 0].set(jnp.nan), E, end)[0])


FAR = (0.0, 1e-30, 1.0, 17.0, 50.0, 88.0, 104.0, 1e4)
EXTREMES = [
    ([sign * far, 0.0, -1.0], E)
    for far in FAR
    for sign in (1, -1)
    for E in ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5])
]


def exact_canonical(entropy, z):
    """The canonical activation's output for one example, in the precision of the moment."""
    z = [mpmath.mpf(value) for value in z]
    if isinstance(entropy, CrossEntropy):
        return [1 / (1 + mpmath.exp(-value)) for value in z]
    total = sum(map(mpmath.exp, z))
    return [mpmath.exp(value) / total for value in z]


def test_behind_its_canonical_activation_the_derivative_is_the_error_however_far(entropy):
    z, E = (jnp.array(side) for side in zip(*EXTREMES, strict=True))
    gradient = jax.jit(jax.grad(lambda z: entropy.behind(z, E).sum()))(z)
    truth = np.array([exact_canonical(entropy, z) for z, _ in EXTREMES], float) - E
    np.testing.assert_allclose(gradient, truth, rtol=1e-6, atol=1e-7)


def test_behind_its_canonical_activation_the_value_is_exact_however_far(entropy):
    z, E = (jnp.array(side) for side in zip(*EXTREMES, strict=True))
    log = np.vectorize(lambda a: mpmath.log(a) if a else 0, otypes=[object])  # of 0 only with a factor 0 before it
    for (logits, expected), value in zip(EXTREMES, jax.jit(entropy.behind)(z, E).tolist(), strict=True):
        with mpmath.workdps(60 + int(abs(logits[0]))):
            columns = {
                "a": np.array(exact_canonical(entropy, logits)),
                "E": np.array([mpmath.mpf(e) for e in expected]),
            }
            truth = eval(entropy.textbook, {"__builtins__": {}}, {"sum": np.sum, "ln": log} | columns)
        assert value == pytest.approx(float(truth), rel=1e-6, abs=1e-38), (logits, expected)


def test_sure_and_wrong_keeps_its_whole_gradient():
    z = jnp.array([[-50.0]])
    assert jax.jit(jax.grad(lambda z: CrossEntropy().behind(z, jnp.array([[1.0]])).sum()))(z) == -1
    z = jnp.array([[-50.0, 50.0]])
    gradient = jax.jit(jax.grad(lambda z: CategoricalCrossEntropy().behind(z, jnp.array([[1.0, 0.0]])).sum()))(z)
    assert gradient.tolist() == [[-1, 1]]


def test_an_impossible_class_that_is_not_expected_costs_nothing():
    z, E = jnp.array([[0.0, -jnp.inf, 0.0]]), jnp.array([[1.0, 0.0, 0.0]])
    value, gradient = jax.value_and_grad(lambda z: CategoricalCrossEntropy().behind(z, E).sum())(z)
    assert float(value) == pytest.approx(np.log(2))
    np.testing.assert_allclose(gradient, [[-0.5, 0, 0.5]], atol=1e-7)


@pytest.mark.parametrize("unfused", [CrossEntropy(), CategoricalCrossEntropy(), KullbackLeibler()], ids=repr)
def test_0_ln_0_is_0_in_value_and_gradient(unfused):
    a, E = jnp.array([[1.0, 0.0]]), jnp.array([[1.0, 0.0]])
    value, gradient = jax.value_and_grad(lambda a: unfused(a, E))(a)
    assert value == 0
    assert gradient[0, 0] == -1
    assert jnp.isfinite(gradient).all()
