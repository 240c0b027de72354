"""Norms of circular convolutions that are given by their matrices at the frequencies: the largest of them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from .. import _backend as B
from ..operators.circular_symbol import CircularSymbol
from . import rounding as r
from .bounds import Bounds
from .certify import Request, certify
from .dense import dense_bounds

__all__ = ["acting_symbols", "circular_symbol_bounds"]


def acting_symbols(symbols: np.ndarray[Any, Any], size: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The matrices that act: where f and -f are both stored, the mean of one and the conjugate of the other."""
    acting = np.array(symbols, dtype=np.complex128)
    axes = tuple(range(len(size) - 1))
    for plane in {0, size[-1] // 2} if size[-1] % 2 == 0 else {0}:
        stored = acting[(..., plane, slice(None), slice(None))]
        mirrored = np.roll(np.flip(stored, axis=axes), 1, axis=axes) if axes else stored
        acting[(..., plane, slice(None), slice(None))] = (stored + np.conj(mirrored)) / 2
    return acting


def circular_symbol_bounds(operator: CircularSymbol, rtol: float = 1e-3) -> Bounds:
    """Rigorous enclosure of the norm, by a certificate for each frequency.

    Parameters
    ----------
    operator : CircularSymbol
    rtol : float, default 1e-3
        Wanted relative width.

    Returns
    -------
    Bounds
        Of kind "rigorous", for the stored matrices and exact Fourier transforms.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.circular_symbol import circular_symbol_bounds
    >>> from lipcore.operators.circular_symbol import CircularSymbol
    >>> bounds = circular_symbol_bounds(CircularSymbol(np.full((3, 1, 1), 2.0 + 0j), (4,)))
    >>> bounds.kind, bool(bounds.lower <= 2.0 <= bounds.upper)
    ('rigorous', True)
    """
    acting = acting_symbols(B.to_numpy(operator.symbols), operator.size)
    matrices = acting.reshape(-1, *acting.shape[-2:])
    each = dense_bounds(matrices, rtol=rtol)
    # the mean is rounded twice in double precision
    largest = float(np.max(np.abs(matrices), initial=0.0))
    lost = 8 * r.UNIT["float64"] * largest * math.sqrt(2.0 * math.prod(matrices.shape[-2:]))
    lower = max(float(np.max(each.lower)) - lost, 0.0)
    upper = float(r.add_up(float(np.max(each.upper)), lost))
    bounds = Bounds(lower, upper, "rigorous", method="matrices at the frequencies")
    return dataclasses.replace(bounds, converged=bool(bounds.relative_width <= rtol))


@certify.register
def _(operator: CircularSymbol, request: Request) -> Bounds:
    return circular_symbol_bounds(operator, request.rtol)
