"""What starting costs: whole processes."""

import subprocess
import sys

from benchmarks.training import Task


def imports() -> Task:
    """A process that imports the library and ends."""
    ours = ("import chainrule", "from chainrule import fit")
    statements = (*ours, "import jax", "import torch", "import sklearn.neural_network")
    commands = {statement: [sys.executable, "-c", statement] for statement in statements}
    work = {name: lambda command=command: subprocess.run(command, check=True) for name, command in commands.items()}
    return work, dict.fromkeys(work, 1)
