"""A layer around any other that keeps training away from it."""

from dataclasses import replace

import jax

from chainrule.formula.around import Around
from chainrule.formula.network import is_parameter


class Frozen(Around):
    """A layer that training leaves as it is: in training it computes what it computes in inference.

    Its parameters are drawn and saved as always, but no gradient is computed for them, and no optimizer or regulariser
    touches them; its statistics stay too, and it draws no noise. Gradients go through it to the layers before.

    `Frozen(Embedding(20000, 300, initializer=Pretrained("vectors.npy"))) >> GRU(32)` keeps known word vectors, and
    `Frozen(RNN(500, return_sequences=True)) >> Dense(1)` is a reservoir, of which the output alone is trained.

    Reference: Yosinski, Clune, Bengio & Lipson, 2014, How transferable are features in deep neural networks?,
    arXiv:1411.1792.

    >>> from chainrule.formula.network import count
    >>> from chainrule.layers import Dense
    >>> count(Frozen(Dense(100)) >> Dense(10), (20,))
    1010
    """

    textbook = "layer(x)"

    def parameters(self, shape):
        return jax.tree.map(lambda p: p._replace(trainable=False), super().parameters(shape), is_leaf=is_parameter)

    def through(self, p, state, x, context):
        y, _, mask = self.layer.through(p, state, x, replace(context, key=None, training=False))
        return y, state, mask
