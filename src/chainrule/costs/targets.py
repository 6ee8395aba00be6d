"""What costs take as expected outputs: a kind of targets is a fact that a cost declares."""

import math
from typing import Any, NamedTuple

from chainrule.arrays.dtypes import check_each


class Targets(NamedTuple):
    """A kind of expected outputs E.

    Attributes:
        least, most: the numbers that may be.
        no, yes: what an output is to be where the class is another, and where it is its own.
        fewest: for how many outputs at least whole numbers are class numbers: for one, if it tells two classes apart.
        of_all: whether numbers for all outputs tell classes too: the probability of each.
        above: whether the least number itself may not be.
        only: whether nothing between `no` and `yes` may be.
        scores: whether the outputs for classes are scores of any size, rather than probabilities.
    """

    least: float = -math.inf
    most: float = math.inf
    no: float = 0
    yes: float = 1
    fewest: float = 2
    of_all: bool = False
    above: bool = False
    only: bool = False
    scores: bool = False

    @property
    def expected(self) -> str:
        """What a number must be, in words.

        >>> POSITIVE.expected, PROBABILITIES.expected, SIGNS.expected
        ('a number > 0', 'a number from 0 to 1', '-1 or 1')
        """
        if self.only:
            return f"{self.no:g} or {self.yes:g}"
        if math.isfinite(self.most):
            return f"a number from {self.least:g} to {self.most:g}"
        return f"a number {'>' if self.above else '>='} {self.least:g}"

    @property
    def have_classes(self) -> bool:
        """Whether whole numbers can be class numbers."""
        return math.isfinite(self.fewest)

    @property
    def bounded(self) -> bool:
        """Whether they are values that must stay within bounds, in whatever unit they are measured."""
        return math.isfinite(self.least) and not (self.of_all or self.scores)

    def check(self, E: Any, name: str) -> None:
        """Refuse the first number that can't be, by the name of the array and its place."""
        check_each(name, E, self.wrong, self.expected)

    def wrong(self, E: Any, slack: float) -> Any:
        """Which numbers can't be, but for rounding."""
        if self.only:
            return (self.no != E) & (self.yes != E)
        return (self.least >= E if self.above else self.least - slack > E) | (self.most + slack < E)


VALUES = Targets()
"""Any numbers; whole ones may number classes."""

NUMBERS = Targets(fewest=math.inf)
"""Any numbers, which tell no classes."""

NON_NEGATIVE = Targets(least=0, fewest=math.inf)
"""Numbers that are not negative: counts, claims."""

POSITIVE = NON_NEGATIVE._replace(above=True)
"""Numbers above 0: prices, times, powers."""

PROBABILITIES = Targets(0, 1, fewest=1)
"""The probability of each output's own event: 0, 1 or between."""

CLASSES = Targets(least=0, of_all=True)
"""Numbers of classes, or a probability for each of them."""

SIGNS = Targets(-1, 1, no=-1, fewest=1, only=True, scores=True)
"""−1 or +1 for each output: whether it is of its class."""

RANKED = CLASSES._replace(scores=True)
"""Numbers of classes, whose outputs are scores."""
