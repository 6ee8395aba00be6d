"""scikit-learn's pipelines with a network in them, converted by sklearn-onnx."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from chainrule import ChainruleError, NetworkClassifier, NetworkRegressor

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")
types = pytest.importorskip("skl2onnx.common.data_types")

RNG = np.random.default_rng(0)
X = RNG.normal(5, 3, size=(60, 4)).astype(np.float32)
THREE = X[:, :3].argmax(axis=1)
QUICK = {"epochs": 2, "random_state": 0, "network": (4,)}


def ask(converted, inputs):
    session = onnxruntime.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


@pytest.mark.parametrize(
    ("y", "choices"),
    [
        (THREE, {}),
        (np.array(["ant", "bee", "cat"])[THREE], {}),
        (THREE > 0, {}),
        (THREE == 1, {"network": "Dense(2) >> Softmax()"}),
        (np.array(["ant", "bee", "cat"])[THREE], {"network": "Dense(3) >> Sigmoid()"}),
        (np.eye(3, dtype=int)[THREE], {}),
        (THREE, {"cost": "CategoricalHinge()"}),
        (THREE > 0, {"cost": "Hinge()"}),
    ],
)
def test_classifiers_of_every_kind_of_classes(y, choices):
    model = make_pipeline(StandardScaler(), NetworkClassifier(**QUICK | choices)).fit(X, y)
    label, numbers = ask(skl2onnx.to_onnx(model, X[:1]), {"X": X})
    assert label.tolist() == model.predict(X).tolist()
    scores = model[-1].model_.cost.targets.scores
    expected = model[-1].model_(model[0].transform(X)) if scores else model.predict_proba(X)
    np.testing.assert_allclose(numbers, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("y", [X[:, 0], X[:, :2]])
def test_regressors_of_one_value_or_several(y):
    model = make_pipeline(StandardScaler(), NetworkRegressor(**QUICK)).fit(X, y)
    [values] = ask(skl2onnx.to_onnx(model, X[:1].astype(np.float64)), {"X": X.astype(np.float64)})
    np.testing.assert_allclose(values, model.predict(X).reshape(values.shape), rtol=1e-5, atol=1e-6)


def test_a_whole_pipeline_of_a_data_frame():
    frame = pd.DataFrame({"size": X[:, 0], "age": X[:, 1], "colour": np.array(["red", "blue", "green"])[THREE]})
    columns = make_column_transformer(
        (StandardScaler(), ["size", "age"]), (OneHotEncoder(handle_unknown="ignore"), ["colour"])
    )
    model = make_pipeline(columns, NetworkClassifier(**QUICK)).fit(frame, np.array(["a", "b", "c"])[THREE])
    kinds = {"size": types.FloatTensorType, "age": types.FloatTensorType, "colour": types.StringTensorType}
    said = [(name, kind([None, 1])) for name, kind in kinds.items()]
    frame.loc[0, "colour"] = "never seen"
    inputs = {name: frame[[name]].to_numpy() for name in frame}
    for options in (None, {"zipmap": False}, None):
        label, numbers = ask(skl2onnx.to_onnx(model, initial_types=said, options=options), inputs)
        assert label.tolist() == model.predict(frame).tolist()
        np.testing.assert_allclose(numbers, model.predict_proba(frame), rtol=1e-5, atol=1e-6)


def test_categories_by_number_become_vectors():
    frame = pd.DataFrame({"size": X[:, 0], "cut": np.array(["good", "fair", "ideal"])[THREE]})
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encoder, ["cut"]), (StandardScaler(), ["size"]))
    network = "EntityEmbedding((3,), units=2) >> Dense(4) >> ReLU()"
    model = make_pipeline(columns, NetworkRegressor(**QUICK | {"network": network})).fit(frame, X[:, 1])
    frame.loc[0, "cut"] = "never seen"
    said = [("size", types.FloatTensorType([None, 1])), ("cut", types.StringTensorType([None, 1]))]
    [values] = ask(skl2onnx.to_onnx(model, initial_types=said), {name: frame[[name]].to_numpy() for name in frame})
    np.testing.assert_allclose(values[:, 0], model.predict(frame), rtol=1e-5, atol=1e-6)


def test_an_earlier_opset_is_refused():
    model = NetworkClassifier(**QUICK).fit(X, THREE)
    with pytest.raises(
        ChainruleError, match=r"^NetworkClassifier: expected a target_opset of 20 or more, got 15. Leave"
    ):
        skl2onnx.to_onnx(model, X[:1], target_opset=15)
