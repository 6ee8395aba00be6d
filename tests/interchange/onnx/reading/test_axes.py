"""Axes cut, glued and reordered there cost nothing here, until an array of other axes is asked for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ChainruleError
from chainrule.interchange.onnx.reading.axes import Factor, View
from chainrule.interchange.onnx.reading.flow import Flow, network_of, rows_of
from chainrule.layers import Flatten, Permute, Reshape

ROWS = 7


def moved(steps, x):
    """What layers that only move numbers make of an array."""
    for step in steps:
        match step.layer:
            case Permute(axes=axes):
                x = x.transpose(0, *axes)
            case Reshape(shape=shape):
                x = x.reshape(len(x), *shape)
            case Flatten():
                x = x.reshape(len(x), -1)
    return x


@st.composite
def operations(draw):
    """A shape, and transpositions and reshapes that keep the rows apart."""
    shape = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=3)))
    sizes, found = [ROWS, *shape], []
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            order = draw(st.permutations(range(len(sizes))))
            sizes = [sizes[place] for place in order]
            found.append(("transpose", tuple(order)))
        elif sizes[0] == ROWS:
            n = math.prod(sizes[1:])
            first = draw(st.sampled_from([d for d in range(1, n + 1) if n % d == 0]))
            sizes = draw(st.sampled_from([[ROWS, n], [ROWS, first, n // first], [ROWS, first, 1, n // first]]))
            found.append(("reshape", tuple(sizes)))
    return shape, found


def both(case):
    """Numbers that all differ, and what operations make of them: by the reader, and by NumPy."""
    shape, operations = case
    x = np.arange(ROWS * math.prod(shape)).reshape(ROWS, *shape)
    flow, there = Flow((), View.of((ROWS, *shape))), x
    for what, numbers in operations:
        if what == "transpose":
            flow, there = flow.seen(flow.view.transposed(numbers)), there.transpose(numbers)
        else:
            flow, there = flow.reshaped(numbers), there.reshape(numbers)
        assert flow.view.sizes == there.shape
    return x, flow, there


@given(operations())
def test_what_is_moved_there_comes_out_as_numpy_moves_it(case):
    x, flow, there = both(case)
    here = flow.as_there()
    expected = np.moveaxis(there, flow.view.batch_axis, 0)
    np.testing.assert_array_equal(moved(here.steps, x), expected)
    assert here.view.shape == expected.shape[1:]


@given(operations())
def test_the_entries_of_an_axis_are_found_in_its_order_here(case):
    x, flow, there = both(case)
    axis = 0 if flow.view.batch_axis else len(there.shape) - 1
    ended, rows = flow.ending(axis)
    last = np.moveaxis(there, axis, -1).reshape(-1, there.shape[axis])
    found = moved(ended.steps, x)
    found = found.reshape(-1, found.shape[-1])[:, rows]
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, last.tolist()))


def test_images_with_channels_first_need_one_layer_and_a_flattening_behind_them_none():
    image = Flow((), View.of((ROWS, 3, 5, 4)))
    batch, channels, *lengths = image.view.there
    last = image.arranged(batch, *lengths, channels)
    assert network_of(last.steps).layer.layers == (Permute((2, 3, 1)),)
    flat, rows = last.reshaped((ROWS, 60)).ending(1)
    assert [step.layer for step in flat.steps[1:]] == [Flatten()]
    assert rows[:3].tolist() == [0, 3, 6]


def test_what_is_asked_for_twice_is_one_step():
    image = Flow((), View.of((ROWS, 3, 5, 4)))
    batch, channels, *lengths = image.view.there
    assert image.arranged(batch, *lengths, channels).steps[0] is image.arranged(batch, *lengths, channels).steps[0]


@pytest.mark.parametrize("sizes", [(ROWS * 3, 4), (3, ROWS * 4), (ROWS * 12,)])
def test_rows_stay_apart(sizes):
    flow = Flow((), View.of((ROWS, 3, 4)))
    with pytest.raises(ChainruleError, match="mixes the rows of a batch with other axes"):
        flow.reshaped(sizes).as_there()


def test_a_batch_of_one_row_is_told_from_other_axes_of_size_1():
    one = View.of((1, 2, 3))
    assert one.reshaped((1, 6)).batch_axis == 0
    assert View.of((5, 1, 3), batch=1).reshaped((5, 1, 3)).batch_axis == 1


def test_two_factors_of_one_size_are_two():
    a, b = Factor(2), Factor(2)
    assert rows_of((a, b), (b, a)).tolist() == [0, 2, 1, 3]
