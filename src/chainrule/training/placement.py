"""Where a training is computed: on one device, or on several that share each batch."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from chainrule.arrays.compilation import compiled
from chainrule.errors import ArgumentError, ChainruleError, counted
from chainrule.formula.context import PROCESSES
from chainrule.notation.choices import is_whole
from chainrule.training.step import run, steps


class Placement:
    """On one device: JAX's first, or one that is said.

    The loop asks it for all that depends on devices: another placement says anew where arrays belong (`put`), which
    of them this process reads (`taken`), and how steps are computed (`run`).

    Attributes:
        leads: whether this process is the one that shows, writes and decides.
    """

    leads = True

    def __init__(self, device: Any = None):
        self.device = device

    def put(self, arrays: Any) -> Any:
        """A tree of arrays where the steps are computed."""
        return jax.device_put(arrays, self.device)

    def taken(self, arrays: Any) -> Any:
        """What the steps gave, as models and checkpoints have it: on one device."""
        return arrays

    def computed(self, size: int) -> np.ndarray:
        """Which rows of a batch of some size this process computes with, True or False for each."""
        return np.ones(size, bool)

    def agreed(self, numbers: Sequence[Any]) -> Sequence[Any]:
        """Numbers that decide something and may differ between processes: those of the one that leads."""
        return numbers

    def anywhere(self, came: bool) -> bool:
        """Whether something came to one of the processes."""
        return came

    def check_alike(self, digest: Callable[[], str]) -> None:
        """Refuse processes that do not all train on the same, by a digest of it."""

    def run(self, *of: Any, batch_size: int) -> Any:
        """The compiled `steps`."""
        return run(*of, batch_size=batch_size)


class DataParallel(Placement):
    """On several devices of this process: all arrays are on each, which computes its part of a batch.

    What it sums over its rows is summed over the devices, so that each of them makes the same step, and the result is
    that of one device to rounding. Noise alone is another: each device draws it for its own rows.
    """

    def __init__(self, devices: tuple[Any, ...], axis: str = "devices"):
        self.mesh = Mesh(np.asarray(devices), (axis,))

    def put(self, arrays):
        return jax.device_put(arrays, NamedSharding(self.mesh, PartitionSpec()))

    def taken(self, arrays):
        return jax.tree.map(lambda array: array.addressable_data(0), arrays)

    def run(self, *of, batch_size):
        return _parallel(*of, batch_size=batch_size, mesh=self.mesh)


class Distributed(DataParallel):
    """On the devices of several processes, each of which must be given the same examples and choices."""

    def __init__(self, devices: tuple[Any, ...]):
        super().__init__(devices, PROCESSES if devices[0].platform == "cpu" else "devices")
        self.leads = jax.process_index() == 0

    def put(self, arrays):
        everywhere = NamedSharding(self.mesh, PartitionSpec())

        def whole(array: Any) -> Any:
            array = np.asarray(array)
            return jax.make_array_from_callback(array.shape, everywhere, array.__getitem__)

        return jax.tree.map(whole, arrays)

    def computed(self, size):
        own = -(-size // self.mesh.size)
        here = [device.process_index == jax.process_index() for device in self.mesh.devices.flat]
        return np.repeat(here, own)[:size]

    def agreed(self, numbers):
        from jax.experimental.multihost_utils import broadcast_one_to_all

        bits = np.asarray(numbers, np.float64).view(np.uint32)  # of which JAX rounds none
        found = np.asarray(broadcast_one_to_all(bits)).view(np.float64)
        return [type(mine)(number) for mine, number in zip(numbers, found, strict=True)]

    def anywhere(self, came):
        from jax.experimental.multihost_utils import process_allgather

        return bool(np.any(process_allgather(np.uint32(came))))

    def check_alike(self, digest):
        mine = [*bytes.fromhex(digest())]
        if self.agreed(mine) != mine:
            raise ChainruleError(
                f"Process {jax.process_index()} has other examples or choices than process 0. Give all the same."
            )


@compiled()
def _parallel(*of: Any, batch_size: int, mesh: Mesh) -> Any:
    form = partial(steps, batch_size=batch_size, axis=mesh.axis_names[0])
    # unchecked: that the devices agree is known here, but not to whatever loop a layer or an optimizer has
    how: dict[str, Any] = {"in_specs": PartitionSpec(), "out_specs": PartitionSpec(), "check_vma": False}
    return jax.shard_map(form, mesh=mesh, **how)(*of)


def placement(devices: tuple[Any, ...]) -> Placement:
    """The placement of a training on these devices; on JAX's own choice without any."""
    if any(device.process_index != jax.process_index() for device in devices):
        return Distributed(devices)
    return DataParallel(devices) if len(devices) > 1 else Placement(*devices)


def as_devices(devices: Any) -> tuple[Any, ...]:
    """The devices that were chosen: a number of this process's, "all", or JAX's own; none where nothing is said.

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
    there = jax.devices() if devices == "all" else jax.local_devices()
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
