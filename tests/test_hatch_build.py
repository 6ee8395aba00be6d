"""What `pip install` and `python -m build` compile: sources small enough to be compiled here."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NATIVE = ROOT / "src/chainrule/kernels/native"
compiles = pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")


@pytest.fixture
def hook():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sources(tmp_path):
    """A folder with the real choice of a processor, and one more source; all written a while ago."""
    shutil.copy(NATIVE / "processor.cc", tmp_path)
    (tmp_path / "one.cc").write_text('extern "C" int chainrule_one() { return 1; }\n')
    for source in tmp_path.iterdir():
        os.utime(source, (1e9, 1e9))
    return tmp_path


def libraries(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.native")}


@compiles
def test_pip_compiles_for_this_machine_alone(hook, sources, monkeypatch):
    monkeypatch.delenv("CHAINRULE_PROCESSORS", raising=False)
    monkeypatch.setenv("PIP_BUILD_TRACKER", "/somewhere")
    hook.build(sources)
    kind = hook._this_machines(sources / "processor.native")
    assert libraries(sources).keys() == {"processor.native", f"kernels-{kind}.native"}
    assert not list(sources.glob("*.partial"))


@compiles
def test_a_wheel_that_travels_has_every_kind(hook, sources, monkeypatch):
    monkeypatch.delenv("CHAINRULE_PROCESSORS", raising=False)
    monkeypatch.delenv("PIP_BUILD_TRACKER", raising=False)
    hook.build(sources)
    assert libraries(sources).keys() == {"processor.native", *(f"kernels-{kind}.native" for kind in hook.KINDS)}


@pytest.mark.parametrize(("chosen", "travels"), [("all", True), ("this", False)])
def test_what_is_said_counts(hook, monkeypatch, chosen, travels):
    monkeypatch.setenv("CHAINRULE_PROCESSORS", chosen)
    for pip in ("", "/somewhere"):
        monkeypatch.setenv("PIP_BUILD_TRACKER", pip)
        assert hook._travels() is travels


@compiles
def test_what_is_up_to_date_stays_and_what_is_old_goes(hook, sources, monkeypatch):
    monkeypatch.setenv("CHAINRULE_PROCESSORS", "this")
    old = sources / "kernels-other.native"
    old.write_bytes(b"")
    os.utime(old, (1e9 - 1, 1e9 - 1))
    hook.build(sources)
    first = libraries(sources)
    assert old.name not in first
    hook.build(sources)
    assert libraries(sources) == first
    (sources / "one.cc").touch()
    hook.build(sources)
    assert all(libraries(sources)[name] > time for name, time in first.items())


@compiles
def test_what_does_not_compile_says_why_and_leaves_nothing_half(hook, sources):
    (sources / "one.cc").write_text("int f() { return nothing; }\n")
    with pytest.raises(subprocess.CalledProcessError) as error:
        hook.build(sources)
    assert "nothing" in error.value.stderr
    assert libraries(sources).keys() <= {"processor.native"}
    assert not list(sources.glob("*.partial"))
