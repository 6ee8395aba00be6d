import io
import shlex
import shutil
import signal
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple

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


@pytest.fixture(scope="session")
def once(tmp_path_factory, flowers_in) -> Path:
    """The folder of a run on the flowers, made once."""
    place = tmp_path_factory.mktemp("once")
    words = ["--network", "Dense(2) >> Softmax()", "--epochs", "3", "--seed", "1", "--out", str(place / "run")]
    with redirect_stdout(io.StringIO()), pytest.raises(SystemExit):
        main(["train", str(flowers_in(place)), *words])
    return place / "run"


@pytest.fixture(autouse=True)
def quick(no_pictures):
    """Without pictures."""


@pytest.fixture
def trained(once, flowers) -> Model:
    """The model in the folder `run`, trained on the flowers."""
    shutil.copytree(once, flowers.parent / "run")
    return load(once)
