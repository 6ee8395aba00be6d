"""Values that are known: constants, identities, and what was trained elsewhere."""

import dataclasses

import numpy as np

from chainrule.arrays.devices import put
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import constrained, number
from chainrule.initializers.base import Initializer


class Zeros(Initializer):
    """All zeros.

    >>> import jax
    >>> Zeros()(jax.random.key(0), (2,)).tolist()
    [0.0, 0.0]
    """

    textbook = "0"

    def __call__(self, key, shape):
        return put(np.zeros(shape, np.float32))


class Constant(Initializer):
    """The same value everywhere.

    >>> import jax
    >>> Constant(0.25)(jax.random.key(0), (2,)).tolist()
    [0.25, 0.25]
    """

    value: float = number(meaning="every entry")
    textbook = "value"

    def __call__(self, key, shape):
        return put(self.value + np.zeros(shape, np.float32))


class Eye(Initializer):
    """The identity as a matrix, times a gain: each unit is given its own input, and what is more is given nothing.

    `RNN(64, activation=ReLU(), recurrent_initializer=Eye())` begins by keeping what it has seen.

    Reference: Le, Jaitly & Hinton, 2015, A simple way to initialize recurrent networks of rectified linear units,
    arXiv:1504.00941.

    >>> import jax
    >>> Eye()(jax.random.key(0), (2, 3)).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """

    gain: float = number(1.0, "every entry of the diagonal")
    textbook = "W[i, j] = gain if i == j else 0"

    def __call__(self, key, shape):
        if len(shape) != 2:
            raise ChainruleError(f"{self!r}: expected a matrix, got shape {shape}. Dirac() is for convolutions.")
        return put(self.gain * np.eye(*shape).astype(np.float32))


class Dirac(Initializer):
    """The identity as a convolution, times a gain: the middle of the window gives each filter its own channel.

    With `padding="same"` it passes its input on, to as many filters as there are channels; with groups, each its own.
    Of a window of even size the middle is what that padding leaves in place, where PyTorch takes the one behind.

    Reference: Zagoruyko & Komodakis, 2017, DiracNets: training very deep neural networks without skip-connections,
    arXiv:1706.00388.

    >>> import jax
    >>> Dirac()(jax.random.key(0), (3, 1, 2)).tolist()
    [[[0.0, 0.0]], [[1.0, 0.0]], [[0.0, 0.0]]]
    """

    gain: float = number(1.0, "the weight of each filter's own channel")
    textbook = "W[k, c, f] = gain if k == middle and c == f else 0"

    def __call__(self, key, shape):
        if len(shape) < 3:
            raise ChainruleError(
                f"{self!r}: expected a convolution's kernel, got shape {shape}. Eye() is for matrices."
            )
        kernel = np.zeros(shape, np.float32)
        kernel[tuple((size - 1) // 2 for size in shape[:-2])] = np.eye(shape[-2], shape[-1])
        return put(self.gain * kernel)


class Pretrained(Initializer):
    """Values that were trained elsewhere, from a `.npy` file of the parameter's shape.

    `Embedding(20000, 300, initializer=Pretrained("vectors.npy"))` begins with known word vectors, a row for each token.

    >>> Pretrained("vectors.npy")
    Pretrained('vectors.npy')
    """

    file: str = constrained(
        dataclasses.MISSING, "the file, as numpy.save writes it", "a file's name", lambda v: type(v) is str, (3, None)
    )
    draws = False
    textbook = "load(file)"

    def __call__(self, key, shape):
        try:
            values = np.load(self.file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ChainruleError(
                f"{self!r}: expected a .npy file of numbers: {error}. Write it by numpy.save."
            ) from None
        if not isinstance(values, np.ndarray) or values.shape != shape or values.dtype.kind not in "iuf":
            found = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else "several arrays"
            raise ChainruleError(f"{self!r}: expected numbers of shape {shape}, got {found}. Cut or fill the table.")
        return put(values.astype(np.float32))
