"""Graphs that PyTorch's exporters write, read as compositions of formulas that answer as the module does."""

import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.interchange import from_onnx

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
nn = torch.nn


class Written(nn.Module):
    """A module by its parts and what it computes of them."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.computed = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.computed(self, x)


def squeezed(m, x):
    x = m.c(x)
    return (x * m.gate(x.mean((2, 3)))[:, :, None, None]).mean((2, 3))


def unet(m, x):
    a = torch.relu(m.a(x))
    return m.o(torch.cat([a, m.u(torch.relu(m.b(nn.functional.max_pool2d(a, 2))))], 1))


def dense_block(m, x):
    a = torch.relu(m.a(x))
    b = torch.relu(m.b(torch.cat([x, a], 1)))
    return m.o(torch.cat([x, a, b], 1))


def inception(m, x):  # whose concatenations the older exporter writes as one
    b = torch.relu(m.b(x))
    return torch.cat([m.a(x), torch.cat([m.c(b), m.d(b)], 1)], 1)


def last(m, x):
    return m.l(m.r(x)[0][:, -1])


S, F = nn.Sequential, nn.functional
GATE = S(nn.Linear(8, 2), nn.ReLU(), nn.Linear(2, 8), nn.Sigmoid())
CASES = {
    "mlp": (lambda: S(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(-1)), (4,),
            "Dense(8) >> ReLU() >> Dense(3) >> Softmax()"),
    "cnn": (lambda: S(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(100, 3)), (2, 12, 12),
            "Conv2D(4, 3) >> ReLU() >> MaxPool2D(size=2) >> Flatten() >> Dense(3)"),
    "residual": (lambda: Written(lambda m, x: m.b(torch.relu(m.a(x)) + x), a=nn.Linear(6, 6), b=nn.Linear(6, 3)), (6,),
                 "(Dense(6) >> ReLU()) + Identity() >> Dense(3)"),
    "squeeze and excite": (lambda: Written(squeezed, c=nn.Conv2d(3, 8, 3, padding=1), gate=GATE), (3, 8, 8),
                           "Conv2D(8, 3, padding=1) >> Identity() * (GlobalAveragePool2D() >> Dense(2) >> ReLU() >> "
                           "Dense(8) >> Sigmoid()) >> GlobalAveragePool2D()"),
    "U-net": (lambda: Written(unet, a=nn.Conv2d(2, 4, 3, padding=1), b=nn.Conv2d(4, 8, 3, padding=1),
                              u=nn.ConvTranspose2d(8, 4, 2, 2), o=nn.Conv2d(8, 1, 1)), (2, 8, 8),
              "Conv2D(4, 3, padding=1) >> ReLU() >> (Identity() | MaxPool2D(size=2) >> Conv2D(8, 3, padding=1) >> "
              "ReLU() >> ConvTranspose2D(4, 2, stride=2)) >> Conv2D(1, 1)"),
    "dense block": (lambda: Written(dense_block, a=nn.Conv2d(2, 3, 1), b=nn.Conv2d(5, 4, 1), o=nn.Conv2d(9, 1, 1)),
                    (2, 4, 4), "(Identity() | Conv2D(3, 1) >> ReLU()) >> (Identity() | Conv2D(4, 1) >> ReLU()) >> "
                               "Conv2D(1, 1)"),
    "inception": (lambda: Written(inception, a=nn.Linear(3, 2), b=nn.Linear(3, 4), c=nn.Linear(4, 2),
                                  d=nn.Linear(4, 3)), (3,),
                  "Dense(2) | Dense(4) >> ReLU() >> (Dense(2) | Dense(3))"),
    "GLU": (lambda: S(nn.Linear(6, 8), nn.GLU(), nn.Linear(4, 2)), (6,),
            "Dense(4) * (Dense(4) >> Sigmoid()) >> Dense(2)"),
    "LSTM's last output": (lambda: Written(last, r=nn.LSTM(5, 4, batch_first=True), l=nn.Linear(4, 3)), (7, 5),
                           "LSTM(4) >> Dense(3)"),
    "bidirectional GRU": (lambda: Written(lambda m, x: m.r(x)[0].sum(1),
                                          r=nn.GRU(5, 4, batch_first=True, bidirectional=True)), (7, 5), None),
    "two LSTMs": (lambda: Written(lambda m, x: m.r(x)[0], r=nn.LSTM(5, 4, 2, batch_first=True)), (7, 5),
                  "LSTM(4, return_sequences=True) >> LSTM(4, return_sequences=True)"),
    "attention": (lambda: Written(lambda m, x: m.a(x, x, x, need_weights=False)[0],
                                  a=nn.MultiheadAttention(8, 2, batch_first=True)), (6, 8), "SelfAttention(2)"),
    "normalisations": (lambda: S(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.Conv2d(4, 4, 1), nn.InstanceNorm2d(4),
                                 nn.Flatten(2), nn.LayerNorm(16)), (2, 6, 6), None),
    "pooling that counts its padding": (lambda: S(nn.Conv2d(1, 2, 1), nn.AvgPool2d(3, 2, 1), nn.Flatten()), (1, 7, 7),
                                        "Conv2D(2, 1) >> ZeroPad2D(padding=1) >> AveragePool2D(size=3, stride=2) >> "
                                        "Permute((3, 1, 2)) >> Flatten()"),
    "tokens": (lambda: S(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 2)), (5,),
               "Embedding(9, 4) >> Flatten() >> Dense(2)"),
}  # fmt: skip
ACTIVATIONS = [
    nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Hardswish(), nn.Hardsigmoid(), nn.Softplus(), nn.ELU(0.7),
    nn.SELU(), nn.CELU(1.3), nn.LeakyReLU(0.2), nn.LogSigmoid(), nn.Softsign(), nn.Tanhshrink(), nn.Softshrink(),
    nn.Hardshrink(), nn.Hardtanh(), nn.ReLU6(), nn.PReLU(), nn.Softmax(-1), nn.LogSoftmax(-1),
]  # fmt: skip


def read(module, x, path, newer=False):
    """The model that comes in from a module's graph."""
    if newer:
        torch.onnx.export(
            module, (x,), path, dynamo=True, dynamic_shapes=({0: torch.export.Dim("rows")},), verbose=False
        )
    else:
        names = {"input_names": ["x"], "dynamic_axes": {"x": {0: "rows"}}}
        torch.onnx.export(module, (x,), path, dynamo=False, opset_version=17, **names)
    return from_onnx(path)


def check(module, shape, path, newer):
    torch.manual_seed(0)
    module.eval()
    x = (
        torch.randint(0, 9, (3, *shape))
        if isinstance(next(module.children(), None), nn.Embedding)
        else torch.randn(3, *shape)
    )
    with torch.no_grad():
        expected = module(x).numpy()
    model = read(module, x, path, newer)
    here = x.numpy() if model.input_shape == shape else np.moveaxis(x.numpy(), 1, -1)
    for rows in (1, 3):
        y = np.asarray(model(here[:rows]))
        y = y if y.shape[1:] == expected.shape[1:] else np.moveaxis(y, -1, 1)
        np.testing.assert_allclose(y, expected[:rows], rtol=1e-4, atol=1e-5)
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("newer", [False, True], ids=["older exporter", "newer exporter"])
@pytest.mark.parametrize("name", CASES)
def test_a_module_comes_in_and_answers_alike(name, newer, tmp_path):
    made, shape, notation = CASES[name]
    model = check(made(), shape, tmp_path / "model.onnx", newer)
    if notation:
        assert repr(model.network) in (notation, f"Chain(({notation},))")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda module: type(module).__name__)
def test_activations_are_found_by_what_they_compute(activation, tmp_path):
    model = check(S(nn.Linear(4, 6), activation, nn.Linear(6, 2)), (4,), tmp_path / "model.onnx", newer=False)
    named = type(model.network.layers[1]).__name__.lower()
    assert (type(activation).__name__.lower(), len(model.network.layers)) == (named, 3)


@pytest.mark.filterwarnings("ignore")
def test_a_transformer_block_reads_as_it_is_written(tmp_path):
    module = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = check(module, (6, 8), tmp_path / "model.onnx", newer=True)
    assert repr(model.network).replace("epsilon=1e-05", "") == (
        "Identity() + SelfAttention(2) >> LayerNorm() >> Identity() + (Dense(16) >> ReLU() >> Dense(8)) >> LayerNorm()"
    )


@pytest.mark.filterwarnings("ignore")
def test_a_normalisation_in_several_nodes_is_found_by_what_it_computes(tmp_path):
    module = S(nn.Linear(4, 8), nn.RMSNorm(8), nn.Linear(8, 2))
    model = check(module, (4,), tmp_path / "model.onnx", newer=True)
    assert [type(layer).__name__ for layer in model.network.layers] == ["Dense", "RMSNorm", "Dense"]


@pytest.mark.filterwarnings("ignore")
def test_what_no_formula_computes_is_named(tmp_path):
    module = Written(lambda m, x: torch.sort(m.a(x))[0], a=nn.Linear(4, 4))
    with pytest.raises(ChainruleError, match=r"model.onnx: node /TopK \(TopK\): no formula computes this operator"):
        check(module, (4,), tmp_path / "model.onnx", newer=False)


@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_networks_come_in_with_their_classes(tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.datasets import load_iris
    from sklearn.neural_network import MLPClassifier

    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    theirs = MLPClassifier((8,), max_iter=20, random_state=0).fit(x, names)
    path = tmp_path / "iris.onnx"
    path.write_bytes(skl2onnx.to_onnx(theirs, x[:1].astype(np.float32)).SerializeToString())
    model = from_onnx(path)
    assert repr(model.network) == "Dense(8) >> ReLU() >> Dense(3) >> Softmax()"
    assert (model.predict(x.astype(np.float32)) == theirs.predict(x)).all()
    np.testing.assert_allclose(model(x.astype(np.float32)), theirs.predict_proba(x), rtol=1e-4, atol=1e-6)
