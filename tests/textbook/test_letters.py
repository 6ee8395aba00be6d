"""What the names of a textbook are in mathematics."""

from chainrule.optimizers import Momentum
from chainrule.textbook.letters import parts, symbol, symbols_of


def test_letters_are_greek_by_name_or_by_meaning():
    assert {name: str(letter) for name, letter in symbols_of(Momentum).items()} == {
        "learning_rate": "eta",
        "momentum": "gamma",
    }
    assert [parts(symbol(name)) for name in ("beta1", "kernel_i", "kernel_size", "x", "max_norm")] == [
        ("beta", "1"),
        ("W", "i"),
        ("kernel_size", ""),
        ("x", ""),
        ("max_norm", ""),
    ]
