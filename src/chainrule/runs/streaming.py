"""Data larger than memory: one pass learns their preparation, one deals their prepared rows into a cache."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np

from chainrule.arrays.memory import blocks
from chainrule.costs import Cost
from chainrule.data import cache
from chainrule.data.dealing import Dealer, Dealt
from chainrule.data.division import PARTS, Division
from chainrule.data.fitting import Fitting
from chainrule.data.guesses import Guess
from chainrule.data.loaders import Loader
from chainrule.data.named import NAMED
from chainrule.data.preprocessing import Preprocessor, Unseen, warn_all_unseen
from chainrule.data.schema import Schema, warn_unknown
from chainrule.data.splitting import empty_part
from chainrule.data.streams import Stream
from chainrule.data.table import Found, Table
from chainrule.errors import ArgumentError, ChainruleError
from chainrule.model.targets import check_cells
from chainrule.runs.parts import fractions_of, is_source, read_as_text
from chainrule.runs.passes import Passes
from chainrule.runs.preparing import Prepared, measured_for

LAYOUT = 1  # of the cache's entries


def streamed(
    data: Any,
    *,
    test: Any,
    validation: Any,
    seed: int,
    reading: dict[str, Any],
    cost: Cost | None = None,
    progress: bool = False,
    **columns: Any,
) -> Prepared:
    """Learn a stream's preparation and deal its rows, unless the cache has them.

    The key of the cache's entry is the digest of every byte of the data, of what is said of them, and of the version.

    Args:
        data: a file or a folder of them.
        test, validation: a fraction of the rows, or files of their own; where not said, the usual fraction.
        seed: of the division and the deal.
        reading: how files are read.
        cost: the one that is said, as the values that it takes are measured and checked for it.
        progress: whether to show how far it is.
        **columns: the others of `Schema.of`.

    Raises:
        ChainruleError: for what can't be read block after block, and as `divide` does.
    """
    if not is_source(data) or data in NAMED:
        raise ArgumentError(
            "{stream} is for files that are larger than memory, but the data are in memory. Leave it out."
        )
    if columns["order_by"] is not None:
        raise ArgumentError(
            "{order_by}: the rows of a stream are divided as they pass, not in an order. Give the last ones as files "
            "of their own: {test} and {validation}."
        )
    fractions, text = fractions_of(test, validation), read_as_text(**columns)
    own = {
        name: source
        for name, source in (("validation", validation), ("test", test))
        if not isinstance(source, int | float | None)
    }
    streams = [Stream(source, text, **reading) for source in (data, *own.values())]
    with Passes(progress, streams[0].name) as passes:
        digests = [each.digest(passes.share("compared with the cache")) for each in streams]
        bounds = cost.targets if cost is not None and cost.targets.bounded else None
        said = [LAYOUT, version("chainrule"), digests, [*own], fractions, seed, reading, columns, bounds]
        key = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]
        entry = cache.Entry.find(key)
        if entry is None:
            apart = dict(zip(own, streams[1:], strict=True))
            entry = _entry(key, streams[0], apart, columns, fractions, seed, cost, passes)
            passes.say(f"prepared rows: {entry.folder} (to empty the cache, remove {cache.place()})")
        else:
            passes.say(
                f"prepared rows: those in {entry.folder}, of the same data (to empty the cache, remove {cache.place()})"
            )
    return _prepared(entry)


def _entry(
    key: str,
    stream: Stream,
    own: dict[str, Stream],
    columns: dict[str, Any],
    fractions: dict[str, float],
    seed: int,
    cost: Cost | None,
    passes: Passes,
) -> cache.Entry:
    """The two passes, whose rows are a new entry of the cache."""
    learned = _learned(stream, own, columns, fractions, seed, passes)
    learned = replace(learned, preprocessor=measured_for(cost, learned.preprocessor))
    for each in own.values():
        each.kinds.text.update(learned.preprocessor.text)
        each.only = stream.only
    rows = sum(learned.rows.values()) + sum(each.rows(len(stream.only or ())) for each in own.values())
    size = _size(learned.preprocessor, rows)
    with cache.writing(key, size) as writing:
        division = Division(learned.preprocessor.schema, fractions, seed)
        dealers = _dealt(stream, own, learned, division, cost, writing, passes)
        counts = {"data": stream.name, "rows": sum(learned.rows.values()), **fractions, "seed": seed}
        about = {
            "preprocessor": learned.preprocessor.to_json(),
            "chosen": counts | {"reading": dict(stream.found.reading)},
            "found": [_plain(each.found) for each in (stream, *own.values())],
            "parts": {name: dealer.about() for name, dealer in dealers.items()},
        }
        return writing.finish(about)


@dataclass(frozen=True)
class _Learned:
    """What the first pass knows: the preparation, and how many rows each part has."""

    preprocessor: Preprocessor
    rows: dict[str, int]


def _learned(
    stream: Stream,
    own: dict[str, Stream],
    columns: dict[str, Any],
    fractions: dict[str, float],
    seed: int,
    passes: Passes,
) -> _Learned:
    """The first pass; once more where all rows tell another task than the first ones."""
    schema = Schema.of(stream.first(), whole=False, **columns)
    for each in own.values():
        schema.complete_block(each.first())  # before hours are spent on the others
    stream.only = {*schema.inputs, *schema.targets, *([schema.group] if schema.group else [])}
    guess = Guess() if columns["task"] is None and len(schema.targets) == 1 else None
    fitting, division = Fitting(schema, stream.name), Division(schema, fractions, seed)
    rows, unknown = np.zeros(len(PARTS), int), Counter[str]()
    for table, parts in _divided(stream, schema, division, unknown, passes.share("learned")):
        rows += np.bincount(parts, minlength=len(PARTS))
        if guess and (task := guess.add(table[schema.target])) and task != schema.task:
            return _learned(stream, own, columns | {"task": task}, fractions, seed, passes)
        fitting.add(table.take(np.flatnonzero(parts == 0)) if rows[1:].any() else table)
    if guess and guess.task() != schema.task:
        return _learned(stream, own, columns | {"task": guess.task()}, fractions, seed, passes)
    warn_unknown(stream.name, unknown)
    for name, part in zip(PARTS, rows, strict=True):
        if not part and fractions.get(name, name == "train"):
            raise empty_part(stream.name, name, f"{rows.sum():,} rows")
    if schema.missing == "median" and (sampled := fitting.sampled):
        note = (
            f"{stream.name}: blank cells are filled by medians of random rows, {min(sampled):,} or more of each column."
        )
        stream.found = replace(stream.found, notes={**stream.found.notes, "medians": note})
    said = {name for each in ("text", "words", "characters", "day_first", "month_first") for name in columns[each]}
    fitting.check(said)
    return _Learned(Preprocessor(schema, *fitting.columns()), dict(zip(PARTS, rows.tolist(), strict=True)))


def _divided(
    stream: Stream, schema: Schema, division: Division | None, unknown: Counter[str], share: Callable[[float], Any]
) -> Iterator[tuple[Table, np.ndarray]]:
    """The rows of a pass that can be trained on, and the number of the part of each; blank targets are counted."""
    for table in stream.tables(share):
        table, blank = schema.complete_block(table)
        unknown.update(blank)
        if table.rows:
            yield table, np.zeros(table.rows, np.int8) if division is None else division.of(table)


def _dealt(
    stream: Stream,
    own: dict[str, Stream],
    learned: _Learned,
    division: Division,
    cost: Cost | None,
    writing: cache.Writing,
    passes: Passes,
) -> dict[str, Dealer]:
    """The second pass: the rows of each part in buckets."""
    preprocessor, generator = learned.preprocessor, np.random.default_rng([division.seed, 1])
    expected = learned.rows | {name: each.rows(len(stream.only or ())) for name, each in own.items()}
    dealers = {name: Dealer(writing.folder, name, expected[name], generator) for name in PARTS if expected[name]}
    found = stream.found
    unseen: Unseen = {}
    for each, divides, names in ((stream, division, PARTS), *((each, None, (name,)) for name, each in own.items())):
        unknown = Counter[str]()
        for table, parts in _divided(each, preprocessor.schema, divides, unknown, passes.share("dealt")):
            check_cells(table, preprocessor, cost)
            for rows in blocks(table.rows, math.prod(preprocessor.input_shape)):
                x, y = preprocessor.prepared(table.take(rows), unseen)
                for part, name in enumerate(names):
                    if len(taken := np.flatnonzero(parts[rows] == part)):
                        dealers[name].deal(x[taken], y[taken])
        if divides is None:
            warn_unknown(each.name, unknown)
    stream.found = found
    warn_all_unseen(unseen)
    return dealers


def _size(preprocessor: Preprocessor, rows: int) -> int:
    """The bytes that prepared rows take."""
    return 4 * rows * (math.prod(preprocessor.input_shape) + len(preprocessor.predicted))


def _prepared(entry: cache.Entry) -> Prepared:
    """What an entry of the cache holds."""
    about = entry.about
    parts: dict[str, Loader] = {
        name: Dealt(entry.folder, name, part["rows"], part["kinds"], part["classes"], held=entry)
        for name, part in about["parts"].items()
    }
    found = tuple(
        Found(each["reading"], {name: _note(*note) for name, note in each["notes"].items()}) for each in about["found"]
    )
    return Prepared(Preprocessor.from_json(about["preprocessor"]), parts, about["chosen"], found)


def _plain(found: Found) -> dict[str, Any]:
    """How files were read, as JSON has it."""
    notes = {
        name: (note.message, note.choices) if isinstance(note, ChainruleError) else (note, None)
        for name, note in found.notes.items()
    }
    return {"reading": dict(found.reading), "notes": notes}


def _note(message: str, choices: dict[str, Any] | None) -> str | ChainruleError:
    return message if choices is None else ChainruleError(message, **choices)
