"""Data sets of other libraries as loaders, against the arrays that they were made of."""

import numpy as np
import pytest

from chainrule import ChainruleError, fit
from chainrule.data.loaders import Loader, from_grain, from_hugging_face
from chainrule.model.file import to_bytes

random = np.random.default_rng(0)
X = random.normal(size=(100, 3)).astype(np.float32)
Y = (X.sum(axis=1) > 0).astype(int)


def as_arrays(loader: Loader) -> tuple[np.ndarray, np.ndarray]:
    """All that it gives."""
    x, y = zip(*(loader.part(index) for index in range(len(loader.rows))), strict=True)
    assert [*map(len, x)] == [*loader.rows]
    return np.concatenate(x), np.concatenate(y)


def of_hugging_face(size: int) -> list[Loader]:
    datasets = pytest.importorskip("datasets")
    one = datasets.Dataset.from_dict({"x": X, "label": Y})
    several = datasets.Dataset.from_dict({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "label": Y})
    return [from_hugging_face(one, "x", "label", size), from_hugging_face(several, ["a", "b", "c"], "label", size)]


def of_grain(size: int) -> list[Loader]:
    grain = pytest.importorskip("grain")
    single = grain.MapDataset.source([*zip(X, Y, strict=True)])
    return [from_grain(single, size=size), from_grain(single.batch(8), batched=True, size=size)]


@pytest.mark.parametrize("loaders", [of_hugging_face, of_grain])
@pytest.mark.parametrize("size", [1, 32, 1000])
def test_they_give_their_rows(loaders, size):
    for loader in loaders(size):
        x, y = as_arrays(loader)
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(y, Y)


@pytest.mark.parametrize("loaders", [of_hugging_face, of_grain])
def test_they_train_alike(loaders):
    options = {"epochs": 2, "batch_size": 16, "progress": False}
    one, other = (to_bytes(fit("Dense(2) >> Softmax()", loader, **options)) for loader in loaders(32))
    assert one == other


def test_a_column_that_is_not_there():
    datasets = pytest.importorskip("datasets")
    with pytest.raises(ChainruleError, match=r"from_hugging_face: there is no column 'z' in \['x', 'y'\]\."):
        from_hugging_face(datasets.Dataset.from_dict({"x": [1], "y": [2]}), "z", "y")
