"""Runs: from a table to a folder that holds a trained model and all that is known of it."""

from chainrule.runs.measuring import Measured, evaluate
from chainrule.runs.planning import Plan, plan
from chainrule.runs.running import Run, carry_out, claimed, train

__all__ = ["Measured", "Plan", "Run", "carry_out", "claimed", "evaluate", "plan", "train"]
