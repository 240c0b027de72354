"""Leaves as lipcore layers, which are applied and certified."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ... import layers as L
from ..._typing import Array, Shape
from ...layers.linear import LinearLayer
from ...operators import Identity, LinearOperator
from .constraint import checked_lipschitz
from .layouts import Layout, read_layout

Option = int | Sequence[int]


def as_layer(
    leaves: Any, *, layout: str | None = None, transposed: bool = False, groups: int = 1, **options: Any
) -> L.Layer:
    r"""The layer of a weight and a bias: dense, or a convolution.

    Parameters
    ----------
    leaves : array, mapping or object
        A weight, or what holds it as ``kernel`` or ``weight``, and perhaps ``bias``: the parameters of a layer of
        flax, a layer of equinox.
    layout : str, optional
        One letter for each axis of the weight, as for `Constraint`.
    transposed : bool, default False
        For ``ConvTranspose`` of flax (its ``padding="VALID"`` is 0 here) and equinox.
    groups : int, default 1
        Of the convolution.
    **options
        Of `lipcore.layers.Convolution` (``stride``, ``padding``, ``dilation``, ``padding_mode``) or
        `lipcore.layers.ConvolutionTranspose`, none for a matrix. ``padding="same"`` is flax's ``"SAME"`` where the
        stride is 1; elsewhere give pairs (before, after) for each axis.

    Returns
    -------
    Dense, Convolution or ConvolutionTranspose
        Of samples with their channels first, one after the other along axis 0. A pure function of the leaves: to be
        called under ``jax.jit`` and derivatives as well as to be certified.

    Raises
    ------
    ValueError
        If the axes are not known, the weight is a stack, or an option does not fit.

    See Also
    --------
    lipcore.layers : All other layers: activations, pooling, sorting, normalisation.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import lipcore.nn.jax as lj
    >>> layer = lj.as_layer({"kernel": jnp.ones((1, 2)), "bias": jnp.zeros(2)})
    >>> layer(jnp.ones((1, 1)))
    Array([[1., 1.]], dtype=float32)
    """
    weight, bias, found = _read(leaves, layout, transposed, groups)
    if found.dense:
        if options or groups != 1:
            raise ValueError(f"a matrix has no {next(iter(options), 'groups')}: leave the option away")
        return L.Dense(found.standard(weight), bias)
    kernel = found.standard(weight)
    if transposed:
        # lipcore's and torch's transposed convolution turns the taps, those of flax and equinox do not
        return L.ConvolutionTranspose(jnp.flip(kernel, axis=range(2, kernel.ndim)), bias, groups=groups, **options)
    return L.Convolution(kernel, bias, groups=groups, **options)


def as_potential(leaves: Any, *, layout: str | None = None, padding_mode: str = "zeros") -> L.ConvexPotential:
    r"""The residual layer :math:`x - 2 V^T \mathrm{relu}(V x + b)` of a weight and a bias.

    Parameters
    ----------
    leaves : mapping or object
        Holds the constrained weight V as ``weight`` or ``kernel``, and perhaps ``bias``.
    layout : str, optional
        As for `as_layer`; the outputs are the hidden channels.
    padding_mode : {"zeros", "circular"}, default "zeros"
        Of convolutions.

    Returns
    -------
    ConvexPotential

    See Also
    --------
    init_potential : Its free parameters.
    constrain : Methods "cpl" and "sll" make the weight.

    Examples
    --------
    >>> import jax
    >>> import lipcore.nn.jax as lj
    >>> free = lj.init_potential(jax.random.key(0), 4, hidden=8, log_scale=True)
    >>> layer = lj.as_potential(lj.constrain(free, {"weight": "sll"}))
    >>> layer(jax.numpy.ones((1, 4))).shape, layer.lipschitz().upper < 1 + 1e-4
    ((1, 4), True)
    """
    weight, bias, found = _read(leaves, layout, False, 1)
    return L.ConvexPotential(found.standard(weight), bias, padding_mode=padding_mode)


def as_sandwich(leaves: Any, outputs: int, *, layout: str | None = None) -> L.Sandwich:
    r"""The layer :math:`\sqrt 2 A^T \Psi\, \mathrm{relu}(\sqrt 2\, \Psi^{-1} B x + b)` of a weight (A B).

    Parameters
    ----------
    leaves : mapping or object
        Holds the constrained weight, A and B side by side, as ``weight`` or ``kernel``, and perhaps ``bias`` and
        ``log_scale``.
    outputs : int
        Columns of A.
    layout : str, optional
        As for `as_layer`; the outputs of the weight are the hidden channels.

    Returns
    -------
    Sandwich

    See Also
    --------
    init_sandwich : Its free parameters.
    constrain : Method "sandwich" makes the weight.

    Examples
    --------
    >>> import jax
    >>> import lipcore.nn.jax as lj
    >>> free = lj.init_sandwich(jax.random.key(0), 4, 3)
    >>> layer = lj.as_sandwich(lj.constrain(free, {"weight": "sandwich"}), 3)
    >>> layer(jax.numpy.ones((1, 4))).shape, layer.lipschitz().upper < 1 + 1e-4
    ((1, 3), True)
    """
    weight, bias, found = _read(leaves, layout, False, 1)
    if not found.dense:
        raise ValueError(f"a sandwich has a matrix for its weight, got the layout {found.axes!r}")
    both = found.standard(weight)
    if type(outputs) is not int or not 1 <= outputs < both.shape[1]:
        raise ValueError(f"`outputs` must be an integer from 1 to {both.shape[1] - 1}, got {outputs!r}")
    return L.Sandwich(both[:, :outputs], both[:, outputs:], bias, _part(leaves, "log_scale"))


def scaled(layer: L.Layer, input_shape: Sequence[int], lipschitz: float = 1.0) -> L.Sequential:
    r"""A layer times what gives it a Lipschitz constant in the 2-norm: pooling that lets no signal fade.

    Parameters
    ----------
    layer : Layer
        Without free weights, such as ``lipcore.layers.AvgPool(2)``.
    input_shape : sequence of int
        Shape of one sample.
    lipschitz : float, default 1.0
        The constant.

    Returns
    -------
    Sequential
        `layer`, and the factor.

    Raises
    ------
    UnboundedError
        If the layer has no finite constant.
    ValueError
        If its constant is 0, or `lipschitz` is not positive and finite.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import lipcore as lc
    >>> import lipcore.nn.jax as lj
    >>> pool = lj.scaled(lc.layers.AvgPool(2), (1, 2, 2))
    >>> pool(jnp.ones((1, 1, 2, 2)))
    Array([[[[2.]]]], dtype=float32)
    """
    upper = float(layer.lipschitz(2, input_shape=tuple(int(n) for n in input_shape)).upper)
    if upper == 0.0:
        raise ValueError(f"`layer`, {type(layer).__name__}, is constant on samples of shape {tuple(input_shape)}")
    return L.Sequential(layer, Scale(checked_lipschitz(lipschitz) / upper))


class Scale(LinearLayer):
    """A number times the sample.

    Parameters
    ----------
    factor : float
        The number.
    """

    def __init__(self, factor: float) -> None:
        self.factor = float(factor)

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        xp: Any = jnp if isinstance(like, jax.Array) else np
        whole: LinearOperator = self.factor * Identity(math.prod(shape), dtype=like.dtype, xp=xp)
        return whole.with_shapes(shape, shape)


def _read(leaves: Any, layout: str | None, transposed: bool, groups: int) -> tuple[Array, Array | None, Layout]:
    """Weight, bias as a vector, and layout."""
    if hasattr(leaves, "shape") and hasattr(leaves, "ndim"):
        name, weight, bias = "", leaves, None
    else:
        held = {key: _part(leaves, key) for key in ("kernel", "weight")}
        names = [key for key, value in held.items() if value is not None]
        if len(names) != 1:
            raise ValueError(
                f"`leaves` must be an array or hold one of kernel and weight, got {type(leaves).__name__} with "
                f"{' and '.join(names) or 'neither'}"
            )
        name, weight, bias = names[0], held[names[0]], _part(leaves, "bias")
    found = read_layout(layout, transposed, groups, name, weight.ndim)
    if found.stacked:
        raise ValueError(f"the weight of shape {tuple(weight.shape)} is a stack {found.axes!r}: take one of its layers")
    return weight, None if bias is None else jnp.reshape(bias, (-1,)), found


def _part(leaves: Any, name: str) -> Array | None:
    """An array of a layer's parameters, out of the box that flax may keep it in."""
    found = leaves.get(name) if isinstance(leaves, Mapping) else getattr(leaves, name, None)
    arrays = jax.tree_util.tree_leaves(found)
    return arrays[0] if len(arrays) == 1 else None
