"""Formulas for papers and web pages."""

import xml.etree.ElementTree as ElementTree

import pytest

from chainrule.activations import CELU, ELU, ISRU, Softmax
from chainrule.costs import CrossEntropy, Quadratic
from chainrule.initializers import Dirac, GlorotNormal, Orthogonal
from chainrule.layers import GRU, ConvTranspose1D, Flatten
from chainrule.metrics import TopK
from chainrule.optimizers import Adam, GradientDescent, Nesterov
from chainrule.textbook.equations import aligned, derivatives, equations

LATEX = {
    ELU: r"f\left(x\right) = \begin{cases} x & \text{for}\: x > 0 \\\alpha \, \left(e^{x} - 1\right) & "
    r"\text{otherwise} \end{cases}",
    Softmax: r"f_{i}\left(x\right) = \frac{e^{x_{i}}}{\sum_{j} e^{x_{j}}}",
    Quadratic: r"J = \frac{1}{2} \sum_{j} \left(a_{j} - E_{j}\right)^{2}",
    GlorotNormal: r"W \sim \mathcal{N}\left(0, \frac{2}{\mathrm{fan\_in} + \mathrm{fan\_out}}\right)",
    Orthogonal: r"W = \mathrm{gain} \, Q, \quad Q^{\top} \, Q = I",
    GRU: r"h_{t} = \left(1 - z\right) \odot n + z \odot h_{t - 1}",
    Nesterov: r"\theta \leftarrow \theta - v",
    Adam(0.003): r"\theta \leftarrow \theta - \frac{0.003 \, \hat{m}}{\sqrt{\hat{v}} + 10^{-8}}",
}


@pytest.mark.parametrize(("formula", "expected"), LATEX.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_the_last_line_in_latex(formula, expected):
    assert equations(formula, values=True)[-1].latex() == expected


def test_derivatives_in_latex():
    assert derivatives(ELU)[0].latex().startswith(r"f'\left(x\right) = \begin{cases} 1")
    assert derivatives(CrossEntropy)[0].latex() == (
        r"\frac{\partial J}{\partial a_{k}} = \frac{a_{k} - E_{k}}{\left(1 - a_{k}\right) \, a_{k}}"
    )


def test_several_lines_are_aligned_at_their_signs():
    assert aligned(equations(Nesterov)) == (
        "\\begin{aligned}\n"
        "    v &\\leftarrow \\gamma \\, v + \\eta \\, \\nabla J\\left(\\theta - \\gamma \\, v\\right) \\\\\n"
        "    \\theta &\\leftarrow \\theta - v\n"
        "\\end{aligned}"
    )
    assert r"&& \text{behind Sigmoid}" in aligned(derivatives(CrossEntropy))


def words(formula) -> str:
    [*_, last] = equations(formula, values=True)
    return "".join(ElementTree.fromstring(last.mathml()).itertext())


def test_mathml_has_the_letters_in_their_order():
    assert words(GradientDescent) == "θ←θ−ηg"
    assert words(ELU) == "f(x)={xfor\u00a0x>0α(ex−1)otherwise"
    assert words(TopK(3)) == "1n∑j[rank(aj,Ej)<3]"
    assert words(Adam(0.003)) == "θ←θ−0.003m^v^+10−8"
    assert words(Flatten) == "y=reshape(x,−1)"
    assert words(Dirac) == "Wk,c,f={gainfor\u00a0c=f\u00a0and\u00a0k=middle0otherwise"


def test_mathml_has_fractions_on_one_line_in_indices_and_powers():
    assert words(ConvTranspose1D) == "yt,f=∑k,cWk,c,fx(t+p−dk)/s,c+bf"
    assert words(CELU) == "f(x)={xfor\u00a0x>0α(ex/α−1)otherwise"
    assert "<mfrac" not in equations(ConvTranspose1D)[0].mathml() + equations(CELU)[0].mathml()
    assert "<mfrac" in derivatives(ISRU)[0].mathml()


def test_mathml_has_fractions_roots_and_indices():
    tags = {element.tag.partition("}")[2] for element in ElementTree.fromstring(equations(Adam)[-1].mathml()).iter()}
    assert {"math", "mfrac", "msqrt", "mi", "mo"} <= tags
    assert "msub" in equations(Adam)[0].mathml()
    assert "mtable" in equations(ELU)[0].mathml()
