"""The ONNX project's own tests of operators, with their attributes, stored inputs and outputs, run by our layers.

What no formula computes is refused by its operator; whatever is read must be right.
"""

import re
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.formula.layer import outputs_of
from chainrule.interchange.onnx.reading import read

onnx = pytest.importorskip("onnx")

LARGEST = np.finfo(np.float32).max
FEW_DIGITS = ("test_averagepool_2d_ceil_last_window_starts_on_pad",)  # whose outputs are written down with four
FLOATS = (np.float16, np.float32, np.float64)
AT_LEAST = {"node": 330, "pytorch-converted": 68, "pytorch-operator": 10}
"""How many of each kind are read today."""


def stored(kind):
    """Each test of a kind with its graph, inputs and outputs, those of decimal numbers only."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tests = load_model_tests(kind=kind)
    for test in tests:
        if test.model is not None:
            model, (inputs, outputs) = test.model, test.data_sets[0]
        else:
            model = onnx.load(f"{test.model_dir}/model.onnx")
            inputs, outputs = ([*arrays(test.model_dir, which)] for which in ("input", "output"))
        if inputs and all(map(fits, (*inputs, *outputs))) and outputs[0].dtype in FLOATS:
            yield test.name, model, inputs, outputs


def fits(array):
    """Whether it is an array whose numbers float32 can hold; some stored ones are what happened to be in memory."""
    if not isinstance(array, np.ndarray):
        return False
    return array.dtype != np.float64 or not (np.abs(array[np.isfinite(array)]) > LARGEST).any()


def arrays(folder, which):
    for file in sorted(Path(folder).glob(f"test_data_set_0/{which}_*.pb")):
        tensor = onnx.TensorProto()
        tensor.ParseFromString(file.read_bytes())
        yield onnx.numpy_helper.to_array(tensor)


def as_here(x, shape):
    """A batch with its channels last, or its rows first, where an example has this shape."""
    each = (x, np.moveaxis(x, 1, -1) if x.ndim > 2 else x, np.moveaxis(x, 1, 0) if x.ndim > 1 else x)
    return next(one for one in each if one.shape[1:] == shape)


def alike(y, expected, close):
    """Whether outputs are those expected, with channels or rows where they are there."""
    each = [
        y,
        *([np.moveaxis(y, -1, 1)] if y.ndim > 2 else []),
        *(np.moveaxis(y, 0, axis) for axis in range(1, y.ndim)),
    ]
    return any(
        one.size == expected.size
        and np.allclose(one.reshape(expected.shape), expected, rtol=close, atol=close / 10, equal_nan=True)
        for one in each
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", AT_LEAST)
def test_what_is_read_is_right(kind):
    right, wrong, refused = [], [], []
    for name, model, inputs, outputs in stored(kind):
        constants = dict(zip((each.name for each in [*model.graph.input][1:]), inputs[1:], strict=False))
        try:
            found = read(model, constants=constants)
        except ChainruleError as error:
            refused.append(str(error))
            continue
        x = inputs[0].astype(np.float32) if inputs[0].dtype in FLOATS else inputs[0]
        p, state = jax.tree.map(jnp.asarray, (found.parameters, found.state))
        y, _ = outputs_of(found.network, p, state, jnp.asarray(as_here(x, found.input_shape)))
        close = 1e-3 if outputs[0].dtype == np.float16 or name in FEW_DIGITS else 1e-5
        (right if alike(np.asarray(y), outputs[0], close) else wrong).append(f"{name}: {found.network}")
    assert not wrong
    named = r"node .* \(.*\): |input .* has |expected one input|expected an output|output .* does not"
    assert [error for error in refused if not re.match(named, error)] == []
    assert len(right) >= AT_LEAST[kind]
