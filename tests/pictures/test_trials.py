import io
import math

import matplotlib.image
import numpy as np
import pytest

from chainrule.pictures import trials as pictures
from chainrule.pictures.trials import Row

HISTORY = {
    "epoch": [1, 2, 3],
    "cost": [1.0, 0.5, 0.2],
    "validation_cost": [1.0, 0.6, 0.4],
    "validation_r2": [-9.0, 0.1, 0.2],
}


def size(png: bytes) -> tuple[int, int]:
    height, width, _ = matplotlib.image.imread(io.BytesIO(png), format="png").shape
    return width, height


@pytest.mark.parametrize(
    ("histories", "measure", "panels"),
    [
        ({"a": [HISTORY, HISTORY]}, "r2", 2),
        ({"a": [HISTORY], "b": [{"cost": [-1.0, math.nan]}, {"cost": []}]}, "cost", 1),
        ({f"candidate {n} of many": [HISTORY] * 2 for n in range(20)}, "accuracy", 1),
        ({"a": [{}]}, "cost", 1),
    ],
)
def test_learning_has_a_panel_for_the_cost_and_what_decides(histories, measure, panels):
    assert size(pictures.learning(histories, measure)) == (780 * panels, 660)


VALUES = {
    "some diverged": [[0.9, 0.8], [0.7, math.nan], [math.nan, math.nan]],
    "one": [[0.5]],
    "all diverged": [[math.nan]],
    "one far away": [[0.9, 0.91], [0.9, 0.92], [-17.0, 0.9]],
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_all_trials_have_a_row_for_each_candidate(values):
    rows = [Row("ELU()", each, float(np.mean(each)), 0.01, n > 0) for n, each in enumerate(values)]
    height = 1.1 + 0.24 * len(values)
    assert size(pictures.dots(rows, "accuracy")) == pytest.approx((1080, 150 * height), abs=1)


def test_a_long_name_has_several_lines():
    one = size(pictures.dots([Row("Dense(64) >> ReLU()", [0.5], 0.5, 0.1, False)], "r2"))
    three = size(pictures.dots([Row("Dense(64) >> ReLU() >> " * 5, [0.5], 0.5, 0.1, False)], "r2"))
    assert three[1] == pytest.approx(one[1] + 2 * 0.14 * 150, abs=1)


@pytest.mark.parametrize(
    ("values", "limits"),
    [([0.9, 0.91, 0.92, 0.9, 0.1], (0.9, 0.92)), ([0.9, math.nan, 0.7], (0.7, 0.9)), ([math.nan], (0, 1))],
)
def test_what_lies_far_beyond_all_others_does_not_squeeze_them(values, limits):
    assert pictures.limits(np.array(values)) == limits


def test_names_are_no_mathematics_and_the_same_picture_has_the_same_bytes():
    names = ["$x_{$", r"$\nothing$", "猫", "a\nb"]
    rows = [Row(name, [0.5, 0.6], 0.55, 0.05, False) for name in names]
    assert pictures.dots(rows, "top_k_3") == pictures.dots(rows, "top_k_3")
    assert size(pictures.learning({name: [HISTORY] for name in names}, "r2")) == (1560, 660)
