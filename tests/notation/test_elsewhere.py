"""Names of other libraries lead to ours, or to the word that there is none yet."""

import re

import pytest

from chainrule.costs import Cost
from chainrule.errors import ChainruleError, nearest
from chainrule.notation import as_formula, formulas, parse
from chainrule.notation.elsewhere import FIELDS, HERE, NAMESAKES, YET, hint
from chainrule.notation.families import FAMILIES


@pytest.mark.parametrize("answer", [*HERE, *YET, *FIELDS, *(one for each in NAMESAKES.values() for one in each)])
def test_what_is_named_is_there(answer):
    named = re.findall(r"[A-Z]\w+", answer)
    assert set(named) <= set(formulas())
    for notation in re.findall(r"[A-Z]\w+\(\)", answer):
        parse(notation)


def test_no_name_is_ours_and_none_stands_twice():
    names = [name for names in (*HERE.values(), *YET.values()) for name in names.split()]
    assert len(names) == len(set(names))
    ours = {name.lower() for name, formula in formulas().items() if formula.__module__.startswith("chainrule.")}
    assert not ours & set(names)
    assert all(name == name.lower().replace("_", "") for name in names)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("MSE", " Here that is Quadratic() as a cost, or RMSE() as a metric."),
        ("GumbelSoftmax()", " It is not there yet; Softmax() is near."),
        ("Dense(3) >> BatchNormalization()", " Here that is BatchNorm()."),
        ("Dense(3) >> MultiHeadAttention(4)", " Here that is SelfAttention(heads)."),
        ("PositionalEncoding()", " Here that is SinusoidalPositions()."),
        ("Linear(3, 4)", " Here that is Dense(units), or Identity() as an activation."),
        ("Dense(3, kernel_initializer=xavier_uniform)", " Here that is GlorotUniform()."),
        ("BCEWithLogitsLoss()", " Here that is CrossEntropy(), behind Sigmoid()."),
        ("SGD(lr=0.1)", " Here that is GradientDescent(), or Momentum() and Nesterov()."),
        ("GLU(64)", " Here that is a product of layers: Dense(64) * (Dense(64) >> Sigmoid())."),
        ("SwiGLU(64)", " Here that is a product of layers: Dense(64) * (Dense(64) >> SiLU())."),
        ("Swish()", " Here that is SiLU()."),
        ("Residual(Dense(3))", " Here that is a sum of layers: Identity() + (Dense(64) >> ReLU())."),
        ("Conv2d(3, 3)", " Did you mean Conv2D?"),
        ("Qqqqqq", ""),
    ],
)
def test_an_unknown_formula_gets_a_useful_answer(text, end):
    with pytest.raises(ChainruleError) as refused:
        parse(text)
    said = str(refused.value)
    assert said.startswith("Unknown formula '")
    assert said.endswith(f'in "{text}".{end}')


def test_namesakes_are_of_other_families():
    for name, namesakes in NAMESAKES.items():
        base = next(base for bases in FAMILIES.values() for base in bases if base.__name__ == name)
        for notation, names in namesakes.items():
            assert all(issubclass(formulas()[one], base) for one in re.findall(r"[A-Z]\w+", notation))
            assert not any(issubclass(formulas()[one], base) for one in names.split())
    with pytest.raises(ChainruleError, match=r"got MAE\(\) of the family Metric\. Of the family Cost there is Abs"):
        as_formula("MAE()", Cost)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (
            "Dense(3, kernel_constraint=3)",
            " Here that is a regularizer of all kernels, such as L2(0.001) or MaxNorm(2).",
        ),
        ("Dense(3, activation=ReLU())", " Here that is an activation of its own behind a layer: Dense(64) >> ReLU()."),
        ("Adam(lr=0.1)", " Here that is learning_rate."),
        ("Dense(3, lr=0.1)", ""),
        ("Dense(3, use_bias=False)", " Did you mean bias?"),
    ],
)
def test_a_field_of_another_library_gets_a_useful_answer(text, end):
    with pytest.raises(ChainruleError) as refused:
        parse(text)
    said = str(refused.value)
    assert " has no field '" in said
    assert said.partition(": ")[2].partition(".")[2] == end


def test_a_hint_comes_before_the_nearest_name():
    assert nearest("LReLU", formulas()) == " Did you mean ReLU?"
    assert hint("LReLU") == " Here that is LeakyReLU()."
    assert hint("ELU") == hint("Dense") == ""
