"""Optimizers that race down a surface, a known one or the network's own cost, from where one clicks."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import ChainruleError
from chainrule.model.landscape import Landscape, Plane, plane_to, random_plane
from chainrule.notation.choices import as_whole
from chainrule.optimizers import Optimizer
from chainrule.pictures.race import SURFACES, Surface, path
from chainrule.playground.catalogue import described, read
from chainrule.playground.frames import finite, framed
from chainrule.playground.session import Session
from chainrule.training.stepping import Training

Frame = tuple[float, float, float, float]

RACERS, STEPS = 8, 2000
"""How many race at once, and how far, at most."""

SIDE = 96
"""Places in each direction of the picture of a surface."""


class Ground(NamedTuple):
    """A surface, and how high it is at the places of its picture, (side, side) from above."""

    surface: Surface
    height: np.ndarray


def raced(session: Session, asked: dict[str, Any]) -> bytes:
    """The surface as a picture, and the way of each optimizer down it.

    Raises:
        ChainruleError: for a surface that there is not, a start beside it, or too many optimizers; and as soon as
            nobody waits for it any more.
    """
    ground = ground_of(session, asked)
    surface = ground.surface
    texts = asked.get("optimizers", [])
    if not isinstance(texts, list) or len(texts) > RACERS:
        raise ChainruleError(f"{RACERS} optimizers race at most. Take some away.")
    steps = as_whole(asked.get("steps") or surface.steps, "The steps", 1, STEPS)
    racers = [read(str(text), Optimizer) for text in texts]
    paths = [
        path(racer, surface, steps, bool(asked.get("published")))
        for racer in racers
        if session.check_wanted(asked.get("ask"))
    ]
    heights = [np.asarray(surface.height(*each.points.T), float) for each in paths]
    known = np.concatenate([np.ravel(each) for each in (surface.lowest(), ground.height, *heights)])
    lowest = known[np.isfinite(known)].min()
    header = {
        "kind": "raced",
        "ask": asked.get("ask"),
        "surface": asked["surface"],
        "surfaces": [*SURFACES, *PLANES],
        "frame": surface.frame,
        "start": surface.start,
        "goals": surface.goals,
        "steps": steps,
        "racers": [
            described(each.ran) | {"label": each.label, "chosen": each.chosen, "reached": finite(height[-1] - lowest)}
            for each, height in zip(paths, heights, strict=True)
        ],
    }
    arrays = {f"path{place}": each.points.astype(np.float32) for place, each in enumerate(paths)}
    return framed(header, {"ground": _seen(ground), **arrays})


def ground_of(session: Session, asked: dict[str, Any]) -> Ground:
    """The surface that is asked, from the start that is asked."""
    name, start = asked.get("surface"), asked.get("start")
    if not isinstance(name, str) or name not in SURFACES | PLANES:
        raise ChainruleError(f"There is no surface {str(name)[:40]!r}. They are {', '.join(SURFACES | PLANES)}.")
    if name in SURFACES:
        ground = Ground(SURFACES[name], SURFACES[name].height(*_places(SURFACES[name].frame)))
    else:
        ground = _of_network(session, name, asked)
    if start is None:
        return ground
    left, right, bottom, top = ground.surface.frame
    known = isinstance(start, list) and len(start) == 2 and all(isinstance(each, int | float) for each in start)
    if not known or not (left <= start[0] <= right and bottom <= start[1] <= top):
        raise ChainruleError(f"The start must be a place on the surface, got {str(start)[:40]}.")
    return ground._replace(surface=ground.surface._replace(start=(float(start[0]), float(start[1]))))


def _random(training: Training, key: Any) -> Plane:
    plan = training.plan
    return random_plane(plan.published(training.state).parameters, key)


def _to_here(training: Training, key: Any) -> Plane:
    plan = training.plan
    return plane_to(plan.published(plan.begun).parameters, plan.published(training.state).parameters, key)


PLANES: dict[str, tuple[Callable[[Training, Any], Plane], Frame, tuple[float, float]]] = {
    "your network": (_random, (-1.25, 1.25, -1.0, 1.0), (-0.9, 0.7)),
    "your network's way": (_to_here, (-0.4, 1.6, -0.8, 0.8), (0.0, 0.0)),
}
"""The planes through the parameters of the network in Learn: what makes each, its frame and its start."""

FEWEST, MOST, NUMBERS = 16, 256, 1 << 14  # examples whose cost is the surface, and what a layer makes of them all
STEPS_ON_PLANES = 200
STRIPS = 6  # in which a plane is computed: between them it is asked whether anybody waits for it


def _of_network(session: Session, name: str, asked: dict[str, Any]) -> Ground:
    """The cost of the network over a plane; the one of the last race, while the same one is raced on."""
    training = session.training
    if training is None:
        raise ChainruleError("Nothing is chosen yet.")
    if asked.get("anew") is False and session.raced is not None and session.raced.surface.name == name:
        return session.raced
    made, frame, start = PLANES[name]
    plan, key = training.plan, jax.random.key(training.plan.seed)
    widest = max(math.prod(reached) for _, reached in plan.network.walk(plan.shape))
    some = min(max(NUMBERS // widest, FEWEST), MOST)
    x, E = (np.asarray(part[:some]) for part in plan.examples.part(0)[:2])
    state = plan.published(training.state).statistics
    cost = Landscape(plan.network, plan.cost, state, made(training, key), jnp.asarray(x), jnp.asarray(E))
    x, y = _places(frame)
    strips = [
        np.asarray(cost(*places))
        for places in zip(np.split(x, STRIPS), np.split(y, STRIPS), strict=True)
        if session.check_wanted(asked.get("ask"))
    ]
    height = np.concatenate(strips)
    if not np.isfinite(height).any():
        raise ChainruleError("The network's cost is no number any more. Begin again in Learn.")
    lowest = np.unravel_index(np.nanargmin(height), height.shape)
    goal = (float(x[lowest]), float(y[lowest]))
    session.raced = Ground(Surface(name, "", cost, frame, start, (goal,), STEPS_ON_PLANES), height)
    return session.raced


def _places(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Those of the picture of a surface, from above."""
    left, right, bottom, top = frame
    x, y = np.meshgrid(np.linspace(left, right, SIDE), np.linspace(top, bottom, SIDE))
    return x, y


def _seen(ground: Ground) -> np.ndarray:
    """A surface from above, (side, side): from 0 at its lowest to 1, over powers of ten."""
    height = np.log10(np.maximum(ground.height - ground.surface.lowest(), 0) + 1e-3)
    most = height[np.isfinite(height)].max()
    height = np.nan_to_num(height, nan=most, posinf=most)
    return ((height - height.min()) / max(height.max() - height.min(), 1e-9)).astype(np.float32)
