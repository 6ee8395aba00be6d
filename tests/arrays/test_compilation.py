import logging

import jax
import numpy as np

from chainrule.arrays.compilation import KEPT, _known, compiled, keeping, quickly, side_by_side


def compilations(caplog, action) -> int:
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        caplog.clear()
        action()
    return sum(record.message.startswith("Compiling") for record in caplog.records)


def test_only_the_last_programs_are_kept(caplog):
    plus = compiled()(lambda x, *, by=1: x + by)
    ones = [np.ones(n, np.float32) for n in range(1, KEPT + 2)]
    assert [compilations(caplog, lambda x=x: plus(x)) for x in ones] == [1] * len(ones)
    assert compilations(caplog, lambda: plus(ones[-1])) == 0
    assert compilations(caplog, lambda: plus(ones[0])) == 1
    np.testing.assert_array_equal(plus(ones[2], by=2), [3, 3, 3])


def test_programs_end_with_the_last_who_keeps_them(caplog):
    plus, x = compiled()(lambda x: x + 1), np.ones(2, np.float32)

    def compilations_by(keeper):
        with keeping(keeper):
            return compilations(caplog, lambda: plus(x))

    one, other = {}, {}
    assert [compilations_by(each) for each in (one, other, one)] == [1, 0, 0]
    one.clear()
    assert compilations_by(one) == 0  # as the other keeps it
    one.clear()
    other.clear()
    assert compilations_by(one) == 1


def test_numbers_are_no_structure(caplog):
    times = compiled()(lambda x, factor: factor * x)
    times(np.ones(3, np.float32), 2.0)
    assert compilations(caplog, lambda: times(np.zeros(3, np.float32), 3.0)) == 0


def test_options_that_xla_does_not_know_are_left_out(monkeypatch):
    known = jax.jit

    def refusing(function, compiler_options):
        return known(function, compiler_options={f"{name}_of_old": value for name, value in compiler_options.items()})

    monkeypatch.setattr(jax, "jit", refusing)
    assert _known.__wrapped__("side by side") is None


def test_a_program_with_the_options_does_the_same():
    x = np.ones((8, 4), np.float32)
    assert (jax.jit(lambda x: x @ x.T, compiler_options=side_by_side())(x) == 4).all()


def test_what_is_compiled_quickly_may_go_by_the_shapes(monkeypatch):
    quickly()  # which asks the compiler once
    chosen, known = [], jax.jit
    monkeypatch.setattr(jax, "jit", lambda f, compiler_options: chosen.append(compiler_options) or known(f))
    double = compiled(compiler=lambda tree: quickly() if tree["x"].shape[0] < 3 else None)(lambda tree: 2 * tree["x"])
    for size in (2, 3):
        assert double({"x": np.ones(size, np.float32)}).tolist() == [2] * size
    assert chosen == [quickly(), None]
