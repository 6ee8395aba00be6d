"""What each column of a stream holds, which its first rows tell, and which later ones are held to."""

import numpy as np

from chainrule.arrays.dtypes import rounded
from chainrule.data.reading import MISSING
from chainrule.data.table import BOOLEANS, Table, blanks, is_rounded
from chainrule.data.values import as_number, is_text, refuse_rounded, refuse_text
from chainrule.errors import ChainruleError, cut

NUMBERS, TRUTH, TEXT = "numbers", "true and false", "text"


class Kinds:
    """What columns hold, table after table: numbers, true and false, or text, as the first known cells tell.

    A table that holds something else is refused at its place, with the choice by which a whole table would be read. So
    a stream is read as one table is, or not at all.

    Attributes:
        known: the kind of each column of which a cell is known.
        units: the sign of its numbers' unit.
        text: the columns that are read as text.
    """

    def __init__(self, text: set[str]):
        self.text = text
        self.known: dict[str, str] = {}
        self.units: dict[str, str] = {}

    def hold(self, table: Table) -> None:
        """Learn the kinds of columns of which a cell is known for the first time, and hold all others to theirs.

        Raises:
            ChainruleError: for a table whose column is of another kind than before.
        """
        for name, values in table.items():
            if (kind := _kind(table, name, values)) is None:
                continue
            if name not in self.text and table.word == "line":
                _check_exact(table, name)
            known = self.known.setdefault(name, kind)
            if known != kind:
                _refuse(table, name, known)
            if kind != NUMBERS:
                self.text.add(name)
            else:
                self._hold_unit(table, name, ~blanks(values))

    def _hold_unit(self, table: Table, name: str, cells: np.ndarray) -> None:
        """Percent goes with nothing else; a currency's sign with numbers that have none."""
        if not cells.any():
            return
        unit = table.found.units.get(name, "")
        known = self.units.setdefault(name, unit)
        if unit != known and ("%" in (unit, known) or (unit and known)):
            place = table.place(int(cells.reshape(table.rows, -1).any(axis=1).argmax()), name)
            raise ChainruleError(
                f"{place}: expected numbers {_with(known)}, as in the rows before, got one {_with(unit)}. "
                f"Write them in one unit",
                text=[name],
            )
        self.units[name] = known or unit


def _with(unit: str) -> str:
    return f"with {unit!r}" if unit else "without a unit"


def _kind(table: Table, name: str, values: np.ndarray) -> str | None:
    """What a table's column holds; None where it is blank throughout, unless words were read as blank numbers."""
    if not len(values):
        return None
    if not is_text(values):
        return NUMBERS if name in table.found.blank or not blanks(values).all() else None
    return TRUTH if set(values) <= {*BOOLEANS, None} else TEXT


def _check_exact(table: Table, name: str) -> None:
    """Refuse cells of a text file that are text, or whole numbers, only since float64 does not hold them."""
    values = table[name]
    if not is_text(values):
        if (large := rounded(values)).any():
            refuse_rounded(table, name, int(large.argmax()))
        return
    large = next((row for row, cell in enumerate(values) if is_rounded(cell)), None)
    if large is not None and all(cell is None or as_number(cell) is not None for cell in values):
        refuse_rounded(table, name, large)


def _refuse(table: Table, name: str, known: str) -> None:
    """Refuse a table whose column is of another kind than known."""
    values = table[name]
    if known == NUMBERS:
        odd = (row for row, cell in enumerate(values) if cell is not None and _is_odd(cell))
        refuse_text(table, name, next(odd, 0), text=[name])
    known_cells = np.flatnonzero(~blanks(values))
    row = next((int(row) for row in known_cells if str(values[row]) not in BOOLEANS), int(known_cells[0]))
    expected = f"expected {known}, as in the rows before, got {cut(str(values[row]))!r}"
    raise ChainruleError(f"{table.place(row, name)}: {expected}. Mend the cell", drop=[name])


def _is_odd(cell: str) -> bool:
    """Whether a cell is no number, nor a word for none."""
    return is_rounded(cell) or (as_number(cell) is None and cell.lower() not in MISSING)
