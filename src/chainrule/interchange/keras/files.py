"""Keras' files: a zip of a description and of weights, and weights alone. Nothing in them is ever run."""

import json
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays.memory import check_memory
from chainrule.data.files import known_path, reason
from chainrule.errors import ChainruleError
from chainrule.interchange.extras import needing
from chainrule.interchange.weights.matching import Stored, natural

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
INNER = ("cell", "forward_layer", "backward_layer", "query_dense", "key_dense", "value_dense", "output_dense")
"""Parts of a layer that have arrays."""
ASIDE = ("optimizer", "seed_generator", "metrics", "loss_tracker")  # which no network has
CONTAINERS = ("layers", "_layer_checkpoint_dependencies")  # of layers, by whose names modules are called


def read(path: Any) -> tuple[dict[str, Any], Stored, str]:
    """A .keras file's description and weights, and what it is called.

    Raises:
        ChainruleError: for a file of something else, cut short or damaged.
    """
    path = known_path(path)
    _check_file(path)
    with _said(path), zipfile.ZipFile(path) as archive:
        sizes = {each.filename: each.file_size for each in archive.infolist()}
        for name in (CONFIG, WEIGHTS):
            if name not in sizes:
                raise ChainruleError(
                    f"{path} is no .keras file: it has no {name}. Save it by model.save('model.keras')."
                )
            check_memory(sizes[name], f"{path}: {name}", "Read it where there is more.")
        config = json.loads(archive.read(CONFIG))
        if not isinstance(config, dict):
            raise ValueError
        return config, _arrays(archive.read(WEIGHTS), path), str(path)


def read_weights(path: Any) -> tuple[Stored, str]:
    """The weights in a .weights.h5 file, and what it is called."""
    path = known_path(path)
    _check_file(path)
    with _said(path):
        check_memory(path.stat().st_size, str(path), "Read it where there is more.")
        return _arrays(path.read_bytes(), path), str(path)


def weights(modules: Iterable[tuple[str, Mapping[str, np.ndarray]]]) -> bytes:
    """The content of a .weights.h5 file of modules, as Keras reads them."""
    with needing("h5py", "Files of Keras", "keras"):
        import h5py
    buffer = BytesIO()
    with h5py.File(buffer, "w", track_order=False) as file:
        file.create_group("vars")
        for name, arrays in modules:
            group = file.create_group("/".join(["", *(f"layers/{part}" for part in name.split("."))]))
            for key, array in arrays.items():
                *inner, number = key.split("/")
                group["/".join([*inner, "vars", number])] = array
    return buffer.getvalue()


def archive(config: dict[str, Any], content: bytes) -> bytes:
    """The content of a .keras file; equal ones give equal bytes."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        said = {"keras_version": "3.0.0", "date_saved": "1980-01-01@00:00:00"}
        for name, data in (("metadata.json", json.dumps(said)), (CONFIG, json.dumps(config)), (WEIGHTS, content)):
            file.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ChainruleError(f"There is no file {path}. Name one of Keras': .keras or .weights.h5.")


@contextmanager
def _said(path: Path):
    """What its readers raise on bad files, in a sentence."""
    try:
        yield
    except ChainruleError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise ChainruleError(f"Can't read {path}: {reason(error)}.") from None
        raise _damaged(path) from None
    except Exception:  # zipfile, JSON and HDF5 raise errors of many kinds
        raise _damaged(path) from None


def _damaged(path: Path) -> ChainruleError:
    return ChainruleError(
        f"{path} is no file of Keras 3, or is cut short or damaged. Save it again, or use an intact copy."
    )


def _arrays(content: bytes, path: Path) -> Stored:
    """The arrays of a file of HDF5 by their modules, sorted by name; links in it are not followed."""
    with needing("h5py", "Files of Keras", "keras"):
        import h5py
    found: dict[str, np.ndarray] = {}

    def visit(name: str, node: Any) -> None:
        if not isinstance(node, h5py.Dataset):
            return
        if node.external or node.is_virtual:
            raise ChainruleError(f"{path}: {name} lies in another file, which is never read. Save it whole.")
        check_memory(node.size * node.dtype.itemsize, f"{path}: {name}", "Use an intact copy.")
        if node.dtype.kind in "biuf":
            found[name] = np.asarray(node)

    with h5py.File(BytesIO(content), "r") as file:
        if "layer_names" in file.attrs or "model_config" in file.attrs:
            raise ChainruleError(f"{path} was written by Keras 2. Save it again by Keras 3, as .keras or .weights.h5.")
        file.visititems(visit)
    stored: Stored = {}
    for name in sorted(found, key=natural):
        parts = name.split("/")
        if len(parts) < 3 or parts[-2] != "vars" or not parts[-1].isdigit() or set(ASIDE) & set(parts):
            continue
        outer = [part for part in parts[:-2] if part not in CONTAINERS]
        inner = [part for part in outer if part in INNER]
        module = ".".join(part for part in outer if part not in INNER)
        number = int(parts[-1])
        array = found[name]
        if outer[-1].startswith(("depthwise_conv1d", "separable_conv1d")) and not number:  # with groups here
            array = array.reshape(len(array), 1, -1)
        if outer[-1].startswith("separable_conv"):  # two layers of ours
            module, number = (f"{module}.pointwise", number - 1) if number else (f"{module}.depthwise", number)
        stored.setdefault(module, {})["/".join([*inner, str(number)])] = array
    return stored
