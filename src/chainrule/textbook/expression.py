"""From a formula's `textbook` to SymPy, in the order in which it was written.

The text is read by Python's own `ast` and never evaluated. It is Python's expression syntax, one line or several
(assignments, each in force for the lines after it), with four liberties of books: `Y ~ N(0, 1)` after a comma, a bare
`sum(…)`, `mean(…)` or `max(…)` over all entries of the arrays in it, indices without a range (`sum(… for k, c)`), and
`@` for products of matrices, beside which `*` is the product entry by entry.
"""

import ast
import functools
import re
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

import sympy as sp

from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula
from chainrule.textbook.letters import WORDS, array, fields_of, index, symbol, symbols_of
from chainrule.textbook.mathematics import (
    Apply,
    Drawn,
    Entrywise,
    Indicator,
    Math,
    Over,
    Product,
    Transposed,
    Within,
    minus,
    number,
    over,
    times,
    total,
)


class Line(NamedTuple):
    """A line of a textbook: what is computed, the name that it gets, if any, and what is said of its letters."""

    value: Math
    target: Math = None
    where: tuple[Math, ...] = ()


FUNCTIONS: dict[str, Any] = {
    name: getattr(sp, name)
    for name in (
        *("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "asinh", "atanh"),
        *("erf", "sign", "floor"),
    )
} | {"ln": sp.log, "log": sp.log, "abs": sp.Abs, "ceil": sp.ceiling, "max": sp.Max, "min": sp.Min}
"""What textbooks may call by SymPy's meaning; every other name is carried along as `Apply`."""

CONSTANTS = {"pi": sp.pi, "infinity": sp.oo}

COMPARISONS: dict[type, Any] = {
    ast.Lt: sp.StrictLessThan,
    ast.LtE: sp.LessThan,
    ast.Gt: sp.StrictGreaterThan,
    ast.GtE: sp.GreaterThan,
    ast.Eq: sp.Eq,
    ast.NotEq: sp.Ne,
}


def lines(formula: type[Formula] | Formula, values: bool = False) -> tuple[Line, ...]:
    """A textbook line by line, as it was written: the order of terms and factors is the author's.

    Args:
        formula: a formula or its class.
        values: whether the fields of a formula are its numbers rather than letters.
    """
    return _lines(formula, values and not isinstance(formula, type))


def textbook_of(formula: type[Formula] | Formula) -> str:
    """The text of a textbook: of a class as its defaults have it, of a formula as its settings do."""
    text = formula.textbook if isinstance(formula, type) else formula.in_textbook()
    return textwrap.dedent(text).strip()


@functools.lru_cache(maxsize=512)
def _lines(formula: type[Formula] | Formula, values: bool) -> tuple[Line, ...]:
    reader = _Reader(formula, values)
    try:
        return tuple(reader.line(node) for node in ast.parse(_python(reader.text)).body)
    except SyntaxError as error:
        raise ChainruleError(
            f"{_name(formula)}: can't read its textbook form: {error.msg} in {error.text!r}."
        ) from None


def expression(formula: type[Formula] | Formula, values: bool = False) -> Math:
    """What a textbook computes: its last line, where the results of the lines before stand in it.

    Fields are letters, or, with `values`, a formula's numbers. A scalar activation is one of the real symbol x, a
    schedule of t, a cost of the entries a[j] and E[j], j = 0 … n − 1.

    >>> from chainrule.activations import LeakyReLU, Sigmoid
    >>> expression(Sigmoid)
    1/(1 + exp(-x))
    >>> expression(LeakyReLU(0.25), values=True)
    Piecewise((x, x > 0), (0.25*x, True))
    """
    known: dict[Any, Any] = {}
    value: Any = None
    for line in lines(formula, values):
        value = line.value.xreplace(known) if known else line.value
        if line.target is not None:
            known[line.target] = value
    return value


def free_indices(value: Math) -> set[tuple[Math, ...]]:
    """Those of entries that no sum runs over: of which entry of a result the value is.

    >>> from chainrule.activations import Softmax
    >>> free_indices(expression(Softmax))
    {(i,)}
    """
    added = [entry for each in value.atoms(sp.Sum) for entry in each.atoms(sp.Indexed)]
    return {entry.indices for entry in value.atoms(sp.Indexed)} - {entry.indices for entry in added}


class _Reader:
    """Reads one textbook: what its names mean, and which index is at hand."""

    def __init__(self, formula: type[Formula] | Formula, values: bool) -> None:
        self.formula, self.values, self.text = formula, values, textbook_of(formula)
        self.fields, self.letters = fields_of(formula), symbols_of(formula)
        self.matrices = "@" in self.text
        self.indices: list[Math] = []  # of the bare sums around, innermost last
        self.colons: list[Math] = []  # the indices in the places of colons
        self.bound: set[str] = set()  # names that are indices
        names = re.findall(r"[^\W\d]\w*", self.text)
        self.fresh = [letter for letter in "jkilpq" if letter not in names]

    def line(self, node: ast.stmt) -> Line:
        match node:
            case ast.Assign(targets=[target], value=value):
                if isinstance(target, ast.Subscript):
                    self.bound |= {each.id for each in ast.walk(target.slice) if isinstance(each, ast.Name)}
                return self.said(value)._replace(target=self.read(target))
            case ast.Expr(value=value):
                return self.said(value)
        raise self.refuse(node)

    def said(self, node: ast.expr) -> Line:
        """A value, and behind commas what is said of its letters."""
        value, *where = node.elts if isinstance(node, ast.Tuple) else [node]
        return Line(self.read(value), None, tuple(map(self.read, where)))

    def read(self, node: ast.expr) -> Math:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return number(value)
            case ast.Name(id=name):
                return self.name(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return minus(self.read(operand))
            case ast.BinOp(left=left, op=op, right=right):
                return self.operation(op, self.arithmetic(left), self.arithmetic(right))
            case ast.Compare(left=left, ops=[ast.In()], comparators=[right]):
                return Drawn(self.read(left), self.read(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
                return COMPARISONS[type(op)](self.read(left), self.read(right), evaluate=False)
            case ast.BoolOp(op=ast.And(), values=parts):
                return sp.And(*map(self.read, parts))
            case ast.BoolOp(op=ast.Or(), values=parts):
                return sp.Or(*map(self.read, parts))
            case ast.IfExp():
                return self.cases(node)
            case ast.Subscript(value=value, slice=index):
                return self.entry(value, index)
            case ast.Attribute(value=value, attr="T"):
                return Transposed(self.read(value))
            case ast.Call(func=function, args=args, keywords=[]):
                return self.call(function, args)
        raise self.refuse(node)

    def arithmetic(self, node: ast.expr) -> Math:
        """A number, also where a condition stands for 0 or 1."""
        value = self.read(node)
        return Indicator(value) if value.is_Relational or value.is_Boolean else value

    def name(self, name: str) -> Math:
        if name in self.fields:
            if self.is_off(name):
                return sp.S.Zero
            value: Any = getattr(self.formula, name, None) if self.values else None
            return number(value) if type(value) in (int, float) else self.letters[name]
        if name in CONSTANTS:
            return CONSTANTS[name]
        if self.indices and name not in self.bound:
            return array(name)[self.indices[-1]]
        return index(name) if name in self.bound else symbol(name)

    def is_off(self, name: str) -> bool:
        """Whether it stands for what a setting leaves out, such as a bias."""
        return not isinstance(self.formula, type) and name in self.fields and getattr(self.formula, name) is False

    def operation(self, op: ast.operator, left: Math, right: Math) -> Math:
        match op:
            case ast.Add():
                return total(left, right)
            case ast.Sub():
                return total(left, minus(right))
            case ast.Div():
                return over(left, right)
            case ast.Pow():
                return sp.Pow(left, right, evaluate=False)
            case ast.MatMult():
                return Product(left, right)
            case ast.Mult():
                scalar = {*self.letters.values()} | {sp.pi}
                numbers = left.is_Number or right.is_Number or {left, right} & scalar
                entries = any(isinstance(side, sp.Indexed) and len(side.indices) > 1 for side in (left, right))
                return times(left, right) if numbers or entries or not self.matrices else Entrywise(left, right)
        raise self.refuse(op)

    def cases(self, node: ast.expr) -> Math:
        """`x if c else y if d else z` as the cases that it tells apart."""
        pairs = []
        while isinstance(node, ast.IfExp):
            pairs.append((self.arithmetic(node.body), self.read(node.test)))
            node = node.orelse
        return sp.Piecewise(*pairs, (self.arithmetic(node), True), evaluate=False)

    def entry(self, array: ast.expr, where: ast.expr) -> Math:
        """An entry of an array, in a bare sum of the row at hand."""
        places = where.elts if isinstance(where, ast.Tuple) else [where]
        if isinstance(array, ast.Name) and self.is_off(array.id):
            return sp.S.Zero
        base = sp.IndexedBase(symbol(array.id) if isinstance(array, ast.Name) else self.read(array))
        outer = self.indices[-1:] if isinstance(array, ast.Name) else []
        if not outer:
            self.bound |= {place.id for place in places if isinstance(place, ast.Name)}
        return sp.Indexed(base, *outer, *map(self.place, places))

    def place(self, node: ast.expr) -> Math:
        """An index of an entry; a colon is one over which a sum or maximum runs."""
        if not isinstance(node, ast.Slice):
            return self.read(node)
        self.colons.append(self.fresh_index())
        return self.colons[-1]

    def call(self, function: ast.expr, args: list[ast.expr]) -> Math:
        name = function.id if isinstance(function, ast.Name) else ""
        match args:
            case [ast.GeneratorExp(elt=body, generators=[each])]:
                indices = list(self.ranges(each))
                return _reduced(name, self.arithmetic(body), indices)
            case [body] if name in ("sum", "mean") or (name in ("max", "min") and _slices(body)):
                return self.bare(name, body)
        values = [self.arithmetic(arg) for arg in args]
        if name == "sqrt":
            return sp.Pow(values[0], sp.S.Half, evaluate=False)
        if name in FUNCTIONS:
            return FUNCTIONS[name](*values, evaluate=False)
        inner = getattr(self.formula, name, None) if self.values and name in self.fields else None
        if (spelt := type(inner).__name__.lower()) in FUNCTIONS:
            return FUNCTIONS[spelt](*values, evaluate=False)
        if spelt in WORDS:
            return Apply(symbol(spelt), *values)
        if isinstance(inner, float):
            return number(inner)  # a rate that does not change
        if isinstance(inner, Formula) and (letter := _variable(inner)):
            return expression(inner, values=True).subs(letter, values[0])
        return Apply(symbol(name) if name else self.read(function), *values)

    def ranges(self, each: ast.comprehension) -> Iterator[Math]:
        """The indices of a generator, each with what it runs through where that is said."""
        for target in each.target.elts if isinstance(each.target, ast.Tuple) else [each.target]:
            assert isinstance(target, ast.Name)
            self.bound.add(target.id)
            free = isinstance(each.iter, ast.Name) and each.iter.id == ANYWHERE
            yield index(target.id) if free else Within(symbol(target.id), self.read(each.iter))

    def bare(self, name: str, body: ast.expr) -> Math:
        """A sum, mean or maximum over every entry of the arrays in it, or over the colons in x[:, c]."""
        if _slices(body):
            self.colons = []
            value = self.arithmetic(body)
            return _reduced(name, value, self.colons)
        self.indices.append(self.fresh_index())
        value = self.arithmetic(body)
        return _reduced(name, value, [self.indices.pop()])

    def fresh_index(self) -> Math:
        """An index whose letter the textbook does not use."""
        return index(self.fresh.pop(0))

    def refuse(self, node: ast.AST) -> ChainruleError:
        return ChainruleError(
            f"{_name(self.formula)}: expected mathematics in its textbook form, got {ast.unparse(node)!r}."
        )


ANYWHERE = "_"
"""What an index without a range runs through, as Python's grammar wants something there."""


def _python(text: str) -> str:
    """The liberties of books in Python's grammar, which has no `~` between two sides and no index without a range."""
    return re.sub(r"\bfor (\w+(?:, \w+)*)\)", rf"for \1 in {ANYWHERE})", text.replace(" ~ ", " in "))


def _reduced(name: str, value: Math, indices: list) -> Math:
    """A sum, mean or maximum of a value over indices."""
    if name not in ("sum", "mean") or any(isinstance(each, Within) for each in indices):
        return Over(symbol(name), value, *indices)
    counts = [sp.Symbol("n" if len(indices) == 1 else f"n_{each}", integer=True) for each in indices]
    added = sp.Sum(value, *((each, 0, count - 1) for each, count in zip(indices, counts, strict=True)))
    return added if name == "sum" else times(over(sp.S.One, times(*counts)), added)


def _slices(node: ast.expr) -> bool:
    return any(isinstance(each, ast.Slice) for each in ast.walk(node))


def _variable(inner: Formula) -> Math:
    """The one number that a formula is a function of: x or t; None if it is of another kind."""
    letters = {letter.name: letter for letter in expression(inner, values=True).free_symbols}
    return letters.get("x", letters.get("t")) if len(letters) == 1 else None


def _name(formula: type[Formula] | Formula) -> str:
    return formula.__name__ if isinstance(formula, type) else type(formula).__name__
