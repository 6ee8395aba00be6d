"""Derivatives of formulas, as a book would print them: every one the chain rule."""

import sympy as sp

from chainrule.activations import Activation
from chainrule.costs import Cost
from chainrule.formula.base import Formula
from chainrule.textbook.expression import expression
from chainrule.textbook.letters import array, index, symbol
from chainrule.textbook.mathematics import Math, Over, number, times, total

K = index("k")
"""The entry by which a cost is differentiated."""


def derivative(formula: type[Formula] | Formula, values: bool = False) -> Math:
    """The derivative of a scalar formula by x; None of one that is not a formula of x alone and its fields.

    >>> from chainrule.activations import Sigmoid
    >>> derivative(Sigmoid)
    exp(-x)/(1 + exp(-x))**2
    """
    value, x = expression(formula, values), symbol("x")
    if not isinstance(value, sp.Expr) or x not in value.free_symbols or value.has(array("x")):
        return None
    return shortest(_in_cases(value).diff(x).replace(sp.DiracDelta, lambda *_: sp.S.Zero))  # away from jumps


def gradient(formula: type[Formula] | Formula, name: str, values: bool = False) -> Math:
    """The derivative of a formula of arrays by the entry k of one of them: ∂J/∂a[k].

    >>> from chainrule.costs import Quadratic
    >>> gradient(Quadratic, "a")
    -E[k] + a[k]
    """
    value = expression(formula, values)
    if value.atoms(Over):
        return None
    letters = {each.name for each in value.atoms(sp.Symbol)}
    value = value.xreplace({K: index(next(letter for letter in "ilpq" if letter not in letters))})  # of other sums
    return shortest(_partial(_in_cases(value), array(name)))


def behind(cost: type[Cost] | Cost, end: type[Activation]) -> Math:
    """What a cost's gradient becomes by the input z of a canonical activation, whose outputs are a.

    Where the cost is written by z too, it is the derivative by that: such a cost is the least, or the most, over a.

    >>> from chainrule.activations import Softmax
    >>> from chainrule.costs import CategoricalCrossEntropy
    >>> behind(CategoricalCrossEntropy, Softmax)
    -E[k] + a[k]
    """
    if array("z") in {entry.base for entry in expression(cost).atoms(sp.Indexed)}:
        return gradient(cost, "z")
    output, by_output = expression(end), gradient(cost, "a")
    if output.atoms(sp.Indexed):
        return shortest(_through(output, by_output))
    x, a = symbol("x"), array("a")
    [inverse] = sp.solve(sp.Eq(output.doit(), a[K]), x)
    slope = sp.simplify(output.diff(x).subs(x, inverse))  # such as a (1 − a)
    slope = sp.expand(slope) if slope.has(sp.exp) else slope
    spread = sp.Add(*(sp.powsimp(term * slope) for term in sp.Add.make_args(by_output)))
    return min(shortest(by_output * slope), shortest(spread), key=sp.count_ops)


def _through(output: Math, by_output: Math) -> Math:
    """Σᵢ ∂J/∂aᵢ · ∂aᵢ/∂zₖ, for outputs that each depend on all the inputs, where the expected ones add up to 1."""
    a, E, i = array("a"), array("E"), index("i")
    above, below = sp.fraction(output)
    jacobian = _partial(output, array("x"))
    for each in (i, K):  # a numerator is the output times the denominator
        jacobian = jacobian.subs(above.subs(i, each), a[each] * below)
    each = sp.expand(by_output.subs(K, i) * sp.expand(jacobian))
    return _summed(each, i).subs(_summed(E[i], i), 1)


def _partial(value: Math, base: Math) -> Math:
    """∂value/∂base[k]: through each sum by the chain rule, and by each entry where it is the one with index k."""
    inner = {added: _summed(_partial(added.function, base), added.limits[0][0]) for added in _outermost(value, sp.Sum)}
    inner |= {
        entry: sp.KroneckerDelta(entry.indices[0], K)
        for entry in _outermost(value, sp.Indexed, sp.Sum)
        if entry.base == base
    }
    letters = {each: sp.Dummy(real=True) for each in inner}
    back = {letter: each for each, letter in letters.items()}
    outer = value.xreplace(letters)
    return sp.Add(*(outer.diff(letters[each]).xreplace(back) * slope for each, slope in inner.items()))


def _summed(each: Math, j: Math) -> Math:
    """Σⱼ of a term, in which a δⱼₖ picks out the one where j is k."""
    same = sp.KroneckerDelta(j, K)
    rest = each.subs(same, 0)
    fixed, summed = rest.as_independent(j, as_Add=False)
    picked = (each.subs(same, 1) - rest).subs(j, K)
    return picked + (fixed * sp.Sum(summed, (j, 0, sp.Symbol("n", integer=True) - 1)) if rest != 0 else 0)


def _outermost(value: Math, kind: type, beside: Math = ()) -> list:
    """The parts of a kind that are not within others of it, nor within those beside."""
    if isinstance(value, kind):
        return [value]
    found = (
        [] if isinstance(value, beside) else [part for each in value.args for part in _outermost(each, kind, beside)]
    )
    return list(dict.fromkeys(found))


def _in_cases(value: Math) -> Math:
    """With max and min told apart by cases, whose derivatives are those that books print."""
    if not value.has(sp.Max, sp.Min):
        return value
    if not isinstance(value, sp.Max | sp.Min):
        return value.func(*map(_in_cases, value.args))
    if len(value.args) == 2 and not any(part.has(sp.Max, sp.Min, sp.Piecewise) for part in value.args):
        return _larger(value)
    return sp.piecewise_fold(value.rewrite(sp.Piecewise))


def _larger(value: Math) -> Math:
    """max(0, x) as x for x > 0, 0 otherwise: at the kink the derivative is that from below."""
    last, first = sorted(value.args, key=lambda part: not part.is_number)
    condition = first > last if isinstance(value, sp.Max) else first < last
    return sp.Piecewise((first, condition), (last, True))


def shortest(value: Math) -> Math:
    """The form with the fewest operations, in the order that books prefer."""
    if isinstance(value, sp.Piecewise):
        pairs: Math = value.args
        return sp.Piecewise(*((shortest(case), condition) for case, condition in pairs), evaluate=False)
    if not isinstance(value, sp.Expr):
        return value
    if value.has(sp.cosh):
        value = sp.simplify(value)
    letters = {power: sp.Dummy() for power in value.atoms(sp.exp)}  # so that e⁻ˣ stays what it is
    above, below = sp.fraction(sp.together(value.xreplace(letters)))
    back = {letter: power for power, letter in letters.items()}
    forms = [value, (sp.expand(above) / below).xreplace(back), sp.factor_terms(value)]
    if not letters and any(not power.exp.is_number for power in value.atoms(sp.Pow)):
        forms.append(sp.powsimp(sp.expand(value)))
    if value.is_rational_function():
        forms.append(sp.cancel(value))
    return arranged(min(forms, key=sp.count_ops))


def arranged(value: Math) -> Math:
    """Positive terms first, numbers before powers of e; numbers and fields before functions."""
    if value.is_Add:

        def order(term):
            return (term.could_extract_minus_sign(), value.has(sp.exp) and not term.is_number)

        terms = sorted(value.as_ordered_terms(), key=order)
        return total(*map(arranged, terms))
    if value.is_Mul:
        return times(*map(arranged, value.as_ordered_factors()))
    if value.is_Float:
        return number(float(value))
    if value.is_Pow:
        return sp.Pow(arranged(value.base), value.exp, evaluate=False)
    if isinstance(value, sp.sign | sp.tanh):
        return value.func(arranged(value.args[0]), evaluate=False)
    return value
