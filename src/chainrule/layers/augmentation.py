"""Layers that mirror and move images in training, and leave them as they are afterwards."""

import jax
import jax.numpy as jnp

from chainrule.formula.constraints import fraction, positive_int
from chainrule.formula.layer import NoisyLayer
from chainrule.kernels.random import bernoulli


class _Moved(NoisyLayer):
    """Images that show the same, seen from elsewhere."""

    def output_shape(self, shape):
        if len(shape) != 3:
            raise self.refuse("images (height, width, channels)", shape, "Put it before the layers that flatten them.")
        return shape

    def forward(self, p, x):
        self.output_shape(x.shape[1:])
        return x


class Flip(_Moved):
    """In training, each image is mirrored, left for right, with probability `rate`.

    It suits what looks alike from either side, as animals do and letters don't. It is RandomFlip("horizontal") of
    Keras, and RandomHorizontalFlip of PyTorch, here as a part of the network that is trained.

    Reference: Krizhevsky, Sutskever & Hinton, 2012, ImageNet classification with deep convolutional neural networks.

    >>> Flip().forward({}, jnp.ones((1, 2, 2, 1))).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    rate: float = fraction(0.5, "the probability of an image to be mirrored")
    textbook = "y[i, j, c] = x[i, W - 1 - j, c] if B > 0 else x[i, j, c], B ~ Bernoulli(rate)"

    def noisy(self, p, x, key):
        self.output_shape(x.shape[1:])
        mirrored = bernoulli(key, self.rate, (len(x), 1, 1, 1))
        return jnp.where(mirrored, x[:, :, ::-1], x)


class Shift(_Moved):
    """In training, each image is moved by whole pixels, drawn from −pixels to pixels for each direction.

    What comes in at its edges is 0. It is RandomTranslation of Keras by (pixels + ½) / length with fill_mode="constant"
    and interpolation="nearest", and RandomCrop with padding of PyTorch.

    Reference: He, Zhang, Ren & Sun, 2016, Deep residual learning for image recognition, arXiv:1512.03385, section 4.2.

    >>> Shift(1).forward({}, jnp.ones((1, 2, 2, 1))).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    pixels: int = positive_int(2, "how far an image is moved at most")
    textbook = """
        u = floor(A), A ~ Uniform(-pixels, pixels + 1)
        v = floor(B), B ~ Uniform(-pixels, pixels + 1)
        y[i, j, c] = x[i + u, j + v, c]"""

    def noisy(self, p, x, key):
        height, width, _ = self.output_shape(x.shape[1:])
        padded = jnp.pad(x, ((0, 0), *((self.pixels, self.pixels),) * 2, (0, 0)))
        down, right = jax.random.randint(key, (2, len(x), 1), 0, 2 * self.pixels + 1, jnp.int32)
        image, row, column = (jnp.arange(size, dtype=jnp.int32) for size in (len(x), height, width))
        rows, columns = down + row[None], right + column[None]
        return padded[image[:, None, None], rows[:, :, None], columns[:, None, :]]
