"""Sparse rows: the same rows as dense ones, in every use, and made dense a batch at a time."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from chainrule.arrays.sparse import Sparse, dense
from chainrule.errors import ChainruleError
from chainrule.training import fit

rng = np.random.default_rng(0)
X = (rng.normal(size=(60, 40)) * (rng.uniform(size=(60, 40)) < 0.05)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
NETWORK = "Dense(3) >> Tanh() >> Dense(2) >> Softmax()"


def refusal(action) -> str:
    with pytest.raises(ChainruleError) as caught:
        action()
    return str(caught.value)


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
    model = fit(network, sparse.csr_array(tokens), tokens[:, 3] % 2, epochs=1, batch_size=4, progress=False)
    np.testing.assert_array_equal(model(sparse.csr_array(tokens)), model(tokens))


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
