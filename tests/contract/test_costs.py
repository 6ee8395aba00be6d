"""What holds for every cost: its textbook form, its shape check, its gradient, and the chain rule at its end."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from chainrule.arrays.masked import Masked
from chainrule.costs import CategoricalCrossEntropy, CrossEntropy, Quadratic
from chainrule.errors import ChainruleError


@pytest.fixture
def fused(cost):
    """A cost that is computed together with its canonical activation."""
    if cost.canonical_activation is None:
        pytest.skip("no canonical activation")
    return cost


def outputs(seed=0, shape=(5, 4)):
    """Outputs and expected outputs that any cost takes: two distributions for each example."""
    rng = np.random.default_rng(seed)
    a, E = (rng.dirichlet(np.full(shape[-1], 3.0), shape[:-1]) for _ in range(2))
    return jnp.asarray(a, jnp.float32), jnp.asarray(E, jnp.float32)


def test_each_example_costs_its_textbook_form(cost):
    a, E = outputs()
    namespace = {"sum": np.sum, "ln": np.log, "exp": np.exp, "sqrt": np.sqrt, "abs": np.abs, "mean": np.mean}
    for each, row, expected in zip(cost.each(a, E), np.float64(a), np.float64(E), strict=True):
        truth = eval(cost.textbook, {"__builtins__": {}}, namespace | {"a": row, "E": expected})
        assert float(each) == pytest.approx(truth, rel=2e-6)


def test_the_gradient_is_that_of_the_textbook_form(cost):
    with jax.enable_x64(True):
        a, E = (jnp.asarray(v, jnp.float64) for v in outputs())
        gradient = jax.jit(jax.grad(lambda a: cost(a, E)))(a)
        steps = 1e-6 * jnp.eye(a.size).reshape(a.size, *a.shape)
        costs = jax.jit(jax.vmap(lambda step: cost(a + step, E)))
        central = (costs(steps) - costs(-steps)) / 2e-6
    np.testing.assert_allclose(gradient.ravel(), central, rtol=1e-5, atol=1e-8)


def test_a_batch_costs_the_weighted_mean_of_its_examples(cost):
    a, E = outputs()
    each = np.float64(cost.each(a, E))
    weights = np.array([1.0, 0.0, 2.0, 0.5, 3.0], np.float32)
    assert cost(a, E).shape == cost(a, E, weights).shape == ()
    assert float(cost(a, E)) == pytest.approx(each.mean(), rel=1e-6)
    assert float(cost(a, E, weights)) == pytest.approx(np.average(each, weights=weights), rel=1e-6)


def test_an_example_of_weight_0_is_as_if_it_were_not_there(cost):
    a, E = outputs()
    weights = jnp.array([1.0, 1.0, 0.0, 1.0, 1.0])
    present = jnp.array([0, 1, 3, 4])
    assert float(cost(a, E, weights)) == pytest.approx(float(cost(a[present], E[present])), rel=1e-6)
    gradient = jax.grad(lambda a: cost(a, E, weights))(a)
    assert not gradient[2].any()
    assert gradient[0].any()


def test_the_class_axis_is_the_last_and_each_step_before_it_is_an_example(cost):
    a, E = outputs(shape=(2, 3, 4))
    flat = cost.each(a.reshape(6, 4), E.reshape(6, 4))
    np.testing.assert_allclose(cost.each(a, E), flat.reshape(2, 3), rtol=1e-6)
    assert float(cost(a, E)) == pytest.approx(float(flat.mean()), rel=1e-6)
    of_rows, of_steps = jnp.array([1.0, 3.0]), jnp.array([[1.0, 0.0, 2.0], [0.5, 1.0, 0.0]])
    for weights, each in ((of_rows, np.repeat([1, 3], 3)), (of_steps, np.ravel(of_steps))):
        assert float(cost(a, E, weights)) == pytest.approx(np.average(flat, weights=each), rel=1e-6)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("padding", [0.0, 1.0, np.nan, np.inf, -1e30])
def test_padding_costs_nothing_whatever_stands_there(cost, padding):
    a, E = outputs(shape=(2, 3, 4))
    mask = jnp.array([[True, True, True], [True, False, False]])
    alone = cost.each(a, E)[mask].mean()
    hidden = [jnp.where(mask[..., None], each, padding) for each in (a, E)]
    value, gradient = jax.value_and_grad(lambda a: cost(Masked(a, mask), hidden[1]))(hidden[0])
    assert float(value) == pytest.approx(float(alone), rel=1e-6)
    assert not gradient[~mask].any()
    np.testing.assert_allclose(gradient[mask], jax.grad(lambda a: cost.each(a, E[mask]).mean())(a[mask]), rtol=1e-5)
    classes = jnp.where(mask, jnp.array([[0, 3, 1], [2, 0, 0]]), -100)  # as PyTorch ignores them
    assert jnp.isfinite(cost(Masked(a, mask), classes))


def test_class_numbers_are_one_hot_targets(cost):
    a, _ = outputs()
    classes = jnp.array([0, 3, 1, 1, 2])
    assert cost(a, classes) == cost(a, jax.nn.one_hot(classes, 4))
    b, _ = outputs(shape=(2, 3, 4))
    assert cost(b, classes[:6].repeat(2)[:6].reshape(2, 3)).shape == ()


def test_a_single_output_takes_a_flat_column(cost):
    a = jnp.array([[0.25], [0.5]])
    assert cost(a, jnp.array([1.0, 0.0])) == cost(a, jnp.array([[1.0], [0.0]])) == cost(a, jnp.array([1, 0]))


@pytest.mark.parametrize(
    "shape", [(5, 1), (5, 3), (4, 4), (1, 4), (4,), (5,), (), (5, 4, 1), (1,)], ids=lambda shape: str(shape)
)
def test_it_refuses_targets_of_another_shape(cost, shape):
    a, _ = outputs()
    with pytest.raises(ChainruleError) as caught:
        cost(a, jnp.zeros(shape, jnp.float32))
    assert str(caught.value) == (
        f"{cost!r}: expected targets of shape (5, 4) or class numbers of shape (5,), "
        f"got float32 of shape {shape}. Reshape the targets."
    )


@pytest.mark.parametrize("shape", [(5, 1), (1,), (), (4,), (1, 5)])
def test_it_refuses_weights_of_another_shape(cost, shape):
    a, E = outputs()
    with pytest.raises(ChainruleError) as caught:
        cost(a, E, jnp.ones(shape))
    assert str(caught.value) == f"{cost!r}: expected weights of shape (5,), one an example, got {shape}."


def test_the_check_works_inside_a_compilation(cost):
    a, _ = outputs()
    with pytest.raises(ChainruleError, match="Reshape the targets"):
        jax.jit(cost)(a, jnp.zeros((5, 1)))


@pytest.mark.parametrize("wrong", [-1, 7])
def test_classes_that_there_are_not_are_refused_with_their_place(cost, wrong):
    a, _ = outputs()
    classes = jnp.array([0, 3, wrong, 1, wrong])
    with pytest.raises(ChainruleError) as caught:
        cost(a, classes)
    assert str(caught.value) == f"{cost!r}: E[2] is {wrong}, expected a class number from 0 to 3."
    each = jax.jit(lambda E: cost.each(a, cost.expected(a, E)))(classes)  # where nobody can look
    assert jnp.isnan(each).tolist() == [False, False, True, False, True]


def test_numbers_that_can_t_be_expected_are_refused_with_their_place(cost):
    least, most = cost.targets.least, cost.targets.most
    a, E = outputs()
    for wrong, bound in ((least - 1, f">= {least}"), (most + 1, f"from {least} to {most}")):
        if np.isfinite(wrong):
            with pytest.raises(ChainruleError) as caught:
                cost(a, E.at[3, 1].set(wrong))
            expected = f"from {least} to {most}" if np.isfinite(most) else bound
            assert str(caught.value) == f"{cost!r}: E[3, 1] is {float(wrong)}, expected a number {expected}."
    cost(a, E.at[0].set(jnp.array([1 + 1e-7, 0, 0, 0], jnp.float32)))  # rounded


def test_complex_outputs_are_refused(cost):
    a, E = outputs()
    with pytest.raises(ChainruleError) as caught:
        cost(a + 0j, E)
    assert str(caught.value) == "Expected real numbers, got complex64. Make of a complex number two real ones."


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_added_up_in_single(cost, dtype):
    E = jnp.full((40, 4), 0.25, dtype).at[0].set(1)
    a, weights = E / 2, jnp.full(40, 3000, dtype)  # which add up to infinity
    truth = cost(*(of.astype(jnp.float32) for of in (a, E, weights)))
    assert cost(a, E, weights) == truth.astype(dtype)
    assert Quadratic()(jnp.full((2, 1), 300, dtype), jnp.zeros((2, 1), dtype)) == jnp.asarray(45_000, dtype)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_it_keeps_the_dtype(cost, dtype):
    a, E = (v.astype(dtype) for v in outputs())
    assert jax.eval_shape(cost, a, E).dtype == dtype


def test_without_a_canonical_activation_there_is_nothing_behind_it(cost):
    if cost.canonical_activation is not None:
        pytest.skip("it has a canonical activation")
    with pytest.raises(NotImplementedError, match="no canonical activation"):
        cost.behind(jnp.zeros((1, 2)), jnp.zeros((1, 2)))


def test_behind_its_canonical_activation_it_is_the_cost_of_the_activation_s_output(fused):
    z = jax.random.normal(jax.random.key(1), (5, 4)) * 3
    E = jax.nn.one_hot(jnp.array([0, 1, 2, 3, 0]), 4) * 0.7 + 0.1
    activation = fused.canonical_activation()
    together, apart = lambda z: fused.behind(z, E), lambda z: fused.each(activation(z), E)
    np.testing.assert_allclose(jax.jit(together)(z), jax.jit(apart)(z), rtol=1e-5)
    slopes = [jax.jit(jax.grad(lambda z, f=f: f(z).sum()))(z) for f in (together, apart)]
    np.testing.assert_allclose(*slopes, rtol=1e-4, atol=1e-6)


FAR = (0.0, 1e-30, 1.0, 17.0, 50.0, 88.0, 104.0, 1e4)
EXTREMES = [
    ([sign * far, 0.0, -1.0], E)
    for far in FAR
    for sign in (1, -1)
    for E in ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5])
]


def exact_canonical(fused, z):
    """The canonical activation's output for one example, in the precision of the moment."""
    z = [mpmath.mpf(value) for value in z]
    if fused.canonical_activation.__name__ == "Sigmoid":
        return [1 / (1 + mpmath.exp(-value)) for value in z]
    total = sum(map(mpmath.exp, z))
    return [mpmath.exp(value) / total for value in z]


def test_behind_its_canonical_activation_the_derivative_is_the_error_however_far(fused):
    z, E = (jnp.array(side) for side in zip(*EXTREMES, strict=True))
    gradient = jax.jit(jax.grad(lambda z: fused.behind(z, E).sum()))(z)
    truth = np.array([exact_canonical(fused, z) for z, _ in EXTREMES], float) - E
    np.testing.assert_allclose(gradient, truth, rtol=1e-6, atol=1e-7)


def test_behind_its_canonical_activation_the_value_is_exact_however_far(fused):
    z, E = (jnp.array(side) for side in zip(*EXTREMES, strict=True))
    log = np.vectorize(lambda a: mpmath.log(a) if a else 0, otypes=[object])  # of 0 only with a factor 0 before it
    for (logits, expected), value in zip(EXTREMES, jax.jit(fused.behind)(z, E).tolist(), strict=True):
        with mpmath.workdps(60 + int(abs(logits[0]))):
            columns = {"a": np.array(exact_canonical(fused, logits)), "E": np.array([mpmath.mpf(e) for e in expected])}
            truth = eval(fused.textbook, {"__builtins__": {}}, {"sum": np.sum, "ln": log} | columns)
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


@pytest.mark.parametrize("unfused", [CrossEntropy(), CategoricalCrossEntropy()], ids=repr)
def test_0_ln_0_is_0_in_value_and_gradient(unfused):
    a, E = jnp.array([[1.0, 0.0]]), jnp.array([[1.0, 0.0]])
    value, gradient = jax.value_and_grad(lambda a: unfused(a, E))(a)
    assert value == 0
    assert gradient[0, 0] == -1
    assert jnp.isfinite(gradient).all()
