"""What a formula of one number looks like: its values and derivatives at many points, and a plot in braille."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.activations import Activation
from chainrule.formula.base import Formula, fields
from chainrule.optimizers.schedules import Schedule
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
