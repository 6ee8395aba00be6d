import io
import shlex
import shutil
import signal
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from chainrule import Model, load
from chainrule.cli import main


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys):
    """Runs a command line in this process: its exit code, and what it said."""

    def command(line: str) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit:
            main(shlex.split(line))
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a command's process would end now
        return Said(exit.value.code, *capsys.readouterr())

    return command


@pytest.fixture
def pictures():
    """Asked for by a test whose commands shall draw; the others save the time."""


@pytest.fixture(autouse=True)
def no_pictures(request, monkeypatch):
    if "pictures" not in request.fixturenames:
        for name in ("curves", "confusion", "predictions"):
            monkeypatch.setattr(f"chainrule.pictures.results.{name}", lambda *_: b"a picture")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder, and the working one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def flowers(here) -> Path:
    """40 rows: two columns of numbers, one of text, and a class."""
    return _flowers(here)


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Path:
    """The folder of a run on the flowers, made once."""
    place = tmp_path_factory.mktemp("once")
    words = ["--network", "Dense(2) >> Softmax()", "--epochs", "3", "--seed", "1", "--out", str(place / "run")]
    with redirect_stdout(io.StringIO()), pytest.raises(SystemExit):
        main(["train", str(_flowers(place)), *words])
    return place / "run"


@pytest.fixture
def trained(once, flowers) -> Model:
    """The model in the folder `run`, trained on the flowers."""
    shutil.copytree(once, flowers.parent / "run")
    return load(once)


def _flowers(place: Path) -> Path:
    colours = ("red", '"blue, dark"')
    rows = [f"{n % 7},{n * n % 11},{colours[n % 2]},{('rose', 'iris')[n % 3 == 0]}\n" for n in range(40)]
    file = place / "flowers.csv"
    file.write_text("length,width,colour,kind\n" + "".join(rows))
    return file


@pytest.fixture
def prices(here) -> Path:
    """40 rows: two columns of numbers, and a value."""
    numbers = np.random.default_rng(0).uniform(1, 3, (40, 2)).round(3)
    file = here / "prices.csv"
    file.write_text("width,depth,price\n" + "".join(f"{a},{b},{100 * a * b:.2f}\n" for a, b in numbers))
    return file
