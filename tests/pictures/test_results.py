import io

import matplotlib.image
import numpy as np
import pytest

from chainrule.model.history import History
from chainrule.pictures import results as pictures

WAYS = {
    "both": [
        {"epoch": n, "cost": 1 / n, "accuracy": 0.5, "validation_cost": 2 / n, "validation_accuracy": 0.4}
        for n in (1, 2)
    ],
    "one": [{"epoch": 1, "cost": 0.5}],
    "zero": [{"epoch": 1, "cost": 0.0}, {"epoch": 2, "cost": 0.5}],
    "below": [{"epoch": 1, "cost": -1.5}],
    "validation only": [{"epoch": 1, "cost": 0.5, "validation_cost": 0.5, "validation_r2": -1e9}],
}


def size(png: bytes) -> tuple[int, int]:
    height, width, _ = matplotlib.image.imread(io.BytesIO(png), format="png").shape
    return width, height


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("rows", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("best", [None, 1])
def test_curves_have_a_panel_for_the_cost_and_each_metric(rows, best):
    panels = len({name.removeprefix("validation_") for name in rows[0]} - {"epoch"})
    assert size(pictures.curves(History(rows, best_epoch=best))) == (720 * panels, 540)


@pytest.mark.parametrize(
    "classes", [("a", "b"), tuple(range(10)), tuple(f"class {n}" for n in range(40)), ("x" * 500, "y")]
)
def test_a_confusion_matrix_grows_with_its_classes_up_to_a_page(classes):
    width, height = size(pictures.confusion(np.eye(len(classes)), classes))
    assert width == height == pytest.approx(150 * min(max(3.6, 0.55 * len(classes) + 1.8), 14), abs=1)


@pytest.mark.parametrize("name", ["$x_{$", r"$\nothing$", "猫", "a\nb", "", "<b>", "%s {}"])
def test_names_from_the_data_are_no_mathematics_and_never_stop_a_picture(name):
    assert size(pictures.confusion(np.eye(2), (name, "other"))) == (540, 540)
    assert size(pictures.predictions(np.arange(3.0)[:, None], np.arange(3.0)[:, None], (name,))) == (720, 720)


@pytest.mark.parametrize("predicted", [[1.0, 1.0], [1e30, -1e30], [np.inf, 1.0], [np.nan, 1.0]])
def test_predictions_of_any_size(predicted):
    assert size(pictures.predictions(np.array(predicted)[:, None], np.ones((2, 1)), ("y",))) == (720, 720)


def test_a_panel_for_each_target():
    values = np.arange(6.0).reshape(3, 2)
    assert size(pictures.predictions(values, values, ("height", "weight"))) == (1440, 720)


def test_many_predictions():
    values = np.random.default_rng(0).normal(size=2000)
    assert size(pictures.predictions(values[:, None], values[:, None], ("y",))) == (720, 720)


def test_the_same_results_give_the_same_bytes():
    assert pictures.confusion(np.eye(2), ("a", "b")) == pictures.confusion(np.eye(2), ("a", "b"))
    history = History(WAYS["both"])
    assert pictures.curves(history) == pictures.curves(history)


def test_a_small_count_is_shaded_and_none_is_not():
    counts = np.array([[990.0, 10, 0], [1, 999, 0], [0, 0, 0]])
    shade = pictures.shades(counts)
    assert ((shade > 0.08) == (counts > 0)).all()
    assert shade.max() <= 1
