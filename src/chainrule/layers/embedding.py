"""Layers that take tokens: whole numbers that stand for words, letters or categories."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from chainrule.arrays.devices import put
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import constrained, optional, positive_int
from chainrule.formula.layer import Layer, Parameter
from chainrule.initializers import Initializer, Uniform
from chainrule.kernels.rows import take


def token(meaning: str) -> Any:
    """A field for a token."""

    def holds(v: Any) -> bool:
        return type(v) is int and v >= 0

    return constrained(dataclasses.MISSING, meaning, "a whole number >= 0", holds, (-1, 1.5, True, "1"))


class Embedding(Layer):
    """A learned vector for each token: (time,) of whole numbers → (time, units).

    With a padding id, its vector stays zero and its steps are masked for the layers after it.

    Reference: Bengio, Ducharme, Vincent & Jauvin, 2003, A neural probabilistic language model.

    >>> Embedding(1000, 16).output_shape((20,))
    (20, 16)
    """

    vocabulary: int = positive_int(meaning="the number of tokens; ids are 0 up to vocabulary - 1")
    units: int = positive_int(meaning="the length of a token's vector")
    padding_id: int | None = optional(token("the token that fills sequences up"))
    initializer: Initializer = Uniform()
    textbook = "y[t] = table[x[t]]"

    def in_textbook(self):
        return self.textbook if self.padding_id is None else f"{self.textbook} if x[t] != padding_id else 0"

    def __post_init__(self):
        super().__post_init__()
        if self.padding_id is not None and self.padding_id >= self.vocabulary:
            raise ChainruleError(
                f"Embedding: padding_id must be one of the {self.vocabulary} tokens, got {self.padding_id}. "
                f"They count from 0."
            )

    @property
    def tokens(self):
        return self.vocabulary

    def output_shape(self, shape):
        if self.padding_id is not None and len(shape) != 1:
            raise self.refuse("sequences (time,), where some tokens are padding", shape, "Leave padding_id out.")
        return (*shape, self.units)

    def parameters(self, shape):
        return {"table": Parameter((self.vocabulary, self.units), self._with_zero_row(self.initializer))}

    def _with_zero_row(self, initializer: Initializer) -> Callable:
        def draw(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
            table = initializer(key, shape)
            if self.padding_id is None:
                return table
            padding, zero = np.arange(shape[0])[:, None] == self.padding_id, np.float32(0)
            if isinstance(table, Tracer):
                padding, zero = jax.device_put((padding, zero))
                return jnp.where(padding, zero, table)
            return put(np.where(padding, zero, table))

        return draw

    def forward(self, p, x) -> Any:
        check_exact(self, self.vocabulary, x)
        y = take(p["table"], x.astype(jnp.int32))
        if self.padding_id is None:
            return y
        return jnp.where((x != self.padding_id)[..., None], y, 0)

    def output_mask(self, x, mask):
        if self.padding_id is None:
            return super().output_mask(x, mask)
        live = x != self.padding_id
        return live if mask is None else live & mask


def check_exact(layer: Layer, vocabulary: int, x: Any) -> None:
    """Refuse ids of a type that rounds some of them, and so would take another one's row."""
    if jnp.issubdtype(x.dtype, jnp.floating) and vocabulary > (held := int(2 / jnp.finfo(x.dtype).eps)):
        raise ChainruleError(
            f"{layer!r}: {x.dtype} holds whole numbers up to {held:,} only, of {vocabulary:,} ids. "
            f"Give integers, or a wider type."
        )
