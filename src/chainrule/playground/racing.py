"""Optimizers that race down a known surface from where one clicks."""

import math
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.notation.choices import as_whole
from chainrule.optimizers import Optimizer
from chainrule.pictures.race import SURFACES, Path, Surface, path
from chainrule.playground.catalogue import described, read
from chainrule.playground.frames import framed
from chainrule.playground.session import Session

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
    surface = surface_of(asked)
    texts = asked.get("optimizers", [])
    if not isinstance(texts, list) or len(texts) > RACERS:
        raise ChainruleError(f"{RACERS} optimizers race at most. Take some away.")
    steps = as_whole(asked.get("steps") or surface.steps, "The steps", 1, STEPS)
    racers = [read(str(text), Optimizer) for text in texts]
    paths = [path(racer, surface, steps, bool(asked.get("published"))) for racer in racers]
    header = {
        "kind": "raced",
        "ask": asked.get("ask"),
        "surface": surface.name.lower(),
        "surfaces": [*SURFACES],
        "frame": surface.frame,
        "start": surface.start,
        "goals": surface.goals,
        "steps": steps,
        "racers": [
            described(racer) | {"label": each.label, "chosen": each.chosen, "reached": _reached(each, surface)}
            for racer, each in zip(racers, paths, strict=True)
        ],
    }
    arrays = {f"path{place}": each.points.astype(np.float32) for place, each in enumerate(paths)}
    return framed(header, {"ground": _ground(surface), **arrays})


def surface_of(asked: dict[str, Any]) -> Surface:
    """The surface that is asked, from the start that is asked."""
    name, start = asked.get("surface"), asked.get("start")
    if not isinstance(name, str) or name not in SURFACES:
        raise ChainruleError(f"There is no surface {str(name)[:40]!r}. They are {', '.join(SURFACES)}.")
    surface = SURFACES[name]
    if start is None:
        return surface
    left, right, bottom, top = surface.frame
    known = isinstance(start, list) and len(start) == 2 and all(isinstance(each, int | float) for each in start)
    if not known or not (left <= start[0] <= right and bottom <= start[1] <= top):
        raise ChainruleError(f"The start must be a place on the surface, got {str(start)[:40]}.")
    return surface._replace(start=(float(start[0]), float(start[1])))


def _reached(found: Path, surface: Surface) -> float | None:
    """How far above the lowest point a path ends; None where it ran away."""
    above = float(surface.height(*found.points[-1])) - surface.lowest()
    return above if math.isfinite(above) else None


def _ground(surface: Surface) -> np.ndarray:
    """The surface from above, (side, side): from 0 at its lowest, in levels over powers of ten."""
    left, right, bottom, top = surface.frame
    x, y = np.meshgrid(np.linspace(left, right, SIDE), np.linspace(top, bottom, SIDE))
    height = np.log10(surface.height(x, y) - surface.lowest() + 1e-3)
    height = (height - height.min()) / (height.max() - height.min())
    return np.floor(height * (LEVELS - 1e-6)).astype(np.uint8)
