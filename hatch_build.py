"""Builds the native kernels into the package; without a C++ compiler the package is installed without them."""

import os
import platform
import shutil
import subprocess
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KINDS = {"baseline": []}
if platform.machine().lower() in {"x86_64", "amd64"}:
    KINDS |= {"avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx512f", "-mfma"]}


class NativeKernels(BuildHookInterface):
    """Compiles a library for each kind of processor; the package chooses when it runs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is put together; the wheel is then this platform's, of any Python 3."""
        if self.target_name != "wheel":
            return
        folder = Path(self.root, "src/chainrule/kernels/native")
        try:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(lambda kind: _compile(folder, kind), KINDS))
        except (OSError, ImportError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            self.app.display_warning(f"Native kernels are not built; the slower JAX forms will serve. {reason}")
            for library in folder.glob("*.native"):
                library.unlink()
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def _compile(folder: Path, kind: str) -> None:
    import jax.ffi

    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++") or "c++"
    sources = sorted(folder.glob("*.cc"))
    # not .so: Python would take it for a module
    library, partial = folder / f"kernels-{kind}.native", folder / f"kernels-{kind}.partial"
    if library.exists() and library.stat().st_mtime > max(source.stat().st_mtime for source in folder.glob("*.[ch]*")):
        return
    flags = ["-std=c++17", "-O3", "-fno-math-errno", "-fPIC", "-shared", "-pthread", "-w", *KINDS[kind]]
    command = [*compiler.split(), *flags, "-isystem", jax.ffi.include_dir(), *map(str, sources), "-o", str(partial)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    partial.replace(library)
