"""Layers that graphs spell out in many nodes come in as the layers that they are.

Modelled on what tf2onnx 1.17 writes for Keras 2.15 and 3.15: gates in the body of a loop, what TimeDistributed does as
slices of the steps, tokens that count from the end where they are negative, and activations and normalisations in their
parts. Crossing branches and shared arrays are modelled on torch.onnx.export.
"""

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from chainrule.errors import ChainruleError
from chainrule.formula.layer import outputs_of
from chainrule.interchange.onnx.reading import read

DRAWN = np.random.default_rng(0)


def drawn(*shape):
    return DRAWN.uniform(-0.8, 0.8, shape).astype(np.float32)


def ints(*numbers):
    return np.array(numbers, np.int64)


def nodes(*lines):
    """Nodes from lines such as "y = Add(a, b)", with attributes behind them."""
    made = []
    for line, *attributes in (each if isinstance(each, tuple) else (each,) for each in lines):
        outputs, _, call = line.partition(" = ")
        operator, _, inputs = call.rstrip(")").partition("(")
        names = outputs.split(", ")
        made.append(helper.make_node(operator, inputs.split(", "), names, name=names[0], **dict(*attributes)))
    return made


def graph(lines, sizes, arrays, kind=TensorProto.FLOAT):
    """A model of these nodes from x to y."""
    x = helper.make_tensor_value_info("x", kind, ("rows", *sizes))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    made = helper.make_graph(nodes(*lines), "g", [x], [y], constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)])


def body():
    """A step of a GRU whose reset gate acts on the product, its gates in Keras' order."""
    lines = [
        "x_t = Gather(steps, place)",
        "next = Add(place, one)",
        "of_x = MatMul(x_t, kernel)",
        "with_b = Add(of_x, bias)",
        ("x_z, x_r, x_n = Split(with_b)", {"axis": 1, "num_outputs": 3}),
        "of_h = MatMul(h, recurrent)",
        ("h_z, h_r, h_n = Split(of_h)", {"axis": 1, "num_outputs": 3}),
        "sum_z = Add(x_z, h_z)",
        "z = Sigmoid(sum_z)",
        "sum_r = Add(x_r, h_r)",
        "r = Sigmoid(sum_r)",
        "reset = Mul(r, h_n)",
        "sum_n = Add(x_n, reset)",
        "n = Tanh(sum_n)",
        "less = Sub(one_, z)",
        "new = Mul(less, n)",
        "old = Mul(z, h)",
        "made = Add(new, old)",
        "again = Identity(going)",
        "every = Identity(made)",
    ]
    info = helper.make_tensor_value_info
    inputs = [info("i", 7, ()), info("going", 9, ()), info("place", 7, ()), info("h", 1, None)]
    outputs = [info("again", 9, ()), info("next", 7, ()), info("made", 1, None), info("every", 1, None)]
    constants = [numpy_helper.from_array(np.int64(1), "one"), numpy_helper.from_array(np.float32(1), "one_")]
    return helper.make_graph(nodes(*lines), "body", inputs, outputs, constants)


GRU = [
    ("steps = Transpose(x)", {"perm": [1, 0, 2]}),
    "sizes = Shape(x)",
    "rows = Gather(sizes, none)",
    ("wide = Concat(rows, units)", {"axis": 0}),
    "start = Expand(zero, wide)",
    ("end, last, all = Loop(count, true, first, start)", {"body": body()}),
    "y = MatMul(last, w)",
]
OF_GRU = {
    "none": ints(0), "units": ints(4), "zero": np.float32(0), "count": np.int64(5), "true": np.bool_(True),
    "first": np.int64(0), "kernel": drawn(3, 12), "recurrent": drawn(4, 12), "bias": drawn(12), "w": drawn(4, 2),
}  # fmt: skip
STEPS = [
    line
    for place in range(3)
    for line in (
        f"cut{place} = Slice(x, p{place}, p{place + 1}, p1)",
        f"x{place} = Squeeze(cut{place}, p1)",
        f"of{place} = MatMul(x{place}, w)",
        f"sum{place} = Add(of{place}, b)",
        f"act{place} = Relu(sum{place})",
        f"out{place} = Unsqueeze(act{place}, p1)",
    )
]
PLACES = {f"p{place}": ints(place) for place in range(4)}
NORMALISED = [
    "of = MatMul(x, w)",
    "act = Relu(of)",
    "mean = GlobalAveragePool(act)",
    "off = Sub(act, mean)",
    "square = Mul(off, off)",
    "variance = GlobalAveragePool(square)",
    "more = Add(variance, epsilon)",
    "root = Sqrt(more)",
    "one_by = Reciprocal(root)",
    "factor = Mul(one_by, scale)",
    "scaled = Mul(act, factor)",
    "less = Neg(mean)",
    "moved = Mul(less, factor)",
    "rest = Add(moved, offset)",
    "y = Add(scaled, rest)",
]
CASES = {
    "a loop": (GRU, (5, 3), OF_GRU, "GRU(4, reset_after=True) >> Dense(2, bias=False)"),
    "each step": (
        [*STEPS, ("y = Concat(out0, out1, out2)", {"axis": 1})], (3, 2), PLACES | {"w": drawn(2, 4), "b": drawn(4)},
        "Dense(4) >> ReLU()",
    ),
    "places repeated": (
        ["of = MatMul(x, w)", "apart = Unsqueeze(of, p1)", "many = Tile(apart, times)", "y = Mul(many, half)"], (3,),
        PLACES | {"w": drawn(3, 2), "times": ints(1, 4, 1), "half": np.float32(0.5)},
        "Dense(2, bias=False) >> Reshape((1, 2)) >> Upsample1D(size=4) >> Affine(scale=True, offset=False)",
    ),
    "PReLU": (
        ["up = Relu(x)", "less = Neg(x)", "down = Relu(less)", "slow = Mul(down, slope)", "y = Add(up, slow)"], (3,),
        {"slope": -np.array([0.1, 0.2, 0.3], np.float32)}, "PReLU(initial=0.25)",
    ),
    "one unit": (["of = MatMul(x, w)", "sum = Add(of, b)", "y = Sigmoid(sum)"], (3,), {"w": drawn(3, 1), "b": drawn(1)},
                 "Dense(1) >> Sigmoid()"),
    "a line held": (
        ["of = Mul(x, fifth)", "sum = Add(of, half)", "less = Min(sum, one)", "y = Max(less, zero)"], (3,),
        {"fifth": np.float32(0.2), "half": np.float32(0.5), "one": np.float32(1), "zero": np.float32(0)},
        "Affine(scale=True) >> HardTanh(low=0.0)",
    ),
    "LayerNorm": (NORMALISED, (2, 3), {"w": drawn(3, 4), "scale": drawn(4), "offset": drawn(4),
                                       "epsilon": np.float32(1e-3)},
                  "Dense(4, bias=False) >> ReLU() >> LayerNorm(epsilon=0.001)"),
}  # fmt: skip


def answered(model, x):
    """What a network from a graph gives, and its notation."""
    found = read(model, x.shape[1:])
    y, _ = outputs_of(found.network, *jax.tree.map(jnp.asarray, (found.parameters, found.state)), jnp.asarray(x))
    return np.asarray(y), repr(found.network)


@pytest.mark.parametrize("name", CASES)
def test_what_is_spelt_out_is_the_layer_and_answers_alike(name):
    lines, sizes, arrays, notation = CASES[name]
    model, x = graph(lines, sizes, arrays), drawn(3, *sizes)
    y, network = answered(model, x)
    assert network in (notation, f"Chain(({notation},))")
    [expected] = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-6)


def test_tokens_that_would_count_from_the_end_are_tokens():
    lines = [
        "later = Add(x, rows)",
        "below = Less(x, zero)",
        "above = Not(below)",
        ("of_above = Cast(above)", {"to": 7}),
        ("of_below = Cast(below)", {"to": 7}),
        "kept = Mul(x, of_above)",
        "moved = Mul(later, of_below)",
        "tokens = Add(moved, kept)",
        "y = Gather(table, tokens)",
    ]
    table = drawn(6, 2)
    model = graph(lines, (4,), {"rows": np.int64(6), "zero": np.int64(0), "table": table}, TensorProto.INT64)
    x = np.array([[0, 5, 2, 2]])
    y, network = answered(model, x)
    assert network == "Chain((Embedding(6, 2),))"
    assert np.array_equal(y, table[x])


def test_outputs_of_all_steps_and_the_last_one_are_of_one_layer():
    gates = {"w": drawn(1, 3, 2), "r": drawn(1, 3, 3)}
    lines = [
        ("steps = Transpose(x)", {"perm": [1, 0, 2]}),
        ("all, last = RNN(steps, w, r)", {"hidden_size": 3}),
        "every = Squeeze(all, p1)",
        ("by_row = Transpose(every)", {"perm": [1, 0, 2]}),
        ("mean = ReduceMean(by_row, p1)", {"keepdims": 0}),
        "one = Slice(every, less, far, p0)",
        "final = Squeeze(one, p0)",
        ("y = Concat(mean, final)", {"axis": 1}),
    ]
    model = graph(lines, (4, 2), gates | PLACES | {"less": ints(-1), "far": ints(2**31 - 1)})
    x = drawn(3, 4, 2)
    y, network = answered(model, x)
    assert network == (
        "RNN(3, return_sequences=True) >> (GlobalAveragePool1D() | Crop1D(cropping=(3, 0)) >> Flatten())"
    )
    np.testing.assert_allclose(y, ReferenceEvaluator(model).run(None, {"x": x})[0], rtol=1e-5, atol=1e-6)


REFUSED = {
    "crossing branches": (
        ["a = MatMul(x, u)", "b = MatMul(x, v)", "sum = Add(a, b)", "product = Mul(a, b)",
         ("y = Concat(sum, product)", {"axis": 1})],
        {"u": drawn(2, 2), "v": drawn(2, 2)},
        "node y (Concat): the branches that meet here cross: node a (MatMul) is on both, and yet they part before it, "
        "which no composition of layers does. A recurrent layer comes in as one node, as PyTorch writes it with "
        "dynamo=False.",
    ),
    "shared arrays": (
        ["a = MatMul(x, u)", "b = Relu(a)", "y = MatMul(b, u)"], {"u": drawn(2, 2)},
        "node a (MatMul) and node y (MatMul) share their arrays, which no composition of layers does. A recurrent "
        "layer comes in as one node, as PyTorch writes it with dynamo=False",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_composition_does_is_refused_by_both_nodes(name):
    lines, arrays, said = REFUSED[name]
    with pytest.raises(ChainruleError) as caught:
        read(graph(lines, (2,), arrays), (2,))
    assert str(caught.value) == said


def test_a_loop_of_something_else_is_refused():
    other = onnx.GraphProto()
    other.CopyFrom(body())
    next(node for node in other.node if node.name == "n").op_type = "Sin"
    lines = [(line[0], {"body": other}) if "Loop" in line[0] else line for line in GRU]
    with pytest.raises(ChainruleError) as caught:
        read(graph(lines, (5, 3), OF_GRU), (5, 3))
    assert str(caught.value) == (
        "node end (Loop): no recurrent layer computes what its body does. Export it as an LSTM, GRU or RNN node."
    )
