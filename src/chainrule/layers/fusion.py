"""What neighbours in a chain compute together: rules by their exact types, since a subclass may have another formula.

max(0, max(x)) is max(max(0, x)) to the bit, in value and gradient: where the largest is not above 0, no gradient
passes, whichever input it would reach. So a rectifier is computed behind the maximum that it stands before, where it
has less to do.
"""

import math
from collections.abc import Sequence
from typing import Any

from chainrule.activations import ReLU
from chainrule.arrays.dtypes import promoted
from chainrule.formula.fusion import together
from chainrule.formula.layer import Context, Layer
from chainrule.kernels.pooled import pooled_convolution
from chainrule.layers.convolution import Conv1D, Conv2D
from chainrule.layers.pooling import MaxPool1D, MaxPool2D

CELLS = 255  # of a window, of which a byte tells the largest; one number is for none


def _behind(convolution: type[Layer], pool: type[Layer]) -> list[tuple[type[Layer], ...]]:
    return [(convolution, *rest) for rest in ((ReLU,), (pool,), (pool, ReLU), (ReLU, pool))]


@together(*_behind(Conv1D, MaxPool1D), *_behind(Conv2D, MaxPool2D))
def convolved(layers: Sequence[Any], p: Sequence[Any], x: Any, mask: Any) -> tuple[Any, Any]:
    """A convolution with the maximum and the rectifier behind it, which writes only what they keep."""
    first, *behind = sorted(layers, key=_rectifies)  # the rectifier last
    if mask is not None or first.groups > 1:
        return one_by_one([first, *behind], p, x, mask)
    x, own = promoted(x, p[0])
    pools = [layer.window(first.output_shape(x.shape[1:])) for layer in behind if not _rectifies(layer)]
    size = pools[0].size if pools else (1,) * first.rank
    if not all(pool.side_by_side for pool in pools) or math.prod(size) > CELLS:
        return one_by_one([first, *behind], p, x, mask)
    rectified = len(behind) > len(pools)
    kernel, bias = first.weights(own)
    return pooled_convolution(x, kernel, bias, first.window(x.shape[1:]), size, rectified), None


@together((ReLU, MaxPool1D), (ReLU, MaxPool2D))
def rectified_last(layers: Sequence[Any], p: Sequence[Any], x: Any, mask: Any) -> tuple[Any, Any]:
    """A rectifier behind the maximum that it stands before."""
    return one_by_one(sorted(layers, key=_rectifies), p, x, mask)


def one_by_one(layers: Sequence[Layer], p: Sequence[Any], x: Any, mask: Any) -> tuple[Any, Any]:
    """What layers without state and noise compute one after another, and the mask."""
    for layer, own in zip(layers, p, strict=True):
        x, _, mask = layer.through(own, {}, x, Context(mask=mask))
    return x, mask


def _rectifies(layer: Layer) -> bool:
    return type(layer) is ReLU
