"""Starting weights."""

from __future__ import annotations

import torch

from ... import parametrizations
from ..._typing import Array


def orthogonal_(tensor: Array) -> Array:
    """Orthonormal rows or columns of the weight, a kernel reshaped to (out, rest), in place.

    Half precision, which torch's own initialiser does not know, is filled from single.
    """
    with torch.no_grad():
        filled = torch.empty(tensor.shape, dtype=torch.float32, device=tensor.device)
        return tensor.copy_(torch.nn.init.orthogonal_(filled))


def spectral_(tensor: Array) -> Array:
    """The weight over a certified bound of its norm, in place: torchlip's ``spectral_``.

    Parameters
    ----------
    tensor : tensor, shape (out, in) or (out, in / groups, *k)

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
    iterations : int

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
