"""The command `chainrule`: one small file a command; what they import, they import when they run."""

import io
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from chainrule.cli.command import Command
from chainrule.cli.evaluate import evaluate
from chainrule.cli.formulas import list_formulas
from chainrule.cli.info import info
from chainrule.cli.plot import plot
from chainrule.cli.predict import predict
from chainrule.cli.remedy import mended
from chainrule.cli.show import show
from chainrule.cli.summary import summary
from chainrule.cli.train import INTERRUPTED, train
from chainrule.cli.verify import verify
from chainrule.errors import ChainruleError, one_line, printable

UsageError: Any = typer.BadParameter.__bases__[0]  # Click's, or that of Typers which carry their own Click


class Commands(TyperGroup):
    """The commands; a misspelt one gets the nearest."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name."""
        if found := super().get_command(ctx, cmd_name):
            return found
        from chainrule.notation import nearest

        known = self.list_commands(ctx)
        raise ChainruleError(f"There is no command {cmd_name}.{nearest(cmd_name, known)} They are {', '.join(known)}.")


app = typer.Typer(
    name="chainrule",
    cls=Commands,
    help="Neural networks as compositions of formulas: pick them as the literature writes them, and train.\n\n"
    "Example: `chainrule train digits`",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command, name in (
    (train, "train"),
    (evaluate, "evaluate"),
    (predict, "predict"),
    (summary, "summary"),
    (list_formulas, "list"),
    (verify, "verify"),
    (show, "show"),
    (plot, "plot"),
    (info, "info"),
):
    app.command(name, cls=Command)(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. What is wrong is said in one line, without a traceback, and the exit code is 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # letters that a terminal does not know
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(arguments or ["--help"], prog_name="chainrule", standalone_mode=False)
    except ChainruleError as error:
        code = _say(mended(error, arguments))
    except UsageError as error:
        code = _say(_in_words(error))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    sys.exit(code or 0)


def _say(message: str) -> int:
    print(f"chainrule: {printable(message)}", file=sys.stderr)
    return 2


def _in_words(error: Any) -> str:
    """What is wrong with the words of a command, and where they are explained."""
    message, command = error.format_message(), "chainrule"
    if error.ctx is not None:
        command = error.ctx.command_path
        if option := getattr(error, "option_name", None) if "No such" in message else None:
            from chainrule.notation import nearest

            known = [name for parameter in error.ctx.command.params for name in parameter.opts if "--" in name]
            message = f"There is no option {option}.{nearest(option, known)}"
    return one_line(f"{message}{'' if message[-1] in '.?' else '.'} See: {command} --help.")
