"""Pictures of formulas: a page, a comparison, a race. What is drawn is asked of the figures and files themselves."""

import io

import matplotlib.image
import numpy as np
import pytest
from PIL import Image

from chainrule.activations import ELU, Tanh
from chainrule.costs import CrossEntropy
from chainrule.formula.base import Formula
from chainrule.notation.families import family
from chainrule.optimizers import Adam, ClipNorm, GradientDescent, Momentum, Optimizer, Rule
from chainrule.optimizers.schedules import ConstantRate, CosineDecay
from chainrule.pictures import race as module
from chainrule.pictures.comparison import comparison, label
from chainrule.pictures.formula import mathtext, picture
from chainrule.pictures.race import RATES, SURFACES, path, race, rate_of, with_rate
from chainrule.textbook.equations import derivatives, equations

FORMULAS = [formula for formula in family(Formula) if formula.__module__.startswith("chainrule.")]


def size(png: bytes) -> tuple[int, int]:
    height, width, _ = matplotlib.image.imread(io.BytesIO(png), format="png").shape
    return width, height


@pytest.mark.slow
def test_matplotlib_understands_every_formula():
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    for formula in FORMULAS:
        for equation in [*equations(formula), *derivatives(formula)]:
            parser.parse(mathtext(equation))


@pytest.mark.parametrize("formula", [ELU(2.0), Adam, CrossEntropy, CosineDecay(0.1)], ids=repr)
def test_a_picture_of_a_formula(formula):
    png = picture(formula)
    width, height = size(png)
    assert 400 < width < 2000
    assert 200 < height < 1600
    assert png == picture(formula)


def test_a_picture_with_curves_is_higher():
    assert size(picture(Tanh))[1] > size(picture(CrossEntropy))[1]


def test_what_a_remark_says_is_in_the_picture():
    assert r"(behind\ Sigmoid)" in mathtext(derivatives(CrossEntropy)[1])


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_comparison_in_every_kind_of_file(kind, start):
    figure = comparison([ELU(), Tanh()], derivative=True, low=-3, high=3, kind=kind)
    assert figure.startswith(start)


def test_a_comparison_has_a_panel_for_derivatives():
    one, two = (comparison([Tanh()], derivative=each, low=-3, high=3, kind="png") for each in (False, True))
    assert size(two)[0] == pytest.approx(2 * size(one)[0], abs=2)
    assert comparison([CosineDecay(0.1), ConstantRate(0.1)], derivative=False, low=0, high=1, kind="png")


def test_labels_are_names_or_notation():
    assert [label(each) for each in (ELU(), ELU(2.0), CosineDecay(0.1))] == [
        "ELU",
        "ELU(alpha=2.0)",
        "CosineDecay(0.1)",
    ]


# The race


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_a_surface_is_lowest_at_its_goals_and_starts_in_its_frame(surface):
    left, right, bottom, top = surface.frame
    for x, y in (*surface.goals, surface.start):
        assert left < x < right
        assert bottom < y < top
    steps = np.linspace(-0.1, 0.1, 21)
    for x, y in surface.goals:
        assert surface.height(x, y) == pytest.approx(surface.lowest())
        assert (surface.height(x + steps[:, None], y + steps) >= surface.lowest() - 1e-12).all()


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("rule", [rule for rule in family(Rule) if rule.__module__.startswith("chainrule.")])
def test_a_path_begins_at_the_start_and_goes_down_within_the_frame(rule):
    surface = SURFACES["ravine"]
    way = path(rule(), surface, 40)
    left, right, bottom, top = surface.frame
    assert way.points.shape == (41, 2)
    assert way.points[0] == pytest.approx(surface.start)
    assert ((left <= way.points[:, 0]) & (way.points[:, 0] <= right)).all()
    assert ((bottom <= way.points[:, 1]) & (way.points[:, 1] <= top)).all()
    assert surface.height(*way.points[-1]) < surface.height(*surface.start)
    assert way.chosen
    assert float(way.label.rpartition("= ")[2]) in RATES


def test_a_rate_that_is_given_or_published_is_kept():
    surface = SURFACES["ravine"]
    given = path(GradientDescent(0.25), surface, 2)
    assert given.label == "GradientDescent, η = 0.25"
    assert given.points[1] == pytest.approx([-8 + 0.25 * 0.8, 2 - 0.25 * 4])
    assert path(GradientDescent(), surface, 2, published=True).label == "GradientDescent, η = 0.01"
    assert path(Adam(CosineDecay(0.3)), surface, 2).label == "Adam, η = CosineDecay(0.3)"


def test_the_names_in_the_legend():
    surface = SURFACES["ravine"]
    labels = [path(each, surface, 1).label for each in (Momentum(0.5, 0.8), ClipNorm(1.0) >> Adam(0.5))]
    assert labels == ["Momentum(momentum=0.8), η = 0.5", "ClipNorm(max_norm=1.0) >> Adam, η = 0.5"]


def test_the_rate_within():
    clipped = ClipNorm(1.0) >> (ClipNorm(2.0) >> Adam())
    assert rate_of(clipped) == 0.001
    assert rate_of(with_rate(clipped, 0.5)) == 0.5
    assert isinstance(with_rate(clipped, 0.5), Optimizer)


def test_a_picture_of_a_race():
    surface = SURFACES["saddle"]
    png = race([GradientDescent(0.1), Momentum(0.1)], surface, 5, "png")
    assert png.startswith(b"\x89PNG")
    assert race([GradientDescent(0.1), Momentum(0.1)], surface, 5, "png") == png


def test_a_film_shows_every_step_and_rests_at_the_end(monkeypatch):
    monkeypatch.setattr(module, "FRAMES", 6)
    film = Image.open(io.BytesIO(race([GradientDescent(0.1), Momentum(0.1)], SURFACES["ravine"], 6, "gif")))
    times = []
    for number in range(film.n_frames):
        film.seek(number)
        times.append(film.info["duration"])
    assert 5 <= film.n_frames <= 7
    assert times[-1] == module.REST * module.MILLISECONDS
    colours = np.asarray(film.convert("RGB")).reshape(-1, 3)
    for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):  # the paths', whole
        assert (np.abs(colours.astype(int) - colour).max(axis=1) <= 8).any()
