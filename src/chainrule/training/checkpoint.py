"""Where a training stands, and going on from there."""

from functools import partial
from typing import Any, NamedTuple

import jax

from chainrule.arrays.masked import Shape
from chainrule.arrays.random import seeded
from chainrule.errors import ChainruleError
from chainrule.model.history import History
from chainrule.training.step import Problem, State, first


class Checkpoint(NamedTuple):
    """Where a training stands after an epoch, all of it: `fit(…, after=checkpoint)` goes on to the same bits."""

    state: State
    best: State
    """The state after the best epoch, where early stopping looks for it."""
    history: History


def as_checkpoint(after: Any) -> Checkpoint | None:
    """What `fit` is to go on from, if anything. Raises `ChainruleError` where it is something else."""
    if after is not None and not isinstance(after, Checkpoint):
        raise ChainruleError(f"fit: after must be the checkpoint that a callback is told, got {type(after).__name__}.")
    return after


def fitting(state: State, problem: Problem, shape: Shape) -> State:
    """A state to go on from, which must have the arrays that the problem's own first state would have."""
    wanted = jax.eval_shape(partial(first, shape=shape), problem, seeded(0))
    if _described(state) != _described(wanted):
        raise ChainruleError(
            "fit: after is the checkpoint of another network or optimizer, whose arrays do not fit. Start afresh."
        )
    return state


def _described(state: State) -> Any:
    return jax.tree.map(lambda array: (array.shape, array.dtype), state)
