"""The end of a network: as many outputs as its targets need, the activation that makes them so, and its cost."""

from typing import Any

import numpy as np

from chainrule.activations import Activation, LogSoftmax, Sigmoid, Softmax
from chainrule.arrays.masked import Shape, parts
from chainrule.costs import Cost, Quadratic
from chainrule.errors import ChainruleError, counted, warn
from chainrule.formula.layer import Chain, Layer
from chainrule.formula.network import deciding
from chainrule.layers import Dense, Flatten
from chainrule.model.model import is_probable
from chainrule.notation.families import family

End = type[Activation] | None


def completed(network: Chain, shape: Shape, outputs: Shape, end: End = None) -> Chain:
    """A network with the output layer and the activation that it needs, where it does not end with them.

    >>> from chainrule.activations import ReLU
    >>> completed(Dense(8) >> ReLU(), (4,), (3,), Softmax)
    Dense(8) >> ReLU() >> Dense(3) >> Softmax()
    >>> completed(Dense(8) >> ReLU() >> Dense(3), (4,), (3,), Softmax)
    Dense(8) >> ReLU() >> Dense(3) >> Softmax()
    """
    layers, reached = network.layers, network.output_shape(shape)
    if end:
        _check_probable(layers[-1], end)
        if type(layers[-1]) is end or is_probable(layers[-1]):
            return network
    if reached != outputs or (end and isinstance(layers[-1], Activation)):
        layers = (*layers, *[Flatten()] * (len(reached) > len(outputs)), Dense(outputs[-1]))
    return Chain((*layers, end()) if end else layers)


def ended(network: Chain, shape: Shape, y: Any, cost: Cost | None, classes: tuple[Any, ...] | None) -> Chain:
    """The network that is trained on targets: completed where its end is open, with a warning that says so.

    The end is open where classes would come from something else than probabilities, or values from something else than
    a layer of as many outputs. A cost that is said decides by its first canonical activation; one that has none takes
    as many outputs as it needs as they are. A last Dense of another size is no open end, and is refused elsewhere.
    """
    y, last, reached = np.asarray(parts(y)[0]), network.layers[-1], network.output_shape(shape)
    count = _classes(y, network, reached, cost, classes)
    end: End = None
    each = cost.outputs_per_target if cost else 1
    if cost is not None:
        end = next(iter(cost.canonical_activations), None)
        if end is not None:
            _check_probable(last, end)
    elif count:
        end = Sigmoid if count == 2 and reached[-1] == 1 else Softmax
    if count:
        one = count == 2 and (end is Sigmoid or (cost or Quadratic()).targets.fewest == 1) and reached[-1] != 2
        outputs = (*y.shape[1:], 1 if one else max(count, 2))
    else:
        outputs = (*y.shape[1:], 1) if y.shape[1:] == reached[:-1] else y.shape[1:]
        outputs = (*outputs[:-1], outputs[-1] * each) if outputs else outputs
    fits = cost is not None and (isinstance(last, Activation) or end is None) and reached == outputs
    if fits or is_probable(last) or (isinstance(last, Dense) and reached != outputs):
        return network
    whole = completed(network, shape, outputs, end)
    if added := whole.layers[len(network.layers) :]:
        aim = f"{count} classes" if count else counted(outputs[-1] // each, "value", "values")
        warn(f"The network ends in {last!r}: {' >> '.join(map(repr, added))} is added, for {aim}.")
    return whole


def _check_probable(last: Layer, end: type[Activation]) -> None:
    """Refuse logarithms of probabilities, of which costs of probabilities would take the logarithm again."""
    if isinstance(last, LogSoftmax):
        raise ChainruleError(
            f"The network ends in {last!r}, the logarithms of probabilities, where probabilities are expected. "
            f"End it with {end.__name__}(), which its cost is computed together with."
        )


def default_cost(network: Chain) -> Cost:
    """The cost whose canonical activation ends the network, else Quadratic."""
    last = type(network.layers[-1])
    return next(
        (cost() for cost in family(Cost) if cost.is_default and last in cost.canonical_activations), Quadratic()
    )


def _classes(
    y: np.ndarray, network: Chain, reached: Shape, cost: Cost | None, classes: tuple[Any, ...] | None
) -> int | None:
    """How many classes the targets have, by the names or the last Dense, else by the numbers; None for values."""
    if classes:
        return len(classes)
    if y.dtype.kind in "USOb":
        return len(np.unique(y.astype(str)))
    fewest = (cost or Quadratic()).targets.fewest
    if y.dtype.kind in "iu" and y.shape[1:] == reached[:-1] and reached[-1] >= fewest:
        return max(reached[-1] if isinstance(deciding(network), Dense) else int(y.max(initial=0)) + 1, 2)
    return None
