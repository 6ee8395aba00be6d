import itertools
from collections.abc import Callable

import numpy as np
import pytest

from chainrule.metrics import Accuracy
from chainrule.runs.comparison.comparison import Comparison
from chainrule.runs.comparison.trial import Trial

ROWS = {"train": 70, "validation": 10, "test": 20}


@pytest.fixture
def compared() -> Callable[..., Comparison]:
    """Makes a comparison of the accuracies of each candidate's seeds; NaN is one that diverged."""

    def comparison(
        axes: dict[str, list[str]],
        accuracies: list[list[float]],
        *,
        metric=Accuracy(),  # noqa: B008
        redrawn=True,
        rows=ROWS,
        tuned=(),
    ):
        label = "cost" if metric is None else metric.label()
        trials = [
            Trial(
                dict(zip(axes, choices, strict=True)),
                seed,
                {"optimizer.learning_rate": tuned[seed]} if tuned else {},
                {} if np.isnan(value) else {"cost": 1 - value, label: value},
                {"cost": 0.5, label: 0.5},
                {"epoch": [1, 2], "cost": [1.0, 0.5], "validation_cost": [1.0, 0.6], f"validation_{label}": [0.3, 0.4]},
                rows,
                2,
                0.25,
                1 / len(values),
                "the cost is no longer finite" if np.isnan(value) else None,
            )
            for choices, values in zip(itertools.product(*axes.values()), accuracies, strict=True)
            for seed, value in enumerate(values)
        ]
        return Comparison(tuple(trials), axes, metric, redrawn, "flowers")

    return comparison
