"""Layers that scale and shift each channel by numbers of its own."""

from chainrule.arrays.dtypes import of_axes, promoted
from chainrule.formula.layer import Layer, Parameter
from chainrule.initializers import Constant, Zeros


class Affine(Layer):
    """Each channel (the last axis) times a learned scale, plus a learned offset: Dense with a diagonal kernel.

    It is what normalisations end with, without the normalisation, and it begins as the identity. Neither is
    regularised. Keras' Rescaling has one scale and one offset, which are not trained.

    Reference: Touvron et al., 2021, ResMLP: feedforward networks for image classification with data-efficient training,
    arXiv:2105.03404.

    >>> import jax.numpy as jnp
    >>> p = {"scale": jnp.array([1.0, 10.0]), "offset": jnp.array([0.0, 0.5])}
    >>> Affine().forward(p, jnp.array([[1.0, 2.0]])).tolist()
    [[1.0, 20.5]]
    """

    scale: bool = True
    offset: bool = True
    textbook = "y[c] = scale[c] * x[c] + offset[c]"

    def in_textbook(self):
        text = self.textbook if self.scale else self.textbook.replace("scale[c] * ", "")
        return text if self.offset else text.replace(" + offset[c]", "")

    def output_shape(self, shape):
        if not shape:
            raise self.refuse("examples of at least one axis", shape, "Put Reshape((1,)) before it.")
        return shape

    def parameters(self, shape):
        self.output_shape(shape)
        declared = {"scale": Parameter(shape[-1:], Constant(1.0)), "offset": Parameter(shape[-1:], Zeros())}
        return {name: each for name, each in declared.items() if getattr(self, name)}

    def forward(self, p, x):
        x, p = promoted(x, p)
        y = x * of_axes(p["scale"], x) if self.scale else x
        return y + of_axes(p["offset"], x) if self.offset else y
