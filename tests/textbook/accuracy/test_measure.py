import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import ELU, Identity, Softmax
from chainrule.costs import CategoricalCrossEntropy
from chainrule.errors import ChainruleError
from chainrule.layers import Dense
from chainrule.textbook.accuracy import measure as module
from chainrule.textbook.accuracy.measure import LENGTHS, accuracy, batches, blocks, errors, logits_and_targets, worst
from chainrule.textbook.accuracy.oracle import Oracle, X

ROUGH = 1_000_003
TINY = 2.0**-126


@pytest.mark.parametrize(
    ("result", "truth", "error"),
    [
        (1, 1, 0),
        (1, 1 + 2**-24, 0.5),
        (1, 1 - 2**-24, 1),
        (np.inf, np.inf, 0),
        (-np.inf, np.inf, np.inf),
        (3e38, np.inf, np.inf),
        (np.inf, 3e38, np.inf),
        (np.nan, np.nan, 0),
        (np.nan, 1, np.inf),
        (1, np.nan, np.inf),
        (0, 1e-39, 0),
        (TINY, 1e-39, 0),
        (2.5 * TINY, 1e-39, pytest.approx(20264280, rel=0.1)),
        (0, TINY, 2**23),
        (-0.0, 0, 0),
    ],
)
def test_the_error_of_a_result(result, truth, error):
    assert errors(np.float32([result]), np.array([truth], float)).tolist() == [error]


@pytest.mark.parametrize("every", [999_983, 16_777_259])
def test_blocks_take_every_nth_of_all_patterns(every, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 97)
    patterns = np.concatenate([block.view(np.uint32) for block in blocks(every)])
    assert patterns.tolist() == list(range(0, 2**32, every))


def test_all_of_them_are_all():
    sizes = [len(block) for block in itertools.islice(blocks(1), 3)]
    assert sizes == [module.BLOCK] * 3
    assert 2**32 % module.BLOCK == 0


def test_batches_have_every_length_and_all_kinds_of_numbers():
    drawn = list(batches())
    assert [len(draws[0]) for draws in drawn] == list(LENGTHS)
    numbers = np.concatenate([np.concatenate(draws) for draws in drawn])
    for kind in (np.isposinf, np.isneginf, np.isnan, lambda x: x == 0, lambda x: x < -50):
        assert kind(numbers).any()


def test_a_number_below_the_smallest_normal_may_be_taken_for_0():
    truth, x = Oracle(X + 1), np.float32([1e-40])
    step = Oracle(X * 0 + 1)
    assert worst(np.float32([1]), truth, x, "").error == 0
    assert worst(np.float32([0]), step, x, "").error == 2**23


def test_the_worst_says_where_it_is():
    found = worst(np.float32([1, 2.5, 3]), Oracle(X), np.float32([1, 2, 3]), "somehow")
    assert found == (0.5 / 2**-22, 2, "somehow")


def test_a_block_on_one_part_of_the_line_is_compared_as_each_number_is():
    truth, x = Oracle(X), next(itertools.islice(blocks(1), 3800, None))
    assert truth.part(x)
    assert worst(x, truth, x, "").error == 0
    results = x.copy()
    results[[5, 77]] = np.nextafter(x[[5, 77]], np.float32([0, np.inf]))
    results[77] = np.nextafter(results[77], np.float32(np.inf))
    assert worst(results, truth, x, "") == (errors(results, x.astype(np.float64)).max(), x[77], "") == (2, x[77], "")
    results[9] = np.nan
    assert worst(results, truth, x, "")[:2] == (np.inf, x[9])


class Broken(ELU):
    """ELU whose value and derivative lose their digits near 0."""

    textbook = ELU.textbook

    def __call__(self, x):
        return jnp.where(x > 0, x, jnp.exp(jnp.minimum(x, 0)) - 1)


class BrokenInShortBatches(Identity):
    """Right but where a batch has seven entries."""

    def __call__(self, x):
        return x if x.size != 7 else 1.001 * x


class BrokenOutside(Identity):
    """Right but for NaN and infinities."""

    def __call__(self, x):
        return jnp.where(jnp.isfinite(x), x, 0)


def test_a_broken_formula_is_seen():
    found = accuracy(Broken(), ROUGH)
    assert not found.kept
    assert found.value.error > 1e6


def test_a_formula_that_is_broken_in_the_tail_of_a_vector_is_seen():
    found = accuracy(BrokenInShortBatches(), ROUGH)
    assert not found.kept
    assert found.value.how == "in a batch of 7"


def test_a_formula_that_is_broken_at_infinity_is_seen():
    assert accuracy(BrokenOutside(), ROUGH).value.error == np.inf


def test_steps_add_up():
    parts = []
    accuracy(Identity(), ROUGH, parts.append)
    assert sum(parts) == pytest.approx(1)
    assert len(parts) > len(LENGTHS)


def test_rows_have_ties_and_all_magnitudes():
    z, E = logits_and_targets(independent=False)
    assert (z[:, 0] == z[:, 1]).any()
    assert np.abs(z).max() > 1e3
    assert np.abs(z).max(axis=1).min() < 1
    assert set(E.sum(axis=1)) == {1}
    assert logits_and_targets(independent=True)[1].sum(axis=1).max() == 3


def test_a_broken_cost_is_seen(monkeypatch):
    monkeypatch.setattr(module, "logits_and_targets", lambda independent: logits_and_targets(independent, rows=20))
    assert accuracy(CategoricalCrossEntropy()).kept
    monkeypatch.setattr(
        CategoricalCrossEntropy,
        "behind",
        lambda self, z, E, end=None: -jnp.sum(E * jnp.log(Softmax()(z) + 1e-7), axis=-1),
    )
    assert not accuracy(CategoricalCrossEntropy()).kept


def test_what_has_no_truth_is_refused():
    with pytest.raises(ChainruleError, match="expected an activation of one number or of a row"):
        accuracy(Dense(3))
