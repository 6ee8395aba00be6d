"""Costs: the derivatives that formulas.md prints, and networks that end in a cost's canonical activation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import Identity, ReLU, Sigmoid, Softmax
from chainrule.costs import CategoricalCrossEntropy, CrossEntropy, Quadratic
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain, Context
from chainrule.formula.network import initialize
from chainrule.layers import Dense, Dropout

KEY = jax.random.key(0)
A = jnp.array([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05]])
E = jnp.array([[0.0, 1.0, 0.0], [0.2, 0.5, 0.3]])


@pytest.mark.parametrize(
    ("cost", "derivative"),
    [(Quadratic(), A - E), (CrossEntropy(), (A - E) / ((1 - A) * A)), (CategoricalCrossEntropy(), -E / A)],
    ids=["Quadratic", "CrossEntropy", "CategoricalCrossEntropy"],
)
def test_the_derivative_by_a(cost, derivative):
    np.testing.assert_allclose(jax.jit(jax.grad(lambda a: cost.each(a, E).sum()))(A), derivative, rtol=1e-5)


@pytest.mark.parametrize("cost", [CrossEntropy(), CategoricalCrossEntropy()], ids=repr)
def test_behind_the_canonical_activation_the_derivative_is_a_minus_e(cost):
    z = jnp.array([[0.3, -2.0, 1.0], [5.0, 0.0, -5.0]])
    gradient = jax.grad(lambda z: cost.behind(z, E).sum())(z)
    np.testing.assert_allclose(gradient, cost.canonical_activations[0]()(z) - E, atol=1e-6)


def test_impossible_outputs_cost_infinity():
    assert CategoricalCrossEntropy()(jnp.array([[0.0, 1.0]]), jnp.array([0])) == jnp.inf
    assert CrossEntropy()(jnp.array([[0.0]]), jnp.array([[1.0]])) == jnp.inf


def test_integer_targets_of_the_same_shape_are_values():
    a = jnp.array([[0.25, 0.5]])
    assert CrossEntropy()(a, jnp.array([[1, 0]])) == CrossEntropy()(a, jnp.array([[1.0, 0.0]]))


def test_floats_are_no_class_numbers():
    with pytest.raises(ChainruleError, match="got float32 of shape"):
        CategoricalCrossEntropy()(A, jnp.array([0.0, 1.0]))


ENDS = [
    (CategoricalCrossEntropy(), Softmax()),
    (CrossEntropy(), Sigmoid()),
    (CrossEntropy(), Softmax()),
    (Quadratic(), Sigmoid()),
    (Quadratic(), Dense(3)),
]


@pytest.mark.parametrize(("cost", "end"), ENDS, ids=repr)
def test_through_a_network_it_is_the_cost_of_the_output(cost, end):
    network = Dense(5) >> ReLU() >> Dense(3) >> end
    p, x, classes = initialize(network, (4,), KEY), jax.random.normal(KEY, (6, 4)), jnp.array([0, 1, 2, 0, 1, 2])
    a, each, state = jax.jit(cost.through)(network, p, network.state((4,)), x, classes)
    np.testing.assert_allclose(a, network.forward(p, x), rtol=1e-5)
    np.testing.assert_allclose(each, cost.each(a, jax.nn.one_hot(classes, 3)), rtol=1e-5)
    assert jax.tree.structure(state) == jax.tree.structure(network.state((4,)))


@pytest.mark.parametrize(("cost", "end"), ENDS[:2], ids=repr)
def test_through_a_network_that_is_sure_and_wrong_the_gradient_is_whole(cost, end):
    network = Chain((end,))
    gradient = jax.grad(lambda x: cost.through(network, ({},), ({},), x, jnp.array([[1.0, 0.0]]))[1].sum())
    assert gradient(jnp.array([[-500.0, 500.0]])).tolist() == [[-1, 1]]


@pytest.mark.parametrize(("cost", "end"), [ENDS[0], (Quadratic(), Identity())], ids=repr)
def test_through_a_network_no_gradient_passes_through_the_outputs(cost, end):
    network, x, E = Chain((end,)), jnp.array([[3.0, 2.0]]), jnp.array([[1.0, 0.0]])

    def outputs_and_cost(x):
        a, each, _ = cost.through(network, ({},), ({},), x, E)
        return a[0, 0], each[0]

    of_outputs, of_cost = jax.jacobian(outputs_and_cost)(x)
    assert not of_outputs.any()
    assert of_cost.all()


def test_through_a_network_noise_is_that_of_the_network():
    network = Dropout(0.5) >> Dense(3) >> Softmax()
    p, x = initialize(network, (4,), KEY), jnp.ones((6, 4))
    state = network.state((4,))
    a, _, _ = CategoricalCrossEntropy().through(network, p, state, x, jnp.zeros(6, jnp.int32), Context(KEY))
    np.testing.assert_allclose(a, network.apply(p, state, x, Context(KEY))[0], rtol=1e-5)
