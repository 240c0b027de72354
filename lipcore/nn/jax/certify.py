"""What a network is certified to, from its numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from ... import layers as L
from ..._typing import Array
from ...layers.base import Ord
from .._certify import Certificate, certificate, guaranteed

Network: TypeAlias = L.Layer | Sequence[L.Layer] | Mapping[str, L.Layer]


def certify(
    network: Network,
    input_shape: Sequence[int],
    *,
    model: Callable[[Array], Array] | None = None,
    ord: Ord = 2,
    rtol: float = 1e-5,
) -> Certificate:
    r"""Lipschitz constants of a network from its numbers alone.

    Parameters
    ----------
    network : Layer, sequence or mapping of Layer
        The layers in order, of exported weights (`export`, `as_layer`, `lipcore.layers`).
    input_shape : sequence of int
        Shape of one sample, without the batch.
    model : callable, optional
        What the layers are to be: a function of samples (n, \*input_shape) to outputs. It is compared with them at
        random points.
    ord : {2, 1, inf}
        Norm of inputs and outputs.
    rtol : float
        Relative width that is asked for in the constants of linear layers and convolutions; where it is not reached
        they are as true, only wider.

    Returns
    -------
    Certificate
        Constants of each layer, by its key or place, and their product.

    Raises
    ------
    TypeError
        If `network` holds something else than layers.
    ValueError
        If `model` does something else than the layers, or a layer has no finite constant
        (`lipcore.layers.UnboundedError`).

    Notes
    -----
    No construction is relied upon: the constants are computed from the stored numbers, and a weight that was changed,
    or a construction with a mistake, shows. A function of JAX does not tell of which layers it is made, so that its
    layers are what the caller says; `model` finds most mistakes in that, and proves nothing. Layers that are not in a
    row are one `lipcore.layers.Residual`, `Parallel` or `Sequential`.

    Convolutions with zeros around the image, or nothing, have the constant that holds for every image size.

    Examples
    --------
    >>> import jax
    >>> import lipcore as lc
    >>> import lipcore.nn.jax as lj
    >>> keys = jax.random.split(jax.random.key(0))
    >>> params = {"first": lj.init_dense(keys[0], 4, 8), "last": lj.init_dense(keys[1], 8, 3)}
    >>> weights = lj.export(params, "rko")
    >>> layers = [lj.as_layer(weights["first"]), lc.layers.MaxMin(), lj.as_layer(weights["last"])]
    >>> found = lj.certify(layers, (4,))
    >>> found.bounds.kind, found.bounds.upper < 1.0001
    ('rigorous', True)
    """
    parts = _parts(network)
    if model is not None:
        _compare(parts, model, input_shape)
    return certificate(parts, input_shape, ord=ord, rtol=rtol)


def guarantee(
    network: Network, input_shape: Sequence[int], *, model: Callable[[Array], Array] | None = None
) -> dict[str, Any]:
    r"""Options of `lipcore.nn.metrics` with which a network's certificates are proved, from its numbers alone.

    Parameters
    ----------
    network, input_shape, model
        As for `certify`. If the last layer is `lipcore.layers.Dense`, differences of logits are bounded pair by pair.

    Returns
    -------
    dict
        `lipschitz` and `guarantee`, for ``lipcore.nn.metrics.certificates(logits, labels, **options)`` and its
        averages.

    Notes
    -----
    With features of constant L and last weights w, the difference of two logits has the constant
    :math:`\|w_i - w_j\| L`, never more than the product of all constants times :math:`\sqrt2`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import lipcore as lc
    >>> import lipcore.nn.jax as lj
    >>> layers = [lc.layers.Dense(jnp.eye(3)), lc.layers.ReLU(), lc.layers.Dense(jnp.eye(3))]
    >>> options = lj.guarantee(layers, (3,))
    >>> logits, labels = jnp.array([[1.0, 0.0, 0.0]]), jnp.array([0])
    >>> round(float(lc.nn.metrics.mean_certificate(logits, labels, **options)), 4)
    0.7071
    """
    parts = _parts(network)
    if model is not None:
        _compare(parts, model, input_shape)
    return guaranteed(parts, input_shape)


def _parts(network: Network, prefix: str = "") -> list[tuple[str, L.Layer]]:
    """Layers with their names, those of a Sequential one by one."""
    if isinstance(network, L.Sequential):
        return _parts(network.layers, prefix)
    if isinstance(network, L.Layer):
        return [(prefix or "0", copy.copy(network))]  # `rtol` is set on it
    if not isinstance(network, Mapping | list | tuple) or not network:
        raise TypeError(f"`network` must be a layer, or a sequence or mapping of layers, got {network!r}")
    members = network.items() if isinstance(network, Mapping) else enumerate(network)
    found = []
    for key, layer in members:
        name = f"{prefix}.{key}" if prefix else str(key)
        if not isinstance(layer, L.Layer):
            raise TypeError(f"`network` must hold lipcore layers, {name!r} is a {type(layer).__name__}; see `as_layer`")
        found += _parts(layer, name)
    return found


def _compare(parts: Sequence[tuple[str, L.Layer]], model: Callable[[Array], Array], shape: Sequence[int]) -> None:
    """Raise where the model is not the layers one after the other at some points."""
    network = L.Sequential(*(layer for _, layer in parts))
    x = jax.random.normal(jax.random.key(0), (4, *(int(n) for n in shape)), dtype=jnp.float32)
    with jax.default_matmul_precision("highest"):
        ours, theirs = network(x), jnp.asarray(model(x))
    if tuple(ours.shape) != tuple(theirs.shape):
        raise ValueError(f"`model` has outputs of shape {tuple(theirs.shape)}, the layers {tuple(ours.shape)}")
    size = float(jnp.max(jnp.abs(ours)))
    apart = float(jnp.max(jnp.abs(ours - theirs)))
    coarse = max(float(jnp.finfo(a.dtype).eps) for a in (ours, theirs, x))
    if not apart <= 1e3 * coarse * max(size, 1e-30):
        raise ValueError(
            f"`model` is not what the layers are: outputs of up to {size:.3g} differ by {apart:.3g} at random samples"
        )


__all__ = ["Certificate", "certify", "guarantee"]
