"""What a formula of one number looks like: its values and derivatives at many points, and a plot in braille."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.activations import Activation
from chainrule.arrays.compilation import at_once, compiled
from chainrule.costs import Cost
from chainrule.costs.targets import Targets
from chainrule.formula.base import Formula, fields
from chainrule.optimizers.schedules import Schedule
from chainrule.regularizers import Regularizer
from chainrule.textbook.derivative import derivative

STEPS = 1000
"""The length of a run whose schedule is drawn, where it has none of its own."""


class Curve(NamedTuple):
    """A function at some points."""

    x: np.ndarray
    y: np.ndarray


def curves(
    formula: Formula, low: float = -4, high: float = 4, points: int = 401, steps: int | None = None
) -> dict[str, Curve]:
    """A scalar activation with its derivative, or a schedule over some steps; empty for every other formula.

    >>> from chainrule.activations import ReLU
    >>> {name: curve.y.tolist() for name, curve in curves(ReLU(), -1, 1, 3).items()}
    {'f(x)': [0.0, 0.0, 1.0], 'f′(x)': [0.0, 0.0, 1.0]}
    """
    if isinstance(formula, Schedule):
        length = steps or steps_of(formula)
        t = np.arange(0, length + 1, max(length // points, 1))
        return {"η(t)": Curve(t, np.asarray(jax.vmap(formula.over(length))(jnp.asarray(t))))}
    if not isinstance(formula, Activation) or derivative(formula) is None:
        return {}
    x = jnp.linspace(low, high, points)
    slope = jax.jvp(formula, (x,), (jnp.ones_like(x),))[1]
    return {name: Curve(np.asarray(x), np.asarray(y)) for name, y in (("f(x)", formula(x)), ("f′(x)", slope))}


def sections(formula: Formula, points: int = 401) -> dict[str, Curve]:
    """What a cost or a penalty is by one number, where what the others add does not depend on it; else empty.

    That is a cost J by one output, for what is expected of it; of costs of classes by the output for the right one of
    two, the other of which has the rest of the probability, or the score 0. It is a penalty R by one weight.

    >>> from chainrule.costs import Quadratic
    >>> {name: curve.y.tolist() for name, curve in sections(Quadratic(), 3).items()}
    {'J(a), E = 0': [2.0, 0.0, 2.0]}
    """
    if isinstance(formula, Regularizer):
        x, expected, names = np.linspace(-2, 2, points), (0.0,), ("R(w)",)
    elif isinstance(formula, Cost) and formula.outputs_per_target == 1:
        x, expected = _outputs(formula.targets, points)
        letters = ("a₁", "(1, 0)") if formula.targets.of_all else ("a", "{:g}")
        names = [f"J({letters[0]}), E = {letters[1].format(E)}".replace("-", "−") for E in expected]
    else:
        return {}
    x = x.astype(np.float32)
    found, pairs = _by_one(formula, x, np.asarray(expected, np.float32))
    low, high, beside, other = np.asarray(pairs)
    if not np.isclose(high - low, other - beside, rtol=1e-3):
        return {}
    return {name: Curve(x, y) for name, y in zip(names, np.asarray(found), strict=True) if np.ptp(y) > 0}


CHANCES = (0.01, 0.99)
"""Between which probabilities a cost is drawn: 0 and 1 may cost infinitely much."""


def _outputs(targets: Targets, points: int) -> tuple[np.ndarray, tuple[float, ...]]:
    """Where a cost is drawn, and for which expected outputs."""
    if targets.of_all or math.isfinite(targets.most):
        low, high = (-3, 3) if targets.scores else CHANCES
        return np.linspace(low, high, points), (targets.yes,) if targets.of_all else (targets.yes, targets.no)
    if math.isfinite(targets.least):
        return np.linspace(targets.least + 0.1, 4, points), (max(targets.least + 1, 0),)
    return np.linspace(-2, 2, points), (0,)


PAIRS = ((0.2, 0.3), (0.7, 0.3), (0.2, 0.6), (0.7, 0.6))
"""Two numbers of which either is one of two: by how much the first one counts tells whether the second one matters."""


@compiled(compiler=at_once)
def _by_one(formula: Any, x: jax.Array, expected: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A penalty by one weight, or a cost by one output for each of some that are expected; and that of `PAIRS`."""
    if isinstance(formula, Regularizer):
        return jax.vmap(formula)(x[:, None])[None], jax.vmap(formula)(jnp.asarray(PAIRS)[..., None])
    if formula.targets.of_all:
        beside = jnp.zeros_like(x) if formula.targets.scores else 1 - x
        right = jnp.zeros_like(x, int)
        a = jnp.stack([x, beside], axis=1)
        return formula.each(a, formula.expected(a, right))[None], jnp.zeros(4)
    one = jax.vmap(lambda E: formula.each(x[:, None], jnp.full((len(x), 1), E)))
    return one(expected), formula.each(jnp.asarray(PAIRS), jnp.ones((4, 2)))


def steps_of(schedule: Schedule) -> int:
    """Over how many steps a schedule is drawn: past its own length, or that of a usual run."""
    lengths = {field.name: getattr(schedule, field.name) for field in fields(schedule)}
    own = [lengths.get("steps"), *(times * lengths.get(name, 0) for name, times in (("every", 5), ("warmup", 4)))]
    inner: Any = lengths.get("then")
    if isinstance(inner, Schedule):
        return round(lengths["steps"]) + steps_of(inner)
    known = [round(length) for length in own if length]
    return max(known) * (2 if "then" in lengths else 1) if known else STEPS


DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The dots of a braille letter, by row and column."""


def braille(curve: Curve, width: int = 30, height: int = 8) -> list[str]:
    """A plot of a curve in braille letters, with the axes where they are in sight, and figures at its ends.

    >>> for row in braille(Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0])), 6, 2):
    ...     print(row)
    1 ⠀⠀⠀⣀⡴⠚
    0 ⣠⠴⠋⠁⠀⠀
      0    1
    """
    x, y = curve
    low, high = float(np.min(y)), float(np.max(y))
    if high - low < 1e-12:
        low, high = low - 1, high + 1
    if 0 < low < 0.1 * (high - low):
        low = 0.0
    columns, rows = 2 * width, 4 * height
    dots = np.zeros((rows, columns), bool)

    def row_of(value):
        return np.round((high - value) / (high - low) * (rows - 1)).astype(int)

    places = np.linspace(x[0], x[-1], columns)
    heights = row_of(np.interp(places, x, y))
    if low < 0 < high:
        dots[row_of(0.0), ::4] = True
    if x[0] < 0 < x[-1]:
        dots[::4, round(-x[0] / (x[-1] - x[0]) * (columns - 1))] = True
    for column, (here, there) in enumerate(zip(heights, [*heights[1:], heights[-1]], strict=True)):
        middle = (here + there + (here > there)) // 2  # so that a steep curve has no gaps
        dots[min(here, middle) : max(here, middle) + 1, column] = True
        if column + 1 < columns:
            dots[min(there, middle) : max(there, middle) + 1, column + 1] = True
    cells = dots.reshape(height, 4, width, 2).transpose(0, 2, 1, 3)
    letters = ["".join(map(chr, row)) for row in 0x2800 + np.sum(cells * np.array(DOTS), axis=(2, 3))]
    return _framed(letters, (low, high), (x[0], x[-1]))


def _framed(letters: list[str], vertical: tuple[float, float], horizontal: tuple[float, float]) -> list[str]:
    """With the ends of both axes."""
    low, high = (_figure(value) for value in vertical)
    margin = max(len(low), len(high))
    left = [high, *[""] * (len(letters) - 2), low]
    below = [_figure(value) for value in horizontal]
    gap = " " * (len(letters[0]) - sum(map(len, below)))
    rows = [f"{figure:>{margin}} {row}" for figure, row in zip(left, letters, strict=True)]
    return [*rows, " " * (margin + 1) + gap.join(below)]


def _figure(value: float) -> str:
    return f"{value:,.0f}".replace("-", "−") if abs(value) >= 100 else f"{value:.2g}".replace("-", "−")
