import jax
import numpy as np
import pytest

from chainrule.data.preprocessing import Preprocessor
from chainrule.formula.network import initialize
from chainrule.notation import as_chain
from chainrule.runs.defaults import default_batch_size, default_epochs, default_network, default_patience

WIDTHS = [1.0, 2.0, 3.5, 4.0]


BLOCK = 'Conv1D(64, 3, padding="same") >> ReLU()'
POOLED = f"{BLOCK} >> MaxPool1D(2)"
GRU = "GRU(64, reset_after=True) >> Dropout(0.2)"
FIRST, NEXT = (f'Conv2D({filters}, 3, padding="same") >> ReLU()' for filters in (32, 64))
ENDING = "Flatten() >> Dropout(0.5)"
TWO = "Dense(2) >> Softmax()"
UNEQUAL = [np.ones((length, 2)) for length in (70, 1, 2, 3)]


@pytest.mark.parametrize(
    ("table", "network"),
    [
        ({"a": WIDTHS, "y": WIDTHS}, "Dense(64) >> ReLU() >> Dense(64) >> ReLU() >> Dense(1)"),
        ({"a": WIDTHS, "y": list("abca")}, "Dense(128) >> ReLU() >> Dropout(0.2) >> Dense(3) >> Softmax()"),
        ({"x": np.ones((4, 28, 30, 1))}, f"{FIRST} >> MaxPool2D(2) >> {NEXT} >> MaxPool2D(2) >> {ENDING} >> {TWO}"),
        ({"x": np.ones((4, 8, 8, 3))}, f"{FIRST} >> MaxPool2D(2) >> {NEXT} >> MaxPool2D(2) >> {ENDING} >> {TWO}"),
        ({"x": np.ones((4, 3, 9, 1))}, f"{FIRST} >> MaxPool2D(2) >> {NEXT} >> {ENDING} >> {TWO}"),
        ({"x": np.ones((4, 1, 9, 1))}, f"{FIRST} >> {NEXT} >> {ENDING} >> {TWO}"),
        (
            {"x": np.ones((4, 64, 64, 3))},
            f"{FIRST} >> MaxPool2D(2) >> {' >> '.join([f'{NEXT} >> MaxPool2D(2)'] * 2)} >> {ENDING} >> {TWO}",
        ),
        ({"x": np.ones((4, 64, 5))}, f"{BLOCK} >> {GRU} >> {TWO}"),
        ({"x": np.ones((4, 1, 1))}, f"{BLOCK} >> {GRU} >> {TWO}"),
        ({"x": np.ones((4, 65, 5))}, f"{POOLED} >> {BLOCK} >> {GRU} >> {TWO}"),
        ({"x": np.ones((4, 250, 1)), "y": WIDTHS}, f"{POOLED} >> {POOLED} >> {BLOCK} >> {GRU} >> Dense(1)"),
        ({"x": UNEQUAL}, f"{POOLED} >> {BLOCK} >> {GRU} >> {TWO}"),
        ({"words": ["a b", "b", "c", "d"]}, f"Embedding(6, 64, padding_id=0) >> {GRU} >> {TWO}"),
        ({"words": ["a " * 99, "b", "c", "d"]}, f"Embedding(6, 64, padding_id=0) >> {POOLED} >> {GRU} >> {TWO}"),
        (
            {"x": np.ones((4, 2, 2, 2, 1))},
            f"Flatten() >> Dense(256) >> ReLU() >> Dropout(0.5) >> {TWO}",
        ),
    ],
)
def test_a_network_for_each_kind_of_data(table, network):
    table = {**table, "y": table.get("y", list("abab"))}
    preprocessor = Preprocessor.fit(table, words=[name for name in table if name == "words"])
    assert default_network(preprocessor) == network
    chain = as_chain(network)
    outputs = chain.output_shape(preprocessor.input_shape)
    assert outputs == (len(preprocessor.classes) or 1,)

    def run(inputs):
        return chain.forward(initialize(chain, preprocessor.input_shape, jax.random.key(0)), inputs)

    inputs = preprocessor.inputs(table)
    assert jax.eval_shape(run, inputs).shape == (4, *outputs)
    if "words" in table or table.get("x") is UNEQUAL:  # values of padding, and sequences that pooling leaves nothing of
        assert np.isfinite(jax.jit(run)(inputs)).all()


def test_small_data_get_steps_enough_and_large_data_looks_enough():
    for rows in (1, 10, 1000, 10**4, 10**6):
        size = default_batch_size(rows)
        epochs = default_epochs(rows, size)
        assert 20 <= epochs <= 300
        assert epochs in (20, 300) or epochs * rows / size == pytest.approx(2000, rel=0.05)


@pytest.mark.parametrize(("rows", "size"), [(1, "all"), (32, "all"), (33, 32), (10**6, 32)])
def test_a_batch_is_no_larger_than_the_data(rows, size):
    assert default_batch_size(rows) == size


def test_patience_is_a_fifth_of_the_epochs_but_not_less_than_five():
    assert [default_patience(epochs) for epochs in (1, 20, 25, 300)] == [5, 5, 5, 60]
