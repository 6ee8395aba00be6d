"""The ONNX forms: each layer has one, and what is written of networks that are not run here."""

import dataclasses

import numpy as np
import onnx
import pytest

from chainrule.activations import Activation
from chainrule.costs import Quadratic
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Layer
from chainrule.interchange.onnx import layers, textbooks
from chainrule.interchange.onnx.forms import FORMS, form, written
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.values import Array, Own, Value
from chainrule.interchange.onnx.writing import content
from chainrule.model import Model
from chainrule.notation import as_chain
from chainrule.notation.families import family

assert layers, textbooks


def model_of(text, shape):
    network = as_chain(text)
    zeros = lambda one: np.zeros(one.shape, np.float32)  # noqa: E731
    p = network.parameters(shape)
    return Model(network, _mapped(zeros, p), network.state(shape), shape, Quadratic())


def _mapped(function, tree):
    if isinstance(tree, dict):
        return {key: _mapped(function, each) for key, each in tree.items()}
    return function(tree) if hasattr(tree, "initializer") else tuple(_mapped(function, each) for each in tree)


def operators(text, shape, **how):
    return [node.op_type for node in onnx.load_from_string(content(model_of(text, shape), **how)).graph.node]


def test_every_layer_has_a_form_and_every_other_activation_a_textbook_that_is_translated():
    known = [layer for layer in family(Layer) if layer.__module__.startswith("chainrule.")]
    without = [layer for layer in known if layer not in FORMS and not issubclass(layer, Activation)]
    assert not without, f"they need a form in interchange/onnx/layers: {[each.__name__ for each in without]}"
    for activation in set(known) - {*FORMS}:
        missing = [field for field in dataclasses.fields(activation) if field.default is dataclasses.MISSING]
        layer, graph = activation(*[2] * len(missing)), Graph()
        arrays = {name: Array("", np.ones(one.shape, np.float32)) for name, one in layer.parameters((2,)).items()}
        x = Value(graph.input("x", np.float32, ("rows", 2)), (2,))
        assert written(graph, layer, Own(arrays, {}), x).name


class Unknown(Layer):
    """A layer of somebody else's."""

    def forward(self, p, x):
        return x


class Softest(Activation):
    """An activation whose textbook form has no operator."""

    textbook = "x @ x"

    def __call__(self, x):
        return x


class Shared(Activation):
    """An activation of all values."""

    textbook = "x[i] - mean(x)"

    def __call__(self, x):
        return x


REMEDY = "Give it one: chainrule.interchange.onnx.forms.form."


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Unknown(), f"there is no ONNX form of this layer. {REMEDY}"),
        (
            Softest(),
            "ONNX has no operator for Product in its textbook form, so that it needs an ONNX form of its own. "
            + REMEDY,
        ),
        (
            Shared(),
            f"its textbook form is no function of one value, so that it needs an ONNX form of its own. {REMEDY}",
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_layer_without_a_form_is_named_and_can_be_given_one(monkeypatch, layer, words):
    graph = Graph()
    x = Value(graph.input("x", np.float32, ("rows", 2)), (2,))
    with pytest.raises(ChainruleError) as caught:
        written(graph, layer, Own({}, {}), x)
    assert str(caught.value) == f"{layer!r}: {words}"
    monkeypatch.setattr("chainrule.interchange.onnx.forms.FORMS", dict(FORMS))
    form(type(layer))(lambda graph, layer, own, x: x.became(graph.add("Neg", x.name)))
    assert written(graph, layer, Own({}, {}), x).name == "Neg"


def test_a_network_of_images_is_transposed_once_there_and_once_back():
    text = "Conv2D(4, 3) >> ReLU() >> MaxPool2D(2) >> Identity() + (BatchNorm() >> Conv2D(4, 1) >> PReLU())"
    assert operators(text, (8, 8, 2)).count("Transpose") == 2
    assert operators(f"{text} >> GlobalAveragePool2D() >> Dense(2)", (8, 8, 2)).count("Transpose") == 1


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ("Dense(2) >> Dropout() >> Softmax()", (3,), ["Gemm", "Softmax"]),
        ("Dense(2)", (4, 3), ["MatMul", "Add"]),
        ("GRU(2)", (4, 3), ["Transpose", "GRU", "Squeeze"]),
        ("LayerNorm()", (3,), ["LayerNormalization"]),
        ("SiLU()", (3,), ["Neg", "Exp", "Add", "Div"]),
    ],
)
def test_what_is_written(text, shape, expected):
    assert operators(text, shape) == expected


def test_steps_are_dynamic_where_the_parameters_are_those_of_any_length():
    for text, sizes in (("LSTM(2)", ["rows", "steps", 3]), ("Flatten() >> Dense(2)", ["rows", 4, 3])):
        [x] = onnx.load_from_string(content(model_of(text, (4, 3)))).graph.input
        assert [size.dim_param or size.dim_value for size in x.type.tensor_type.shape.dim] == sizes


def test_a_mask_that_the_network_would_mix_is_refused_in_its_own_words():
    with pytest.raises(ChainruleError) as caught:
        content(model_of("Flatten() >> Dense(2)", (4, 3)), masked=True)
    assert str(caught.value) == (
        "Flatten(): mixes the steps of sequences of unequal length, padding included. "
        "Put a recurrent layer or a global pooling before it."
    )


def test_raw_rows_need_no_mask():
    model = dataclasses.replace(model_of("Dense(2)", (3,)), preprocessor=object())
    with pytest.raises(ChainruleError) as caught:
        content(model, masked=True)
    assert str(caught.value) == (
        "masked is for inputs that are arrays: of raw rows, the file finds itself which steps there are. "
        "Leave it out, or choose arrays=True."
    )


def test_the_name_of_the_file_says_what_it_is(tmp_path):
    with pytest.raises(ChainruleError) as caught:
        model_of("Dense(2)", (3,)).to_onnx(tmp_path / "model.pt")
    assert str(caught.value).startswith("Expected the name of an ONNX file, such as model.onnx, got ")
    model_of("Dense(2)", (3,)).to_onnx(tmp_path / "model.ONNX")
    assert [file.name for file in tmp_path.iterdir()] == ["model.ONNX"]
