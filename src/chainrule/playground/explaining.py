"""One example's way through the network and back, in numbers: all of them the library's own."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.activations import Activation
from chainrule.arrays.compilation import at_once, compiled
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Layer
from chainrule.layers import Dense
from chainrule.model.inside import inside
from chainrule.notation.choices import as_whole
from chainrule.playground.frames import finite
from chainrule.playground.session import Session
from chainrule.textbook.derivative import derivative
from chainrule.textbook.equations import Equation, derivatives, equations

UNITS = 12
"""Of a layer that are written out at most."""


def explained(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """An example forwards and backwards: for each layer its formula, its values and the gradients.

    Raises:
        ChainruleError: where nothing is chosen yet, or examples are no rows of numbers.
    """
    moment, found = session.moment, session.examples
    if moment is None or found is None:
        raise ChainruleError("Nothing is chosen yet.")
    if len(found.shape) != 1:
        raise ChainruleError("Step by step is for rows of numbers, not for images. Choose points or a table in Learn.")
    rows = len(found.train[0])
    row = as_whole(asked.get("row", 0), "The example", 0, rows - 1)
    plan = moment.plan
    network, cost, shown = plan.network, plan.cost, plan.published(moment.state)
    x, E = (np.asarray(part[row : row + 1]) for part in plan.examples.part(0)[:2])
    seen = inside(network, cost, shown.parameters, shown.statistics, x, E)
    values, deltas = [x, *map(np.asarray, seen.outputs)], [None, *seen.deltas]
    layers, shape = [], plan.shape
    for place, layer in enumerate(network.layers):
        shape = layer.output_shape(shape)
        layers.append(
            {
                "notation": repr(layer),
                "name": type(layer).__name__,
                "equations": _mathml(equations(layer, True)),
                "inputs": _row(values[place]),
                "outputs": _row(values[place + 1]),
                "above": _row(deltas[place + 1]),
                "below": _row(deltas[place]),
                "units": int(np.prod(shape)),
                **_within(layer, shown.parameters[place], seen.gradients[place], values[place]),
            }
        )
    classes = None if found.classes is None else [str(name) for name in found.classes]
    target = float(np.ravel(found.train[1][row])[0])
    behind = type(network.layers[-1]).__name__
    slopes = [each for each in derivatives(cost, True) if each.remark in ("", f"behind {behind}")]
    return {
        "kind": "explained",
        "row": row,
        "rows": rows,
        "steps": moment.steps,
        "names": found.inputs[:UNITS],
        "target": target if classes is None else classes[int(target)],
        "expected": _row(np.asarray(cost.expected(jnp.asarray(values[-1]), jnp.asarray(E)))),
        "layers": layers,
        "cost": {
            "notation": repr(cost),
            "equations": _mathml(equations(cost, True)),
            "derivatives": _mathml(slopes[-1:]),
            "value": finite(float(seen.each[0])),
        },
    }


def _within(layer: Layer, parameters: Any, gradients: Any, x: np.ndarray) -> dict[str, Any]:
    """What is written out of a layer: a fully connected one's weights, and of a scalar activation the slope."""
    if type(layer) is Dense:
        names = ("kernel", "bias") if layer.bias else ("kernel",)
        cut = {"kernel": (slice(UNITS), slice(UNITS)), "bias": (slice(UNITS),)}
        return {
            name: {key: np.asarray(tree[key])[cut[key]].astype(float).tolist() for key in names}
            for name, tree in (("parameters", parameters), ("gradients", gradients))
        }
    if isinstance(layer, Activation) and derivative(layer) is not None:
        return {"slope": _row(_slope(layer, parameters, x))}
    return {}


@compiled(compiler=at_once)
def _slope(layer: Activation, parameters: Any, x: Any) -> Any:
    """The derivative of a scalar activation at each of some numbers."""
    return jax.jvp(lambda z: layer.forward(parameters, z), (x,), (jnp.ones_like(x),))[1]


def _mathml(shown: Sequence[Equation]) -> list[dict[str, str]]:
    return [{"mathml": each.mathml(), "remark": each.remark} for each in shown]


def _row(values: Any) -> list[float | None] | None:
    """The first numbers of one example's array."""
    return None if values is None else [finite(float(value)) for value in np.ravel(values)[:UNITS]]
