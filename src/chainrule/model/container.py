"""Files of arrays and what is said of them: safetensors, with a description as JSON in the header.

The header has one entry, so that equal content gives equal bytes; a digest in it covers the rest of the entry and the
arrays, so that an altered file is noticed.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.records import require
from chainrule.errors import ChainruleError

MOST_BYTES = 100_000_000  # of a header, as safetensors has it

Description = dict[str, Any]
Arrays = dict[str, np.ndarray]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Container:
    """A kind of file.

    Attributes:
        name: what such a file is called.
        entry: the name of the header's entry.
        format: raised where versions differ in what they write.
        most_arrays: more than such a file has.
    """

    name: str
    entry: str
    format: int
    most_arrays: int

    def packed(self, about: Description, arrays: Arrays) -> bytes:
        """The content of a file; equal descriptions and arrays give equal bytes.

        Raises:
            ChainruleError: for a description that is too long to be read back.
        """
        from safetensors.numpy import save as serialize

        content = serialize(arrays, {self.entry: self.described(about, arrays)})
        if (size := _size(content)) > MOST_BYTES:
            raise ChainruleError(f"its description has {size:,} bytes. Shorten its history.")
        return content

    def described(self, about: Description, arrays: Arrays) -> str:
        """A description as JSON, with the digest of it and of the arrays."""
        return json.dumps(about | {"digest": digest(about, arrays)})

    def unpacked(
        self,
        file: Path,
        made: Callable[[Description, Arrays], Made],
        content: Callable[[Path], tuple[Description, Arrays]] | None = None,
    ) -> Made:
        """What is made of a file's description and arrays, neither of which can be larger than the file.

        Args:
            file: the file.
            made: makes it.
            content: reads the two from a file of another format.

        Raises:
            ChainruleError: for a file of something else, cut short, altered, or of another version; and where `made`
                refuses it, which is then damaged.
        """
        about, arrays = (content or self._content)(file)
        version, said = about.get("format"), about.pop("digest", None)
        if type(version) is int and version > self.format:
            raise ChainruleError(
                f"{file} was written by a later version of Chainrule. Update: pip install -U chainrule."
            )
        if said != digest(about, arrays):
            raise ChainruleError(
                f"{file} was altered after it was saved: its digest does not match. Use an intact copy."
            )
        try:
            return made(about, arrays)
        except ChainruleError as error:
            if type(version) is int and version < self.format:
                raise ChainruleError(
                    f"{file} was written by an earlier version of Chainrule. Train it again."
                ) from None
            raise ChainruleError(f"{file} is damaged or was altered: {error} Use an intact copy.") from None

    def _content(self, file: Path) -> tuple[Description, Arrays]:
        from safetensors import SafetensorError, safe_open

        try:
            if _arrays_in(file) > self.most_arrays:
                raise ChainruleError(
                    f"{file} is no {self.name}: it names more arrays than a network has. Use an intact copy."
                )
            with safe_open(file, "numpy") as content:
                about = {**json.loads((content.metadata() or {})[self.entry])}
                return about, {name: content.get_tensor(name) for name in sorted(content.keys())}
        except ChainruleError:
            raise
        except (SafetensorError, AttributeError):  # the latter for dtypes that NumPy lacks
            raise ChainruleError(
                f"{file} is no {self.name}, or is cut short or damaged. Use an intact copy, or train again."
            ) from None
        except (KeyError, TypeError, ValueError, RecursionError):
            raise ChainruleError(f"{file} is no {self.name} of Chainrule: its header has no description.") from None
        except OSError as error:
            raise ChainruleError(f"Can't read {file}: {error.strerror or error}.") from None


def digest(about: Description, arrays: Arrays) -> str:
    """The digest of a description and of arrays by name."""
    found = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        found.update(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def plain(about: Description) -> Description:
    """A description as JSON gives it back, NumPy's scalars as JSON's.

    Raises:
        ChainruleError: where it holds something else.
    """
    try:
        return json.loads(json.dumps(about, default=lambda value: value.item()))
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ChainruleError(f"expected numbers and texts to describe it, got something else: {error}.") from None


def place(path: tuple) -> str:
    """An array's place in a tree, such as `parameters.0.kernel`."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def by_place(tree: Any) -> Arrays:
    """A tree's arrays by their places."""
    return {place(path): _stored(leaf) for path, leaf in jax.tree.flatten_with_path(tree)[0]}


def filled(wanted: Any, arrays: Arrays) -> Any:
    """A tree of arrays like the one of shapes and types that is wanted: `by_place` undone.

    Raises:
        ChainruleError: where an array is missing, too many, or of another shape or type.
    """
    leaves, tree = jax.tree.flatten_with_path(wanted)
    expected = {place(path): leaf for path, leaf in leaves}
    stored = {name: _stored_as(leaf) for name, leaf in expected.items()}
    for name, (shape, _) in sorted(stored.items()):
        require(name in arrays, f"an array {name} of shape {shape}, which the network declares")
    for name, array in arrays.items():
        require(name in stored, f"no array {name}, which the network does not declare")
        shape, dtype = stored[name]
        require(array.shape == shape, f"{name} of shape {shape}, got {array.shape}")
        require(array.dtype == dtype, f"{name} in {dtype}, got {array.dtype}")
    return tree.unflatten(_taken(arrays[name], leaf) for name, leaf in expected.items())


def _stored(leaf: Any) -> np.ndarray:
    """An array in a type of NumPy's own, which are those that files have: keys as their words, others bit by bit."""
    array = np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
    return array.view(_type(array.dtype))


def _stored_as(leaf: Any) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and type in which an array is stored."""
    leaf = jax.eval_shape(jax.random.key_data, leaf) if _is_key(leaf) else leaf
    return leaf.shape, _type(leaf.dtype)


def _taken(array: np.ndarray, wanted: Any) -> Any:
    """`_stored` undone."""
    if _is_key(wanted):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(jnp.zeros((), wanted.dtype)))
    return array.view(wanted.dtype)


def _type(dtype: Any) -> np.dtype:
    dtype = np.dtype(dtype)
    return dtype if dtype.kind in "biuf" else np.dtype(f"u{dtype.itemsize}")


def _is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _arrays_in(file: Path) -> int:
    """How many arrays a file's header names, counted before it is read: names are in quotes there, and nothing else."""
    with file.open("rb") as content:
        size = _size(content.read(8))
        return content.read(size).count(b'"data_offsets"') if size <= MOST_BYTES else 0


def _size(content: bytes) -> int:
    """The bytes of the header of a file of safetensors."""
    return int.from_bytes(content[:8], "little")
