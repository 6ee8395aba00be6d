"""Layers of Keras over three axes, of which there are only those over one and two here."""

import math
from collections.abc import Callable
from typing import Any

from chainrule.formula.layer import Layer
from chainrule.interchange.keras.pieces import NOTHING, Described, Piece
from chainrule.interchange.keras.twins import one
from chainrule.layers import Crop2D, GlobalAveragePool1D, GlobalMaxPool1D, Reshape, Upsample2D, ZeroPad2D


def pooled(seen: Described) -> Piece:
    """The mean or the largest of all places."""
    *places, channels = seen.shape
    over = GlobalAveragePool1D() if "Average" in seen.kind else GlobalMaxPool1D()
    kept = Reshape((1, 1, 1, channels)) if seen.config.get("keepdims") else NOTHING
    return Piece(Reshape((math.prod(places), channels)) >> over) >> Piece(kept)


def in_planes(layer: Callable[..., Layer], attribute: str, none: Any) -> Callable[[Described], Piece]:
    """A layer that does to each axis what it is told of that axis: first to two of them, then to the third.

    Args:
        layer: the same over two axes.
        attribute: what it is told.
        none: by what it leaves an axis as it is.
    """

    def made(seen: Described) -> Piece:
        if not seen.channels_last:
            raise seen.refused("data_format")
        first, second, third = (tuple(each) if isinstance(each, list) else each for each in seen.config[attribute])
        *_, depth, channels = seen.shape
        front = Reshape((*seen.shape[:2], depth * channels)) >> layer(one((first, second)))
        *plane, _ = front.output_shape(seen.shape)
        back = Reshape((math.prod(plane), depth, channels)) >> layer((none, third))
        _, long, _ = back.output_shape((*plane, depth * channels))
        return Piece(front >> back >> Reshape((*plane, long, channels)))

    return made


VOLUMES: dict[str, Callable[[Described], Piece]] = {
    **dict.fromkeys(("GlobalAveragePooling3D", "GlobalMaxPooling3D"), pooled),
    "ZeroPadding3D": in_planes(ZeroPad2D, "padding", (0, 0)),
    "Cropping3D": in_planes(Crop2D, "cropping", (0, 0)),
    "UpSampling3D": in_planes(Upsample2D, "size", 1),
}
"""By Keras' class."""
