"""Keras, on JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import ELU, LeakyReLU, ReLU, Sigmoid, Softmax, Softplus, Tanh
from chainrule.costs import CategoricalCrossEntropy, CrossEntropy, Quadratic
from chainrule.initializers import (
    Eye,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LeCunNormal,
    LeCunUniform,
    TruncatedNormal,
    VarianceScaling,
)
from chainrule.layers import Dense
from chainrule.optimizers import Adadelta, Adagrad, Adam, GradientDescent, Momentum, Nesterov, RMSprop
from chainrule.regularizers import L1, L2, MaxNorm, NonNegative, UnitNorm

keras = pytest.importorskip("keras")

X = jnp.asarray(np.concatenate([np.linspace(-9, 9, 181), [0.0, -0.0, 1e-8, -1e-8]]), jnp.float32)
rng = np.random.default_rng(0)

ACTIVATIONS = {
    Tanh(): keras.activations.tanh,
    Sigmoid(): keras.activations.sigmoid,
    ReLU(): keras.activations.relu,
    LeakyReLU(0.2): keras.activations.leaky_relu,
    ELU(): keras.activations.elu,
    ELU(1.7): lambda x: keras.activations.elu(x, 1.7),
    Softplus(): keras.activations.softplus,
    Softmax(): lambda x: keras.activations.softmax(x[None])[0],
}


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activations(activation):
    x = X[jnp.abs(X) > 0] if isinstance(activation, LeakyReLU) else X

    @jax.jit
    def values_and_slopes(x):
        both = (activation, ACTIVATIONS[activation])
        return [f(x) for f in both], [jax.grad(lambda x, f=f: f(x).sum())(x) for f in both]

    values, slopes = values_and_slopes(x)
    np.testing.assert_allclose(*values, rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(*slopes, rtol=2e-5, atol=6e-7)  # Keras' tanh has lost its slope by then


def test_leaky_relu_at_0_has_the_left_derivative_where_keras_has_the_right_one():
    assert jax.grad(keras.activations.leaky_relu)(0.0) == 1
    assert float(jax.grad(LeakyReLU(0.2))(0.0)) == pytest.approx(0.2)


P = jnp.asarray(rng.uniform(0.05, 0.95, (6, 4)), jnp.float32)
A = P / P.sum(axis=1, keepdims=True)
E = jnp.asarray(rng.integers(0, 2, (6, 4)), jnp.float32)
CLASSES = jnp.asarray(rng.integers(0, 4, 6))
WEIGHTS = jnp.array([1.0, 0.0, 2.0, 0.5, 1.0, 3.0])
COSTS = [
    (Quadratic(), P, E, lambda a: keras.losses.mean_squared_error(E, a) * 2),
    (CrossEntropy(), P, E, lambda a: keras.losses.binary_crossentropy(E, a) * 4),
    (CategoricalCrossEntropy(), A, CLASSES, lambda a: keras.losses.sparse_categorical_crossentropy(CLASSES, a)),
]


@pytest.mark.parametrize(("cost", "a", "expected", "theirs"), COSTS, ids=[repr(cost) for cost, *_ in COSTS])
def test_costs(cost, a, expected, theirs):
    np.testing.assert_allclose(cost.each(a, cost.expected(a, expected)), theirs(a), rtol=1e-5)
    if not isinstance(cost, CategoricalCrossEntropy):  # Keras divides its outputs by their sum, which has a gradient
        both = (lambda a: cost(a, expected), lambda a: theirs(a).mean())
        ours, slopes = (jax.jit(jax.grad(f))(a) for f in both)
        np.testing.assert_allclose(ours, slopes, rtol=1e-5, atol=1e-7)


def test_weights_average_where_keras_divides_by_the_number_of_examples():
    theirs = keras.losses.MeanSquaredError()(E, P, sample_weight=WEIGHTS) * 2
    assert float(Quadratic()(P, E, WEIGHTS) * WEIGHTS.sum() / 6) == pytest.approx(float(theirs), rel=1e-5)


def test_a_network_sure_and_wrong_costs_more_than_keras_clips_to():
    z = jnp.array([[-50.0]])
    assert float(keras.losses.binary_crossentropy(jnp.ones((1, 1)), Sigmoid()(z))[0]) < 17
    assert float(CrossEntropy().behind(z, jnp.ones((1, 1)))[0]) == pytest.approx(50)


START, M = rng.normal(size=(3, 2)).astype(np.float32), jnp.asarray(rng.normal(size=(4, 3)), jnp.float32)
OPTIMIZERS = {
    GradientDescent(0.05): lambda: keras.optimizers.SGD(0.05),
    Momentum(0.05): lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    Nesterov(0.05): lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    Adagrad(0.1): lambda: keras.optimizers.Adagrad(0.1, initial_accumulator_value=0.0, epsilon=1e-8),
    Adadelta(): lambda: keras.optimizers.Adadelta(1.0, rho=0.95, epsilon=1e-6),
    RMSprop(0.01): lambda: keras.optimizers.RMSprop(0.01, rho=0.9, epsilon=1e-8),
    Adam(0.05): lambda: keras.optimizers.Adam(0.05, epsilon=1e-8),
}


@jax.jit
def slope(w):
    return jax.grad(lambda w: jnp.sum(jnp.tanh(M @ w - 1) ** 2))(w)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_optimizers_for_20_steps(optimizer):
    theirs, variable = OPTIMIZERS[optimizer](), keras.Variable(START)
    w, update = jnp.asarray(START), jax.jit(optimizer.update)
    state = optimizer.init(w)
    for _ in range(20):
        theirs.apply([slope(variable.value)], [variable])
        updates, state = update(slope(w), state, w)
        w = w + updates
        np.testing.assert_allclose(w, variable.value, rtol=5e-4, atol=2e-5)


def test_dense():
    x = jnp.asarray(rng.normal(size=(5, 2, 3)), jnp.float32)
    theirs = keras.layers.Dense(4)
    theirs.build((None, 2, 3))
    theirs.bias.assign(rng.normal(size=4))
    p = {"kernel": theirs.kernel.value, "bias": theirs.bias.value}
    np.testing.assert_allclose(Dense(4).forward(p, x), theirs(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (NonNegative(), keras.constraints.NonNeg()),
        (MaxNorm(0.7), keras.constraints.MaxNorm(0.7, axis=(0, 1, 2))),
        (UnitNorm(), keras.constraints.UnitNorm(axis=(0, 1, 2))),
    ],
    ids=["NonNegative", "MaxNorm", "UnitNorm"],
)
def test_constraints(ours, theirs):
    w = jnp.asarray(rng.normal(size=(3, 3, 2, 5)) * [0.1, 0.1, 0.2, 0.3, 1], jnp.float32)
    np.testing.assert_allclose(ours.project(w), theirs(w), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
def test_scaled_variances_are_those_of_keras_and_jax(mode, distribution):
    shape, ours = (3, 3, 60, 40), VarianceScaling(2, mode, distribution)(jax.random.key(0), (3, 3, 60, 40))
    name = "untruncated_normal" if distribution == "normal" else distribution
    for theirs in (
        keras.initializers.VarianceScaling(2, mode, name, seed=0)(shape),
        jax.nn.initializers.variance_scaling(2, mode, distribution)(jax.random.key(1), shape),
    ):
        assert float(ours.var()) == pytest.approx(float(np.var(theirs)), rel=0.03)
        if distribution != "normal":
            assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)


def test_a_truncated_normal_and_the_identity():
    ours = TruncatedNormal(0.3, mean=1)(jax.random.key(0), (300, 200))
    theirs = np.asarray(keras.initializers.TruncatedNormal(1, 0.3, seed=0)((300, 200)))
    assert float(ours.std()) == pytest.approx(theirs.std(), rel=0.01)
    assert float(ours.max()) == pytest.approx(theirs.max(), rel=1e-3)
    np.testing.assert_array_equal(Eye(2)(jax.random.key(0), (3, 5)), keras.initializers.Identity(2)((3, 5)))


def test_regularizers():
    w = jnp.asarray(START)
    assert float(L1(0.3)(w)) == pytest.approx(float(keras.regularizers.L1(0.3)(w)), rel=1e-6)
    assert float(L2(0.3)(w)) == pytest.approx(float(keras.regularizers.L2(0.3)(w)), rel=1e-6)


INITIALIZERS = {
    GlorotUniform(): keras.initializers.GlorotUniform,
    HeUniform(): keras.initializers.HeUniform,
    LeCunUniform(): keras.initializers.LecunUniform,
    GlorotNormal(): keras.initializers.GlorotNormal,
    HeNormal(): keras.initializers.HeNormal,
    LeCunNormal(): keras.initializers.LecunNormal,
}


@pytest.mark.parametrize("initializer", INITIALIZERS, ids=repr)
def test_initializers_of_a_convolution_have_the_same_variance_though_keras_truncates(initializer):
    shape = (3, 3, 60, 40)
    theirs = np.asarray(INITIALIZERS[initializer](seed=0)(shape))
    ours = np.asarray(initializer(jax.random.key(0), shape))
    assert ours.var() == pytest.approx(theirs.var(), rel=0.03)
    if "Uniform" in repr(initializer):
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)
