import numpy as np

from chainrule.layers.entities import EntityEmbedding
from chainrule.model import as_chain
from chainrule.notation import parse


def test_categories_are_looked_up_and_numbers_pass():
    first, second = np.arange(4.0).reshape(2, 2), 10 + np.arange(6.0).reshape(3, 2)
    x = np.array([[1, 2, 0.5], [0, 0, -0.5], [-1, 3, 7]], np.float32)
    y = EntityEmbedding((2, 3), units=2).forward({"tables": (first, second)}, x)
    expected = [[*first[1], *second[2], 0.5], [*first[0], *second[0], -0.5], [0, 0, 0, 0, 7]]
    np.testing.assert_array_equal(y, expected)


def test_it_stands_in_a_chain_and_in_notation():
    chain = as_chain("EntityEmbedding((2, 3), units=5) >> Dense(1)")
    assert chain.output_shape((4,)) == (1,)
    assert parse(repr(chain)) == chain
