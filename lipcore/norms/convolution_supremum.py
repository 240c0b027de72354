"""The norm of a convolution for every image size at once."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _backend as B
from .._typing import Array
from .bounds import Bounds
from .branch_and_bound import supremum
from .symbol import Symbol

__all__ = ["convolution_supremum"]


def convolution_supremum(
    kernel: Array,
    *,
    stride: int | Sequence[int] = 1,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    rtol: float = 1e-6,
    max_evaluations: int | None = None,
) -> Bounds:
    """Rigorous enclosure of the norm of a convolution on the infinite lattice, ``Sup``.

    Parameters
    ----------
    kernel : array, shape (c_out, c_in / groups, *k)
        Real or complex, of any backend; one to three spatial axes. The bounds hold for the stored numbers.
    stride : int or sequence of int, default 1
        Per-axis stride, also larger than the kernel.
    groups : int, default 1
    dilation : int or sequence of int, default 1
        Per-axis dilation. Without a stride it changes nothing; together with one it decides which taps meet.
    rtol : float, default 1e-6
        Wanted relative width. Below about 1e-9 the rounding terms of the certificates (float64) set the width.
    max_evaluations : int, optional
        Cap on the number of certificates, one Cholesky factorisation each of size n, the smaller channel count;
        1,280,000 / n by default. When it is reached, as happens for tight `rtol` on kernels whose symbol is nearly
        flat, the bounds are wider and `converged` is False.

    Returns
    -------
    Bounds
        Of kind "rigorous". `upper` bounds the norm of the convolution with this kernel, stride, groups and dilation
        on images of **every size**, with zero padding of any amount or none, with circular padding onto its own size
        (where the stride divides it), and of the transposed convolution. `lower` is approached as the
        image grows, and is attained by a plane wave on the infinite lattice.

    Raises
    ------
    TypeError, ValueError
        For a kernel that is not floating, not finite or of the wrong shape, and for options that do not fit it.

    Notes
    -----
    ``Sup = sup_theta ||S(theta)||_2`` over all angles of the symbol ``S(theta) = sum_a K_a exp(-j a.theta)``.
    A zero-padded or valid convolution is a compression ``P C Q`` of the one on the lattice (P, Q select pixels), so
    its norm is at most Sup; a circular one is the restriction of the symbol to a grid of angles (Sedghi, Gupta,
    Long 2019, arXiv:1805.10408). Strides are removed exactly by polyphase components
    (`lipcore.norms.symbol.polyphase`), groups by taking the largest. The supremum is found by branch and bound with
    a Cholesky certificate per cell; the proof is in `lipcore.norms.branch_and_bound`. Everything is computed on the
    host: kernels are small, and a few hundred small factorisations finish sooner in LAPACK than on a device that
    waits for each.

    Reflect and replicate padding are not compressions: use ``lc.opnorm_bounds`` on the operator, which adds the
    padding's own norm.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.convolution_supremum import convolution_supremum
    >>> bounds = convolution_supremum(np.ones((1, 1, 3, 3)))  # nine ones: the constant image is multiplied by 9
    >>> bounds.kind, bool(bounds.lower <= 9.0 <= bounds.upper), bool(bounds.upper < 9.00001)
    ('rigorous', True, True)
    """
    if not rtol > 0:
        raise ValueError(f"rtol={rtol!r} given; expected a positive number")
    if max_evaluations is not None and max_evaluations < 1:
        raise ValueError(f"max_evaluations={max_evaluations!r} given; expected a positive integer")
    symbol = Symbol.from_kernel(B.to_numpy(kernel), stride, groups, dilation)
    found = supremum(symbol, float(rtol), max_evaluations=max_evaluations)
    return Bounds.from_scaled(
        found.lower,
        found.upper,
        symbol.exponent,
        "rigorous",
        converged=found.converged,
        method=f"branch and bound over angles, {found.evaluations} certificates",
    )
