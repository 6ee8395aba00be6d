"""What neither PyTorch nor Keras has, written down in PyTorch as published: values, and every gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.formula.layer import Context
from chainrule.layers import AttentionPool, LayerNormLSTM, PeepholeLSTM

torch = pytest.importorskip("torch")

rng = np.random.default_rng(0)
MASK = np.arange(5) < np.array([5, 2, 1])[:, None]


def array(*shape):
    return rng.normal(size=shape).astype(np.float32)


def pooled(p, x, mask):
    """Yang et al., 2016, equations 5 to 7."""
    u = torch.tanh(x @ p["kernel"] + p["bias"])
    scores = (u @ p["query"])[..., 0].masked_fill(~mask, -torch.inf)
    return (torch.softmax(scores, dim=1)[..., None] * x).sum(dim=1)


def peephole(p, a, h, c):
    """Graves, 2013, equations 7 to 11."""
    i, f, g, o = (a + h @ p["recurrent_kernel"] + p["bias"]).chunk(4, dim=-1)
    of_i, of_f, of_o = p["peephole"]
    c = torch.sigmoid(f + of_f * c) * c + torch.sigmoid(i + of_i * c) * torch.tanh(g)
    return torch.sigmoid(o + of_o * c) * torch.tanh(c), c


def layer_norm(p, a, h, c):
    """Ba et al., 2016, equations 20 to 22 of the supplement."""
    norm, units = torch.nn.functional.layer_norm, h.shape[-1]
    x, h = norm(a, (4 * units,), p["scale_x"]), norm(h @ p["recurrent_kernel"], (4 * units,), p["scale_h"])
    i, f, g, o = (x + h + p["bias"]).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(norm(c, (units,), p["scale_c"], p["offset_c"])), c


def through_time(step, p, x, mask):
    h = c = torch.zeros(len(x), p["recurrent_kernel"].shape[0])
    for t in range(x.shape[1]):
        new = step(p, x[:, t] @ p["kernel"], h, c)
        h, c = (torch.where(mask[:, t, None], one, other) for one, other in zip(new, (h, c), strict=True))
    return h


CASES = [
    (AttentionPool(4), pooled),
    (PeepholeLSTM(4), lambda *of: through_time(peephole, *of)),
    (LayerNormLSTM(4), lambda *of: through_time(layer_norm, *of)),
]


@pytest.mark.parametrize("features", [1, 3])
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize(("layer", "theirs"), CASES, ids=lambda case: type(case).__name__)
def test_it_is_what_is_published(layer, theirs, masked, features):
    shape = (5, features)
    p = {name: array(*declared.shape) for name, declared in layer.parameters(shape).items()}
    x, g = array(3, *shape), array(3, *layer.output_shape(shape))

    @jax.jit
    def run(p, x, g):
        mask = jnp.asarray(MASK) if masked else None
        y, pull = jax.vjp(lambda p, x: layer.apply(p, {}, x, Context(mask=mask))[0], p, x)
        return y, *pull(g)

    y, of_p, of_x = run(p, x, g)
    learned = {name: torch.tensor(each, requires_grad=True) for name, each in p.items()}
    inputs = torch.tensor(x, requires_grad=True)
    truth = theirs(learned, inputs, torch.tensor(MASK if masked else np.ones_like(MASK)))
    truth.backward(torch.tensor(g))
    mine = of_p | {"value": y, "input": of_x}
    found = {name: each.grad.numpy() for name, each in learned.items()}
    for name, each in (found | {"value": truth.detach().numpy(), "input": inputs.grad.numpy()}).items():
        np.testing.assert_allclose(mine[name], each, rtol=2e-4, atol=2e-5, err_msg=name)
