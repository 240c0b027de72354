"""Starting weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ... import parametrizations
from ..._typing import Array


def orthogonal_(tensor: Array) -> Array:
    """Orthonormal rows or columns of a random weight, a kernel reshaped to (out, rest), in place.

    Parameters
    ----------
    tensor : tensor, shape (out, in) or (out, in / groups, *k)
        A weight, which is overwritten.

    Returns
    -------
    tensor
        `tensor`.

    Notes
    -----
    Half precision, which torch's own initialiser does not know, is filled from single.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> weight = lt.orthogonal_(torch.empty(2, 4))
    >>> bool(torch.allclose(weight @ weight.T, torch.eye(2), atol=1e-5))
    True
    """
    with torch.no_grad():
        filled = torch.empty(tensor.shape, dtype=torch.float32, device=tensor.device)
        return tensor.copy_(torch.nn.init.orthogonal_(filled))


def spectral_(tensor: Array) -> Array:
    """The weight over a certified bound of its norm, in place: torchlip's ``spectral_``.

    Parameters
    ----------
    tensor : tensor, shape (out, in) or (out, in / groups, *k)
        A weight, which is overwritten.

    Returns
    -------
    tensor
        `tensor`.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> weight = lt.spectral_(torch.ones(2, 2))
    >>> bool(0.99 < torch.linalg.matrix_norm(weight, 2) <= 1)
    True
    """
    with torch.no_grad():
        return tensor.copy_(parametrizations.spectral(tensor))


def bjorck_(tensor: Array, *, iterations: int = 15) -> Array:
    """The weight made orthogonal by Björck's iteration, in place: torchlip's ``bjorck_``.

    Parameters
    ----------
    tensor : tensor, shape (out, in) or (out, in / groups, *k)
        A weight, which is overwritten.
    iterations : int
        How many steps.

    Returns
    -------
    tensor
        `tensor`.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.bjorck_(2 * torch.eye(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    with torch.no_grad():
        return tensor.copy_(parametrizations.bjorck(tensor, iterations=iterations))


def conv_orthogonal_(
    tensor: Array, *, stride: int | Sequence[int] = 1, groups: int = 1, dilation: int | Sequence[int] = 1
) -> Array:
    """The kernel of an orthogonal convolution, from a random one, in place: orthogonium's ``conv_orthogonal_``.

    Parameters
    ----------
    tensor : tensor, shape (out, in / groups, *k)
        A kernel, which is overwritten.
    stride, dilation : int or sequence of int
        Of the convolution. The kernel must not be shorter than the stride.
    groups : int
        Of the convolution.

    Returns
    -------
    tensor
        `tensor`.

    See Also
    --------
    lipcore.parametrizations.aoc : The construction.

    Examples
    --------
    >>> import torch
    >>> import lipcore as lc
    >>> import lipcore.nn.torch as lt
    >>> kernel = lt.conv_orthogonal_(torch.empty(4, 4, 3, 3))
    >>> A = lc.Convolution(kernel, (4, 6, 6), padding="same", padding_mode="circular")
    >>> x = torch.ones(4, 6, 6)
    >>> bool(abs(A.apply(x).norm() / x.norm() - 1) < 1e-4)
    True
    """
    with torch.no_grad():
        random = torch.randn(tensor.shape, dtype=torch.float32, device=tensor.device)
        return tensor.copy_(parametrizations.aoc(random, stride=stride, groups=groups, dilation=dilation))
