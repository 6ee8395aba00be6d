"""Reading formulas: what is written is read back, and whatever else comes is refused, never executed."""

import dataclasses
import re
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chainrule.activations import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula
from chainrule.formula.layer import Add, Chain, Concatenate, Layer, Multiply
from chainrule.formula.repeat import Repeat
from chainrule.initializers import Constant, HeNormal, Normal, Orthogonal
from chainrule.layers import Dense, Dropout, Flatten, Reshape
from chainrule.notation import as_formula, formulas, parse
from chainrule.notation.families import family
from chainrule.optimizers import Adam, ClipNorm, Clipped, Clipping, ClipValue, GradientDescent, Momentum, Optimizer
from chainrule.optimizers.schedules import CosineDecay, StepDecay, Warmup
from chainrule.regularizers import L1, L2, Sum

positives = st.floats(1e-300, 1e300)
counts = st.integers(1, 10**12)
initializers = st.one_of(
    st.builds(Constant, st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(Normal, positives, st.floats(-1e9, 1e9)),
    st.builds(Orthogonal, positives),
    st.just(HeNormal()),
)
layers = st.one_of(
    st.builds(Dense, counts, st.booleans(), initializers),
    st.builds(ELU, positives),
    st.builds(LeakyReLU, positives),
    st.builds(PReLU, positives, st.booleans()),
    st.builds(Dropout, st.floats(0, 1, exclude_max=True)),
    st.builds(Reshape, st.lists(counts, max_size=4)),
    st.sampled_from([ReLU(), Softmax(), Flatten()]),
)
networks = st.recursive(
    layers,
    lambda inner: (
        st.builds(
            lambda kind, many: kind(tuple(many)),
            st.sampled_from([Chain, Add, Multiply, Concatenate]),
            st.lists(inner, min_size=1, max_size=5),
        )
        | st.builds(Repeat, inner, counts)
    ),
)
rates = st.recursive(
    positives | st.builds(StepDecay, positives, positives) | st.builds(CosineDecay, positives),
    lambda inner: st.builds(Warmup, inner, positives),
    max_leaves=3,
)
optimizers = st.recursive(
    st.builds(Adam, rates) | st.builds(Momentum, rates, st.floats(0, 0.99)) | st.builds(GradientDescent, rates),
    lambda inner: st.builds(Clipped, st.builds(ClipNorm, positives) | st.builds(ClipValue, positives), inner),
    max_leaves=3,
)
penalties = st.lists(st.builds(L1, positives) | st.builds(L2, positives), min_size=1, max_size=4).map(
    lambda terms: sum(terms[1:], start=terms[0])
)


@given(networks | optimizers | penalties)
def test_what_is_written_is_read_back(formula):
    read = parse(repr(formula))
    assert (read, hash(read), repr(read)) == (formula, hash(formula), repr(formula))


def refused(text):
    """The refusal of a text; a formula, where it happens to be one, must print as itself."""
    try:
        formula = parse(text)
    except ChainruleError as refusal:
        return str(refusal)
    assert parse(repr(formula)) == formula
    return ""


NAMES = st.sampled_from([*formulas(), "eval", "print", "__import__", "alpha", "lambda", "None", "True", "nan", "x"])
PIECES = st.sampled_from([*"()[]{},.:=>+-*/%@!#'\"\\ \n\t\0\f~", ">>", ":=", "**", "0x", "1e", "é", "ℝ", "\ud800", "9"])


@given(st.text())
@example("")
@example("\0")
@example("\ud800")
@example("ELU(alpha=1, alpha=2)")
def test_any_text_is_read_or_refused(text):
    refused(text)


@given(st.lists(NAMES | PIECES | st.integers().map(str) | st.floats().map(str), max_size=30).map("".join))
def test_anything_like_notation_is_read_or_refused(text):
    refused(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from([*formulas()]),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
).map(str)
FIELDS = st.sampled_from(sorted({field.name for each in formulas().values() for field in dataclasses.fields(each)}))
CALLS = st.builds(
    lambda name, args, keywords: (
        f"{name}({', '.join([*args, *(f'{key}={value}' for key, value in keywords.items())])})"
    ),
    st.sampled_from([*formulas()]),
    st.lists(VALUES, max_size=3),
    st.dictionaries(FIELDS, VALUES, max_size=2),
)


@given(CALLS, st.sampled_from([" >> ", " + ", " * ", " | "]), CALLS)
def test_any_call_is_read_or_refused(one, sign, other):
    refused(one)
    refused(one + sign + other)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ReLU() >> " * 900 + "Dense(3) >> Foo(1, 2) >> Bar()" + " >> ReLU()" * 900,
         "Unknown formula 'Foo' in \"…LU() >> Dense(3) >> Foo(1, 2) >> Bar() >> ReLU() >> ReLU() >…\"."),
        ("ReLU() >> " * 1900 + "Foo()",
         "Unknown formula 'Foo' in \"…) >> ReLU() >> ReLU() >> ReLU() >> ReLU() >> ReLU() >> Foo()\"."),
        ("Chain((\r\nReLU(),\n'éé', '" + "é" * 40 + "',\n  ELU(1) * 3 , " + "ReLU(), " * 99 + "))",
         "Can't read \"…éééééé',\\n  ELU(1) * 3 , ReLU(), ReLU(), ReLU(), ReLU(), ReLU…\": "
         "* composes formulas, and 3 is none."),
        ("ReLU() >> " * 900 + ")" + " >> ReLU()" * 900,
         "Can't read \"…ReLU() >> ReLU() >> ) >> ReLU() >> ReLU() >> ReLU() >> ReLU(…\" as a formula: unmatched ')'. "
         "For example: Dense(64) >> ReLU()."),
    ],
    ids=["in the midst", "at the end", "lines", "syntax"],
)  # fmt: skip
def test_what_surrounds_the_place_is_quoted(text, shown):
    with pytest.raises(ChainruleError) as caught:
        parse(text)
    assert str(caught.value) == shown


def test_brackets_in_a_text_are_none():
    made = parse(f"Embedding(3, 2, initializer=Pretrained({'(' * 60!r}))")
    assert parse(repr(made)) == made


def test_links_of_a_chain_are_not_checked_again(monkeypatch):
    penalty = " + ".join(["L1(1.0)"] * 1_990)
    for kind in (Chain, Add, Multiply, Concatenate, Sum):
        monkeypatch.setattr(kind, "__post_init__", lambda formula: pytest.fail("checked"))
    for sign in (">>", "+", "*", "|"):
        text = f" {sign} ".join(["ReLU()"] * 1_990)
        assert repr(parse(text)) == text
    assert repr(parse(penalty)) == penalty


NOT_FORMULAS = [
    *("1", "'ELU'", "None", "(ELU(), ELU())", "[ELU()]", "1j", "b'x'", "...", "x", "True"),
    *("lambda: ELU()", "[ELU() for i in (1, 2)]", "{ELU()}", "{'a': ELU()}", "(x := ELU())", "ELU() if 1 else ELU()"),
    *("ELU().textbook", "ELU.__init__", "f'{ELU()}'", "f\"{__import__('os')}\"", "ELU()()", "ELU()[0]", "not ELU()"),
    *("__import__('os').system('true')", "eval('1')", "ELU(**{})", "ELU(*())", "ELU() < ELU()", "ELU() and ELU()"),
    *("ELU() >> 3", "3 >> ELU()", "ELU() + 3", "ELU() - ELU()", "ELU() * 2", "-ELU()", "~ELU()", "ELU() @ ELU()"),
    *("ELU(-True)", "ELU(+1)", "ELU(1 + 1)", "ELU(2**9)", "ELU('1')", "ELU(('1',))", "ELU(ELU())", "ELU(None)"),
    *("ELU(1e999)", "ELU(-1e999)", "ELU(nan)", "Dense(1.0)", "Dense(True)", "Dense('3')", "Dense(units=None)"),
    *("ELU();ELU()", "ELU()\nELU()", "import os", "ELU() = 1", "yield ELU()", "await ELU()", "ELU(", "ELU)", "\\"),
    *("Chain(3)", "Chain((3,))", "Chain(())", "Chain((ReLU(), L1(1.0)))", "Sum(3)", "Sum((3,))", "Sum('x')"),
    *(
        "Dense(3) + L1(1.0)",
        "L1(1.0) >> L2(1.0)",
        "L1(1.0) * L2(1.0)",
        "Adam() | Adam()",
        "Adam() >> ClipNorm(1.0)",
        "Layer()",
        "Formula",
        "Activation()",
    ),
    *("Dense(0xff" + "f" * 100 + ")", "ELU(1" + "0" * 400 + ")", "Dense(-99999999999999999999)"),
    *("ＥＬＵ(αlpha=1)", "ELU(alpha=1)(2)", "_ClassRate()", "Reshape(((3,),))", "F1('?')", "ELU\0()"),
    *("f'\\n{1}'", "f'{x}\\''", "'\x7f'", "x\x7f", "'\u2028'", "ELU(a\u2028=1)"),
]


@pytest.mark.parametrize("text", NOT_FORMULAS, ids=ascii)
def test_nothing_else_has_a_meaning(text):
    assert refused(text)


REFUSED_WITHOUT_A_CRASH = {
    "brackets": "(" * 19_000,
    "closed brackets": "(" * 9_000 + ")" * 9_000,
    "lists": "[" * 19_000,
    "closed lists": "[" * 9_000 + "]" * 9_000,
    "braces": "{" * 60 + "}" * 60,
    "minus": "-" * 19_000 + "1",
    "some minus": "-" * 990 + "1",
    "tilde": "~" * 500 + "1",
    "not": "not " * 900 + "1",
    "power": "2**" * 6_000 + "2",
    "some power": "2**" * 900 + "2",
    "attributes": "a" + ".a" * 9_000,
    "calls": "a" + "()" * 9_000,
    "some calls": "ELU" + "()" * 950,
    "nested calls": "ELU(" * 4_000 + "1" + ")" * 4_000,
    "subscripts": "a" + "[0]" * 6_000,
    "lambda": "lambda:" * 2_800 + "1",
    "some lambda": "lambda:" * 140 + "1",
    "conditions": "1 if 1 else " * 1_600 + "1",
    "some conditions": "1 if 1 else " * 80 + "1",
    "comparisons": "a<" * 9_000 + "a",
    "chain of strangers": "a>>" * 6_000 + "a",
    "open chain": "a>>" * 6_000,
    "f-strings": "f'{" * 100 + "1" + "}'" * 100,
    "too long": "ELU()>>" * 100_000 + "ELU()",
    "huge": "Dense(0x" + "f" * 19_000 + ")",
    "huge and negative": "Dense(-0x" + "f" * 19_000 + ")",
    "huge number": "ELU(0x" + "f" * 19_000 + ")",
    "huge decimal": "Dense(" + "9" * 19_000 + ")",
    "huge and composed": "Dense(0x" + "f" * 9_000 + ") >> L1(1.0)",
    "warnings": "1if 1else " * 1_500 + "1",
    "escapes": "'" + r"\d" * 9_000 + "'",
    "texts": "'a' " * 4_000,
    "keywords": "ELU(" + ",".join(f"a{i}=1" for i in range(2_000)) + ")",
    "name": "a" * 19_999,
    "import": "__import__('os').abort()",
}


@pytest.mark.parametrize("what", REFUSED_WITHOUT_A_CRASH)
def test_adversaries_are_refused_in_a_short_sentence(what):
    message = refused(REFUSED_WITHOUT_A_CRASH[what])
    assert 0 < len(message) < 2_500


def test_adversaries_do_not_end_a_fresh_process():
    program = (
        "import sys, warnings; warnings.simplefilter('error')\n"
        "import chainrule.layers\n"
        "from chainrule.notation import parse\n"
        "from chainrule.errors import ChainruleError\n"
        f"for text in {list(REFUSED_WITHOUT_A_CRASH.values())!r}:\n"
        "    try: parse(text)\n"
        "    except ChainruleError: continue\n"
        "    sys.exit(text[:60])\n"
    )
    ended = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_long_chain_is_read_and_its_layers_stay_in_order():
    network = Chain(tuple(Dense(units) for units in range(1, 1_200)))
    assert parse(repr(network)) == network


def test_brackets_and_spaces_are_free():
    assert parse("  (Dense( 3 )>>(ReLU ( )>>Softmax()))  ") == Dense(3) >> ReLU() >> Softmax()


def test_a_bare_name_is_the_formula_with_its_defaults():
    assert parse("Dense(3) >> ReLU >> Softmax") == Dense(3) >> ReLU() >> Softmax()


def test_a_schedule_stands_for_a_rate():
    assert parse("Adam(Warmup(CosineDecay(0.1), steps=5))") == Adam(Warmup(CosineDecay(0.1), steps=5.0))


@pytest.mark.parametrize(
    ("text", "family", "message"),
    [
        ("Addam(0.003)", Formula, 'Unknown formula \'Addam\' in "Addam(0.003)". Did you mean Adam?'),
        ("relu", Formula, "Unknown formula 'relu' in \"relu\". Did you mean ReLU?"),
        ("Qqqqqq()", Formula, "Unknown formula 'Qqqqqq' in \"Qqqqqq()\"."),
        ("ELU(alfa=2)", Formula, "ELU has no field 'alfa': ELU takes alpha. Did you mean alpha?"),
        ("ReLU(slope=2)", Formula, "ReLU has no field 'slope': ReLU takes no fields."),
        ("Dense()", Formula,
         'Dense: units is missing in "Dense()": Dense takes units, bias, kernel_initializer, bias_initializer.'),
        ("ELU(1, 2)", Formula, 'ELU takes alpha; got 2 values in "ELU(1, 2)".'),
        ("ELU(1, alpha=2)", Formula, 'ELU: alpha is given twice in "ELU(1, alpha=2)".'),
        ("ELU(alpha=1, alpha=2)", Formula, 'ELU: alpha is given twice in "ELU(alpha=1, alpha=2)".'),
        ("ELU(-1)", Formula, "ELU: alpha must be a number > 0, got -1. The default is 1.0."),
        ("ReLU()", Clipping,
         "Expected one of the family Clipping (ClipNorm, ClipValue, ClipAdaptive), got ReLU() of the family "
         "Activation."),
        ("3", Formula, 'Expected a formula, got "3". For example: ELU(alpha=1.0).'),
        ("ELU() * 2", Formula,
         'Can\'t read "ELU() * 2": * composes formulas, and 2 is none.'),
        ("+Dense(4)", Formula,
         'Can\'t read "+Dense(4)": a + stands between two formulas. Identity() + … adds the input.'),
        ("L1(1) >> L2(1)", Formula,
         "L1(1.0) of the family Regularizer and L2(1.0) of the family Regularizer can't be composed by >>."),
        ("ReLU() + L2(1)", Formula,
         "ReLU() of the family Activation and L2(1.0) of the family Regularizer can't be composed by +."),
        ("Adam(0.1) * ReLU()", Formula,
         "Adam(learning_rate=0.1) of the family Optimizer and ReLU() of the family Activation can't be composed by *."),
        ("ReLU() | Quadratic()", Formula,
         "ReLU() of the family Activation and Quadratic() of the family Cost can't be composed by |."),
        ("Dense(1) >> Exponential", Formula,
         "Dense(1) of the family Layer and Exponential(tau=1.0) of the family Cost can't be composed by >>. "
         "Of the family Layer there is Exp()."),
        ("ReLU() & ReLU()", Formula,
         'Can\'t read "ReLU() & ReLU()": formulas are composed by >>, +, * and |, and nothing else is.'),
        ("ELU(", Formula, 'Can\'t read "ELU(" as a formula: \'(\' was never closed. For example: Dense(64) >> ReLU().'),
        ("Dense(18446744073709551616)", Formula,
         'Can\'t read "Dense(18446744073709551616)": a whole number is at most 9223372036854775808.'),
    ],
    ids=ascii,
)  # fmt: skip
def test_error_texts(text, family, message):
    with pytest.raises(ChainruleError) as caught:
        parse(text, family)
    assert str(caught.value) == message


@pytest.mark.parametrize("base", [Layer, Optimizer, Activation])
def test_as_formula_takes_text_or_the_formula(base):
    made = next(each for each in family(base) if each.__name__ in {"ReLU", "Dropout", "Adam"})()
    assert as_formula(repr(made), base) == as_formula(made, base) == made
    with pytest.raises(ChainruleError, match=f"^Expected one of the family {base.__name__} \\(.*\\), got 3.$"):
        as_formula(3, base)


@pytest.mark.parametrize("nothing", [None, 3, "", " "])
def test_what_is_no_text(nothing):
    text = f"Expected one of the family Clipping (ClipNorm, ClipValue, ClipAdaptive), got {nothing!r}."
    with pytest.raises(ChainruleError, match=f"^{re.escape(text)}$"):
        parse(nothing, Clipping)
