"""One example's way through the network and back, in numbers: all of them the library's own."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.activations import Activation
from chainrule.arrays.compilation import at_once, compiled
from chainrule.errors import ChainruleError
from chainrule.layers import Dense
from chainrule.model.inside import inside
from chainrule.notation.choices import as_whole
from chainrule.playground.examples import for_the_eye
from chainrule.playground.frames import finite, framed
from chainrule.playground.session import Session
from chainrule.playground.units import MADE, Passage, Unit, as_image, channel_map, followed, seen_through, unit_by_unit
from chainrule.textbook.derivative import derivative
from chainrule.textbook.equations import Equation, derivatives, equations

UNITS = 12
"""Of a layer that are written out at most."""


def explained(session: Session, asked: dict[str, Any]) -> bytes:
    """An example forwards and backwards: for each layer its formula, its values and the gradients.

    Of outputs that are an image, one is followed: a choice of `units` by the layer's number, or else the largest.

    Raises:
        ChainruleError: where nothing is chosen yet, and for an example or a unit that there is not.
    """
    moment, found = session.moment, session.examples
    if moment is None or found is None:
        raise ChainruleError("Nothing is chosen yet.")
    rows = len(found.train[0])
    row = as_whole(asked.get("row", 0), "The example", 0, rows - 1)
    plan = moment.plan
    network, cost, shown = plan.network, plan.cost, plan.published(moment.state)
    x, E = (np.asarray(part[row : row + 1]) for part in plan.examples.part(0)[:2])
    seen = inside(network, cost, shown.parameters, shown.statistics, x, E)
    values, deltas = [x, *map(np.asarray, seen.outputs)], [None, *seen.deltas]
    layers, shape, unit, arrays = [], plan.shape, None, {}
    for place, layer in enumerate(network.layers):
        before, shape = shape, layer.output_shape(shape)
        passage = Passage(
            layer,
            shown.parameters[place],
            shown.statistics[place],
            seen.gradients[place],
            values[place],
            values[place + 1],
            deltas[place + 1],
            deltas[place],
        )
        unit = followed(place, layer, passage.x, passage.y, unit, asked.get("units"))
        if unit is not None:
            arrays[f"map{place}"] = channel_map(passage.y, unit.at[2])
        at = unit.at if unit and unit_by_unit(layer, passage.x, passage.y) else None
        layers.append(
            {
                "notation": repr(layer),
                "name": type(layer).__name__,
                "equations": _mathml(equations(layer, True)),
                "inputs": _row(passage.x, at),
                "outputs": _row(passage.y, at),
                "above": _row(passage.above, at),
                "below": _row(passage.below, at),
                "units": int(np.prod(shape)),
                "unit": unit and {**unit._asdict(), "shape": as_image(passage.y).shape},
                **_within(passage, unit, at, len(before) == 1),
            }
        )
    if image := found.image(network):
        arrays["image"] = for_the_eye(found, image, found.train[0][row : row + 1])
    classes = None if found.classes is None else [str(name) for name in found.classes]
    target = float(np.ravel(found.train[1][row])[0])
    behind = type(network.layers[-1]).__name__
    slopes = [each for each in derivatives(cost, True) if each.remark in ("", f"behind {behind}")]
    said = {
        "kind": "explained",
        "ask": asked.get("ask"),
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
    return framed(said, arrays)


def _within(passage: Passage, unit: Unit | None, at: tuple[int, ...] | None, row: bool) -> dict[str, Any]:
    """What is written out of a layer: weights, a window, a slope; or whether it hands on its inputs as they are."""
    layer, parameters, x = passage.layer, passage.parameters, passage.x
    if type(layer) is Dense and row:
        return _dense(passage)
    if type(layer) in MADE and unit is not None:
        return {"window": seen_through(passage, unit.at)}
    if isinstance(layer, Activation) and derivative(layer) is not None:
        return {"slope": _row(_slope(layer, parameters, x), at)}
    return {"other": not isinstance(layer, Activation) and not np.array_equal(np.ravel(x), np.ravel(passage.y))}


def _dense(passage: Passage) -> dict[str, Any]:
    """The first weights of a fully connected layer, and what the others add to the first outputs and gradients."""
    cut = {"kernel": (slice(UNITS), slice(UNITS)), "bias": (slice(UNITS),)}
    names = ("kernel", "bias") if "bias" in passage.parameters else ("kernel",)
    x, kernel = (np.asarray(part, float) for part in (passage.x[0], passage.parameters["kernel"]))
    first = kernel[cut["kernel"]]
    more = {"inputs": max(len(x) - UNITS, 0), "outputs": (x @ kernel)[:UNITS] - x[:UNITS] @ first}
    if passage.above is not None and passage.below is not None:
        above, below = (np.asarray(part[0], float) for part in (passage.above, passage.below))
        more |= {"units": max(len(above) - UNITS, 0), "below": below[:UNITS] - first @ above[:UNITS]}
    written = {
        name: {key: [*map(_numbers, np.atleast_2d(np.asarray(tree[key])[cut[key]]))] for key in names}
        for name, tree in (("parameters", passage.parameters), ("gradients", passage.gradients))
    }
    for tree in written.values():
        tree |= {"bias": tree["bias"][0]} if "bias" in tree else {}  # type: ignore[operator]
    return {**written, "more": {key: part if isinstance(part, int) else _numbers(part) for key, part in more.items()}}


@compiled(compiler=at_once)
def _slope(layer: Activation, parameters: Any, x: Any) -> Any:
    """The derivative of a scalar activation at each of some numbers."""
    return jax.jvp(lambda z: layer.forward(parameters, z), (x,), (jnp.ones_like(x),))[1]


def _mathml(shown: Sequence[Equation]) -> list[dict[str, str]]:
    return [{"mathml": each.mathml(), "remark": each.remark} for each in shown]


def _row(values: Any, at: tuple[int, ...] | None = None) -> list[float | None] | None:
    """The first numbers of one example's array, or the one at a place of an image."""
    if values is None:
        return None
    return _numbers(np.ravel(values)[:UNITS] if at is None else [as_image(values)[at]])


def _numbers(values: Any) -> list[float | None]:
    return [finite(float(value)) for value in values]
