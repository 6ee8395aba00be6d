"""Optimizers racing down a known surface from one start: the picture of every overview of gradient descent."""

import dataclasses
import io
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.compilation import compiled, quickly
from chainrule.optimizers import Optimizer
from chainrule.optimizers.schedules import Schedule, over
from chainrule.pictures.style import INK, PALETTE, canvas, legend, saved, width_of

RATES = tuple(float(f"{digit}e{power}") for power in range(-5, 2) for digit in (1, 2, 5))
"""The learning rates that are tried."""


class Surface(NamedTuple):
    """A function of two numbers that optimizers are tried on.

    Attributes:
        name, formula: for the title, the formula in LaTeX.
        height: the function, of numbers and of arrays of them; it may be a pytree, whose arrays compile nothing.
        frame: the part that is shown: left, right, bottom, top.
        start: where every path begins.
        goals: its minima.
        steps: how many are usually shown.
    """

    name: str
    formula: str
    height: Callable[[Any, Any], Any]
    frame: tuple[float, float, float, float]
    start: tuple[float, float]
    goals: tuple[tuple[float, float], ...]
    steps: int

    def lowest(self) -> float:
        """The height of its minima."""
        return float(np.min(self.height(*np.array(self.goals).T)))


SURFACES = {
    "beale": Surface(
        "Beale",
        "(1.5 - x + xy)^2 + (2.25 - x + xy^2)^2 + (2.625 - x + xy^3)^2",
        lambda x, y: (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2,
        (-0.5, 4.2, -1.5, 2.0),
        (1.0, 1.5),
        ((3.0, 0.5),),
        200,
    ),
    "rosenbrock": Surface(
        "Rosenbrock",
        "(1 - x)^2 + 100 (y - x^2)^2",
        lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
        (-2.0, 2.0, -1.0, 3.0),
        (-0.5, 2.5),
        ((1.0, 1.0),),
        500,
    ),
    "saddle": Surface(
        "Saddle",
        "x^2 - y^2 + y^4 / 4",
        lambda x, y: x**2 - y**2 + y**4 / 4,
        (-1.2, 1.6, -0.6, 2.2),
        (1.3, 0.001),
        ((0.0, 2**0.5),),
        100,
    ),
    "ravine": Surface(
        "Ravine",
        "x^2 / 20 + y^2",
        lambda x, y: x**2 / 20 + y**2,
        (-9.0, 3.0, -1.8, 2.4),
        (-8.0, 2.0),
        ((0.0, 0.0),),
        100,
    ),
}


class Path(NamedTuple):
    """Where an optimizer goes: its name for the legend, its points (steps + 1, 2), whether its rate was chosen.

    Attributes:
        ran: the optimizer as it went, with that rate.
    """

    label: str
    points: np.ndarray
    chosen: bool
    ran: Any


def path(optimizer: Optimizer, surface: Surface, steps: int, published: bool = False) -> Path:
    """The way of an optimizer down a surface.

    An optimizer with its default rate takes the one of `RATES` that leads it down fastest within the frame, as the
    published rates are for networks and crawl here; one with a rate of its own, or with `published`, keeps it.
    """
    said, rate = optimizer, rate_of(optimizer)
    optimizer = over(optimizer, steps)
    given = rate is None or rate != _default(optimizer) or published
    tried = jnp.array([0.0] if given else RATES)
    start = jnp.array(surface.start)
    walked = _walked(optimizer, tried, start, _leafed(surface.height), steps=steps, given=given)
    points = np.asarray(walked, np.float64)
    best = int(np.argmin([_slowness(each, surface) for each in points]))
    shown = rate if given else RATES[best]
    label = "" if rate is None else f", η = {shown:g}" if isinstance(shown, float) else f", η = {shown!r}"
    return Path(f"{_name(optimizer)}{label}", points[best], not given, said if given else with_rate(said, shown))


def _leafed(height: Any) -> Any:
    """A function as a pytree: a plain one has no arrays."""
    return jax.tree_util.Partial(height) if isinstance(height, FunctionType) else height


@compiled(compiler=quickly)
def _walked(optimizer: Any, tried: jax.Array, start: jax.Array, height: Any, *, steps: int, given: bool) -> jax.Array:
    """The ways of an optimizer from a start, by each of the rates that are tried, or by its own if that is given."""

    def walk(rate: jax.Array) -> jax.Array:
        rule = optimizer if given else with_rate(optimizer, rate)
        slope = jax.value_and_grad(lambda place: (height(*place), None), has_aux=True)

        def step(carry: Any, _: Any) -> Any:
            place, state = carry
            place, state, _ = rule.descend(slope, place, state)
            return (place, state), rule.published(place, state)

        return jnp.concatenate([start[None], jax.lax.scan(step, (start, rule.init(start)), length=steps)[1]])

    return jax.vmap(walk)(tried)


LONGEST = 1 / 10
"""Of the frame, the longest step that the eye follows."""


def _slowness(points: np.ndarray, surface: Surface) -> float:
    """How high the best point so far is on average, in powers of ten; without end where a path jumps or is not seen."""
    left, right, bottom, top = surface.frame
    places = (points - (left, bottom)) / (right - left, top - bottom)
    seen = np.all((places >= 0) & (places <= 1))
    if not seen or np.linalg.norm(np.diff(places, axis=0), axis=1).max() > LONGEST:
        return np.inf
    above = np.maximum(np.asarray(surface.height(*points.T)) - surface.lowest(), 0)  # its goals may be roughly known
    return float(np.mean(np.log10(np.minimum.accumulate(above) + 1e-6)))


def rate_of(optimizer: Any) -> float | Schedule | None:
    """An optimizer's learning rate, or that of the one within it."""
    inner = getattr(optimizer, "optimizer", None)
    return rate_of(inner) if inner is not None else getattr(optimizer, "learning_rate", None)


def with_rate(optimizer: Any, rate: Any) -> Any:
    """The same optimizer with another learning rate."""
    name = "optimizer" if hasattr(optimizer, "optimizer") else "learning_rate"
    inner = with_rate(optimizer.optimizer, rate) if name == "optimizer" else rate
    return dataclasses.replace(optimizer, **{name: inner})


def _default(optimizer: Any) -> Any:
    inner = getattr(optimizer, "optimizer", None)
    return _default(inner) if inner is not None else getattr(type(optimizer), "learning_rate", None)


def _name(optimizer: Any) -> str:
    """Its notation without the rate, which the legend says itself."""
    default = _default(optimizer)
    shown = repr(with_rate(optimizer, default) if isinstance(default, float) else optimizer)
    return shown.replace(f"(learning_rate={default!r})", "").replace(f"learning_rate={default!r}, ", "")


def race(optimizers: Sequence[Optimizer], surface: Surface, steps: int, kind: str, published: bool = False) -> bytes:
    """The bytes of a picture (png, svg, pdf), or a film (gif), of the optimizers' paths over the surface's contours."""
    paths = [path(each, surface, steps, published) for each in optimizers]
    figure, axis, drawn = _drawing(paths, surface)
    if kind == "gif":
        return _film(figure, axis, drawn, paths, steps)
    _show(drawn, paths, steps)
    return saved(figure, kind)


def _drawing(paths: list[Path], surface: Surface) -> tuple[Any, Any, list]:
    """The surface with its start and goals, and a line and a head for each path, still without points."""
    left, right, bottom, top = surface.frame
    figure, (axis,) = canvas(1, (7.6, 6.2))
    x, y = np.meshgrid(np.linspace(left, right, 301), np.linspace(bottom, top, 301))
    height = np.log10(surface.height(x, y) - surface.lowest() + 1e-3)
    axis.contourf(x, y, height, levels=24, cmap="Greys_r", alpha=0.5, antialiased=True)
    axis.contour(x, y, height, levels=24, colors="white", linewidths=0.5, linestyles="solid")
    axis.grid(False)
    axis.set(xlim=(left, right), ylim=(bottom, top), xlabel="x", ylabel="y")
    axis.set_title(f"{surface.name}:  ${surface.formula}$", math_fontfamily="cm", fontsize=14)
    axis.plot(*surface.start, "o", color=INK, markersize=7, zorder=5)
    for goal in surface.goals:
        axis.plot(*goal, "*", color="white", markeredgecolor=INK, markersize=14, zorder=8)
    drawn = []
    for number, each in enumerate(paths):
        colour = PALETTE[number % len(PALETTE)]
        [line] = axis.plot([], [], color=colour, linewidth=width_of(number, len(paths)), label=each.label, zorder=3)
        [head] = axis.plot([], [], "o", color=colour, markeredgecolor="white", markersize=9, zorder=6)
        drawn.append((line, head))
    title = "rates chosen for this surface" if all(each.chosen for each in paths) else None
    legend(figure, axis, title)
    return figure, axis, drawn


def _show(drawn: list, paths: list[Path], step: int) -> None:
    """The paths up to a step."""
    for (line, head), each in zip(drawn, paths, strict=True):
        line.set_data(*each.points[: step + 1].T)
        head.set_data(*each.points[step : step + 1].T)


FRAMES, REST, MILLISECONDS = 90, 20, 60
"""Of a film: pictures that move, pictures of the end, and how long one is seen."""


def _film(figure: Any, axis: Any, drawn: list, paths: list[Path], steps: int) -> bytes:
    """A GIF: the surface is drawn once, the paths on top of it for each frame; the first steps are shown slowest."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(90)
    agg = FigureCanvasAgg(figure)
    said = axis.text(0.02, 0.03, "", transform=axis.transAxes, color=INK, fontsize=12, zorder=7)
    moving = [said, *(artist for pair in drawn for artist in pair)]
    for artist in moving:
        artist.set_animated(True)
    agg.draw()
    ground = agg.copy_from_bbox(figure.bbox)
    frames = []
    for number in range(min(FRAMES, steps) + 1):
        step = round(steps * (number / min(FRAMES, steps)) ** 1.6)
        _show(drawn, paths, step)
        said.set_text(f"step {step}")
        agg.restore_region(ground)
        for artist in sorted(moving, key=lambda artist: artist.get_zorder()):
            axis.draw_artist(artist)
        frames.append(Image.fromarray(np.asarray(agg.buffer_rgba())).convert("RGB"))
    sample = frames[-1].copy()
    for number, (line, _) in enumerate(drawn):  # enough of each path's colour for it to be one of the film's
        sample.paste(line.get_color(), (0, 20 * number, 60, 20 * number + 20))
    colours = sample.quantize(128)
    flat = [frame.quantize(palette=colours, dither=Image.Dither.NONE) for frame in frames]
    file, times = io.BytesIO(), [MILLISECONDS] * (len(flat) - 1) + [REST * MILLISECONDS]
    flat[0].save(file, "GIF", save_all=True, append_images=flat[1:], duration=times, loop=0, optimize=False)
    return file.getvalue()
