"""Windows that each kernel is tried on, and what they see by a loop in NumPy."""

import itertools

import numpy as np
import pytest

from chainrule.kernels import native
from chainrule.kernels.window import Window

ONE = [
    # lengths, size, stride, dilation, pads
    ((1,), (1,), (1,), (1,), ((0, 0),)),
    ((6,), (3,), (2,), (1,), ((0, 0),)),
    ((6,), (2,), (2,), (1,), ((0, 0),)),
    ((9,), (2,), (4,), (1,), ((0, 0),)),
    ((5,), (5,), (5,), (1,), ((0, 0),)),
    ((4,), (3,), (2,), (1,), ((2, 0),)),
    ((2,), (4,), (1,), (1,), ((1, 3),)),
    ((9,), (3,), (2,), (3,), ((1, 2),)),
]
TWO = [
    ((4, 5), (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0))),
    ((5, 6), (3, 2), (2, 2), (1, 1), ((1, 1), (0, 1))),
    ((4, 7), (2, 3), (2, 3), (1, 1), ((0, 0), (0, 0))),
    ((7, 5), (2, 3), (3, 1), (1, 1), ((1, 0), (0, 2))),
    ((7, 6), (3, 2), (1, 2), (2, 3), ((2, 1), (0, 2))),
]
WINDOWS = [(lengths, Window(*window)) for lengths, *window in ONE + TWO]


def pytest_generate_tests(metafunc):
    if "seen" in metafunc.fixturenames:
        metafunc.parametrize(
            "seen", WINDOWS, ids=lambda seen: f"{seen[0]}-{'-'.join(map(str, seen[1]))}", indirect=True
        )


class Seen:
    """An input's lengths, a window over them, and what it sees, by the definition."""

    def __init__(self, lengths, window):
        self.lengths, self.window = lengths, window
        self.places = window.places(lengths)

    def patches(self, x, fill=0.0):
        """What the window sees of x, (batch, *places, *size, channels), by a loop."""
        padded = np.pad(x, [(0, 0), *self.window.pads, (0, 0)], constant_values=fill)
        seen = np.empty((len(x), *self.places, *self.window.size, x.shape[-1]), x.dtype)
        for place in itertools.product(*map(range, self.places)):
            for cell in itertools.product(*map(range, self.window.size)):
                at = [p * s + c * d for p, s, c, d in zip(place, self.window.stride, cell, self.window.dilation)]  # noqa: B905
                seen[(slice(None), *place, *cell)] = padded[(slice(None), *at)]
        return seen

    @property
    def cells(self):
        """The axes of the patches that a window's cells lie on."""
        rank = len(self.lengths)
        return tuple(range(1 + rank, 1 + 2 * rank))


@pytest.fixture
def seen(request) -> Seen:
    return Seen(*request.param)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(params=["native", "jax"])
def form(request, monkeypatch) -> str:
    """The native kernels, then what serves where they are not built."""
    if request.param == "jax":
        monkeypatch.setattr(native, "processor", lambda: None)
    elif native.processor() is None:
        pytest.skip("the native kernels are not built")
    return request.param
