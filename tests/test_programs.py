import logging

import jax
import numpy as np

from chainrule.programs import KEPT, compiled


def compilations(caplog, action) -> int:
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        caplog.clear()
        action()
    return sum(record.message.startswith("Compiling") for record in caplog.records)


def test_only_the_last_programs_are_kept(caplog):
    plus = compiled(static_argnames="by")(lambda x, *, by=1: x + by)
    ones = [np.ones(n, np.float32) for n in range(1, KEPT + 2)]
    assert [compilations(caplog, lambda x=x: plus(x)) for x in ones] == [1] * len(ones)
    assert compilations(caplog, lambda: plus(ones[-1])) == 0
    assert compilations(caplog, lambda: plus(ones[0])) == 1
    np.testing.assert_array_equal(plus(ones[2], by=2), [3, 3, 3])


def test_numbers_are_no_structure(caplog):
    times = compiled()(lambda x, factor: factor * x)
    times(np.ones(3, np.float32), 2.0)
    assert compilations(caplog, lambda: times(np.zeros(3, np.float32), 3.0)) == 0
