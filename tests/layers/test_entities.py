import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.layers.entities import EntityEmbedding
from chainrule.notation import as_chain, parse
from chainrule.training import fit


def test_categories_are_looked_up_and_numbers_pass():
    first, second = np.arange(4.0).reshape(2, 2), 10 + np.arange(6.0).reshape(3, 2)
    x = np.array([[1, 2, 0.5], [0, 0, -0.5], [-1, 3, 7]], np.float32)
    y = EntityEmbedding((2, 3), units=2).forward({"tables": (first, second)}, x)
    expected = [[*first[1], *second[2], 0.5], [*first[0], *second[0], -0.5], [0, 0, 0, 0, 7]]
    np.testing.assert_array_equal(y, expected)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("x", [-0.5, 0.9, 1.25, np.nan, np.inf, -np.inf, -1, 2, 1e30])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_is_no_category_is_zeros(x, kind):
    layer, p = EntityEmbedding((2,), units=3), {"tables": (jnp.ones((2, 3)),)}
    for forward in (layer.forward, jax.jit(layer.forward)):
        assert forward(p, np.array([[x]], kind)).tolist() == [[0, 0, 0]]
    assert not jax.grad(lambda p: layer.forward(p, np.array([[x]], kind)).sum())(p)["tables"][0].any()


def test_a_type_that_rounds_ids_is_refused():
    layer = EntityEmbedding((2, 2049), units=3)
    p = {"tables": (jnp.ones((2, 3)), jnp.ones((2049, 3)))}
    assert layer.forward(p, np.array([[1, 2048]], np.float32)).all()
    with pytest.raises(ChainruleError) as caught:
        layer.forward(p, np.array([[1, 2048]], np.float16))
    assert str(caught.value) == (
        "EntityEmbedding((2, 2049), units=3): float16 holds whole numbers up to 2,048 only, of 2,049 ids. "
        "Give integers, or a wider type."
    )


def test_standardised_categories_are_refused_in_training():
    x, y = np.array([[0, 1, 0.5], [-1, 0.25, 0.5]]), np.array([1.0, 2.0])
    network = "EntityEmbedding((2, 3), units=2) >> Dense(1)"
    with pytest.raises(ChainruleError) as caught:
        fit(network, x, y)
    assert str(caught.value) == (
        "fit: x[1, 1] is 0.25, expected a category's number 0, 1, …, or −1 for none. Number the categories "
        "(OrdinalEncoder) and do not standardise them."
    )
    x[1, 1] = 2
    assert np.isfinite(fit(network, x, y, epochs=1, batch_size="all", progress=False)(x)).all()


def test_it_stands_in_a_chain_and_in_notation():
    chain = as_chain("EntityEmbedding((2, 3), units=5) >> Dense(1)")
    assert chain.output_shape((4,)) == (1,)
    assert parse(repr(chain)) == chain
