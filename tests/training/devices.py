"""Trainings on four devices, run as a process of its own: `test_placement.py` reads what it prints.

Each case is what `fit` is given. On several devices it must come to what it comes to on one, and every device must hold
the same bits, since each makes all steps itself.
"""

import json
import os
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":  # before JAX begins
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"

import jax
import numpy as np

from chainrule import fit
from chainrule.data.loaders import from_arrays
from chainrule.runs import train
from chainrule.training.placement import DataParallel

rng = np.random.default_rng(0)
ROWS = 103
X = rng.normal(size=(ROWS, 8)).astype(np.float32)
CLASSES = rng.integers(0, 3, ROWS)
IMAGES = rng.normal(size=(ROWS, 6, 6, 2)).astype(np.float32)
RAGGED = [rng.normal(size=(steps, 3)).astype(np.float32) for steps in rng.integers(1, 9, ROWS)]
TOKENS = rng.integers(0, 20, (ROWS, 7))
WEIGHTS = rng.uniform(0.1, 2, ROWS)
END = "Dense(3) >> Softmax()"
PLAIN = f"Dense(96) >> ELU() >> {END}"  # as many numbers as a native optimizer is worth

CASES = {
    "plain": (PLAIN, X, CLASSES, {"batch_size": 10, "optimizer": "ClipNorm(0.1) >> Adam(0.01)"}),
    "statistics": (
        f"Dense(16) >> BatchNorm() >> ELU() >> {END}",
        X,
        CLASSES,
        {"batch_size": 10, "sample_weight": WEIGHTS, "regularizer": "L1(0.01) + GroupLasso(0.01) + MaxNorm(1)"},
    ),
    "one batch": (PLAIN, X, CLASSES, {"batch_size": "all", "epochs": 3}),
    "a line search": (PLAIN, X, CLASSES, {"optimizer": "LBFGS()", "epochs": 2}),
    "two gradients": (PLAIN, X, CLASSES, {"optimizer": "Averaged(SAM(Momentum(0.05)))", "batch_size": 10}),
    "in parts": (PLAIN, from_arrays(X, CLASSES, size=40), None, {"batch_size": 10}),
    "images": (f"Conv2D(4, 3) >> BatchNorm() >> ReLU() >> MaxPool2D(2) >> Flatten() >> {END}", IMAGES, CLASSES, {}),
    "masks": (f"LSTM(4, return_sequences=True) >> BatchNorm() >> GRU(4) >> {END}", RAGGED, CLASSES, {}),
    "tokens": (f"Embedding(20, 6, padding_id=0) >> LSTM(4) >> {END}", TOKENS, CLASSES, {}),
}


def trained(name, **further):
    network, x, y, options = CASES[name]
    usual = {"epochs": 1, "optimizer": "Momentum(0.05)", "metrics": ["Accuracy()"], "progress": False}
    return fit(network, x, y, **usual | options | further)


def numbers(model):
    return np.concatenate([np.ravel(array) for array in jax.tree.leaves((model.parameters, model.state))])


def differing(one, other):
    """How far a model is from another one, and its last records from the other's; both relatively."""
    ours, theirs = (np.array([*model.history.rows[-1].values()]) for model in (one, other))
    distance = np.linalg.norm(numbers(one) - numbers(other)) / np.linalg.norm(numbers(other))
    return max(float(distance), float(np.max(np.abs(ours / theirs - 1))))


def alike(name):
    """How far several devices come from one."""
    return differing(trained(name, devices=3 if name == "plain" else 4), trained(name))


def kink():
    """Whether L1 makes the same weights exactly 0."""
    one, several = (trained("statistics", epochs=5, devices=devices) for devices in (None, 4))
    zeros = [numbers(model) == 0 for model in (one, several)]
    return bool(zeros[0].any() and (zeros[0] == zeros[1]).all())


def going_on():
    """How far a training that is resumed with other devices after each epoch is from one that stays on one."""
    checkpoint = None
    for devices in (4, None, 2):
        told = []
        model = trained(
            "statistics",
            epochs=3,
            resume=checkpoint,
            devices=devices,
            callbacks=[lambda end, told=told: told.append(end) is None],
        )
        checkpoint = told[-1].checkpoint()
    return differing(model, trained("statistics", epochs=3))


def noise():
    """Whether the noise of four devices is the same each time, and in how many ways the rows of all sum up.

    Each feature's weight becomes the sum of what is left of it in 40 rows; of 10 rows four times, it would take at most
    11 values.
    """
    network, x = "Dropout(0.5) >> Dense(1, kernel_initializer=Zeros())", np.ones((40, 200), np.float32)
    how = {"batch_size": "all", "epochs": 1, "optimizer": "GradientDescent(1.0)", "progress": False}
    one, other = (numbers(fit(network, x, x[:, :1], devices=4, **how)) for _ in range(2))
    return bool((one == other).all()), len({*one.round(5).tolist()})


def chosen():
    """How many devices the model says there were, and where its parameters are."""
    found = [trained("statistics", devices=choice) for choice in ("all", jax.devices()[1:3], [jax.devices()[2]])]
    places = [{place.id for array in jax.tree.leaves(model.parameters) for place in array.devices()} for model in found]
    return [(model.training.get("devices"), *ids) for model, ids in zip(found, places, strict=True)]


def refused(devices, **options):
    try:
        trained("plain", devices=devices, **options)
    except ValueError as error:
        return str(error)
    return None


def refusals():
    here = jax.devices()[0]
    twice = refused([here, here]).replace(str(here), "the first")
    return [refused(5), twice, refused(4, batch_size=3), refused(2, seed=[1, 2])]


def recorded():
    """What a run's record says of devices, in its command too."""
    with TemporaryDirectory() as place:
        run = train("iris", network=PLAIN, epochs=1, devices=2, out=f"{place}/iris", progress=False)
        record = tomllib.loads(Path(run.folder, "run.toml").read_text())
    return record["training"]["devices"]


def watch_bits():
    """Make sure that each device has the same bits, whenever the first one's are taken."""
    taken = DataParallel.taken

    def checked(self, arrays):
        for array in jax.tree.leaves(arrays):
            first, *others = [np.asarray(shard.data).tobytes() for shard in array.addressable_shards]
            assert len(others) == self.mesh.size - 1
            assert {first} == {first, *others}
        return taken(self, arrays)

    DataParallel.taken = checked


if __name__ == "__main__":
    watch_bits()
    words = {word.__name__: word for word in (kink, going_on, noise, chosen, refusals, recorded)}
    print(json.dumps({name: words[name]() if name in words else alike(name) for name in sys.argv[1:]}))
