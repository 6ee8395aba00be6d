"""Derivatives written by hand that stay as differentiable as JAX's own: forwards, backwards, and to every order.

A `jax.custom_vjp` forbids forward mode, and JAX forgets a `jax.custom_jvp` where it takes a loop apart. Here a kernel
is a primitive of JAX that says how its result changes with its arguments; that change is linear in their tangents, and
has a transpose of its own, which is the gradient.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from chainrule.kernels.sharding import alike, asks_for_devices, typed

Function = Callable[..., Any]


def differentiable(form: Function, change: Function, *arguments: Any) -> Any:
    """`form(*arguments)`, with derivatives of its own.

    Args:
        form: a function of its arguments alone, from trees of arrays to a tree of arrays.
        change: from the arguments and their tangents to the result and its tangent, where None is the tangent of what
            does not change.
        arguments: trees of arrays.
    """
    leaves, tree = jax.tree.flatten(arguments)
    to = None

    def run(*leaves: Any) -> list:
        nonlocal to
        values, to = jax.tree.flatten(form(*tree.unflatten(leaves)))
        return values

    def changed(leaves: list, tangents: list) -> tuple[list, list]:
        nonlocal to
        result, tangent = change(tree.unflatten(leaves), tree.unflatten(tangents))
        values, to = jax.tree.flatten(result)
        return values, to.flatten_up_to(tangent)

    values = _function.bind(*alike(map(jnp.asarray, leaves)), run=run, changed=changed)
    return to.unflatten(values)  # type: ignore[union-attr]


def linear(form: Function, transpose: Function, constants: Any, t: Any, like: Any) -> Any:
    """`form(constants, t)`, which is linear in t, with a transpose of its own.

    Args:
        form: a function of its arguments alone, from constants and t to the result.
        transpose: such a function, too, from the same constants and a gradient of the result to that of t.
        constants: a tree of arrays, by which JAX derives the form and the transpose itself.
        t: a tree of arrays of floats; None is zero.
        like: a tree of arrays, as the result will be.
    """
    fixed, fixed_tree = jax.tree.flatten(constants)
    moved, tree = jax.tree.flatten(t)
    results, to = jax.tree.flatten(like)

    def forwards(fixed: list, moved: list) -> list:
        return jax.tree.leaves(form(fixed_tree.unflatten(fixed), tree.unflatten(moved)))

    def backwards(fixed: list, gradients: list) -> list:
        found = jax.tree.structure(t, is_leaf=_is_none).flatten_up_to(
            transpose(fixed_tree.unflatten(fixed), to.unflatten(gradients))
        )
        return [part for part, moves in zip(found, _with_none(t), strict=True) if moves is not None]

    return to.unflatten(_bind_linear(forwards, backwards, fixed, moved, map(_described, results)))


def differentiated_as(plain: Function, form: Function, *arguments: Any) -> Any:
    """`form(*arguments)`, which is the same as `plain`, with the derivatives of `plain`."""

    def change(arguments: Any, tangents: Any) -> tuple[Any, Any]:
        tangent = jax.jvp(plain, arguments, with_zeros(tangents, arguments))[1]
        return differentiated_as(plain, form, *arguments), jax.tree.map(lambda d: None if _is_whole(d) else d, tangent)

    return differentiable(form, change, *arguments)


def with_gradient(
    plain: Function, value: Function, form: Function, gradient: Function, learned: Any, given: Any
) -> Any:
    """`plain(learned, given)`, one array, as `value` computes it, with a gradient by `learned` of its own.

    Args:
        plain: the definition, which all other derivatives are those of.
        value: what serves where nobody asks for a gradient.
        form: from the same to the result and a tree of arrays that its gradient needs.
        gradient: from `learned`, `given`, these arrays and a gradient of the result to that of `learned`.
        learned: a tree of arrays.
        given: a tree of arrays, without a gradient.
    """

    def change(of: tuple, d_learned: Any) -> jax.Array:
        learned, given, _ = of
        return jax.jvp(lambda learned: plain(learned, given), (learned,), (d_learned,))[1]

    def by_definition(learned: Any, given: Any, kept: Any, d_y: jax.Array) -> Any:
        return jax.vjp(lambda learned: plain(learned, given), learned)[1](d_y)[0]

    def transposed(of: tuple, d_y: jax.Array) -> Any:
        return differentiated_as(by_definition, gradient, *of, d_y)

    def changed(arguments: tuple, tangents: tuple) -> tuple[tuple, tuple]:
        y, kept = differentiable(form, changed, *arguments)
        d_y = linear(change, transposed, (*arguments, kept), with_zeros(tangents[0], arguments[0]), like=y)
        return (y, kept), (d_y, jax.tree.map(lambda _: None, kept))

    def alone(arguments: tuple, tangents: tuple) -> tuple[Any, Any]:
        (y, _), (d_y, _) = changed(arguments, tangents)
        return y, d_y

    return differentiable(value, alone, learned, given)


def with_zeros(tangents: Any, arguments: Any) -> Any:
    """The tangents with zeros for None, as JAX's own functions take them."""
    leaves, tree = jax.tree.flatten(arguments)

    def zero(of):
        return np.zeros(of.shape, jax.dtypes.float0) if _is_whole(of) else jnp.zeros_like(of)

    found = zip(tree.flatten_up_to(tangents), leaves, strict=True)
    return tree.unflatten([zero(of) if tangent is None else tangent for tangent, of in found])


_function = asks_for_devices(Primitive("chainrule_function"))
_function.multiple_results = True
_function.def_impl(lambda *leaves, run, changed: run(*leaves))


@_function.def_abstract_eval
def _(*avals: Any, run: Function, changed: Function) -> list[ShapedArray]:
    return [typed(result.shape, result.dtype, avals) for result in jax.eval_shape(run, *avals)]


def _function_jvp(leaves: Any, tangents: Any, *, run: Function, changed: Function) -> tuple[list, list]:

    def zero(d):
        return isinstance(d, ad.Zero)

    values, found = changed([*leaves], [None if zero(d) else d for d in tangents])
    return values, [
        ad.Zero(jax.typeof(y).to_tangent_aval()) if d is None else d for y, d in zip(values, found, strict=True)
    ]


def _function_batched(leaves: Any, axes: Any, *, run: Function, changed: Function) -> tuple[list, list]:
    def together(leaves: list, tangents: list) -> tuple[list, list]:
        own = [None if tangent is None else axis for tangent, axis in zip(tangents, axes, strict=True)]
        return jax.vmap(changed, ([*axes], own))(leaves, tangents)

    values = _function.bind(*leaves, run=jax.vmap(run, axes), changed=together)
    return values, [0] * len(values)


_linear = asks_for_devices(Primitive("chainrule_linear"))
_linear.multiple_results = True


def _bind_linear(forwards: Function, backwards: Function, constants: Any, t: Any, results: Any) -> list:
    leaves = alike(map(jnp.asarray, (*constants, *t)))
    return _linear.bind(*leaves, forwards=forwards, backwards=backwards, fixed=len(constants), results=tuple(results))


def _run_linear(*leaves: Any, forwards: Function, fixed: int, **_: Any) -> list:
    return forwards([*leaves[:fixed]], [*leaves[fixed:]])


_linear.def_impl(_run_linear)
_linear.def_abstract_eval(lambda *avals, results, **_: [typed(of.shape, of.dtype, avals) for of in results])


def _linear_jvp(leaves: Any, tangents: Any, *, forwards: Function, fixed: int, **of: Any) -> tuple[list, list]:
    constants, t, moves = leaves[:fixed], leaves[fixed:], tangents[fixed:]

    def bind(t):
        return _linear.bind(*constants, *t, forwards=forwards, fixed=fixed, **of)

    changes = []
    if any(not isinstance(d, ad.Zero) for d in moves):
        changes.append(bind(map(ad.instantiate_zeros, moves)))
    varied = {number: d for number, d in enumerate(tangents[:fixed]) if not isinstance(d, ad.Zero)}
    if varied:

        def by_constants(some):
            return forwards([some.get(n, c) for n, c in enumerate(constants)], [*t])

        changes.append(jax.jvp(by_constants, ({n: constants[n] for n in varied},), (varied,))[1])
    return bind(t), [sum(parts[1:], parts[0]) for parts in zip(*changes, strict=True)]


def _linear_transposed(
    gradients: Any, *leaves: Any, forwards: Function, backwards: Function, fixed: int, results: Any
) -> list:
    constants, t = leaves[:fixed], leaves[fixed:]
    unknown = [ad.is_undefined_primal(part) for part in t]
    like = [_described(part.aval if asked else part) for part, asked in zip(t, unknown, strict=True)]
    found = _bind_linear(backwards, forwards, constants, map(ad.instantiate_zeros, gradients), like)
    return [None] * fixed + [d if asked else None for d, asked in zip(found, unknown, strict=True)]


def _linear_batched(
    leaves: Any, axes: Any, *, forwards: Function, backwards: Function, fixed: int, results: Any
) -> tuple[list, list]:
    size = next(leaf.shape[axis] for leaf, axis in zip(leaves, axes, strict=True) if axis is not None)

    def each(m, axis):
        return jnp.broadcast_to(m, (size, *m.shape)) if axis is None else jnp.moveaxis(m, axis, 0)

    t = map(each, leaves[fixed:], axes[fixed:])  # all of them, so that each has a gradient of its own
    in_axes = [*axes[:fixed]], 0
    like = [jax.ShapeDtypeStruct((size, *result.shape), result.dtype) for result in results]
    forms = jax.vmap(forwards, in_axes), jax.vmap(backwards, in_axes)
    return _bind_linear(*forms, leaves[:fixed], t, like), [0] * len(like)


for primitive, run in ((_function, lambda *leaves, run, changed: run(*leaves)), (_linear, _run_linear)):
    mlir.register_lowering(primitive, mlir.lower_fun(run, multiple_results=True))
ad.primitive_jvps[_function] = _function_jvp
batching.primitive_batchers[_function] = _function_batched
ad.primitive_jvps[_linear] = _linear_jvp
ad.primitive_transposes[_linear] = _linear_transposed
batching.primitive_batchers[_linear] = _linear_batched


def _described(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)


def _with_none(tree: Any) -> list:
    return jax.tree.leaves(tree, is_leaf=_is_none)


def _is_none(node: Any) -> bool:
    return node is None


def _is_whole(array: Any) -> bool:
    """Whether it counts or tells apart, and has no tangent."""
    return not jnp.issubdtype(jnp.result_type(array), jnp.inexact)
