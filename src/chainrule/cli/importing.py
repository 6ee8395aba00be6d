"""`chainrule import`: what PyTorch, Keras or others trained, as a model that every other command takes."""

import re
from typing import Annotated

import typer

from chainrule.errors import ChainruleError


def import_model(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Weights, .safetensors, .pt, .weights.h5; or a model, .keras, .onnx."),
    ],
    network: Annotated[
        str | None, typer.Option(metavar="FORMULA", help="The network, where the file holds weights alone.")
    ] = None,
    input_shape: Annotated[
        str | None,
        typer.Option("--input-shape", metavar="SHAPE", help="One example's shape, channels last: 64 or 224,224,3."),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="The file's modules in the network's order: conv1,bn1,layer1."),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(metavar="NAMES", help="The classes in the order of the outputs: cat,dog.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="NAMES", help="The columns of raw rows, one for each feature [x1,x2,…].")
    ] = None,
    target: Annotated[str, typer.Option(metavar="COLUMN", help="What it predicts.")] = "target",
    mean: Annotated[
        str, typer.Option(metavar="NUMBERS", help="What raw numbers are less: one, or one for each feature or channel.")
    ] = "0",
    scale: Annotated[str, typer.Option(metavar="NUMBERS", help="What they are divided by then.")] = "1",
    out: Annotated[str | None, typer.Option(metavar="FOLDER", help="The folder to write [runs/NAME].")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that is in the folder.")] = False,
) -> None:
    """Take in what PyTorch, Keras or others trained: weights, or whole models. Nothing in the file is ever run.

    Example: `chainrule import torch.pt --network "Dense(64) >> ReLU() >> Dense(10) >> Softmax()" --input-shape 784`
    """
    from chainrule.cli import output
    from chainrule.cli.choices import formula
    from chainrule.cli.summary import shape_of
    from chainrule.formula.layer import Layer
    from chainrule.interchange import read
    from chainrule.runs.imported import save_imported, taking_rows

    layer = formula("--network", network, Layer)
    shape = None if input_shape is None else shape_of("--input-shape", input_shape)
    model = read(file, layer, shape, names=_names(names), classes=_names(classes))
    model = taking_rows(model, _names(columns), target, _numbers("--mean", mean), _numbers("--scale", scale))
    folder = save_imported(model, out, file, overwrite)
    output.layers(model.summary())
    output.say(f"The model of {file} is in ", (str(folder), "bold"), ".")


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(each) for each in re.split(r"\s*,\s*", text.strip())]
    except ValueError:
        raise ChainruleError(f"{option} must be numbers such as 0.5 or 124,116,104, got {text}.") from None
