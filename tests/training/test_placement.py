"""Several devices that share each batch; `devices.py` trains on four of them, in processes of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from chainrule.errors import ArgumentError
from chainrule.training.batches import batch, on_device
from chainrule.training.placement import as_devices

ROUNDING = 1e-6


def on_four_devices(*names):
    own = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    script = Path(__file__).with_name("devices.py")
    done = subprocess.run([sys.executable, script, *names], capture_output=True, text=True, check=False, env=own)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_they_come_to_what_one_comes_to():
    found = on_four_devices("statistics", "refusals")
    assert found["statistics"] < ROUNDING
    assert found["refusals"] == [
        "devices is 5, but JAX finds 4 here (cpu). Choose 4 at most.",
        "devices has the first twice. Name each once.",
        "devices: 4 devices can't share batches of 3 examples. Choose fewer, or a larger batch_size.",
        "devices are for one network, and here are 2. Leave them out.",
    ]


@pytest.mark.slow
def test_so_they_do_with_every_kind_of_examples():
    cases = "plain", "one batch", "a line search", "two gradients", "in parts", "images", "masks", "tokens"
    assert {name: by for name, by in on_four_devices(*cases).items() if by >= ROUNDING} == {}


@pytest.mark.slow
def test_whatever_trains_on_them():
    found = on_four_devices("kink", "going_on", "noise", "chosen", "recorded")
    assert found["kink"]
    assert found["going_on"] < 3 * ROUNDING
    assert found["recorded"] == 2
    again, sums = found["noise"]
    assert again
    assert sums > 11
    assert found["chosen"] == [[4, 0], [2, 1], [None, 2]]


@pytest.mark.parametrize(
    ("rows", "size", "parts"), [(33, 8, 2), (33, 8, 3), (33, 5, 4), (33, 10, 1), (33, 40, 4), (3, 3, 2), (9, 7, 4)]
)
def test_the_parts_of_a_batch_are_the_batch(rows, size, parts):
    x, weights = np.arange(1.0, rows + 1, dtype=np.float32), np.linspace(1, 2, rows).astype(np.float32)
    examples = on_device(x[:, None], x, weights)
    size = examples.capacity if size >= rows else size
    order = np.r_[np.random.default_rng(0).permutation(rows), rows : examples.capacity].astype(np.int32)
    steps = -(-rows // size)
    order = None if steps == 1 else order
    for index in range(steps):
        found = [batch(examples, order, index, size, (number, parts)) for number in range(parts)]
        assert {len(E) for _, E, _ in found} == {-(-size // parts)}
        inputs, targets, counts = (np.concatenate([part[place] for part in found]) for place in range(3))
        places = np.arange(rows) if order is None else order[index * size : min((index + 1) * size, rows)]
        assert np.array_equal(targets[counts > 0], x[places])
        assert np.array_equal(inputs[counts > 0, 0], x[places])
        assert np.array_equal(counts[counts > 0], weights[places])


@pytest.mark.parametrize("devices", [0, -1, 1.5, True, "alll", [], [0], {"all"}, np.ones(2)], ids=repr)
def test_what_devices_can_not_be(devices):
    what = 'devices must be a whole number of 1 or more, "all", or a list of JAX\'s devices, got '
    with pytest.raises(ArgumentError) as error:
        as_devices(devices)
    assert str(error.value) == f"{what}{devices!r}."


def test_more_than_there_are():
    there = len(jax.devices())
    with pytest.raises(
        ArgumentError, match=rf"devices is 99, but JAX finds {there} here \(cpu\). Choose {there} at most."
    ):
        as_devices(99)


def test_what_devices_can_be():
    assert as_devices(None) == ()
    assert as_devices("all") == as_devices(jax.devices()) == tuple(jax.devices())
    assert as_devices(np.int64(1)) == as_devices(1) == (jax.devices()[0],)
