"""What is particular to activations of several values: ties, infinities, shapes and masks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import CReLU, LogSoftmax, Maxout, Softmax, Softmin
from chainrule.arrays.masked import Masked
from chainrule.errors import ChainruleError
from chainrule.formula.layer import outputs_of
from chainrule.layers import RNN, Dense
from chainrule.notation import parse


def test_the_logarithms_keep_their_digits_where_probabilities_are_near_1_or_too_small():
    y, slopes = jax.jit(lambda z: (LogSoftmax()(z), jax.jacobian(LogSoftmax())(z)))(jnp.array([0.0, -30.0, -1e4]))
    np.testing.assert_allclose(y, [-np.exp(-30), -30, -1e4], rtol=1e-6)
    np.testing.assert_allclose(slopes[0], [np.exp(-30), -np.exp(-30), 0], rtol=1e-5)
    assert LogSoftmax()(jnp.array([0.0, -jnp.inf])).tolist() == [0, -jnp.inf]


def test_the_smallest_has_the_largest_part():
    z = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
    np.testing.assert_array_equal(Softmin()(z), Softmax()(-z))
    assert Softmin()(jnp.array([3e38, -3e38, jnp.inf])).tolist() == [0, 1, 0]


def test_maxout_takes_the_largest_of_channels_beside_each_other():
    x = np.random.default_rng(0).normal(size=(3, 2, 6)).astype(np.float32)
    np.testing.assert_array_equal(Maxout(3)(x), x.reshape(3, 2, 2, 3).max(axis=-1))
    slopes = jax.grad(lambda x: Maxout(2)(x).sum())(jnp.array([1.0, 1.0, -jnp.inf, -jnp.inf, 0.0, 5.0]))
    assert slopes.tolist() == [1, 0, 1, 0, 0, 1]
    assert (Dense(8) >> Maxout(4)).output_shape((3,)) == (2,)


def test_crelu_is_both_rectifiers_beside_each_other():
    both = jax.jit(lambda x, g: (CReLU()(x), jax.vjp(CReLU(), x)[1](g)[0]))
    value, back = both(np.float32([-1, 0, 2]), np.arange(1, 7, dtype=np.float32))
    assert value.tolist() == [0, 0, 2, 1, 0, 0]
    assert back.tolist() == [-4, 0, 3]
    assert CReLU()(np.uint8([1, 200])).tolist() == [1, 200, 0, 0]


@pytest.mark.parametrize(
    ("text", "shape", "said"),
    [
        ("Maxout(4)", (6,), "a multiple of 4 channels, got shape (6,). Put Dense(4 * units) before it."),
        ("CReLU()", (), "examples of at least one axis, got shape (). Put Reshape((1,)) before it."),
        ("Softmax()", (), "examples of at least one axis, got shape (). Put Reshape((1,)) before it."),
    ],
)
def test_what_does_not_fit_is_refused(text, shape, said):
    with pytest.raises(ChainruleError) as refused:
        parse(text).output_shape(shape)
    assert str(refused.value) == f"{text}: expected {said}"


def test_a_recurrent_layer_refuses_an_activation_that_changes_its_units():
    with pytest.raises(ChainruleError) as refused:
        RNN(3, activation=CReLU())
    assert str(refused.value) == (
        "RNN: expected an activation that keeps the 3 units, got CReLU(), which makes 6 of them. "
        "Choose another one, or put it behind the layer."
    )


@pytest.mark.parametrize("activation", [Softmax(), CReLU(), Maxout(2)], ids=repr)
def test_steps_of_unequal_length_are_never_taken_for_channels(activation):
    mask = jnp.arange(4)[None] < jnp.array([[4], [2]])
    steps = Masked(jnp.ones((2, 4)), mask)
    with pytest.raises(ChainruleError, match="mixes the steps of sequences of unequal length"):
        outputs_of(activation, {}, {}, steps)
    y = outputs_of(activation, {}, {}, Masked(jnp.ones((2, 4, 2)), mask))[0]
    assert y.mask.tolist() == mask.tolist()
