"""Model files that somebody crafted, digest and all: each is refused in a sentence, or is the model that it says."""

import copy
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from safetensors.numpy import save as serialize

from chainrule import fit
from chainrule.data.preprocessing import Preprocessor
from chainrule.errors import ChainruleError
from chainrule.model import load
from chainrule.model.container import digest
from chainrule.model.file import _about, to_bytes

TABLE = {"width": [1.5, 2.5, 0.5, 3.5], "cut": ["a", "b", "a", "c"], "kind": ["no", "yes", "no", "yes"]}
DAYS = {"day": ["2020-01-31", "2021-02-28", "2022-03-31", "2023-04-30"], "high": [0.5, 1, 2, 4], "low": [1, 2, 3.5, 4]}
VERSES = {"verse": ["the rose", "is red"] * 2, "size": [0.5, 1.5, 2.5, 3.5]}
SOUNDS = {"sound": np.array([[[1], [2]], [[3], [np.nan]]] * 2), "kind": ["a", "b", "a", "b"]}


BRIEFLY: dict[str, Any] = {"epochs": 1, "progress": False, "batch_size": "all"}


def of_table(network: str, table: dict, **choices: Any):
    preprocessor = Preprocessor.fit(table, **choices)
    x, y, classes = preprocessor.inputs(table), preprocessor.targets(table), preprocessor.classes or None
    more: dict[str, Any] = {"validation": (x, y), "early_stopping": 1} if isinstance(x, np.ndarray) else {}
    return fit(network, x, y, classes=classes, preprocessor=preprocessor, **more, **BRIEFLY)


MODELS = {
    "arrays": lambda: fit(
        "Dense(1)", np.ones((4, 2)), np.ones(4), batch_size="all", regularizer="L1(0.1)", epochs=1, progress=False
    ),
    "table": lambda: of_table("Dense(2) >> Softmax()", TABLE),
    "days": lambda: of_table("Dense(2)", DAYS, target=["high", "low"]),
    "tokens": lambda: of_table("Embedding(6, 2) >> GRU(1)", VERSES, words="verse"),
    "series": lambda: of_table("LSTM(2, learn_start=True) >> Softmax()", SOUNDS),
}


@pytest.fixture(scope="module", params=MODELS)
def crafted(request, tmp_path_factory):
    """A model's header, its arrays, and a way to load the model of other ones."""
    model = MODELS[request.param]()
    path = tmp_path_factory.mktemp("crafted") / "model"
    model.save(path)
    return Crafted(path)


class Crafted:
    """A file that is whole, from which others are crafted; what prepares its data, JSON within JSON, is taken apart."""

    def __init__(self, path: Path) -> None:
        self.path, self.arrays = path, load_file(path)
        content = path.read_bytes()
        header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
        self.about = apart(json.loads(header["__metadata__"]["chainrule"]))
        del self.about["digest"]

    def load(self, about: Any, arrays: Any = None) -> str:
        """Load a crafted file: a sentence, or nothing where it is the model that it says it is."""
        arrays, written = self.arrays if arrays is None else arrays, together(about)
        text = json.dumps(written | {"digest": digest(written, arrays)} if isinstance(written, dict) else written)
        other = self.path.with_name("other")
        other.write_bytes(serialize(arrays, {"chainrule": text}))
        try:
            model = load(other)
        except ChainruleError as error:
            assert str(error).startswith(f"{other} ")  # noqa: PT017
            return str(error)
        assert says(apart(_about(model)), about)
        assert load(other).network == model.network
        to_bytes(model)
        return ""


def apart(about: dict) -> dict:
    return about | {"preprocessor": json.loads(about["preprocessor"] or "null")}


def together(about: Any) -> Any:
    if isinstance(about, dict) and isinstance(about.get("preprocessor"), dict):
        return about | {"preprocessor": json.dumps(about["preprocessor"])}
    return about


def says(one: Any, other: Any) -> bool:
    """Whether one header says all that another does; what an older version did not know has a default."""
    if isinstance(one, dict) and isinstance(other, dict):
        one = one | {"format": 1} if other.get("format") == 1 and one.get("format") == 2 else one
        return one.keys() >= other.keys() and all(says(one[key], other[key]) for key in other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(says, one, other))
    return json.dumps(one) == json.dumps(other) or (type(one) is float and one == other)  # NaN; 1 for 1.0


def places(node: Any, way: tuple = ()) -> Iterator[tuple]:
    """Every place in JSON."""
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield (*way, key)
        yield from places(node[key], (*way, key))


def changed(about: Any, way: tuple, value: Any = None, remove: bool = False) -> Any:
    about = copy.deepcopy(about)
    node = about
    for key in way[:-1]:
        node = node[key]
    if remove:
        del node[way[-1]]
    else:
        node[way[-1]] = value
    return about


NESTED: Any = []
for _ in range(300):
    NESTED = [NESTED]
WRONG = [None, True, 0, -1, 1.5, float("nan"), 10**400, "", "ELU()", "\ud800", [], [0], ["x", "x"], {"x": 1}, NESTED]


@pytest.mark.slow
def test_each_part_removed_or_replaced(crafted):
    refused = 0
    for way in places(crafted.about):
        if isinstance(way[-1], str):
            refused += bool(crafted.load(changed(crafted.about, way, remove=True)))
        for wrong in WRONG:
            refused += bool(crafted.load(changed(crafted.about, way, wrong)))
    assert refused > 200


@pytest.mark.by_turns(2)
def test_something_more_anywhere(crafted):
    for way in [(), *places(crafted.about)]:
        node = crafted.about
        for key in way:
            node = node[key]
        if isinstance(node, dict) and "training" not in way:
            assert crafted.load(changed(crafted.about, (*way, "more"), 1)) or "rows" in way


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@pytest.mark.by_turns(2)
@given(data=st.data())
def test_anything_anywhere(crafted, data):
    way = data.draw(st.sampled_from([*places(crafted.about)]))
    crafted.load(changed(crafted.about, way, data.draw(JSON | st.sampled_from(WRONG))))


@given(about=JSON)
def test_anything_for_a_header(crafted, about):
    assert crafted.load(about)


@pytest.mark.parametrize("change", ["removed", "more", "wider", "flat", "empty", "scalar"])
def test_other_arrays(crafted, change):
    for name, array in crafted.arrays.items():
        others = (
            crafted.arrays
            | {
                "removed": {},
                "more": {f"{name}x": array},
                "wider": {name: np.stack([array, array])},
                "flat": {name: array.ravel()[:-1]},
                "empty": {name: array[:0]},
                "scalar": {name: np.array(0.5, np.float32)},
            }[change]
        )
        if change == "removed":
            del others[name]
        assert name in crafted.load(crafted.about, others)


DTYPES = (np.float64, np.float16, ml_dtypes.bfloat16, np.int32, np.uint8, np.bool_, np.complex64)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
def test_other_dtypes(crafted, dtype):
    for name, array in crafted.arrays.items():
        said = crafted.load(crafted.about, crafted.arrays | {name: array.astype(dtype)})
        assert f"expected {name} in float32, got {np.dtype(dtype).name}." in said


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite(crafted, value):
    for name, array in crafted.arrays.items():
        spoilt = array.copy()
        spoilt.flat[-1] = value
        said = crafted.load(crafted.about, crafted.arrays | {name: spoilt})
        assert f" expected finite numbers in {name}, got NaN or infinity. Use an intact copy." in said


HEADERS = {
    "no JSON": b"x" * 50,
    "deep": b"[" * 100_000,
    "deep metadata": b'{"__metadata__":{"chainrule":"' + b"[" * 100_000 + b'"}}',
    "no metadata": b"{}",
    "metadata of numbers": b'{"__metadata__":{"chainrule":1}}',
    "a list": b"[]",
    "arrays of a text": b'{"x":"y"}',
    "unknown dtype": b'{"x":{"dtype":"F7","shape":[],"data_offsets":[0,0]}}',
    "odd dtype": b'{"__metadata__":{"chainrule":"{}"},"x":{"dtype":"F8_E4M3","shape":[0],"data_offsets":[0,0]}}',
    "small dtype": b'{"__metadata__":{"chainrule":"{}"},"x":{"dtype":"F4","shape":[0],"data_offsets":[0,0]}}',
    "huge shape": b'{"x":{"dtype":"F32","shape":[99999999999,99999999999],"data_offsets":[0,9]}}',
    "offsets beyond": b'{"x":{"dtype":"F32","shape":[250000000000],"data_offsets":[0,1000000000000]}}',
    "offsets backwards": b'{"x":{"dtype":"F32","shape":[0],"data_offsets":[8,4]}}',
}


@pytest.mark.parametrize("what", HEADERS)
def test_other_headers(tmp_path, what):
    path = tmp_path / "model"
    path.write_bytes(struct.pack("<Q", len(HEADERS[what])) + HEADERS[what])
    with pytest.raises(ChainruleError, match=f"^{path} is no model file"):
        load(path)


@pytest.mark.parametrize("size", [0, 1, 7, 100, 10**8, 10**12, 2**63, 2**64 - 1])
def test_headers_of_a_size_that_is_not_theirs(tmp_path, size):
    path = tmp_path / "model"
    path.write_bytes(struct.pack("<Q", size) + b'{"__metadata__":{}}')
    with pytest.raises(ChainruleError, match=f"^{path} is no model file"):
        load(path)


def test_a_million_arrays_are_not_even_looked_at(tmp_path, monkeypatch):
    path = tmp_path / "model"
    entry = '"t%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = ("{" + ",".join(entry % each for each in range(10**6)) + "}").encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    monkeypatch.setattr(safetensors, "safe_open", None)
    with pytest.raises(ChainruleError, match=r"more arrays than a network has"):
        load(path)


def test_neither_a_file_nor_a_folder(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ChainruleError, match=r"^There is no model file .*pipe\. Train one: chainrule train digits\.$"):
        load(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("x" * 300, "File name too long"), ("a\0b", "embedded null byte"), ("\ud800", ".*surrogates.*")],
)
def test_names_that_no_file_has(name, reason):
    with pytest.raises(ChainruleError, match=f"^Can't reach .*: {reason}\\.$"):
        load(name)
