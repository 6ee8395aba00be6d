"""What a formula is: fields with constraints, value equality, pytree, and what it prints."""

import dataclasses
import math
from abc import abstractmethod
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import ELU, Activation, NoisyReLU, ReLU
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula, constraint_of, notation
from chainrule.formula.constraints import axes, fraction, non_negative, number, one_of, optional, positive, positive_int
from chainrule.formula.layer import Layer
from chainrule.layers import Conv2D, Dense, Reshape
from chainrule.notation import parse
from chainrule.notation.families import family
from chainrule.optimizers import Adam
from chainrule.optimizers.schedules import CosineDecay
from chainrule.regularizers import L1


class Invention(Formula):
    """Abstract, so that it is no formula that others could find."""

    @abstractmethod
    def invented(self):
        """Nothing."""


class Everything(Invention):
    """One field of each kind.

    More about it.

    Reference: Nobody, 2026,
    Nothing at all.

    And more.
    """

    size: int = positive_int(meaning="required")
    any_number: float = number(0.0)
    above: float = positive(1.0)
    from_zero: float = non_negative(0.0)
    part: float = fraction(0.5)
    lengths: tuple[int, ...] = axes((2, 3))
    name: str = one_of("a", "b", default="a")
    maybe: float | None = optional(positive())
    flag: bool = False
    inner: Activation = ReLU()
    several: tuple[Activation, ...] = ()
    plain: str = "anything"

    def invented(self):
        return 1


FIELDS = {field.name: field for field in dataclasses.fields(Everything)}


def test_values_become_pythons_own():
    made = Everything(np.int64(3), 2, np.float32(0.5), 0, Fraction(1, 4), [4, np.int32(5)], flag=np.True_)
    assert made == Everything(3, 2.0, 0.5, 0.0, 0.25, (4, 5), flag=True)
    kinds = [type(getattr(made, name)) for name in FIELDS][:7]
    assert kinds == [int, float, float, float, float, tuple, str]
    assert type(made.flag) is bool
    assert [type(length) for length in made.lengths] == [int, int]


def test_it_prints_in_the_order_of_its_fields():
    assert repr(Everything(3)) == "Everything(3)"
    made = Everything(3, name="b", inner=ELU(2), several=(ReLU(),), lengths=(7,), maybe=1, flag=True)
    assert repr(made) == (
        "Everything(3, lengths=(7,), name='b', maybe=1.0, flag=True, inner=ELU(alpha=2.0), several=(ReLU(),))"
    )


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("size", 0, "a whole number >= 1, got 0."),
        ("size", True, "a whole number >= 1, got True."),
        ("size", 2.0, "a whole number >= 1, got 2.0."),
        ("any_number", math.inf, "a finite number, got inf. The default is 0.0."),
        ("any_number", 10**400, f"a finite number, got 1{'0' * 400}. The default is 0.0."),
        ("any_number", 1j, "a finite number, got 1j. The default is 0.0."),
        ("any_number", True, "a finite number, got True. The default is 0.0."),
        ("above", 0, "a number > 0, got 0. The default is 1.0."),
        ("above", [[1.0]], "a number > 0, got [[1.0]]. The default is 1.0."),
        ("from_zero", -1e-300, "a number >= 0, got -1e-300. The default is 0.0."),
        ("part", 1, "a number >= 0 and < 1, got 1. The default is 0.5."),
        ("lengths", (2.0,), "a tuple of whole numbers >= 1, got (2.0,). The default is (2, 3)."),
        ("lengths", (2, True), "a tuple of whole numbers >= 1, got (2, True). The default is (2, 3)."),
        ("name", "c", "one of 'a', 'b', got 'c'. The default is 'a'."),
        ("maybe", -1, "a number > 0, or None, got -1. The default is None."),
        ("flag", 1, "True or False, got 1. The default is False."),
        ("inner", "ReLU()", "a formula of the family Activation, got 'ReLU()'. The default is ReLU()."),
        ("inner", L1(1.0), "a formula of the family Activation, got L1(1.0). The default is ReLU()."),
        ("several", (L1(1.0),), "a tuple of formulas of the family Activation, got (L1(1.0),). The default is ()."),
        ("several", ReLU(), "a tuple of formulas of the family Activation, got ReLU(). The default is ()."),
    ],
    ids=ascii,
)
def test_refusals(field, value, said):
    with pytest.raises(ChainruleError) as caught:
        Everything(**{"size": 3} | {field: value})
    assert str(caught.value) == f"Everything: {field} must be {said}"


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "plain"])
def test_every_invalid_value_of_a_constraint_is_invalid(name):
    constraint = constraint_of(FIELDS[name])
    assert constraint.invalid
    assert not [value for value in constraint.invalid if constraint.holds(value)]


def test_a_field_of_any_other_type_takes_anything():
    assert constraint_of(FIELDS["plain"]) is None
    assert Everything(3, plain=None).plain is None


@pytest.mark.parametrize(("name", "value"), [("part", 0), ("from_zero", 0), ("maybe", None), ("lengths", ())])
def test_the_edges_of_constraints_are_allowed(name, value):
    assert getattr(Everything(3, **{name: value}), name) == value


def test_formulas_compare_and_hash_by_value():
    assert ELU(2) == ELU(2.0)
    assert ELU(2) != ELU(3)
    assert Dense(3) != Dense(3, bias=False)
    assert ReLU() != NoisyReLU()
    assert len({ELU(1), ELU(1.0), ELU(), ELU(2)}) == 2
    assert Adam(CosineDecay(0.1)) == Adam(CosineDecay(0.1))


def test_it_tells_its_title_and_reference():
    assert Everything.title() == "One field of each kind."
    assert Everything.reference() == "Nobody, 2026, Nothing at all."
    assert Invention.reference() == ""


def test_a_family_holds_each_concrete_formula_once():
    assert list(family(Invention)) == [Everything]
    assert Formula not in set(family(Formula))
    assert Activation not in set(family(Layer))
    assert list(family(Layer)).count(NoisyReLU) == 1
    assert {NoisyReLU, ReLU, Dense} <= set(family(Layer))
    assert Dense not in set(family(Activation))


def test_numbers_and_inner_formulas_are_leaves_in_the_order_of_fields():
    made = Everything(3, 1, 2, 3, 0.5, maybe=4, inner=ELU(5), several=(ELU(6), ReLU()))
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(made)[0]]
    assert jax.tree.leaves(made) == [1, 2, 3, 0.5, 4, 5, 6]
    assert paths[0] == ".any_number"
    assert paths[-2:] == [".inner.alpha", ".several[0].alpha"]
    assert jax.tree.map(lambda leaf: leaf, made) == made


def test_another_structure_compiles_anew_and_another_number_does_not():
    traces = []
    compiled = jax.jit(lambda made: traces.append(made) or jnp.asarray(made.above) * 2)
    for made in (Everything(3), Everything(3, above=5), Everything(3, inner=ELU(2)), Everything(3, inner=ELU(7))):
        assert float(compiled(made)) == made.above * 2
    assert len(traces) == 2
    compiled(Everything(4))
    compiled(Everything(4, name="b"))
    assert len(traces) == 4


def test_gradients_of_a_formula_have_its_shape():
    slope = jax.grad(lambda made: made(jnp.array(-1.0)))(ELU(2))
    assert isinstance(slope, ELU)
    assert float(slope.alpha) == pytest.approx(math.exp(-1) - 1)


def test_arrays_and_tracers_stand_for_numbers():
    assert ELU(jnp.array([0.5, 1.0])).alpha.shape == (2,)
    assert ELU(np.array([1.0, 2.0])).alpha.shape == (2,)
    assert float(jax.jit(lambda alpha: ELU(alpha)(jnp.array(-1e9)))(3.0)) == -3


def test_replacing_a_field_checks_it():
    assert dataclasses.replace(ELU(2), alpha=3) == ELU(3)
    with pytest.raises(ChainruleError):
        dataclasses.replace(ELU(2), alpha=-3)


def test_notation_of_values():
    assert notation((1, (2.0, "a"), ReLU())) == "(1, (2.0, 'a'), ReLU())"
    assert notation((1,)) == "(1,)"
    assert notation(()) == "()"
    assert repr(Reshape([3])) == "Reshape((3,))"


def test_a_number_of_jax_is_a_number():
    for half in (jnp.float32(0.5), np.float32(0.5), np.array(0.5), jnp.array(0.5, jnp.bfloat16), np.float16(0.5)):
        made = ELU(half)
        assert (made, hash(made), repr(made)) == (ELU(0.5), hash(ELU(0.5)), "ELU(alpha=0.5)")
        assert type(made.alpha) is float
    out = jax.jit(lambda formula: formula)(ELU(0.3))  # which JAX makes, unchecked
    assert repr(out) == "ELU(alpha=0.30000001192092896)"
    assert parse(repr(out)) == out
    assert hash(parse(repr(out))) == hash(out)


def test_a_text_of_numpy_is_a_text():
    made = Conv2D(np.int64(4), (np.int32(3), 3), padding=np.str_("same"))
    assert repr(made) == "Conv2D(4, (3, 3), padding='same')"


def test_a_population_compares_hashes_and_prints():
    made, same, other = ELU(jnp.array([0.5, 1])), ELU(np.array([0.5, 1])), ELU(np.array([0.5, 2]))
    assert made == same
    assert hash(made) == hash(same)
    assert made != other
    assert made != ELU(0.5)
    assert repr(Dense(3) >> made) == "Dense(3) >> ELU(alpha=[0.5, 1.0])"
    assert len({made, same, other, ELU(0.5)}) == 3
    assert made == ELU([0.5, 1]) == ELU((0.5, 1)) == parse("ELU([0.5, 1])") == parse(repr(made))  # type: ignore[arg-type]
    assert repr(ELU(np.ones((2, 1)))) == "ELU(alpha=<float64 array of shape (2, 1)>)"  # type: ignore[arg-type]


def test_each_number_of_a_population_is_checked():
    for numbers in ([0.5, -1.0], np.array([0.5, -1.0]), jnp.array([0.5, -1.0])):
        with pytest.raises(ChainruleError) as caught:
            ELU(numbers)
        assert str(caught.value) == "ELU: alpha[1] must be a number > 0, got -1.0. The default is 1.0."
    for strange in ([0.5, "x"], [], [True, 0.5], [[0.5]]):
        with pytest.raises(ChainruleError, match=r"^ELU: alpha must be a number > 0, got "):
            ELU(strange)


def test_a_traced_formula_compares_hashes_and_prints():
    def traced(alpha):
        made = ELU(alpha)
        assert made == ELU(alpha)
        assert made != ELU()
        assert hash(made) == hash(ELU(alpha))
        assert repr(made) == "ELU(alpha=<float32 array of shape ()>)"
        return made(jnp.array(-1.0))

    jax.jit(traced)(0.5)
    jax.vmap(traced)(jnp.array([0.5, 1.0]))


@pytest.mark.parametrize("array", [np.array([0.5, 1.0]), np.array(["x"]), jnp.array([True, False])], ids=repr)
def test_an_array_in_the_place_of_structure_or_of_no_numbers_is_refused(array):
    with pytest.raises(ChainruleError, match=r"^Dense: units must be a whole number >= 1, got "):
        Dense(array)
    if array.dtype.kind != "f":
        with pytest.raises(ChainruleError, match=r"^ELU: alpha must be a number > 0, got "):
            ELU(array)
