"""Names of other libraries lead to ours, or to the word that there is none yet."""

import re

import pytest

from chainrule.errors import ChainruleError, nearest
from chainrule.notation import formulas, parse
from chainrule.notation.elsewhere import HERE, YET, hint


@pytest.mark.parametrize("answer", [*HERE, *YET])
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


def test_a_hint_comes_before_the_nearest_name():
    assert nearest("LReLU", formulas()) == " Did you mean ReLU?"
    assert hint("LReLU") == " Here that is LeakyReLU()."
    assert hint("ELU") == hint("Dense") == ""
