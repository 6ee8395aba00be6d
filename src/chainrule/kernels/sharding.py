"""Arrays that several devices share: the work of a kernel is cut, so that each device does that of its own rows.

A rule names the axes of a kernel's operands and results, as in `"n_,_o,o->no"`: axes of one name are cut alike, `_` is
one that stays whole, `*` stands for further ones that do, and `...` for further ones with names of their own. A result
without a name that operands have is a sum over it.
"""

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import jax
from jax import lax
from jax.core import ShapedArray
from jax.experimental.custom_partitioning import custom_partitioning
from jax.extend.core import Primitive
from jax.sharding import NamedSharding, PartitionSpec

Shape = tuple[int, ...]
Axes = tuple[Hashable, ...]
"""The name of each axis of an array; None for one that stays whole."""


class Rule(NamedTuple):
    """The names of the axes of a kernel's operands and of its results.

    Attributes:
        operands: those of each operand.
        results: those of each result.
        sums: whether a result without a name that operands have is a sum over it; else it depends on others alone.
    """

    operands: tuple[Axes, ...]
    results: tuple[Axes, ...]
    sums: bool = True

    @staticmethod
    def of(text: str, operands: Iterable[Shape], results: Iterable[Shape]) -> "Rule":
        """The rule of arrays of these shapes.

        >>> Rule.of("n*,_o->no", [(5, 7, 3), (3, 2)], [(5, 2)])
        Rule(operands=(('n', None, None), (None, 'o')), results=(('n', 'o'),), sums=True)
        """
        before, after = (side.split(",") for side in text.split("->"))
        return Rule(tuple(map(_axes, before, operands)), tuple(map(_axes, after, results)))

    @property
    def of_networks(self) -> "Rule":
        """The rule of arrays with one more axis, the first, that counts networks."""
        operands, results = (tuple(("network", *axes) for axes in side) for side in self[:2])
        return Rule(operands, results, self.sums)

    @property
    def text(self) -> str:
        """The rule as Shardy reads it, where each axis that stays whole has a name of its own."""
        numbers = {name: number for number, name in enumerate(dict.fromkeys(itertools.chain(*self.operands)))}
        own = map("w{}".format, itertools.count())

        def array(axes: Axes) -> str:
            return " ".join(next(own) if name is None else f"n{numbers[name]}" for name in axes)

        return " -> ".join(", ".join(map(array, side)) for side in self[:2])


def _axes(text: str, shape: Shape) -> Axes:
    if 0 in shape:  # it stands for no array
        return (None,) * len(shape)
    names = list(text.replace("...", "~"))
    further = range(len(shape) - len(names) + 1)
    each = ([None for _ in further] if name == "*" else further if name == "~" else [name] for name in names)
    return tuple(None if name == "_" else name for name in itertools.chain(*each))


def cut(call: Callable[..., list], rule: Rule, results: Sequence[Shape]) -> Callable[..., list]:
    """The call of a kernel, which the compiler cuts where it finds its arrays cut.

    Args:
        call: from the shapes of the results, and the operands, to the results.
        rule: what the axes of operands and results are called.
        results: the shapes of the whole results.
    """
    every = [*rule.operands, *rule.results]

    def partition(mesh: Any, operands: Any, whole: Any) -> tuple:
        cuts = _cuts(every, [*operands, *whole])
        places = [NamedSharding(mesh, PartitionSpec(*map(cuts.get, axes))) for axes in every]
        after = places[len(operands) :]
        own = [place.shard_shape(shape) for place, shape in zip(after, results, strict=True)]

        def part(*operands: jax.Array) -> list:
            found = call(own, *operands)
            return [_total(y, axes, cuts) for y, axes in zip(found, rule.results, strict=True)] if rule.sums else found

        return mesh, part, after, tuple(places[: len(operands)])

    form = custom_partitioning(lambda *operands: call(results, *operands))
    form.def_partition(partition, sharding_rule=rule.text)
    return form


def by_parts(rule: str) -> Callable[[Callable], Callable]:
    """A function of arrays, or of trees of them, and then of what else it takes, as one that explicit meshes may share.

    Where types say how the arrays are cut, each device computes its own part, inside of which nothing is cut any more.
    """
    before, after = rule.split("->")
    texts = before.split(",")

    def shared(form: Callable) -> Callable:
        @wraps(form)
        def run(*arguments: Any, **how: Any) -> Any:
            arrays, others = arguments[: len(texts)], arguments[len(texts) :]
            if _explicit_mesh(arrays) is None:
                return form(*arguments, **how)
            axes = [
                _axes(text, of.shape) for text, tree in zip(texts, arrays, strict=True) for of in jax.tree.leaves(tree)
            ]
            dots = {name for name in itertools.chain(*axes) if isinstance(name, int)}
            result = _axes(after.rstrip("*"), (1,) * (len(dots) + len(after.strip(".*"))))

            def own(*arrays: Any) -> Any:
                return form(*arrays, *others, **how)

            return each_its_part(own, axes, result, *arrays, derived=True)

        return run

    return shared


def each_its_part(form: Callable, operands: Sequence[Axes], results: Any, *arrays: Any, derived: bool = False) -> Any:
    """`form(*arrays)`; on an explicit mesh, each device computes what its own parts of the arrays come to.

    Args:
        form: a function of trees of arrays.
        operands: what the axes of each of their leaves are called; those of further ones stay whole.
        results: what those of the result are called, or of each in a list of several.
        arrays: the trees.
        derived: whether JAX derives it, and so keeps account of what differs between devices.
    """
    mesh = _explicit_mesh(arrays)
    if mesh is None:
        return form(*arrays)
    leaves, tree = jax.tree.flatten(arrays)
    operands = [*operands, *((),) * (len(leaves) - len(operands))]
    cuts = _cuts(operands, [*map(jax.typeof, leaves)])

    def place(axes: Axes) -> PartitionSpec:
        return PartitionSpec(*map(cuts.get, axes))

    before = [*map(place, operands)]
    after = [*map(place, results)] if isinstance(results, list) else place(results)
    parts = [jax.sharding.reshard(of, NamedSharding(mesh, to)) for of, to in zip(leaves, before, strict=True)]
    axes = frozenset(mesh.explicit_axes)
    how = {"mesh": mesh, "axis_names": axes, "check_vma": derived}
    return jax.shard_map(form, in_specs=tree.unflatten(before), out_specs=after, **how)(*tree.unflatten(parts))


def _explicit_mesh(arrays: Any) -> Any:
    """The mesh whose axes the types of these arrays tell of; None without one."""
    meshes = (jax.typeof(array).sharding.mesh for array in jax.tree.leaves(arrays))
    return next((mesh for mesh in meshes if mesh.explicit_axes), None)


def _cuts(names: Sequence[Axes], arrays: Sequence[Any]) -> dict[Hashable, tuple[str, ...]]:
    """Along which axes of their mesh the named axes are cut: as in the first array where they are, into equal parts."""
    cuts: dict[Hashable, tuple[str, ...]] = {}
    for axes, array in zip(names, arrays, strict=True):
        for name, size, by in zip(axes, array.shape, array.sharding.spec, strict=False):
            along = () if by is None else by if isinstance(by, tuple) else (by,)
            parts = math.prod(array.sharding.mesh.shape[axis] for axis in along)
            free = not {*along} & {*itertools.chain(*cuts.values())}
            if name is not None and name not in cuts and along and free and size % parts == 0:
                cuts[name] = along
    return cuts


def _total(y: jax.Array, axes: Axes, cuts: dict[Hashable, tuple[str, ...]]) -> jax.Array:
    """The sum over the devices, where an axis is cut that y does not have."""
    over = [axis for name, along in cuts.items() if name not in axes for axis in along]
    return lax.psum(y, tuple(over)) if over else y


# What JAX says of arrays inside a `jax.shard_map`: along which axes of the mesh each of them differs.


def alike(arrays: Iterable[Any]) -> list:
    """The arrays, each of which differs wherever one of them does."""
    arrays = list(arrays)
    own = [_varying(array) for array in arrays]
    axes = frozenset().union(*own)
    return [_vary(array, axes - its) if axes - its else array for array, its in zip(arrays, own, strict=True)]


def typed(shape: Shape, dtype: Any, operands: Sequence[ShapedArray]) -> ShapedArray:
    """The type of a result of operands that are `alike`."""
    like = next((of for of in operands if not of.sharding.mesh.empty), operands[0])
    whole = NamedSharding(like.sharding.mesh, PartitionSpec(*(None for _ in shape)))
    return like.update(shape=shape, dtype=dtype, weak_type=False, sharding=whole)


def _varying(array: Any) -> frozenset:
    of = jax.typeof(array)
    return of.vma if hasattr(of, "vma") else of.manual_axis_type.varying  # until JAX 0.9, and since


def _vary(array: Any, axes: frozenset) -> Any:
    names = tuple(sorted(axes, key=str))
    return lax.pcast(array, names, to="varying") if hasattr(lax, "pcast") else lax.pvary(array, names)  # type: ignore


# What JAX is told, and tells, of devices when it lowers a primitive.


def asks_for_devices(primitive: Primitive) -> Primitive:
    """The primitive, of which JAX now knows that its lowering, or that of what it hides, asks for the devices."""
    try:
        from jax._src.dispatch import prim_requires_devices_during_lowering as asking  # JAX takes it nowhere else
    except ImportError:
        return primitive  # `several_devices` never finds them
    asking.add(primitive)
    return primitive


def several_devices(context: Any) -> bool:
    """Whether what is lowered in this context may be cut for several devices."""
    around = context.module_context.axis_context
    mesh = getattr(around, "device_assignment", None) and around.abstract_mesh
    return mesh is not None and mesh.size > 1
