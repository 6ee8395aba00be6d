"""Examples in parts: visited as a true shuffle would, from any step on, and what users' own sources may do wrong."""

import threading
from itertools import chain

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import ChainruleError, Masked
from chainrule.data.loaders import Rows, from_arrays
from chainrule.model.examples import take
from chainrule.model.file import to_bytes
from chainrule.training import fit
from chainrule.training.examples import Examples
from chainrule.training.feed import InParts
from chainrule.training.placement import Placement

random = np.random.default_rng(0)
X = random.normal(size=(103, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
NETWORK = "Dense(8) >> ReLU() >> Dropout(0.1) >> Dense(2) >> Softmax()"


class Numbered:
    """Rows 0, 1, … that know their own number, in parts of these sizes."""

    def __init__(self, *rows: int):
        self.rows = rows

    def part(self, index: int) -> Examples:
        start = sum(self.rows[:index])
        numbers = np.arange(start, start + self.rows[index], dtype=np.float32)[:, None]
        return Examples(numbers, -numbers, numbers[:, 0] + 1)

    def some(self, index: int, chosen: np.ndarray | None = None) -> Examples:
        return take(self.part(index), slice(None) if chosen is None else chosen)


class Part(Placement):
    """One of two processes, of which each computes with half of a batch."""

    def __init__(self, second: bool):
        super().__init__()
        self.second = second

    def computed(self, size):
        return (np.arange(size) >= -(-size // 2)) == self.second


def visited(feed: InParts, epoch: int, step: int = 0, more: bool = False) -> list[list[int]]:
    """The rows of each batch of an epoch, from a step on."""
    batches = []
    for block in feed.epoch(epoch, step, more):
        assert block.first == step + len(batches)
        x, E, weights, rows = jax.tree.map(np.asarray, block.examples)
        assert len(x) == len(block.order) == feed.most_steps * feed.batch_size
        np.testing.assert_array_equal(block.order, np.arange(len(x)))
        np.testing.assert_array_equal(E, -x)
        np.testing.assert_array_equal(weights[:rows], x[:rows, 0] + 1)
        found = np.split(x[:rows, 0].astype(int), range(feed.batch_size, rows, feed.batch_size))
        assert len(found) == block.steps
        batches += [each.tolist() for each in found]
    return batches


PARTS = st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any)


@settings(max_examples=15, deadline=None)
@given(PARTS, st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_every_row_counts_once_an_epoch_in_whole_batches(rows, size, seed):
    feed = InParts(Numbered(*rows), (1,), size, seed)
    batches = visited(feed, 1)
    assert sorted(chain.from_iterable(batches)) == [*range(sum(rows))]
    assert len(batches) == feed.steps
    assert all(len(each) == size for each in batches[:-1])


@settings(max_examples=15, deadline=None)
@given(PARTS, st.integers(1, 12), st.data())
def test_an_epoch_goes_on_at_any_step(rows, size, data):
    feed = InParts(Numbered(*rows), (1,), size, seed=0)
    step = data.draw(st.integers(0, feed.steps))
    assert visited(feed, 3)[step:] == visited(feed, 3, step)


@settings(max_examples=15)
@given(PARTS, st.integers(2, 12))
def test_processes_read_what_they_compute_with_and_no_more(rows, size):
    read: list[list[int]] = [[], []]

    class Watched(Numbered):
        def __init__(self, process: int, *rows: int):
            super().__init__(*rows)
            self.process = process

        def some(self, index, chosen=None):
            found = super().some(index, chosen)
            read[self.process] += found.x[:, 0].astype(int).tolist()
            return found

    alone = InParts(Numbered(*rows), (1,), size, seed=0)
    parts = [InParts(Watched(process, *rows), (1,), size, 0, Part(bool(process))) for process in range(2)]
    for whole, one, other in zip(*(feed.epoch(1) for feed in (alone, *parts)), strict=True):
        both = jax.tree.map(np.add, one.examples._replace(rows=whole.examples.rows), other.examples._replace(rows=0))
        for mine, theirs in zip(jax.tree.leaves(whole.examples), jax.tree.leaves(both), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert sorted(read[0] + read[1]) == sorted(chain.from_iterable(visited(alone, 1)))


def test_epochs_and_seeds_differ():
    feeds = [InParts(Numbered(4, 4), (1,), 3, seed) for seed in (0, 1)]
    assert len({str(visited(feed, epoch)) for feed in feeds for epoch in (1, 2)}) == 4


def test_the_next_part_is_read_while_one_is_computed_with_and_no_further():
    read, ahead = [], threading.Event()

    class Watched(Numbered):
        def some(self, index, chosen=None):
            read.append(index)
            ahead.set()
            return super().some(index, chosen)

    blocks = InParts(Watched(4, 4, 4), (1,), 4, seed=0).epoch(1)
    next(blocks)
    ahead.wait(10)
    blocks.close()
    assert len(read) <= 2


def test_the_next_epoch_begins_while_the_last_part_of_one_is_computed_with():
    read = []

    class Watched(Numbered):
        def some(self, index, chosen=None):
            read.append(index)
            return super().some(index, chosen)

    feed, afresh = InParts(Watched(4, 5, 6), (1,), 4, seed=0), InParts(Numbered(4, 5, 6), (1,), 4, seed=0)
    assert visited(feed, 1, more=True) == visited(afresh, 1)
    assert len(read) == 4
    assert visited(feed, 2) == visited(afresh, 2)
    assert len(read) == 6  # no part twice, and none beyond the last epoch


def loader(size=20, x=X, y=Y, **options):
    return from_arrays(x, y, size=size, **options)


def train(source, **options):
    options = {"epochs": 4, "batch_size": 16, "progress": False} | options
    return fit(NETWORK, source, **options)


def test_a_loader_trains_as_well_as_arrays():
    model = train(loader(), epochs=60, optimizer="Adam(0.02)")
    assert model.evaluate(X, Y)["accuracy"] > 0.95
    assert model.input_shape == (4,)
    assert model.classes == (0, 1)


def test_a_seed_gives_the_same_bits_however_it_is_cut_into_chunks(monkeypatch):
    one = to_bytes(train(loader()))
    monkeypatch.setattr("chainrule.training.loop.CHUNK", 0.0)
    assert to_bytes(train(loader())) == one


def test_weights_and_validation_go_with_it():
    weights = np.where(Y, 1, 0).astype(np.float32)
    model = train(loader(weights=weights), validation=(X, Y), epochs=30, optimizer="Adam(0.02)")
    assert model.predict(X).all()  # the others count nothing
    assert "validation_accuracy" in model.history.rows[0]


def test_a_loader_may_be_measured_on():
    model = train(loader(), validation=loader(7))
    found = model.evaluate(loader(7))
    assert found == pytest.approx(model.evaluate(X, Y))
    assert found == {name: model.history.rows[-1][f"validation_{name}"] for name in found}
    with pytest.raises(ChainruleError, match="evaluate: a loader gives the targets and the weights too"):
        model.evaluate(loader(), Y)
    with pytest.raises(ChainruleError, match=r"evaluate, part 2: x\[0, 0\] is nan"):
        model.evaluate(odd(2, X[:20] * np.nan, Y[:20]))


def test_it_goes_on_from_a_checkpoint():
    kept = []
    train(loader(), epochs=2, callbacks=[lambda end: kept.append(end.checkpoint())])
    for one, other in zip(
        jax.tree.leaves(train(loader(), epochs=2, after=kept[-1]).parameters),
        jax.tree.leaves(train(loader()).parameters),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_sequences_of_one_padded_length():
    x = Masked(random.normal(size=(12, 5, 2)), np.arange(5) < random.integers(1, 6, 12)[:, None])
    parts = Rows([6, 6], lambda start, stop: (jax.tree.map(lambda a: a[start:stop], x), Y[start:stop]))
    model = fit("GRU(3) >> Dense(2) >> Softmax()", parts, epochs=1, batch_size=4, progress=False)
    assert np.isfinite(model.history["cost"]).all()


def odd(index: int, *examples):
    """A loader of which one part is other examples."""
    whole = loader()
    return type("Odd", (), {"rows": whole.rows, "part": lambda self, i: examples if i == index else whole.part(i)})()


def saying(rows):
    """A loader that says other rows of its parts."""
    return type("Saying", (), {"rows": rows, "part": loader().part})()


@pytest.mark.parametrize("rows", [[], 60, [20, 0], [20, -1], [20.0, 40.0], "ab", None])
def test_rows_that_are_not_said(rows):
    message = "fit: expected of the loader, as its rows, a whole number of 1 or more for each part, got "
    with pytest.raises(ChainruleError, match=message):
        train(saying(rows))
    message = "validation: expected of the loader, as its rows"
    with pytest.raises(ChainruleError, match=message):
        train(loader(), validation=saying(rows))


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (type("None", (), {"rows": [20], "part": lambda *_: None})(), {}, "fit, part 0: expected .* got NoneType."),
        (loader(), {"y": Y}, "fit: a loader gives the targets and the weights too. Leave y and sample_weight out."),
        (loader(), {"batch_size": "all"}, 'batch_size "all" needs all examples at once, and a loader gives parts.'),
        (loader(), {"validation": 0.1}, r"no fraction can be set apart of a loader. Give validation=\(x, y\)"),
        (odd(2, X[:20]), {}, r"fit, part 2: expected \(x, y\) or \(x, y, weights\) from the loader, got 1 values."),
        (odd(2, X[:20, :3], Y[:20]), {}, r"fit, part 2: expected examples of shape \(rows, 4\), got \(20, 3\)."),
        (odd(2, X[:19], Y[:19]), {}, "fit, part 2: expected 20 rows, as the loader says, got 19."),
        (odd(2, X[:20], Y[:20], Y[:20] + 1), {}, r"expected x of float32\[4\].*weights of none, as in the first part"),
        (odd(2, X[:20] * np.nan, Y[:20]), {}, r"fit, part 2: x\[0, 0\] is nan, expected finite numbers."),
        (odd(2, X[:20], Y[:20] + 5), {}, "fit, part 2: y has the class number"),
    ],
)
def test_what_does_not_fit_is_named(source, options, message):
    with pytest.raises(ChainruleError, match=message):
        train(source, **options)
