"""Examples as the page shows them."""

from types import SimpleNamespace

import numpy as np

from chainrule.playground.examples import Examples, for_the_eye


def test_images_have_their_own_colours_though_channels_were_standardised_apart():
    raw = np.zeros((2, 4, 4, 3), np.float32)
    raw[..., 0], raw[1, 1, 1] = 50, (250, 100, 0)
    mean, scale = raw.mean((0, 1, 2)), raw.std((0, 1, 2)) + 1
    part = (raw - mean) / scale, np.array([0, 1])
    columns = [SimpleNamespace(mean=tuple(mean), scale=tuple(scale))]
    found = Examples("mine", part, part, ("a", "b"), (), preprocessor=SimpleNamespace(columns=columns))  # type: ignore[arg-type]
    seen = for_the_eye(found, (4, 4, 3), part[0])
    assert seen[1, 1, 1].tolist() == [255, 102, 0]
    assert seen[0, 0, 0].tolist() == [51, 0, 0]
