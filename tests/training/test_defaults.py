import jax
import numpy as np
import pytest

from chainrule.formula.layer import Context
from chainrule.formula.network import initialize
from chainrule.notation import as_chain, parse
from chainrule.training.defaults import Described, default, default_batch_size, default_epochs, default_patience

HIDDEN = "Dense(256) >> ReLU() >> Dropout(0.1) >> Dense(256) >> ReLU() >> Dropout(0.1)"
FIRST, NEXT = (f"Conv2D({filters}, 3, padding='same') >> ReLU()" for filters in (32, 64))
ENDING = "Flatten() >> Dropout(0.5) >> Dense(2) >> Softmax()"
FIVE, SEVEN, THREE = (f"Conv1D(64, {size}, padding='same') >> BatchNorm() >> ReLU()" for size in (5, 7, 3))
POOLED = "MaxPool1D(2)"
MEAN = "GlobalAveragePool1D() >> Dense(2) >> Softmax()"


@pytest.mark.parametrize(
    ("data", "network"),
    [
        (Described("table", (3,), 5000, 0), f"(Identity() | Periodic(sigma=0.3)) >> {HIDDEN} >> Dense(1)"),
        (Described("table", (3,), 5000, 0, 2), f"(Identity() | Periodic(sigma=0.3)) >> {HIDDEN} >> Dense(2)"),
        (Described("table", (3,), 1999, 0), f"{HIDDEN} >> Dense(1)"),
        (Described("table", (3,), 499, 0), f"{HIDDEN.replace('256', '64')} >> Dense(1)"),
        (Described("table", (201,), 5000, 0), f"{HIDDEN} >> Dense(1)"),
        (Described("table", (3,), 5000, 4), f"{HIDDEN} >> Dense(4) >> Softmax()"),
        (Described("images", (28, 30, 1), 5000, 2), f"{FIRST} >> MaxPool2D(2) >> {NEXT} >> MaxPool2D(2) >> {ENDING}"),
        (Described("images", (3, 9, 1), 5000, 2), f"{FIRST} >> MaxPool2D(2) >> {NEXT} >> {ENDING}"),
        (Described("images", (1, 9, 1), 5000, 2), f"{FIRST} >> {NEXT} >> {ENDING}"),
        (
            Described("images", (64, 64, 3), 5000, 2),
            f"{FIRST} >> MaxPool2D(2) >> {' >> '.join([f'{NEXT} >> MaxPool2D(2)'] * 2)} >> {ENDING}",
        ),
        (Described("series", (256, 5), 5000, 2), f"{SEVEN} >> {FIVE} >> {THREE} >> {MEAN}"),
        (Described("series", (1, 1), 5000, 2), f"{SEVEN} >> {FIVE} >> {THREE} >> {MEAN}"),
        (Described("series", (600, 1), 5000, 2), f"{SEVEN} >> {POOLED} >> {FIVE} >> {POOLED} >> {THREE} >> {MEAN}"),
        (Described("tokens", (9,), 5000, 2, 1, 6), "TfIdf(6, 2, ngrams=2, padding_id=0) >> Softmax()"),
        (Described("tokens", (9,), 5000, 0, 1, 6, True), "TfIdf(6, 1, ngrams=3, padding_id=0)"),
        (
            Described("arrays", (2, 2, 2, 1), 5000, 2),
            "Flatten() >> Dense(256) >> ReLU() >> Dropout(0.5) >> Dense(2) >> Softmax()",
        ),
    ],
)
def test_a_network_for_each_kind_of_data(data, network):
    found = default(data)
    assert found.network == network
    chain = as_chain(network)
    assert chain.output_shape(data.shape) == (data.classes or data.outputs,)
    x = np.zeros((4, *data.shape), np.int32 if data.vocabulary else np.float32)

    def run():
        p, state = initialize(chain, data.shape, jax.random.key(0)), chain.state(data.shape)
        return chain.apply(p, state, x, Context(jax.random.key(0), training=True))[0]

    assert jax.eval_shape(run).shape == (4, data.classes or data.outputs)
    assert parse(found.optimizer)
    assert found.cost is None or parse(found.cost)


@pytest.mark.parametrize(
    ("data", "rate"),
    [
        (Described("table", (3,), 100, 2), 0.002),
        (Described("table", (3,), 5000, 2), 0.002),
        (Described("table", (3,), 5000, 0), 0.002),
        (Described("table", (3,), 100, 0), 0.001),
        (Described("images", (9, 9, 1), 5000, 2), 0.001),
    ],
)
def test_tables_are_learned_faster_but_for_few_values(data, rate):
    assert f"CosineDecay({rate})" in default(data).optimizer


def test_small_data_get_steps_enough_and_large_data_looks_enough():
    for rows in (1, 10, 1000, 10**4, 10**6):
        size = default_batch_size(rows)
        for kind, classes, steps, fewest, most in (
            ("table", 3, 2000 if rows < 2000 else 3000, 40, 150),
            ("table", 0, 2000 if rows < 2000 else 3000, 40, 300),
            ("images", 3, 2000, 20, 300),
        ):
            epochs = default_epochs(Described(kind, (4,), rows, classes), size)
            assert fewest <= epochs <= most
            assert epochs in (fewest, most) or epochs * rows / size == pytest.approx(steps, rel=0.05)


@pytest.mark.parametrize(("rows", "size"), [(1, "all"), (32, "all"), (33, 32), (1000, 32), (4000, 128), (10**6, 256)])
def test_a_batch_is_no_larger_than_the_data(rows, size):
    assert default_batch_size(rows) == size


def test_patience_is_a_third_of_the_epochs_but_not_less_than_five():
    assert [default_patience(epochs) for epochs in (1, 20, 25, 300)] == [5, 6, 8, 100]
