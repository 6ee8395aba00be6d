"""Texts as bags of words: what scikit-learn's vectoriser makes of the same texts, and n-grams by their hashes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from chainrule import fit, load
from chainrule.arrays.masked import Masked
from chainrule.errors import ChainruleError
from chainrule.formula.context import Context
from chainrule.layers import TfIdf, bags
from chainrule.layers.bags import Bag

TEXTS = ["a b b c", "a a d", "c", "b d d d d d d", "a"]
NEW = ["b a b e", "e", "d"]  # with a word that no text has
IDS = {"_": 0, "?": 1, "a": 2, "b": 3, "c": 4, "d": 5}


def ids(texts):
    found = np.zeros((len(texts), 7), np.int32)
    for row, text in zip(found, texts, strict=True):
        row[: len(text.split())] = [IDS.get(word, 1) for word in text.split()]
    return found


def learned(layer, x):
    """The layer's statistics of some texts, and a table that tells each term's weight apart."""
    p = {"table": jnp.eye(layer.terms, layer.units), "bias": jnp.zeros(layer.units)}
    return p, layer.learned(p, None, x, None)


def test_it_weighs_words_as_scikit_learn_does():
    theirs = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w")
    expected = [theirs.fit_transform(TEXTS).toarray(), theirs.transform(NEW).toarray()]
    layer = TfIdf(6, 6, padding_id=0)
    p, state = learned(layer, ids(TEXTS))
    for texts, weights in zip((TEXTS, NEW), expected, strict=True):
        y = np.asarray(layer.apply(p, state, jnp.asarray(ids(texts)))[0])
        np.testing.assert_allclose(y[:, 2:], weights, rtol=1e-5, atol=1e-6)
        assert not y[:, :2].any()  # padding, and what is unknown


def test_steps_that_a_mask_leaves_out_are_as_padding():
    layer, x = TfIdf(6, 6 + 100, ngrams=2, buckets=100, padding_id=0), ids(TEXTS)
    p, state = learned(layer, x)
    anything = np.where(x == 0, 4, x)
    of_mask = layer.learned(p, None, anything, x != 0)
    np.testing.assert_array_equal(of_mask["idf"], state["idf"])
    cases = (x, None), (anything, x != 0)
    y, masked = (layer.apply(p, state, jnp.asarray(each), Context(mask=mask))[0] for each, mask in cases)
    np.testing.assert_array_equal(masked, y)


@pytest.mark.parametrize("ngrams", [1, 3])
def test_texts_that_are_prepared_come_to_the_same(ngrams):
    layer, x = TfIdf(6, 6 + 300 * (ngrams > 1), ngrams=ngrams, buckets=300, padding_id=0), ids([*TEXTS, *NEW, ""])
    p, state = learned(layer, x[: len(TEXTS)])
    for given in (x, Masked(np.where(x == 0, 4, x), x != 0)):
        bag = layer.prepared(state, given)
        assert isinstance(bag, Bag)
        assert bag.terms.shape[1] == max(np.count_nonzero(row < layer.terms) for row in bag.terms)
        np.testing.assert_allclose(np.sum(bag.shares**2, axis=1), [1] * 6 + [0, 1, 0], rtol=1e-6)
        y, of_bag = (layer.apply(p, state, each)[0] for each in (jnp.asarray(x), jax.tree.map(jnp.asarray, bag)))
        np.testing.assert_allclose(of_bag, y, rtol=1e-6, atol=1e-7)


def test_texts_stay_as_they_are_where_their_terms_may_not_fit_in_memory(monkeypatch):
    monkeypatch.setattr(bags, "most", lambda: ids(TEXTS).size * 2 * 8 - 1)
    for ngrams in (1, 2):
        layer = TfIdf(6, 2, ngrams=ngrams, padding_id=0)
        _, state = learned(layer, ids(TEXTS))
        assert isinstance(layer.prepared(state, ids(TEXTS)), np.ndarray) == (ngrams == 2)


def test_n_grams_tell_the_order_of_words():
    layer = TfIdf(6, 6 + 1000, ngrams=2, buckets=1000, padding_id=0)
    p, state = learned(layer, ids(TEXTS))
    one, other = np.asarray(layer.apply(p, state, jnp.asarray(ids(["a b", "b a"])))[0])
    assert np.count_nonzero(one) == 3
    assert np.count_nonzero(other) == 2  # since "b a" stands in no text, and weighs nothing
    assert np.count_nonzero(state["idf"]) == 4 + len({"ab", "bb", "bc", "aa", "ad", "bd", "dd"})


def test_it_trains_and_comes_back(tmp_path):
    x = ids(TEXTS * 8)
    model = fit("TfIdf(6, 2, ngrams=2, padding_id=0) >> Softmax()", x, (x == 3).any(axis=1).astype(int), epochs=30,
                optimizer="Adam(0.1)", progress=False)  # fmt: skip
    assert model.history["accuracy"][-1] == 1
    model.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "model.safetensors")(x), model(x))


def test_a_training_counts_terms_once_and_an_evaluation_comes_to_the_same(monkeypatch):
    x, seen, counted = ids(TEXTS * 8), [], TfIdf._counted
    monkeypatch.setattr(TfIdf, "_counted", lambda self, x, mask: seen.append(type(x)) or counted(self, x, mask))
    options = {"validation": (x[:9], x[:9, 0] % 2), "epochs": 3, "progress": False}
    for given in (x, Masked(x, x != 0)):
        seen.clear()
        model = fit("TfIdf(6, 2, ngrams=2, padding_id=0) >> Softmax()", given, x[:, 0] % 2, **options)
        assert seen == [np.ndarray] * 3  # to learn how many texts have each, of those to train and to validate on
        found = model.evaluate(x[:9], x[:9, 0] % 2)
        np.testing.assert_allclose(model.history["validation_cost"][-1], found["cost"], rtol=1e-5)
    seen.clear()
    sparse = scipy.sparse.csr_array(np.pad(x, [(0, 0), (0, 57)]))
    fit("TfIdf(6, 2, padding_id=0) >> Softmax()", sparse, x[:, 0] % 2, epochs=1, progress=False)
    assert np.ndarray in seen  # of the sample that is learned of
    assert {*seen} != {np.ndarray}  # since tokens that are given by their places are made dense a batch at a time


def test_what_it_does_not_take():
    with pytest.raises(ChainruleError, match=r"TfIdf: padding_id must be one of the 3 tokens, got 3\. They count from"):
        TfIdf(3, 2, padding_id=3)
    with pytest.raises(ChainruleError, match=r"expected sequences \(time,\) of tokens, got shape \(3, 4\)\. Put Flat"):
        TfIdf(3, 2).output_shape((3, 4))
