"""Runs: from a table to a folder that holds a trained model and all that is known of it."""

from chainrule.runs.measuring import Measured, evaluate
from chainrule.runs.planning import Plan, plan
from chainrule.runs.repeating import repeated
from chainrule.runs.running import EVERY, Run, carry_out, claimed, reopened, resume, train

__all__ = [
    "EVERY",
    "Measured",
    "Plan",
    "Run",
    "carry_out",
    "claimed",
    "evaluate",
    "plan",
    "reopened",
    "repeated",
    "resume",
    "train",
]
