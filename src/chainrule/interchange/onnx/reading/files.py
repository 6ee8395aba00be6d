"""ONNX files of other libraries, opened with care."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from chainrule.costs import Cost
from chainrule.data.files import known_path
from chainrule.errors import ChainruleError
from chainrule.interchange.onnx.reading.graph import read
from chainrule.interchange.weights.exchange import model_of
from chainrule.model import Model, load
from chainrule.model.embedded import DESCRIPTION, opened
from chainrule.regularizers import Regularizer


def from_onnx(
    path: str | os.PathLike,
    input_shape: Iterable[int] | None = None,
    *,
    cost: Cost | str | None = None,
    regularizer: Regularizer | str | None = None,
    classes: Sequence[Any] | None = None,
) -> Model:
    """As `interchange.from_onnx` says."""
    file = known_path(path)
    proto = opened(file)
    if any(entry.key == DESCRIPTION for entry in proto.metadata_props):
        return load(file)
    if not proto.graph.node:
        raise ChainruleError(f"{file} is no ONNX file of a network: it has no nodes. Use an intact copy.")
    _with_arrays(file, proto)
    try:
        found = read(proto, None if input_shape is None else tuple(input_shape))
        return model_of(
            found.network,
            found.input_shape,
            found.parameters,
            found.state,
            cost=cost,
            regularizer=regularizer,
            classes=found.classes if classes is None else classes,
        )
    except ChainruleError as error:
        raise ChainruleError(f"{file}: {error}") from None


def _with_arrays(file: Path, proto: Any) -> None:
    """Read the arrays that stand in other files, which must be in the same folder."""
    import onnx
    from onnx.external_data_helper import load_external_data_for_tensor

    folder = file.resolve().parent
    for tensor in _tensors(proto):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        said = {entry.key: entry.value for entry in tensor.external_data}
        place = (folder / said.get("location", "")).resolve()
        if folder not in place.parents:
            raise ChainruleError(
                f"{file}: the array {tensor.name} is said to be in {said.get('location')}, which is not in the file's "
                f"folder. Use a file that keeps its arrays beside it."
            )
        if not place.is_file():
            raise ChainruleError(f"{file}: its arrays are in {place.name}, which is missing. Put it beside the file.")
        first, length = int(said.get("offset", 0)), said.get("length")
        if first + int(length or 0) > place.stat().st_size:
            raise ChainruleError(f"{file}: {place.name} ends within the array {tensor.name}. Use an intact copy.")
        load_external_data_for_tensor(tensor, str(folder))


def _tensors(proto: Any) -> Iterator[Any]:
    """Every array of a graph: its constants, and those of its nodes."""
    yield from proto.graph.initializer
    for node in (*proto.graph.node, *(node for function in proto.functions for node in function.node)):
        yield from (each.t for each in node.attribute if each.HasField("t"))
