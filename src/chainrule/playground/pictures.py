"""What is seen of a training: maps of its units, weights and kernels, figures of its layers, curves as they grow."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.compilation import at_once, compiled
from chainrule.formula.layer import Chain
from chainrule.model.history import Row
from chainrule.model.inside import figures, forwards, inside
from chainrule.playground.examples import GALLERY, Examples
from chainrule.playground.frames import finite, framed
from chainrule.training.plan import Plan
from chainrule.training.step import State

SIDE, SMALL = 64, 32
"""Places in each direction of the map of the outputs, and of a unit's."""

LINE = 200
"""Places on a line."""

UNITS = 16
"""Of a layer that are shown at most."""

LOOKED_AT, IMAGES_LOOKED_AT = 256, 64
"""Examples, and images, whose way through the network is summed up."""

ROWS = 120
"""Epochs that one picture adds to the curves at most."""


class Scene(NamedTuple):
    """The examples that pictures are made of.

    Attributes:
        x, E: those whose way through the network is summed up.
        places: inputs whose outputs are shown: a grid over the axes, or images, of which the first is followed.
        images: whether they are images.
    """

    x: Any
    E: Any
    places: Any
    images: bool


class Moment(NamedTuple):
    """A training as it stood: nothing in it changes any more.

    Attributes:
        plan, state: of the training.
        scene: what is looked at.
        steps, epoch: how many are done, and which one is under way.
        rows: how many epochs have ended.
        under_way: the figures of the epoch under way.
        number: of the training, since the page was opened.
        pace: steps a second.
    """

    plan: Plan
    state: State
    scene: Scene
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
        units: how many it has, or channels of its images; 0 where its outputs are neither.
        kernels: the shape of each image of weights that a unit has, (channels, height, width), if it has such.
        size: how many numbers it puts out.
    """

    first: int
    last: int
    units: int
    kernels: tuple[int, int, int] | None
    size: int


def columns(network: Chain, shape: tuple[int, ...]) -> list[Column]:
    """The columns of a network: one begins at each layer that decides the shape of its outputs."""
    found: list[Column] = []
    images = shape if len(shape) == 3 else None  # which a layer sees, though they may be flat by then
    for place, layer in enumerate(network.layers):
        before, shape = shape, layer.output_shape(shape)
        declared = layer.parameters(before)
        kernel = declared.get("kernel") if isinstance(declared, dict) else None
        if layer.decides or not found:
            flat = images is not None and len(shape) == 1 and kernel is None
            units = 0 if flat or len(shape) not in (1, 3) else shape[-1]
            found.append(Column(place, place, units, _kernels(kernel, images), int(np.prod(shape))))
        else:
            found[-1] = found[-1]._replace(last=place)
        if len(shape) == 3:
            images = shape
        elif kernel is not None:
            images = None
    return found


def _kernels(kernel: Any, images: tuple[int, ...] | None) -> tuple[int, int, int] | None:
    """The shape of the images that the weights of a unit are: of a convolution, or over a flat image."""
    if kernel is None or images is None:
        return None
    if len(kernel.shape) == 4:
        height, width, channels, _ = kernel.shape
        return channels, height, width
    if len(kernel.shape) == 2 and kernel.shape[0] == np.prod(images):
        height, width, channels = images
        return channels, height, width
    return None


def scene(plan: Plan, examples: Examples, images: bool, row: int) -> Scene:
    """The scene of a training on examples, with one of those to test that is followed, if they are images."""
    x, E = plan.examples.part(0)[:2]
    looked_at = IMAGES_LOOKED_AT if images else LOOKED_AT
    places = None if images else grid(examples)
    if places is None:
        tested = examples.test[0]
        begin = row // GALLERY * GALLERY
        places = np.concatenate([tested[row : row + 1], tested[begin : begin + GALLERY]])
    x, E, places = jax.device_put((np.asarray(x[:looked_at]), np.asarray(E[:looked_at]), places))
    return Scene(x, E, places, images)


def grid(examples: Examples) -> np.ndarray | None:
    """The places of the maps as inputs, row by row from above; inputs that no axis shows are at their mean."""
    if (frame := examples.frame) is None:
        return None
    mean = examples.train[0].mean(axis=0)
    sides = [np.linspace(low, high, LINE if len(frame) == 1 else SIDE, dtype=np.float32) for low, high in frame]
    sides[1:] = [side[::-1] for side in sides[1:]]
    shown = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, len(sides))
    places = np.tile(mean.astype(np.float32), (len(shown), 1))
    places[:, examples.axes] = shown
    return places


class Seen(NamedTuple):
    """What a picture shows, as it is computed.

    Attributes:
        arrays: by name, as they are sent.
        scales: by the name of an array of bytes, what 0 and 255 stand for.
    """

    arrays: dict[str, Any]
    scales: dict[str, Any]


@compiled(compiler=at_once)
def seen(
    network: Chain,
    parameters: Any,
    state: Any,
    places: Any,
    *,
    drawn: tuple[Column, ...],
    chances: bool,
    images: bool,
) -> Seen:
    """The maps, weights and kernels that a picture shows, in one program."""
    arrays: dict[str, Any] = {}
    scales: dict[str, Any] = {}
    outputs = forwards(network, parameters, state, places)
    count, last = len(places), len(drawn) - 1
    for number, column in enumerate(drawn):
        a, whole = outputs[column.last], number == last
        if column.units and images:
            arrays[f"map{number}"], scales[f"map{number}"] = _bytes(_channels(a[0]), chances and whole)
        elif column.units and count == LINE:
            arrays[f"line{number}"] = a.T[:UNITS]
        elif column.units and a.ndim == 2:
            shaped = a.T[: None if whole else UNITS].reshape(-1, SIDE, SIDE)
            step = 1 if whole else SIDE // SMALL
            arrays[f"map{number}"], scales[f"map{number}"] = _bytes(shaped[:, ::step, ::step], chances and whole)
        kernel = parameters[column.first].get("kernel") if isinstance(parameters[column.first], dict) else None
        if column.kernels and kernel is not None:
            channels, height, width = column.kernels
            shaped = jnp.transpose(kernel.reshape(height, width, channels, -1), (2, 3, 0, 1))[:UNITS, :UNITS]
            arrays[f"kernels{number}"], scales[f"kernels{number}"] = _bytes(shaped, False)
        elif kernel is not None and jnp.ndim(kernel) == 2:
            arrays[f"weights{number}"] = kernel[:UNITS, :UNITS]
    if images:
        arrays["answers"] = outputs[-1].reshape(count, -1)[:, :UNITS]
    return Seen(arrays, scales)


def _channels(a: Any) -> Any:
    """One example's outputs as images, (units, height, width), of a row of units each of one place."""
    return jnp.moveaxis(jnp.atleast_3d(a) if a.ndim == 3 else a[None, None], -1, 0)[:UNITS]


def _bytes(values: Any, chances: bool) -> tuple[Any, Any]:
    """Numbers from 0 to 255, and what these stand for.

    Probabilities go from 0 to 1; everything else from minus to plus the largest value of all.
    """
    values = jnp.nan_to_num(values, posinf=0, neginf=0)
    most = jnp.max(jnp.abs(values))
    high = jnp.where(most > 0, most, 1)
    low, high = (0.0, 1.0) if chances else (-high, high)
    scaled = jnp.clip((values - low) / (high - low) * 255, 0, 255)
    return jnp.round(scaled).astype(jnp.uint8), jnp.stack([jnp.asarray(low), jnp.asarray(high)])


@np.errstate(all="ignore")  # of a training that diverges
def pictured(moment: Moment, rows: Sequence[Row], running: bool, whole: bool = True) -> bytes:
    """One picture as a message: what is said of the moment, and arrays of maps, weights and distributions.

    The layers' figures are left out where it is not to be `whole`, as their program takes time to compile.
    """
    plan = moment.plan
    shown = plan.published(moment.state)
    chances = plan.classes is not None and plan.cost.targets.have_classes and plan.cost.targets.no == 0
    drawn = tuple(columns(plan.network, plan.shape))
    given = plan.network, shown.parameters, shown.statistics, moment.scene.places
    found = seen(*given, drawn=drawn, chances=chances, images=moment.scene.images)
    found = jax.device_get(found)
    layers = _by_layer(plan, shown, moment.scene) if whole else []
    header = {
        "kind": "picture",
        "training": moment.number,
        "running": running,
        "steps": moment.steps,
        "epoch": moment.epoch,
        "pace": finite(moment.pace),
        "layers": layers,
        "scales": {name: [finite(bound) for bound in bounds] for name, bounds in found.scales.items()},
        "under_way": {name: finite(value) for name, value in moment.under_way.items()},
        "rows": [{name: finite(value) for name, value in row.items()} for row in thinned(rows)],
    }
    return framed(header, found.arrays)


def _by_layer(plan: Plan, shown: State, scene: Scene) -> list[dict[str, Any]]:
    """Each layer's figures by name, as JSON has them."""
    found = inside(plan.network, plan.cost, shown.parameters, shown.statistics, scene.x, scene.E)
    layers = []
    for figure in figures(plan.network, jax.device_get(found), jax.device_get(shown.parameters)):
        row = {name: finite(value) for name, value in figure._asdict().items() if name != "distribution"}
        layers.append(row | {"distribution": figure.distribution.tolist()})
    return layers


def thinned(rows: Sequence[Row]) -> list[Row]:
    """As many rows as a picture takes, evenly, the last one always."""
    if len(rows) <= ROWS:
        return [*rows]
    return [rows[place] for place in np.linspace(0, len(rows) - 1, ROWS).astype(int)]
