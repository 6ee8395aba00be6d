"""What a notebook shows, and that it never fails."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from chainrule import fit
from chainrule.activations import ELU, Identity, ReLU, Softmax
from chainrule.costs import CategoricalCrossEntropy
from chainrule.layers import Dense
from chainrule.optimizers import Adam, ClipNorm, GradientDescent
from chainrule.pictures import notebook
from chainrule.textbook.equations import aligned, equations


@pytest.fixture(scope="module")
def model():
    x = np.linspace(0, 1, 12).reshape(12, 1)
    network = Dense(3) >> ELU() >> Dense(2) >> Softmax()
    return fit(network, x, np.array(["<a>", "b"] * 6), epochs=2, batch_size=4, progress=False)


def table(html: str) -> list[list[str]]:
    rows = ElementTree.fromstring(html[: html.index("</table>") + 8]).iter("tr")
    return [["".join(cell.itertext()) for cell in row] for row in rows]


def test_a_formula_is_mathematics():
    assert GradientDescent(0.5)._repr_latex_() == r"$\displaystyle \theta \leftarrow \theta - 0.5 \, g$"
    assert Adam()._repr_latex_().count(r"\\") == 4


def test_a_network_is_a_table_with_its_formulas():
    head, first, second = table((Dense(3) >> ReLU())._repr_html_())
    assert head == ["layer", "formula"]
    assert first == ["Dense(3)", "y=xW+b"]
    assert second == ["ReLU()", "f(x)=max(0,x)"]


def test_a_model_has_shapes_parameters_and_curves(model):
    html = model._repr_html_()
    rows = table(html)
    assert rows[0] == ["layer", "formula", "output", "parameters"]
    assert rows[1] == ["Dense(3)", "y=xW+b", "3", "6"]
    assert rows[-1] == ["", "", "", "14"]
    assert "CategoricalCrossEntropy()" in html
    assert html.count("data:image/png;base64,") == 1


def test_what_is_written_is_escaped(model):
    table = notebook._table(("x",), [(notebook._code(repr(Dense(3) >> ReLU())),)])
    assert "Dense(3) &gt;&gt; ReLU()" in table
    assert "<a>" not in model._repr_html_()


def test_what_can_t_be_shown_is_left_to_the_notation(model, monkeypatch):
    def fail(*_):
        raise RuntimeError

    for name in ("formula", "mathematics", "network", "model", "summary"):
        monkeypatch.setattr(notebook, name, fail)
    assert ELU()._repr_html_() is ELU()._repr_latex_() is (Dense(3) >> ReLU())._repr_html_() is None
    assert model._repr_html_() is model.summary()._repr_html_() is None


def test_a_population_has_letters_for_its_numbers():
    assert ELU(np.array([1.0, 2.0]))._repr_latex_() == rf"$\displaystyle {aligned(equations(ELU))}$"  # type: ignore[arg-type]


def equations_in(html: str) -> list[str]:
    root = ElementTree.fromstring(html)
    return ["".join(each.itertext()) for each in root.iter() if each.tag.endswith(("math", "code"))]


def test_a_formula_is_mathematics_as_on_the_pages():
    html = ELU(0.5)._repr_html_()
    assert equations(ELU(0.5), values=True)[0].mathml() in html
    assert equations_in(html) == ["f(x)={xfor\u00a0x>00.5(ex−1)otherwise", "f′(x)={1for\u00a0x>00.5exotherwise"]
    assert "<span>behind Softmax</span>" in (CategoricalCrossEntropy()._repr_html_() or "")


def test_what_a_formula_is_made_of_stands_below_it():
    html = (ClipNorm(1.0) >> GradientDescent(0.5))._repr_html_()
    assert equations_in(html) == [
        *("g←clipping(g)", "θ←optimizer(θ,g)"),
        *("ClipNorm(max_norm=1.0)", "g←gmin(1,1∑jgj2)"),
        *("GradientDescent(learning_rate=0.5)", "θ←θ−0.5g"),
    ]


def test_a_summary_is_a_table(model):
    assert table(model.summary()._repr_html_()) == [
        ["layer", "output", "parameters"],
        ["Dense(3)", "3", "6"],
        ["ELU(alpha=1.0)", "3", "0"],
        ["Dense(2)", "2", "8"],
        ["Softmax()", "2", "0"],
        ["", "", "14"],
    ]


def test_branches_stand_below_their_composition_with_their_own_equations():
    model = fit(
        "Identity() + Dense(3) >> Dense(1)", np.ones((4, 3)), np.ones(4), epochs=1, batch_size="all", progress=False
    )
    assert table(model._repr_html_())[1:-1] == [
        ["Add", "y=f1(x)+f2(x)", "3", "0"],
        ["  + Identity()", "f(x)=x", "3", "0"],
        ["  + Dense(3)", "y=xW+b", "3", "12"],
        ["Dense(1)", "y=xW+b", "1", "4"],
    ]
    assert table((Identity() * Dense(3) >> ReLU())._repr_html_())[1] == [
        "Identity() * Dense(3)",
        "y=f1(x)f2(x)f₁ = Identity()f(x)=xf₂ = Dense(3)y=xW+b",
    ]
    assert "f₁ = Identity()" in (Identity() | Dense(3))._repr_html_()
    assert (Identity() | Dense(3))._repr_latex_().count("mathrm{concat}") == 1


def test_frozen_layers_stand_below_their_heading_and_beside_the_sum():
    network = "Frozen(Dense(3) >> ReLU()) >> Dense(1)"
    model = fit(network, np.ones((4, 3)), np.ones(4), epochs=1, batch_size="all", progress=False)
    assert table(model._repr_html_())[1:] == [
        ["Frozen", "y=layer(x)", "3", "0"],
        ["  Dense(3)", "y=xW+b", "3", "12"],
        ["  ReLU()", "f(x)=max(0,x)", "3", "0"],
        ["Dense(1)", "y=xW+b", "1", "4"],
        ["", "", "", "16"],
        ["", "", "frozen", "12"],
    ]
