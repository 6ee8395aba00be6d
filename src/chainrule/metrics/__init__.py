"""Metrics: how good the outputs are, in figures that people use.

On the host they are computed in float64, of as many examples as there are: what a metric needs to know of some is a
tally, and tallies add up (`TallyMetric`). One that is a mean over examples can also be followed during training
(`MeanMetric`). Classes are numbers 0, 1, … on the last axis; a single output is the probability of class 1. Where
examples have weights, a metric is the weighted one. In sequences and images each step or place is an example, padding
one of weight 0.
"""

from chainrule.metrics.agreement import BalancedAccuracy, Kappa, Matthews
from chainrule.metrics.base import MeanMetric, Metric, TallyMetric
from chainrule.metrics.classes import F1, Accuracy, ConfusionMatrix, Precision, Recall, TopK, predicted_classes
from chainrule.metrics.probabilities import BrierScore, CalibrationError, LogLoss
from chainrule.metrics.ranking import ROCAUC, AveragePrecision
from chainrule.metrics.values import MAE, MAPE, R2, RMSE, MedianAbsoluteError

__all__ = [
    "F1",
    "MAE",
    "MAPE",
    "R2",
    "RMSE",
    "ROCAUC",
    "Accuracy",
    "AveragePrecision",
    "BalancedAccuracy",
    "BrierScore",
    "CalibrationError",
    "ConfusionMatrix",
    "Kappa",
    "LogLoss",
    "Matthews",
    "MeanMetric",
    "MedianAbsoluteError",
    "Metric",
    "Precision",
    "Recall",
    "TallyMetric",
    "TopK",
    "predicted_classes",
]
