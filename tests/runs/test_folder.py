"""A run's folder: one run's own from the first moment, whole at the end, and never in another's place unasked."""

import errno
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chainrule.data.files import UNDER_WAY
from chainrule.errors import ChainruleError
from chainrule.runs.folder import MANIFEST, check, claim

UNFINISHED = '{"unfinished": "by process 1"}'


def made(wanted: Path, content: str = "1", **options) -> Path:
    """A finished run."""
    with claim(wanted, **options) as folder:
        folder.write("model.safetensors", content)
        folder.write("run.toml", "2")
        folder.finish()
    return folder.name


def refused(sentence: str, *arguments, **options) -> None:
    with pytest.raises(ChainruleError, match=f"^{re.escape(sentence)}$"):
        claim(*arguments, **options)


def tree(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*"))


def test_a_run_has_its_folder_from_the_first_moment(here):
    with claim(Path("runs/digits"), counted=True) as folder:
        assert folder.name == Path("runs/digits")
        assert "unfinished" in json.loads((here / "runs" / "digits" / MANIFEST).read_text())
        with claim(Path("runs/digits"), counted=True) as second:
            assert second.name == Path("runs/digits-2")
        refused(
            "runs/digits is being written by another training. Name another folder by out.",
            Path("runs/digits"),
            overwrite=True,
        )
        with pytest.raises(ChainruleError, match=r"^runs/digits is unfinished: its training is still running, or was"):
            check("runs/digits")
        folder.write("run.toml", "1")
        folder.finish()
    assert tree(here) == ["runs", "runs/digits", f"runs/digits/{MANIFEST}", "runs/digits/run.toml"]
    assert check("runs/digits") == ""


def test_a_folder_is_whole_or_is_not(here, monkeypatch):
    calls = []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with claim(here / "runs" / "a" / "b") as folder:
        folder.write("run.toml", "1")
        with pytest.raises(OSError, match="No space left"):
            folder.write("metrics.json", "2")
    assert tree(here) == []


def test_a_full_disk_is_noticed_when_the_folder_is_claimed(here, monkeypatch):
    (here / "runs").mkdir()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    refused("Can't write runs/a/b: No space left on device. Name another folder by out.", Path("runs/a/b"))
    assert tree(here) == ["runs"]


def test_a_folder_is_as_readable_as_others(here):
    (here / "other").mkdir()
    (here / "file").write_text("")
    folder = made(here / "made")
    assert folder.stat().st_mode == (here / "other").stat().st_mode
    for name in ("run.toml", MANIFEST):
        assert (folder / name).stat().st_mode == (here / "file").stat().st_mode


def test_an_empty_folder_may_be_used_and_stays_if_the_run_fails(here):
    (here / "mine").mkdir()
    claim(Path("mine")).release()
    assert tree(here) == ["mine"]
    assert made(Path("mine")) == Path("mine")


def test_the_working_folder(here, monkeypatch):
    (here / "inside").mkdir()
    refused(". is not empty, and holds no run. Name another folder by out.", Path("."))
    monkeypatch.chdir("inside")
    made(Path("."))
    assert tree(here / "inside") == [MANIFEST, "model.safetensors", "run.toml"]


def test_a_working_folder_that_is_gone(here, monkeypatch):
    (here / "gone").mkdir()
    monkeypatch.chdir("gone")
    (here / "gone").rmdir()
    refused("Can't write runs/a: No such file or directory. Name another folder by out.", Path("runs/a"))


def test_links_are_followed(here):
    (here / "link").symlink_to("there/deep")
    made(Path("link"))
    assert (here / "there" / "deep" / "run.toml").exists()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: path.write_text("a file"), "x is a file. Name another folder by out."),
        (lambda path: made(path), "x holds a run. Name another folder by out, or replace it: overwrite."),
        (
            lambda path: (path.mkdir(), (path / "a").write_text("")),
            "x is not empty, and holds no run. Name another folder by out.",
        ),
    ],
)
def test_a_folder_that_is_taken(here, make, sentence):
    make(here / "x")
    before = tree(here)
    refused(sentence, Path("x"))
    assert tree(here) == before
    assert made(Path("x"), counted=True) == Path("x-2")


# Replacing


def test_an_old_run_stays_until_the_new_one_is_finished(here):
    made(Path("x"), "old")
    with claim(Path("x"), overwrite=True) as folder:
        assert folder.name == Path("x")
        folder.write("model.safetensors", "new")
        assert (here / "x" / "model.safetensors").read_text() == "old"
        assert check("x") == ""
        folder.finish()
    assert (here / "x" / "model.safetensors").read_text() == "new"
    assert tree(here) == ["x", f"x/{MANIFEST}", "x/model.safetensors"]


def test_a_whole_run_gets_more_files_while_nobody_replaces_it(here):
    with claim(Path("x")) as folder:
        folder.write("model.safetensors", "1")
        folder.finish()
        refused("x is being written by another training. Name another folder by out.", Path("x"), overwrite=True)
        for name in ("curves.png", "metrics.json"):
            assert check("x") == ""
            folder.write(name, "2")
        assert check("x") == ""
    assert set(json.loads((here / "x" / MANIFEST).read_text())["files"]) == set(os.listdir("x")) - {MANIFEST}
    made(Path("x"), overwrite=True)


def test_an_old_run_stays_if_the_new_one_fails(here):
    made(Path("x"), "old")
    before = tree(here)
    claim(Path("x"), overwrite=True).release()
    assert tree(here) == before


def test_a_run_of_an_older_version_may_be_replaced(here):
    (made(Path("x")) / MANIFEST).unlink()
    made(Path("x"), "new", overwrite=True)
    assert (here / "x" / "model.safetensors").read_text() == "new"


def test_where_two_folders_cannot_change_names_at_once(here, monkeypatch):
    made(Path("x"), "old")
    monkeypatch.setattr("chainrule.runs.folder._swapped", lambda *_: False)
    made(Path("x"), "new", overwrite=True)
    assert (here / "x" / "model.safetensors").read_text() == "new"
    assert [path.name for path in here.iterdir()] == ["x"]


@pytest.mark.parametrize("swapped", [True, False])
def test_what_no_run_wrote_is_never_removed(here, monkeypatch, swapped):
    if not swapped:
        monkeypatch.setattr("chainrule.runs.folder._swapped", lambda *_: False)
    made(Path("x"), "old")
    with claim(Path("x"), overwrite=True) as folder:
        (here / "x" / "notes.txt").write_text("mine")  # comes while the new run is trained
        folder.write("model.safetensors", "new")
        folder.finish()
    assert tree(here) == ["x", "x-replaced", "x-replaced/notes.txt", f"x/{MANIFEST}", "x/model.safetensors"]
    (here / "x" / "notes.txt").write_text("mine")
    refused("x holds notes.txt, which no run wrote. Name another folder by out.", Path("x"), overwrite=True)
    (here / "y").mkdir()
    (here / "y" / "a").write_text("")
    refused("y is not empty, and holds no run. Name another folder by out.", Path("y"), overwrite=True)


# Many at once


WRITER = """
import sys
from pathlib import Path
from chainrule.runs.folder import claim
sys.stdin.readline()
for number in range(15):
    with claim(Path("runs/x"), counted=True) as folder:
        folder.write("run.toml", folder.name.name)
        folder.finish()
    print(folder.name, flush=True)
"""


@pytest.mark.slow
def test_runs_of_many_processes_that_begin_and_end_at_once(here):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for writer in writers:
        writer.stdin.write("\n")  # type: ignore[union-attr]
        writer.stdin.flush()  # type: ignore[union-attr]
    names = [name for writer in writers for name in writer.communicate()[0].split()]
    assert len(names) == len(set(names)) == 60
    assert {name: (here / name / "run.toml").read_text() for name in names} == {name: Path(name).name for name in names}
    assert {str(path.relative_to(here)) for path in (here / "runs").iterdir()} == set(names)


def test_runs_of_many_threads_that_fail_and_finish(here):
    def run(number: int) -> Path | None:
        with claim(Path("runs/x"), counted=True) as folder:
            folder.write("run.toml", str(number))
            if number % 3 == 0:
                return None
            folder.finish()
        return folder.name

    with ThreadPoolExecutor(60) as pool:
        names = [name for name in pool.map(run, range(180)) if name]
    assert len(names) == len(set(names)) == 120
    assert sorted((here / name / "run.toml").read_text() for name in names) == sorted(
        str(number) for number in range(180) if number % 3
    )
    assert {path.name for path in (here / "runs").iterdir() if any(path.iterdir())} == {name.name for name in names}


def test_the_same_run_replaced_by_many_at_once(here):
    """One after the other; who comes while another is at it is refused."""
    made(Path("x"), "old")

    def replaced(number: int) -> str:
        try:
            return str(made(Path("x"), str(number), overwrite=True))
        except ChainruleError as error:
            return str(error)

    with ThreadPoolExecutor(20) as pool:
        said = set(pool.map(replaced, range(60)))
    assert "x" in said <= {"x", "x is being written by another training. Name another folder by out."}
    assert check("x") == ""
    assert [path.name for path in here.iterdir()] == ["x"]


def test_a_run_is_replaced_by_one_at_a_time(here):
    made(Path("x"), "old")
    with claim(Path("x"), overwrite=True) as folder:
        refused("x is being written by another training. Name another folder by out.", Path("x"), overwrite=True)
        folder.write("model.safetensors", "new")
        folder.finish()
        refused("x is being written by another training. Name another folder by out.", Path("x"), overwrite=True)
    made(Path("x"), "newer", overwrite=True)


# Killed runs


KILLED = """
import os, signal, sys
from pathlib import Path
from chainrule.runs.folder import claim
with claim(Path("x"), overwrite=True) as folder:
    folder.write("model.safetensors", "partial")
    folder.write("predictions.png", "partial")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_the_folder_of_a_killed_run_is_taken_over(here):
    subprocess.run([sys.executable, "-c", KILLED])
    assert tree(here) == ["x", f"x/{MANIFEST}", "x/model.safetensors", "x/predictions.png"]
    with pytest.raises(ChainruleError, match=r"^x is unfinished"):
        check("x")
    made(Path("x"))
    assert tree(here) == ["x", f"x/{MANIFEST}", "x/model.safetensors", "x/run.toml"]


@pytest.mark.slow
def test_what_a_killed_run_left_beside_another_is_removed(here):
    made(Path("x"), "old")
    subprocess.run([sys.executable, "-c", KILLED])
    assert [path.match(UNDER_WAY) for path in here.iterdir() if path.name != "x"] == [True]
    assert (here / "x" / "model.safetensors").read_text() == "old"
    made(Path("y"))
    assert sorted(path.name for path in here.iterdir()) == ["x", "y"]


# The manifest


def test_altered_files_are_named(here):
    folder = made(here / "x")
    assert check(folder) == ""
    (folder / "notes.txt").write_text("mine")
    assert check(folder) == ""
    (folder / "run.toml").write_text("3")
    assert check(folder) == "run.toml changed after the run was saved"
    (folder / "run.toml").unlink()
    assert check(folder) == "run.toml is missing"
    (folder / "model.safetensors").write_text("another")
    with pytest.raises(ChainruleError, match=r"^.*/x/model.safetensors is not the model that this run wrote\. Use an"):
        check(folder)


@pytest.mark.parametrize("content", ["", UNFINISHED])
def test_an_unfinished_manifest(here, content):
    folder = made(here / "x")
    (folder / MANIFEST).write_text(content)
    with pytest.raises(ChainruleError, match="is unfinished"):
        check(folder)
    made(folder)
    assert check(folder) == ""


FOREIGN = ["{", "[]", "null", '{"files": 3}', '{"name": "app", "unfinished": 1}', '["files"]', "\udcff", "[" * 100_000]


@pytest.mark.parametrize("content", FOREIGN, ids=range(len(FOREIGN)))
@pytest.mark.parametrize("model", [True, False])
def test_a_manifest_of_something_else_is_nobody_elses_business(here, content, model):
    (here / "x").mkdir()
    (here / "x" / MANIFEST).write_text(content, errors="surrogateescape")
    if model:
        (here / "x" / "model.safetensors").write_text("mine")
    before = {path.name: path.read_bytes() for path in (here / "x").iterdir()}
    assert check("x") == ""
    why = "holds manifest.json, which no run wrote" if model else "is not empty, and holds no run"
    for options in ({}, {"overwrite": True}):
        refused(f"x {why}. Name another folder by out.", Path("x"), **options)
    assert made(Path("x"), counted=True) == Path("x-2")
    assert {path.name: path.read_bytes() for path in (here / "x").iterdir()} == before


@pytest.mark.parametrize("content", ["", UNFINISHED])
def test_a_folder_that_a_killed_run_shares_with_other_files_is_not_taken_over(here, content):
    (here / "x").mkdir()
    for name, text in {MANIFEST: content, "notes.txt": "mine", "run.toml": "mine"}.items():
        (here / "x" / name).write_text(text)
    before = {path.name: path.read_bytes() for path in (here / "x").iterdir()}
    for options in ({}, {"overwrite": True}):
        with pytest.raises(ChainruleError, match=r"^x .*Name another folder by out\.$"):
            claim(Path("x"), **options)
    assert {path.name: path.read_bytes() for path in (here / "x").iterdir()} == before


@pytest.mark.parametrize("path", ["none", "file", "folder", "a\0b", "x" * 300])
def test_what_is_no_run_is_not_checked(here, path):
    (here / "file").write_text("")
    (here / "folder").mkdir()
    assert check(path) == ""
