"""PyTorch's weights in and out: each layer answers as its module does, and comes back to the bit."""

import pickle

import jax
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.interchange.pytorch import from_torch, to_torch
from chainrule.notation import as_chain

torch = pytest.importorskip("torch")
nn = torch.nn

rng = np.random.default_rng(0)


def drawn(module):
    """Numbers of all kinds in every array, running statistics too."""
    with torch.no_grad():
        for name, array in module.state_dict().items():
            if array.is_floating_point() and not name.endswith(("_u", "_v")):
                array.copy_(torch.rand_like(array) * 0.8 + 0.1 if "var" in name else torch.randn_like(array) * 0.5)
            elif name.endswith("num_batches_tracked"):
                array.fill_(7)
    return module.eval()


class Steps(nn.Module):
    """A recurrent module's outputs, of all steps or the last one of each way."""

    def __init__(self, inner, last=False):
        super().__init__()
        self.inner, self.last = inner, last

    def forward(self, x):
        y, h = self.inner(x)
        if not self.last:
            return y
        h = h[0] if isinstance(h, tuple) else h
        return torch.cat([*h[-2:]], -1) if self.inner.bidirectional else h[-1]


class Attention(nn.Module):
    def __init__(self, *arguments, **options):
        super().__init__()
        self.inner = nn.MultiheadAttention(*arguments, batch_first=True, **options)

    def forward(self, x):
        return self.inner(x, x, x, need_weights=False)[0]


class Last(nn.Module):
    """A module over the last axis, where the channels are first."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x.movedim(1, -1)).movedim(-1, 1)


def converged(module):
    spectral = drawn(nn.utils.parametrizations.spectral_norm(module, n_power_iterations=200))
    spectral.train()(torch.zeros(1, 2, 5, 4))
    return spectral.eval()


def normed(module, *names):
    for name in names:
        module = nn.utils.parametrizations.weight_norm(module, name)
    return module


def older(normed, module, **options):
    with pytest.warns(FutureWarning):
        return normed(module, **options)


CASES = {
    "Dense(3)": ((4,), lambda: nn.Linear(4, 3)),
    "Dense(3, bias=False) >> Tanh() >> Dense(2)": (
        (4,),
        lambda: nn.Sequential(nn.Linear(4, 3, bias=False), nn.Tanh(), nn.Linear(3, 2)),
    ),
    "Conv1D(6, 3, groups=2)": ((7, 4), lambda: nn.Conv1d(4, 6, 3, groups=2)),
    "Conv2D(6, (3, 2), stride=2, padding=1)": ((6, 5, 3), lambda: nn.Conv2d(3, 6, (3, 2), 2, 1)),
    "Conv3D(4, 2)": ((3, 4, 3, 2), lambda: nn.Conv3d(2, 4, 2)),
    "DepthwiseConv2D(3, multiplier=2)": ((5, 5, 3), lambda: nn.Conv2d(3, 6, 3, groups=3)),
    "ConvTranspose1D(6, 3, stride=2, groups=2)": ((5, 4), lambda: nn.ConvTranspose1d(4, 6, 3, 2, groups=2)),
    "ConvTranspose2D(4, 3, stride=2, padding=1, output_padding=1)": (
        (4, 3, 2),
        lambda: nn.ConvTranspose2d(2, 4, 3, 2, 1, 1),
    ),
    "Conv2D(4, 2) >> ReLU() >> Flatten() >> Dense(3)": (
        (4, 5, 2),
        lambda: nn.Sequential(nn.Conv2d(2, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)),
    ),
    "Conv2D(4, 2) >> MaxPool2D(2) >> Flatten() >> BatchNorm() >> PReLU() >> Dropout(0.5) >> Dense(3)": (
        (5, 7, 2),
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 2), nn.MaxPool2d(2), nn.Flatten(), nn.BatchNorm1d(24), nn.PReLU(24), nn.Linear(24, 3)
        ),
    ),
    "Dense(24) >> BatchNorm() >> ReLU() >> Reshape((2, 3, 4)) >> ConvTranspose2D(2, 2)": (
        (3,),
        lambda: nn.Sequential(
            nn.Linear(3, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Unflatten(1, (4, 2, 3)), nn.ConvTranspose2d(4, 2, 2)
        ),
    ),
    "BatchNorm()": ((4, 3, 2), lambda: nn.BatchNorm2d(2)),
    "BatchNorm(scale=False, offset=False)": ((3,), lambda: nn.BatchNorm1d(3, affine=False)),
    "LayerNorm()": ((3, 4), lambda: nn.LayerNorm(4)),
    "LayerNorm(offset=False)": ((3, 4), lambda: nn.LayerNorm(4, bias=False)),
    "Conv2D(4, 2) >> LayerNorm()": ((3, 3, 2), lambda: nn.Sequential(nn.Conv2d(2, 4, 2), Last(nn.LayerNorm(4)))),
    "RMSNorm()": ((3, 4), lambda: nn.RMSNorm(4, eps=1e-5)),
    "GroupNorm(2)": ((3, 2, 4), lambda: nn.GroupNorm(2, 4)),
    "InstanceNorm(scale=True, offset=True)": ((3, 2, 4), lambda: nn.InstanceNorm2d(4, affine=True)),
    "Embedding(7, 3)": ((4,), lambda: nn.Embedding(7, 3)),
    "PReLU()": ((4, 3, 2), lambda: nn.PReLU(2)),
    "PReLU(shared=True)": ((4,), lambda: nn.PReLU()),
    "RNN(4, return_sequences=True)": ((5, 3), lambda: Steps(nn.RNN(3, 4, batch_first=True))),
    "RNN(4, activation=ReLU())": ((5, 3), lambda: Steps(nn.RNN(3, 4, nonlinearity="relu", batch_first=True), True)),
    "LSTM(4)": ((5, 3), lambda: Steps(nn.LSTM(3, 4, batch_first=True), True)),
    "LSTM(2)": ((5, 3), lambda: Steps(nn.LSTM(3, 2, batch_first=True, bias=False), True)),
    "GRU(4, reset_after=True, return_sequences=True) >> GRU(4, reset_after=True)": (
        (5, 3),
        lambda: Steps(nn.GRU(3, 4, 2, batch_first=True), True),
    ),
    "Bidirectional(GRU(2, reset_after=True, return_sequences=True)) >> Bidirectional(GRU(2, reset_after=True))": (
        (5, 3),
        lambda: Steps(nn.GRU(3, 2, 2, batch_first=True, bidirectional=True), True),
    ),
    "Bidirectional(LSTM(3, return_sequences=True))": (
        (5, 3),
        lambda: Steps(nn.LSTM(3, 3, batch_first=True, bidirectional=True)),
    ),
    "SelfAttention(2)": ((5, 4), lambda: Attention(4, 2)),
    "SelfAttention(2, bias=False)": ((5, 4), lambda: Attention(4, 2, bias=False)),
    "WeightNorm(Dense(3))": ((4,), lambda: normed(nn.Linear(4, 3), "weight")),
    "WeightNorm(Conv2D(4, (3, 2), groups=2))": (
        (5, 4, 2),
        lambda: older(nn.utils.weight_norm, nn.Conv2d(2, 4, (3, 2), groups=2)),
    ),
    "WeightNorm(LSTM(3))": (
        (5, 2),
        lambda: Steps(normed(nn.LSTM(2, 3, batch_first=True), "weight_ih_l0", "weight_hh_l0"), True),
    ),
    "SpectralNorm(Conv2D(4, (3, 2)), iterations=200)": ((5, 4, 2), lambda: converged(nn.Conv2d(2, 4, (3, 2)))),
    "Repeat(Dense(3) >> Tanh(), 3)": (
        (3,),
        lambda: nn.Sequential(*(nn.Sequential(nn.Linear(3, 3), nn.Tanh()) for _ in range(3))),
    ),
    "(Conv2D(2, 1) >> Flatten() | GlobalMaxPool2D()) >> Dense(2)": ((2, 3, 4), lambda: Joined()),
}


class Joined(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.out = nn.Conv2d(4, 2, 1), nn.Linear(16, 2)

    def forward(self, x):
        return self.out(torch.cat([self.one(x).flatten(1), x.amax((2, 3))], 1))


CHANNELS_FIRST = ("Conv", "BatchNorm", "GroupNorm", "InstanceNorm", "PReLU")


def answers(module, x, notation):
    """What a module answers, channels last."""
    first = any(word in notation for word in CHANNELS_FIRST)
    with torch.no_grad():
        y = module(torch.tensor(np.moveaxis(x, -1, 1).copy() if first else x)).numpy()
    return np.moveaxis(y, 1, -1) if first and y.ndim > 2 else y


@pytest.mark.parametrize("notation", CASES)
def test_each_layer_comes_in_and_goes_out(notation, tmp_path):
    torch.manual_seed(0)
    shape, make = CASES[notation]
    module = make() if notation.startswith("SpectralNorm") else drawn(make())
    tokens = as_chain(notation).tokens
    x = rng.integers(0, tokens, (2, *shape)) if tokens else rng.normal(size=(2, *shape)).astype(np.float32)
    model = from_torch(module.state_dict(), notation, shape)
    theirs, mine = answers(module, x, notation), np.asarray(model(x))
    np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)

    to_torch(model, tmp_path / "weights.safetensors")
    again = from_torch(tmp_path / "weights.safetensors", notation, shape)
    each = (jax.tree.leaves((one.parameters, one.state)) for one in (model, again))
    for a, b in zip(*each, strict=True):
        np.testing.assert_array_equal(np.asarray(a).view(np.int32), np.asarray(b).view(np.int32))

    to_torch(model, tmp_path / "weights.pt")
    stored = torch.load(tmp_path / "weights.pt", weights_only=True)
    if extra := stored.keys() - module.state_dict().keys():  # biases of 0, and the newer names of what is parametrised
        assert "bias=False" in str(module) or "_g" in str([*module.state_dict()]), extra
    else:
        module.load_state_dict(stored)
        np.testing.assert_allclose(answers(module, x, notation), theirs, rtol=1e-4, atol=1e-5)


def test_code_in_files_is_never_run(tmp_path):
    class Code:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'run')!r}, 'w')",)

    good, bad = tmp_path / "good.pt", tmp_path / "bad.pt"
    torch.save({"epoch": 3, "state_dict": nn.Linear(4, 3).state_dict()}, good)
    assert from_torch(good, "Dense(3)", (4,)).training == {"modules": [""]}
    bad.write_bytes(pickle.dumps(Code()))
    objects = "whose code is never run. Save the weights alone: torch.save(module.state_dict(), file)."
    cases = [(bad.read_bytes(), objects)]
    for thing, expected in [
        ({"a": Code()}, objects),
        (nn.Linear(4, 3), objects),
        ([1], "holds no state_dict, but list. Save module.state_dict()."),
        ({"epoch": "x"}, "epoch is str, and no array of numbers. Save module.state_dict()."),
    ]:
        torch.save(thing, bad)
        cases.append((bad.read_bytes(), expected))
    damaged = "is no file of PyTorch's weights, or is cut short or damaged. Use an intact copy."
    cases += [(content, damaged) for content in (b"", b"hello", good.read_bytes()[:500])]
    for content, expected in cases:
        bad.write_bytes(content)
        with pytest.raises(ChainruleError) as refused:
            from_torch(bad, "Dense(3)", (4,))
        assert expected in str(refused.value)
    assert not (tmp_path / "run").exists()
