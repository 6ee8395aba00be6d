"""`chainrule train … --hosts`: the same command in two processes, one of which is killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chainrule import load

SOURCE = Path(__file__).resolve().parents[2] / "src"
DIGITS = ["train", "digits", "--network", "Flatten() >> Dense(8) >> Dense(10) >> Softmax()"]
LOST = (
    "chainrule: Another host has ended, or can't be reached any more. See what it says; --resume goes on from the last "
    "checkpoint.\n"
)


def started(place: Path, said: str, *words: str) -> subprocess.Popen:
    """A command whose output goes into a file."""
    code = "from chainrule.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "COLUMNS": "80"}
    with (place / said).open("w") as out:
        return subprocess.Popen(
            [sys.executable, "-c", code, *words],
            cwd=place,
            env=environment,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )


def wait_for(file: Path, text: str, *processes: subprocess.Popen) -> None:
    """Until a text is in a file that processes write."""
    until = time.monotonic() + 100
    while text not in file.read_text():
        assert all(process.poll() is None for process in processes), [each.communicate() for each in processes]
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.slow
def test_one_is_killed_the_other_says_so_and_one_goes_on(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]},2"
    words = [*DIGITS, "--epochs", "100000", "--early-stopping", "never", "--checkpoint", "1"]
    run = tmp_path / "runs" / "digits"
    with (
        started(tmp_path, "first", *words, "--hosts", f"{address},0") as leads,
        started(tmp_path, "second", *words, "--hosts", f"{address},1") as follows,
    ):
        wait_for(tmp_path / "first", "epoch      1", leads, follows)
        while not [*run.glob("checkpoint-*")]:
            time.sleep(0.1)
        follows.kill()
        assert leads.communicate(timeout=60)[1] == f"note: waiting for the other hosts, five minutes at most\n{LOST}"
        assert leads.returncode == 2
    assert (tmp_path / "second").read_text() == ""

    with started(tmp_path, "third", "train", "--resume", "runs/digits") as resumed:
        wait_for(tmp_path / "third", "run: runs/digits", resumed)
        time.sleep(3)
        resumed.terminate()
        assert "may differ from those of a training never stopped" in resumed.communicate(timeout=60)[1]
    assert len(load(run).history) > 0


@pytest.mark.slow
def test_ctrl_c_on_the_second_ends_both_which_keep_what_was_trained(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]},2"
    words = [*DIGITS, "--epochs", "100000", "--early-stopping", "never"]
    with (
        started(tmp_path, "first", *words, "--hosts", f"{address},0") as leads,
        started(tmp_path, "second", *words, "--hosts", f"{address},1") as follows,
    ):
        wait_for(tmp_path / "first", "epoch      1", leads, follows)
        follows.send_signal(signal.SIGINT)
        assert [process.wait(60) for process in (leads, follows)] == [130, 130]
    assert load(tmp_path / "runs" / "digits").history.stopped == "interrupted"
