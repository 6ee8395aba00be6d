"""The data sets that travel inside scikit-learn, by name."""

from importlib import import_module
from typing import Any

import numpy as np

from chainrule.table import Table

NAMED = {
    "digits": "1,797 images of handwritten digits, 8 × 8 pixels, 10 classes",
    "iris": "150 flowers, 4 measures, 3 species",
    "wine": "178 wines, 13 measures, 3 growers",
    "breast_cancer": "569 tumours, 30 measures, malignant or benign",
    "diabetes": "442 patients, 10 measures, the progress of the disease",
}
"""What each set holds, by name."""


def read_named(name: str) -> Table:
    """One of the sets of `NAMED`; its target is the column "target", with classes by their names.

    >>> read_named("iris")
    <Table iris: 150 rows, columns sepal length (cm), sepal width (cm), petal length (cm), petal width (cm), target>
    """
    bunch: Any = getattr(import_module("sklearn.datasets"), f"load_{name}")()
    columns = dict(zip(map(str, bunch.feature_names), bunch.data.T, strict=True))
    if "images" in bunch:  # pixels of one scale, not columns of their own
        columns = {"image": bunch.images[..., None]}
    return Table({**columns, "target": _target(bunch)}, name)


def _target(bunch: Any) -> np.ndarray:
    if "target_names" not in bunch:
        return bunch.target
    return np.array([str(name) for name in bunch.target_names], dtype=object)[bunch.target]
