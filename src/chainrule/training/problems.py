"""Problems of one structure, computed with together under `vmap`: what differs among them is counted by an axis."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.compilation import compiled, quickly, usually
from chainrule.arrays.masked import Shape
from chainrule.arrays.sparse import dense
from chainrule.kernels.rows import take
from chainrule.regularizers import penalty
from chainrule.training.batches import batch
from chainrule.training.step import Problem, State, looped, step

MANY = 64  # networks side by side


class Problems:
    """Those of several networks, whose states are one, with an axis in front of each array.

    A number that all have alike is no axis's, so that what depends on it alone is computed once.

    Args:
        problems: of one structure.
        quick: whether the programs are compiled fast, which run a little slower.
    """

    def __init__(self, problems: Sequence[Problem], quick: bool = False):
        self.numbers, self.known = _together(problems)
        self.outputs = _together([(problem.network, problem.cost) for problem in problems])  # all that measuring needs
        self.regularized = problems[0].regularizer is not None
        self.quick = quick

    def run(
        self, state: State, examples: Any, order: Any, records: Any, first: int, last: int, batch_size: int
    ) -> tuple[State, Any]:
        """`step.run` of each; records are (steps, networks, figures), an order is that of all, or (networks, rows)."""
        run = _run_quick if self.quick else _run
        return run(self.numbers, state, examples, order, records, first, last, batch_size=batch_size, **self.known)

    def assess(self, state: State, x: Any, E: Any, rows: Any) -> tuple[Any, Any]:
        """The outputs for some rows and their costs, (rows, networks, …); rows are of all, or (rows, networks)."""
        (numbers, known), assess = self.outputs, _assess_quick if self.quick else _assess
        return assess(numbers, state.parameters, state.statistics, x, E, rows, **known)

    def penalties(self, state: State, shape: Shape) -> np.ndarray:
        """What the regulariser adds to the cost of each."""
        if not self.regularized:
            return np.zeros(len(state.step))
        return np.asarray(_penalties(self.numbers, state.parameters, shape=shape, **self.known))


def _together(formulas: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
    """The numbers of formulas of one structure, and how to make the formulas of them."""
    each = [*zip(*map(jax.tree.leaves, formulas), strict=True)]
    axes = tuple(None if len({*numbers}) == 1 else 0 for numbers in each)
    numbers = [of[0] if axis is None else np.array(of) for of, axis in zip(each, axes, strict=True)]
    return numbers, {"structure": jax.tree.structure(formulas[0]), "axes": axes}


def _runs(
    numbers: Any,
    state: State,
    examples: Any,
    order: Any,
    records: Any,
    first: Any,
    last: Any,
    *,
    structure: Any,
    axes: Any,
    batch_size: int,
) -> tuple[State, jax.Array]:
    of_each = [number for number, axis in zip(numbers, axes, strict=True) if axis is not None]
    of_all, orders = (None, order) if np.ndim(order) > 1 else (order, None)

    def side_by_side(each: tuple[Any, Any, State, jax.Array]) -> tuple[State, jax.Array]:
        own_numbers, orders, state, records = each

        def one(state: State, index: jax.Array) -> tuple[State, jax.Array]:

            def own(own_numbers: Any, order: Any, state: State) -> tuple[State, jax.Array]:
                others = iter(own_numbers)
                problem = structure.unflatten(
                    number if axis is None else next(others) for number, axis in zip(numbers, axes, strict=True)
                )
                return step(problem, state, *batch(examples, of_all if order is None else order, index, batch_size))

            return jax.vmap(own)(own_numbers, orders, state)

        return looped(one, state, records, first, last)

    networks = len(state.step)
    together = _at_once(networks)
    if together == networks:
        return side_by_side((of_each, orders, state, records))
    groups = -1, together
    each = jax.tree.map(lambda array: array.reshape(*groups, *array.shape[1:]), (of_each, orders, state))
    some = jnp.moveaxis(records.reshape(len(records), *groups, records.shape[2]), 1, 0)
    state, some = jax.lax.map(side_by_side, (*each, some))
    state = jax.tree.map(lambda array: array.reshape(networks, *array.shape[2:]), state)
    return state, jnp.moveaxis(some, 0, 1).reshape(records.shape)


def _at_once(networks: int) -> int:
    """How many are computed side by side: on a CPU few of many, since its caches hold no more; none are left over."""
    most = max(count for count in range(1, MANY + 1) if networks % count == 0)
    return networks if jax.default_backend() != "cpu" or most < MANY // 4 else most


def _assesses(
    numbers: Any, parameters: Any, statistics: Any, x: Any, E: Any, rows: Any, *, structure: Any, axes: Any
) -> tuple[Any, jax.Array]:

    def own(numbers: Any, parameters: Any, statistics: Any, rows: jax.Array) -> tuple[Any, jax.Array]:
        network, cost = structure.unflatten(numbers)
        some, expected = jax.tree.map(lambda array: take(array, rows), (x, E))
        a, each, _ = cost.through(network, parameters, statistics, dense(some), expected)
        return a, each

    in_axes = [*axes], 0, 0, None if np.ndim(rows) < 2 else 1
    return jax.vmap(own, in_axes, out_axes=1)(numbers, parameters, statistics, rows)


_run, _run_quick = (compiled(compiler=compiler)(_runs) for compiler in (usually, quickly))
_assess, _assess_quick = (compiled(compiler=compiler)(_assesses) for compiler in (usually, quickly))


@compiled()
def _penalties(numbers: Any, parameters: Any, *, structure: Any, axes: Any, shape: Shape) -> jax.Array:

    def own(numbers: Any, parameters: Any) -> jax.Array:
        problem: Problem = structure.unflatten(numbers)
        return penalty(problem.regularizer, problem.network, shape, parameters)

    return jax.vmap(own, ([*axes], 0))(numbers, parameters)
