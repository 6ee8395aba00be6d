"""One output of a layer over images, in numbers: against NumPy's own windows, and every sum whole."""

import jax
import numpy as np
import pytest

from chainrule.layers import (
    AveragePool2D,
    Conv1D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    GlobalAveragePool2D,
    MaxPool2D,
    Reshape,
)
from chainrule.playground import units
from chainrule.playground.units import Passage, Unit, as_image, channel_map, followed, seen_through

RNG = np.random.default_rng(0)


def passage(layer, shape):
    """A layer between random inputs and random gradients: the cost is their product with its outputs."""
    x = RNG.normal(size=(1, *shape)).astype(np.float32)
    p = {name: RNG.normal(size=each.shape).astype(np.float32) for name, each in layer.parameters(shape).items()}
    above = RNG.normal(size=(1, *layer.output_shape(shape))).astype(np.float32)

    @jax.jit
    def both_ways(p, x):
        y, back = jax.vjp(layer.forward, p, x)
        return y, *back(above)

    y, gradients, below = map(jax.device_get, both_ways(p, x))
    return Passage(layer, p, {}, gradients, x, y, above, below)


def windows(x, size, stride, dilation, low, high):
    """By NumPy: the padded image's cells that each output sees, (rows, columns, height, width, channels)."""
    padded = np.pad(x, [*zip(low, high, strict=True), (0, 0)], constant_values=np.nan)
    reach = [(n - 1) * d + 1 for n, d in zip(size, dilation, strict=True)]
    seen = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(0, 1))
    seen = seen[:: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return np.moveaxis(seen, 2, -1)


ONE, NONE = (1, 1), (0, 0)


@pytest.mark.parametrize(
    ("layer", "shape", "at", "window"),
    [
        (Conv2D(4, 3, padding="same"), (6, 5, 2), (0, 4, 3), ((3, 3), ONE, ONE, ONE, ONE)),
        (Conv2D(4, 2, stride=2, dilation=2, groups=2), (7, 7, 6), (2, 1, 2), ((2, 2), (2, 2), (2, 2), NONE, NONE)),
        (Conv2D(1, 6, bias=False), (8, 8, 1), (1, 2, 0), ((6, 6), ONE, ONE, NONE, NONE)),
        (DepthwiseConv2D(3, multiplier=2), (5, 5, 2), (1, 1, 2), ((3, 3), ONE, ONE, NONE, NONE)),
        (Conv1D(3, 3, padding="causal"), (6, 5), (0, 1, 2), ((1, 3), ONE, ONE, (0, 2), NONE)),
        (MaxPool2D(3, stride=2, padding="same"), (6, 6, 2), (2, 1, 1), ((3, 3), (2, 2), ONE, NONE, ONE)),
        (AveragePool2D(3, stride=2, padding="same"), (6, 6, 2), (2, 2, 1), ((3, 3), (2, 2), ONE, NONE, ONE)),
        (GlobalAveragePool2D(), (4, 7, 3), (0, 0, 2), ((4, 7), ONE, ONE, NONE, NONE)),
    ],
    ids=repr,
)
def test_one_output_in_numbers(monkeypatch, layer, shape, at, window):
    monkeypatch.setattr(units, "TERMS", 1000)
    given = passage(layer, shape)
    found = seen_through(given, at)
    *place, channel = at
    x, above, below = (as_image(part) for part in (given.x, given.above, given.below))
    by_numpy = windows(x, *window)
    patch, block = by_numpy[tuple(place)], (slice(None), slice(None))
    if found["cells"] != found["size"]:  # the part around what adds most
        block = units._block(np.abs(np.nan_to_num(sum(np.array(own) for own in _products(patch, found, given, at)))))
    assert found["size"] == window[0]
    for own, products in zip(found["parts"], _products(patch, found, given, at), strict=True):
        np.testing.assert_allclose(_array(own["x"]), patch[..., own["channel"]][block])
        np.testing.assert_allclose(_array(own["products"]), products[block], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(own["share"], np.nansum(products[block]), rtol=1e-5, atol=1e-6)
    made = {"max": np.nanmax, "mean": np.nanmean}.get(found["made"])
    value = sum(own["share"] for own in found["parts"]) + found["rest"] + (found["bias"] or 0)
    np.testing.assert_allclose([value, found["value"]], as_image(given.y)[at], rtol=1e-5, atol=1e-6)
    if made:
        np.testing.assert_allclose(found["value"], made(patch[..., channel]), rtol=1e-5)
    else:
        k, c = np.array(found["of_weight"]["at"])[:2], found["of_weight"]["at"][2]
        seen = np.nan_to_num(by_numpy[:, :, k[0], k[1], c])
        whole = np.sum(seen * above[..., channel])
        np.testing.assert_allclose(found["of_weight"]["total"], whole, rtol=1e-4)
        assert {tuple(where[:2]): (s, d) for where, s, d in found["of_weight"]["terms"]} == {
            cell: pytest.approx((seen[cell], above[(*cell, channel)])) for cell in np.ndindex(*seen.shape) if seen[cell]
        }
    for name in {"of_weight", "of_input"} & {*found}:  # each gradient is the whole sum of its terms
        terms = [slope * back for _, slope, back in found[name]["terms"]]
        np.testing.assert_allclose(sum(terms), found[name]["total"], rtol=1e-4, atol=1e-6)
        assert (found[name]["more"], found[name]["rest"]) == (0, pytest.approx(0, abs=1e-5))
    assert found["of_input"]["total"] == pytest.approx(below[found["of_input"]["at"]])
    assert found["delta"] == pytest.approx(above[at])


def _array(table):
    return np.array(table, float)


def _products(patch, found, given, at):
    """By NumPy: what each shown channel's cells add to an output."""
    *_, channel = at
    for own in found["parts"]:
        cells = patch[..., own["channel"]]
        if found["made"] == "max":
            yield np.where(np.isnan(cells), np.nan, np.where(cells == np.nanmax(cells), cells, 0))
        elif found["made"] == "mean":
            yield cells / np.sum(~np.isnan(cells))
        else:
            kernel = given.parameters["kernel"].reshape(*found["size"], -1, given.y.shape[-1])
            yield cells * kernel[:, :, own["channel"] % kernel.shape[2], channel]


def test_which_output_is_followed():
    given = passage(Conv2D(2, 3), (4, 4, 1))
    largest = np.unravel_index(np.argmax(given.y[0]), given.y.shape[1:])
    unit = followed(3, given.layer, given.x, given.y, None, None)
    assert unit == Unit(largest, 3)
    assert followed(3, given.layer, given.x, given.y, unit, {"3": [1, 0, 1]}) == Unit((1, 0, 1), 3)
    assert followed(4, Dense(1), given.y, given.y, unit, {"4": [0, 0, 0]}) == unit  # the same as of the layer before
    assert followed(0, Reshape((4,)), given.x, given.x[:, 0, 0], None, {}) is None
    painted = channel_map(given.y, 1)
    assert painted.shape == (1, 2, 2)
    most = np.abs(given.y[..., 1]).max()
    np.testing.assert_allclose(painted[0] / 127.5 - 1, given.y[0, ..., 1] / most, atol=0.005)
