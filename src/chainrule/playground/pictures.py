"""What is seen of a training: maps of its units, weights, figures of its layers, and the curves as they grow."""

from typing import Any, NamedTuple

import numpy as np

from chainrule.formula.layer import Chain
from chainrule.model.history import Row
from chainrule.model.inside import figures, forwards, inside
from chainrule.playground.examples import Examples
from chainrule.playground.frames import finite, framed
from chainrule.training.plan import Plan
from chainrule.training.step import State

SIDE, SMALL = 64, 32
"""Places in each direction of the map of the outputs, and of a unit's."""

LINE = 200
"""Places on a line."""

UNITS = 16
"""Of a layer that are shown at most."""

LOOKED_AT = 256
"""Examples whose way through the network is summed up."""

ROWS = 120
"""Epochs that one picture adds to the curves at most."""


class Moment(NamedTuple):
    """A training as it stood: nothing in it changes any more.

    Attributes:
        plan, state: of the training.
        steps, epoch: how many are done, and which one is under way.
        rows: how many epochs have ended.
        under_way: the figures of the epoch under way.
        number: of the training, since the page was opened.
        pace: steps a second.
    """

    plan: Plan
    state: State
    steps: int
    epoch: int
    rows: int
    under_way: Row
    number: int
    pace: float


class Column(NamedTuple):
    """Layers that are drawn as one: the first decides the shape, the others go unit by unit.

    Attributes:
        first, last: the numbers of its layers.
        units: how many it has; 0 where its outputs are no row of them.
    """

    first: int
    last: int
    units: int


def columns(network: Chain, shape: tuple[int, ...]) -> list[Column]:
    """The columns of a network: one begins at each layer that decides the shape of its outputs."""
    found: list[Column] = []
    for place, layer in enumerate(network.layers):
        shape = layer.output_shape(shape)
        units = shape[0] if len(shape) == 1 else 0
        if layer.decides or not found:
            found.append(Column(place, place, units))
        else:
            found[-1] = Column(found[-1].first, place, units)
    return found


def grid(examples: Examples) -> np.ndarray | None:
    """The places of the maps as inputs, row by row from above; inputs that no axis shows are at their mean."""
    if (frame := examples.frame) is None:
        return None
    mean = examples.train[0].mean(axis=0)
    if len(frame) == 1:
        return np.linspace(frame[0][0], frame[0][1], LINE, dtype=np.float32)[:, None]
    across, up = (np.linspace(low, high, SIDE, dtype=np.float32) for low, high in frame)
    places = np.stack(np.meshgrid(across, up[::-1]), axis=-1).reshape(-1, 2)
    return np.concatenate([places, np.broadcast_to(mean[2:], (len(places), len(mean) - 2))], axis=1).astype(np.float32)


@np.errstate(all="ignore")  # of a training that diverges
def pictured(moment: Moment, examples: Examples, places: np.ndarray | None, rows: list[Row], running: bool) -> bytes:
    """One picture as a message: what is said of the moment, and arrays of maps, weights and distributions."""
    plan, network = moment.plan, moment.plan.network
    shown = plan.published(moment.state)
    arrays: dict[str, np.ndarray] = {}
    scales: dict[str, Any] = {}
    drawn = columns(network, plan.shape)
    if places is not None:
        outputs = forwards(network, shown.parameters, shown.statistics, places)
        for number, column in enumerate(drawn):
            if column.units:
                values = np.asarray(outputs[column.last])[:, : UNITS if number < len(drawn) - 1 else None]
                whole = number == len(drawn) - 1
                if len(places) == LINE:
                    arrays[f"line{number}"] = values.T.astype(np.float32)
                else:
                    arrays[f"map{number}"], scales[f"map{number}"] = _map(values, plan, whole)
    for number, column in enumerate(drawn):
        kernel = _kernel(shown.parameters[column.first])
        if kernel is not None:
            arrays[f"weights{number}"] = np.asarray(kernel, np.float32)[:UNITS, :UNITS]
    x = examples.train[0][:LOOKED_AT]
    found = inside(network, plan.cost, shown.parameters, shown.statistics, x, _expected(plan)[:LOOKED_AT])
    layers = []
    for figure in figures(network, found, shown.parameters):
        row = {name: finite(value) for name, value in figure._asdict().items() if name != "distribution"}
        layers.append(row | {"distribution": figure.distribution.tolist()})
    header = {
        "kind": "picture",
        "training": moment.number,
        "running": running,
        "steps": moment.steps,
        "epoch": moment.epoch,
        "pace": finite(moment.pace),
        "layers": layers,
        "scales": scales,
        "under_way": {name: finite(value) for name, value in moment.under_way.items()},
        "rows": [{name: finite(value) for name, value in row.items()} for row in thinned(rows)],
    }
    return framed(header, arrays)


def thinned(rows: list[Row]) -> list[Row]:
    """As many rows as a picture takes, evenly, the last one always."""
    if len(rows) <= ROWS:
        return rows
    return [rows[place] for place in np.linspace(0, len(rows) - 1, ROWS).astype(int)]


def _map(values: np.ndarray, plan: Plan, whole: bool) -> tuple[np.ndarray, list[float]]:
    """Maps of a layer's units, (units, side, side), from 0 to 255, and what these stand for.

    Probabilities go from 0 to 1; everything else from minus to plus the largest value of all.
    """
    side = SIDE if whole else SMALL
    shaped = values.T.reshape(-1, SIDE, SIDE)[:, :: SIDE // side, :: SIDE // side]
    shaped = np.nan_to_num(shaped, posinf=0, neginf=0)
    if whole and plan.classes is not None and plan.cost.targets.have_classes and (plan.cost.targets.no == 0):
        low, high = 0.0, 1.0
    else:
        high = float(np.abs(shaped).max()) or 1.0
        low = -high
    scaled = np.clip((shaped - low) / (high - low) * 255, 0, 255)
    return np.round(scaled).astype(np.uint8), [low, high]


def _kernel(parameters: Any) -> Any:
    """The kernel of a fully connected layer; None of any other."""
    kernel = parameters.get("kernel") if isinstance(parameters, dict) else None
    return kernel if kernel is not None and np.ndim(kernel) == 2 else None


def _expected(plan: Plan) -> Any:
    """What is expected of the first examples."""
    return np.asarray(plan.examples.part(0)[1][:LOOKED_AT])
