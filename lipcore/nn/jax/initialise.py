"""Starting weights, laid out as torch and equinox have them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ..._typing import Array


def orthogonal(key: Any, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
    r"""A weight with orthonormal rows or columns, at random with all of them equally likely.

    Parameters
    ----------
    key : array
        Of `jax.random`.
    shape : sequence of int
        ``(out, in)`` or ``(out, in / groups, *k)``, a kernel being taken as the matrix (out, rest).
    dtype : dtype, default float32
        Of the parameters; half precision is rounded from single.

    Returns
    -------
    array

    Raises
    ------
    ValueError
        If `shape` has fewer than two axes, or an empty one.

    Examples
    --------
    >>> import jax
    >>> import lipcore.nn.jax as lj
    >>> weight = lj.orthogonal(jax.random.key(0), (2, 3))
    >>> jax.numpy.allclose(weight @ weight.T, jax.numpy.eye(2), atol=1e-6)
    Array(True, dtype=bool)
    """
    sizes = tuple(int(n) for n in shape)
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"`shape` must be (out, in) or (out, in / groups, *k), and not empty, got {sizes}")
    rows, columns = sizes[0], math.prod(sizes[1:])
    wide = jnp.float32 if jnp.finfo(dtype).bits < 32 else dtype
    tall = jax.random.normal(key, (max(rows, columns), min(rows, columns)), dtype=wide)
    with jax.default_matmul_precision("highest"):
        q, r = jnp.linalg.qr(tall)
    diagonal = jnp.diagonal(r)
    q = q * jnp.where(diagonal < 0, -1.0, 1.0).astype(wide)
    return jnp.reshape(q if rows >= columns else q.T, sizes).astype(dtype)


def init_dense(key: Any, inputs: int, outputs: int, *, bias: bool = True, dtype: Any = jnp.float32) -> dict[str, Array]:
    """Free parameters of a dense layer.

    Parameters
    ----------
    key : array
        Of `jax.random`.
    inputs, outputs : int
        Features.
    bias : bool, default True
        Whether there is one.
    dtype : dtype, default float32
        Of the parameters; half precision is rounded from single.

    Returns
    -------
    dict
        ``weight`` (outputs, inputs), orthogonal, and ``bias``, zero.

    See Also
    --------
    as_layer : The layer of constrained parameters.

    Examples
    --------
    >>> import jax
    >>> import lipcore.nn.jax as lj
    >>> {name: leaf.shape for name, leaf in lj.init_dense(jax.random.key(0), 3, 2).items()}
    {'weight': (2, 3), 'bias': (2,)}
    """
    return _with_bias(orthogonal(key, (outputs, inputs), dtype), bias)


def init_convolution(
    key: Any,
    inputs: int,
    outputs: int,
    kernel_size: int | Sequence[int],
    *,
    groups: int = 1,
    bias: bool = True,
    dtype: Any = jnp.float32,
) -> dict[str, Array]:
    r"""Free parameters of a convolution.

    Parameters
    ----------
    key : array
        Of `jax.random`.
    inputs, outputs : int
        Channels.
    kernel_size : int or sequence of int
        Taps; one number for both axes of an image, or one for each of 1 to 3 axes.
    groups : int, default 1
        Into which the channels are divided.
    bias : bool, default True
        Whether there is one.
    dtype : dtype, default float32
        Of the parameters; half precision is rounded from single.

    Returns
    -------
    dict
        ``weight`` (outputs, inputs / groups, \*k), orthogonal as a matrix, and ``bias``, zero.

    Raises
    ------
    ValueError
        If `groups` does not divide the channels.

    See Also
    --------
    as_layer : The layer of constrained parameters.

    Examples
    --------
    >>> import jax
    >>> import lipcore.nn.jax as lj
    >>> lj.init_convolution(jax.random.key(0), 3, 8, 3)["weight"].shape
    (8, 3, 3, 3)
    """
    if groups < 1 or inputs % groups or outputs % groups:
        raise ValueError(f"`groups` must divide the {inputs} inputs and {outputs} outputs, got {groups}")
    return _with_bias(orthogonal(key, (outputs, inputs // groups, *_taps(kernel_size)), dtype), bias)


def init_potential(
    key: Any,
    features: int,
    hidden: int | None = None,
    *,
    kernel_size: int | Sequence[int] | None = None,
    bias: bool = True,
    log_scale: bool = False,
    dtype: Any = jnp.float32,
) -> dict[str, Array]:
    r"""Free parameters of a residual layer, :math:`x - 2 V^T \mathrm{relu}(V x + b)`.

    Parameters
    ----------
    key : array
        Of `jax.random`.
    features : int
        Of inputs and outputs.
    hidden : int, optional
        Rows of V; `features` by default.
    kernel_size : int or sequence of int, optional
        Odd; for a convolution, one number for both axes of an image.
    bias : bool, default True
        Whether there is one.
    log_scale : bool, default False
        Whether method "sll" is to have its scales to learn.
    dtype : dtype, default float32
        Of the parameters; half precision is rounded from single.

    Returns
    -------
    dict
        ``weight`` (hidden, features, \*k), and ``bias`` and ``log_scale``, zero.

    Raises
    ------
    ValueError
        If `kernel_size` is even.

    See Also
    --------
    as_potential : The layer of constrained parameters.

    Examples
    --------
    >>> import jax
    >>> import lipcore.nn.jax as lj
    >>> lj.init_potential(jax.random.key(0), 4, kernel_size=3)["weight"].shape
    (4, 4, 3, 3)
    """
    taps = () if kernel_size is None else _taps(kernel_size)
    if any(k % 2 == 0 for k in taps):
        raise ValueError(f"`kernel_size` must be odd, got {kernel_size!r}")
    rows = features if hidden is None else hidden
    found = _with_bias(orthogonal(key, (rows, features, *taps), dtype), bias)
    return {**found, "log_scale": jnp.zeros(rows, dtype)} if log_scale else found


def init_sandwich(
    key: Any, inputs: int, outputs: int, hidden: int | None = None, *, bias: bool = True, dtype: Any = jnp.float32
) -> dict[str, Array]:
    r"""Free parameters of a sandwich layer, :math:`\sqrt 2 A^T \Psi\, \mathrm{relu}(\sqrt 2\, \Psi^{-1} B x + b)`.

    Parameters
    ----------
    key : array
        Of `jax.random`.
    inputs, outputs : int
        Features.
    hidden : int, optional
        Rows of A and B; `outputs` by default.
    bias : bool, default True
        Whether there is one.
    dtype : dtype, default float32
        Of the parameters; half precision is rounded from single.

    Returns
    -------
    dict
        ``weight`` (hidden, outputs + inputs), ``log_scale`` and ``bias``, zero.

    See Also
    --------
    as_sandwich : The layer of constrained parameters.

    Examples
    --------
    >>> import jax
    >>> import lipcore.nn.jax as lj
    >>> lj.init_sandwich(jax.random.key(0), 4, 3)["weight"].shape
    (3, 7)
    """
    rows = outputs if hidden is None else hidden
    found = _with_bias(orthogonal(key, (rows, outputs + inputs), dtype), bias)
    return {**found, "log_scale": jnp.zeros(rows, dtype)}


def _with_bias(weight: Array, bias: bool) -> dict[str, Array]:
    return {"weight": weight, "bias": jnp.zeros(weight.shape[0], weight.dtype)} if bias else {"weight": weight}


def _taps(kernel_size: int | Sequence[int]) -> tuple[int, ...]:
    taps = tuple(kernel_size) if isinstance(kernel_size, Sequence) else (kernel_size, kernel_size)
    if not 1 <= len(taps) <= 3 or any(type(k) is not int or k < 1 for k in taps):
        raise ValueError(f"`kernel_size` must be a positive integer, or 1 to 3 of them, got {kernel_size!r}")
    return taps
