"""Networks in ONNX: what ONNX Runtime computes of the file is what the model computes."""

import jax
import numpy as np
import pytest

from chainrule.costs import Quadratic
from chainrule.formula.network import initialize
from chainrule.interchange.onnx.writing import content
from chainrule.model import Model
from chainrule.notation import as_chain

onnxruntime = pytest.importorskip("onnxruntime")


def model_of(network, shape):
    """A model with drawn arrays, of which no two are equal."""
    rng = np.random.default_rng(0)
    declared = jax.eval_shape(lambda: (initialize(network, shape, jax.random.key(0)), network.state(shape)))
    p, state = jax.tree.map(lambda w: rng.uniform(0.1, 0.9, w.shape).astype(w.dtype), declared)
    return Model(network, jax.tree.map(lambda w: w - np.float32(0.5), p), state, shape, Quadratic())


def ask(content, **inputs):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("Dense(4) >> ReLU() >> Dense(2) >> Softmax()", (6,)),
        ("Identity() + (Dense(6) >> GELU()) >> Dropout() >> Dense(2)", (3, 6)),
        ("Repeat(Identity() + Dense(6) * (Dense(6) >> Sigmoid()), 2) | Dense(1)", (6,)),
        ("EntityEmbedding((3, 2), 2) >> Dense(2)", (4,)),
    ],
)
def test_a_network_answers_alike_for_any_number_of_rows(text, shape):
    model = model_of(as_chain(text), shape)
    x = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    for column, values in enumerate(getattr(model.network.layers[0], "vocabularies", ())):
        x[:, column] = np.arange(3) % (values + 1) - 1
    for rows in (3, 1):
        np.testing.assert_allclose(ask(content(model), x=x[:rows])[0], model(x[:rows]), rtol=1e-5, atol=1e-6)
