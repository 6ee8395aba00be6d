"""What readers see: the pages of a few formulas, in full."""

import pytest
import sympy as sp

from chainrule.activations import ELU, LeakyReLU, Sigmoid, Softmax
from chainrule.costs import CategoricalCrossEntropy, CrossEntropy, Quadratic
from chainrule.initializers import HeNormal, Orthogonal
from chainrule.layers import GRU, LSTM, RNN, Conv2D, Dense
from chainrule.metrics import RMSE, Accuracy
from chainrule.notation.families import FAMILIES, members
from chainrule.optimizers import Adam, ClipNorm
from chainrule.optimizers.schedules import CosineDecay, ExponentialDecay
from chainrule.regularizers import L1, L2
from chainrule.textbook.equations import derivatives, equations
from chainrule.textbook.letters import symbol
from chainrule.textbook.mathematics import Transposed
from chainrule.textbook.text import text

PAGES = {
    ELU: """
       ⎧x           for x > 0
f(x) = ⎨
       ⎩α (eˣ − 1)  otherwise
        ⎧1     for x > 0
f′(x) = ⎨
        ⎩α eˣ  otherwise""",
    LeakyReLU(0.2): """
       ⎧x      for x > 0
f(x) = ⎨
       ⎩0.2 x  otherwise
        ⎧1    for x > 0
f′(x) = ⎨
        ⎩0.2  otherwise""",
    Sigmoid: """
          1
f(x) = ───────
       1 + e⁻ˣ
           e⁻ˣ
f′(x) = ──────────
        (1 + e⁻ˣ)²""",
    Softmax: """
         exp(xᵢ)
fᵢ(x) = ──────────
        Σⱼ exp(xⱼ)""",
    Quadratic: """
J = ½ Σⱼ (aⱼ − Eⱼ)²
∂J/∂aₖ = aₖ − Eₖ""",
    CrossEntropy: """
J = −Σⱼ (Eⱼ ln(aⱼ) + (1 − Eⱼ) ln(1 − aⱼ))
           aₖ − Eₖ
∂J/∂aₖ = ───────────
         (1 − aₖ) aₖ
behind Sigmoid
∂J/∂zₖ = aₖ − Eₖ""",
    CategoricalCrossEntropy: """
J = −Σⱼ Eⱼ ln(aⱼ)
          Eₖ
∂J/∂aₖ = −──
          aₖ
behind Softmax
∂J/∂zₖ = aₖ − Eₖ""",
    L1: """
R = λ Σⱼ │wⱼ│
∂R/∂wₖ = λ sign(wₖ)""",
    L2(0.5): """
R = 0.5 Σⱼ wⱼ²
∂R/∂wₖ = wₖ""",
    Adam: """
m ← β₁ m + (1 − β₁) g
v ← β₂ v + (1 − β₂) g²
       m
m̂ ← ───────
    1 − β₁ᵗ
       v
v̂ ← ───────
    1 − β₂ᵗ
         η m̂
θ ← θ − ──────
        √v̂ + ε""",
    GRU(3, reset_after=True): """
r = σ(xₜ Wᵣ + hₜ₋₁ Uᵣ + bᵣ)
z = σ(xₜ W_z + hₜ₋₁ U_z + b_z)
n = tanh(xₜ Wₙ + r ⊙ (hₜ₋₁ Uₙ + b_U) + bₙ)
hₜ = (1 − z) ⊙ n + z ⊙ hₜ₋₁
y = hₜ,   t = T""",
    LSTM(3, reverse=True, learn_start=True, return_sequences=True, recurrent_dropout=0.25): """
hₜ₊₁ = start₀,   t = T
cₜ₊₁ = start₁,   t = T
    hₜ₊₁ ⊙ B
d = ────────,   B ~ Bernoulli(0.75)
      0.75
i = σ(xₜ Wᵢ + d Uᵢ + bᵢ)
f = σ(xₜ W_f + d U_f + b_f)
g = tanh(xₜ W_g + d U_g + b_g)
o = σ(xₜ Wₒ + d Uₒ + bₒ)
cₜ = f ⊙ cₜ₊₁ + i ⊙ g
hₜ = o ⊙ tanh(cₜ)
yₜ = hₜ""",
    RNN(3, activation=Sigmoid()): """
hₜ = σ(xₜ W + hₜ₋₁ U + b)
y = hₜ,   t = T""",
    Dense(3, bias=False): """
y = x W""",
    ClipNorm: """
g ← g min(1, max_norm/√(Σⱼ gⱼ²))""",
    LSTM: """
i = σ(xₜ Wᵢ + hₜ₋₁ Uᵢ + bᵢ)
f = σ(xₜ W_f + hₜ₋₁ U_f + b_f)
g = tanh(xₜ W_g + hₜ₋₁ U_g + b_g)
o = σ(xₜ Wₒ + hₜ₋₁ Uₒ + bₒ)
cₜ = f ⊙ cₜ₋₁ + i ⊙ g
hₜ = o ⊙ tanh(cₜ)""",
    GRU: """
r = σ(xₜ Wᵣ + hₜ₋₁ Uᵣ + bᵣ)
z = σ(xₜ W_z + hₜ₋₁ U_z + b_z)
n = tanh(xₜ Wₙ + (r ⊙ hₜ₋₁) Uₙ + bₙ)
hₜ = (1 − z) ⊙ n + z ⊙ hₜ₋₁""",
    Conv2D: """
y      =   Σ   W        x                              + b
 i,j,f   k,l,c  k,l,c,f  s i + d k − p,s j + d l − p,c    f""",
    HeNormal: """
W ~ N(0, 2/fan_in)""",
    Orthogonal: """
W = gain Q,   Qᵀ Q = I""",
    RMSE: """
√(1/n Σⱼ (aⱼ − Eⱼ)²)""",
    Accuracy: """
1
─ Σⱼ [argmax(aⱼ) = Eⱼ]
n""",
    CosineDecay: """
               (initial − final) (1 + cos(π min(1, t/steps)))
η(t) = final + ──────────────────────────────────────────────
                                     2""",
}


@pytest.mark.parametrize(("formula", "expected"), PAGES.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_a_page(formula, expected):
    values = not isinstance(formula, type)
    shown = [*equations(formula, values), *derivatives(formula, values)]
    rows = [row for each in shown for row in ((each.remark,) if each.remark else ()) + (each.text(),)]
    assert "\n".join(rows) == expected.strip("\n")


x = symbol("x")


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        (sp.Float(1e-8), "10⁻⁸"),
        (sp.Float(2.5e-7), "2.5·10⁻⁷"),
        (sp.Rational(-3, 4), " 3\n−─\n 4"),
        (sp.sqrt(x), "√x"),
        (sp.sqrt(x + 1), "√(1 + x)"),
        (x**10, "x¹⁰"),
        (sp.exp(x**2), "exp(x²)"),
        (1 / sp.sqrt(x), "1\n──\n√x"),
        (sp.floor(x), "⌊x⌋"),
        (Transposed(x), "xᵀ"),
        (sp.Max(0, x), "max(0, x)"),
        (sp.erf(x / 2), "erf(x/2)"),
        (2 * x * (x + 1), "2 x (1 + x)"),
        (-x, "−x"),
    ],
    ids=str,
)
def test_an_expression(expression, shown):
    assert text(expression) == shown


@pytest.mark.parametrize(
    ("formula", "row"),
    [
        (LeakyReLU(0.2), "f(x) = x for x > 0, 0.2 x otherwise"),
        (Softmax, "fᵢ(x) = exp(xᵢ)/Σⱼ exp(xⱼ)"),
        (Conv2D, "y_i,j,f = Σ_k,l,c W_k,l,c,f x_(s i + d k − p,s j + d l − p,c) + b_f"),
        (CosineDecay, "η(t) = final + (initial − final) (1 + cos(π min(1, t/steps)))/2"),
        (ExponentialDecay, "η(t) = initial factor^(t/steps)"),
        (HeNormal, "W ~ N(0, 2/fan_in)"),
        (RMSE, "√(1/n Σⱼ (aⱼ − Eⱼ)²)"),
    ],
)
def test_on_one_row(formula, row):
    assert equations(formula, not isinstance(formula, type))[0].row() == row


@pytest.mark.parametrize("family", FAMILIES)
def test_every_formula_has_its_rows(family):
    for formula in members(family):
        for equation in equations(formula):
            assert "\n" not in equation.row()
            if "\n" not in equation.text() and "/" not in equation.row():
                assert equation.row() == equation.text()
