"""A run that was cut off goes on to the files that it would have had, and nobody takes its folder meanwhile."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.runs import evaluate, resume, train
from chainrule.runs.folder import check, claim
from chainrule.training import loop
from chainrule.training.progress import Progress

OPTIONS = {
    "network": "Dense(4) >> ReLU() >> Dropout(0.2) >> Dense(2) >> Softmax()",
    "optimizer": "Adam(CosineDecay(0.01))",
    "epochs": 6,
    "batch_size": 8,
    "early_stopping": 3,
    "progress": False,
    "checkpoint": "1 steps",
}
STEPS = 4


class KilledError(BaseException):
    """As nobody would catch."""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Every step is a place to stand."""
    monkeypatch.setattr(loop, "CHUNK", 0.0)


def content(folder: Path) -> dict[str, object]:
    """A run's files, but what tells of seconds."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}
    measured = json.loads(found.pop("metrics.json"))
    del measured["seconds"]
    return found | {"metrics.json": measured}


def cut_off(step: int, raised: type[BaseException] = KilledError, **options) -> Path:
    """The folder of a run on the flowers that ends in the middle of its second epoch, or when Ctrl-C comes there."""
    with pytest.MonkeyPatch.context() as patched:
        reached = Progress.step

        def stepped(self, epoch, done):
            reached(self, epoch, done)
            if (epoch - 1) * STEPS + done == step and done:
                if raised is KilledError:
                    raise KilledError
                signal.raise_signal(signal.SIGINT)

        patched.setattr(Progress, "step", stepped)
        if raised is KilledError:
            with pytest.raises(KilledError):
                train("flowers.csv", **OPTIONS | {"out": "run"} | options)
        else:
            assert train("flowers.csv", **OPTIONS | {"out": "run"} | options).interrupted
    return Path(options.get("out", "run"))


@pytest.fixture
def whole(here, flowers):
    return content(train("flowers.csv", **OPTIONS, out="whole").folder)


@pytest.mark.parametrize("step", [3, STEPS, STEPS + 1, 3 * STEPS])
def test_it_goes_on_to_the_same_files(here, whole, step):
    folder = cut_off(step)
    with pytest.raises(ChainruleError, match=r"^run is unfinished: its training is still running, or was killed\."):
        check(folder)
    run = resume(folder, progress=False)
    assert content(folder) == whole
    assert check(folder) == ""
    assert not run.interrupted


@pytest.mark.parametrize("moment", ["chainrule.runs.seen.record", "chainrule.model.Model.evaluate"])
def test_what_is_cut_off_while_it_is_saved_or_measured(here, whole, monkeypatch, moment):
    """A killed process closes nothing; here the exception leaves the files as they are."""

    def killed(*_, **more):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(moment, killed)
        with pytest.raises(KilledError):
            train("flowers.csv", **OPTIONS, out="run")
    assert list(Path("run").glob("checkpoint-*.safetensors"))
    resume("run", progress=False)
    assert content(Path("run")) == whole


def test_what_was_interrupted_evaluates_and_goes_on(here, whole):
    folder = cut_off(STEPS + 2, KeyboardInterrupt)
    assert check(folder) == ""
    evaluate("run", "flowers.csv")
    resume(folder, progress=False)
    assert content(folder) == whole


def test_what_goes_on_evaluates_until_it_is_saved(here, whole, monkeypatch):
    """Cut off again, it is as it was, and goes on from where it came to."""
    folder = cut_off(STEPS + 2, KeyboardInterrupt)
    before = {name: each for name, each in content(folder).items() if not name.startswith("checkpoint")}
    with monkeypatch.context() as patched:
        patched.setattr("chainrule.training.observers.Records.__call__", lambda *_: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            resume(folder, progress=False, checkpoint="1 steps")
    assert check(folder) == ""
    assert {name: each for name, each in content(folder).items() if not name.startswith("checkpoint")} == before
    resume(folder, progress=False)
    assert content(folder) == whole


def test_several_values_and_choices_of_all_kinds(here):
    numbers = np.random.default_rng(0).normal(size=(40, 5)).round(2)
    rows = [",".join(map(str, row)) + f",{'ab'[i % 2]},{i % 5}\n" for i, row in enumerate(numbers)]
    Path("flowers.csv").write_text("a,b,c,y,z,text,code\n" + "".join(rows))
    options = {
        **OPTIONS,
        "network": "Dense(4) >> ReLU() >> Dense(2)",
        "target": ["y", "z"],
        "drop": "c",
        "text": "code",
        "test": 0.3,
        "regularizer": "L2(0.01)",
        "early_stopping": None,
        "seed": 3,
        "separator": ",",
    }
    train("flowers.csv", **options, out="whole")
    resume(cut_off(STEPS + 1, **options), progress=False)
    assert content(Path("run")) == content(Path("whole"))


def test_the_folder_is_nobody_elses(here, whole):
    folder = cut_off(STEPS + 1)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    why = (
        r"^run holds a training that was cut off\. Go on with it by resume, replace it by overwrite, or name another "
        r"folder by out\.$"
    )
    with pytest.raises(ChainruleError, match=why):
        claim(folder)
    with claim(folder, counted=True) as another:
        assert another.name == Path("run-2")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    train("flowers.csv", **OPTIONS | {"epochs": 1}, out="run", overwrite=True)
    assert not list(folder.glob("checkpoint-*"))
    assert check(folder) == ""
    assert {path.name for path in here.iterdir()} == {"flowers.csv", "whole", "run"}


def test_a_run_that_was_to_replace_another(here, whole):
    """The old one stays until it is whole, however often it is cut off."""
    old = content(train("flowers.csv", **OPTIONS | {"epochs": 1}, out="run").folder)
    cut_off(STEPS + 1, overwrite=True)
    assert content(Path("run")) == old
    with claim(Path("other")):
        pass  # which removes what nobody can go on with
    resume("run", progress=False)
    assert content(Path("run")) == whole
    assert {path.name for path in here.iterdir()} == {"flowers.csv", "whole", "run"}


def test_a_run_that_was_to_replace_another_is_replaced_itself(here, whole):
    train("flowers.csv", **OPTIONS | {"epochs": 1}, out="run")
    cut_off(STEPS + 1, overwrite=True)
    train("flowers.csv", **OPTIONS, out="run", overwrite=True)
    assert content(Path("run")) == whole
    assert {path.name for path in here.iterdir()} == {"flowers.csv", "whole", "run"}


# Refusals


def refused(why: str, *arguments, **options) -> None:
    with pytest.raises(ChainruleError, match=f"^{re.escape(why)}"):
        resume(*arguments, progress=False, **options)


def test_what_can_not_go_on(here, whole):
    refused("whole is finished, and has no checkpoint to go on from.", "whole")
    for name in ("nowhere", "flowers.csv", "."):
        refused(f"{name} holds no run to go on with. Train one: chainrule train digits.", name)
    folder = cut_off(STEPS + 1)
    (folder / "run.toml").rename("run.toml")
    refused("run can't be resumed: its run.toml is missing or damaged. Train again.", folder)
    (folder / "run.toml").write_text("[data]")
    refused("run can't be resumed: its run.toml is missing or damaged. Train again.", folder)
    Path("run.toml").rename(folder / "run.toml")
    Path("flowers.csv").rename("moved.csv")
    refused("run was trained on flowers.csv, which is not there any more. Give the same data beside it", folder)
    resume(folder, "moved.csv", progress=False)
    for name in ("history.csv", "metrics.json", "rows.safetensors"):
        assert content(folder)[name] == whole[name]


def test_who_is_at_it(here):
    with claim(Path("run")):
        refused("run is being written by another training.", "run")


def test_other_data(here, whole):
    folder = cut_off(STEPS + 1)
    rows = Path("flowers.csv").read_text()
    Path("flowers.csv").write_text(rows.replace("1,1,", "1,9,"))
    refused("fit: the checkpoint is of a training on other data. Give those, or start afresh.", folder)
    Path("flowers.csv").write_text(rows)
    resume(folder, progress=False)
    assert content(folder) == whole


def test_data_that_are_gone(here, flowers):
    folder = cut_off(STEPS + 1)
    Path("flowers.csv").rename("elsewhere.csv")
    refused("run was trained on flowers.csv, which is not there any more. Give the same data beside it", folder)


def test_a_table(here, flowers, monkeypatch):
    from chainrule.data import read

    table = read("flowers.csv")
    columns = {name: list(table[name]) for name in table}
    whole = content(train(columns, **OPTIONS, out="whole").folder)
    with monkeypatch.context() as patched:
        patched.setattr("chainrule.runs.seen.record", lambda *_: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            train(columns, **OPTIONS, out="table")
    refused("table was trained on a table, which nothing can read again. Give the same data beside it", "table")
    resume("table", columns, progress=False)
    assert content(Path("table")) == whole


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe(here, flowers):
    folder = cut_off(STEPS + 1)
    record = (folder / "run.toml").read_text()
    os.mkfifo("pipe")
    (folder / "run.toml").write_text(record.replace('source = "flowers.csv"', 'source = "pipe"'))
    refused("run was trained on what came through pipe, which nothing can read again. Give the same data", folder)


KILLED = """
import os, signal
from chainrule.runs import train
from chainrule.training.progress import Progress
from test_resuming import OPTIONS
Progress.step = lambda self, epoch, step: epoch == 2 and os.kill(os.getpid(), signal.SIGKILL)
train("flowers.csv", **OPTIONS | {"checkpoint": "1h"}, out="run")
"""


@pytest.mark.slow
def test_what_is_killed_before_its_first_checkpoint_begins_again(here, whole):
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    subprocess.run([sys.executable, "-c", KILLED], env=os.environ | {"PYTHONPATH": path})
    assert {path.name for path in Path("run").iterdir()} == {"manifest.json", "run.toml"}
    resume("run", progress=False)
    assert {**content(Path("run")), "curves.png": 0, "confusion.png": 0} == whole | {
        "curves.png": 0,
        "confusion.png": 0,
    }
