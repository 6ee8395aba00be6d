"""For all tests: Ctrl-C is Python's own, also where the shell that began them in the background ignores it; Hypothesis
sets no deadlines, since the first example of a test may compile, and the machine be busy; and no file waits for the
disk, since none has to outlive the machine."""

import gc
import mmap
import os
import signal
import zlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import jaxlib
import numpy as np
import pytest
from hypothesis import settings

signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("chainrule", deadline=None)
settings.load_profile("chainrule")
os.fsync = lambda _: None

FAST = {
    "xla_backend_optimization_level": "0",
    "xla_cpu_use_fusion_emitters": "false",
    "xla_cpu_parallel_codegen_split_count": "1",
}
"""What has XLA compile in a fifth of the time."""


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="compile fast, as where no folder is named")


def pytest_configure(config):
    """All tests together compile their programs fast, which took most of their time; those of a folder as users do."""
    quick = config.getoption("quick") or not config.getoption("file_or_dir")
    if quick and "XLA_FLAGS" not in os.environ:
        os.environ["XLA_FLAGS"] = " ".join(f"--{flag}={FAST[flag]}" for flag in FAST if _xla_has(flag))


def _xla_has(flag: str) -> bool:
    """Whether this version of XLA has a flag: it ends the process at one that it has not."""
    [library] = Path(jaxlib.__file__).parent.glob("*jax_common*")
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return text.find(flag.encode()) >= 0


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is collected stays to the end: no search for garbage among it, neither now nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Makes slow what `by_turns` leaves to the slow tests: of each test others; one that is asked for alone runs."""
    tests = defaultdict(list)
    for item in items:
        for turns in item.iter_markers("by_turns"):
            tests[item.nodeid.split("[")[0], turns.args[0]].append(item)
    for (name, n), its in tests.items():
        first = zlib.crc32(name.encode()) % min(n, len(its))
        for place, item in enumerate(its):
            if (place - first) % n:
                item.add_marker(pytest.mark.slow)


@pytest.fixture
def pictures():
    """Asked for by a test whose runs shall draw; the others save the time."""


@pytest.fixture
def no_pictures(request, monkeypatch):
    """No picture is drawn, unless a test asks for `pictures`."""
    if "pictures" not in request.fixturenames:
        for name in ("results.curves", "results.confusion", "results.predictions", "trials.learning", "trials.dots"):
            monkeypatch.setattr(f"chainrule.pictures.{name}", lambda *_: b"a picture")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder, and the working one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def flowers(here, flowers_in) -> Path:
    """40 rows: two columns of numbers, one of text, and a class."""
    return flowers_in(here)


@pytest.fixture(scope="session")
def flowers_in() -> Callable[[Path], Path]:
    """Writes the flowers into a folder."""
    return _flowers


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
