"""A model inside an ONNX file, read back to the bit or refused in one line."""

import json

import jax
import numpy as np
import onnx
import pytest

from chainrule import ChainruleError, load
from chainrule.costs import CategoricalCrossEntropy
from chainrule.data.preprocessing import Preprocessor
from chainrule.formula.network import is_parameter
from chainrule.interchange.onnx.writing import content
from chainrule.model import Model, embedded
from chainrule.model.embedded import Place, numbered
from chainrule.model.file import MODEL, to_bytes
from chainrule.model.history import History
from chainrule.notation import as_chain
from chainrule.regularizers import L2

TABLE = {"width": [0.5, 1.5, 2.5, 3.5] * 3, "colour": ["red", "blue"] * 6, "kind": ["a", "b"] * 6}


@pytest.fixture(scope="module")
def model():
    preprocessor = Preprocessor.fit(TABLE)
    network = as_chain("Dense(3) >> Repeat(Dense(3) >> Tanh(), 2) >> Dense(2) >> Softmax()")
    rng, declared = np.random.default_rng(0), network.parameters((3,))
    parameters = jax.tree.map(lambda p: rng.random(p.shape, np.float32), declared, is_leaf=is_parameter)
    return Model(
        network,
        parameters,
        network.state((3,)),
        (3,),
        CategoricalCrossEntropy(),
        L2(0.5),
        preprocessor.classes,
        preprocessor,
        History([{"epoch": 1, "cost": 0.1}]),
        {"seed": 0},
    )


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
