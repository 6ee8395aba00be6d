"""What is chosen where nothing is said."""

import math

from chainrule.preparation import Preparation

STEPS = 3000  # enough for small data; early stopping cuts what is too much
FEWEST, MOST = 20, 300


def default_network(preparation: Preparation) -> str:
    """A network that suits the data, in its notation.

    >>> default_network(Preparation.fit({"a": [1.0, 2.0], "b": ["yes", "no"]}))
    'Dense(128) >> ReLU() >> Dropout(0.2) >> Dense(2) >> Softmax()'
    """
    if len(preparation.input_shape) > 1:
        body = "Flatten() >> Dropout(0.1) >> Dense(256) >> ReLU() >> Dropout(0.5)"
    elif preparation.task == "classification":
        body = "Dense(128) >> ReLU() >> Dropout(0.2)"
    else:
        body = "Dense(64) >> ReLU() >> Dense(64) >> ReLU()"
    classes = len(preparation.classes)
    return f"{body} >> Dense({classes}) >> Softmax()" if classes else f"{body} >> Dense(1)"


def default_epochs(rows: int, batch_size: int) -> int:
    """A number of epochs that gives small data enough steps and large data enough looks.

    >>> default_epochs(1258, 32), default_epochs(40_000, 32)
    (75, 20)
    """
    return min(max(round(STEPS / math.ceil(rows / batch_size)), FEWEST), MOST)


def default_patience(epochs: int) -> int:
    """Epochs without a fall of the validation cost before training stops.

    >>> default_patience(75)
    15
    """
    return max(epochs // 5, 5)
