"""One of several processes that train together, started by `test_hosts` with the words HOSTS CASE."""

import os
import signal
import sys
import time
from pathlib import Path

import jax
import numpy as np

from chainrule import ChainruleError, Masked, fit
from chainrule.data.loaders import from_arrays
from chainrule.model.file import to_bytes
from chainrule.training.hosts import joined
from chainrule.training.keeping import Checkpoints

random = np.random.default_rng(0)
X = random.normal(size=(130, 6, 2)).astype(np.float32)
Y = (X.sum(axis=(1, 2)) > 0).astype(int)
MASKED = Masked(X, np.arange(6) < random.integers(1, 7, len(X))[:, None])
NETWORKS = {
    "mlp": "Flatten() >> Dense(8) >> BatchNorm() >> Tanh() >> Dense(2) >> Softmax()",
    "cnn": "Conv1D(4, 3) >> ReLU() >> GlobalAveragePool1D() >> Dense(2) >> Softmax()",
    "parts": "Flatten() >> Dense(8) >> ReLU() >> Dense(2) >> Softmax()",
    "gru": "GRU(4) >> Dense(2) >> Softmax()",
}
OPTIONS = {"batch_size": 32, "optimizer": "Momentum(0.1)", "validation": 0.2, "progress": False}


def trained(case: str, devices=None, **options):
    """The model of a case."""
    options = {"epochs": 2} | OPTIONS | options
    if case == "parts":
        return fit(NETWORKS[case], from_arrays(X, Y, size=50), devices=devices, **options | {"validation": (X, Y)})
    return fit(NETWORKS[case], MASKED if case == "gru" else X, Y, devices=devices, **options)


def killed(after: int):
    """A callback by which this process is killed."""

    def callback(end) -> None:
        if end.row["epoch"] == after:
            os.kill(os.getpid(), signal.SIGKILL)

    return callback


def run(case: str) -> None:
    """What this process does."""
    index = jax.process_index()
    if case in NETWORKS:
        Path(f"{case}-{index}").write_bytes(to_bytes(trained(case, "all")))
    elif case == "killed":
        callbacks = [killed(3)] * (index == 1)
        trained("mlp", "all", epochs=100_000, callbacks=callbacks, checkpoint=Checkpoints("kept", "1 step"))
    elif case == "different":
        fit(NETWORKS["mlp"], X + index, Y, devices="all", **OPTIONS)
    elif case == "stopped":
        model = trained("mlp", "all", epochs=100, callbacks=[lambda end: index == 0 and end.row["epoch"] == 2])
        assert (len(model.history), model.history.stopped) == (2, "callback")
    elif case == "failing":
        if index == 1:
            time.sleep(1)
            raise KeyError("no such thing")
        trained("mlp", "all", epochs=100_000)


if __name__ == "__main__":
    try:
        with joined(sys.argv[1]):
            for case in sys.argv[2:]:
                run(case)
    except ChainruleError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
