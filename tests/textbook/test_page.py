"""The page of a formula, and its plot for a terminal."""

import numpy as np
import pytest

from chainrule.activations import ELU, Activation, Identity, ReLU, Sigmoid, Softmax, Tanh
from chainrule.costs import CrossEntropy
from chainrule.formula.base import written
from chainrule.layers import GRU, LSTM, Concatenate, Dense, Multiply, Repeat
from chainrule.notation.families import family
from chainrule.optimizers import Adam, ClipNorm
from chainrule.optimizers.schedules import ConstantRate, CosineDecay, OneCycle, StepDecay, Warmup
from chainrule.regularizers import L2
from chainrule.textbook.curves import Curve, braille, curves, steps_of
from chainrule.textbook.page import page, with_defaults


def test_fields_tell_letter_value_default_and_what_is_allowed():
    letters, numbers = page(Adam).fields[0], page(Adam(0.5)).fields[0]
    assert letters == ("learning_rate", "η", "", "0.001", "a number > 0 or a schedule", "the length of a step")
    assert numbers.value == "0.5"
    assert page(L2).fields[0][1:4] == ("λ", "", "required")
    assert [row.letter for row in page(Adam).fields] == ["η", "β₁", "β₂", "ε"]


def test_parameters_tell_their_letters_and_shapes():
    assert page(LSTM).parameters == [
        ("kernel", "W", "(features, 4 units)"),
        ("recurrent_kernel", "U", "(units, 4 units)"),
        ("bias", "b", "(4 units,)"),
    ]
    assert page(Dense(8)).parameters == [("kernel", "W", "(features, 8)"), ("bias", "b", "(8,)")]
    assert page(Dense(8, bias=False)).parameters == [("kernel", "W", "(features, 8)")]
    assert page(ReLU).parameters == page(Dense(8) >> ReLU()).parameters == []


def test_a_composition_shows_its_parts_once_each():
    assert list(page(Dense(8) >> ReLU() >> Dense(4) >> ReLU()).parts) == ["Dense(8)", "ReLU()", "Dense(4)"]
    assert list(page(ClipNorm(1.0) >> Adam(0.1)).parts) == ["ClipNorm(max_norm=1.0)", "Adam(learning_rate=0.1)"]
    assert page(LSTM(3)).parts == {}


def test_branches_are_named_by_their_letters_and_their_parts_stand_below_them():
    shown = page(Dense(8) * (Dense(8) >> Sigmoid()))
    assert [each.text() for each in shown.equations] == ["y = f₁(x) f₂(x)"]
    assert list(shown.parts) == ["f₁ = Dense(8)", "f₂ = Dense(8) >> Sigmoid()", "Dense(8)", "Sigmoid()"]
    assert list(page(Repeat(Identity() + Dense(8), 3)).parts) == [
        "Identity() + Dense(8)",
        "f₁ = Identity()",
        "f₂ = Dense(8)",
    ]
    assert page(Identity() | Dense(8)).fields == page(Repeat(Dense(8), 3)).parameters == []


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        (Identity() + Dense(3) + ReLU(), ["y = f_{1}\\left(x\\right) + f_{2}\\left(x\\right) + f_{3}\\left(x\\right)"]),
        (Multiply, [r"y = f\left(x\right) \, g\left(x\right)"]),
        (Concatenate, [r"y = \mathrm{concat}\left(f\left(x\right), g\left(x\right)\right)"]),
        (Repeat(ReLU(), 3), [r"h_{i} = \mathrm{block}_{i}\left(h_{i - 1}\right)", "y = h_{3}"]),
    ],
    ids=repr,
)
def test_compositions_in_latex(formula, shown):
    assert [each.latex() for each in page(formula).equations] == shown


def test_words_come_from_the_docstring():
    shown = page(ELU)
    assert shown.title == ELU.title()
    assert shown.remarks == [
        "Often misprinted as max(x, alpha (eˣ − 1)), which is wrong above 0. The derivative at 0 is alpha."
    ]
    assert shown.reference.startswith("Clevert")
    assert shown.notation == "ELU(alpha=1.0)"
    assert written(CosineDecay) == "CosineDecay(initial, final=0.0, steps=None)"


@pytest.mark.parametrize("formula", [ELU, ELU(2.0), Tanh, CosineDecay(0.1)])
def test_formulas_of_one_number_have_plots(formula):
    shown = page(formula).plots
    assert list(shown) == (["η(t)"] if "Cosine" in repr(formula) else ["f(x)", "f′(x)"])
    assert all(len(rows) == 9 for rows in shown.values())


@pytest.mark.parametrize("formula", [Softmax, Adam, CosineDecay, CrossEntropy, Dense(3)])
def test_others_have_none(formula):
    assert page(formula).plots == {}


@pytest.mark.slow
def test_curves_are_the_formula_and_its_derivative():
    for activation in family(Activation):
        if activation.__module__.startswith("chainrule.") and (made := with_defaults(activation)):
            for name, (x, y) in curves(made, points=5).items():
                assert name in ("f(x)", "f′(x)")
                assert x.shape == y.shape == (5,)
                assert np.isfinite(y).all()
    slope = curves(ReLU(), -1, 1, 3)["f′(x)"]
    assert slope.y.tolist() == [0, 0, 1]


@pytest.mark.by_turns(2)
@pytest.mark.parametrize(
    ("schedule", "length"),
    [
        (CosineDecay(0.1, steps=40), 40),
        (CosineDecay(0.1), 1000),
        (OneCycle(0.1), 1000),
        (StepDecay(0.1, every=30), 150),
        (Warmup(0.1, steps=10), 20),
        (Warmup(CosineDecay(0.1, steps=90), steps=10), 100),
        (ConstantRate(0.1), 1000),
    ],
    ids=repr,
)
def test_schedules_are_drawn_over_their_own_length(schedule, length):
    assert steps_of(schedule) == length
    drawn = curves(schedule)["η(t)"]
    assert drawn.x[0] == 0
    assert drawn.x[-1] == pytest.approx(length, rel=0.01)


def test_a_plot_has_axes_figures_and_no_gaps():
    x = np.linspace(-2, 2, 9)
    rows = braille(Curve(x, np.where(x > 0, 3.0, -1.0)), 10, 4)
    assert rows[0].startswith(" 3 ")
    assert rows[3].startswith("−1 ")
    assert rows[4] == "   −2       2"
    assert {len(row) for row in rows} == {13}
    middle = [row[8] for row in rows[:4]]
    assert "⠀" not in middle


def test_a_constant_is_a_line_in_the_middle():
    rows = braille(Curve(np.array([0.0, 1.0]), np.array([0.5, 0.5])), 4, 3)
    assert rows[0].startswith(" 1.5 ")
    assert rows[2].startswith("−0.5 ")
    assert set(rows[1].strip()) in ({"⠒"}, {"⠤"})


def test_what_a_setting_changes_stands_on_the_page_of_a_class():
    found = {name: [each.text() for each in changed] for name, changed in page(GRU).settings.items()}
    assert found["reset_after=True"] == ["n = tanh(xₜ Wₙ + r ⊙ (hₜ₋₁ Uₙ + b_U) + bₙ)"]
    assert found["return_sequences=True"] == ["yₜ = hₜ"]
    assert page(GRU(3, reset_after=True)).settings == {}
    assert [*page(Dense).settings] == ["bias=False"]
    assert page(ELU).settings == {}
