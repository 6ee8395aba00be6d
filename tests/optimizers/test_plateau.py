"""A rate that follows the validation data: what a history makes of it, and through `fit`, no more than that."""

import jax
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.metrics import Accuracy
from chainrule.notation import parse
from chainrule.optimizers import ReduceOnPlateau
from chainrule.training import fit

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4)).astype(np.float32)
Y = (X @ rng.normal(size=(4, 3))).argmax(axis=1)
WRONG = X[:10], (Y[:10] + 1) % 3  # so that validation is worse with each epoch


@pytest.mark.parametrize(
    ("values", "falls"),
    [
        ([], 0),
        ([5, 4, 3, 2, 1], 0),
        ([5, 5], 0),
        ([5, 5, 5], 1),
        ([5, 5, 5, 5], 1),
        ([5, 5, 5, 5, 5], 2),
        ([5, 6, 4, 6, 6], 1),
        ([5, 5, 5, 5, 4.9, 5, 5], 2),
        ([np.nan, np.nan, 3, 4, 4], 2),
    ],
)
def test_the_rate_falls_after_epochs_without_a_gain(values, falls):
    rate = ReduceOnPlateau(0.5, factor=0.5, patience=2).after(values)
    assert rate.initial == 0.5 * 0.5**falls
    assert float(rate(7)) == rate.initial


def test_a_gain_may_be_of_a_metric_and_of_some_size():
    rate = ReduceOnPlateau(0.5, patience=1, fall=0.1, monitor=Accuracy())
    assert parse(repr(rate)) == rate
    assert rate.after([0.5, 0.55, 0.7]).initial == pytest.approx(0.05)
    assert rate.rule.watched == "validation_accuracy"


def trained(optimizer, epochs=5, **options):
    ends = []
    plain = {"batch_size": 8, "progress": False, "validation": WRONG, "callbacks": [ends.append]}
    model = fit("Dense(3) >> Softmax()", X, Y, optimizer=optimizer, epochs=epochs, **plain | options)
    return model, ends[-1].checkpoint() if not isinstance(model, list) else ends


def test_it_is_a_training_that_goes_on_with_a_lower_rate():
    model, _ = trained("Adam(ReduceOnPlateau(0.1, factor=0.25, patience=2))")
    assert np.argmin(model.history["validation_cost"]) == 0
    _, place = trained("Adam(0.1)", epochs=3)
    whole, _ = trained("Adam(0.025)", epochs=2, after=place)
    jax.tree.map(np.testing.assert_array_equal, model.parameters, whole.parameters)
    assert model.history == whole.history


def test_a_training_that_goes_on_with_it_has_the_rates_of_one():
    optimizer = "Adam(ReduceOnPlateau(0.1, factor=0.25, patience=1))"
    whole, _ = trained(optimizer)
    _, place = trained(optimizer, epochs=3)
    model, _ = trained(optimizer, epochs=2, after=place)
    jax.tree.map(np.testing.assert_array_equal, model.parameters, whole.parameters)


def test_in_a_population_each_has_its_own_rate():
    optimizer = "Adam(ReduceOnPlateau([0.02, 0.2], factor=0.25, patience=1))".replace("[0.02, 0.2]", "{}")
    models, _ = trained(parse(optimizer.format("(0.02, 0.2)")), validation=(X[:20], Y[:20]), epochs=12)
    for rate, model in zip((0.02, 0.2), models, strict=True):
        alone, _ = trained(optimizer.format(rate), validation=(X[:20], Y[:20]), epochs=12)
        np.testing.assert_allclose(model.history["validation_cost"], alone.history["validation_cost"], rtol=1e-4)
    falls = [ReduceOnPlateau(1.0, 0.25, 1).after(model.history["validation_cost"]).initial for model in models]
    assert len({*falls}) == 2


def test_without_validation_it_is_refused():
    with pytest.raises(ChainruleError) as caught:
        trained("Averaged(Adam(ReduceOnPlateau(0.1)))", validation=None)
    assert str(caught.value) == (
        "fit: ReduceOnPlateau(0.1) follows the validation data: give validation too, such as 0.1."
    )
