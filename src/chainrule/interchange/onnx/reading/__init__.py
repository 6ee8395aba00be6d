"""Graphs that others wrote, read as compositions of formulas."""

from chainrule.interchange.onnx.reading import (
    activations as activations,  # each of these rooms tells what it reads
)
from chainrule.interchange.onnx.reading import (
    joining as joining,
)
from chainrule.interchange.onnx.reading import (
    loops as loops,
)
from chainrule.interchange.onnx.reading import (
    normalization as normalization,
)
from chainrule.interchange.onnx.reading import (
    pooling as pooling,
)
from chainrule.interchange.onnx.reading import (
    products as products,
)
from chainrule.interchange.onnx.reading import (
    recurrent as recurrent,
)
from chainrule.interchange.onnx.reading import (
    shapes as shapes,
)
from chainrule.interchange.onnx.reading.graph import Read, read

__all__ = ["Read", "read"]
