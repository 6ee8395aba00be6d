"""`chainrule export`: a trained model as a file of ONNX, which runs without Python, of PyTorch or of Keras."""

from typing import Annotated

import typer

from chainrule.errors import ChainruleError


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run's folder, or its model.safetensors.")],
    out: Annotated[str, typer.Argument(metavar="FILE", help="The file to write: .onnx, .keras, or weights.")],
    arrays: Annotated[
        bool, typer.Option("--arrays", help="Take arrays as the network takes them, and no raw rows.")
    ] = False,
) -> None:
    """Write a trained model to a file that ONNX Runtime and others run: raw rows in, labels or values out.

    Or to one that Keras loads, .keras; or its weights alone, .weights.h5 for Keras, .safetensors, .pt or .pth for
    PyTorch.

    Example: `chainrule export runs/digits digits.onnx`
    """
    from chainrule.cli import output
    from chainrule.data.files import check_output
    from chainrule.interchange import to_onnx, write, writer
    from chainrule.runs.folder import written
    from chainrule.runs.raw import load_whole

    check_output(out, written(model))
    writes = writer(out)
    trained = load_whole(model)
    if writes is not to_onnx:
        if arrays:
            raise ChainruleError("--arrays is for .onnx: other files take arrays always.")
        write(trained, out)
        prepared = "arrays" if trained.preprocessor is None else "prepared arrays"
        what = "A model" if out.lower().endswith(".keras") else "The weights of a model"
        output.say(f"{what} that takes {prepared} in ", (out, "bold"), ".")
        return
    to_onnx(trained, out, arrays)
    raw = None if arrays else trained.preprocessor
    if raw is not None and raw.schema.tokens:
        output.note("texts are taken apart by ONNX Runtime's own operator Tokenizer, which other runtimes lack.")
    if raw is not None and (dates := [name for name in raw.schema.dates if name in raw.schema.inputs]):
        output.note(f"{', '.join(dates)}: times are given as seconds since 1970, in UTC.")
    takes = "arrays" if raw is None else "raw rows"
    output.say("A model that takes ", takes, " in ", (out, "bold"), ".")
