"""A process that is forked from one that has used JAX computes, or says that it can't: it never waits for ever."""

import os
import subprocess
import sys
from contextlib import suppress

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="the system forks no processes")]

SETTING = """
import multiprocessing, os, pickle, signal, sys, warnings
import numpy as np
from chainrule import ChainruleError, NetworkClassifier, fit, load
from chainrule.metrics import Accuracy

warnings.simplefilter("ignore")  # JAX warns of each fork
x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
y = (x[:, 0] > 0).astype(int)
network = "Dense(4) >> ReLU() >> Dense(2) >> Softmax()"

def train():
    return fit(network, x, y, regularizer="L2(0.1)", epochs=1, progress=False)

def said(act):
    try:
        return np.shape(act())
    except ChainruleError as error:
        return str(error)

def in_fork(act):
    with multiprocessing.get_context("fork").Pool(1, signal.alarm, (30,)) as pool:
        return pool.apply_async(said, (act,)).get(40)
"""
REFUSED = (
    "This process was forked from one that had used JAX, whose threads no fork has. Start processes by spawn: "
    'multiprocessing.get_context("spawn"), or joblib\'s loky.'
)


def answers(code: str, place, seconds: float = 120, environment: dict[str, str] | None = None) -> list[str]:
    known = {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "PJRT_NPROC")}
    done = subprocess.run(
        [sys.executable, "-c", SETTING + code],
        capture_output=True,
        text=True,
        timeout=seconds,
        cwd=place,
        check=False,
        env=known | (environment or {}),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_a_fork_of_a_process_that_has_not_computed_yet_computes(tmp_path):
    code = "def act(): return train().predict(x[:7])\nprint(in_fork(act))"
    assert answers(code, tmp_path) == ["(7,)"]


def test_a_fork_after_a_prediction_says_so(tmp_path):
    code = """
model = train()
model.predict(x)
model.save("model")
sent = pickle.dumps(model)
classifier = NetworkClassifier(epochs=1).fit(x, y)
acts = [
    lambda: model.predict(x),
    lambda: model.evaluate(x, y),
    lambda: model.penalty(),
    train,
    lambda: load("model").predict(x),
    lambda: pickle.loads(sent).predict(x),
    lambda: pickle.loads(pickle.dumps(classifier)).predict(x),
    lambda: NetworkClassifier(epochs=1).fit(x, y),
]
for act in acts:
    pid = os.fork()
    if not pid:
        signal.alarm(30)
        print(said(act), flush=True)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""
    assert answers(code, tmp_path) == [REFUSED] * 8


def test_a_model_reaches_a_fork_and_is_saved_and_measured_there_without_jax(tmp_path):
    code = """
def act(model):
    model.save("copy")
    return model.parameters[0]["kernel"]
model = train()
with multiprocessing.get_context("fork").Pool(1, signal.alarm, (30,)) as pool:
    kernel = pool.apply_async(act, (model,)).get(40)
print(np.array_equal(kernel, model.parameters[0]["kernel"]), np.array_equal(load("copy")(x), model(x)))
"""
    assert answers(code, tmp_path) == ["True True"]


def test_estimators_in_processes_of_joblib(tmp_path):
    code = """
import joblib
from sklearn.model_selection import cross_val_score
classifier = NetworkClassifier(epochs=2).fit(x, y)
with joblib.parallel_backend("multiprocessing"):
    try:
        cross_val_score(classifier, x, y, cv=2, n_jobs=2, error_score="raise")
    except ChainruleError as error:
        print(error)
"""
    for _ in range(3):  # the pool's own threads may hold a lock while it forks, so that Python itself waits for ever
        with suppress(subprocess.TimeoutExpired):
            assert answers(code, tmp_path, seconds=40) == [REFUSED]
            return
    raise AssertionError("joblib's processes wait for ever, three times in a row")


@pytest.mark.parametrize(("said", "got"), [({}, "1"), ({"PJRT_NPROC": "2"}, "2")])
def test_workers_of_joblib_take_their_share_of_the_cores(tmp_path, said, got):
    """Two workers of two cores have one each."""
    code = """
import joblib, joblib.externals.loky.backend.context as context
context.cpu_count = joblib.cpu_count = joblib._parallel_backends.cpu_count = lambda *_, **__: 2

def threads():
    from chainrule import fit
    return os.environ.get("PJRT_NPROC")

if __name__ == "__main__":
    print(*joblib.Parallel(n_jobs=2)(joblib.delayed(threads)() for _ in range(2)), threads())
"""
    own = said.get("PJRT_NPROC")
    assert answers(code, tmp_path, environment=said) == [f"{got} {got} {own}"]


def test_a_model_that_was_pickled_computes_as_before(tmp_path):
    code = """
import jax
model = pickle.loads(pickle.dumps(before := train()))
print(np.array_equal(model(x), before(x)), {isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(model.parameters)})
a = NetworkClassifier(epochs=2, warm_start=True).fit(x, y)
b = pickle.loads(pickle.dumps(a))
print(np.array_equal(a.fit(x, y).predict_proba(x), b.fit(x, y).predict_proba(x)))
"""
    assert answers(code, tmp_path) == ["True {True}", "True"]
