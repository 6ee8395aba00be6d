"""`chainrule summary`: a network's layers, shapes and parameters."""

from pathlib import Path
from typing import Annotated

import typer

from chainrule.errors import ChainruleError


def summary(
    network: Annotated[str, typer.Argument(help="A network in notation, a run's folder, or a model file.")],
    shape: Annotated[str | None, typer.Option("--input", help="One example's shape, such as 64 or 8,8,1.")] = None,
) -> None:
    """Show a network layer by layer.

    Example: `chainrule summary "Dense(64) >> ReLU() >> Dense(10) >> Softmax()" --input 784`
    """
    from chainrule.cli import output
    from chainrule.model import as_chain
    from chainrule.model import summary as rows_of
    from chainrule.storage import load

    if Path(network).exists():
        model = load(network)
        output.out.print(f"{model.cost!r}, {model.training.get('optimizer', '')}", markup=False)
        output.layers(model.summary())
        return
    if shape is None:
        raise ChainruleError(
            "summary: a network in notation needs the shape of its input: --input 64 or --input 8,8,1."
        )
    output.layers(rows_of(as_chain(network), _shape(shape)))


def _shape(text: str) -> tuple[int, ...]:
    axes = text.strip("()").replace("x", ",").split(",")
    if not all(axis.strip().isdecimal() and int(axis) > 0 for axis in axes if axis.strip()):
        raise ChainruleError(f"--input must be whole numbers such as 64 or 8,8,1, got {text}.")
    return tuple(int(axis) for axis in axes if axis.strip())
