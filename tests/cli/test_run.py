"""A run's folder: repeated bit for bit by its own command, and written whole or not at all."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule import load
from chainrule.errors import ChainruleError
from chainrule.runs.folder import FILES, MANIFEST, check

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


def test_a_full_disk_before_training(run, flowers, full_disk):
    words = 'train flowers.csv --network "Dense(2) >> Softmax()" --epochs 1'
    said = run(f"{words} --out disk/runs/flowers")
    assert (said.code, said.err) == (
        2,
        "chainrule: Can't write disk/runs/flowers: 40 bytes are needed, and 0 are free. "
        "Name another folder by --out.\n",
    )
    assert [path.name for path in full_disk.iterdir()] == ["old.csv"]


def test_a_full_disk_at_the_first_file(run, flowers, full_disk, monkeypatch):
    monkeypatch.setattr("chainrule.runs.running.check_room", lambda *_: None)
    said = run('train flowers.csv --network "Dense(2) >> Softmax()" --epochs 1 --out disk/runs/flowers')
    why = "chainrule: Can't write disk/runs/flowers: No space left on device. Name another folder by --out.\n"
    assert (said.code, said.err) == (2, why)
    assert [path.name for path in full_disk.iterdir()] == ["old.csv"]


def test_a_full_disk_while_predicting(run, trained, flowers, full_disk):
    old = (full_disk / "old.csv").read_bytes()
    rows = flowers.read_text().splitlines()
    flowers.write_text("\n".join([rows[0], *rows[1:] * 100]))
    said = run("predict run flowers.csv --probabilities --out disk/old.csv")
    assert (said.code, said.err) == (
        2,
        "chainrule: Can't write disk/old.csv: No space left on device. The old file is unchanged.\n",
    )
    assert (full_disk / "old.csv").read_bytes() == old
    assert [path.name for path in full_disk.iterdir()] == ["old.csv"]


QUICK = 'train flowers.csv --network "Dense(2) >> Softmax()" --epochs 1'


@pytest.fixture
def temporary(here, monkeypatch):
    """The user's temporary folder."""
    (here / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(here / "temporary"))
    return here / "temporary"


def test_a_disk_that_is_full_when_the_training_ends(run, flowers, full_disk, temporary, monkeypatch):
    monkeypatch.setattr("chainrule.runs.running.check_room", lambda *_: None)
    monkeypatch.setattr("chainrule.runs.running.begin", lambda *_: None)
    saved_elsewhere(run(f"{QUICK} --out disk/runs/flowers"), temporary, "disk/runs/flowers: No space left on device")
    assert [path.name for path in full_disk.iterdir()] == ["old.csv"]


def test_a_folder_that_is_gone_when_the_training_ends(run, here, flowers, temporary, monkeypatch):
    def epoch(self, row):
        shutil.rmtree(here / "runs")

    monkeypatch.setattr("chainrule.training.progress.Progress.epoch", epoch)
    saved_elsewhere(run(QUICK), temporary, "runs/flowers: No such file or directory")


def saved_elsewhere(said, temporary, why: str) -> None:
    place = temporary / "chainrule-flowers"
    assert (said.code, said.err) == (2, f"chainrule: Can't write {why}. All of it is in {place} instead.\n")
    assert check(place) == ""
    assert load(place).history.rows
    assert [path.name for path in temporary.iterdir()] == ["chainrule-flowers"]


def test_nowhere_to_write_when_the_training_ends(run, here, flowers, monkeypatch):
    def epoch(self, row):
        shutil.rmtree(here / "runs")

    monkeypatch.setattr("chainrule.training.progress.Progress.epoch", epoch)
    monkeypatch.setattr(tempfile, "tempdir", str(flowers / "none"))
    monkeypatch.setenv("HOME", str(flowers))
    said = run(QUICK)
    assert (said.code, said.err) == (
        2,
        "chainrule: Can't write runs/flowers: No such file or directory. Nothing was written.\n",
    )


def test_a_picture_that_cannot_be_drawn_does_not_cost_the_run(run, here, flowers, monkeypatch):
    def curves(*_):
        raise MemoryError("too many epochs")

    monkeypatch.setattr("chainrule.pictures.results.curves", curves)
    said = run(QUICK)
    assert (said.code, said.err) == (0, "note: curves.png can't be made: too many epochs\n")
    assert check(here / "runs" / "flowers") == ""
    assert not (here / "runs" / "flowers" / "curves.png").exists()


def test_more_epochs_than_a_model_file_can_list_do_not_cost_the_run(run, here, flowers, monkeypatch):
    monkeypatch.setattr("chainrule.model.container.MOST_BYTES", 5_000)
    said = run(QUICK.replace("--epochs 1", "--epochs 100"))
    assert said.code == 0
    assert "note: model.safetensors is without the history. The model can't be saved: its description has" in said.err
    assert load(here / "runs" / "flowers").history.rows == []
    assert len((here / "runs" / "flowers" / "history.csv").read_text().splitlines()) == 101


def test_figures_that_cannot_be_measured_do_not_cost_the_run(run, here, flowers, monkeypatch):
    def evaluate(*_, **more):
        raise ChainruleError("no memory")

    monkeypatch.setattr("chainrule.model.Model.evaluate", evaluate)
    said = run(f"{QUICK} --validation 0")
    unmade = ("metrics.json", "README.md", "confusion.png")
    notes = "".join(f"note: {file} can't be made: no memory\n" for file in unmade)
    assert (said.code, said.err) == (2, f"{notes}chainrule: no memory\n")
    assert load(here / "runs" / "flowers").history.rows


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_names_that_are_no_utf_8(run, here, flowers):
    odd = os.fsdecode(b"caf\xe9's.csv")
    flowers.rename(here / odd)
    said = run(f"{QUICK.replace('flowers.csv', shlex.quote(odd))}")
    assert said.code == 0
    folder = here / "runs" / odd.removesuffix(".csv")
    record = tomllib.loads((folder / "run.toml").read_text())
    assert record["data"]["source"] == r"caf\xe9's.csv"
    assert record["command"].startswith(r"chainrule train $'caf\xe9\'s.csv' --network 'Dense(2) >> Softmax()'")
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {record['command']}"], capture_output=True, check=True
    ).stdout
    assert words.splitlines()[2] == b"caf\xe9's.csv"
    assert check(folder) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="names of folders are text elsewhere")
def test_classes_whose_folders_are_no_utf_8(run, here, pictures):
    for number, name in enumerate((b"caf\xe9", b"th\xe9")):
        folder = here / "photos" / os.fsdecode(name)
        folder.mkdir(parents=True)
        for shade in range(10):
            Image.new("L", (4, 4), 100 * number + shade).save(folder / f"{shade}.png")
    assert run('train photos --network "Flatten() >> Dense(2) >> Softmax()" --epochs 1').code == 0
    assert (here / "runs" / "photos" / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert run("predict runs/photos photos --out predicted.csv").code == 0
    assert set((here / "predicted.csv").read_bytes().split()[1:]) <= {b"caf\xe9", b"th\xe9"}


def test_altered_files_of_a_run_are_noted(run, here, trained):
    (here / "run" / "history.csv").write_text("")
    words = "run: history.csv changed after the run was saved. The model is intact."
    for line in ("evaluate run flowers.csv", "predict run flowers.csv", "summary run"):
        said = run(line)
        assert (said.code, said.err) == (0, f"note: {words}\n")


def test_missing_files_of_a_run_are_noted(run, here, trained):
    (here / "run" / "run.toml").unlink()
    assert run("summary run").err == "note: run: run.toml is missing. The model is intact.\n"


def test_an_unfinished_run_is_refused(run, here, trained):
    (here / "run" / "manifest.json").write_text("")
    for line in ("evaluate run flowers.csv", "predict run flowers.csv", "summary run"):
        said = run(line)
        assert (said.code, said.err) == (
            2,
            "chainrule: run is unfinished: its training is still running, or was killed. Go on with it: "
            "chainrule train --resume run\n",
        )


@pytest.mark.parametrize("out", ["flowers.csv", "run/history.csv", "link.csv"])
def test_what_is_read_is_not_written_over(run, here, trained, flowers, out):
    (here / "link.csv").symlink_to("flowers.csv")
    before = (here / out).read_bytes()
    said = run(f"predict run flowers.csv --out {out}")
    assert (said.code, said.err) == (
        2,
        f"chainrule: Can't write {out}: It is read, too. The old file is unchanged.\n",
    )
    assert (here / out).read_bytes() == before


@pytest.mark.parametrize(
    "line",
    ["predict run flowers.csv --out {}", "show ELU --png {}", "plot ELU --out {}", "plot Adam --on beale --out {}"],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(run, here, trained, monkeypatch, line):
    for work in (
        "chainrule.runs.raw.load",
        "chainrule.pictures.formula.picture",
        "chainrule.pictures.comparison.comparison",
    ):
        monkeypatch.setattr(work, None)
    monkeypatch.setattr("chainrule.pictures.race.race", None)
    name = "none/x.csv" if line.startswith("predict") else "none/x.png"
    said = run(line.format(name))
    assert (said.code, said.err) == (
        2,
        f"chainrule: Can't write {name}: No such file or directory. Nothing was written.\n",
    )


def test_every_file_of_a_run_is_known(run, flowers, here, pictures):
    for network in ('"Dense(2) >> Softmax()"', '"Dense(1)" --task regression --target width'):
        assert run(f"train flowers.csv --epochs 1 --network {network}").code == 0
    written = {path.name for path in here.glob("runs/*/*")}
    assert written == {*FILES, MANIFEST}
