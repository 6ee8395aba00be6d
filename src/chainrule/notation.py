"""Reading formulas: `parse(repr(f)) == f`.

The text is read by Python's own `ast` and never evaluated: only names of formulas, calls of them, literals,
and the two ways of composing, `>>` and `+`, have a meaning.
"""

import ast
import dataclasses
import difflib
import operator
import warnings
from collections.abc import Iterable
from typing import Any, TypeVar

from chainrule.elsewhere import hint
from chainrule.errors import ChainruleError
from chainrule.formula import Formula

LONGEST = 20_000  # characters; keeps Python's own parser within its stack, whatever comes
DEEPEST = 50  # brackets within brackets
LARGEST = 2**63  # whole numbers; far larger ones can't even be printed

F = TypeVar("F", bound=Formula)


def parse(text: str, family: type[F] = Formula) -> F:
    """Read a formula from its notation. A bare name stands for the formula with its defaults.

    Args:
        text: for example `"Dense(64) >> ReLU() >> Dense(10) >> Softmax()"`.
        family: the kind of formula that is wanted.

    Raises:
        ChainruleError: for anything else than a formula of that family, with the nearest known name.

    >>> parse("L1(0.001) + L2(1e-4)")
    L1(0.001) + L2(0.0001)
    >>> parse("Addam(0.003)")
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: Unknown formula 'Addam' in "Addam(0.003)". Did you mean Adam?
    """
    try:
        formula = _read(_tree(text), text)
    except RecursionError:
        raise ChainruleError(f"Can't read {_quote(text)} as a formula: too deep.") from None
    if not isinstance(formula, Formula):
        raise ChainruleError(f"Expected a formula, got {_quote(text)}. For example: ELU(alpha=1.0).")
    return _of_family(formula, family)


def as_formula(value: Any, family: type[F]) -> F:
    """A formula of the family, from itself or from its notation."""
    return parse(value, family) if isinstance(value, str) else _of_family(value, family)


def nearest(name: str, known: Iterable[str]) -> str:
    """The question "Did you mean …?" for a misspelt name; empty where nothing is near."""
    known = list(known)
    spelt = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=0.6)
    return f" Did you mean {spelt[close[0]]}?" if close else ""


def formulas() -> dict[str, type[Formula]]:
    """Every formula there is, by name."""
    return {formula.__name__: formula for formula in Formula.family()}


def suggestion(name: str) -> str:
    """What stands for an unknown formula: that of another library's name, else the nearest; empty where there is none.

    >>> suggestion("GELU"), suggestion("Addam")
    (' It is not there yet; ELU() is near.', ' Did you mean Adam?')
    """
    return hint(name) or nearest(name, formulas())


def _of_family(value: Any, family: type[F]) -> F:
    if isinstance(value, family):
        return value
    names = [formula.__name__ for formula in family.family()]
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    raise ChainruleError(f"Expected one of the family {family.__name__} ({shown}), got {value!r}.")


def _tree(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise ChainruleError(f"A formula's notation is at most {LONGEST} characters long, got {len(text)}.")
    if _depth(text) > DEEPEST:
        raise ChainruleError(f"A formula's notation nests at most {DEEPEST} brackets deep: {_quote(text)}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's advice on odd spellings, which are refused below anyway
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", None) or "too long or too deep"
        raise ChainruleError(
            f"Can't read {_quote(text)} as a formula: {reason}. For example: Dense(64) >> ReLU()."
        ) from None


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _read(node: ast.expr, text: str) -> Any:
    right_operands = []
    while isinstance(node, ast.BinOp):  # a long chain is a deep tree: walk down its left side without recursion
        right_operands.append((node.op, node.right))
        node = node.left
    value = _read_one(node, text)
    for op, right in reversed(right_operands):
        value = _compose(op, value, _read(right, text), text)
    return value


def _read_one(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Constant(value=int() as value) if value > LARGEST:
            raise ChainruleError(f"Can't read {_quote(text)}: a whole number is at most {LARGEST}.")
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float()) as number):
            return -_read_one(number, text)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return tuple(_read(item, text) for item in items)
        case ast.Name(id=name):
            return _make(name, [], [], text)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if all(k.arg for k in keywords):
            named = [(str(k.arg), _read(k.value, text)) for k in keywords]
            return _make(name, [_read(a, text) for a in args], named, text)
    raise ChainruleError(
        f"Can't read {_quote(ast.unparse(node) if len(text) < 1000 else text)} in a formula: only names of formulas, "
        f"numbers, texts, True, False, None, tuples, >> and + have a meaning."
    )


def _compose(op: ast.operator, left: Any, right: Any, text: str) -> Any:
    compose = {ast.RShift: operator.rshift, ast.Add: operator.add}.get(type(op))
    if compose is None or not (isinstance(left, Formula) and isinstance(right, Formula)):
        raise ChainruleError(f"Can't read {_quote(text)}: formulas are composed by >> and +, and nothing else is.")
    try:
        return compose(left, right)
    except TypeError:
        sign = ">>" if compose is operator.rshift else "+"
        raise ChainruleError(f"{left!r} and {right!r} can't be composed by {sign}.") from None


def _make(name: str, args: list, keywords: list[tuple[str, Any]], text: str) -> Formula:
    known = formulas()
    if name not in known:
        raise ChainruleError(f"Unknown formula {name[:80]!r} in {_quote(text)}.{suggestion(name)}")
    fields = dataclasses.fields(known[name])  # type: ignore[arg-type]
    names = [field.name for field in fields]
    takes = f"{name} takes {', '.join(names) or 'no fields'}"
    if len(args) > len(names):
        raise ChainruleError(f"{takes}; got {len(args)} values in {_quote(text)}.")
    given = dict(zip(names, args, strict=False))
    for field, value in keywords:
        if field not in names:
            raise ChainruleError(f"{name} has no field {field[:80]!r}: {takes}.{nearest(field, names)}")
        if field in given:
            raise ChainruleError(f"{name}: {field} is given twice in {_quote(text)}.")
        given[field] = value
    for field in fields:
        if field.default is dataclasses.MISSING and field.name not in given:
            raise ChainruleError(f"{name}: {field.name} is missing in {_quote(text)}: {takes}.")
    return known[name](**given)


def _quote(text: str) -> str:
    return f'"{text}"' if len(text) <= 80 else f'"{text[:77]}..."'
