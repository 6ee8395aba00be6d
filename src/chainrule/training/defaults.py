"""What is chosen where nothing is said: a network for the kind of data, and how it is trained, all of it in notation.

It was chosen by measurements on real data, benchmarks/NOTES.md has them. A network that is said is trained by Adam.
"""

import math
from typing import Literal, NamedTuple

from chainrule.arrays.masked import Shape
from chainrule.data.preprocessing import Kind

ADAMW = "AdamW(Warmup(CosineDecay({rate}), steps=20), weight_decay=0.02)"
RATE, TABLE_RATE = 0.001, 0.002  # the latter for tables, but of few rows' values, whose noise it would learn
SMOOTHING = 0.1  # of labels
STEPS, STEPS_OF_MANY = 2000, 3000  # enough; the latter for tables of many rows. Early stopping cuts what is too much
FEWEST, FEWEST_OF_TABLE = 20, 40  # epochs
MOST, MOST_OF_CLASSES = 300, 150  # epochs; the latter of a table's classes, which few rows tell sooner than values
SMALLEST, LARGEST = 32, 256  # batches
FEWEST_OF_STREAM, BATCH_OF_STREAM = 5, 1024  # for rows that do not fit memory: one epoch is many steps
SMALL = 8  # pixels of an image's shorter side, for a dense layer to see it whole
SHORT = 256  # steps of series, up to which all are convolved with
NARROW = 200  # inputs, up to which waves of each number cost little
FEW = 500  # rows, below which many units would learn the noise of values
MANY = 2000  # rows, from which on they tell more than they learn by heart
CHARACTERS, WORDS = 3, 2  # tokens of an n-gram


class Described(NamedTuple):
    """What the data are, as far as it matters to the choice.

    Attributes:
        kind: of examples.
        shape: of an example.
        rows: how many examples train.
        classes: how many there are; 0 where values are predicted.
        outputs: how many the values need.
        vocabulary: how many tokens there are, if any.
        letters: whether they are characters.
    """

    kind: Kind
    shape: Shape
    rows: int
    classes: int
    outputs: int = 1
    vocabulary: int | None = None
    letters: bool = False


class Default(NamedTuple):
    """A network, its cost, and what minimises it, in notation; no cost: the one that the network's end belongs to."""

    network: str
    cost: str | None
    optimizer: str


ADAM = Default("", None, "Adam()")
"""What trains a network that is said."""


def default(data: Described) -> Default:
    """What suits the data.

    >>> default(Described("table", (4,), 150, classes=3)).network
    'Dense(256) >> ReLU() >> Dropout(0.1) >> Dense(256) >> ReLU() >> Dropout(0.1) >> Dense(3) >> Softmax()'
    >>> default(Described("tokens", (100,), 4000, classes=2, vocabulary=5000))[::2]
    ('TfIdf(5000, 2, ngrams=2, padding_id=0) >> Softmax()', 'Nesterov(CosineDecay(1.0))')
    """
    classes, units = data.classes, data.classes or data.outputs
    if data.kind == "tokens":
        ngrams = CHARACTERS if data.letters else WORDS
        network = f"TfIdf({data.vocabulary}, {units}, ngrams={ngrams}, padding_id=0)"
        optimizer = f"Nesterov(CosineDecay({1.0 if classes else 0.5}))"
        return Default(f"{network} >> Softmax()" if classes else network, None, optimizer)
    network = f"{hidden(data)} >> Dense({units})"
    fast = data.kind == "table" and (data.classes or data.rows >= MANY)
    optimizer = ADAMW.format(rate=TABLE_RATE if fast else RATE)
    if not classes:
        return Default(network, None, optimizer)
    return Default(f"{network} >> Softmax()", f"CategoricalCrossEntropy(smoothing={SMOOTHING})", optimizer)


def hidden(data: Described) -> str:
    """The layers before the last one, of data that are no tokens.

    >>> hidden(Described("arrays", (2, 2, 2, 1), 150, classes=3))
    'Flatten() >> Dense(256) >> ReLU() >> Dropout(0.5)'
    """
    kind, shape = data.kind, data.shape
    if kind == "series":
        return f"{_in_time(shape)} >> GlobalAveragePool1D()"
    if kind == "images":
        return _convolutional(shape)
    if kind == "arrays":
        return "Flatten() >> Dense(256) >> ReLU() >> Dropout(0.5)"
    waves = not data.classes and shape[0] <= NARROW and data.rows >= MANY
    units = 64 if not data.classes and data.rows < FEW else 256
    layers = ["(Identity() | Periodic(sigma=0.3))"] * waves + [f"Dense({units}) >> ReLU() >> Dropout(0.1)"] * 2
    return " >> ".join(layers)


def _in_time(shape: Shape) -> str:
    """Convolutions in time, the first with the largest windows; a pooling behind each while series are long."""
    time, blocks = shape[0], []
    for size in (7, 5, 3):
        blocks.append(f"Conv1D(64, {size}, padding='same') >> BatchNorm() >> ReLU()")
        if time > SHORT:
            blocks[-1] += " >> MaxPool1D(2)"
            time //= 2
    return " >> ".join(blocks)


def _convolutional(shape: Shape) -> str:
    """Convolutions, each but on tiny images followed by a pooling: two, and more until images are small."""
    side, blocks = min(shape[:2]), []
    while len(blocks) < 2 or side > SMALL:
        blocks.append(f"Conv2D({64 if blocks else 32}, 3, padding='same') >> ReLU()")
        if side > 1:
            blocks[-1] += " >> MaxPool2D(2)"
        side //= 2
    return f"{' >> '.join(blocks)} >> Flatten() >> Dropout(0.5)"


def default_epochs(data: Described, batch_size: int | Literal["all"], stream: bool = False) -> int:
    """A number of epochs that gives small data enough steps and large data enough looks; those of tables are cheap.

    >>> few = Described("table", (4,), 150, classes=3)
    >>> default_epochs(few, 32), default_epochs(few._replace(classes=0), 32)
    (150, 300)
    >>> default_epochs(few._replace(rows=1258), 32), default_epochs(Described("images", (8, 8, 1), 1258, 10), 32)
    (50, 50)
    >>> default_epochs(few._replace(rows=40_000), 256), default_epochs(few._replace(rows=10**8), 1024, stream=True)
    (40, 5)
    """
    table = data.kind == "table"
    steps = 1 if batch_size == "all" else math.ceil(data.rows / batch_size)
    fewest = FEWEST_OF_STREAM if stream else FEWEST_OF_TABLE if table else FEWEST
    most = MOST_OF_CLASSES if table and data.classes else MOST
    wanted = STEPS_OF_MANY if table and data.rows >= MANY else STEPS
    return min(max(round(wanted / steps), fewest), most)


def default_batch_size(rows: int, stream: bool = False) -> int | Literal["all"]:
    """Examples a step, a power of two near a 32nd of the rows; of a stream never all, which are not in memory together.

    >>> [default_batch_size(rows) for rows in (20, 1258, 5000, 10**6)], default_batch_size(10**8, True)
    (['all', 32, 128, 256], 1024)
    """
    if stream:
        return min(BATCH_OF_STREAM, rows)
    if rows <= SMALLEST:
        return "all"
    return min(max(2 ** round(math.log2(rows / SMALLEST)), SMALLEST), LARGEST)


def default_patience(epochs: int) -> int:
    """Epochs without a fall of the validation cost before training stops.

    >>> default_patience(50)
    16
    """
    return max(epochs // 3, 5)
