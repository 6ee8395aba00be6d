"""The command `chainrule`: one small file a command; what they import, they import when they run.

This file and the two that it imports stay light, since Ctrl-C is Python's own until `main` has begun.
"""

from chainrule.cli.interrupt import CTRL_C
from chainrule.cli.streams import standard_streams


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. What is wrong is said in one line, without a traceback, and the exit code is 2."""
    with CTRL_C, standard_streams() as failure:
        from chainrule.cli.commands import run, say_failure

        code = run(arguments)
        code = say_failure(failure()) or code
    raise SystemExit(code)
