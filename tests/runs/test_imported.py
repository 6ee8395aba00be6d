import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.interchange import from_torch
from chainrule.runs.imported import taking_rows


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


def test_tokens_stay_as_they_are():
    tokens = model("Embedding(5, 2) >> GlobalMaxPool1D()", {"weight": (5, 2)}, (4,))
    assert taking_rows(tokens) is tokens


def test_an_image_has_one_column():
    with pytest.raises(ChainruleError, match=r"columns must name one column, of arrays of shape \(4, 4, 2\), got 2\."):
        taking_rows(model("GlobalMaxPool2D()", {}, (4, 4, 2)), ["a", "b"])
