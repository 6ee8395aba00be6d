"""torchvision's ResNet-18, built by its own code with drawn weights, comes in and answers alike."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from chainrule.activations import Identity, ReLU
from chainrule.interchange.pytorch import from_torch, to_torch
from chainrule.layers import BatchNorm, Conv2D, Dense, GlobalAveragePool2D, MaxPool2D

torch = pytest.importorskip("torch")


def torchvision_models():
    """torchvision's networks, which need none of its operators in C++: where these can't be loaded, they are named."""
    found = find_spec("torchvision")
    if found is None:
        pytest.skip("torchvision is not installed")
    try:
        torch.ops.load_library(next(Path(found.origin).parent.glob("_C*")))
    except (OSError, StopIteration):
        for operator in ("nms", "qnms"):
            LIBRARY.define(f"{operator}(Tensor a, Tensor b, float c) -> Tensor")
    from torchvision import models

    return models


LIBRARY = torch.library.Library("torchvision", "FRAGMENT")


def convolution(filters, size, stride=1):
    return Conv2D(filters, size, stride=stride, padding=size // 2, bias=False) >> BatchNorm()


def block(filters, stride=1):
    branch = convolution(filters, 3, stride) >> ReLU() >> convolution(filters, 3)
    shortcut = convolution(filters, 1, stride) if stride > 1 else Identity()
    return branch + shortcut >> ReLU()


def resnet18():
    network = convolution(64, 7, 2) >> ReLU() >> MaxPool2D(3, stride=2, padding=1)
    for filters, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        network = network >> block(filters, stride) >> block(filters)
    return network >> GlobalAveragePool2D() >> Dense(1000)


def test_resnet_18_comes_in_and_answers_alike(tmp_path):
    torch.manual_seed(0)
    module = torchvision_models().resnet18(weights=None).eval()
    with torch.no_grad():
        for name, statistic in module.named_buffers():
            if "running" in name:
                statistic.uniform_(*((0.5, 2) if "var" in name else (-0.1, 0.1)))
    model = from_torch(module.state_dict(), resnet18(), (64, 64, 3))
    x = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32)
    with torch.no_grad():
        theirs = module(torch.tensor(x.transpose(0, 3, 1, 2).copy())).numpy()
    mine = np.asarray(model(x))
    assert np.abs(theirs[0] - theirs[1]).max() > 0.1  # the images are seen to the end
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())

    to_torch(model, tmp_path / "resnet18.safetensors")  # in which bn1 stands before conv1
    again = from_torch(tmp_path / "resnet18.safetensors", resnet18(), (64, 64, 3))
    assert again.training == model.training
    np.testing.assert_array_equal(again(x), mine)
    to_torch(model, tmp_path / "resnet18.pt")
    module.load_state_dict(torch.load(tmp_path / "resnet18.pt", weights_only=True))
