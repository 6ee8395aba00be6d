"""ONNX files of others: what is wrong with one is said in one line."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from chainrule.errors import ChainruleError
from chainrule.interchange import from_onnx, to_onnx
from chainrule.model import load

KERNEL = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)


def graph(*nodes, sizes=("rows", 3), arrays=None):
    """A model of these nodes from x to y."""
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    constants = [numpy_helper.from_array(array, name) for name, array in (arrays or {"w": KERNEL}).items()]
    return helper.make_model(helper.make_graph(nodes, "g", [given], [made], constants))


PRODUCT = graph(helper.make_node("MatMul", ["x", "w"], ["y"], name="product"))


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def written(content):
        place = tmp_path / "net.onnx"
        place.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
        return place.name

    return written


def test_a_graph_comes_in(file):
    model = from_onnx(file(PRODUCT))
    assert repr(model.network) == "Chain((Dense(2, bias=False),))"
    assert model(np.ones((1, 3))).tolist() == [[9.0, 12.0]]


def test_our_own_file_gives_the_model_that_was_written(file):
    given = from_onnx(file(PRODUCT))
    to_onnx(given, "own.onnx")
    for again in (from_onnx("own.onnx"), load("own.onnx")):
        assert again.network == given.network
        assert np.array_equal(again.parameters[0]["kernel"], KERNEL)


def elsewhere(location, length=24):
    """The product whose kernel is said to stand in another file."""
    model = onnx.ModelProto()
    model.CopyFrom(PRODUCT)
    [tensor] = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return model


def test_arrays_beside_the_file_are_read(file, tmp_path):
    (tmp_path / "weights.bin").write_bytes(KERNEL.tobytes())
    assert np.array_equal(from_onnx(file(elsewhere("weights.bin"))).parameters[0]["kernel"], KERNEL)


LSTM = helper.make_node("LSTM", ["x", "w", "r"], ["y"], name="memory", hidden_size=1, clip=3.0)
WEIGHTS = {"w": np.ones((1, 4, 2), np.float32), "r": np.ones((1, 4, 1), np.float32)}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "net.onnx is no ONNX file of a network: it has no nodes. Use an intact copy."),
        (b"PK\x03\x04 a zip file", "net.onnx is no ONNX file, or is cut short or damaged. Use an intact copy."),
        (PRODUCT.SerializeToString()[:-20],
         "net.onnx is no ONNX file, or is cut short or damaged. Use an intact copy."),
        (elsewhere("weights.bin"),
         "net.onnx: its arrays are in weights.bin, which is missing. Put it beside the file."),
        (elsewhere("../weights.bin"),
         "net.onnx: the array w is said to be in ../weights.bin, which is not in the file's "
         "folder. Use a file that keeps its arrays beside it."),
        (elsewhere("/etc/passwd"), "net.onnx: the array w is said to be in /etc/passwd, which is not in the file's "
         "folder. Use a file that keeps its arrays beside it."),
        (elsewhere("net.onnx", 10**6), "net.onnx: net.onnx ends within the array w. Use an intact copy."),
        (graph(helper.make_node("Det", ["x"], ["y"], name="d")),
         "net.onnx: node d (Det): no formula computes this operator."),
        (graph(helper.make_node("MatMul", ["x", "w"], ["y"], name="m"), arrays={"w": np.ones((2, 3, 4), np.float32)}),
         "net.onnx: node m (MatMul): no formula multiplies by a constant of 3 axes."),
        (graph(LSTM, sizes=("time", "rows", 2), arrays=WEIGHTS),
         "net.onnx: input x has shape ('time', 'rows', 2), of which some sizes are not fixed. Give one example's "
         "input_shape."),
        (graph(LSTM, sizes=(4, "rows", 2), arrays=WEIGHTS),
         "net.onnx: node memory (LSTM): attribute clip=3.0: no formula computes that, only None."),
        (graph(helper.make_node("Tan", ["x"], ["y"], name="t")),
         "net.onnx: node y (output): no activation is the function that Tan make, whose result it takes."),
        (graph(helper.make_node("Relu", ["z"], ["y"], name="r")),
         "net.onnx: expected one input, got none. A network takes one array."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(file, content, said):
    with pytest.raises(ChainruleError) as error:
        from_onnx(file(content))
    assert str(error.value) == said
