"""What holds for every formula that there is."""

import dataclasses
import inspect

import jax
import jax.numpy as jnp
import pytest

from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula, constraint_of
from chainrule.notation import formulas, parse
from chainrule.notation.families import family

CORE = """
    Tanh Sigmoid ReLU NoisyReLU LeakyReLU PReLU ELU  Quadratic CrossEntropy CategoricalCrossEntropy  L1 L2
    GradientDescent Momentum Nesterov Adagrad Adadelta RMSprop Adam
    Dense Chain Conv1D Conv2D MaxPool1D MaxPool2D AveragePool1D AveragePool2D GlobalMaxPool1D GlobalMaxPool2D
    GlobalAveragePool1D GlobalAveragePool2D Stride1D Stride2D Embedding RNN LSTM GRU LocallyConnected1D
    LocallyConnected2D  Accuracy GlorotUniform CosineDecay"""

UNPUBLISHED = """
    Identity BentIdentity TanhShrink
    Flatten Reshape Chain Repeat Stride1D Stride2D  Zeros Constant Normal Uniform TruncatedNormal Pretrained
    ConstantRate ExponentialDecay  Clipped  Accuracy TopK MAE RMSE R2 MAPE MedianAbsoluteError ConfusionMatrix Precision
    Recall F1  SquaredLog
    Permute Upsample1D Upsample2D ZeroPad1D ZeroPad2D Crop1D Crop2D"""
"""Formulas too plain to have one publication."""


def is_composite(made):
    return type(made).__repr__ is not Formula.__repr__


def float_fields(made):
    return [field for field in dataclasses.fields(made) if isinstance(getattr(made, field.name), float)]


def test_the_registry_is_full():
    assert set(CORE.split()) <= formulas().keys()


def test_a_name_means_one_formula(formula):
    assert formulas()[formula.__name__] is formula


def test_a_formula_of_two_families_is_found_once():
    names = [formula.__name__ for formula in family(Formula)]
    assert sorted(set(names)) == sorted(names)


def test_it_prints_as_the_expression_that_makes_it(variants):
    for made in variants:
        read = parse(repr(made))
        assert (read, hash(read), repr(read)) == (made, hash(made), repr(made))


def test_it_prints_required_fields_then_the_first_and_what_differs_from_the_default(variants):
    for made in variants:
        words = []
        for index, field in enumerate(dataclasses.fields(made)):
            value = getattr(made, field.name)
            if field.default is dataclasses.MISSING:
                words.append(repr(value))
            elif (index == 0 and value is not None) or value != field.default:
                words.append(f"{field.name}={value!r}")
        if not is_composite(made):
            assert repr(made) == f"{type(made).__name__}({', '.join(words)})"


def test_it_says_what_it_is_in_a_line(formula):
    assert not formula.__doc__.startswith(f"{formula.__name__}(")  # what a dataclass writes by itself
    assert formula.title().endswith((".", ".)"))
    assert ">>>" in formula.__doc__, "an example is missing"


def test_it_has_a_textbook_form_of_its_own(formula):
    assert vars(formula).get("textbook", "").strip()


def test_it_names_its_publication(formula):
    assert bool(formula.reference()) != (formula.__name__ in UNPUBLISHED.split())


def test_it_is_final_and_its_families_are_abstract(formula):
    for base in formula.__mro__[1:]:
        assert not issubclass(base, Formula) or base is Formula or inspect.isabstract(base)


def test_it_is_frozen(made):
    for name in [field.name for field in dataclasses.fields(made)] or ["anything"]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, name, 1)


def test_every_field_has_a_constraint_that_its_default_meets(formula):
    for field in dataclasses.fields(formula):
        assert constraint_of(field) is not None, f"{field.name} takes anything"
        assert field.default is dataclasses.MISSING or constraint_of(field).holds(field.default)


def test_every_number_has_a_meaning(made):
    for field in float_fields(made):
        assert field.metadata["meaning"], field.name


def test_it_refuses_what_its_constraints_refuse(made):
    for field in dataclasses.fields(made):
        for value in constraint_of(field).invalid:
            with pytest.raises(ChainruleError) as caught:
                dataclasses.replace(made, **{field.name: value})
            who, _, said = str(caught.value).partition(" must be ")
            assert who == f"{type(made).__name__}: {field.name}"
            assert said.startswith(f"{constraint_of(field).expected}, got {value!r}.")


def test_its_numbers_are_leaves_and_counts_flags_and_names_are_not(made):
    leaves = {path[0].name for path, _ in jax.tree_util.tree_flatten_with_path(made)[0]}
    for field in dataclasses.fields(made):
        value = getattr(made, field.name)
        if isinstance(value, float):
            assert field.name in leaves
        elif isinstance(value, int | str) or field.type == tuple[int, ...]:
            assert field.name not in leaves
    assert jax.tree.map(lambda leaf: leaf, made) == made


@pytest.mark.by_turns(3)
def test_another_number_compiles_nothing_again(made, variants):
    traces = []

    @jax.jit
    def numbers(formula):
        traces.append(formula)
        return [jnp.asarray(leaf) for leaf in jax.tree.leaves(formula)]

    alike = [other for other in variants if jax.tree.structure(other) == jax.tree.structure(made)]
    for other in alike:
        assert numbers(other) == pytest.approx(jax.tree.leaves(other))
    assert len(traces) == 1
    assert len(set(alike)) > 1 or not float_fields(made)


def test_arrays_may_stand_for_its_numbers(made):
    for field in float_fields(made):
        numbers = [0.5, 0.25] if constraint_of(field).holds(0.25) else [1.5, 1.25]
        population = dataclasses.replace(made, **{field.name: jnp.array(numbers)})
        axes = jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, population)
        one = jax.vmap(lambda each, name=field.name: getattr(each, name) + 0, in_axes=(axes,))(population)
        assert one.tolist() == numbers
