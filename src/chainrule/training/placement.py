"""Where a training is computed: on one device, or on several that share each batch."""

from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from chainrule.arrays.compilation import compiled
from chainrule.errors import ArgumentError, counted
from chainrule.notation.choices import is_whole
from chainrule.training.step import run, steps

AXIS = "devices"


class Placement:
    """On one device: JAX's first, or one that is said.

    The loop asks it for all that depends on devices: another placement says anew where arrays belong (`put`), which
    of them this process reads (`taken`), and how steps are computed (`run`).
    """

    def __init__(self, device: Any = None):
        self.device = device

    def put(self, arrays: Any) -> Any:
        """A tree of arrays where the steps are computed."""
        return jax.device_put(arrays, self.device)

    def taken(self, arrays: Any) -> Any:
        """What the steps gave, as models and checkpoints have it: on one device."""
        return arrays

    def run(self, *of: Any, batch_size: int) -> Any:
        """The compiled `steps`."""
        return run(*of, batch_size=batch_size)


class DataParallel(Placement):
    """On several devices of this process: all arrays are on each, which computes its part of a batch.

    What it sums over its rows is summed over the devices, so that each of them makes the same step, and the result is
    that of one device to rounding. Noise alone is another: each device draws it for its own rows.
    """

    def __init__(self, devices: tuple[Any, ...]):
        self.mesh = Mesh(np.asarray(devices), (AXIS,))

    def put(self, arrays):
        return jax.device_put(arrays, NamedSharding(self.mesh, PartitionSpec()))

    def taken(self, arrays):
        return jax.tree.map(lambda array: array.addressable_data(0), arrays)

    def run(self, *of, batch_size):
        return _parallel(*of, batch_size=batch_size, mesh=self.mesh)


@compiled(static_argnames=("batch_size", "mesh"))
def _parallel(*of: Any, batch_size: int, mesh: Mesh) -> Any:
    form = partial(steps, batch_size=batch_size, axis=AXIS)
    # unchecked: that the devices agree is known here, but not to whatever loop a layer or an optimizer has
    how: dict[str, Any] = {"in_specs": PartitionSpec(), "out_specs": PartitionSpec(), "check_vma": False}
    return jax.shard_map(form, mesh=mesh, **how)(*of)


def placement(devices: tuple[Any, ...]) -> Placement:
    """The placement of a training on these devices; on JAX's own choice without any."""
    return DataParallel(devices) if len(devices) > 1 else Placement(*devices)


def as_devices(devices: Any) -> tuple[Any, ...]:
    """The devices that were chosen: a number of them, "all", or JAX's own; none where nothing is said.

    >>> as_devices(None), len(as_devices(1))
    ((), 1)
    """
    if devices is None:
        return ()
    if isinstance(devices, list | tuple) and devices and all(isinstance(device, jax.Device) for device in devices):
        return _different(devices)
    if not (is_whole(devices) or (isinstance(devices, str) and devices == "all")):
        raise ArgumentError(
            '{devices} must be a whole number of 1 or more, "all", or a list of JAX\'s devices, got {!r}.', devices
        )
    there = jax.local_devices()
    count = len(there) if devices == "all" else int(devices)
    if count > len(there):
        found, kind = len(there), there[0].platform
        raise ArgumentError(
            "{devices} is {}, but JAX finds {} here ({}). Choose {} at most.", count, found, kind, found
        )
    return tuple(there[:count])


def check_shared(devices: tuple[Any, ...], size: int) -> None:
    """Refuse batches of a size in which there is no example for each device."""
    if len(devices) > size:
        raise ArgumentError(
            "{devices}: {} devices can't share batches of {}. Choose fewer, or a larger {batch_size}.",
            len(devices),
            counted(size, "example", "examples"),
        )


def _different(devices: Any) -> tuple[Any, ...]:
    """Devices that can share a batch: of one kind, each of them once."""
    again = next((device for number, device in enumerate(devices) if device in devices[:number]), None)
    if again is not None:
        raise ArgumentError("{devices} has {} twice. Name each once.", again)
    if len(kinds := {device.platform for device in devices}) > 1:
        raise ArgumentError("{devices} must be of one kind, got {}.", " and ".join(sorted(kinds)))
    return tuple(devices)
