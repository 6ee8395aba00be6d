"""Runs: from a table to a folder that holds a trained model and all that is known of it."""

from chainrule.runs.measuring import Measured, evaluate
from chainrule.runs.planning import Plan, plan
from chainrule.runs.repeating import Followed, repeated
from chainrule.runs.running import EVERY, Run, carry_out, claimed, follow, reopened, resume, train

__all__ = [
    "EVERY",
    "Followed",
    "Measured",
    "Plan",
    "Run",
    "carry_out",
    "claimed",
    "evaluate",
    "follow",
    "plan",
    "reopened",
    "repeated",
    "resume",
    "train",
]
