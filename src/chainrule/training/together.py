"""Trainings of one structure, each on examples of its own, carried out together: each chooses its rows of them all."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from chainrule.data.loaders import Whole
from chainrule.training.interrupt import Interrupt
from chainrule.training.keeping import Keeper
from chainrule.training.observers import Callback
from chainrule.training.plan import Plan
from chainrule.training.populations import Member, trained


def together(plans: Sequence[Plan], callbacks: Sequence[Callback] = ()) -> list[Member]:
    """Train as planned, all in one program; each has what its own `fit` makes, to rounding.

    Ctrl-C ends them all, and one that diverges keeps its last good parameters and says so.

    Args:
        plans: alike but for numbers, seeds, and what is in their dense examples; those of one seed share theirs.
        callbacks: as of `fit`, told of each by its place.
    """
    keeper = Keeper(None, plans[0].steps, None, lambda _: b"")
    return trained(_of_all(plans), callbacks, keeper, Interrupt(), False, time.perf_counter(), quick=True)


def _of_all(plans: Sequence[Plan]) -> list[Plan]:
    """The plans, each of which chooses by their numbers its rows of the examples of all."""
    one = {plan.seed: plan for plan in plans}
    parts: list[Any] = [part for plan in one.values() for part in (plan.examples, plan.held_out) if part]
    whole = jax.tree.map(lambda *arrays: np.concatenate(arrays), *(part.part(0) for part in parts))
    counts = [sum(part.rows) for part in parts]
    ends = np.cumsum(counts).tolist()
    chosen = [Whole(whole, np.arange(end - count, end)) for count, end in zip(counts, ends, strict=True)]
    own = {id(part): rows for part, rows in zip(parts, chosen, strict=True)}
    return [
        replace(plan, examples=own[id(one[plan.seed].examples)], held_out=own.get(id(one[plan.seed].held_out)))
        for plan in plans
    ]
