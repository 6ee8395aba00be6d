"""Reading formulas: `parse(repr(f)) == f`.

The text is read by Python's own `ast` and never evaluated: only names of formulas, calls of them, literals,
and the operators that compose, `>>`, `+`, `*` and `|`, have a meaning.
"""

import ast
import dataclasses
import operator
import re
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from chainrule.errors import ChainruleError, cut, nearest
from chainrule.formula.base import Formula, fields
from chainrule.notation import families
from chainrule.notation.elsewhere import hint, hint_of_field, namesake

LONGEST = 20_000  # characters; keeps Python's own parser within its stack, whatever comes
DEEPEST = 50  # brackets within brackets
LARGEST = 2**63  # whole numbers; far larger ones can't even be printed
SEEN = 60  # characters around the place of an error

OPERATORS: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.RShift: (">>", operator.rshift),
    ast.Add: ("+", operator.add),
    ast.Mult: ("*", operator.mul),
    ast.BitOr: ("|", operator.or_),
}

TEXT = re.compile(r"""(?s)'(?:[^'\\]|\\.)*+'?|"(?:[^"\\]|\\.)*+"?""")  # in a formula, closed or not

F = TypeVar("F", bound=Formula)


def parse(text: str, family: type[F] = Formula) -> F:
    """Read a formula from its notation. A bare name stands for the formula with its defaults.

    Args:
        text: for example `"Dense(64) >> ReLU() >> Dense(10) >> Softmax()"`.
        family: the kind of formula that is wanted.

    Raises:
        ChainruleError: for anything else than a formula of that family, with its place and the nearest known name.

    >>> parse("L1(0.001) + L2(1e-4)")
    L1(0.001) + L2(0.0001)
    >>> parse("Addam(0.003)")
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: Unknown formula 'Addam' in "Addam(0.003)". Did you mean Adam?
    """
    if not isinstance(text, str) or not text.strip():
        return _of_family(text, family)
    return _of_family(_Reader(text.strip()).formula(), family)


def as_formula(value: Any, family: type[F]) -> F:
    """A formula of the family, from itself or from its notation."""
    return parse(value, family) if isinstance(value, str) else _of_family(value, family)


def formulas() -> dict[str, type[Formula]]:
    """Every formula there is, by name."""
    return {formula.__name__: formula for formula in families.family(Formula)}


def suggestion(name: str) -> str:
    """What stands for an unknown formula: that of another library's name, else the nearest; empty where there is none.

    >>> suggestion("gumbel_softmax"), suggestion("Addam")
    (' It is not there yet; Softmax() is near.', ' Did you mean Adam?')
    """
    return hint(name) or nearest(name, formulas())


def _of_family(value: Any, family: type[F]) -> F:
    if isinstance(value, family):
        return value
    names = [formula.__name__ for formula in families.family(family)]
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    there = _there(value, family) if isinstance(value, Formula) else ""
    raise ChainruleError(f"Expected one of the family {family.__name__} ({shown}), got {_told(value)}.{there}")


def _told(value: Any) -> str:
    """A value, and of which family it is."""
    bases = families.bases_of(type(value))
    return cut(repr(value), SEEN) + (f" of the family {bases[0].__name__}" if bases else "")


def _there(formula: Formula, kind: type[Formula]) -> str:
    """What stands for a formula in the families of another class, as a sentence; empty where nothing does."""
    return namesake(type(formula).__name__, [base.__name__ for base in families.bases_of(kind)])


class _Reader:
    """Reads one text: what surrounds a place in it is what its errors quote."""

    def __init__(self, text: str) -> None:
        self.text, self.known = text, formulas()

    def formula(self) -> Formula:
        try:
            formula = self.read(self.tree())
        except RecursionError:
            raise ChainruleError(f"Can't read {self.near()} as a formula: too deep.") from None
        if not isinstance(formula, Formula):
            raise ChainruleError(f"Expected a formula, got {self.near()}. For example: ELU(alpha=1.0).")
        return formula

    def tree(self) -> ast.expr:
        if len(self.text) > LONGEST:
            raise ChainruleError(f"A formula's notation is at most {LONGEST} characters long, got {len(self.text)}.")
        if _depth(TEXT.sub("", self.text)) > DEEPEST:
            raise ChainruleError(f"A formula's notation nests at most {DEEPEST} brackets deep: {self.near()}.")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's advice on odd spellings, which are refused below anyway
                return ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = getattr(error, "msg", None) or "too long or too deep"
            reason = reason.replace("invalid syntax", "something is missing or too much")
            place = self.place(error.lineno, (error.offset or 1) - 1) if isinstance(error, SyntaxError) else 0
            raise ChainruleError(
                f"Can't read {self.quote(place)} as a formula: {reason}. For example: Dense(64) >> ReLU()."
            ) from None

    def read(self, node: ast.expr) -> Any:
        rest = []
        while isinstance(node, ast.BinOp):  # a long chain is a deep tree: walk down its left side without recursion
            rest.append(node)
            node = node.left
        value = self.read_one(node)
        for each in reversed(rest):
            value = self.compose(each, value, self.read(each.right))
        return value

    def read_one(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=int() as value) if value > LARGEST:
                raise ChainruleError(f"Can't read {self.near(node)}: a whole number is at most {LARGEST}.")
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float()) as number):
                return -self.read_one(number)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return tuple(map(self.read, items))
            case ast.Name(id=name):
                return self.make(node, name, [], [])
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if all(k.arg for k in keywords):
                named = [(str(k.arg), self.read(k.value)) for k in keywords]
                return self.make(node, name, [*map(self.read, args)], named)
            case ast.UnaryOp(op=ast.UAdd()):
                raise ChainruleError(
                    f"Can't read {self.near(node)}: a + stands between two formulas. Identity() + … adds the input."
                )
        raise ChainruleError(
            f"Can't read {self.near(node)} in a formula: only names of formulas, numbers, texts, True, False, None, "
            f"tuples, >>, +, * and | have a meaning."
        )

    def compose(self, node: ast.BinOp, left: Any, right: Any) -> Any:
        sign, composed = OPERATORS.get(type(node.op), ("", None))
        if composed is None:
            raise ChainruleError(
                f"Can't read {self.near(node.right)}: formulas are composed by >>, +, * and |, and nothing else is."
            )
        if strange := [cut(repr(each), SEEN) for each in (left, right) if not isinstance(each, Formula)]:
            raise ChainruleError(
                f"Can't read {self.near(node.right)}: {sign} composes formulas, and {strange[0]} is none."
            )
        try:
            return composed(left, right)
        except TypeError:
            there = _there(right, type(left)) or _there(left, type(right))
            raise ChainruleError(f"{_told(left)} and {_told(right)} can't be composed by {sign}.{there}") from None

    def make(self, node: ast.expr, name: str, args: list, keywords: list[tuple[str, Any]]) -> Formula:
        if name not in self.known:
            raise ChainruleError(f"Unknown formula {name!r} in {self.near(node)}.{suggestion(name)}")
        declared = fields(self.known[name])
        names = [field.name for field in declared]
        takes = f"{name} takes {', '.join(names) or 'no fields'}"
        if len(args) > len(names):
            raise ChainruleError(f"{takes}; got {len(args)} values in {self.near(node)}.")
        given = dict(zip(names, args, strict=False))
        for field, value in keywords:
            if field not in names:
                raise ChainruleError(
                    f"{name} has no field {field!r}: {takes}.{hint_of_field(field, names) or nearest(field, names)}"
                )
            if field in given:
                raise ChainruleError(f"{name}: {field} is given twice in {self.near(node)}.")
            given[field] = value
        for field in declared:
            if field.default is dataclasses.MISSING and field.name not in given:
                raise ChainruleError(f"{name}: {field.name} is missing in {self.near(node)}: {takes}.")
        return self.known[name](**given)

    def near(self, node: ast.expr | None = None) -> str:
        """What surrounds a part of the text, in quotes; the beginning, where no part is said."""
        return self.quote(self.place(node.lineno, node.col_offset, bytewise=True) if node else 0)

    def quote(self, place: int) -> str:
        start = max(0, min(place - SEEN // 3, len(self.text) - SEEN))
        shown = self.text[start : start + SEEN]
        return f'"{"…" * (start > 0)}{shown}{"…" * (start + SEEN < len(self.text))}"'

    def place(self, line: int | None, column: int, bytewise: bool = False) -> int:
        """A place in the text by Python's line, from 1, and column, from 0, in letters or bytes."""
        before = re.split(r"(?<=\n)|(?<=\r)(?!\n)", self.text)
        line = min(line or 1, len(before))
        if bytewise:
            column = len(before[line - 1].encode(errors="replace")[:column].decode(errors="ignore"))
        return sum(map(len, before[: line - 1])) + column


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest
