"""Standard output may be closed, full, or a pipe that nobody reads: what was trained is kept, what is lost is said."""

import io
import os
import subprocess
import sys

import pytest

from chainrule import load
from chainrule.cli.streams import Forgiving, standard_streams
from chainrule.runs.folder import check

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the shell of these tests is that of Unix")
MAIN = f'"{sys.executable}" -c "from chainrule.cli import main; main()"'
TRAIN = f'{MAIN} train flowers.csv --network "Dense(2) >> Softmax()" --epochs 20'
KEPT = "note: All of it is in runs/flowers.\n"
FULL = "chainrule: Can't write to standard output: No space left on device.\n"
CLOSED = "chainrule: Can't write to standard output: Bad file descriptor.\n"


def shell(line: str) -> subprocess.CompletedProcess:
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=100)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "code", "out", "err"),
    [
        ("| head -1; exit ${PIPESTATUS[0]}", 0, 1, KEPT),
        ("> /dev/full", 2, 0, KEPT + FULL),
        ("<&- >&- 2>&-", 2, 0, ""),
    ],
)
def test_a_training_is_kept_whatever_becomes_of_its_output(here, flowers, where, code, out, err):
    done = shell(f"{TRAIN} {where}")
    assert (done.returncode, len(done.stdout.splitlines()), done.stderr) == (code, out, err)
    assert check(here / "runs" / "flowers") == ""
    assert len(load(here / "runs" / "flowers").history) == 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "code", "err"),
    [
        ("| head -1; exit ${PIPESTATUS[0]}", 0, ""),
        (">&-", 2, CLOSED),
    ],
)
def test_what_another_command_says_is_not_lost_silently(here, trained, where, code, err):
    done = shell(f"{MAIN} predict run flowers.csv {where}")
    assert (done.returncode, done.stderr) == (code, err)


@pytest.mark.parametrize(("encoding", "written"), [("utf-8", "é ".encode()), ("ascii", b"? ")])
def test_bytes_of_a_name_are_said_as_they_are(monkeypatch, encoding, written):
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding))
    with standard_streams():
        print("é", os.fsdecode(b"caf\xe9.csv"))
    assert out.getvalue() == written + b"caf\xe9.csv\n"


class Broken(io.StringIO):
    """A stream whose writes fail after a while, as that of a pipe that is closed."""

    def __init__(self, after: int):
        super().__init__()
        self.after, self.tried = after, 0

    def write(self, text: str) -> int:
        self.tried += 1
        if self.tried > self.after:
            raise BrokenPipeError(32, "Broken pipe")
        return super().write(text)

    def fileno(self) -> int:
        return os.open(os.devnull, os.O_RDONLY)


def test_the_first_failure_is_remembered_and_nothing_is_written_after_it():
    stream = Forgiving(broken := Broken(2))
    for word in ("a", "b", "c", "d"):
        assert stream.write(word) == 1
        stream.flush()
    assert broken.getvalue() == "ab"
    assert isinstance(stream.failure, BrokenPipeError)
    assert broken.tried == 3
    assert stream.isatty() is False  # whatever else is asked is the stream's own answer


def test_standard_streams_come_back(capsys):
    before = sys.stdout, sys.stderr
    with standard_streams() as failure:
        assert (sys.stdout, sys.stderr) != before
        print("é")
        assert failure() is None
    assert (sys.stdout, sys.stderr) == before
