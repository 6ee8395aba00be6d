"""Raw rows into ONNX files and answers out of them, as the model itself takes and gives them."""

import jax
import numpy as np
import pytest

from chainrule.costs import CategoricalHinge, GaussianNLL, Hinge, Quadratic, Quantile
from chainrule.data.preprocessing import Preprocessor
from chainrule.formula.network import initialize
from chainrule.interchange.onnx.writing import content
from chainrule.model import Model
from chainrule.notation import as_chain

onnxruntime = pytest.importorskip("onnxruntime")

RNG = np.random.default_rng(0)
KINDS = ["ant", "bee"] * 20


def model_of(network, preprocessor=None, cost=None, shape=None, classes=None):
    """A model with drawn arrays."""
    network = as_chain(network)
    shape = preprocessor.input_shape if preprocessor else shape
    parameters = initialize(network, shape, jax.random.key(0))
    classes = preprocessor.classes or None if preprocessor else classes
    state = network.state(shape)
    return Model(network, parameters, state, shape, cost or Quadratic(), classes=classes, preprocessor=preprocessor)


def fed(columns):
    """Columns as onnxruntime takes them: doubles with NaN, texts with "", or arrays."""
    return {name: values if isinstance(values, np.ndarray) else _column(values) for name, values in columns.items()}


def _column(values):
    if any(isinstance(value, str) for value in values):
        return np.array([[value or ""] for value in values], dtype=object)
    return np.array([[np.nan if value is None else value] for value in values], dtype=np.float64)


def ask(model, inputs, **how):
    session = onnxruntime.InferenceSession(content(model, **how), providers=["CPUExecutionProvider"])
    return dict(zip((each.name for each in session.get_outputs()), session.run(None, inputs), strict=True))


def series(*lengths):
    """Series, padded with NaN."""
    made = np.full((len(lengths), max(lengths), 2), np.nan)
    for row, length in zip(made, lengths, strict=True):
        row[:length] = RNG.normal(5, 3, size=(length, 2))
    return made


def texts(unit):
    said = ["The rose is red; isn't it?", "été à l’Île", "a\tb\nc", "", None, "12_x ½ Ⅷ 三", "z" * 300, "RED"]
    return {"text": said * 5}, {"text": [*said, "Ω new ROSE"]}, {unit: ["text"]}


BLANKS = {
    "when": [1.7e9 + 0.5 * row for row in range(38)] + [None, 1.7e9],
    "colour": ["red", "blue", None, "green"] * 10,
    "size": ["1", "2", "3", "2"] * 10,
    "yes": ["true", "false"] * 20,
}
NUMBERS = {name: [value or 1.7e9 for value in BLANKS[name]] for name in ("when",)}
TABLES = {
    "filled": (
        BLANKS,
        {
            "when": [1.7e9, None, 1e9],
            "colour": ["pink", None, "red"],
            "size": ["1", "1.0", "4"],
            "yes": ["True", "1", ""],
        },
        {"missing": "median", "text": ["size"]},
    ),
    "whole": (NUMBERS | {"colour": ["red", "blue"] * 20}, {"when": [1.7e9, 0.0], "colour": ["red", "pink"]}, {}),
    "images": ({"image": RNG.integers(0, 256, (40, 4, 5, 3)).astype(np.uint8)}, None, {}),
    "series": ({"sound": series(*[3, 5, 2, 4] * 10)}, {"sound": series(2, 7)}, {}),
    "series of one length": ({"sound": series(*[3] * 40)}, None, {}),
    "characters": texts("characters"),
    "words": texts("words"),
}
NETWORKS = {
    "images": "Flatten() >> Dense(2) >> Softmax()",
    "series": "GlobalAveragePool1D() >> Dense(2) >> Softmax()",
    "series of one length": "Flatten() >> Dense(2) >> Softmax()",
    "characters": "Embedding(40, 3) >> Flatten() >> Dense(2) >> Softmax()",
    "words": "Embedding(40, 3) >> Flatten() >> Dense(2) >> Softmax()",
}


@pytest.mark.filterwarnings("ignore:.*training never showed")
@pytest.mark.parametrize("table", TABLES)
def test_raw_rows_of_every_kind_give_the_label_and_the_probabilities_of_the_model(table):
    trained, new, choices = TABLES[table]
    choices = {"missing": "median"} | choices if table in ("characters", "words") else choices
    preprocessor = Preprocessor.fit(trained | {"kind": KINDS}, target="kind", **choices)
    model = model_of(NETWORKS.get(table, "Dense(2) >> Softmax()"), preprocessor)
    for rows in (trained, new or trained, {name: values[:1] for name, values in trained.items()}):
        inputs = fed(rows)
        found = ask(model, {name: each.astype(np.float32) if each.ndim > 3 else each for name, each in inputs.items()})
        assert found["label"].tolist() == model.predict(rows).tolist()
        np.testing.assert_allclose(found["probabilities"], model.predict_proba(rows), rtol=1e-5)


def test_dates_are_seconds_since_1970_of_every_century():
    seconds = [int(each) for each in RNG.integers(-(10**10), 10**10, 400)]
    said = [str(np.datetime64(each, "s")) for each in seconds]
    preprocessor = Preprocessor.fit({"when": said, "value": RNG.normal(size=400)}, target="value", missing="median")
    model = model_of("Dense(1)", preprocessor)
    assert len(preprocessor.columns[0].cycles) == 3
    found = ask(model, fed({"when": [*map(float, seconds), None]}))["values"]
    np.testing.assert_allclose(found[:, 0], model.predict({"when": [*said, None]}), rtol=1e-5, atol=1e-5)


def test_rows_with_blank_cells_have_no_answer_where_training_had_none():
    trained = {"size": [1.0, 2.0] * 20, "colour": ["red", "blue"] * 20, "kind": KINDS, "price": [1.5, 3.0] * 20}
    rows = fed({"size": [1.0, None, 2.0], "colour": ["red", "red", None]})
    for target, other in (("kind", "price"), ("price", "kind")):
        preprocessor = Preprocessor.fit(trained, target=target, drop=[other])
        found = ask(
            model_of("Dense(2) >> ReLU() >> Dense(2) >> Softmax()" if target == "kind" else "Dense(1)", preprocessor),
            rows,
        )
        numbers = found.get("probabilities", found.get("values"))
        assert np.isnan(numbers).all(axis=1).tolist() == [False, True, True]
        assert "label" not in found or found["label"].tolist()[1:] == ["", ""]


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize(
    ("network", "cost"),
    [("Dense(2)", Quadratic()), ("Dense(4)", GaussianNLL()), ("Dense(6)", Quantile((0.1, 0.4, 0.9)))],
)
def test_values_and_what_the_cost_tells_of_them_are_in_the_units_of_several_targets(network, cost, prepared):
    trained = {"a": RNG.normal(size=40), "y": RNG.normal(1e6, 10, 40), "z": RNG.normal(-3, 0.1, 40)}
    model = model_of(network, Preprocessor.fit(trained, target=["y", "z"]) if prepared else None, cost, (1,))
    x = trained["a"].reshape(-1, 1)
    found = ask(model, {"a": x} if prepared else {"x": x.astype(np.float32)})
    given = {"a": trained["a"]} if prepared else x
    expected = {"values": model.predict(given)}
    expected |= {f"values {word}": each for word, each in cost.details(np.asarray(model(given))).items()}
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("network", "classes", "cost"),
    [
        ("Dense(1) >> Sigmoid()", (False, True), None),
        ("Dense(3) >> Softmax()", (7, -1, 4), None),
        ("Dense(2) >> Softmax()", (0.5, 1.5), None),
        ("Dense(2) >> Softmax()", ("1", 1), None),
        ("Dense(1)", ("no", "yes"), Hinge()),
        ("Dense(3)", ("a", "b", "c"), CategoricalHinge()),
    ],
)
def test_labels_are_classes_of_their_own_type_and_scores_no_probabilities(network, classes, cost):
    model = model_of(network, cost=cost, shape=(2,), classes=classes)
    x = RNG.normal(size=(20, 2)).astype(np.float32)
    found, expected = ask(model, {"x": x}), model.predict(x)
    assert found["label"].tolist() == expected.tolist()
    if cost is None:
        assert (found["label"].dtype.kind == "O") == (classes == ("1", 1))
        np.testing.assert_allclose(found["probabilities"], model.predict_proba(x), rtol=1e-5)
    else:
        np.testing.assert_allclose(found["scores"], model(x), rtol=1e-5)


def test_columns_keep_their_names_whatever_these_are():
    names = ("label", "constant", "Concat", "parameters.0.kernel", "x y|é\n")
    trained = dict.fromkeys(names[1:], [1.0, 2.0] * 20) | {"label": ["red", "blue"] * 20, "kind": KINDS}
    model = model_of("Dense(2) >> Softmax()", Preprocessor.fit(trained))
    rows = {name: trained[name] for name in names}
    found = ask(model, fed(rows))
    assert found.keys() == {"label_2", "probabilities"}
    assert found["label_2"].tolist() == model.predict(rows).tolist()


def test_arrays_leave_the_preparation_out():
    trained = {"a": [1.0, 2.0] * 20, "colour": ["red", "blue"] * 20, "kind": KINDS}
    model = model_of("Dense(2) >> Softmax()", Preprocessor.fit(trained))
    x = model.preprocessor.inputs(trained)
    assert ask(model, {"x": x}, arrays=True)["label"].tolist() == model.predict(trained).tolist()
