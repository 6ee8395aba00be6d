"""In and out: what is trained here as other libraries have it, and what was trained there as networks of ours."""

import os

from chainrule.model import Model

__all__ = ["to_onnx"]


def to_onnx(model: Model, path: str | os.PathLike, arrays: bool = False, masked: bool = False) -> None:
    """Write a model to an ONNX file, whole or not at all, in operators of opset 20.

    Without a preprocessor the input is "x", the output "y", of any number of rows; and of steps, where the network
    takes sequences of any length.

    Args:
        model: the model.
        path: the file, whose name ends in .onnx.
        arrays: whether inputs are arrays as the network takes them, rather than raw rows.
        masked: whether there is an input "mask" (rows, steps) too, False where a step of a sequence is padding. A
            network with outputs for each step then has a mask of these, "steps".

    Raises:
        ChainruleError: without the onnx package; for a layer that has no ONNX form; for a mask where the network mixes
            the steps of sequences; for 2 GB of parameters and more; or where the file can't be written.

    >>> from chainrule import fit
    >>> model = fit("Dense(2)", [[1.0], [2.0]], [[1.0, 0.0], [2.0, 0.0]], batch_size=2, epochs=1, progress=False)
    >>> to_onnx(model, "nowhere/model.onnx")
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: Can't write nowhere/model.onnx: No such file or directory. Nothing was written.
    """
    from chainrule.interchange.onnx import writing

    writing.to_onnx(model, path, arrays, masked)
