"""`chainrule summary`: a network's layers, shapes and parameters."""

import os
import re
from typing import Annotated

import typer

from chainrule.errors import ChainruleError


def summary(
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="A network in notation, a run's folder, or a model file.")
    ],
    shape: Annotated[
        str | None, typer.Option("--input", metavar="SHAPE", help="One example's shape, such as 64 or 8,8,1.")
    ] = None,
) -> None:
    """Show a network layer by layer.

    Example: `chainrule summary "Dense(64) >> ReLU() >> Dense(10) >> Softmax()" --input 784`
    """
    from chainrule.cli import output
    from chainrule.cli.choices import formula
    from chainrule.formula.layer import Layer
    from chainrule.model.summary import summary as rows_of
    from chainrule.notation import as_chain
    from chainrule.runs.raw import load_whole

    if shape is None and ("(" not in network or os.path.exists(network)):
        model = load_whole(network)
        inputs = " × ".join(map(str, model.input_shape))
        terms = [model.cost, model.regularizer, model.training.get("optimizer")]
        output.say(f"{inputs} inputs, {', '.join(str(term) for term in terms if term)}")
        output.layers(model.summary())
        return
    if shape is None:
        raise ChainruleError("A network in notation needs the shape of its input: --input 64 or --input 8,8,1.")
    output.layers(rows_of(as_chain(formula("network", network, Layer)), shape_of("--input", shape)))


def shape_of(option: str, text: str) -> tuple[int, ...]:
    """One example's shape."""
    axes = [axis.strip() for axis in text.strip("()").replace("x", ",").rstrip(",").split(",")]
    if not all(re.fullmatch("[1-9][0-9]{0,8}", axis) for axis in axes):
        raise ChainruleError(f"{option} must be whole numbers such as 64 or 8,8,1, got {text}.")
    return tuple(map(int, axes))
