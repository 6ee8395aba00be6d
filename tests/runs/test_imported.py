import json

import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.interchange import from_torch
from chainrule.runs.imported import save_imported, taking_rows


def model(network, weights, shape):
    return from_torch({name: np.ones(size, np.float32) for name, size in weights.items()}, network, shape)


def test_values_have_names_and_images_a_column():
    values = taking_rows(model("Dense(2)", {"weight": (2, 3), "bias": (2,)}, (3,)))
    assert values.preprocessor.schema.inputs == ("x1", "x2", "x3")
    assert values.preprocessor.schema.targets == ("target1", "target2")
    images = taking_rows(
        model("GlobalAveragePool2D() >> Dense(1)", {"weight": (1, 2), "bias": (1,)}, (4, 4, 2)), scale=[2, 4]
    )
    assert images.preprocessor.schema.inputs == ("image",)
    np.testing.assert_array_equal(images.predict({"image": np.ones((1, 4, 4, 2))}), [1.75])


def test_a_folder_has_a_card_and_a_description(tmp_path):
    rows = taking_rows(model("Dense(2) >> Softmax()", {"weight": (2, 2), "bias": (2,)}, (2,)), ["a", "b"], "kind")
    saved = save_imported(rows, str(tmp_path / "rows"), "elsewhere/pe`er.pt")
    said = json.loads((saved / "config.json").read_text())
    assert [said[name] for name in ("network", "inputs", "targets", "classes")] == [
        "Dense(2) >> Softmax()", ["a", "b"], ["kind"], ["0", "1"]
    ]  # fmt: skip
    front, _, body = (saved / "README.md").read_text().removeprefix("---\n").partition("---\n")
    assert 'pipeline_tag: "tabular-classification"' in front
    assert "A network that predicts `kind`: one of 2 classes, 0, 1 from `a`, `b` (2 inputs)." in body
    assert "It was trained elsewhere, and came in from `pe`er.pt` by `chainrule import`." in body
    assert "elsewhere/" not in body

    tokens = save_imported(
        model("Embedding(5, 2) >> GlobalMaxPool1D()", {"weight": (5, 2)}, (4,)), str(tmp_path / "t"), "t.pt"
    )
    assert "A network that takes arrays of shape (4,)." in (tokens / "README.md").read_text()
    assert json.loads((tokens / "config.json").read_text())["inputs"] is None


def test_tokens_stay_as_they_are():
    tokens = model("Embedding(5, 2) >> GlobalMaxPool1D()", {"weight": (5, 2)}, (4,))
    assert taking_rows(tokens) is tokens


def test_an_image_has_one_column():
    with pytest.raises(ChainruleError, match=r"columns must name one column, of arrays of shape \(4, 4, 2\), got 2\."):
        taking_rows(model("GlobalMaxPool2D()", {}, (4, 4, 2)), ["a", "b"])
