import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.model.history import History

ROWS = [{"epoch": 1, "cost": 0.1 + 0.2, "accuracy": 0.5}, {"epoch": 2, "cost": 1e-30, "accuracy": 1.0}]


def test_it_is_a_table():
    history = History(ROWS)
    assert history.columns == ["epoch", "cost", "accuracy"]
    assert history["accuracy"] == [0.5, 1.0]
    assert len(history) == 2
    assert list(history) == ROWS
    with pytest.raises(KeyError):
        history["recall"]


def test_an_empty_one_has_columns_too():
    assert History().columns == ["epoch", "cost"]
    assert History().to_csv() == "epoch,cost\n"
    assert list(History()) == History()["cost"] == []


def of(*costs: float, column: str = "validation_cost", **fields) -> History:
    rows = [{"epoch": epoch, "cost": 1.0, column: cost} for epoch, cost in enumerate(costs, 1)]
    return History(rows, **fields)


FALLING = [1 / epoch for epoch in range(1, 21)]
LEVEL = [*FALLING, *[0.05 - 1e-6 * epoch for epoch in range(20)]]
RISING = [*FALLING, 0.06, 0.07]


@pytest.mark.parametrize("column", ["cost", "validation_cost"])
def test_it_tells_whether_more_epochs_may_do_better(column):
    assert of(*FALLING, column=column).improving
    assert of(2.0, 1.0, column=column).improving
    assert of(-1.0, -2.0, column=column).improving
    for costs in (LEVEL, RISING, [1.0], [1.0, 0.995], []):
        assert not of(*costs, column=column).improving
    for stopped in ("early stopping", "interrupted", "callback", "diverged"):
        assert not of(*FALLING, column=column, stopped=stopped).improving


def test_it_tells_whether_fewer_epochs_would_have_done_better():
    assert of(*RISING).worsened
    assert of(*RISING).lowest_epoch == 20
    for history in (of(*FALLING), of(*LEVEL), of(*RISING, best_epoch=20), of(*RISING, column="cost"), of(1.0), of()):
        assert not history.worsened


def test_how_long_it_took_makes_no_difference():
    assert History(ROWS, seconds=1.0) == History(ROWS, seconds=2.0)
    assert History(ROWS, stopped="callback") != History(ROWS)
    assert History(ROWS, best_epoch=1) != History(ROWS)


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
def test_the_text_keeps_every_digit(costs):
    text = History([{"epoch": epoch, "cost": cost} for epoch, cost in enumerate(costs, 1)]).to_csv()
    assert [float(row["cost"]) for row in csv.DictReader(io.StringIO(text))] == costs
