"""What costs take as expected outputs: a kind of targets is a fact that a cost declares."""

import math
from typing import NamedTuple


class Targets(NamedTuple):
    """A kind of expected outputs E.

    Attributes:
        least, most: the numbers that may be.
        no, yes: what an output is to be where the class is another, and where it is its own.
        fewest: for how many outputs at least whole numbers are class numbers: for one, if it tells two classes apart.
        of_all: whether numbers for all outputs tell classes too: the probability of each.
    """

    least: float = -math.inf
    most: float = math.inf
    no: float = 0
    yes: float = 1
    fewest: float = 2
    of_all: bool = False


VALUES = Targets()
"""Any numbers."""

POSITIVE = Targets(least=0, fewest=math.inf)
"""Numbers that are not negative: counts, prices, times."""

PROBABILITIES = Targets(0, 1, fewest=1)
"""The probability of each output's own event: 0, 1 or between."""

CLASSES = Targets(least=0, of_all=True)
"""Numbers of classes, or a probability for each of them."""

SIGNS = Targets(-1, 1, no=-1, fewest=1)
"""−1 or +1 for each output: whether it is of its class."""
