"""The members of a population: the plan of each, from a plan whose formulas hold the numbers of all."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from chainrule.data.loaders import Whole
from chainrule.errors import ChainruleError
from chainrule.notation.choices import SEEDS, as_whole
from chainrule.training.checkpoint import Checkpoint, as_checkpoint
from chainrule.training.plan import Plan, set_apart

FORMULAS = "network", "cost", "optimizer", "regularizer", "early_stopping"
"""What may hold a number for each member."""


def listed(value: Any, name: str) -> list[Any] | None:
    """What is given for each member, as a list or an array; None where it is one for all."""
    if isinstance(value, Checkpoint | str) or not (isinstance(value, Sequence) or getattr(value, "ndim", 0)):
        return None
    values = value.tolist() if hasattr(value, "tolist") else [*value]  # type: ignore[attr-defined]
    if not values:
        raise ChainruleError(f"fit: {name} is an empty list. Give one for each network.")
    return values


def one_of(value: Any, each: list[Any] | None) -> Any:
    """What is one for all, or else the first member's."""
    return value if each is None else each[0]


def members(planned: Plan, seeds: list[Any] | None, after: list[Any] | None, validation: Any) -> list[Plan] | None:
    """The plans of a population's members; None where there is no population.

    Args:
        planned: what all share, with the numbers of all in its formulas, and the first of the seeds and checkpoints.
        seeds, after: of each member.
        validation: as `fit` was given it: of a fraction, each seed draws rows of its own.

    Raises:
        ChainruleError: where two things are given for unequal numbers of members, or one does not fit.
    """
    count = _count(planned, seeds, after)
    if count is None:
        return None
    seeds = [planned.seed] * count if seeds is None else [as_whole(seed, "fit: seed", *SEEDS) for seed in seeds]
    after = [planned.start] * count if after is None else [*map(as_checkpoint, after)]
    if len({len(place.history) if place else 0 for place in after}) > 1:
        raise ChainruleError("fit: after must be checkpoints of the same epoch. Train each network on by itself.")
    whole, drawn = planned.examples, {}
    if not isinstance(whole, Whole) and len({*seeds}) > 1:
        raise ChainruleError("fit: networks visit the parts of a loader together, in one order. Give one seed for all.")
    if isinstance(whole, Whole) and whole.chosen is not None:
        drawn = {seed: set_apart(validation, whole.examples, seed) for seed in {*seeds}}

    def member(index: int) -> Plan:
        examples, held_out = drawn.get(seeds[index], (whole, planned.held_out))
        own = {name: _own(getattr(planned, name), index) for name in FORMULAS}
        return replace(planned, **own, examples=examples, held_out=held_out, seed=seeds[index], start=after[index])

    return [*map(member, range(count))]


def _count(planned: Plan, seeds: list[Any] | None, after: list[Any] | None) -> int | None:
    """For how many members something is given; None where all of it is for one."""
    given = {name: len(each) for name, each in (("seed", seeds), ("after", after)) if each is not None}
    counts = [*given.items(), *_numbers(planned)]
    for name, count in counts:
        if count != counts[0][1]:
            raise ChainruleError(
                f"fit: {counts[0][0]} is given for {counts[0][1]} networks and {name} for {count}. "
                f"Give both for as many."
            )
    return counts[0][1] if counts else None


def _numbers(planned: Plan) -> Iterator[tuple[str, int]]:
    """How many numbers each field has that holds several, by its name."""
    for formula in FORMULAS:
        for path, numbers in jax.tree_util.tree_leaves_with_path(getattr(planned, formula)):
            name, shape = formula + jax.tree_util.keystr(path), np.shape(numbers)
            if len(shape) > 1 or shape == (0,):
                raise ChainruleError(f"fit: {name} is of shape {shape}. Give a list: a number for each network.")
            if shape:
                yield name, len(numbers)


def _own(formula: Any, index: int) -> Any:
    """The formula of one member."""
    return jax.tree.map(lambda numbers: float(numbers[index]) if np.ndim(numbers) else numbers, formula)
