"""Layers around another one, whose kernels they normalise.

A kernel is an array that regularisers apply to, seen as a matrix of all its axes but the last by the last, that of the
outputs. Each kernel in the layer is normalised by itself, in a composition and in each repetition too.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from chainrule.arrays.devices import put
from chainrule.arrays.dtypes import of_axes, widened
from chainrule.arrays.masked import Shape, shape_of
from chainrule.arrays.precision import exactly
from chainrule.errors import ChainruleError
from chainrule.formula.around import Around
from chainrule.formula.constraints import positive_int
from chainrule.formula.layer import Parameter
from chainrule.formula.network import is_parameter, of_each

WARM = 15  # power iterations of a kernel that has no vector yet, as in PyTorch
LEAST = 1e-12  # of which a vector of length 0 is divided


class Reparametrized(Around):
    """A layer around one that has kernels."""

    @abstractmethod
    def of_layer(self, p: Any, state: Any) -> tuple[Any, Any]:
        """The parameters and the state that are those of the layer within."""

    @abstractmethod
    def resolved(self, shape: Shape, p: Any, state: Any) -> tuple[Any, Any]:
        """The layer's parameters, with the kernels that it computes with, and what is followed from step to step."""

    def parameters(self, shape):
        self.kernels(shape)  # which refuses a layer without any
        return super().parameters(shape)

    def kernels(self, shape: Shape, p: Any = None) -> list[Any]:
        """The kernels among the layer's parameters, or among their declarations."""
        declared, tree = jax.tree.flatten(self.layer.parameters(shape), is_leaf=is_parameter)
        own = declared if p is None else tree.flatten_up_to(p)
        found = [each for each, one in zip(own, declared, strict=True) if _is_kernel(one)]
        if not found:
            raise ChainruleError(
                f"{type(self).__name__}: expected a layer with kernels, got {self.layer!r}, which has none. "
                f"Put it around a dense, convolutional or recurrent layer."
            )
        return found

    def scaled(self, shape: Shape, p: Any, factors: Sequence[jax.Array]) -> Any:
        """The layer's parameters with each kernel times a factor, one for all of it or one for each output."""
        declared, tree = jax.tree.flatten(self.layer.parameters(shape), is_leaf=is_parameter)
        of, own = iter(factors), zip(declared, tree.flatten_up_to(p), strict=True)
        return tree.unflatten([of_each(one.repeated, _times)(w, next(of)) if _is_kernel(one) else w for one, w in own])


class WeightNorm(Reparametrized):
    """Weight normalisation: each output's weights are a length g times the direction of a vector v, both learned.

    The parameters are those of the layer, whose kernels are the directions, and a vector of lengths for each kernel,
    which regularisers apply to. A length begins as that of a kernel that the layer's initialiser draws, so that a
    normal kernel begins as it would without. The published way sets lengths and biases by a first batch; here first
    values are declared, and know of no data.

    PyTorch's weight_norm is the same for layers whose weights have the outputs first; in its transposed convolutions
    they come second, and there a length is an input's.

    Reference: Salimans & Kingma, 2016, Weight normalization: a simple reparameterization to accelerate training of
    deep neural networks, arXiv:1602.07868.

    >>> from chainrule.layers import Dense
    >>> p = {"layer": {"kernel": jnp.array([[3.0], [4.0]])}, "lengths": [jnp.array([10.0])]}
    >>> WeightNorm(Dense(1, bias=False)).forward(p, jnp.array([[1.0, 0.0]])).tolist()
    [[6.0]]
    """

    textbook = """
        kernel[c, f] = g[f] * v[c, f] / sqrt(sum(v[:, f]**2))
        y = layer(x)"""

    def parameters(self, shape):
        own = self.layer.parameters(shape)
        directions = jax.tree.map(lambda one: one._replace(regularized=False), own, is_leaf=is_parameter)
        return {"layer": directions, "lengths": [*map(_lengths, self.kernels(shape))]}

    def of_layer(self, p, state):
        return p["layer"], state

    def resolved(self, shape, p, state):
        each = zip(self.kernels(shape), self.kernels(shape, p["layer"]), p["lengths"], strict=True)
        factors = [of_each(one.repeated, _towards)(v, g) for one, v, g in each]
        return self.scaled(shape, p["layer"], factors), None

    def through(self, p, state, x, context):
        return self.layer.through(self.resolved(shape_of(x), p, state)[0], state, x, context)


class SpectralNorm(Reparametrized):
    """Spectral normalisation: a kernel divided by its largest singular value, so that no input is stretched further.

    Singular vectors u and v are followed by power iteration from step to step of training, and count as constants in
    gradients; u is the layer's state. Inference goes on from there for as many iterations, and keeps nothing.

    As in PyTorch's older `nn.utils.spectral_norm`; in the newer one, of parametrizations, u comes before v. Keras
    divides the kernel that is trained itself.

    Reference: Miyato, Kataoka, Koyama & Yoshida, 2018, Spectral normalization for generative adversarial networks,
    arXiv:1802.05957.

    >>> from chainrule.layers import Dense
    >>> layer = SpectralNorm(Dense(2, bias=False))
    >>> p = {"kernel": jnp.diag(jnp.array([8.0, 2.0]))}
    >>> layer.apply(p, layer.state((2,)), jnp.ones((1, 2)))[0].round(4).tolist()
    [[1.0, 0.25]]
    """

    iterations: int = positive_int(1, "power iterations of each step")
    textbook = """
        v[t] = W @ u[t-1] / norm(W @ u[t-1])
        u[t] = W.T @ v[t] / norm(W.T @ v[t])
        W_hat = W / (v[t].T @ W @ u[t])
        y = layer(x)"""

    def state(self, shape):
        vectors = [put(np.zeros(_of_outputs(one), np.float32)) for one in self.kernels(shape)]
        return {"layer": self.layer.state(shape), "vectors": vectors}

    def of_layer(self, p, state):
        return p, state["layer"]

    def resolved(self, shape, p, state):
        each = zip(self.kernels(shape), self.kernels(shape, p), state["vectors"], strict=True)
        found = [of_each(one.repeated, self._followed)(w, u) for one, w, u in each]
        factors, vectors = zip(*found, strict=True)
        return self.scaled(shape, p, factors), list(vectors)

    def through(self, p, state, x, context):
        own, vectors = self.resolved(shape_of(x), p, state)
        y, kept, mask = self.layer.through(own, state["layer"], x, context)
        return y, {"layer": kept, "vectors": vectors if context.training else state["vectors"]}, mask

    @exactly
    def _followed(self, kernel: jax.Array, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One over the largest singular value of a kernel, and the vector u after some iterations."""
        matrix = widened(kernel).reshape(math.prod(kernel.shape[:-1]), kernel.shape[-1])
        fixed, fresh = lax.stop_gradient(matrix), ~jnp.any(u)
        first = jax.device_put(np.random.default_rng(0).normal(size=u.shape).astype(matrix.dtype))

        def iterate(_: Any, vectors: tuple) -> tuple:
            v = _unit(fixed @ vectors[1])
            return v, _unit(v @ fixed)

        start = jnp.zeros_like(matrix[:, 0]), jnp.where(fresh, first, u.astype(matrix.dtype))
        v, after = lax.fori_loop(0, jnp.where(fresh, WARM, self.iterations), iterate, start)
        largest = v @ matrix @ after
        return 1 / jnp.where(largest > 0, largest, 1), after.astype(u.dtype)


def _is_kernel(one: Parameter) -> bool:
    """Whether a parameter is one, or as many as there are repetitions."""
    return one.regularized and len(one.shape) - one.repeated > 1


def _of_outputs(one: Parameter) -> Shape:
    """The shape of a number for each output of a kernel."""
    return (*one.shape[: one.repeated], one.shape[-1])


def _lengths(one: Parameter) -> Parameter:
    """The lengths of a kernel's vectors to each output."""

    def draw(key: jax.Array, shape: Shape) -> Any:
        kernel, axes = one.initializer(key, one.shape), tuple(range(one.repeated, len(one.shape) - 1))
        if isinstance(kernel, Tracer):
            return jnp.sqrt(jnp.sum(kernel**2, axes))
        return put(np.sqrt(np.sum(np.square(kernel), axes)))

    return one._replace(shape=_of_outputs(one), initializer=draw)


def _towards(v: jax.Array, g: jax.Array) -> jax.Array:
    """What makes of the vectors v to each output those of lengths g."""
    square = jnp.sum(widened(v) ** 2, tuple(range(v.ndim - 1)))
    return g.astype(square.dtype) * lax.rsqrt(jnp.where(square > 0, square, 1))


def _times(kernel: jax.Array, factor: jax.Array) -> jax.Array:
    """A kernel times a factor, in its own type."""
    return (widened(kernel) * of_axes(factor, kernel)).astype(kernel.dtype)


def _unit(vector: jax.Array) -> jax.Array:
    """A vector of length 1."""
    return vector / jnp.maximum(jnp.sqrt(jnp.sum(vector**2)), LEAST)
