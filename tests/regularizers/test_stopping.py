import math

import pytest

from chainrule.errors import ChainruleError
from chainrule.metrics import F1, R2, RMSE, ConfusionMatrix, TopK
from chainrule.model.history import History
from chainrule.notation import parse
from chainrule.regularizers.stopping import EarlyStopping


def best_epoch(rule: EarlyStopping, *costs: float) -> int | None:
    """The epoch that the rule holds to be the best of all."""
    history = History()
    for epoch, cost in enumerate(costs, 1):
        history.rows.append({"epoch": epoch, "validation_cost": cost})
        if rule.better(history[rule.watched], history.best_epoch):
            history.best_epoch = epoch
    return history.best_epoch


def test_it_has_a_notation():
    assert parse("EarlyStopping(5, fall=0.1)") == EarlyStopping(5, fall=0.1)
    with pytest.raises(
        ChainruleError, match=r"^EarlyStopping: patience must be a whole number >= 1, got 0\. The default is 10\.$"
    ):
        EarlyStopping(0)


@pytest.mark.parametrize(
    ("costs", "best"), [((3, 2, 1), 3), ((3, 1, 2), 2), ((1, 1, 1), 1), ((3, 2, 2.5, 1.9, 4), 4), ((1,), 1)]
)
def test_the_lowest_cost_is_the_best_and_of_equals_the_first(costs, best):
    assert best_epoch(EarlyStopping(), *costs) == best


def test_a_fall_must_be_more_than_the_least_one():
    assert best_epoch(EarlyStopping(fall=0.5), 3, 2.75, 2.5, 2.25) == 4


@pytest.mark.parametrize(
    ("monitor", "figures", "best"),
    [
        (F1(), (0.1, 0.3, 0.2), 2),
        (F1(), (0.3, 0.3, 0.3), 1),
        (TopK(3), (0.1, 0.2, 0.3), 3),
        (RMSE(), (3, 1, 2), 2),
        (R2(), (-3, -1, -2), 2),
        (R2(), (math.nan, -1, math.nan), 2),
    ],
)
def test_a_metric_knows_what_is_better(monitor, figures, best):
    history, rule = History(), EarlyStopping(monitor=monitor)
    for epoch, figure in enumerate(figures, 1):
        history.rows.append({"epoch": epoch, "validation_cost": -epoch, f"validation_{monitor.label()}": figure})
        if rule.better(history[rule.watched], history.best_epoch):
            history.best_epoch = epoch
    assert history.best_epoch == best
    assert parse(repr(rule)) == rule


def test_a_table_of_numbers_can_not_be_watched():
    with pytest.raises(ChainruleError, match=r"^EarlyStopping: monitor must be a metric that is a figure, or None, "):
        EarlyStopping(monitor=ConfusionMatrix())
