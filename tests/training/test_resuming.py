"""A training that was cut off goes on to the bits of the one that was never stopped, from any step of it."""

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.data.loaders import from_arrays
from chainrule.errors import ChainruleError, DivergedError
from chainrule.model.file import to_bytes
from chainrule.training import Checkpoints, fit, loop
from chainrule.training import checkpoint as storage
from chainrule.training.keeping import Keeper

random = np.random.default_rng(0)
X = random.normal(size=(40, 4)).astype(np.float32)
Y = (X @ random.normal(size=(4, 3))).argmax(axis=1)
STEPS, EPOCHS = 5, 4

PLAIN = {
    "network": "Dense(8) >> NoisyReLU() >> Dropout(0.2) >> Dense(3) >> Softmax()",
    "x": X,
    "y": Y,
    "optimizer": "Adam(CosineDecay(0.03))",
    "epochs": EPOCHS,
    "batch_size": 8,
    "progress": False,
}
WORSENING = {"validation": (X[:10], (Y[:10] + 1) % 3), "early_stopping": 2, "epochs": 9}  # the first epoch is the best
OPTAX = optax.chain(optax.add_noise(0.1, 0.5, 1), optax.adam(1e-2, mu_dtype=jnp.bfloat16))
CASES = {
    "dropout and a schedule": {},
    "early stopping": WORSENING,
    "statistics and a penalty": {
        "network": "Dense(8) >> BatchNorm() >> ReLU() >> Dense(3) >> Softmax()",
        "optimizer": "ClipNorm(1.0) >> Nesterov(StepDecay(0.1, every=3))",
        "regularizer": "L1(0.01) + MaxNorm(1)",
        "validation": 0.2,
        "batch_size": 7,
    },
    "a mean of the parameters": WORSENING
    | {"network": "Dense(8) >> BatchNorm() >> ReLU() >> Dense(3) >> Softmax()", "optimizer": "Averaged(Adam(0.03))"},
    "a rate that follows": WORSENING | {"optimizer": "Adam(ReduceOnPlateau(0.03, patience=1))", "early_stopping": 3},
    "a line search": {"optimizer": "LBFGS()", "batch_size": None},
    "two gradients": {"optimizer": "SAM(ScheduleFreeAdamW(0.03))", "validation": 0.2},
    "keys and half numbers in slots": {"optimizer": OPTAX},
    "all at once": {"batch_size": "all"},
    "texts": {
        "network": "TfIdf(9, 3, ngrams=2, padding_id=0) >> Softmax()",
        "x": random.integers(0, 9, (40, 6)),
        "validation": 0.2,
    },
    "a loader": {"x": from_arrays(X, Y, size=9), "y": None, "metrics": ["Accuracy()"]},
}


def train(**options):
    return fit(**PLAIN | options)


@pytest.fixture
def places(monkeypatch, tmp_path):
    """Gives the checkpoints of a training from all of its places, as files, and what it made."""

    def of(**options):
        files: list[Path] = []

        def reached(self, checkpoint, epoch, step):
            files.append(tmp_path / f"{len(files)} epoch {epoch} step {step}")
            files[-1].write_bytes(self.content(checkpoint()))

        with monkeypatch.context() as patched:
            patched.setattr(loop, "CHUNK", 0.0)  # so that every step is a place
            patched.setattr(Keeper, "reached", reached)
            model = train(**options, checkpoint=tmp_path / "kept")
        return files, to_bytes(model)

    return of


@pytest.mark.by_turns(3)
@pytest.mark.parametrize("case", CASES)
def test_from_any_step_to_the_same_bits(places, case):
    files, whole = places(**CASES[case])
    model = train(**CASES[case])
    assert to_bytes(model) == whole  # which nobody kept
    fewer = {"all at once": 1, "a line search": 1, "two gradients": 4, "texts": 4, "statistics and a penalty": 5}
    steps = fewer.get(case, STEPS)
    assert len(files) == len(model.history) * (1 + steps) + 1  # before each epoch, after each step, and at the end
    for file in files:
        again = train(**CASES[case], resume=file)
        assert to_bytes(again) == whole, file.name
        assert again.history == model.history


def test_the_case_of_early_stopping_says_what_it_should(places):
    """The best epoch lies before the last checkpoint, and patience began before it."""
    model = train(**WORSENING)
    assert (model.history.best_epoch, len(model.history), model.history.stopped) == (1, 3, "early stopping")


def test_each_epoch_is_told_of_once(places):
    """Also from checkpoints at the border of two epochs."""
    files, _ = places(validation=0.2)
    for file in files:
        told = []
        model = train(validation=0.2, resume=file, callbacks=[lambda end, told=told: told.append(end.row)])
        done = len(json.loads(described(file))["networks"][0]["history"]["rows"])
        assert [row["epoch"] for row in model.history] == [*range(1, EPOCHS + 1)]
        assert told == model.history.rows[done:]


def described(file: Path) -> str:
    content = file.read_bytes()
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]["chainrule-checkpoint"]


def test_what_diverges_later_keeps_the_last_good_epoch(tmp_path, monkeypatch):
    """Also where it was sound no more when it was kept."""
    options = {"optimizer": "GradientDescent(StepDecay(0.01, every=12, factor=1e30))", "epochs": 4}

    def diverged(**more) -> bytes:
        with pytest.raises(DivergedError) as caught:
            train(**options, **more)
        return to_bytes(caught.value.model)

    files: list[Path] = []

    def reached(self, checkpoints, epoch, step):
        files.append(tmp_path / f"{len(files)}")
        files[-1].write_bytes(self.content(checkpoints()))

    monkeypatch.setattr(loop, "CHUNK", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(Keeper, "reached", reached)
        whole = diverged(checkpoint=tmp_path / "kept")
    assert len(files) == 3 * (1 + STEPS)
    assert {diverged(resume=file) for file in files[-8:]} == {whole}


def test_again_and_again(places, tmp_path):
    """Cut off by an exception in every epoch, and resumed each time."""

    class KilledError(Exception):
        pass

    def kill(end):
        if end.row["epoch"] not in killed:
            killed.append(end.row["epoch"])
            raise KilledError

    killed: list[float] = []
    kept = Checkpoints(tmp_path / "kept", every="1 steps")
    for _ in range(EPOCHS):
        with pytest.raises(KilledError):
            train(checkpoint=kept, resume=True, callbacks=[kill])
    model = train(checkpoint=kept, resume=True, callbacks=[kill])
    assert killed == [1, 2, 3, 4]
    assert to_bytes(model) == to_bytes(train())


@pytest.mark.parametrize("case", ["dropout and a schedule", "early stopping"])
def test_a_finished_training_is_not_trained_any_more(tmp_path, case):
    whole = train(**CASES[case], checkpoint=tmp_path)
    told = []
    for _ in range(2):
        again = train(**CASES[case], checkpoint=tmp_path, resume=True, callbacks=[told.append])
        assert to_bytes(again) == to_bytes(whole)
    assert not told


def test_a_callback_that_stopped_it_has_its_way(tmp_path):
    whole = train(checkpoint=tmp_path, callbacks=[lambda end: end.row["epoch"] == 2])
    again = train(resume=tmp_path)
    assert again.history.stopped == "callback"
    assert to_bytes(again) == to_bytes(whole)


def test_from_what_a_callback_is_told(tmp_path):
    ends = []
    whole = train(**WORSENING, callbacks=[ends.append])
    for end in ends:
        again = train(**WORSENING, resume=end.checkpoint())
        assert again.history == whole.history
        assert to_bytes(again) == to_bytes(whole)


def test_a_training_after_another_is_resumed(places):
    ends = []
    train(callbacks=[ends.append])
    after = ends[-1].checkpoint()
    files, whole = places(after=after)
    for file in files[:: STEPS + 1]:
        assert to_bytes(train(after=after, resume=file)) == whole


def test_seconds_go_on(places):
    files, _ = places()
    header, _ = storage.opened(files[7])
    assert 0 < header.networks[0].history.seconds < train(resume=files[7]).history.seconds


# Refusals


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"optimizer": "Adam(0.02)"},
         "a training with optimizer Adam(learning_rate=CosineDecay(0.03)), not Adam(learning_rate=0.02). Give that, "),
        ({"network": "Dense(3) >> Softmax()"}, "a training with network Dense(8) >> NoisyReLU() >>"),
        ({"batch_size": 4}, "a training with batch_size 8, not 4. Give that, or start afresh."),
        ({"seed": 1}, "a training with seed 0, not 1. Give that, or start afresh."),
        ({"epochs": 9}, f"a training with epochs {EPOCHS}, not 9. Give that, or start afresh."),
        ({"regularizer": "L2(0.1)"}, "a training with regularizer None, not L2(0.1)."),
        ({"classes": ("a", "b", "c")}, "a training with classes [0, 1, 2], not ['a', 'b', 'c']."),
        ({"x": X + 1}, "a training on other data. Give those, or start afresh."),
        ({"y": (Y + 1) % 3}, "a training on other data. Give those, or start afresh."),
        ({"sample_weight": np.ones(40)}, "a training on other data. Give those, or start afresh."),
        ({"validation": (X, Y)}, "a training on other data. Give those, or start afresh."),
    ],
)  # fmt: skip
def test_another_training(places, options, why):
    files, _ = places()
    with pytest.raises(ChainruleError, match="^" + re.escape(f"fit: the checkpoint is of {why}")):
        train(**options, resume=files[5])


def test_another_optimizer_of_optax(places):
    files, _ = places(optimizer=OPTAX)
    with pytest.raises(ChainruleError, match=r"^fit: the checkpoint is of another network or optimizer, whose arrays"):
        train(optimizer=optax.sgd(0.1, momentum=0.9), resume=files[3])


def test_what_is_no_checkpoint(tmp_path):
    (tmp_path / "text").write_text("no checkpoint at all")
    train(checkpoint=tmp_path / "kept").save(tmp_path / "model")
    (tmp_path / "empty").mkdir()
    for path, why in {
        "none": f"fit: there is no checkpoint {tmp_path}/none. Start afresh.",
        "empty": f"fit: there is no checkpoint in {tmp_path}/empty. Start afresh.",
        "text": f"{tmp_path}/text is no checkpoint, or is cut short or damaged. Use an intact copy, or train again.",
        "model": f"{tmp_path}/model is no checkpoint of Chainrule: its header has no description.",
    }.items():
        with pytest.raises(ChainruleError, match=f"^{re.escape(why)}$"):
            train(resume=tmp_path / path)
    with pytest.raises(ChainruleError, match=r"^fit: resume=True goes on from the folder that checkpoint names\. Name"):
        train(resume=True)
    with pytest.raises(ChainruleError, match=r"^Expected the path of a file, got 3\.$"):
        train(resume=3)


def test_the_one_before_is_taken_where_the_last_is_damaged(tmp_path):
    whole = train(checkpoint=Checkpoints(tmp_path, every=2), epochs=6)
    before, last = sorted(tmp_path.iterdir(), key=lambda path: int(path.stem.removeprefix("checkpoint-")))
    content = last.read_bytes()
    for damaged in (content[:-5], content[:3000], b"", content[:-1] + bytes([content[-1] ^ 1])):
        last.write_bytes(damaged)
        with pytest.warns(
            UserWarning, match=rf"^{re.escape(str(last))} .*\. The one before is taken: {before.name}\.$"
        ):
            again = train(epochs=6, resume=tmp_path)
        assert to_bytes(again) == to_bytes(whole)
    before.write_bytes(b"")
    with pytest.raises(ChainruleError, match=rf"^{re.escape(str(last))} "):
        train(epochs=6, resume=tmp_path)


def test_a_damaged_one_is_no_reason_to_lose_the_one_before(tmp_path):
    """What is resumed from the one before keeps that, until two others are whole."""
    kept = Checkpoints(tmp_path, every=2)
    whole = train(checkpoint=kept, epochs=6)
    kept.files[0].write_bytes(b"")
    with pytest.warns(UserWarning, match="The one before is taken"):
        train(checkpoint=kept, epochs=6, resume=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert to_bytes(train(epochs=6, resume=tmp_path)) == to_bytes(whole)


def test_a_changed_byte_anywhere_is_noticed(places, tmp_path):
    files, _ = places()
    content = files[8].read_bytes()
    draws = np.random.default_rng(0)
    for where in {*range(12), *draws.integers(0, len(content), 60).tolist()}:
        files[8].write_bytes(content[:where] + bytes([content[where] ^ 0x55]) + content[where + 1 :])
        with pytest.raises(ChainruleError):
            storage.opened(files[8])


def test_another_machine_is_said(places, monkeypatch):
    files, whole = places()
    here = storage.machine()
    monkeypatch.setattr("chainrule.training.resuming.machine", lambda _: here | {"jax": "9.9", "threads": "64"})
    with pytest.warns(
        UserWarning,
        match=rf"was written with jax {here['jax']}, threads {here['threads']}; with jax 9\.9, threads 64 the bits may",
    ):
        assert to_bytes(train(resume=files[8])) == whole


# Signals

SIGNALLED = """
import os, signal, sys
import numpy as np
from chainrule.training import Checkpoints, fit
sys.path.insert(0, {tests!r})
from test_resuming import train
from chainrule.model.file import to_bytes
def send(end):
    if end.row["epoch"] == 2:
        os.kill(os.getpid(), signal.{name})
model = train(checkpoint=Checkpoints({folder!r}, every="1h"), callbacks=[send])
print(model.history.stopped, len(model.history))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code", "said"), [("SIGTERM", -15, ""), ("SIGINT", 0, "interrupted 2\n")])
def test_a_signal_leaves_a_checkpoint(tmp_path, name, code, said):
    script = SIGNALLED.format(tests=str(Path(__file__).parent), folder=str(tmp_path), name=name)
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, said), done.stderr
    [file] = tmp_path.iterdir()
    assert file.name == f"checkpoint-{2 * STEPS}.safetensors"
    assert to_bytes(train(resume=tmp_path)) == to_bytes(train())
