"""What the collection holds: `python -m benchmarks.collection [--write FOLDER] [NAME …]`."""

import argparse
import shlex
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from benchmarks.collection import SETS, CollectionError, Set

HEADINGS = ("set", "kind", "predicts", "rows", "tested", "columns", "classes", "blank", "part", "from", "licence")


IN_COLUMNS = ("table", "text")


def main() -> int:
    """List sets, or write them as files that `chainrule train` takes; 1 where one is not to be had."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collection", description="Real data out of packages.")
    parser.add_argument("names", nargs="*", help="sets; all of them by default")
    parser.add_argument("--part", choices=["choose", "report"], help="only those of a part")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write them: tables as .parquet, arrays as .npz")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in SETS]:
        parser.error(f"there is no set {unknown[0]!r}. They are: {', '.join(SETS)}.")
    print(f"| {' | '.join(HEADINGS)} |\n|{' --- |' * len(HEADINGS)}")
    code = 0
    for one in SETS.values():
        if (options.names and one.name not in options.names) or options.part not in (None, one.part):
            continue
        try:
            print(f"| {' | '.join(described(one))} |", flush=True)
            if options.write:
                print(f"{write(one, options.write)}: {commanded(one)}", file=sys.stderr)
        except CollectionError as error:
            print(error, file=sys.stderr)
            code = 1
    return code


def described(one: Set) -> list[str]:
    """What the list says of a set, by its headings."""
    target = one.load()[one.target]
    inputs = one.inputs.values()
    shapes = [" × ".join(map(str, cells.shape[1:])) for cells in inputs if cells.ndim > 1]
    classes = str(len(set(target))) if one.task == "classes" else ""
    return [
        one.name,
        one.kind,
        one.task,
        f"{one.rows:,}",
        f"{one.test:.0%}",
        *(shapes or [str(len(inputs))]),
        classes,
        f"{one.blank:,}" if one.blank else "",
        one.part,
        str(one.source),
        one.source.package.licence,
    ]


def commanded(one: Set) -> str:
    """What `chainrule train` is told of its file; that of arrays says itself which is the target."""
    said = {name: [words] if isinstance(words, str) else words for name, words in one.said.items()}
    if one.kind not in IN_COLUMNS:
        del said["target"]
    return " ".join(f"--{name} {shlex.quote(word)}" for name, words in said.items() for word in words)


def write(one: Set, folder: Path) -> Path:
    """A set as a file: of columns as Parquet, of arrays as NumPy's."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / one.name.replace(" ", "-").replace("'", "")
    if one.kind in IN_COLUMNS:
        pyarrow.parquet.write_table(pa.table(dict(one.load())), f"{place}.parquet")
        return Path(f"{place}.parquet")
    [x], y = one.inputs.values(), one.load()[one.target]
    np.savez_compressed(f"{place}.npz", x=x, y=y.astype(str) if one.task == "classes" else y)
    return Path(f"{place}.npz")


if __name__ == "__main__":
    sys.exit(main())
