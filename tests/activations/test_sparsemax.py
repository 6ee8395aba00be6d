import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import Sparsemax
from chainrule.costs import SparsemaxCost


@pytest.mark.parametrize(
    ("z", "inside"),
    [([0.5, 0.5, 0.25], [1, 1, 1]), ([3, 3, -2], [1, 1, 0]), ([1, 1, 1], [1, 1, 1]), ([2, 9, 9], [0, 1, 1])],
)
def test_where_the_largest_are_alike_the_derivative_is_that_of_the_mean_of_all_inside(z, inside):
    z, inside = jnp.array(z, float), np.array(inside)
    slopes = np.diag(inside) - np.outer(inside, inside) / inside.sum()
    np.testing.assert_allclose(jax.jacrev(Sparsemax())(z), slopes, rtol=1e-6)
    gradient = jax.grad(lambda z: SparsemaxCost().behind(z, jnp.eye(3)[1]))(z)
    np.testing.assert_allclose(gradient, Sparsemax()(z) - np.eye(3)[1], rtol=1e-6)
