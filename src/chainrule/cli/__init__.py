"""The command `chainrule`: one small file a command; what they import, they import when they run."""

import sys

import click
import typer

from chainrule.cli.evaluate import evaluate
from chainrule.cli.formulas import list_formulas
from chainrule.cli.predict import predict
from chainrule.cli.summary import summary
from chainrule.cli.train import train
from chainrule.errors import ChainruleError

app = typer.Typer(
    name="chainrule",
    help="Neural networks as compositions of formulas: pick them as the literature writes them, and train.",
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
):
    app.command(name)(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. What is wrong is said in one line, without a traceback, and the exit code is 2."""
    try:
        code = app(arguments, standalone_mode=False)
    except ChainruleError as error:
        code = _say(str(error))
    except click.ClickException as error:
        code = _say(f"{error.format_message()} See: chainrule --help." if error.format_message() else "")
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # the reader of our output has gone
        code = 0
    sys.exit(code or 0)


def _say(message: str) -> int:
    print(f"chainrule: {message}", file=sys.stderr)
    return 2
