"""Points to learn on: their classes, their places, and the curves that one types."""

import numpy as np
import pytest

from chainrule.data.points import CLASSES, EDGE, VALUES, points, read_curve
from chainrule.errors import ChainruleError


@pytest.mark.parametrize("name", [*CLASSES, *VALUES])
def test_points_are_within_their_frame_and_the_same_for_the_same_seed(name):
    found, again, other = points(name, 200, 0.0, 1), points(name, 200, 0.0, 1), points(name, 200, 0.0, 2)
    np.testing.assert_array_equal(found.x, again.x)
    assert np.abs(found.x - other.x).max() > 0
    assert np.abs(found.x).max() <= EDGE + 0.5
    if name in CLASSES:
        assert np.bincount(found.y).min() >= 50
        assert len(found.classes) == found.y.max() + 1
    else:
        assert (found.classes, found.y.dtype) == (None, np.float32)


def test_what_the_shapes_are():
    circles = points("circles", 200, 0.0)
    radius = np.hypot(*circles.x.T)
    assert radius[circles.y == 0].max() < radius[circles.y == 1].min()
    halves = points("halves", 200, 0.0, curve="x / 2 + 0.1")
    np.testing.assert_array_equal(halves.y, halves.x[:, 1] > halves.x[:, 0] / 2 + 0.1)
    line = points("line", 200, 0.0, curve="-abs(x) ** 0.5")
    np.testing.assert_allclose(line.y, -np.sqrt(np.abs(line.x[:, 0])), rtol=1e-5)
    noisy = points("line", 2000, 0.5, curve="3")
    assert 0.45 < noisy.y.std() < 0.55


@pytest.mark.parametrize(
    "text",
    [
        "",
        "y",
        "x x",
        "sin",
        "sin(x, x)",
        "x.real",
        "x if x else 1",
        "[x]",
        "'x'",
        "lambda: x",
        "x @ x",
        "(" * 90,
        "9**9e9j",
    ],
)
def test_what_is_no_curve(text):
    with pytest.raises(ChainruleError, match=r"^Can't read the curve"):
        read_curve(text)


def test_what_else_is_refused():
    with pytest.raises(ChainruleError, match=r"^The curve is 201 characters long\. Write 200 at most\.$"):
        read_curve("x" * 201)
    with pytest.raises(ChainruleError, match=r"has no finite value at -.*\. Write one that has from -2 to 2\.$"):
        points("line", curve="log(x)")
    with pytest.raises(ChainruleError, match=r"^There are no points 'moon'\. Did you mean moons\? They are moons, "):
        points("moon")
