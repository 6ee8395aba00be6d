import signal
import threading

import numpy as np
import pytest

from chainrule.training import fit
from chainrule.training.interrupt import Held, Interrupt
from chainrule.training.progress import Progress


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_is_noticed_at_the_next_look():
    with Interrupt() as ctrl_c:
        ctrl_c.check()
        press()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c.check()


def test_a_second_one_is_noticed_at_once():
    with Interrupt():
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_while_it_is_held_nothing_is_raised_but_training_ends():
    with Held() as held:
        press()
        press()
        assert held.came
        with Interrupt() as inner, pytest.raises(KeyboardInterrupt):
            inner.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_is_remembered_between_two_entries():
    ctrl_c = Interrupt()
    with ctrl_c:
        press()
    with ctrl_c, pytest.raises(KeyboardInterrupt):
        ctrl_c.check()


def test_pythons_own_handler_comes_back():
    with Interrupt():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_handler_stays_in_charge():
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        with Interrupt() as ctrl_c:
            press()
            ctrl_c.check()
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [True]


def test_other_threads_leave_ctrl_c_alone():
    found = []

    def enter():
        with Interrupt():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_once_it_is_noticed_more_of_them_change_nothing():
    with Interrupt() as ctrl_c:
        press()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c.check()
        press()
        press()


def test_a_handler_that_notes_what_was_wanted_is_asked():
    class Noting:
        wanted = False

        def __call__(self, *place):
            self.wanted = True

    before = signal.signal(signal.SIGINT, Noting())
    try:
        with Interrupt() as ctrl_c:
            ctrl_c.check()
            press()
            with pytest.raises(KeyboardInterrupt):
                ctrl_c.check()
            press()
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("moment", ["epoch", "__exit__"])
def test_a_training_is_returned_whenever_ctrl_c_comes(monkeypatch, moment):
    """In the last epoch or after it, twice."""
    x = np.zeros((8, 2), np.float32)
    method = getattr(Progress, moment)

    def pressing(self, *arguments):
        method(self, *arguments)
        if moment == "__exit__" or arguments[0]["epoch"] == 3:
            press()
            press()

    monkeypatch.setattr(Progress, moment, pressing)
    model = fit("Dense(1)", x, x[:, :1], epochs=3, batch_size="all", progress=False)
    assert len(model.history) == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
