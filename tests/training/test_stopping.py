import pytest

from chainrule.errors import ChainruleError
from chainrule.history import History
from chainrule.notation import parse
from chainrule.training.stopping import EarlyStopping


def best_epoch(rule: EarlyStopping, *costs: float) -> int | None:
    """The epoch that the rule holds to be the best of all."""
    history = History()
    for epoch, cost in enumerate(costs, 1):
        history.rows.append({"epoch": epoch, "validation_cost": cost})
        if rule.better(history):
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
