"""A trial: what one training of a comparison left."""

import json
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True)
class Trial:
    """What one training left, without its network.

    Attributes:
        choices: what it had of each axis, in notation.
        seed: of its parts, first values, shuffles and noise.
        tuned: fields whose values the validation part chose, and what it chose.
        measures: cost and metrics of the test part; of a training that diverged, none.
        validation: those of the validation part, at the epoch that is kept.
        history: the columns of the training's history.
        rows: how many examples each part has.
        epochs: how many there were.
        seconds: its share of the time in which it was trained with others, compilation included.
        compilations: its share of the programs that were compiled for them.
        error: why it diverged, if it did.
    """

    choices: dict[str, str]
    seed: int
    tuned: dict[str, float]
    measures: dict[str, float]
    validation: dict[str, float]
    history: dict[str, list[float]]
    rows: dict[str, int]
    epochs: int
    seconds: float
    compilations: float
    error: str | None = None

    @property
    def key(self) -> tuple[tuple[str, ...], int]:
        """By what it is known: its choices, in the order of the axes, and its seed."""
        return tuple(self.choices.values()), self.seed

    def to_json(self) -> str:
        """It in one line, every digit kept.

        >>> trial = Trial({"activation": "ReLU()"}, 0, {}, {"cost": 0.25}, {}, {"cost": [1.0, 0.5]}, {}, 2, 0.1, 1)
        >>> trial.to_json()[:50]
        '{"choices": {"activation": "ReLU()"}, "seed": 0, "'
        >>> Trial.from_json(trial.to_json()) == trial
        True
        """
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> Self:
        """A trial from its line."""
        return cls(**json.loads(line))
