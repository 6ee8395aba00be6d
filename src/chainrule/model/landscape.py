"""The cost of a network over a plane through its parameters: a surface that can be looked at."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.compilation import at_once, compiled, quickly
from chainrule.costs import Cost
from chainrule.formula.context import INFERENCE
from chainrule.formula.layer import Chain

AT_ONCE, BLOCK = 32, 512
"""Places of the plane whose costs are computed together, and of a call: one program does for any number of them."""


class Plane(NamedTuple):
    """Parameters of two coordinates: the origin, and from it so much of each of two directions.

    Attributes:
        origin, first, second: trees of parameters.
    """

    origin: Any
    first: Any
    second: Any

    def parameters(self, x: Any, y: Any) -> Any:
        """Those at a place.

        >>> plane = Plane({"w": jnp.zeros(2)}, {"w": jnp.array([1.0, 0.0])}, {"w": jnp.array([0.0, 1.0])})
        >>> plane.parameters(2.0, 3.0)["w"].tolist()
        [2.0, 3.0]
        """
        return jax.tree.map(lambda w, one, other: w + x * one + y * other, *self)


@compiled(compiler=at_once)
def random_plane(parameters: Any, key: Any) -> Plane:
    """A plane through parameters along two random directions, which are as long as the parameters are, unit by unit.

    Each unit's part of a direction is drawn from a normal distribution and has the length of that unit's own weights,
    so that a step of 1 means as much in every layer; biases and other single numbers stay as they are.

    Source: Li et al. (2018), "Visualizing the loss landscape of neural nets".

    >>> plane = random_plane({"kernel": jnp.array([[3.0, 0.0], [4.0, 1.0]]), "bias": jnp.ones(2)}, jax.random.key(0))
    >>> jnp.linalg.norm(plane.first["kernel"], axis=0).round(4).tolist(), plane.first["bias"].tolist()
    ([5.0, 1.0], [0.0, 0.0])
    """
    return Plane(parameters, *(_like(parameters, each) for each in jax.random.split(key)))


@compiled(compiler=at_once)
def plane_to(begin: Any, end: Any, key: Any) -> Plane:
    """The plane through the parameters with which a training began, at (0, 0), and those that it has, at (1, 0).

    The other direction is random, as in `random_plane`.

    >>> plane = plane_to({"kernel": jnp.zeros((2, 1))}, {"kernel": jnp.ones((2, 1))}, jax.random.key(0))
    >>> plane.parameters(1.0, 0.0)["kernel"].tolist()
    [[1.0], [1.0]]
    """
    return Plane(begin, jax.tree.map(jnp.subtract, end, begin), _like(end, key))


def _like(parameters: Any, key: Any) -> Any:
    """A random direction whose units are as long as those of parameters."""
    leaves, structure = jax.tree.flatten(parameters)
    keys = jax.random.split(key, max(len(leaves), 1))
    return jax.tree.unflatten(structure, [_drawn(w, each) for w, each in zip(leaves, keys, strict=False)])


def _drawn(w: jax.Array, key: Any) -> jax.Array:
    if w.ndim < 2:
        return jnp.zeros_like(w)
    axes = tuple(range(w.ndim - 1))  # the last one counts the units
    drawn = jax.random.normal(key, w.shape, w.dtype)
    length, own = (jnp.sqrt(jnp.sum(jnp.square(each), axes, keepdims=True)) for each in (drawn, w))
    return drawn * own / length


class Landscape(NamedTuple):
    """The mean cost of examples over a plane, which is a function of two coordinates.

    Attributes:
        network, cost: of which it is.
        state: the network's statistics.
        plane: of its parameters.
        x, E: the examples.

    >>> from chainrule.costs import Quadratic
    >>> from chainrule.layers import Dense
    >>> direction = lambda *of: ({"kernel": jnp.array([[of[0]]]), "bias": jnp.array([of[1]])},)
    >>> plane = Plane(direction(0.0, 0.0), direction(1.0, 0.0), direction(0.0, 1.0))
    >>> x, E = jnp.array([[1.0], [2.0]]), jnp.array([[3.0], [5.0]])
    >>> cost = Landscape(Chain((Dense(1),)), Quadratic(), ({},), plane, x, E)
    >>> cost(2.0, 1.0).item(), cost(np.array([2.0, 0.0]), np.array([1.0, 0.0])).tolist()
    (0.0, [0.0, 8.5])
    """

    network: Chain
    cost: Cost
    state: Any
    plane: Plane
    x: Any
    E: Any

    def __call__(self, x: Any, y: Any) -> Any:
        """The cost at a place, or at each of some."""
        return _at(self, x, y) if np.ndim(x) == 0 else _over(self, np.asarray(x), np.asarray(y))


@compiled()
def _at(landscape: Landscape, x: Any, y: Any) -> Any:
    network, cost, state, plane, rows, E = landscape
    *body, last = network.layers
    parameters, a = plane.parameters(x, y), rows
    whole = type(last) in cost.canonical_activations
    for place, layer in enumerate(body if whole else network.layers):
        a, _, _ = layer.through(parameters[place], state[place], a, INFERENCE)
    if whole:
        _, each, _ = cost.through(Chain((last,)), parameters[-1:], state[-1:], a, E)
        return jnp.mean(each)
    return jnp.mean(cost.each(a, cost.expected(a, E)))


def _over(landscape: Landscape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The costs at places, a block at a time, the last of which is filled up."""
    places = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    blocks = np.pad(places, ((0, -len(places) % BLOCK), (0, 0))).reshape(-1, BLOCK, 2)
    costs = [np.asarray(_block(landscape, block)) for block in blocks]
    return np.concatenate(costs)[: len(places)].reshape(x.shape)


@compiled(compiler=quickly)
def _block(landscape: Landscape, places: Any) -> Any:
    return jax.lax.map(lambda place: _at(landscape, *place), places, batch_size=AT_ONCE)
