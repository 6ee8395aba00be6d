"""Layers for tables: categories become learned vectors, and so do numbers."""

import math
from typing import Any

import jax.numpy as jnp

from chainrule.arrays.dtypes import promoted
from chainrule.formula.constraints import axes, positive, positive_int
from chainrule.formula.layer import Layer, Parameter
from chainrule.initializers import Initializer, Normal, Uniform, Zeros
from chainrule.kernels.waves import waves
from chainrule.layers.embedding import check_exact


class EntityEmbedding(Layer):
    """A learned vector for each value of each category: (columns,) → (categories · units + the other columns,).

    The first columns are categories, by number; each has a table of its own. The other columns pass as they are. A
    number that is none of a category's (−1 for a value never seen, a fraction, NaN) has a vector of zeros; `fit`
    refuses fractions there, which standardised columns have.

    `OrdinalEncoder` in a `ColumnTransformer` gives such columns.

    Reference: Guo & Berkhahn, 2016, Entity embeddings of categorical variables, arXiv:1604.06737.

    >>> EntityEmbedding((5, 7), units=3).output_shape((8,))
    (12,)
    """

    vocabularies: tuple[int, ...] = axes(meaning="how many values each category has")
    units: int = positive_int(4, meaning="the length of a value's vector")
    initializer: Initializer = Uniform()
    textbook = "y[c] = tables[c, x[c]]"

    @property
    def categories(self):
        return len(self.vocabularies)

    def output_shape(self, shape):
        categories = self.categories
        if len(shape) != 1 or shape[0] < categories:
            raise self.refuse(f"rows of {categories} categories or more", shape, "Name as many as the rows have.")
        return (categories * self.units + shape[0] - categories,)

    def parameters(self, shape):
        return {"tables": tuple(Parameter((values, self.units), self.initializer) for values in self.vocabularies)}

    def forward(self, p, x) -> Any:
        categories = self.categories
        check_exact(self, max(self.vocabularies), x)
        vectors = [_rows(table, x[:, column]) for column, table in enumerate(p["tables"])]
        return jnp.concatenate([*vectors, x[:, categories:]], axis=1)


class Periodic(Layer):
    """A vector for each number, of learned waves: (columns,) → (columns · units,).

    Each column has frequencies and phases of its own, and a linear map of its waves, so that layers behind it see where
    on its axis a number stands, as trees do; without it a network finds sharp bends late. Columns should be
    standardised. Holzmüller et al. keep each number beside its vector: `Identity() | Periodic()`, whose defaults are
    theirs. Gorishniy et al. take a sine and a cosine of each frequency in the place of a phase, and end it with ReLU.

    Reference: Gorishniy, Rubachev & Babenko, 2022, On embeddings for numerical features in tabular deep learning,
    arXiv:2203.05556; Holzmüller, Grinsztajn & Steinwart, 2024, Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data, arXiv:2407.04491.

    >>> Periodic(16, units=3).output_shape((8,))
    (24,)
    """

    frequencies: int = positive_int(16, "how many waves a column has")
    units: int = positive_int(3, "the length of a number's vector")
    sigma: float = positive(0.1, "σ, the standard deviation of the frequencies when they are drawn")
    textbook = "y[c] = cos(2 * pi * frequency[c] * x[c] + phase[c]) @ kernel[c] + bias[c]"

    def output_shape(self, shape):
        if len(shape) != 1:
            raise self.refuse("rows of columns", shape, "Put Flatten() before it.")
        return (shape[0] * self.units,)

    def parameters(self, shape):
        self.output_shape(shape)
        waves, vectors = (*shape, self.frequencies), (*shape, self.units)
        return {
            "frequency": Parameter(waves, Normal(self.sigma)),
            "phase": Parameter(waves, Uniform(-math.pi, math.pi)),
            "kernel": Parameter((*waves, self.units), Normal(self.frequencies**-0.5), True),
            "bias": Parameter(vectors, Zeros()),
        }

    def forward(self, p, x) -> Any:
        x, p = promoted(x, p)
        vectors = waves(x, p["frequency"], p["phase"], p["kernel"], p["bias"])
        return vectors.reshape(len(x), *self.output_shape(x.shape[1:]))


def _rows(table: Any, numbers: Any) -> Any:
    """The rows of a table with these numbers; zeros where it has none."""
    known = (numbers >= 0) & (numbers < len(table)) & (numbers == jnp.floor(numbers))
    return jnp.where(known[:, None], table[jnp.where(known, numbers, 0).astype(jnp.int32)], 0)
