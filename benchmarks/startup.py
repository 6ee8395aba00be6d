"""What starting costs: whole processes."""

import subprocess
import sys

from benchmarks.training import Task


def imports() -> Task:
    """A process that imports the library and ends."""
    names = ("chainrule", "jax", "torch", "sklearn.neural_network")
    commands = {f"import {name}": [sys.executable, "-c", f"import {name}"] for name in names}
    work = {name: lambda command=command: subprocess.run(command, check=True) for name, command in commands.items()}
    return work, dict.fromkeys(work, 1)
