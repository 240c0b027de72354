"""Constrained weights as a function of free ones."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._typing import Array
from .constraint import Constraint, checked_lipschitz
from .layouts import Layout
from .plan import PlannedLeaf, Rules, planned


def constrain(params: Any, rules: Rules = "bjorck", *, lipschitz: float = 1.0, **options: Any) -> Any:
    r"""The weights of 1-Lipschitz layers, made from free ones: to be called inside of the loss.

    Parameters
    ----------
    params : pytree of array
        Free weights, as flax, equinox or anything else keeps them. Leaves with fewer than two axes, those named
        ``bias``, and what is not an array of floating numbers stay as they are.
    rules : str, Constraint, mapping or callable, default "bjorck"
        How the other leaves are made:

        - a method (one of `methods()`) or a `Constraint`, for all of them;
        - a mapping of patterns to methods, constraints, or None for what is to stay. Patterns are globs on paths such
          as ``params/Dense_0/kernel``, or on the beginning of a path up to a "/"; the first that fits counts;
        - a function ``rules(path, leaf)`` that returns the same.
    lipschitz : float, default 1.0
        Of the network where it is a chain of 1-Lipschitz maps and the n constrained layers: each of these is made
        ``lipschitz ** (1 / n)``-Lipschitz.
    **options
        Of the `Constraint`, where `rules` is a method.

    Returns
    -------
    pytree of array
        Of the structure, shapes and dtypes of `params`.

    Raises
    ------
    TypeError
        If `rules` is something else, or a leaf is complex.
    ValueError
        With the leaf's path: if the meaning of its axes is not known, no pattern fits it, or its construction does not
        apply. If a pattern fits no leaf that is left for it, or there is nothing to constrain.

    See Also
    --------
    plan : What is done to which leaf.
    export : The same numbers as a tree of their own.
    certify : What a network of such weights is proved to be.

    Notes
    -----
    A pure function, for ``jax.jit``, ``jax.grad``, ``jax.vmap`` and ``jax.checkpoint``. Each construction is compiled
    by itself where nothing around it is, so that training, evaluation and export run one program; products are not
    rounded to TF32 or bfloat16. "spectral" and "cpl" therefore take the certificate that can be compiled (see
    `lipcore.parametrizations.spectral`), and cost a decomposition at each of a grid of angles.

    Leaves in half precision are made in float32 and rounded back, which may raise a norm by that rounding.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import lipcore.nn.jax as lj
    >>> params = {"layer": {"kernel": jnp.array([[3.0, 0.0], [4.0, 5.0]]), "bias": jnp.ones(2)}}
    >>> weights = lj.constrain(params, {"layer": "rko"})
    >>> jnp.allclose(weights["layer"]["kernel"].T @ weights["layer"]["kernel"], jnp.eye(2), atol=1e-5)
    Array(True, dtype=bool)
    >>> slopes = jax.grad(lambda p: lj.constrain(p, "frobenius")["layer"]["kernel"][0, 0])(params)
    >>> slopes["layer"]["kernel"].shape
    (2, 2)
    """
    checked_lipschitz(lipschitz)
    leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    found = planned(leaves, rules, options)
    factor = float(lipschitz) ** (1 / found.layers)
    arrays = {leaf.path: array for leaf, (_, array) in zip(found.leaves, leaves, strict=True)}
    made = [_made(leaf, array, arrays, factor) for leaf, (_, array) in zip(found.leaves, leaves, strict=True)]
    return jax.tree_util.tree_unflatten(structure, made)


def export(params: Any, rules: Rules = "bjorck", *, lipschitz: float = 1.0, **options: Any) -> Any:
    r"""The constrained weights as numbers, for a plain model.

    Parameters
    ----------
    params : pytree of array
        Free weights.
    rules, lipschitz, **options
        As for `constrain`.

    Returns
    -------
    pytree of array
        What `constrain` returns, bit for bit, in memory of its own: it survives the donation of `params`.

    Raises
    ------
    TypeError
        If a leaf has no numbers, inside of ``jax.jit`` or a derivative.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import lipcore.nn.jax as lj
    >>> lj.export({"weight": 2 * jnp.eye(2)}, "rko")["weight"]
    Array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree_util.tree_leaves(params)):
        raise TypeError("`params` must hold numbers, it is being traced: export outside of jit and of derivatives")
    made = constrain(params, rules, lipschitz=lipschitz, **options)
    return jax.tree_util.tree_map(_copied, made)


def _copied(leaf: Any) -> Any:
    if isinstance(leaf, jax.Array):
        return jnp.array(leaf)
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _made(leaf: PlannedLeaf, array: Any, arrays: Mapping[str, Any], factor: float) -> Any:
    if leaf.constraint is None or leaf.layout is None:
        return array
    function, options = leaf.constraint.construction(leaf.layout.dense)
    parent = leaf.path.rpartition("/")[0]
    places = {name: f"{parent}/{name}" if parent else name for name in inspect.signature(function).parameters}
    beside = {name: arrays[place] for name, place in places.items() if place in arrays and place != leaf.path}
    twice = [name for name in beside if name in options]
    if twice:
        raise ValueError(f"leaf {leaf.path!r}: its constraint sets {twice[0]!r}, which a leaf beside it is named")
    try:
        with jax.default_matmul_precision("highest"):
            return _construct(array, beside, constraint=leaf.constraint, layout=leaf.layout, factor=factor)
    except (TypeError, ValueError) as error:
        if isinstance(error, jax.errors.JAXTypeError):
            raise
        raise type(error)(f"leaf {leaf.path!r} of shape {leaf.shape}: {error}") from error


@partial(jax.jit, static_argnames=("constraint", "layout", "factor"))
def _construct(
    weight: Array, beside: dict[str, Array], *, constraint: Constraint, layout: Layout, factor: float
) -> Array:
    """One leaf, in at least single precision."""
    function, options = constraint.construction(layout.dense)
    wide = weight if weight.dtype.name not in ("float16", "bfloat16") else weight.astype(jnp.float32)
    given = layout.standard(wide)
    others = {name: array.astype(wide.dtype) for name, array in beside.items()}
    if layout.stacked:
        copies = given.shape[0]
        others = {name: jnp.reshape(array, (copies, -1)) for name, array in others.items()}
        made = jax.vmap(lambda w, other: function(w, **options, **other))(given, others)
    else:
        made = function(given, **options, **others)
    if tuple(made.shape) != tuple(given.shape):
        raise ValueError(f"the construction must keep the shape {tuple(given.shape)}, it returned {tuple(made.shape)}")
    total = factor * constraint.lipschitz
    made = made if total == 1.0 else made * total
    return layout.restored(made, tuple(weight.shape)).astype(weight.dtype)


__all__ = ["constrain", "export"]
