"""Rules on the surfaces that pictures race them on: each reaches every minimum, by one rate or another."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.notation.families import family
from chainrule.optimizers import Muon, Rule, ScheduleFreeDescent
from chainrule.pictures.race import RATES, SURFACES, with_rate

RULES = [rule for rule in family(Rule) if rule.__module__.startswith("chainrule.") and rule is not Muon]
STEPS = 20_000
FAR = {(ScheduleFreeDescent, "rosenbrock"): 0.15}
"""What it publishes is a mean, which the first points stay in for long."""


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_it_reaches_the_minimum(rule):
    decay = {"weight_decay": 0.0} if "weight_decay" in [field.name for field in dataclasses.fields(rule)] else {}
    optimizer = rule(**decay)

    @jax.jit
    def nearest():
        return [jnp.nanmin(jax.vmap(lambda rate, s=s: distance(s, rate))(jnp.array(RATES))) for s in SURFACES.values()]

    def distance(surface, rate):
        """Of the point that is published, to the goal that is next to it."""
        own, slope = with_rate(optimizer, rate), jax.grad(lambda place: surface.height(*place))
        start = jnp.array(surface.start)
        walk = lambda _, carry: own.advance(carry[0], slope(carry[0]), carry[1])  # noqa: E731
        end = own.published(*jax.lax.fori_loop(0, STEPS, walk, (start, own.init(start))))
        return jnp.min(jnp.linalg.norm(jnp.array(surface.goals) - end, axis=1))

    for name, found in zip(SURFACES, nearest(), strict=True):
        assert np.isfinite(found) and found < FAR.get((rule, name), 0.05), (name, float(found))  # noqa: PT018
