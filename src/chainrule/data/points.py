"""Points of a plane, or on a line, to learn on: the shapes that every overview of networks shows."""

import ast
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import ChainruleError, cut, nearest

EDGE = 2.0
"""Points lie between minus and plus this, but for their noise."""

LONGEST = 200  # characters of a curve


class Points(NamedTuple):
    """Points to learn on.

    Attributes:
        x: their places, (rows, 2), or (rows, 1) on a line.
        y: the number of each one's class, or its value, (rows,).
        classes: the names of the classes; None for values.
    """

    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...] | None


Random = np.random.Generator
Curve = Callable[[np.ndarray], np.ndarray]


def moons(random: Random, rows: int, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Two half-moons, one in the other's arms."""
    y, angle = _alternating(rows), random.uniform(0, math.pi, rows)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return 1.1 * (np.where(y[:, None] == 0, upper, [1, 0.5] - upper) - [0.5, 0.25]), y


def circles(random: Random, rows: int, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """A disc in a ring."""
    y = _alternating(rows)
    radius = np.sqrt(np.where(y == 0, random.uniform(0, 0.7, rows), random.uniform(1.6, 3.0, rows)))
    return _polar(radius, random.uniform(0, 2 * math.pi, rows)), y


def spirals(random: Random, rows: int, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Two spirals, wound into each other."""
    y, place = _alternating(rows), random.uniform(0.02, 1, rows)
    return _polar(1.8 * place, 3.5 * math.pi * place + math.pi * y), y


def checkerboard(random: Random, rows: int, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """The black and white squares of a board of four by four."""
    x = random.uniform(-EDGE, EDGE, (rows, 2))
    return x, np.floor(x).sum(axis=1).astype(np.int64) % 2


def xor(random: Random, rows: int, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Whether one coordinate alone is positive."""
    x = random.uniform(-EDGE, EDGE, (rows, 2))
    return x + 0.1 * np.sign(x), (x[:, 0] > 0).astype(np.int64) ^ (x[:, 1] > 0)


def clusters(random: Random, rows: int, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Three clouds."""
    y = np.arange(rows) % 3
    return _polar(np.full(rows, 1.2), math.pi * (0.5 + 2 * y / 3)) + random.normal(0, 0.3, (rows, 2)), y


def halves(random: Random, rows: int, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """What is above a curve, and what is below."""
    x = random.uniform(-EDGE, EDGE, (rows, 2))
    return x, (x[:, 1] > curve(x[:, 0])).astype(np.int64)


def line(random: Random, rows: int, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """The values of a curve."""
    x = random.uniform(-EDGE, EDGE, rows)
    return x[:, None], curve(x)


def hills(random: Random, rows: int, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """The heights of a hill and a hollow."""
    x = random.uniform(-EDGE, EDGE, (rows, 2))
    up, down = (np.exp(-np.sum((x - place) ** 2, axis=1)) for place in ([0.8, 0.8], [-0.8, -0.8]))
    return x, up - down


CLASSES = {
    "moons": moons,
    "circles": circles,
    "spirals": spirals,
    "checkerboard": checkerboard,
    "xor": xor,
    "clusters": clusters,
    "halves": halves,
}
VALUES = {"line": line, "hills": hills}


def points(name: str, rows: int = 300, noise: float = 0.1, seed: int = 0, curve: str = "sin(2 * x)") -> Points:
    """Points of a set, the same ones for the same seed.

    Args:
        name: one of `CLASSES` or `VALUES`.
        rows: how many.
        noise: the standard deviation of what is added to their places, or to their values.
        seed: of the draw.
        curve: of halves and line, as `curve` reads it.

    Raises:
        ChainruleError: for a set that there is not, or a curve that can't be read or has no value somewhere.

    >>> found = points("spirals", 100)
    >>> found.x.shape, found.y[:4].tolist(), found.classes
    ((100, 2), [0, 1, 0, 1], ('A', 'B'))
    """
    draw = (CLASSES | VALUES).get(name)
    if draw is None:
        known = [*CLASSES, *VALUES]
        raise ChainruleError(f"There are no points {name!r}.{nearest(name, known)} They are {', '.join(known)}.")
    random = np.random.default_rng(seed)
    x, y = draw(random, rows, read_curve(curve) if name in ("halves", "line") else np.zeros_like)
    if name in VALUES:
        return Points(x.astype(np.float32), (y + random.normal(0, noise, rows)).astype(np.float32), None)
    x = x + random.normal(0, noise, x.shape)
    return Points(x.astype(np.float32), y, tuple("ABC"[: y.max() + 1]))


def _alternating(rows: int) -> np.ndarray:
    return np.arange(rows) % 2


def _polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
FUNCTIONS = {name: getattr(np, name) for name in ("sin", "cos", "tan", "tanh", "exp", "log", "sqrt", "abs", "sign")}
CONSTANTS = {"pi": math.pi, "e": math.e}


def read_curve(text: str) -> Curve:
    """A function of x from an expression, which is read by Python's `ast` and never evaluated as a program.

    >>> read_curve("x**2 - 1")(np.array([0.0, 2.0])).tolist()
    [-1.0, 3.0]
    >>> read_curve("__import__('os')")
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: Can't read the curve "__import__('os')". Write it with x, numbers, + - * / ** \
and sin, cos, tan, tanh, exp, log, sqrt, abs, sign, such as sin(2 * x).
    """
    problem = ChainruleError(
        f'Can\'t read the curve "{cut(text)}". Write it with x, numbers, + - * / ** and {", ".join(FUNCTIONS)}, such '
        f"as sin(2 * x)."
    )

    def value(node: ast.AST, x: np.ndarray) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id="x"):
                return x
            case ast.Name(id=name) if name in CONSTANTS:
                return CONSTANTS[name]
            case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
                return OPERATORS[type(op)](value(operand, x))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return OPERATORS[type(op)](np.float64(value(left, x)), value(right, x))
            case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in FUNCTIONS:
                return FUNCTIONS[name](value(inner, x))
        raise problem

    def curve(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            y = np.broadcast_to(value(body, x), x.shape).astype(np.float64)
        if not np.isfinite(y).all():
            raise ChainruleError(f'The curve "{cut(text)}" has no finite value at {x[~np.isfinite(y)][0]:.3g}. '
                                 f"Write one that has from -2 to 2.")  # fmt: skip
        return y

    if len(text) > LONGEST:
        raise ChainruleError(f"The curve is {len(text)} characters long. Write {LONGEST} at most.")
    try:
        body = ast.parse(text.strip(), mode="eval").body
        value(body, np.ones(1))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        raise problem from None
    return curve
