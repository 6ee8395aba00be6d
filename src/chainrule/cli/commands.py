"""The commands, and how what is wrong is said."""

import errno
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from chainrule.cli.base import Command
from chainrule.cli.compare import compare
from chainrule.cli.evaluate import evaluate
from chainrule.cli.export import export
from chainrule.cli.importing import import_model
from chainrule.cli.info import info
from chainrule.cli.interrupt import INTERRUPTED
from chainrule.cli.listing import list_formulas
from chainrule.cli.playground import playground
from chainrule.cli.plot import plot
from chainrule.cli.predict import predict
from chainrule.cli.remedy import mended
from chainrule.cli.show import show
from chainrule.cli.summary import summary
from chainrule.cli.train import train
from chainrule.cli.verify import verify
from chainrule.errors import ChainruleError, one_line, printable

UsageError: Any = typer.BadParameter.__bases__[0]  # Click's, or that of Typers which carry their own Click


class Commands(TyperGroup):
    """The commands; a misspelt one gets the nearest."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name."""
        if found := super().get_command(ctx, cmd_name):
            return found
        from chainrule.errors import nearest

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


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"chainrule {version('chainrule')}")
        raise typer.Exit


@app.callback()
def chainrule(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What goes before a command."""


for command, name in (
    (train, "train"),
    (compare, "compare"),
    (evaluate, "evaluate"),
    (predict, "predict"),
    (export, "export"),
    (import_model, "import"),
    (summary, "summary"),
    (list_formulas, "list"),
    (verify, "verify"),
    (show, "show"),
    (plot, "plot"),
    (playground, "playground"),
    (info, "info"),
):
    app.command(name, cls=Command)(command)


def run(arguments: list[str] | None = None) -> int:
    """Run a command line; its exit code. What is wrong is said in one line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return app(arguments or ["--help"], prog_name="chainrule", standalone_mode=False) or 0
    except ChainruleError as error:
        return _say(mended(error, arguments))
    except UsageError as error:
        return _say(_in_words(error))
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED


def say_failure(failure: OSError | None) -> int:
    """Say that standard output could not be written, and give the exit code of it; whoever closed a pipe knows."""
    if failure is None or failure.errno == errno.EPIPE:
        return 0
    return _say(f"Can't write to standard output: {failure.strerror or failure}.")


def _say(message: str) -> int:
    print(f"chainrule: {printable(message)}", file=sys.stderr)
    return 2


def _in_words(error: Any) -> str:
    """What is wrong with the words of a command, and where they are explained."""
    message, command = error.format_message(), "chainrule"
    if error.ctx is not None:
        command = error.ctx.command_path
        if option := getattr(error, "option_name", None) if "No such" in message else None:
            from chainrule.errors import nearest

            known = [name for parameter in error.ctx.command.params for name in parameter.opts if "--" in name]
            message = f"There is no option {option}.{nearest(option, known)}"
    return one_line(f"{message}{'' if message[-1] in '.?' else '.'} See: {command} --help.")
