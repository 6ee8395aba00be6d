"""A layer for tables: categories become learned vectors, and stand beside the numbers."""

from typing import Any

import jax.numpy as jnp

from chainrule.formula.constraints import axes, positive_int
from chainrule.formula.layer import Layer, Parameter
from chainrule.initializers import Initializer, Uniform
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


def _rows(table: Any, numbers: Any) -> Any:
    """The rows of a table with these numbers; zeros where it has none."""
    known = (numbers >= 0) & (numbers < len(table)) & (numbers == jnp.floor(numbers))
    return jnp.where(known[:, None], table[jnp.where(known, numbers, 0).astype(jnp.int32)], 0)
