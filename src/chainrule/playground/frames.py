"""Messages of bytes: a description in JSON, and behind it what it describes, such as arrays."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError

ALIGNED = 4  # bytes, at multiples of which a browser reads numbers
WIRE = {np.dtype(np.float32): "f4", np.dtype(np.uint8): "u1"}


def framed(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None, content: bytes = b"") -> bytes:
    """One message: the length of its header, the header, which says where each array lies, and the arrays.

    >>> frame = framed({"kind": "picture"}, {"map": np.array([1, 2], np.uint8)})
    >>> unframed(frame)[0]
    {'kind': 'picture', 'arrays': {'map': ['u1', [2], 0]}}
    """
    places, pieces, end = {}, [], 0
    for name, array in (arrays or {}).items():
        array = np.ascontiguousarray(array)
        places[name] = [WIRE[array.dtype], array.shape, end]
        piece = array.tobytes()
        piece += bytes(-len(piece) % ALIGNED)
        pieces.append(piece)
        end += len(piece)
    said = json.dumps({**header, **({"arrays": places} if arrays is not None else {})}, allow_nan=False).encode()
    said += b" " * (-len(said) % ALIGNED)
    return b"".join([len(said).to_bytes(4, "little"), said, *pieces, content])


def unframed(frame: bytes) -> tuple[dict[str, Any], bytes]:
    """The header of a message, and what is behind it. Raises `ChainruleError` for anything else."""
    length = int.from_bytes(frame[:4], "little")
    try:
        header = json.loads(frame[4 : 4 + length])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise ChainruleError("Expected a message: the length of a header, the header in JSON, and its content.")
    return header, frame[4 + length :]


def finite(number: float | None) -> float | None:
    """A number as JSON has it: infinities and NaN are null."""
    return None if number is None or not np.isfinite(number) else float(number)
