"""A layer for texts as bags of words: a linear map of how often each word is in a text, and in how many others."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.devices import put
from chainrule.arrays.dtypes import of_axes, widened
from chainrule.arrays.masked import parts
from chainrule.arrays.memory import most
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import optional, positive_int
from chainrule.formula.layer import INFERENCE, Layer, Parameter
from chainrule.initializers import Initializer, Uniform, Zeros
from chainrule.kernels.mixtures import mixed
from chainrule.layers.embedding import check_exact, token

BLOCK = 1 << 12  # texts whose terms are counted at once
ENTRY = 8  # bytes of a term's number and share
FACTOR = 1640531527  # 2³² less its golden section, by which products spread out over all numbers of 32 bits


class Bag(NamedTuple):
    """Texts by the terms in them.

    Attributes:
        terms: their numbers, rising, int32 (texts, places); numbers beyond all terms come last.
        shares: how much each weighs, float32 (texts, places); those of a text have length 1.
    """

    terms: Any
    shares: Any


class TfIdf(Layer):
    """A linear map of a text's TF-IDF, the weights of its tokens and n-grams: (time,) of whole numbers → (units,).

    A token that is c times in the text weighs (1 + ln c) · idf, where idf = 1 + ln((1 + n) / (1 + m)) is large for one
    that few, m, of the n training inputs have; the weights of a text have length 1. `fit` counts them before its first
    step, in as many as 65,536 rows. A token that no training input has weighs nothing, and nor does padding.

    With `ngrams` of 2, pairs of neighbours count as tokens too, with 3 also those of three: by a hash of theirs, so
    that two may share one of the `buckets`.

    `TfIdf(20000, 2) >> Softmax()` is what scikit-learn's TfidfVectorizer(sublinear_tf=True, smooth_idf=True) and
    LogisticRegression compute together.

    Reference: Salton & Buckley, 1988, Term-weighting approaches in automatic text retrieval; Weinberger, Dasgupta,
    Langford, Smola & Attenberg, 2009, Feature hashing for large scale multitask learning, arXiv:0902.2206.

    >>> layer = TfIdf(4, 1, padding_id=0)
    >>> p = {"table": jnp.array([[9.0], [1.0], [2.0], [4.0]]), "bias": jnp.zeros(1)}
    >>> y, _ = layer.apply(p, {"idf": jnp.ones(4)}, jnp.array([[1, 0, 0, 0], [1, 3, 0, 0]]))
    >>> [round(float(each), 3) for each in y[:, 0]]
    [1.0, 3.536]
    """

    vocabulary: int = positive_int(meaning="the number of tokens; ids are 0 up to vocabulary - 1")
    units: int = positive_int(meaning="the number of outputs")
    ngrams: int = positive_int(1, "how many neighbours count as one token, at most")
    buckets: int = positive_int(32768, "how many numbers there are for n-grams of several tokens")
    padding_id: int | None = optional(token("the token that fills sequences up"))
    initializer: Initializer = Uniform()
    textbook = """
        c[t] = sum(x[s] == x[t] for s)
        w[t] = (1 + ln(c[t])) * idf[x[t]]
        y = sum(w[t] / c[t] * table[x[t]]) / sqrt(sum(w[t]**2 / c[t])) + bias"""

    def __post_init__(self):
        super().__post_init__()
        if self.padding_id is not None and self.padding_id >= self.vocabulary:
            raise ChainruleError(
                f"TfIdf: padding_id must be one of the {self.vocabulary} tokens, got {self.padding_id}. "
                f"They count from 0."
            )

    @property
    def tokens(self):
        return self.vocabulary

    @property
    def terms(self) -> int:
        """How many tokens and n-grams are told apart."""
        return self.vocabulary + self.buckets * (self.ngrams > 1)

    @property
    def learns(self):
        return True

    def output_shape(self, shape):
        if len(shape) != 1:
            raise self.refuse("sequences (time,) of tokens", shape, "Put Flatten() before it.")
        return (self.units,)

    def output_mask(self, x, mask):
        return None

    def parameters(self, shape):
        self.output_shape(shape)
        table = Parameter((self.terms, self.units), self.initializer, True)
        return {"table": table, "bias": Parameter((self.units,), Zeros())}

    def state(self, shape):
        return put({"idf": np.ones(self.terms, np.float32)})

    def forward(self, p, x):
        raise self.without_state()

    def apply(self, p, state, x, context=INFERENCE):
        bag = x if isinstance(x, Bag) else self._bag(jnp.asarray(state["idf"]), jnp.asarray(x), context.mask)
        y = mixed(widened(p["table"]), bag.shares, bag.terms)
        return (y + of_axes(widened(p["bias"]), y)).astype(p["table"].dtype), state

    def learned(self, p, state, x, mask):
        texts = np.zeros(self.terms, np.int64)
        for some in _blocks(np.asarray(x), mask):
            ids, count = self._counted(*some)
            texts += np.bincount(ids[count > 0], minlength=self.terms)
        return {"idf": np.where(texts, 1 + np.log((1 + len(x)) / (1 + texts)), 0).astype(np.float32)}

    def prepared(self, state, x):
        idf, (x, mask) = np.asarray(state["idf"]), parts(given := x)
        if x.size * self.ngrams * ENTRY > most():
            return given
        counts, terms, shares = [], [], []
        for block in _blocks(x, mask):
            some = self._bag(idf, *block)
            weigh = some.shares > 0
            counts.append(weigh.sum(axis=1))
            terms.append(some.terms[weigh])
            shares.append(some.shares[weigh])
        count = np.concatenate(counts)
        taken = np.arange(max(count.max(), 1)) < count[:, None]
        bag = Bag(np.full(taken.shape, self.terms, np.int32), np.zeros(taken.shape, np.float32))
        bag.terms[taken], bag.shares[taken] = np.concatenate(terms), np.concatenate(shares)
        return bag

    def _bag(self, idf: Any, x: Any, mask: Any) -> Bag:
        """The terms of texts, each where the last of equal ones stands, and their shares."""
        check_exact(self, self.vocabulary, x)
        xp: Any = np if isinstance(x, np.ndarray) else jnp
        ids, count = self._counted(x, mask)
        weight = xp.where(count > 0, (1 + xp.log(xp.maximum(count, 1))) * idf[xp.minimum(ids, self.terms - 1)], 0)
        length = xp.sqrt(xp.sum(weight**2, axis=1, keepdims=True))
        return Bag(ids, weight / xp.where(length > 0, length, 1))

    def _counted(self, x: Any, mask: Any) -> tuple[Any, Any]:
        """The terms of each text in order, and how often it has each: told where the last of equal ones stands, else 0.

        What is no term comes last, as a number beyond all terms, and is 0 times there.
        """
        xp: Any = np if isinstance(x, np.ndarray) else jnp
        ids, live = self._terms(x, mask)
        ids = xp.sort(xp.where(live, ids, np.int32(self.terms)), axis=1)
        place = xp.arange(ids.shape[1], dtype=np.int32)[None]
        changes = ids[:, 1:] != ids[:, :-1]
        first, last = (xp.pad(changes, ((0, 0), side), constant_values=True) for side in ((1, 0), (0, 1)))
        latest = np.maximum.accumulate if xp is np else jax.lax.cummax
        begin = latest(xp.where(first, place, 0), axis=1)
        return ids, xp.where(last & (ids < self.terms), place - begin + 1, 0).astype(np.float32)

    def _terms(self, x: Any, mask: Any) -> tuple[Any, Any]:
        """The numbers of a text's tokens and n-grams, (rows, terms), and which of them there are."""
        xp: Any = np if isinstance(x, np.ndarray) else jnp
        x, number, factor = x.astype(np.int32), x.astype(np.uint32), np.uint32(FACTOR)
        live = xp.ones(x.shape, bool) if self.padding_id is None else x != self.padding_id
        live = live if mask is None else live & mask
        found, whole = [(x, live)], live
        for n in range(1, min(self.ngrams, x.shape[1])):
            number = number[:, :-1] * factor + x[:, n:].astype(np.uint32)
            whole = whole[:, :-1] & live[:, n:]
            bucket = (number * factor >> np.uint32(8)) % np.uint32(self.buckets)
            found.append((self.vocabulary + bucket.astype(np.int32), whole))
        ids, lives = zip(*found, strict=True)
        return xp.concatenate(ids, axis=1), xp.concatenate(lives, axis=1)


def _blocks(x: np.ndarray, mask: Any) -> Iterator[tuple[np.ndarray, Any]]:
    """Texts and their mask, if they have one, so many at once that what is counted of them takes little memory."""
    for first in range(0, len(x), BLOCK):
        some = slice(first, first + BLOCK)
        yield x[some], None if mask is None else np.asarray(mask)[some]
