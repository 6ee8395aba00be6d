"""What chance does to differences between trainings, each of which draws anew the rows that it is tested on.

Two draws of the same rows share most of them, so that their results resemble each other more than those of new rows
would; an ordinary t-test takes them for independent, and finds far too much. Nadeau and Bengio put the variance of a
mean over J draws, of which each trains on n₁ rows and tests on n₂, at (1/J + n₂/n₁) S², where the ordinary test has
S²/J, and S² is the variance between the draws. No number of draws brings it below n₂/n₁ S²: only more rows do.

References: Nadeau and Bengio, 2003, Inference for the generalization error. Bouckaert and Frank, 2004, Evaluating the
replicability of significance tests for comparing learning algorithms. Holm, 1979, A simple sequentially rejective
multiple test procedure.
"""

import math

import numpy as np

LEVEL = 0.05
"""How often chance alone may pass for a difference: once in twenty comparisons, all their pairs together."""

POWER = 0.8
"""How often a difference shall be seen that is there."""

ROUNDING = 2.0**-20
"""Of results of float32, in parts of their size: differences below are none."""

MOST = 10_000  # seeds that anybody may want to know of


def deviation(values: np.ndarray) -> np.ndarray:
    """The standard deviation S over the last axis, the draws; NaN of fewer than two."""
    return np.full(values.shape[:-1], np.nan) if values.shape[-1] < 2 else values.std(axis=-1, ddof=1)


def standard_error(values: np.ndarray, ratio: float) -> np.ndarray:
    """The standard error of a mean over the last axis, the draws; NaN of a single one.

    Args:
        values: (…, draws).
        ratio: n₂/n₁, test rows to all others; 0 where all draws have the same test rows, as in the ordinary formula.

    >>> values = np.array([0.95, 0.97, 0.96, 0.96])
    >>> standard_error(values, 0.0).round(4), standard_error(values, 0.25).round(4)
    (np.float64(0.0041), np.float64(0.0058))
    """
    return math.sqrt(1 / max(values.shape[-1], 1) + ratio) * deviation(values)


def p_values(one: np.ndarray, other: np.ndarray, ratio: float) -> np.ndarray:
    """How often chance alone makes means differ as much or more, by the corrected t-test of paired draws, two-sided.

    t = d̄ / √((1/J + n₂/n₁) S²) of the differences d has J − 1 degrees of freedom. Where all d are alike, S says
    nothing: they may be so by rounding, as shares of a few rows are; the sign test, 2 · 2⁻ᴶ, takes its place. Where
    all are none, the value is 1; of a single draw it is NaN.

    Args:
        one, other: (…, draws), each draw of both with the same rows.
        ratio: as in `standard_error`.

    >>> a, b = np.array([0.95, 0.97, 0.96, 0.96]), np.array([0.93, 0.94, 0.95, 0.94])
    >>> p_values(a, b, 0.0).round(4), p_values(a, b, 0.25).round(4)
    (np.float64(0.0163), np.float64(0.0405))
    """
    from scipy.special import stdtr

    differences, draws = _differences(one, other), one.shape[-1]
    if draws < 2:
        return np.full(differences.shape[:-1], np.nan)
    mean, error = differences.mean(axis=-1), standard_error(differences, ratio)
    alike = np.ptp(differences, axis=-1) <= ROUNDING * abs(mean)
    p = 2 * stdtr(draws - 1, -abs(mean) / np.where(alike, 1.0, error))
    return np.where(alike, np.where(mean == 0, 1.0, 2.0 ** (1 - draws)), p)


def holm(p: np.ndarray) -> np.ndarray:
    """P-values of several tests, corrected so that any false alarm among all of them is as rare as it is said of one.

    The least of m counts m times, the next m − 1 times, …, and none less than one before it.

    >>> holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    order = np.argsort(p)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]), 1.0)
    return corrected


def detectable(deviation: float, draws: float, ratio: float, pairs: int, power: float = POWER) -> float:
    """The smallest difference that a comparison sees in a share of cases.

    Args:
        deviation: S of paired differences.
        draws: J, of 2 at least; `math.inf` too.
        ratio: as in `standard_error`.
        pairs: how many differences are tested together; it counts the first step of `holm`, which is the hardest.
        power: the share.

    >>> [round(detectable(0.01, draws, 0.25, pairs=3), 4) for draws in (5, 10, 40, math.inf)]
    [0.0344, 0.0229, 0.0176, 0.0162]
    """
    from scipy.special import nctdtrinc, ndtri, stdtrit

    level = LEVEL / pairs / 2
    if draws == math.inf:
        return float((ndtri(power) - ndtri(level)) * math.sqrt(ratio) * deviation)
    shift = nctdtrinc(draws - 1, 1 - power, -stdtrit(draws - 1, level))
    return float(shift * math.sqrt(1 / draws + ratio) * deviation)


def draws_for(difference: float, deviation: float, ratio: float, pairs: int, power: float = POWER) -> int | None:
    """How many draws it takes to see a difference in a share of cases; None where no number does.

    >>> draws_for(0.02, 0.01, 0.25, pairs=3), draws_for(0.01, 0.01, 0.25, pairs=3)
    (17, None)
    """
    if difference <= detectable(deviation, MOST, ratio, pairs, power):
        return None
    fewest, most = 2, MOST
    while fewest < most:
        middle = (fewest + most) // 2
        enough = detectable(deviation, middle, ratio, pairs, power) <= difference
        fewest, most = (fewest, middle) if enough else (middle + 1, most)
    return fewest


def _differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    differences = one - other
    return np.where(abs(differences) <= ROUNDING * np.maximum(abs(one), abs(other)), 0.0, differences)
