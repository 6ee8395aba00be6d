"""What is chosen where nothing is said."""

import math
from typing import Literal

from chainrule.data.preprocessing import Preprocessor

STEPS = 2000  # enough for small data; early stopping cuts what is too much
FEWEST, MOST = 20, 300
BATCH = 32
FEWEST_OF_STREAM, BATCH_OF_STREAM = 5, 1024  # for rows that do not fit memory: one epoch is many steps
SMALL = 8  # pixels of an image's shorter side, for a dense layer to see it whole
SHORT = 64  # steps, for a recurrent layer to remember the first
CONVOLUTION = 'Conv1D(64, 3, padding="same") >> ReLU()'
RECURRENT = "GRU(64, reset_after=True) >> Dropout(0.2)"


def default_network(preprocessor: Preprocessor, outputs_per_target: int = 1) -> str:
    """A network that suits the data, in its notation.

    >>> default_network(Preprocessor.fit({"a": [1.0, 2.0], "b": ["yes", "no"]}))
    'Dense(128) >> ReLU() >> Dropout(0.2) >> Dense(2) >> Softmax()'
    """
    classes = len(preprocessor.classes)
    match preprocessor.kind:
        case "images":
            body = _convolutional(preprocessor.input_shape)
        case "series":
            body = f"{_shortening(preprocessor.input_shape)}{CONVOLUTION} >> {RECURRENT}"
        case "tokens":
            embedding = f"Embedding({preprocessor.vocabulary}, 64, padding_id=0)"
            body = f"{embedding} >> {_shortening(preprocessor.input_shape)}{RECURRENT}"
        case "arrays":
            body = "Flatten() >> Dense(256) >> ReLU() >> Dropout(0.5)"
        case "table":
            body = "Dense(128) >> ReLU() >> Dropout(0.2)" if classes else "Dense(64) >> ReLU() >> Dense(64) >> ReLU()"
    if classes:
        return f"{body} >> Dense({classes}) >> Softmax()"
    return f"{body} >> Dense({outputs_per_target * len(preprocessor.predicted)})"


def _shortening(shape: tuple[int, ...]) -> str:
    """Convolutions and poolings in time, each of which halves it, until it is short."""
    halvings = max(0, math.ceil(math.log2(shape[0] / SHORT)))
    return f"{CONVOLUTION} >> MaxPool1D(2) >> " * halvings


def _convolutional(shape: tuple[int, ...]) -> str:
    """Convolutions, each but on tiny images followed by a pooling: two, and more until images are small."""
    side, blocks = min(shape[:2]), []
    while len(blocks) < 2 or side > SMALL:
        blocks.append(f'Conv2D({64 if blocks else 32}, 3, padding="same") >> ReLU()')
        if side > 1:
            blocks[-1] += " >> MaxPool2D(2)"
        side //= 2
    return f"{' >> '.join(blocks)} >> Flatten() >> Dropout(0.5)"


def default_epochs(rows: int, batch_size: int | Literal["all"], stream: bool = False) -> int:
    """A number of epochs that gives small data enough steps and large data enough looks.

    >>> default_epochs(1258, 32), default_epochs(40_000, 32), default_epochs(20, "all")
    (50, 20, 300)
    >>> default_epochs(10**8, 1024, stream=True)
    5
    """
    steps = 1 if batch_size == "all" else math.ceil(rows / batch_size)
    return min(max(round(STEPS / steps), FEWEST_OF_STREAM if stream else FEWEST), MOST)


def default_batch_size(rows: int, stream: bool = False) -> int | Literal["all"]:
    """Examples a step; of a stream never all, which are not in memory together.

    >>> default_batch_size(1258), default_batch_size(20), default_batch_size(10**8, True)
    (32, 'all', 1024)
    """
    if stream:
        return min(BATCH_OF_STREAM, rows)
    return BATCH if rows > BATCH else "all"


def default_patience(epochs: int) -> int:
    """Epochs without a fall of the validation cost before training stops.

    >>> default_patience(50)
    10
    """
    return max(epochs // 5, 5)
