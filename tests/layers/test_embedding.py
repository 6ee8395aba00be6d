"""Embedding: rows by token, and a padding id whose row stays zero and whose steps are masked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.arrays.masked import Masked
from chainrule.errors import ChainruleError
from chainrule.formula.layer import outputs_of
from chainrule.formula.network import count, initialize, regularized
from chainrule.initializers import Constant, Normal
from chainrule.layers import GRU, Dense, Embedding, GlobalAveragePool1D
from chainrule.optimizers import Adam, GradientDescent

KEY = jax.random.key(0)


def test_a_token_is_its_row():
    table = jnp.arange(6.0).reshape(3, 2)
    y = Embedding(3, 2).forward({"table": table}, jnp.array([[2, 0], [1, 1]]))
    np.testing.assert_array_equal(y, table[jnp.array([[2, 0], [1, 1]])])


def test_ids_are_exact_or_refused():
    table = {"table": jnp.arange(2050.0)[:, None]}
    layer = Embedding(2050, 1)
    assert layer.forward(table, jnp.array([2049])).item() == 2049
    assert layer.forward(table, jnp.array([2049.0])).item() == 2049
    for kind, most in ((jnp.float16, "2,048"), (jnp.bfloat16, "256")):
        with pytest.raises(ChainruleError) as caught:
            layer.forward(table, jnp.array([2049], kind))
        assert str(caught.value) == (
            f"{layer!r}: {jnp.dtype(kind)} holds whole numbers up to {most} only, of 2,050 ids. "
            "Give integers, or a wider type."
        )
    large = {"table": jax.ShapeDtypeStruct((2**24 + 1, 1), jnp.float32)}
    with pytest.raises(ChainruleError, match="float32 holds whole numbers up to 16,777,216 only"):
        jax.eval_shape(Embedding(2**24 + 1, 1).forward, large, jax.ShapeDtypeStruct((1, 1), jnp.float32))


def test_only_the_rows_that_were_seen_have_a_gradient_and_repeated_ones_add_up():
    slope = jax.grad(lambda p: Embedding(4, 2).forward(p, jnp.array([[2, 0, 2]])).sum())({"table": jnp.ones((4, 2))})
    assert slope["table"].tolist() == [[1, 1], [0, 0], [2, 2], [0, 0]]


def test_parameters():
    assert count(Embedding(1000, 16), (20,)) == 16_000
    assert regularized(Embedding(1000, 16), (20,)) == {"table": False}
    assert Embedding(1000, 16).tokens == (Embedding(1000, 16) >> Dense(2)).tokens == 1000


def test_the_row_of_padding_is_drawn_zero_and_no_other():
    table = initialize(Embedding(4, 2, padding_id=1, initializer=Constant(3.0)), (5,), KEY)["table"]
    assert table.tolist() == [[3, 3], [0, 0], [3, 3], [3, 3]]


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("optimizer", [GradientDescent(0.5), Adam(0.1)], ids=repr)
def test_the_row_of_padding_stays_zero_in_training(optimizer):
    network = Embedding(5, 3, padding_id=0, initializer=Normal(1.0)) >> GRU(4) >> Dense(1)
    tokens = jnp.array([[1, 2, 0, 0], [3, 4, 1, 0]])
    first = p = jax.jit(lambda: initialize(network, (4,), KEY))()

    @jax.jit
    def step(p, state):
        slopes = jax.grad(lambda p: jnp.mean((network.forward(p, tokens) - 1) ** 2))(p)
        updates, state = optimizer.update(slopes, state, p)
        return jax.tree.map(jnp.add, p, updates), state

    state = jax.jit(optimizer.init)(p)
    for _ in range(3):
        p, state = step(p, state)
    assert not p[0]["table"][0].any()
    assert (p[0]["table"] != first[0]["table"]).any(axis=1).tolist() == [False, True, True, True, True]


def test_the_row_of_padding_does_not_show_though_it_be_loaded_with_other_values():
    y, _ = outputs_of(Embedding(3, 2, padding_id=1), {"table": jnp.ones((3, 2))}, {}, jnp.array([[0, 1]]))
    assert isinstance(y, Masked)
    assert y.values.tolist() == [[[1, 1], [0, 0]]]
    assert y.mask.tolist() == [[True, False]]


def test_the_mask_reaches_the_layers_behind_others():
    network = Embedding(5, 3, padding_id=0) >> Dense(4) >> GlobalAveragePool1D()
    p = initialize(network, (4,), KEY)
    y = network.forward(p, jnp.array([[1, 2, 0, 0]]))
    np.testing.assert_allclose(y, network.forward(p, jnp.array([[1, 2]])), rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Embedding(3, 2, padding_id=3),
         "Embedding: padding_id must be one of the 3 tokens, got 3. They count from 0."),
        (lambda: Embedding(3, 2, padding_id=-1),
         "Embedding: padding_id must be a whole number >= 0, or None, got -1. The default is None."),
        (lambda: Embedding(0, 2), "Embedding: vocabulary must be a whole number >= 1, got 0."),
        (lambda: Embedding(3, 2, padding_id=0).output_shape((4, 5)),
         "Embedding(3, 2, padding_id=0): expected sequences (time,), where some tokens are padding, "
         "got shape (4, 5). Leave padding_id out."),
    ],
    ids=range(4),
)  # fmt: skip
def test_error_texts(make, message):
    with pytest.raises(ChainruleError) as caught:
        make()
    assert str(caught.value) == message
