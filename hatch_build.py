"""Builds the native kernels into the package; without a C++ compiler the package is installed without them.

`pip install` compiles for the processor of this machine; a wheel that travels (`python -m build`, cibuildwheel) has the
kernels of every kind. The environment variable CHAINRULE_PROCESSORS, "this" or "all", says it otherwise.
"""

import ctypes
import os
import platform
import shutil
import subprocess
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KINDS = {"baseline": []}
if platform.machine().lower() in {"x86_64", "amd64"}:
    KINDS |= {"avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx512f", "-mfma"]}
FLAGS = ["-std=c++17", "-O3", "-fno-math-errno", "-fPIC", "-pthread", "-w"]


class NativeKernels(BuildHookInterface):
    """Compiles a library for each kind of processor that is wanted; the package chooses when it runs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is put together; the wheel is then this platform's, of any Python 3."""
        if self.target_name != "wheel":
            return
        folder = Path(self.root, "src/chainrule/kernels/native")
        try:
            build(folder)
        except (OSError, ImportError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            self.app.display_warning(f"Native kernels are not built; the slower JAX forms will serve. {reason}")
            for library in folder.glob("*.native"):
                library.unlink()
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def build(folder: Path) -> None:
    """Compile the libraries that are missing or older than a source."""
    import jax.ffi

    newest = max(source.stat().st_mtime for source in folder.glob("*.[ch]*"))
    for library in folder.glob("*.native"):
        if library.stat().st_mtime <= newest:
            library.unlink()
    # the longest first, so that no thread waits for it at the end
    sources = sorted(folder.glob("*.cc"), key=lambda source: -source.stat().st_size)
    chooser = _library(folder / "processor.native", [folder / "processor.cc"], [])
    for kind in KINDS if _travels() else [_this_machines(chooser)]:
        flags = [*KINDS[kind], "-isystem", jax.ffi.include_dir()]
        _library(folder / f"kernels-{kind}.native", sources, flags)


def _travels() -> bool:
    """Whether the wheel may reach other machines: pip alone installs what it builds at once."""
    chosen = os.environ.get("CHAINRULE_PROCESSORS")
    return chosen == "all" if chosen else "PIP_BUILD_TRACKER" not in os.environ


def _this_machines(chooser: Path) -> str:
    """The kind of processor that this machine has."""
    ask = ctypes.CDLL(str(chooser)).chainrule_processor
    ask.restype = ctypes.c_char_p
    return ask().decode()


def _library(path: Path, sources: list[Path], flags: list[str]) -> Path:
    """A library of some sources, compiled side by side; one that is there is up to date."""
    if path.exists():
        return path
    partial = path.with_suffix(".partial")
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = [Path(place, f"{source.stem}.o") for source in sources]
        compiled = [["-c", *flags, str(source), "-o", str(to)] for source, to in zip(sources, objects, strict=True)]
        list(pool.map(_compiler, compiled))
        _compiler(["-shared", *map(str, objects), "-o", str(partial)])
    partial.replace(path)
    return path


def _compiler(arguments: list[str]) -> None:
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++") or "c++"
    subprocess.run([*compiler.split(), *FLAGS, *arguments], check=True, capture_output=True, text=True)
