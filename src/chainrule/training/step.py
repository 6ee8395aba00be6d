"""One step of training, pure; and many of them as one compiled loop.

Devices may share a batch: then each takes its part, and what is summed over the batch is summed over the devices.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from chainrule.arrays.compilation import compiled, quickly, usually
from chainrule.arrays.devices import on_device, put
from chainrule.arrays.masked import parts, shape_of, step_weights
from chainrule.arrays.random import keyed, words_of
from chainrule.costs import Cost
from chainrule.formula.layer import Chain, Context
from chainrule.formula.network import initialize, parted, trainable, united
from chainrule.kernels.random import noise_key
from chainrule.metrics import MeanMetric
from chainrule.regularizers import Regularizer, penalty, shrunk
from chainrule.training.batches import Examples, batch

SHORT = 1 << 30  # products; below, what a better program gains is less than it takes to compile


class Problem(NamedTuple):
    """The formulas of a training: what is minimised, and how."""

    network: Chain
    cost: Cost
    optimizer: Any
    regularizer: Regularizer | None
    metrics: tuple[MeanMetric, ...]


class State(NamedTuple):
    """All that training changes."""

    parameters: Any
    statistics: Any
    slots: Any
    key: Any
    """The words of the key that noise is drawn from: JAX takes numbers faster than keys."""
    step: Any

    def __reduce__(self) -> tuple[Any, ...]:
        """With NumPy's arrays, which need no JAX to be read again."""
        return _state, tuple(jax.tree.map(np.asarray, tuple(self)))


def _state(*arrays: Any) -> State:
    """A state that was pickled."""
    return State(*on_device(arrays))


def first(problem: Problem, key: jax.Array, shape: tuple[int, ...]) -> State:
    """The state before the first step, for examples of this shape."""
    drawing, noise = words_of(key, 2)
    parameters = initialize(problem.network, shape, keyed(drawing))
    trained, _ = parted(parameters, trainable(problem.network, shape))
    statistics, slots = problem.network.state(shape), problem.optimizer.init(trained)
    return put(State(parameters, statistics, slots, noise, np.zeros((), np.int32)))  # type: ignore[arg-type]


def published(problem: Problem, state: State, shape: tuple[int, ...]) -> State:
    """What is evaluated and kept of a state: the parameters that the optimizer publishes; no slots."""
    parameters, optimizer = state.parameters, problem.optimizer
    if optimizer.publishes:
        trained, frozen = parted(parameters, trainable(problem.network, shape))
        parameters = united(optimizer.published(trained, state.slots), frozen)
    return state._replace(parameters=parameters, slots=())


def step(
    problem: Problem, state: State, x: Any, E: jax.Array, weights: jax.Array, axis: str | None = None
) -> tuple[State, jax.Array]:
    """One step on a batch: the new state, and what is recorded of the batch: weight · (cost, metrics …), weight.

    Along an axis of devices each has rows of its own. What it sums over them are shares, which add up to the cost of
    the batch and to its gradient; of the regulariser's term, which all of them know, each has an equal one.
    """
    network, cost, optimizer, regularizer, metrics = problem
    shape = shape_of(x)
    of_rows = weights if weights.ndim == 1 else weights.max(axis=1)
    trains = trainable(network, shape)
    trained, frozen = parted(state.parameters, trains)
    key = jax.random.fold_in(noise_key(state.key), state.step)
    devices, key = (1, key) if axis is None else (lax.axis_size(axis), jax.random.fold_in(key, lax.axis_index(axis)))
    context = Context(key, training=True, weights=of_rows, axis=axis)

    def objective(trained: Any) -> tuple[jax.Array, Any]:
        parameters = united(trained, frozen)
        a, each, statistics = cost.through(network, parameters, state.statistics, x, E, context)
        a, mask = parts(a)
        a = cost.estimate(a)
        J, total = _mean(each, weights, mask, context)
        smooth = penalty(regularizer, network, shape, parameters, "smooth") / devices
        figures = [J + penalty(regularizer, network, shape, parameters) / devices]
        figures += [_mean(metric.each(a, E), weights, mask, context)[0] for metric in metrics]
        return J + smooth, (statistics, figures, total)

    def slope(trained: Any) -> tuple[Any, Any]:
        (_, (statistics, figures, total)), gradient = jax.value_and_grad(objective, has_aux=True)(trained)
        gradient, figures = context.total((gradient, figures))
        return (figures[0], (statistics, figures, total)), gradient

    def rested(regularizer: Regularizer, trained: Any, rates: Any) -> Any:
        declared, _ = parted(network.parameters(shape), trains)
        each = rates(trained) if regularizer.needs_rates else jax.tree.map(jnp.ones_like, trained)
        return shrunk(regularizer, declared, trained, each)

    rest = None if regularizer is None or not regularizer.has_kink else partial(rested, regularizer)
    there = optimizer.published(trained, state.slots) if optimizer.publishes else trained
    trained, slots, (statistics, figures, total) = optimizer.descend(slope, trained, state.slots, rest)
    if optimizer.publishes and jax.tree.leaves(statistics):
        _, (statistics, *_) = objective(there)  # since those of other parameters are of no use for these
    record = jnp.stack([*(total * figure for figure in figures), total])
    return State(united(trained, frozen), statistics, slots, state.key, state.step + 1), record


def _mean(each: jax.Array, weights: jax.Array, mask: Any, context: Context) -> tuple[jax.Array, jax.Array]:
    """The share in the weighted mean of the steps that count, and what all of them count together."""
    weights = step_weights(each.shape, weights, mask)
    total = context.total(jnp.sum(weights))
    return jnp.sum(jnp.where(weights > 0, weights * each, 0)) / jnp.where(total > 0, total, 1), total


def steps(
    problem: Problem,
    state: State,
    examples: Examples,
    order: Any,
    records: jax.Array,
    first: jax.Array,
    last: jax.Array,
    *,
    batch_size: int,
    axis: str | None = None,
) -> tuple[State, jax.Array]:
    """The steps from `first` up to, not including, `last` of an epoch; their records are filled in."""
    part = (0, 1) if axis is None else (lax.axis_index(axis), lax.axis_size(axis))

    def one(state: State, index: jax.Array) -> tuple[State, jax.Array]:
        return step(problem, state, *batch(examples, order, index, batch_size, part), axis)

    return looped(one, state, records, first, last)


def looped(one: Callable, state: State, records: jax.Array, first: Any, last: Any) -> tuple[State, jax.Array]:
    """The state after some steps, of which `one` makes each from a state and the step's number; records filled in.

    One compilation serves every number of steps, since a loop with a dynamic end runs as fast as a fixed one.
    """

    def body(index: jax.Array, carry: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
        state, records = carry
        state, record = one(state, index)
        return state, lax.dynamic_update_index_in_dim(records, record, index, 0)

    return lax.fori_loop(first, last, body, (state, records))


def _compiler(problem: Problem, state: State, examples: Examples, *_: Any) -> dict[str, Any] | None:
    """The compiler's options: quickly where an epoch has few products, each parameter at each place of an example."""
    places = jax.tree.leaves(examples.x)[0].shape[:-1]
    products = math.prod(places) * sum(math.prod(w.shape) for w in jax.tree.leaves(state.parameters))
    return quickly() if products <= SHORT else usually()


@compiled(compiler=_compiler)
def run(*arguments: Any, batch_size: int) -> tuple[State, jax.Array]:
    """`steps`, compiled."""
    return steps(*arguments, batch_size=batch_size)
