"""A block as often as one likes, which compiles once."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import real_type
from chainrule.arrays.masked import Shape
from chainrule.arrays.random import split, stacked
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import positive_int
from chainrule.formula.layer import Composition, Layer, Parameter
from chainrule.formula.network import is_parameter


class Repeat(Composition):
    """A block so many times in a row, each time with parameters of its own; it compiles once.

    The block keeps its shape. Parameters and statistics have the repetitions in front, (times, …), and each is drawn,
    regularised and given its noise by itself, as in the chain that is written out.

    >>> from chainrule.activations import Identity, ReLU
    >>> from chainrule.layers import Dense
    >>> Repeat(Identity() + (Dense(64) >> ReLU() >> Dense(8)), 50).output_shape((8,))
    (8,)
    """

    block: Layer
    times: int = positive_int(meaning="how many blocks follow one another")
    textbook = """
        h[i] = block[i](h[i-1])
        y = h[times]"""

    @property
    def tokens(self) -> int | None:
        return self.block.tokens

    @property
    def categories(self) -> int:
        return self.block.categories

    @property
    def learns(self) -> bool:
        if self.block.learns:
            raise ChainruleError(
                f"Repeat: expected a block that learns nothing of the training inputs before the first step, got "
                f"{self.block!r}. Put what does so before it."
            )
        return False

    def parts(self, shape):
        yield self.block, shape

    def walk(self, shape):
        yield from super().walk(shape)
        yield self, shape

    def output_shape(self, shape):
        if (after := self.block.output_shape(shape)) != shape:
            raise ChainruleError(
                f"Repeat: expected a block that keeps its shape, got {self.block!r}, which makes {after} of {shape}. "
                f"End it with as many outputs as it has inputs."
            )
        return shape

    def parameters(self, shape):
        self.output_shape(shape)
        return jax.tree.map(self._stacked, self.block.parameters(shape), is_leaf=is_parameter)

    def state(self, shape):
        return jax.tree.map(lambda first: stacked([first] * self.times), self.block.state(shape))

    def _stacked(self, one: Parameter) -> Parameter:
        """A parameter of the block for all of its repetitions."""

        def draw(key: jax.Array, shape: Shape) -> jax.Array:
            return stacked([one.initializer(own, shape[1:]) for own in split(key, self.times)])

        return one._replace(shape=(self.times, *one.shape), initializer=draw, repeated=one.repeated + 1)

    def through(self, p, state, x, context):
        self.output_shape(x.shape[1:])

        def once(carried: Any, own: Any) -> Any:
            (x, mask), (place, p, state) = carried, own
            y, state, after = self.block.through(p, state, x, context.within(place, mask))
            return (y, jnp.ones_like(mask) if after is None and mask is not None else after), state

        x = x.astype(real_type(x, *jax.tree.leaves(p)))  # as all but the first have it
        (y, mask), state = jax.lax.scan(once, (x, context.mask), (jnp.arange(self.times), p, state))
        return y, state, mask
