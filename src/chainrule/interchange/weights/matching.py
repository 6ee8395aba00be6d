"""Which of a file's modules is which of a network's: the first layer of a form takes the first module of that form."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, cut, nearest
from chainrule.interchange.weights.modules import Arrays, Module

Stored = dict[str, dict[str, np.ndarray]]
"""The arrays of a file by their modules, in order."""

SHOWN = 3  # modules that do not fit


def matched(wanted: Sequence[Module], stored: Stored, who: str, names: Iterable[str] | None = None) -> list[str]:
    """The name of the module in a file that is each of a network's.

    Of the modules in a file, each goes to the first layer whose arrays have its names and shapes, and that has none
    yet; so does the order decide among those that are alike, and nothing else has to be in it.

    Args:
        wanted: the network's modules.
        stored: the file's.
        who: the file.
        names: which of the file's modules to take, in the network's order: each stands for all that is within it.

    Raises:
        ChainruleError: where some of the network's modules, or of the file's, are left.
    """
    left = [*stored] if names is None else chosen(stored, names, who)
    found, lacking = [], []
    for module in wanted:
        name = next((name for name in left if fits(module, stored[name])), None)
        if name is None:
            lacking.append(module)
        else:
            left.remove(name)
            found.append(name)
    if lacking or left:
        raise ChainruleError(_side_by_side(lacking, {name: stored[name] for name in left}, who))
    return found


def chosen(stored: Stored, names: Iterable[str], who: str) -> list[str]:
    """The modules that names stand for."""
    found: list[str] = []
    for name in names:
        inside = [each for each in stored if each == name or re.match(rf"{re.escape(name)}[.\[]", each)]
        if not inside:
            known = dict.fromkeys(part for each in stored for part in _outer(each))
            raise ChainruleError(f"{who}: there is no module {name!r}.{nearest(name, known)} It has {_few([*stored])}.")
        found += [each for each in inside if each not in found]
    return found


def fits(module: Module, arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether a module's arrays are a network's, by their names and shapes."""
    declared = module.arrays
    return all(name in declared and declared[name].shape == array.shape for name, array in arrays.items()) and all(
        weight.optional or name in arrays for name, weight in declared.items()
    )


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key by which names are sorted as people do: 2 before 10.

    >>> sorted(["10.weight", "2.weight", "1.bias"], key=natural)
    ['1.bias', '2.weight', '10.weight']
    """
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", name)]


def _outer(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[: end + 1]) for end in range(len(parts)))


def _few(names: Sequence[str]) -> str:
    more = f", … ({len(names):,} in all)" if len(names) > 8 else ""
    return (", ".join(name or "arrays without a module" for name in names[:8]) or "none") + more


def _side_by_side(lacking: Sequence[Module], left: Stored, who: str) -> str:
    """What a network declares and what a file has, where they do not fit."""
    mine = [f"{cut(repr(module.layer))} with {_shapes(_required(module))}" for module in lacking]
    theirs = [f"{name or 'no module'} with {_shapes(arrays)}" for name, arrays in left.items()]
    rows = [f"{one} | {other}" for one, other in zip_longest(mine, theirs, fillvalue="nothing")]
    rest = f"; and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
    return (
        f"{who} does not fit the network (left: what it declares; right: what the file has): {'; '.join(rows[:SHOWN])}"
        f"{rest}. Write the network as the file has it, or name its modules in the network's order."
    )


def _required(module: Module) -> Arrays:
    return {name: weight for name, weight in module.arrays.items() if not weight.optional}


def _shapes(arrays: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {tuple(array.shape)}" for name, array in arrays.items())
