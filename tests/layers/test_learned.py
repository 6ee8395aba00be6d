"""Layers that learn from training inputs, before the first step: from arrays, loaders, sequences; in populations."""

import numpy as np
import pytest

from chainrule import fit, load
from chainrule.data.loaders import from_arrays
from chainrule.errors import ChainruleError
from chainrule.layers import RobustScale, Standardize
from chainrule.training import EpochEnd

random = np.random.default_rng(0)
X = (random.normal(size=(96, 3)) * [1, 10, 0.1] + [0, 100, -5]).astype(np.float32)
X[:, 2] = random.integers(0, 10, 96) == 0  # quartiles without a distance
Y = X[:, :1]


def trained(network, x=X, y=Y, **choices):
    return fit(network, x, y, **{"epochs": 1, "batch_size": 32, "progress": False} | choices)


def learned(model, place=0) -> list[np.ndarray]:
    return [np.asarray(model.state[place][name]) for name in ("center", "scale")]


def same(one, other) -> None:
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_each_learns_what_its_name_says_of_the_rows_that_train():
    both = trained("(Standardize() | RobustScale()) >> Dense(1)", validation=0.25)
    order = np.random.default_rng(0).permutation(96)
    x = X[np.sort(order[24:])]
    low, middle, high = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
    mean, robust = both.state[0]
    same(mean.values(), (x.mean(axis=0), x.std(axis=0)))
    same(robust.values(), (middle, [*(high - low)[:2], 0.5]))


def test_a_constant_channel_has_the_scale_1():
    x = np.full((32, 1), 7, np.float32)
    for name in ("Standardize", "RobustScale"):
        same(learned(trained(f"{name}() >> Dense(1)", x, x)), ([7], [1]))


def test_it_learns_of_what_reaches_it():
    model = trained("Standardize() >> Tanh() >> RobustScale() >> Dense(1)")
    reached = np.tanh((X - X.mean(axis=0)) / X.std(axis=0))
    same(learned(model, 2)[:1], [np.median(reached, axis=0)])


def test_padding_is_in_no_statistic():
    lengths = [3, 1, 2] * 32
    x = [random.normal(size=(length, 2)) for length in lengths]
    model = trained("Standardize() >> GlobalAveragePool1D() >> Dense(1)", x, Y)
    steps = np.concatenate(x)
    same(learned(model), (steps.mean(axis=0), steps.std(axis=0)))


def test_a_loader_and_a_population_show_what_an_array_shows(tmp_path):
    network = "RobustScale() >> Dense(1)"
    alone = trained(network, epochs=2)
    by_parts = trained(network, from_arrays(X, Y, size=20), None)
    same(learned(by_parts), learned(alone))
    for seed, member in enumerate(trained(network, epochs=2, seed=[0, 1])):
        same(learned(member), learned(alone))
        np.testing.assert_allclose(member(X), trained(network, epochs=2, seed=seed)(X), rtol=1e-4, atol=1e-5)
    alone.save(tmp_path / "model.safetensors")
    same(learned(load(tmp_path / "model.safetensors")), learned(alone))


def test_what_goes_on_learns_nothing_again():
    ends: list[EpochEnd] = []
    trained("Standardize() >> Dense(1)", callbacks=[ends.append])
    further = trained("Standardize() >> Dense(1)", X + 1, after=ends[-1].checkpoint())
    same(learned(further), (X.mean(axis=0), X.std(axis=0)))


@pytest.mark.parametrize("layer", [Standardize(), RobustScale()], ids=repr)
def test_outside_fit_it_is_told_its_statistics(layer):
    with pytest.raises(ChainruleError, match=r"forward knows no statistics. Call apply\(p, state, x\)"):
        layer.forward({}, X)
