"""`chainrule playground`: a page on which networks learn."""

from typing import Annotated

import typer


def playground(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The port of the page; by default 8765, or another one if that is taken."),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Open a local page on which networks of formulas learn, on points or on your own data.

    Example: `chainrule playground`

    Example: `chainrule playground --port 8080 --no-browser`
    """
    from chainrule.cli import output
    from chainrule.playground.serving import serve

    def say(address: str) -> None:
        output.say(f"The playground is at {address}")
        output.say("Ctrl-C ends it.")

    serve(port, browser, say)
