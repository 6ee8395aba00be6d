"""When a training is kept, in a thread, and what happens where that can't be."""

import os
import re
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import ChainruleError, DivergedError
from chainrule.model.file import to_bytes
from chainrule.training import Checkpoints, fit, keeping, loop
from chainrule.training.keeping import Interval, Keeper

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)


def train(**options):
    return fit("Dense(1)", X, X[:, 0], **{"epochs": 6, "batch_size": 8, "progress": False} | options)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("every", "amount", "unit"),
    [
        ("10m", 600, "seconds"),
        ("90 s", 90, "seconds"),
        ("1.5h", 5400, "seconds"),
        (5, 5, "epochs"),
        (np.int64(5), 5, "epochs"),
        ("5", 5, "epochs"),
        ("1 epoch", 1, "epochs"),
        ("1000 steps", 1000, "steps"),
        ("1 step", 1, "steps"),
    ],
)
def test_how_often(every, amount, unit):
    assert Interval.of(every) == (amount, unit)


@pytest.mark.parametrize("every", ["", "m", "0", 0, -1, 1.5, True, None, "0s", "-1s", "1.5 steps", "1.5", "10 minutes"])
def test_what_is_no_interval(every):
    said = (
        f'Checkpoints: every must be a time such as "10m", a number of epochs such as 5, or of steps such as '
        f'"1000 steps", got {every!r}.'
    )
    with pytest.raises(ChainruleError, match=f"^{re.escape(said)}$"):
        Checkpoints("folder", every)


@pytest.mark.parametrize(
    ("every", "found"),
    [
        (2, {5 * 4, 5 * 6}),
        ("4 epochs", {5 * 4, 5 * 6}),
        ("7 steps", {28, 30}),
        ("1h", {30}),
        ("1000 steps", {30}),
    ],
)
def test_the_last_two_are_kept_and_the_end(tmp_path, monkeypatch, every, found):
    monkeypatch.setattr(loop, "CHUNK", 0.0)
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.run)  # written at once
    monkeypatch.setattr(threading.Thread, "join", lambda self: None)
    train(checkpoint=Checkpoints(tmp_path / "deep" / "kept", every))
    assert names(tmp_path / "deep" / "kept") == {f"checkpoint-{step}.safetensors" for step in found}


def keeper(folder, content, every="1 steps") -> Keeper:
    return Keeper(Checkpoints(folder, every), 5, None, content)


def test_training_does_not_wait(tmp_path):
    """What is due while the last one is being written is taken up afterwards."""
    free, began = threading.Event(), threading.Event()

    def content(place):
        began.set()
        assert free.wait(60)
        return bytes([place])

    with keeper(tmp_path, content) as keeps:
        for step in range(4):
            keeps.reached(lambda step=step: step, 1, step)  # type: ignore[arg-type]
        assert began.wait(60)
        assert not list(tmp_path.iterdir())
        free.set()
        assert keeps.thread
        keeps.thread.join()
        keeps.reached(lambda: 4, 1, 4)  # type: ignore[arg-type, return-value]
        keeps.reached(lambda: 5, 1, 5)  # type: ignore[arg-type, return-value]
        keeps.finish()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "checkpoint-4.safetensors": b"\x04",
        "checkpoint-5.safetensors": b"\x05",
    }


def test_the_end_is_written_once(tmp_path):
    written = []
    with keeper(tmp_path, lambda place: written.append(place) or b"", every=1) as keeps:
        for epoch in (1, 2, 3):
            keeps.reached(lambda epoch=epoch: epoch, epoch, 0)  # type: ignore[arg-type]
            keeps._wait()
        keeps.finish()
    assert written == [2, 3]


def test_time_is_looked_at(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    written = []
    with keeper(tmp_path, lambda place: written.append(place) or b"", every="1m") as keeps:
        for seconds in (0, 59, 61, 62, 119, 121, 400, 419, 421):
            clock[0] = 100.0 + seconds
            keeps.reached(lambda seconds=seconds: seconds, 1, seconds)  # type: ignore[arg-type]
            keeps._wait()
    assert written == [61, 121, 400, 421]


def test_a_full_disk_is_said_once_and_costs_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHUNK", 0.0)
    plain = train()

    def full(*_):
        raise OSError(28, "No space left on device")

    kept = Checkpoints(tmp_path / "kept", every="1 steps")
    why = (
        rf"^fit: there is no new checkpoint: Can't write {tmp_path}/kept/checkpoint-\d+\.safetensors: No space left on "
        r"device\. Nothing was written\.$"
    )
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.warns(UserWarning, match=why) as said:
            model = train(checkpoint=kept)
    assert len(said) == 1
    assert not kept.files
    assert to_bytes(model) == to_bytes(plain)


def test_where_the_last_can_be_written_no_more_those_before_stay(tmp_path, monkeypatch):
    train(checkpoint=Checkpoints(tmp_path, every=2))
    before = names(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.warns(UserWarning, match="No space left"):
            train(checkpoint=Checkpoints(tmp_path, every=2), resume=True)
    assert names(tmp_path) == before


def test_a_folder_of_another_training_is_refused(tmp_path):
    train(checkpoint=tmp_path)
    why = (
        f"fit: {tmp_path} holds checkpoint-30.safetensors of another training. Go on from it by resume=True, or name "
        "another folder."
    )
    with pytest.raises(ChainruleError, match=f"^{re.escape(why)}$"):
        train(checkpoint=tmp_path, seed=1)


def test_a_folder_that_can_be_none(tmp_path):
    (tmp_path / "file").write_text("")
    why = f"fit: can't make the folder {tmp_path}/file for checkpoints: File exists."
    with pytest.raises(ChainruleError, match=f"^{re.escape(why)}$"):
        train(checkpoint=tmp_path / "file")
    with pytest.raises(ChainruleError, match=r"^Expected the path of a file, got 3\.$"):
        train(checkpoint=3)


def test_other_files_in_the_folder_stay(tmp_path):
    for name in ("checkpoint-best.safetensors", "notes.txt", "checkpoint-.safetensors"):
        (tmp_path / name).write_text("mine")
    train(checkpoint=Checkpoints(tmp_path, every=1))
    assert {"checkpoint-best.safetensors", "notes.txt", "checkpoint-.safetensors"} < names(tmp_path)
    assert len(keeping.files(tmp_path)) <= 2


def test_a_training_that_fails_keeps_where_it_came_to(tmp_path):
    def fail(end):
        if end.row["epoch"] == 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(checkpoint=tmp_path, callbacks=[fail])
    assert names(tmp_path) == {"checkpoint-15.safetensors"}
    assert to_bytes(train(resume=tmp_path)) == to_bytes(train())


def test_a_training_that_diverges_keeps_nothing_more(tmp_path):
    with pytest.raises(DivergedError):
        train(checkpoint=tmp_path, optimizer="GradientDescent(1e9)")
    assert not names(tmp_path)


def test_a_training_that_fails_before_its_first_step_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.training.placement.run", lambda *_, **more: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(checkpoint=tmp_path)
    assert not names(tmp_path)


def test_a_training_that_fails_waits_for_its_last_checkpoint(tmp_path):
    def fail(end):
        raise ZeroDivisionError

    with warnings.catch_warnings(), pytest.raises(ZeroDivisionError):
        train(checkpoint=Checkpoints(tmp_path, every="1 steps"), callbacks=[fail])
    assert not any(thread.name == "chainrule checkpoint" for thread in threading.enumerate())
    assert keeping.files(tmp_path)
