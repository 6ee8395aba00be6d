"""A model inside an ONNX file, read back to the bit or refused in one line."""

import json
import sys

import jax
import numpy as np
import onnx
import pytest

from chainrule import ChainruleError, load
from chainrule.costs import CategoricalCrossEntropy, Quadratic
from chainrule.data.preprocessing import Preprocessor
from chainrule.formula.network import is_parameter
from chainrule.interchange.onnx.writing import content
from chainrule.model import Model, embedded
from chainrule.model.embedded import Place, numbered
from chainrule.model.file import MODEL, arrays_of, to_bytes
from chainrule.model.history import History
from chainrule.notation import as_chain
from chainrule.regularizers import L2

TABLE = {"width": [0.5, 1.5, 2.5, 3.5] * 3, "colour": ["red", "blue"] * 6, "kind": ["a", "b"] * 6}


def drawn(network, shape, *more):
    """A model with drawn arrays."""
    network, rng = as_chain(network), np.random.default_rng(0)
    parameters = jax.tree.map(
        lambda p: rng.random(p.shape, np.float32), network.parameters(shape), is_leaf=is_parameter
    )
    state = jax.tree.map(lambda each: rng.random(each.shape, np.float32), network.state(shape))
    return Model(network, parameters, state, shape, *more)


@pytest.fixture(scope="module")
def model():
    preprocessor = Preprocessor.fit(TABLE)
    network = "Dense(3) >> Repeat(Dense(3) >> Tanh(), 2) >> Dense(2) >> Softmax()"
    history = History([{"epoch": 1, "cost": 0.1}])
    more = (CategoricalCrossEntropy(), L2(0.5), preprocessor.classes, preprocessor, history, {"seed": 0})
    return drawn(network, (3,), *more)


@pytest.fixture
def file(model, tmp_path):
    model.to_onnx(tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_a_model_is_read_back_to_the_bit_and_equal_models_give_equal_files(model, file):
    found = load(file)
    assert to_bytes(found) == to_bytes(model)
    assert content(found) == file.read_bytes()
    said = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert said.keys() == {"chainrule", "chainrule.places"}  # no array is there twice


MOVED = {
    "Conv2D(4, 3) >> LayerNorm() >> ReLU() >> Flatten() >> Dense(2)": (8, 8, 3),
    "DepthwiseConv2D(3) >> ConvTranspose2D(3, 3) >> GroupNorm(3) >> GlobalAveragePool2D()": (8, 8, 3),
    "LocallyConnected2D(3, 3) >> InstanceNorm() >> Flatten() >> Dense(1)": (6, 6, 2),
    "Conv1D(4, 3) >> Bidirectional(LSTM(5, return_sequences=True)) >> PeepholeLSTM(2, learn_start=True)": (8, 3),
    "GRU(5, reset_after=True, return_sequences=True) >> GRU(3, return_sequences=True) >> RNN(2)": (8, 3),
    "Identity() + (RMSNorm() >> SelfAttention(2)) >> AttentionPool(3) >> SReLU() >> PReLU()": (8, 4),
    "Repeat(Identity() + (LayerNorm() >> Dense(4)), 3) | Frozen(Dense(2))": (4,),
}
COMPUTED = {
    "BatchNorm() >> Dense(2)": {"state.0.count"},
    "WeightNorm(Dense(2))": {"parameters.0.layer.kernel", "parameters.0.lengths.0"},
}


def test_arrays_of_every_layout_are_read_back_to_the_bit_and_kept_once(tmp_path):
    shapes = MOVED | dict.fromkeys(COMPUTED, (4,))
    for network, shape in shapes.items():
        model = drawn(network, shape, Quadratic())
        model.to_onnx(tmp_path / "model.onnx")
        assert to_bytes(load(tmp_path / "model.onnx")) == to_bytes(model), network
        said = {entry.key: entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props}
        elsewhere = arrays_of(model).keys() - json.loads(said["chainrule.places"]).keys()
        assert elsewhere == COMPUTED.get(network, set()), network


def test_arrays_are_found_wherever_a_graph_has_moved_them():
    rng = np.random.default_rng(0)
    shapes = {
        "kernel": (3, 2, 4, 5),
        "gates": (2, 12),
        "bias": (12,),
        "more": (12,),
        "each": (2, 3, 4),
        "squared": (2, 2),
    }
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}

    def graph(arrays):
        i, f, c, o = np.split(arrays["gates"], 4, axis=1)
        return {
            "parameters.kernel": np.moveaxis(arrays["kernel"], (-1, -2), (0, 1)),
            "parameters.gates": np.concatenate([i, o, f, c], axis=1).T[None],
            "parameters.bias | parameters.more": np.concatenate(
                [arrays["bias"], np.zeros(12, np.float32), arrays["more"]]
            )[None],
            "parameters.each": arrays["each"][0].T,
            "parameters.each_2": arrays["each"][1].T,
            "parameters.computed": arrays["squared"] ** 2,
        }

    constants, traced = graph(arrays), graph(numbered(arrays))
    said = embedded.entries(MODEL, {"format": 1}, arrays, constants, traced)
    assert json.loads(said["chainrule.places"]).keys() == arrays.keys() - {"squared"}
    found = embedded.read(said, constants)
    for name, array in arrays.items():
        assert found[name].tobytes() == array.tobytes(), name


def test_a_place_is_no_sum_where_rows_are_turned_each_by_itself():
    assert Place.of("a", np.array([[0, 1], [3, 2]])) is None


@pytest.mark.parametrize(
    ("altered", "said"),
    [
        (lambda content: content[:200], "is no ONNX file, or is cut short or damaged. Use an intact copy."),
        (lambda _: b"no protobuf at all", "is no ONNX file, or is cut short or damaged. Use an intact copy."),
    ],
)
def test_what_is_no_onnx_file_is_refused(file, altered, said):
    file.write_bytes(altered(file.read_bytes()))
    with pytest.raises(ChainruleError) as error:
        load(file)
    assert str(error.value) == f"{file} {said}"


def test_without_the_onnx_package_is_said_what_to_install(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ChainruleError) as error:
        load(file)
    assert str(error.value) == f"{file}: ONNX files need the onnx package. Install it: pip install 'chainrule[onnx]'"


def foreign(proto):
    del proto.metadata_props[:]


def a_number(proto):
    one = next(each for each in proto.graph.initializer if each.name == "parameters.0.kernel")
    one.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(one) + 1, one.name))


def without_a_constant(proto):
    kept = [each for each in proto.graph.initializer if not each.name.startswith("parameters.2")]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)


def elsewhere(proto):
    for each in proto.graph.initializer:
        if each.name.startswith("parameters."):
            onnx.external_data_helper.set_external_data(each, "../../secret")


def places(change):
    def alter(proto):
        entry = next(each for each in proto.metadata_props if each.key == "chainrule.places")
        said = json.loads(entry.value)
        change(said["parameters.2.kernel"][0])
        entry.value = json.dumps(said)

    return alter


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (foreign, "is no model file of Chainrule: its metadata have no description. Read a graph of another library: "),
        (a_number, "was altered after it was saved: its digest does not match. Use an intact copy."),
        (without_a_constant, "is damaged or was altered: expected the constants that it names. Use an intact copy."),
        (elsewhere, "is damaged or was altered: expected parameters.0.kernel inside the file. Use an intact copy."),
        (places(lambda place: place.update(first=10**9)), "is damaged or was altered: expected places in parameters.2"),
        (
            places(lambda place: place.update(axes=[[[0, 1, 10**12]]])),
            "is damaged or was altered: expected an array in ",
        ),
        (
            places(lambda place: place.update(axes=[[[0, 1]]])),
            "is damaged or was altered: expected runs of three whole",
        ),
        (
            places(lambda place: place.update(axes="x")),
            "is damaged or was altered: parameters.2.kernel[0].axes: expected",
        ),
    ],
)
def test_an_altered_file_is_refused_in_one_line(file, alter, said):
    proto = onnx.load(file)
    alter(proto)
    file.write_bytes(proto.SerializeToString())
    with pytest.raises(ChainruleError) as error:
        load(file)
    assert str(error.value).startswith(f"{file} {said}")
    assert "\n" not in str(error.value)
