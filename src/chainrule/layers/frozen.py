"""A layer around any other that keeps training away from it."""

from dataclasses import replace

import jax

from chainrule.formula.layer import Composition, Layer
from chainrule.formula.network import is_parameter


class Frozen(Composition):
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

    layer: Layer
    textbook = "layer(x)"

    @property
    def tokens(self):
        return self.layer.tokens

    @property
    def categories(self):
        return self.layer.categories

    def parts(self, shape):
        yield self.layer, shape

    def output_shape(self, shape):
        return self.layer.output_shape(shape)

    def parameters(self, shape):
        declared = self.layer.parameters(shape)
        return jax.tree.map(lambda p: p._replace(trainable=False), declared, is_leaf=is_parameter)

    def state(self, shape):
        return self.layer.state(shape)

    def through(self, p, state, x, context):
        y, _, mask = self.layer.through(p, state, x, replace(context, key=None, training=False))
        return y, state, mask
