"""A run's folder: repeated bit for bit by its own command, and written whole or not at all."""

import contextlib
import errno
import os
import re
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest

from chainrule.cli.run import write_run
from chainrule.errors import ChainruleError

REPEATABLE = {
    "a class": 'train flowers.csv --network "Dense(4) >> ReLU() >> Dropout(0.5) >> Dense(2) >> Softmax()" --epochs 3',
    "blank cells, text, dropped columns": (
        'train gaps.csv --missing median --drop width --text length --network "Dense(2) >> Softmax()" --epochs 2 '
        "--seed 7 --target kind --test 0.25 --validation 0"
    ),
    "a test part of its own": 'train points.npz --network "Dense(2) >> Softmax()" --epochs 2',
    "a value": (
        'train prices.csv --network "Dense(4) >> Tanh() >> Dense(1)" --regularizer "L1(1e-3) + L2(1e-4)" '
        '--optimizer "ClipNorm(1.0) >> Nesterov(CosineDecay(0.1))" --early-stopping 3 --epochs 40 --batch-size 5 '
        '--metric "RMSE()" --metric "MAE()" --task regression --test part.csv'
    ),
    "spaces and quotes": """train "it's here/my flowers.csv" --epochs 1 --out runs/x""",
}


@pytest.fixture
def data(here, flowers, prices):
    text = flowers.read_text()
    (here / "gaps.csv").write_text(text.replace("\n1,", "\n,").replace(",red,", ",,", 2))
    (here / "part.csv").write_text("".join(prices.read_text().splitlines(keepends=True)[:9]))
    (here / "it's here").mkdir()
    (here / "it's here" / "my flowers.csv").write_text(text)
    x = np.random.default_rng(0).normal(size=(50, 2))
    np.savez(here / "points.npz", x=x[:40], y=x[:40, 0] > 0, x_test=x[40:], y_test=x[40:, 0] > 0)


@pytest.mark.slow
@pytest.mark.parametrize("line", REPEATABLE.values(), ids=REPEATABLE)
def test_the_recorded_command_repeats_the_run_bit_for_bit(run, data, line):
    first = folder(run(line))
    command = tomllib.loads((first / "run.toml").read_text())["command"]
    program, line = command.split(" ", 1)
    assert program == "chainrule"
    second = folder(run(line))
    assert first != second
    for name in ("model.safetensors", "run.toml", "history.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def folder(said) -> Path:
    assert said.code == 0, said.err
    return Path(re.search(r"All of it is in (.*)\.\n$", said.out)[1])


def test_a_folder_is_whole_or_is_not(here, monkeypatch):
    calls = []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(ChainruleError) as caught:
        write_run(here / "runs" / "a" / "b", {"one": "1", "two": "2", "three": "3"})
    assert str(caught.value) == (
        f"Can't write {here / 'runs' / 'a' / 'b'}: No space left on device. Nothing was written."
    )
    assert list(here.iterdir()) == []


def test_a_folder_that_was_there_stays(here, monkeypatch):
    (here / "runs" / "old").mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
    with pytest.raises(ChainruleError):
        write_run(here / "runs" / "new", {"one": "1"})
    assert [path.name for path in (here / "runs").iterdir()] == ["old"]


def test_a_folder_is_as_readable_as_others(here):
    (here / "other").mkdir()
    made = write_run(here / "made", {"one": b"1"})
    assert made.stat().st_mode == (here / "other").stat().st_mode
    assert (made / "one").read_bytes() == b"1"


@pytest.fixture
def full_disk(here):
    """A file system that holds 64 kB, nearly full."""
    place = here / "disk"
    place.mkdir()
    mounted = hasattr(os, "geteuid") and os.geteuid() == 0
    mounted = mounted and not subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place]).returncode
    if not mounted:
        pytest.skip("only root may mount the small disk that this needs")
    with open(place / "old.csv", "wb", buffering=0) as file, contextlib.suppress(OSError):
        file.write(b"x" * 60_000)
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_while_saving(run, flowers, full_disk):
    words = 'train flowers.csv --network "Dense(2) >> Softmax()" --epochs 1'
    said = run(f"{words} --out disk/runs/flowers")
    assert (said.code, said.err) == (
        2,
        "chainrule: Can't write disk/runs/flowers: No space left on device. Nothing was written.\n",
    )
    assert [path.name for path in full_disk.iterdir()] == ["old.csv"]
    old = (full_disk / "old.csv").read_bytes()
    assert run(f"{words} --out run").code == 0
    rows = flowers.read_text().splitlines()
    flowers.write_text("\n".join([rows[0], *rows[1:] * 100]))
    said = run("predict run flowers.csv --probabilities --out disk/old.csv")
    assert (said.code, said.err) == (
        2,
        "chainrule: Can't write disk/old.csv: No space left on device. The old file is unchanged.\n",
    )
    assert (full_disk / "old.csv").read_bytes() == old
    assert [path.name for path in full_disk.iterdir()] == ["old.csv"]
