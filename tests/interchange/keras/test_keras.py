"""Keras' files without Keras: what we write we read, and what is refused. Its own answers are in parity."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.formula.network import initialize
from chainrule.interchange.keras import from_keras, to_keras
from chainrule.interchange.weights.exchange import model_of
from chainrule.notation import as_chain

INCEPTION = "(Conv2D(2, 1) | Identity()) >> Conv2D(3, 2, padding='same')"
NETWORKS = {
    f"Identity() + ({INCEPTION}) >> Flatten() >> Dense(2) >> Softmax()": (4, 4, 3),
    "Frozen(Embedding(7, 4)) >> Bidirectional(GRU(3, reset_after=True, return_sequences=True)) >> LSTM(2)": (5,),
    "Repeat(Identity() * (Dense(3) >> Sigmoid()), 2) >> Identity() * Identity()": (3,),
}


def model_for(network, shape):
    import jax

    chain = as_chain(network)
    state = jax.tree.map(np.asarray, chain.state(shape))
    return model_of(chain, shape, initialize(chain, shape, jax.random.key(0)), state)


@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_written_is_read(network, tmp_path):
    model = model_for(network, NETWORKS[network])
    to_keras(model, tmp_path / "model.keras")
    again = from_keras(tmp_path / "model.keras")
    shape = model.input_shape
    x = np.arange(2 * np.prod(shape)).reshape(2, *shape) % 7
    np.testing.assert_array_equal(again(x), model(x))
    if "Repeat" not in network:  # which is written out
        assert again.network == model.network


def test_equal_models_give_equal_bytes(tmp_path):
    model = model_for("Dense(3)", (4,))
    for name in ("one.keras", "two.keras"):
        to_keras(model, tmp_path / name)
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()


LACKING = {
    "Snake()": "Snake(initial=1.0): Keras has no such layer. Choose layers that both have.",
    "LSTM(3, reverse=True, return_sequences=True)": "Keras' LSTM has no such order of steps. Choose what both have.",
    "SelfAttention(2, rotary=True)": "Keras' MultiHeadAttention has no such rotary. Choose what both have.",
    "ConvTranspose1D(2, 2, stride=3)": "Keras' Conv1DTranspose has no such stride. Choose what both have.",
    "MaxPool1D(2, padding=1)": "Keras' MaxPooling1D has no such padding. Choose what both have.",
    "RNN(3, activation=Snake())": "Keras' SimpleRNN has no such activation. Choose what both have.",
}


@pytest.mark.parametrize("network", LACKING)
def test_what_keras_lacks_is_said(network, tmp_path):
    with pytest.raises(ChainruleError) as refused:
        to_keras(model_for(network, (5, 4)), tmp_path / "model.keras")
    assert LACKING[network] in str(refused.value)
    assert not (tmp_path / "model.keras").exists()


def test_bad_files_are_refused(tmp_path):
    good, bad = tmp_path / "good.keras", tmp_path / "bad.keras"
    to_keras(model_for("Dense(3)", (4,)), good)
    content = good.read_bytes()
    with zipfile.ZipFile(good) as archive:
        parts = {name: archive.read(name) for name in ("config.json", "model.weights.h5")}

    def packed(**changed):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in (parts | changed).items():
                archive.writestr(name, data)
        return buffer.getvalue()

    def weights(write):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            write(file.create_group("layers/dense/vars"))
        return packed(**{"model.weights.h5": buffer.getvalue()})

    damaged = "is no file of Keras 3, or is cut short or damaged."
    huge = {"shape": (10**7, 10**7), "dtype": "f4", "chunks": (10, 10)}
    cases = [
        (content[: len(content) // 2], damaged),
        (b"", damaged),
        (b"cos\nsystem\n(S'true'\ntR.", damaged),
        (packed(**{"model.weights.h5": b"x"}), damaged),
        (packed(**{"config.json": b"[1"}), damaged),
        (packed(**{"config.json": json.dumps({"class_name": "Sequential", "config": {"layers": [3]}})}), "is damaged"),
        (packed(**{"config.json": b"{}"}), "expected a Sequential or a functional model, got None."),
        (weights(lambda g: g.create_dataset("0", (4, 3), "f4", external=[("/etc/passwd", 0, 48)])), "is never read."),
        (
            weights(lambda g: g.__setitem__("0", h5py.ExternalLink("other.h5", "/x"))),
            "there is no module 'dense'. It has none.",
        ),
        (weights(lambda g: g.create_dataset("0", **huge)), "more than a quarter of this machine's memory"),
    ]
    for data, expected in cases:
        bad.write_bytes(data)
        with pytest.raises(ChainruleError) as refused:
            from_keras(bad)
        assert expected in str(refused.value)
    for source, network, expected in [
        (good, "Dense(3)", "has its own network. Leave network out, or take weights: .weights.h5."),
        (tmp_path / "none.keras", None, "Name one of Keras': .keras or .weights.h5."),
        (tmp_path / "none.weights.h5", None, "holds weights alone. Give network and input_shape too."),
        (tmp_path / "model.bin", None, "Expected a file of Keras', .keras or .weights.h5, got"),
    ]:
        with pytest.raises(ChainruleError) as refused:
            from_keras(source, network)
        assert expected in str(refused.value)
