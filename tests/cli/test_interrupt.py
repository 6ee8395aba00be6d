"""Ctrl-C at any moment: before training it ends the command at once, from then on it never loses what was trained."""

import os
import random
import shlex
import signal
import subprocess
import sys
import time

import pytest

from chainrule.cli.interrupt import CTRL_C, INTERRUPTED, TERMINATED, CtrlC
from chainrule.runs.folder import check

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT")
READY = "import sys; from chainrule.cli import CTRL_C, main; CTRL_C.__enter__(); sys.stderr.write('ready\\n'); main()"
TRAIN = ("train", "flowers.csv", "--network", "Dense(2) >> Softmax()", "--epochs", "300")
FINISHING = "\nfinishing: what was trained is saved first\n"


@pytest.fixture
def begin():
    """Begins a command in a process of its own, which is ready for Ctrl-C; it is gone after the test."""
    begun = []

    def command(*words: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", READY, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        begun.append(process)
        assert process.stderr
        assert process.stderr.readline() == "ready\n"
        return process

    yield command
    for process in begun:
        process.kill()
        process.communicate()


def until(process: subprocess.Popen, beginning: str) -> None:
    assert process.stdout
    assert any(line.startswith(beginning) for line in process.stdout)


def press(process: subprocess.Popen, times: int = 1) -> tuple[int, str, str]:
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.0, *(round(random.Random(1).uniform(0, 1.5) * n, 2) for n in (0.2, 0.5, 1.5))])
def test_before_training(here, flowers, begin, moment):
    process = begin(*TRAIN)
    time.sleep(moment)
    code, out, err = press(process, 2)
    assert code == INTERRUPTED
    assert err in ("", FINISHING)  # where the machine was fast enough to begin the training
    if not err:
        assert "All of it is in" not in out
        assert not (here / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("line", "delay"), [("run:", 0.0), ("epoch", 0.0), ("epoch 300", 0.0), ("epoch 300", 0.8)])
def test_from_the_training_to_its_end_nothing_is_lost(here, flowers, begin, line, delay):
    process = begin(*TRAIN)
    until(process, line)
    time.sleep(delay)
    code, out, err = press(process, 4)
    assert (code, err.partition("note:")[0]) in ((INTERRUPTED, FINISHING), (0, ""))  # where all had been saved already
    assert out.endswith("All of it is in runs/flowers.\n")
    assert check(here / "runs" / "flowers") == ""
    assert (here / "runs" / "flowers" / "model.safetensors").exists()
    assert [path.name for path in (here / "runs").iterdir()] == ["flowers"]


@pytest.mark.slow
def test_sigterm_leaves_a_run_that_evaluates_and_goes_on(here, flowers, begin, run):
    process = begin(*TRAIN)
    until(process, "epoch")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (
        TERMINATED,
        f"{FINISHING}note: To go on with it: chainrule train --resume runs/flowers\n",
    )
    assert ", interrupted" in out
    assert check(here / "runs" / "flowers") == ""
    assert run("evaluate runs/flowers flowers.csv").code == 0
    assert run("train --resume runs/flowers").code == 0
    assert run(shlex.join([*TRAIN, "--out", "whole"])).code == 0
    for name in ("model.safetensors", "history.csv", "rows.safetensors", "run.toml"):
        assert (here / "runs" / "flowers" / name).read_bytes() == (here / "whole" / name).read_bytes(), name


@pytest.mark.slow
def test_a_shell_may_have_it_ignored(here, flowers, begin):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as for a command in the background, which inherits it
    try:
        process = begin(*TRAIN[:-1], "3")
    finally:
        signal.signal(signal.SIGINT, before)
    until(process, "run:")
    code, out, err = press(process, 2)
    assert (code, err) == (0, "")
    assert out.endswith("All of it is in runs/flowers.\n")


def test_it_is_only_noted_while_there_is_work_to_lose(capfd):
    with CTRL_C as ctrl_c:
        ctrl_c.finish("a moment")
        assert not ctrl_c.wanted
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        assert ctrl_c.wanted
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert capfd.readouterr().err == "\na moment\n"
    with CTRL_C as ctrl_c:
        assert not ctrl_c.wanted
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_command_ends_at_once_while_there_is_none(monkeypatch):
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    with CtrlC() as ctrl_c:
        signal.raise_signal(signal.SIGINT)
        ctrl_c.finish("a moment")
    signal.raise_signal(signal.SIGINT)  # after its end, too
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert codes == [INTERRUPTED, INTERRUPTED]


def test_another_handler_stays_in_charge():
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        with CTRL_C:
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [True]


def test_nothing_heavy_is_imported_before_it_is_in_hand():
    code = "import sys; before = {*sys.modules}; import chainrule.cli; print(*{*sys.modules} - before)"
    modules = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, env=path()).stdout
    heavy = {"typing", "re", "typer", "rich", "numpy", "jax", "chainrule.cli.commands"}
    assert "chainrule.cli.interrupt" in modules.split()
    assert not heavy & {*modules.split()}


def path() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
