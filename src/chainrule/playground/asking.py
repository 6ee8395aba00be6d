"""What the page asks that changes nothing: each answer is made beside the training."""

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.arrays.compilation import keeping
from chainrule.data.points import CLASSES, VALUES, points
from chainrule.formula.base import Formula
from chainrule.playground.catalogue import catalogue, described, edited, page_of, read
from chainrule.playground.examples import sets
from chainrule.playground.explaining import explained
from chainrule.playground.racing import raced
from chainrule.playground.session import Session
from chainrule.playground.taking import file_taken, taken


def offered(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """All that can be chosen: the families of formulas, the points, and the sets that travel along."""
    drawn = {name: {"title": draw.__doc__, "sketch": _sketch(name)} for name, draw in (CLASSES | VALUES).items()}
    return {"kind": "offered", "families": catalogue(), "points": drawn, "sets": sets()}


def edited_alone(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """A formula, described, after a change of one of its fields, if one is asked."""
    formula: Any = read(str(asked.get("notation", "")), Formula)
    if asked.get("path"):
        formula = edited(formula, asked["path"], asked.get("value"))
    return {"kind": "edited", "formula": described(formula)}


def _sketch(name: str) -> list[list[float]]:
    """A few points of a set, each with its place in a square of side 1 and the number of its colour."""
    x, y, classes = points(name, 90, 0.04)
    if x.shape[1] == 1:
        x, y = np.stack([x[:, 0], y], axis=1), np.zeros(len(y))
    low, high = x.min(axis=0), x.max(axis=0)
    places = 0.08 + 0.84 * (x - low) / (high - low) * [1, -1] + [0, 0.84]
    kinds = y if classes or not y.any() else y > 0
    return [
        [round(float(across), 3), round(float(down), 3), int(kind)]
        for (across, down), kind in zip(places, kinds, strict=True)
    ]


def shown(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """The mathematics of a formula."""
    return {"kind": "page", **page_of(str(asked.get("notation", ""))[:2000])}


def answered(session: Session, asked: dict[str, Any]) -> dict[str, Any] | bytes:
    """What a message asks for, whose `do` is one of `ASKED`; what is compiled for it is the session's."""
    with keeping(session.programs):
        return ASKED[asked["do"]](session, asked)


ASKED: dict[str, Callable[[Session, dict[str, Any]], dict[str, Any] | bytes]] = {
    "offer": offered,
    "show": shown,
    "explain": explained,
    "take": taken,
    "file": file_taken,
    "edited": edited_alone,
    "race": raced,
}
