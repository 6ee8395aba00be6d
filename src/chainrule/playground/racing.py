"""Optimizers that race down a surface, a known one or the network's own cost, from where one clicks."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import ChainruleError
from chainrule.model.landscape import Landscape, Plane, plane_to, random_plane
from chainrule.notation.choices import as_whole
from chainrule.optimizers import Optimizer
from chainrule.pictures.race import SURFACES, Path, Surface, path
from chainrule.playground.catalogue import described, read
from chainrule.playground.frames import framed
from chainrule.playground.session import Session
from chainrule.training.stepping import Training

Frame = tuple[float, float, float, float]

RACERS, STEPS = 8, 2000
"""How many race at once, and how far, at most."""

SIDE = 96
"""Places in each direction of the picture of a surface."""

LEVELS = 16
"""Of the surface that are told apart."""


def raced(session: Session, asked: dict[str, Any]) -> bytes:
    """The surface as a picture, and the way of each optimizer down it.

    Raises:
        ChainruleError: for a surface that there is not, a start beside it, or too many optimizers.
    """
    surface = surface_of(session, asked)
    texts = asked.get("optimizers", [])
    if not isinstance(texts, list) or len(texts) > RACERS:
        raise ChainruleError(f"{RACERS} optimizers race at most. Take some away.")
    steps = as_whole(asked.get("steps") or surface.steps, "The steps", 1, STEPS)
    racers = [read(str(text), Optimizer) for text in texts]
    paths = [path(racer, surface, steps, bool(asked.get("published"))) for racer in racers]
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
            described(each.ran) | {"label": each.label, "chosen": each.chosen, "reached": _reached(each, surface)}
            for each in paths
        ],
    }
    arrays = {f"path{place}": each.points.astype(np.float32) for place, each in enumerate(paths)}
    return framed(header, {"ground": _ground(surface), **arrays})


def surface_of(session: Session, asked: dict[str, Any]) -> Surface:
    """The surface that is asked, from the start that is asked."""
    name, start = asked.get("surface"), asked.get("start")
    if not isinstance(name, str) or name not in SURFACES | PLANES:
        raise ChainruleError(f"There is no surface {str(name)[:40]!r}. They are {', '.join(SURFACES | PLANES)}.")
    surface = SURFACES[name] if name in SURFACES else _of_network(session, name, asked.get("anew") is not False)
    if start is None:
        return surface
    left, right, bottom, top = surface.frame
    known = isinstance(start, list) and len(start) == 2 and all(isinstance(each, int | float) for each in start)
    if not known or not (left <= start[0] <= right and bottom <= start[1] <= top):
        raise ChainruleError(f"The start must be a place on the surface, got {str(start)[:40]}.")
    return surface._replace(start=(float(start[0]), float(start[1])))


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


def _of_network(session: Session, name: str, anew: bool) -> Surface:
    """The cost of the network over a plane; the one of the last race, while the same one is raced on."""
    training = session.training
    if training is None:
        raise ChainruleError("Nothing is chosen yet.")
    if not anew and session.raced is not None and session.raced.name == name:
        return session.raced
    made, frame, start = PLANES[name]
    plan, key = training.plan, jax.random.key(training.plan.seed)
    widest = max(math.prod(reached) for _, reached in plan.network.walk(plan.shape))
    some = min(max(NUMBERS // widest, FEWEST), MOST)
    x, E = (np.asarray(part[:some]) for part in plan.examples.part(0)[:2])
    state = plan.published(training.state).statistics
    height = Landscape(plan.network, plan.cost, state, made(training, key), jnp.asarray(x), jnp.asarray(E))
    x, y = _places(frame)
    lowest = np.unravel_index(np.nanargmin(np.asarray(height(x, y))), x.shape)
    goal = (float(x[lowest]), float(y[lowest]))
    session.raced = Surface(name, "", height, frame, start, (goal,), STEPS_ON_PLANES)
    return session.raced


def _places(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Those of the picture of a surface, from above."""
    left, right, bottom, top = frame
    x, y = np.meshgrid(np.linspace(left, right, SIDE), np.linspace(top, bottom, SIDE))
    return x, y


def _reached(found: Path, surface: Surface) -> float | None:
    """How far above the lowest point a path ends; None where it ran away."""
    above = float(surface.height(*found.points[-1:].T)[0]) - surface.lowest()
    return above if math.isfinite(above) else None


def _ground(surface: Surface) -> np.ndarray:
    """The surface from above, (side, side): from 0 at its lowest, in levels over powers of ten."""
    height = np.asarray(surface.height(*_places(surface.frame)))
    height = np.log10(np.maximum(height - surface.lowest(), 0) + 1e-3)
    height = np.nan_to_num(height, nan=np.nanmax(height))
    height = (height - height.min()) / max(height.max() - height.min(), 1e-9)
    return np.floor(height * (LEVELS - 1e-6)).astype(np.uint8)
