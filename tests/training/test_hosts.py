"""Real processes that train together: the result of one, and an end within seconds where one of them ends."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from tests.training import host

from chainrule import ChainruleError, load
from chainrule.training import hosts

SOURCE = Path(__file__).resolve().parents[2]
LOST = (
    "Another host has ended, or can't be reached any more. See what it says; resume goes on from the last checkpoint."
)


def started(index: int, port: int, *cases: str) -> subprocess.Popen:
    """One of two processes."""
    paths = os.pathsep.join([str(SOURCE / "src"), str(SOURCE)])
    words = [sys.executable, host.__file__, f"127.0.0.1:{port},2,{index}", *cases]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": paths})


def together(*cases: str) -> list[tuple[int, list[str]]]:
    """How two processes end that train together, and the lines that they say."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [started(index, port, *cases) for index in range(2)]
    said = [process.communicate(timeout=100)[1] for process in processes]
    return [(process.returncode, text.splitlines()) for process, text in zip(processes, said, strict=True)]


def close(one, other) -> None:
    for mine, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-6)


@pytest.mark.slow
def test_two_train_as_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [code for code, _ in together("stopped", *host.NETWORKS)] == [0, 0]
    for case in host.NETWORKS:
        assert Path(f"{case}-0").read_bytes() == Path(f"{case}-1").read_bytes()
        one, several = host.trained(case), load(f"{case}-0")
        close(several.parameters, one.parameters)
        close(several.state, one.state)
        close([*several.history.rows[-1].values()], [*one.history.rows[-1].values()])


@pytest.mark.slow
def test_where_one_is_killed_the_other_ends_and_one_process_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    [(code, said), (killed, _)] = together("killed")
    assert (code, killed) == (2, -9)
    assert said == [LOST]
    assert time.monotonic() - began < 60  # not the minutes that JAX waits by itself
    with pytest.warns(UserWarning, match="the bits may differ"):
        resumed = host.trained("mlp", epochs=100_000, resume="kept", callbacks=[lambda end: end.row["epoch"] == 5])
    close(resumed.parameters, host.trained("mlp", epochs=5).parameters)
    assert len(resumed.history) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "code", "sentence"),
    [
        ("different", 2, "Process 1 has other examples or choices than process 0. Give all the same."),
        ("failing", 1, "KeyError: 'no such thing'"),
    ],
)
def test_what_is_wrong_with_one_ends_both(tmp_path, monkeypatch, case, code, sentence):
    monkeypatch.chdir(tmp_path)
    [first, (ended, said)] = together(case)
    assert first == (2, [LOST])
    assert (ended, said[-1]) == (code, sentence)


ALONE = """
from chainrule.training import hosts
hosts.ARRIVAL = 3
with hosts.joined("127.0.0.1:{},2,{}"):
    pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_where_one_never_comes_the_other_says_so_and_ends(index):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-c", ALONE.format(port, index)]
    ended = subprocess.run(
        words, env=os.environ | {"PYTHONPATH": str(SOURCE / "src")}, capture_output=True, text=True, timeout=60
    )
    assert ended.stderr.splitlines()[-1].endswith(
        "The hosts did not come together. Start all of them, on one network, each with its own index."
    )
    assert ended.returncode == 2


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("mpirun"), reason="needs Open MPI: apt-get install openmpi-bin")
def test_a_scheduler_says_who_they_are(tmp_path):
    paths = os.pathsep.join([str(SOURCE / "src"), str(SOURCE)])
    words = [
        "mpirun",
        "--allow-run-as-root",
        "--oversubscribe",
        "-n",
        "2",
        sys.executable,
        host.__file__,
        "auto",
        "mlp",
    ]
    subprocess.run(words, cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths}, check=True, timeout=100)
    assert (tmp_path / "mlp-0").read_bytes() == (tmp_path / "mlp-1").read_bytes()


@pytest.mark.parametrize("words", ["", "me", "me:1", "me:1,2", "me:1,2,2", "me:1,0,0", "me,2,0", "me:1,2,-1"])
def test_words_that_say_nothing(words):
    with pytest.raises(ChainruleError, match="hosts must be auto, or ADDRESS:PORT,COUNT,INDEX"), hosts.joined(words):
        pass
