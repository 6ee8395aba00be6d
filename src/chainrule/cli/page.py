"""How a formula's page is printed."""

import re
import sys
from itertools import zip_longest

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chainrule.cli.output import console
from chainrule.textbook.equations import Equation
from chainrule.textbook.page import Page

COLOURS = ("blue", "dark_orange")
"""Of a formula and of its derivative."""

BETWEEN = 4
"""Columns between two plots."""

JOINT = "\ue000"
"""Stands for a blank at which no line is broken; Rich would break at the one that Unicode has."""


def show_page(page: Page) -> None:
    """Print a page: mathematics, curves, fields, remarks, origin, notation."""
    out = console(sys.stdout)
    with out.capture() as captured:
        out.print(Text.assemble((page.name, "bold"), "   ", page.title))
        out.print()
        _equations(out, [*page.equations, *page.derivatives])
        for part, equations in (page.parts | page.settings).items():
            out.print(Text(part, "bold"), soft_wrap=True)
            _equations(out, equations)
        _plots(out, page.plots)
        _table(out, ("field", "", "value", "default", "allowed", "meaning"), page.fields)
        _table(out, ("parameter", "", "shape"), page.parameters)
        for remark in page.remarks:
            out.print(Text(remark))
            out.print()
        ends = Table.grid(padding=(0, 2, 0, 0))
        for name, said in (("Reference", page.reference), ("Notation", page.notation)):
            if said:
                ends.add_row(Text(name, "dim"), Text(said))
        out.print(ends)
    print("\n".join(line.rstrip() for line in captured.get().replace(JOINT, " ").splitlines()))


def _equations(out: Console, equations: list[Equation]) -> None:
    """One below the other, those of several rows apart."""
    last = 1
    for equation in equations:
        rows = equation.text().splitlines()
        if max(last, len(rows)) > 1 and equation is not equations[0]:
            out.print()
        if equation.remark:
            out.print(Text(f"  {equation.remark}:", "dim"))
        for row in _folded(rows, out.width - 2):
            out.print(Text(f"  {row}"), soft_wrap=True)
        last = len(rows)
    out.print()


def _folded(rows: list[str], width: int) -> list[str]:
    """Rows that are too wide, cut where all of them are blank; the rest comes below."""
    wide = max(map(len, rows))
    rows = [row.ljust(wide) for row in rows]
    blank = [place for place in range(width // 2, width) if {row[place : place + 1] for row in rows} == {" "}]
    if wide <= width or not blank:
        return rows
    cut = blank[-1]
    return [*(row[:cut] for row in rows), "", *_folded(["      " + row[cut:].rstrip() for row in rows], width)]


def _plots(out: Console, plots: dict[str, list[str]]) -> None:
    """Side by side where there is room, else one below the other."""
    columns = []
    for (name, rows), colour in zip(plots.items(), COLOURS, strict=False):
        wide = max(map(len, rows))
        columns.append([Text(f"{row:<{wide + BETWEEN}}", colour) for row in (f"{name:^{wide}}", *rows)])
    beside = 2 + sum(len(rows[0]) for rows in columns) <= out.width
    for cells in zip_longest(*columns) if beside else [(row,) for rows in columns for row in rows]:
        out.print(Text.assemble("  ", *cells), soft_wrap=True)
    if plots:
        out.print()


def _table(out: Console, names: tuple[str, ...], rows: list) -> None:
    """A table without the columns that nobody fills."""
    kept = [place for place in range(len(names)) if any(row[place] for row in rows)]
    if not kept:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place in kept:
        narrow = max(len(row[place]) for row in rows) <= out.width // 4
        table.add_column(names[place], overflow="fold", no_wrap=place == 0 or narrow)
    for row in rows:
        table.add_row(*(Text(_joined(row[place]), "bold" if place == 0 else "") for place in kept))
    out.print(table)
    out.print()


def _joined(text: str) -> str:
    """A text in which a number stays on the line of its sign: >= 1."""
    return re.sub(r"(?<=[<>=]) (?=[\d−-])", JOINT, text)
