"""Recurrences that graphs spell out in the body of a loop: the layer is found by what the loop computes."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from chainrule.interchange.onnx.reading.axes import View, axis_of
from chainrule.interchange.onnx.reading.flow import Flow, Step
from chainrule.interchange.onnx.reading.node import ROWS, Node, reads
from chainrule.interchange.onnx.reading.recurrent import ACTIVATIONS
from chainrule.interchange.onnx.reading.shapes import last_output
from chainrule.layers import GRU, LSTM, RNN
from chainrule.layers.recurrent import Recurrent

STEPS, SEQUENCES = 4, 3
"""How much of a loop is computed to tell what it is."""


@reads("Loop")
def loop(node: Node) -> tuple[Any, ...]:
    """A loop over the steps of its input: all outputs (time, batch, units), and the last ones."""
    taken = {name: value for name, value in node.values.items() if isinstance(value, Flow)}
    if len(taken) != 1:
        raise node.refuse("no recurrent layer goes over several tensors, or none")
    [(name, x)] = taken.items()
    x = node.settled(x)
    count = next(iter(node.values))
    if len(x.view.there) != 3 or x.view.batch_axis != 1:
        raise node.refuse("expected a loop over the steps of one input (steps, batch, features)")
    node.get("body")
    fixed = int(np.ravel(node.values[count])[0]) == x.view.sizes[0]  # or else its own condition ends it
    steps, rows = min(STEPS, x.view.sizes[0]) if fixed else x.view.sizes[0], min(SEQUENCES, x.view.sizes[1])
    drawn = np.random.default_rng(0).normal(size=(steps, rows, x.view.sizes[2])).astype(np.float32)
    constants = {key: _of_rows(np.asarray(value), rows) for key, value in node.values.items() if key != name}
    try:
        times = {count: np.full_like(constants[count], steps)} if fixed else {}
        outputs = node.compute({**constants, name: drawn, **times})
    except Exception as error:
        raise node.refuse(f"its body can't be computed ({str(error).splitlines()[0]})") from None
    carried = len(node.inputs) - 2
    of_steps = (output.reshape(steps, rows, -1) for output in outputs[carried:])  # which onnx.reference glues
    outputs = (*outputs[:carried], *of_steps)
    x = x.arranged(x.view.there[1], x.view.there[0], x.view.there[2])
    found = _found(drawn.swapaxes(0, 1), constants, outputs)
    if found is None:
        raise node.refuse("no recurrent layer computes what its body does. Export it as an LSTM, GRU or RNN node")
    units = axis_of(found.layer.units)  # type: ignore[attr-defined]
    time, batch = x.view.there[0], x.view.there[1]
    every = Flow((*x.steps, found), View((time, batch, units), (batch, time, units)))
    last = last_output(every, 0, x.view.sizes[0] - 1)
    assert last is not None
    last = last.seen(View((batch, units), last.view.here))
    expected = _outputs(found, drawn.swapaxes(0, 1))
    given = {expected.shape: (expected, every), expected[-1].shape: (expected[-1], last)}
    alike = ((output, *given.get(output.shape, (None, None))) for output in outputs)
    return tuple(flow if wanted is not None and _alike(output, wanted) else None for output, wanted, flow in alike)


def _of_rows(value: np.ndarray, rows: int) -> np.ndarray:
    """A constant for so many rows of a batch, which are all the same."""
    for axis in [axis for axis, size in enumerate(value.shape) if size == ROWS]:
        value = value.take(range(rows), axis)
    return value


def _found(x: np.ndarray, constants: Mapping[str, np.ndarray], outputs: tuple[np.ndarray, ...]) -> Step | None:
    """The layer whose outputs (time, batch, units) are among those of a loop."""
    wanted = [output for output in outputs if output.ndim == 3 and output.shape[:2] == x.shape[1::-1]]
    for units, candidate in ((its.shape[2], each) for its in wanted for each in _candidates(x, its, constants)):
        if any(_alike(output, _outputs(candidate, x)) for output in wanted if output.shape[2] == units):
            return candidate
    return None


def _outputs(step: Step, x: np.ndarray) -> np.ndarray:
    return np.asarray(step.layer.forward(step.parameters, jnp.asarray(x))).swapaxes(0, 1)


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-4, atol=1e-5)


def _candidates(x: np.ndarray, output: np.ndarray, constants: Mapping[str, np.ndarray]) -> Iterator[Step]:
    """Layers of the arrays that have their shapes, with the gates in Keras' order."""
    features, units = x.shape[2], output.shape[2]
    for kind in KINDS:
        wide = kind.gates * units
        of = lambda *shape: [value for value in constants.values() if value.shape == shape]  # noqa: E731
        biases = [*of(wide), *of(1, wide), *of(2, wide), np.zeros(wide, np.float32)]
        for kernel, recurrent, bias in itertools.product(of(features, wide), of(units, wide), biases):
            if kernel is not recurrent:
                yield from KINDS[kind](units, kernel, recurrent, bias)


def _rnn(units: int, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> Iterator[Step]:
    arrays = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias.reshape(-1, units).sum(0)}
    for make in ACTIVATIONS.values():
        if activation := make(None, None):
            yield Step(RNN(units, activation=activation, return_sequences=True), arrays, {})


def _gru(units: int, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> Iterator[Step]:
    def gates(array: np.ndarray) -> np.ndarray:
        z, r, n = np.split(array, 3, -1)
        return np.concatenate([r, z, n], -1)

    arrays = {"kernel": gates(kernel), "recurrent_kernel": gates(recurrent)}
    of_input, of_state = gates(np.concatenate([bias.reshape(-1, 3 * units), np.zeros((1, 3 * units))])[:2])
    apart = np.concatenate([(of_input + of_state)[: 2 * units], of_input[2 * units :]])
    after = {**arrays, "bias": np.float32(apart), "recurrent_bias": np.float32(of_state[2 * units :])}
    yield Step(GRU(units, return_sequences=True, reset_after=True), after, {})
    yield Step(GRU(units, return_sequences=True), {**arrays, "bias": np.float32(of_input + of_state)}, {})


def _lstm(units: int, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> Iterator[Step]:
    arrays = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias.reshape(-1, 4 * units).sum(0)}
    yield Step(LSTM(units, return_sequences=True), arrays, {})


KINDS: dict[type[Recurrent], Any] = {RNN: _rnn, GRU: _gru, LSTM: _lstm}
"""What may be in a loop."""
