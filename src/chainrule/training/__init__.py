"""Training: one pure step, compiled once, and the loop around it."""

from chainrule.training.fit import EpochEnd, fit
from chainrule.training.step import Checkpoint

__all__ = ["Checkpoint", "EpochEnd", "fit"]
