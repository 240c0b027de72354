"""Norms of Taylor polynomials of the exponential of skew convolutions."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from .. import _backend as B
from ..operators.base import LinearOperator
from ..operators.convolution import Convolution
from ..operators.skew_exponential import SkewExponential
from . import rounding as r
from .bounds import Bounds
from .certify import Request, certify

__all__ = ["is_skew", "one_sided"]


def one_sided(terms: int) -> float:
    r"""A norm up to which :math:`|p_T(i y)| \le 1` for the Taylor polynomial of the exponential of degree `terms`.

    Parameters
    ----------
    terms : int

    Returns
    -------
    float
        Zero where none is known.

    Notes
    -----
    :math:`|p_T(i y)|^2 = 1 - c\, y^{T + 2} + \dots` with c > 0 for T a multiple of 4; the first zero of the rest is
    2.828 for T = 4 and lies between 3.25 and 3.4 for T = 8 to 24 (found with 60 digits).

    Examples
    --------
    >>> one_sided(8), one_sided(5)
    (3.2, 0.0)
    """
    return {4: 2.8, 8: 3.2, 12: 3.2, 16: 3.2, 20: 3.2, 24: 3.2}.get(terms, 0.0)


def is_skew(operator: LinearOperator) -> bool:
    """Whether the operator is a convolution whose matrix is exactly skew.

    Parameters
    ----------
    operator : LinearOperator

    Returns
    -------
    bool
        True for a real kernel of odd extents with ``K[o, i, t] = -K[i, o, -t]``, of stride 1, with as much padding on
        either side as keeps the size, of zeros or circular.
    """
    if not isinstance(operator, Convolution) or operator.batch_shape or operator.groups != 1:
        return False
    if operator.padding_mode not in ("zeros", "circular") or max(operator.stride) > 1:
        return False
    kernel = B.to_numpy(operator.kernel)
    reach = [d * (k - 1) // 2 for d, k in zip(operator.dilation, kernel.shape[2:], strict=True)]
    if any(k % 2 == 0 for k in kernel.shape[2:]) or operator.padding != tuple((p, p) for p in reach):
        return False
    mirrored = np.flip(np.swapaxes(kernel, 0, 1), axis=tuple(range(2, kernel.ndim)))
    return bool(kernel.dtype.kind == "f" and kernel.shape[0] == kernel.shape[1] and np.all(kernel == -mirrored))


@certify.register
def _(operator: SkewExponential, request: Request) -> Bounds:
    if not is_skew(operator.generator):
        return certify.dispatch(LinearOperator)(operator, request)
    size, terms = certify(operator.generator, request).upper, operator.terms
    # size^(T + 1) / (T + 1)!, the factors rounded up one after the other
    remainder = 1.0
    for t in range(1, terms + 2):
        remainder = float(r.mul_up(remainder, r.div_up(float(size), float(t))))
    if not math.isfinite(remainder):
        return certify.dispatch(LinearOperator)(operator, request)
    upper = 1.0 if size <= one_sided(terms) else float(r.add_up(1.0, remainder))
    lower = max(float(np.nextafter(1.0 - remainder, -math.inf)), 0.0)
    bounds = Bounds(lower, upper, "rigorous", method="remainder of the exponential")
    return dataclasses.replace(bounds, converged=bool(bounds.relative_width <= request.rtol))
