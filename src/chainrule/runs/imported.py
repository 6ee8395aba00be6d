"""What another library trained, as a run: a model that takes raw rows, in a folder of its own."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from chainrule.arrays.masked import Shape
from chainrule.data.columns import Category, Number
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.schema import Schema
from chainrule.errors import ArgumentError
from chainrule.model import Model
from chainrule.model.file import FILE, to_bytes
from chainrule.runs import card
from chainrule.runs.folder import claim

IMAGES = "image"  # the column that a folder of images has
ARRAYS = "x"  # and a file of arrays


def taking_rows(
    model: Model,
    columns: Sequence[str] | None = None,
    target: str = "target",
    mean: Sequence[float] = (0.0,),
    scale: Sequence[float] = (1.0,),
) -> Model:
    """A model that takes raw rows, whose numbers it standardises as the other library did, and answers by name.

    One that takes tokens, or answers for each step, stays as it is.

    Args:
        model: it takes arrays.
        columns: the columns that it takes: one for each feature, by default x1, x2, …; or one of arrays, by default
            "image" for images, and "x" for others.
        target: what it predicts; several values are target1, target2, ….
        mean, scale: what each number is less, and then divided by: one for all, or one for each feature or channel.

    >>> from chainrule.interchange import from_torch
    >>> model = from_torch({"weight": [[1.0, 2.0]], "bias": [0.5]}, "Dense(1)", (2,))
    >>> taking_rows(model, ["a", "b"], mean=[1.0]).predict({"b": [2.0], "a": [1.0]}).tolist()
    [2.5]
    """
    shape, reached = model.input_shape, model.network.output_shape(model.input_shape)
    if model.network.tokens or len(reached) != 1:
        return model
    [outputs] = reached
    inputs = _inputs(shape, columns, mean, scale)
    if model.classes is None:
        names = (target,) if outputs == 1 else tuple(f"{target}{place + 1}" for place in range(outputs))
        predicted: tuple[Number | Category, ...] = tuple(Number(name, (1,), (0.0,), (1.0,), (0.0,)) for name in names)
        schema = Schema(names, "regression", tuple(column.name for column in inputs))
    else:
        names = tuple(map(str, model.classes))
        predicted = (Category(target, names, names[0]),)
        schema = Schema((target,), "classification", tuple(column.name for column in inputs), text=(target,))
    preprocessor = Preprocessor(schema, inputs, predicted)
    return replace(model, preprocessor=preprocessor, classes=preprocessor.classes or None)


def save_imported(model: Model, out: str | None, file: str, overwrite: bool = False) -> Path:
    """Write a model as a run of its own; its folder, by default runs/ and the name of the file that it is from.

    Where `overwrite` is said, it may replace a run that is there.

    Raises:
        ChainruleError: where it can't be written, or is taken.
    """
    wanted = Path(out) if out is not None else Path("runs", Path(file).name.partition(".")[0] or "imported")
    content = to_bytes(model)
    with claim(wanted, counted=out is None and not overwrite, overwrite=overwrite) as folder:
        folder.write(FILE, content)
        folder.write(card.CONFIG, card.config(model))
        folder.write(card.CARD, card.imported(model, file))
        folder.finish()
        folder.complete()
        return folder.name


def _inputs(
    shape: Shape, columns: Sequence[str] | None, mean: Sequence[float], scale: Sequence[float]
) -> tuple[Number, ...]:
    """The columns that examples of this shape are made of."""
    features = shape[-1]
    means, scales = _each("mean", mean, features), _each("scale", scale, features)
    if len(shape) > 1:
        names = columns or (IMAGES if len(shape) == 3 else ARRAYS,)
        if len(names) != 1:
            raise ArgumentError("{columns} must name one column, of arrays of shape {}, got {}.", shape, len(names))
        return (Number(names[0], shape, means, scales, (0.0,) * features),)
    names = columns or tuple(f"{ARRAYS}{place + 1}" for place in range(features))
    if len(names) != features:
        raise ArgumentError("{columns} must name {} columns, one for each feature, got {}.", features, len(names))
    return tuple(Number(name, (1,), (m,), (s,), (0.0,)) for name, m, s in zip(names, means, scales, strict=True))


def _each(name: str, values: Sequence[float], features: int) -> tuple[float, ...]:
    if (
        len(values) not in (1, features)
        or not all(map(math.isfinite, values))
        or (name == "scale" and min(values) <= 0)
    ):
        above = ", above 0" if name == "scale" else ""
        raise ArgumentError(f"{{{name}}} must be one number or {{}}{above}, got {{}}.", features, [*values])
    return tuple(map(float, values)) * (features // len(values))
