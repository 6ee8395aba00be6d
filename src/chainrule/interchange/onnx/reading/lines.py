"""A scale and an offset for each entry of the last axis: in the layer before, where that can have them."""

from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.formula.layer import Layer
from chainrule.interchange.onnx.reading.flow import Flow, Step
from chainrule.layers import (
    Affine,
    BatchNorm,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    Dense,
    DepthwiseConv2D,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RMSNorm,
    SelfAttention,
)

BIASED: tuple[type[Layer], ...] = (Dense, Conv1D, Conv2D, Conv3D, DepthwiseConv2D, ConvTranspose1D, ConvTranspose2D)
NORMALIZING: tuple[type[Layer], ...] = (Affine, BatchNorm, GroupNorm, InstanceNorm, LayerNorm)
OFFSETS: dict[Any, tuple[str, str]] = {
    SelfAttention: ("bias", "bias_o"),
    **dict.fromkeys(BIASED, ("bias", "bias")),
    **dict.fromkeys(NORMALIZING, ("offset", "offset")),
}
"""The field and the array of what layers add to each channel."""

SCALED = (*NORMALIZING, RMSNorm)
"""Layers that multiply each channel before they add."""


def scaled(flow: Flow, scale: Any, offset: Any) -> Flow:
    """A tensor times a scale plus an offset, each a number or one for each entry of its last axis here."""
    size = flow.view.shape[-1:]
    given = {"scale": (scale, 1), "offset": (offset, 0)}
    arrays = {
        name: np.broadcast_to(np.float32(its), size)
        for name, (its, none) in given.items()
        if np.ndim(its) or its != none
    }
    if not arrays:
        return flow
    apart = flow.then(Affine(**{name: name in arrays for name in given}), flow.view, arrays)
    held = _in_last(flow.steps[-1], arrays) if flow.steps and not flow.functions else None
    return apart if held is None else replace(apart, steps=(*flow.steps[:-1], replace(held, spelt=apart.steps[-2:])))


def _in_last(last: Step, arrays: dict[str, np.ndarray]) -> Step | None:
    """A layer with a scale or an offset that it had not, or an offset where it had zeros; None where it can't."""
    field, array = OFFSETS.get(type(last.layer), ("", ""))
    if not array and not isinstance(last.layer, SCALED):
        return None
    if len(arrays) != 1 or np.any(last.parameters.get(array, 0)):
        return None
    if "offset" in arrays and array:
        return _with_array(last, field, array, arrays["offset"])
    if "scale" in arrays and isinstance(last.layer, SCALED) and not last.layer.scale:  # type: ignore[attr-defined]
        return _with_array(last, "scale", "scale", arrays["scale"])
    return None


def _with_array(last: Step, field: str, array: str, values: Any) -> Step:
    layer = last.layer if getattr(last.layer, field) else replace(last.layer, **{field: True})
    return Step(layer, {**last.parameters, array: values}, last.state)
