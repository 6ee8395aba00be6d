"""Schedules against their own textbook forms, and the lengths that `fit` fills in."""

import dataclasses
import math
import textwrap
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.notation.families import family
from chainrule.optimizers import Adam, ClipNorm, Momentum, ReduceOnPlateau
from chainrule.optimizers.schedules import (
    ConstantRate,
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LinearDecay,
    NoamDecay,
    OneCycle,
    PolynomialDecay,
    Schedule,
    StepDecay,
    Warmup,
    over,
    rate_at,
)

SCHEDULES = [
    ConstantRate(0.3),
    StepDecay(1.0, every=7, factor=0.5),
    StepDecay(0.1, every=2.5),
    ExponentialDecay(1.0, steps=40),
    ExponentialDecay(0.1, factor=2.0, steps=10),
    InverseTimeDecay(1.0, steps=40),
    LinearDecay(1.0, final=0.1, steps=40),
    PolynomialDecay(1.0, steps=40),
    PolynomialDecay(1.0, power=2, final=0.1, steps=30),
    CosineRestarts(1.0, every=7, final=0.1),
    CosineRestarts(1.0, every=2.5, growth=3),
    CosineRestarts(1.0, every=9, growth=1),
    NoamDecay(units=64, warmup=20),
    CosineDecay(1.0, steps=40),
    CosineDecay(1.0, final=0.1, steps=30),
    Warmup(0.5, steps=10),
    Warmup(CosineDecay(1.0, steps=30), steps=10),
    Warmup(Warmup(StepDecay(1.0, every=5), steps=4), steps=3),
    OneCycle(1.0, steps=40),
    OneCycle(0.1, rise=0.5, start=10, end=100, steps=33),
]

each = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)


def textbook(schedule, t):
    """The rate at step t by the textbook form, in float64."""
    names = {field.name: getattr(schedule, field.name) for field in dataclasses.fields(schedule)}
    names |= {
        "floor": lambda x: math.floor(x + 1e-9),
        "ln": math.log,
        "sqrt": math.sqrt,
        "cos": math.cos,
        "pi": math.pi,
        "min": min,
        "t": t,
    }
    if isinstance(then := names.get("then"), float | Schedule):
        names["then"] = lambda t: textbook(then, t) if isinstance(then, Schedule) else then
    lines = textwrap.dedent(schedule.in_textbook()).strip()
    exec(lines if "\n" in lines else f"rate = {lines}", names)
    return names["rate"]


def test_every_schedule_is_tried():
    written = [schedule for schedule in family(Schedule) if schedule.__module__.startswith("chainrule.")]
    assert {type(schedule) for schedule in SCHEDULES} == {*written} - {ReduceOnPlateau}  # which is none of the step


@pytest.mark.by_turns(2)
@each
def test_it_is_its_textbook_form(schedule):
    steps = range(61)
    ours = jax.vmap(schedule)(jnp.arange(61))
    np.testing.assert_allclose(ours, [textbook(schedule, t) for t in steps], rtol=2e-5, atol=1e-7)


@pytest.mark.by_turns(2)
@each
def test_it_takes_a_step_of_any_kind(schedule):
    at_9 = float(schedule(9))
    assert float(schedule(9.0)) == pytest.approx(at_9, rel=1e-6)
    assert float(schedule(jnp.int32(9))) == pytest.approx(at_9, rel=1e-6)
    assert float(jax.jit(lambda s, t: s(t))(schedule, 9)) == pytest.approx(at_9, rel=1e-6)
    assert jnp.shape(schedule(9)) == ()


ENDING = [
    CosineDecay(1.0, final=0.1, steps=40),
    OneCycle(1.0, steps=40),
    LinearDecay(1.0, steps=40),
    PolynomialDecay(1.0, steps=40),
]


@pytest.mark.parametrize("schedule", ENDING, ids=repr)
def test_after_its_length_it_stays_where_it_ended(schedule):
    assert float(schedule(41)) == float(schedule(10**9)) == float(schedule(40))


def test_a_cycle_without_a_rise_begins_at_its_maximum():
    rates = [float(OneCycle(0.1, rise=0, steps=10)(t)) for t in range(11)]
    assert rates[0] == pytest.approx(0.1)
    assert sorted(rates, reverse=True) == rates


@pytest.mark.parametrize("every", [1, 3, 41, 47, 55, 107, 1000, 2.5, 93.75, 131_071])
def test_a_drop_comes_at_its_step_whether_the_schedule_is_a_constant_or_not(every):
    drops = np.arange(1, 101)
    t = np.concatenate([np.ceil(every * drops) + beside for beside in (-1, 0, 1)]).astype(np.int32)
    truth = 0.5 ** np.floor(t / every)  # a power of 2, which float32 has whole
    schedule = StepDecay(1.0, every=every, factor=0.5)
    np.testing.assert_array_equal(jax.jit(lambda t: schedule(t))(t), np.float32(truth))
    np.testing.assert_array_equal(jax.jit(lambda schedule, t: schedule(t))(schedule, t), np.float32(truth))


@pytest.mark.by_turns(4)
@pytest.mark.parametrize("growth", [1, 2, 3, 10])
@pytest.mark.parametrize("every", [1, 3, 7, 100, 131_071])
def test_a_cycle_begins_at_its_step_whether_the_schedule_is_a_constant_or_not(every, growth):
    starts = every * np.cumsum([0, *(growth ** np.arange(20.0))])[:20]
    starts = starts[starts < 2**24].astype(np.int32)  # whole numbers that float32 has
    schedule = CosineRestarts(1.0, every=every, growth=growth)
    for rates in (jax.jit(lambda t: schedule(t)), partial(jax.jit(lambda schedule, t: schedule(t)), schedule)):
        assert (np.asarray(rates(starts)) == 1).all()
        assert every == growth == 1 or (np.asarray(rates(starts[2:] - 1)) < 1).all()


OPEN = [
    ExponentialDecay(1.0),
    InverseTimeDecay(1.0),
    LinearDecay(1.0),
    PolynomialDecay(1.0),
    CosineDecay(1.0),
    OneCycle(1.0),
    Warmup(CosineDecay(1.0), steps=10),
]


@pytest.mark.parametrize("schedule", OPEN, ids=repr)
def test_an_open_length_is_refused_until_it_is_filled_in(schedule):
    inner = getattr(schedule, "then", schedule)
    with pytest.raises(ChainruleError) as caught:
        schedule(3)
    assert str(caught.value) == f"{inner!r}: its length is known only inside fit. Outside, give it: steps=1000."
    assert float(schedule.over(110)(110)) == pytest.approx(float(inner.over(100)(100)))
    assert schedule.over(110).over(999) == schedule.over(110)


def test_a_warm_up_leaves_the_rest_of_the_run_to_what_follows():
    assert Warmup(CosineDecay(1.0), steps=10).over(110) == Warmup(CosineDecay(1.0, steps=100.0), steps=10.0)
    assert Warmup(CosineDecay(1.0), steps=10).over(5).then.steps == 1


def test_filling_in_reaches_the_schedules_within_a_formula():
    optimizer = ClipNorm(1.0) >> Adam(Warmup(CosineDecay(0.1), steps=10))
    assert over(optimizer, 30).optimizer == Adam(Warmup(CosineDecay(0.1, steps=20.0), steps=10.0))
    assert over(Momentum(0.1), 30) == Momentum(0.1)


def test_rate_at_takes_numbers_and_schedules():
    assert rate_at(0.5, 100) == 0.5
    assert float(rate_at(CosineDecay(0.5, steps=10), 0)) == 0.5


@pytest.mark.parametrize("rate", [0, -1.0, "fast", None, float("nan")])
def test_a_rate_is_positive_or_a_schedule(rate):
    with pytest.raises(ChainruleError) as caught:
        Adam(rate)
    said = f"Adam: learning_rate must be a number > 0 or a schedule, got {rate!r}. The default is 0.001."
    assert str(caught.value) == said
