"""Training: one pure step, compiled once, and the loop around it."""

from chainrule.training.checkpoint import Checkpoint
from chainrule.training.fit import fit
from chainrule.training.keeping import Checkpoints
from chainrule.training.observers import EpochEnd

__all__ = ["Checkpoint", "Checkpoints", "EpochEnd", "fit"]
