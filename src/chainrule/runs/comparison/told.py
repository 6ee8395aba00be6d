"""A comparison in words: what all share, a table of the candidates, how chance was told apart, and the answer."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from chainrule.data.columns import as_number
from chainrule.errors import ChainruleError, counted
from chainrule.notation import parse
from chainrule.runs.comparison.chance import LEVEL
from chainrule.runs.comparison.results import Effect, Results
from chainrule.runs.comparison.standing import Standing

Columns = dict[str, list[str]]
"""The cells of a table, by the heading of their column."""

BEST, EQUAL, WORSE, DIVERGED = "best", "=", "<", "†"
NAMED = 3  # others that a sentence names
LONG = 32  # letters of a choice that a table has room for
WIDTH = 80  # of sentences


def shared(results: Results) -> list[str]:
    """What all trials share, a line each: data, seeds, rows, epochs, choices that are not varied or are long."""
    trials, shown = results.trials, _shown(results)
    said = {axis: choices[0] for axis, choices in results.axes.items() if axis not in shown}
    said |= {
        name: choice for axis in shown if _numbered(results, axis) for choice, name in _names(results, axis).items()
    }
    rows = {part: [trial.rows[part] for trial in trials] for part in trials[0].rows}
    uses = {"train": "to train", "validation": "to validate", "test": "to test"}
    drawn = "drawn by each seed" if results.redrawn else "the same to test for all seeds"
    return [
        results.title,
        f"rows: {', '.join(f'{_range(rows[part])} {uses[part]}' for part in rows)}, {drawn}",
        *(f"{name}: {choice}" for name, choice in said.items()),
        f"epochs: {_range([trial.epochs for trial in trials])}",
        *(f"programs: {each} for each candidate" for each in _compiled(results)[:1] if len({*_compiled(results)}) == 1),
    ]


def table(results: Results) -> Columns:
    """A row for each candidate, the best first."""
    of = [results.of(each.choices) for each in results.standings]
    tuned = list(dict.fromkeys(name for trial in results.trials for name in trial.tuned))
    compiled = _compiled(results)
    return (
        {_field(axis): _cells(results, axis, results.standings) for axis in _shown(results)}
        | _standing(results, results.standings)
        | {f"tuned {_field(name)}": [_range([trial.tuned[name] for trial in each]) for each in of] for name in tuned}
        | {"seconds": [_short(sum(trial.seconds for trial in each)) for each in of]}
        | ({"programs": compiled} if len(set(compiled)) > 1 else {})
    )


def effect(results: Results, effect: Effect) -> tuple[str, Columns]:
    """What an axis does: what is compared, and a row for each of its choices, the best first."""
    others = " and ".join(_field(axis) for axis in _varied(results) if axis != effect.axis)
    over = f"over {counted(effect.over, 'choice', 'choices')} of {others}"
    seeds = counted(len(results.seeds), "seed", "seeds")
    out = f"; {effect.left_out} left out, as some diverged there" if effect.left_out else ""
    choices = {_field(effect.axis): _cells(results, effect.axis, effect.standings)}
    return f"{_field(effect.axis)}, {over} × {seeds}{out}", choices | _standing(results, effect.standings)


def legend(results: Results) -> str:
    """What the signs of the table mean, and how chance was told apart."""
    if len(results.seeds) < 2:
        return ""
    said = ["± standard error of the mean" + ("." if results.redrawn else ", for these test rows.")]
    if results.pairs:
        shared = "the rows that these share (Nadeau and Bengio)" if results.redrawn else ""
        pairs = "all pairs of a table (Holm)" if len(results.pairs) > 1 else ""
        corrected = " and for ".join(filter(None, [shared, pairs]))
        said.append(
            f"{EQUAL} can't be told from the best, {WORSE} is worse beyond chance: t-test of paired seeds"
            f"{f', corrected for {corrected}' if corrected else ''}, at {100 * LEVEL:g} %."
        )
    if any(each.diverged for each in results.standings):
        said.append(
            f"{DIVERGED} diverged with so many seeds: in rank the last there, the mean of the others, not tested."
        )
    return " ".join(said)


def answer(results: Results) -> str:
    """What the comparison answers, in one or two sentences, and how many seeds would tell more."""
    best, *others = results.standings
    name, seeds = naming(results, best.choices), counted(len(results.seeds), "seed", "seeds")
    most, measure = "highest" if results.rises else "lowest", results.measure.replace("_", " ")
    figure = _figure(best, decimals(results.standings))
    if best.diverged == len(results.seeds):
        return "Every training diverged. Choose lower learning rates, or clip the gradients: ClipNorm(1.0) >> Adam()."
    if best.diverged and others:
        return (
            f"With each candidate some seed diverged, most rarely with {name}, {best.diverged} of {seeds}; the others "
            f"came to a mean {measure} of {figure}. Choose lower learning rates."
        )
    if not others:
        return f"{name}: {measure} {figure} with {seeds}."
    if len(results.seeds) < 2:
        return (
            f"{name} has the {most} {measure}, {figure}, with one seed. One has no spread, so that nothing tells "
            "whether it is chance. Compare with several, such as 10."
        )
    equals, worse = results.equals, sum(each.beyond_chance for each in others)
    diverged = sum(each.diverged > 0 for each in others)
    named = f"{len(equals)} others" if len(equals) > NAMED else _and([naming(results, each.choices) for each in equals])
    said = [
        f"{named} can't be told from it with {seeds}" * bool(equals),
        f"{worse} {'is' if worse == 1 else 'are'} worse beyond chance" * bool(worse),
        f"{diverged} diverged with some seeds" * bool(diverged),
    ]
    leads = f"{name} has the {most} {measure}, {figure}" if equals else f"{name} is best, {measure} {figure}"
    return " ".join([f"{leads}: {', '.join(filter(None, said))}.", *(_power(results) if equals else [])])


def _power(results: Results) -> list[str]:
    """Which differences so many seeds show, and how many others would take."""
    if not results.spread > 0:
        return []
    here, least = results.detectable(), results.detectable(math.inf)
    between = (here + least) / 2
    more = results.seeds_for(between)
    seen = f"A difference of {_short(here)} is seen with {len(results.seeds):,} seeds in four of five cases"
    told = f", one of {_short(between)} with about {more:,}" if more else ""
    never = f"; below {_short(least)} no number of seeds tells, only more rows" if least else ""
    return [f"{seen}{told}{never}."]


def naming(results: Results, choices: Mapping[str, str], longest: int = LONG) -> str:
    """What tells a candidate from the others: a formula by its notation, a number with its field's name before it."""
    named = {axis: _names(results, axis, longest)[choices[axis]] for axis in _shown(results)}
    return " with ".join(f"{_field(axis)}={name}" * _is_number(name) or name for axis, name in named.items())


def _names(results: Results, axis: str, longest: int = LONG) -> dict[str, str]:
    """How the choices of an axis are called: by themselves, or, where one is too long, by a number."""
    if _numbered(results, axis, longest):
        return {choice: f"{_field(axis)} {number}" for number, choice in enumerate(results.axes[axis], 1)}
    return {choice: _brief(choice) for choice in results.axes[axis]}


def _numbered(results: Results, axis: str, longest: int = LONG) -> bool:
    return max(len(_brief(choice)) for choice in results.axes[axis]) > longest


@cache
def _brief(choice: str) -> str:
    """A formula's name where all of its fields have their defaults; else its notation, or what else it is.

    >>> _brief("ELU(alpha=1.0)"), _brief("ELU(alpha=0.5)"), _brief("0.01")
    ('ELU()', 'ELU(alpha=0.5)', '0.01')
    """
    try:
        formula = parse(choice)
        name = f"{type(formula).__name__}()"
        return name if formula == parse(name) else choice
    except ChainruleError:
        return choice


def _cells(results: Results, axis: str, standings: Sequence[Standing]) -> list[str]:
    names = _names(results, axis)
    return [names[each.choices[axis]] for each in standings]


def decimals(standings: Sequence[Standing]) -> int:
    """Of means, so that standard errors have two digits.

    >>> decimals([Standing({}, (0.97, 0.98), 0.975, 0.00707, 0.005, 1.0, float("nan"))])
    4
    """
    errors = [each.error for each in standings if each.error > 0]
    return min(max(1 - math.floor(math.log10(np.median(errors))), 0), 6) if errors else 4


def _standing(results: Results, standings: Sequence[Standing]) -> Columns:
    places = decimals(standings)
    columns = {
        results.measure.replace("_", " "): [_figure(each, places) for each in standings],
        "rank": [f"{each.rank:.1f}" for each in standings],
        "": [_sign(each, best=each is standings[0]) for each in standings],
    }
    return {name: cells for name, cells in columns.items() if any(cells)}


def _figure(standing: Standing, places: int) -> str:
    if math.isnan(standing.mean):
        return ""
    return f"{standing.mean:,.{places}f}" + ("" if math.isnan(standing.error) else f" ± {standing.error:,.{places}f}")


def _sign(standing: Standing, best: bool) -> str:
    if standing.diverged:
        return f"{DIVERGED}{standing.diverged}"
    if best:
        return BEST
    return "" if math.isnan(standing.p) else WORSE if standing.beyond_chance else EQUAL


def _shown(results: Results) -> list[str]:
    """The axes in which candidates differ; of a single candidate the first."""
    return _varied(results) or list(results.axes)[:1]


def _varied(results: Results) -> list[str]:
    return [axis for axis, choices in results.axes.items() if len(choices) > 1]


def _field(axis: str) -> str:
    return axis.rpartition(".")[-1]


def _is_number(text: str) -> bool:
    return as_number(text) is not None


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _short(number: float) -> str:
    """Two digits at least, the last also where it is 0."""
    return f"{number:,.0f}" if number >= 99.5 else f"{number:#.2g}".rstrip(".")


def _compiled(results: Results) -> list[str]:
    """How many programs were compiled for each candidate, or which part of one."""
    sums = [sum(trial.compilations for trial in results.of(each.choices)) for each in results.standings]
    return [f"{each:.2g}" for each in sums]


def _range(numbers: Sequence[float]) -> str:
    """A number, or the least and the most of several."""
    least, most = (f"{each:,}" for each in (min(numbers), max(numbers)))
    return least if least == most else f"{least}–{most}"


def text(results: Results) -> str:
    """All of it as plain text."""
    tables = [("", table(results)), *(effect(results, each) for each in results.effects)]
    blocks = ["\n".join(filter(None, [title, _laid_out(columns)])) for title, columns in tables]
    words = ("\n".join(textwrap.wrap(each, WIDTH)) for each in (legend(results), answer(results)))
    return "\n\n".join(filter(None, ["\n".join(shared(results)), *blocks, *words]))


def _laid_out(columns: Columns) -> str:
    """Columns below their headings, the first to the left, figures to the right."""
    padded = []
    for place, (name, cells) in enumerate(columns.items()):
        width = max(map(len, [name, *cells]))
        padded.append([f"{cell:>{width}}" if place else f"{cell:<{width}}" for cell in (name, *cells)])
    return "\n".join("  ".join(line).rstrip() for line in zip(*padded, strict=True))
