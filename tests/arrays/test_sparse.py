"""Sparse rows: the same rows as dense ones, in every use, and made dense a batch at a time."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from chainrule import NetworkClassifier
from chainrule.arrays.sparse import Sparse, dense
from chainrule.errors import ChainruleError
from chainrule.estimators.examples import Part, merged
from chainrule.training import fit

rng = np.random.default_rng(0)
X = (rng.normal(size=(60, 40)) * (rng.uniform(size=(60, 40)) < 0.05)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
NETWORK = "Dense(3) >> Tanh() >> Dense(2) >> Softmax()"


def refusal(action) -> str:
    with pytest.raises(ChainruleError) as caught:
        action()
    return str(caught.value)


@settings(max_examples=25)  # each shape is compiled
@given(st.integers(0, 5), st.integers(1, 30), st.data())
def test_no_entry_is_lost(rows, features, data):
    cells = st.tuples(st.integers(0, max(rows - 1, 0)), st.integers(0, features - 1), st.integers(-5, 5))
    places = data.draw(st.lists(cells, max_size=12 if rows else 0))
    row, column, values = (np.array([place[axis] for place in places], int) for axis in range(3))
    matrix = sparse.coo_array((values.astype(np.float32), (row, column)), (rows, features))  # entries may repeat
    np.testing.assert_array_equal(dense(Sparse.of(matrix)), matrix.toarray())


def test_what_is_not_sparse_enough_is_dense():
    assert isinstance(Sparse.of(sparse.csr_array(np.ones((2, 40)))), np.ndarray)
    assert isinstance(Sparse.of(sparse.csr_array(X)), Sparse)


@pytest.mark.slow
@pytest.mark.by_turns(3)
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_they_train_validate_and_predict_as_dense_ones_do(kind):
    options = {"epochs": 3, "batch_size": 8, "validation": 0.2, "early_stopping": 2, "progress": False}
    expected, model = fit(NETWORK, X, Y, **options), fit(NETWORK, kind(X), Y, **options)
    for row, dense_row in zip(model.history, expected.history, strict=True):
        assert row == pytest.approx(dense_row, rel=1e-5)
    np.testing.assert_allclose(model(X), expected(X), rtol=1e-4)
    for rows in (1, 7, 60):
        np.testing.assert_allclose(model(kind(X[:rows])), model(X[:rows]), rtol=1e-5)
    assert model.evaluate(kind(X), Y) == pytest.approx(model.evaluate(X, Y), rel=1e-5)
    held_out = (kind(X[:20]), Y[:20])
    assert len(fit(NETWORK, X, Y, validation=held_out, epochs=1, batch_size="all", progress=False).history) == 1


def test_tokens_come_sparse_too():
    tokens = np.zeros((8, 40), int)
    tokens[:, 3] = np.arange(8) % 4
    network = "Embedding(4, 2) >> GlobalAveragePool1D() >> Dense(2) >> Softmax()"
    options = {"epochs": 1, "batch_size": 4, "progress": False}
    model = fit(network, sparse.csr_array(tokens), tokens[:, 3] % 2, **options)
    assert model.history == fit(network, tokens, tokens[:, 3] % 2, **options).history
    np.testing.assert_array_equal(model(sparse.csr_array(tokens)), model(tokens))
    assert model.evaluate(sparse.csr_array(tokens), tokens[:, 3] % 2) == model.evaluate(tokens, tokens[:, 3] % 2)
    for wrong, said in ((9, "Enlarge the vocabulary: Embedding(10, …)."), (-1, "Count tokens from 0.")):
        tokens[5, 7] = wrong
        assert refusal(lambda: model(sparse.csc_array(tokens))).endswith(
            f"x[5, 7] is {tokens[5, 7]}, expected a token from 0 to 3. {said}"
        )


@pytest.fixture
def made_dense(monkeypatch):
    """How many rows of sparse matrices were made dense at once, each time."""
    seen = []
    for kind in (sparse.csr_array, sparse.csc_array, sparse.csr_matrix, sparse.csc_matrix, sparse.coo_array):
        toarray = kind.toarray
        monkeypatch.setattr(
            kind, "toarray", lambda self, toarray=toarray: seen.append(self.shape) or toarray(self), raising=False
        )
    return seen


def test_one_full_row_does_not_make_all_the_others_dense(made_dense):
    x = sparse.random_array((5000, 200), density=0.02, format="lil", rng=np.random.default_rng(0))
    x[3000] = 1.0
    x, y = sparse.csr_array(x, dtype=np.float32), np.arange(5000) % 2
    model = fit(NETWORK, x[:60], y[:60], epochs=1, batch_size=8, progress=False)
    estimator = NetworkClassifier((3,), epochs=1, random_state=0).fit(x[:600], y[:600])
    made_dense.clear()
    found = model(x), estimator.predict_proba(x)
    model.evaluate(x, y)
    estimator.score(x, y)
    assert {shape[0] for shape in made_dense} == {1024}
    assert len(made_dense) == 4  # the batch of that row, each time
    made_dense.clear()
    np.testing.assert_allclose(found[0], model(x.toarray()), rtol=1e-5)
    np.testing.assert_allclose(found[1], estimator.predict_proba(x.toarray()), rtol=1e-5)


def test_equal_rows_of_one_batch_are_found_without_making_all_dense(made_dense, monkeypatch):
    monkeypatch.setattr("chainrule.estimators.examples.NUMBERS", 600)
    x = sparse.csr_array(np.repeat(X, 2, axis=0))
    y, weights = np.repeat(Y, 2), np.arange(120) % 3
    options = {"epochs": 2, "batch_size": "all", "random_state": 0}
    trained = NetworkClassifier((3,), **options).fit(x, y, weights)
    assert set(made_dense) == {(120, 5)}  # some of the columns
    other = NetworkClassifier((3,), **options).fit(x.toarray(), y, weights)
    assert trained.history_["cost"] == pytest.approx(other.history_["cost"], rel=1e-6)
    part = Part(x.toarray(), y, weights.astype(np.float32))
    for one, two in zip(merged(part), merged(part._replace(x=x)), strict=True):
        np.testing.assert_array_equal(one, two.toarray() if sparse.issparse(two) else two)


def test_categories_among_sparse_columns(made_dense):
    x = np.where(rng.uniform(size=(60, 40)) < 0.1, rng.normal(size=(60, 40)), 0)
    x[:, 0] = np.arange(60) % 3
    network = "EntityEmbedding((3,), units=2) >> Dense(2) >> Softmax()"
    model = NetworkClassifier(network, epochs=1, batch_size=8, random_state=0).fit(sparse.csr_array(x), Y)
    assert set(made_dense) == {(60, 1)}
    np.testing.assert_allclose(model.predict_proba(sparse.csr_array(x)), model.predict_proba(x), rtol=1e-5)
    x[7, 0] = 0.5
    assert "x[7, 0] is 0.5, expected a category's number" in refusal(lambda: model.fit(sparse.csr_array(x), Y))


def test_what_can_not_be_used_is_refused_at_its_place():
    model = fit(NETWORK, X, Y, epochs=1, batch_size=8, progress=False)
    wild = X.copy()
    wild[7, 9] = np.inf
    assert refusal(lambda: fit(NETWORK, sparse.csc_array(wild), Y)) == (
        "fit: x[7, 9] is inf, expected finite numbers. Fill the gap or leave the row out."
    )
    assert refusal(lambda: model(sparse.csr_array(X[:, 1:]))).endswith(
        "expected examples of shape (rows, 40), got (60, 39)."
    )
    assert refusal(lambda: fit(NETWORK, sparse.csr_array(X.astype(complex)), Y)) == (
        "fit: expected x of real numbers, got complex128. Make of a complex number two real ones."
    )
    assert refusal(lambda: fit(NETWORK, sparse.coo_array(X[0]), Y)) == (
        "fit: expected examples of shape (rows, …), got (40,)."
    )


PROGRAM = """if True:
    import resource, sys
    import numpy as np
    from scipy import sparse
    from chainrule import NetworkClassifier
    rows, features = 6_000, int(sys.argv[1])
    x = sparse.random_array((rows, features), density=40 / features, format="csr", rng=np.random.default_rng(0))
    model = NetworkClassifier((4,), epochs=2, batch_size=32, early_stopping=2, random_state=0)
    model.partial_fit(x, np.arange(rows) % 3)
    assert model.predict(x).shape == (rows,)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
def test_a_sparse_matrix_is_never_dense_as_a_whole():
    most = [int(subprocess.check_output([sys.executable, "-c", PROGRAM, each])) for each in ("1000", "40000")]
    assert most[1] - most[0] < 6_000 * 40_000 * 4 / 2  # half of what a single dense copy takes
