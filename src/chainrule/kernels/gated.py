"""Self-gated activations: x, or ELU of it, times a gate of x, computed in double with their derivatives."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.arrays.doubles import held
from chainrule.kernels.elementwise import in_double

Function = Callable[..., Any]


def _gated(name: str, gate: Function, *slopes: Function, line: tuple[Function, Function] | None = None) -> Function:
    """h(x) g(x), whose derivative is h′(x) g(x) + h(x) g′(x).

    Args:
        name: the native kernel's; none where there is none.
        gate: g, of x and of the formula's numbers.
        slopes: its derivatives, of the same: by x, and then by each number.
        line: h and its derivative; by default x itself.
    """
    h, h_slope = line or (lambda x: x, lambda x: 1)

    def value(x: Any, *numbers: Any) -> jax.Array:
        x = held(x)
        return h(x) * gate(x, *numbers)

    def slope(x: Any, *numbers: Any) -> jax.Array:
        x = held(x)
        return h_slope(x) * gate(x, *numbers) + h(x) * slopes[0](x, *numbers)

    def by_number(of_gate: Function) -> Function:
        def slope(x: Any, *numbers: Any) -> jax.Array:
            x = held(x)
            return h(x) * of_gate(x, *numbers)

        return slope

    return in_double(value, slope, *map(by_number, slopes[1:]), name=name)


# The gates, and their derivatives.


def _normal(x: Any) -> jax.Array:
    """Φ(x), the part of a normal distribution that is below x: by erfc, which keeps its digits where erf is near −1."""
    return lax.erfc(-x / math.sqrt(2)) / 2


def _density(x: Any) -> jax.Array:
    return jnp.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def _sigmoid(x: Any) -> jax.Array:
    return 1 / (1 + jnp.exp(-jnp.clip(x, -700, 700)))  # beyond, eˣ is no number, and its derivatives neither


def _bell(x: Any) -> jax.Array:
    return _sigmoid(x) * _sigmoid(-x)


def _near_normal(x: Any) -> jax.Array:
    """(1 + tanh u) / 2, which is σ(2u), where tanh u is near erf(x / √2)."""
    return _sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3))


def _near_density(x: Any) -> jax.Array:
    u = math.sqrt(8 / math.pi) * (x + 0.044715 * x**3)
    return math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * x**2) * _bell(u)


def _tanh_of_softplus(x: Any) -> jax.Array:
    """tanh ln(1 + eˣ), which is w / (w + 2) where w is eˣ (eˣ + 2)."""
    e = jnp.exp(jnp.minimum(x, 150))
    w = e * (e + 2)
    return w / (w + 2)


def _slope_of_tanh_of_softplus(x: Any) -> jax.Array:
    e = jnp.exp(jnp.minimum(x, 150))
    return 4 * e * (e + 1) / (e * (e + 2) + 2) ** 2


def _sech2(x: Any) -> jax.Array:
    e = jnp.exp(-2 * jnp.abs(x))
    return 4 * e / (1 + e) ** 2


def _tanh_of_exp(x: Any) -> jax.Array:
    return jnp.tanh(jnp.exp(jnp.minimum(x, 150)))


def _slope_of_tanh_of_exp(x: Any) -> jax.Array:
    e = jnp.exp(jnp.minimum(x, 150))
    return e * _sech2(e)


def _elu(x: Any) -> jax.Array:
    return jnp.where(x > 0, x, jnp.expm1(jnp.minimum(x, 0)))


def _elu_slope(x: Any) -> jax.Array:
    return jnp.exp(jnp.minimum(x, 0))


def _ramp(width: float) -> tuple[Function, Function]:
    """From 0 at −width up to 1 at width, and its derivative."""
    return (
        lambda x: jnp.clip((x + width) / (2 * width), 0, 1),
        lambda x: jnp.where((x > -width) & (x <= width), 1 / (2 * width), 0),
    )


def _hard_swish(x: Any) -> jax.Array:
    x = held(x)
    return x * jnp.clip(x + 3, 0, 6) / 6


def _hard_swish_slope(x: Any) -> jax.Array:  # divided last, so that it is 0 at −3/2 and no rest of two quotients
    x = held(x)
    return jnp.where(x > 3, 1, jnp.where(x > -3, (2 * x + 3) / 6, 0))


gelu = _gated("gelu", _normal, _density)
gelu_by_tanh = _gated("gelu_by_tanh", _near_normal, _near_density)
silu = _gated(
    "silu",
    lambda x, beta: _sigmoid(beta * x),
    lambda x, beta: beta * _bell(beta * x),
    lambda x, beta: x * _bell(beta * x),
)
mish = _gated("mish", _tanh_of_softplus, _slope_of_tanh_of_softplus)
tanh_exp = _gated("tanh_exp", _tanh_of_exp, _slope_of_tanh_of_exp)
lisht = _gated("lisht", jnp.tanh, _sech2)
hard_swish = in_double(_hard_swish, _hard_swish_slope)
elish = _gated("elish", _sigmoid, _bell, line=(_elu, _elu_slope))
hard_elish = _gated("hard_elish", *_ramp(1), line=(_elu, _elu_slope))
