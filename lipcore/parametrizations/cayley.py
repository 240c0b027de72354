"""Orthogonal weights by the Cayley transform."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array, Namespace
from ._polar import polished
from ._weights import dense_only, limited


def cayley(weight: Array) -> Array:
    r"""Orthonormal rows or columns by the Cayley transform.

    Parameters
    ----------
    weight : array, shape (out, in)
        Dense weight, float32 or float64.

    Returns
    -------
    array, shape (out, in)
        With orthonormal columns where ``out >= in``, else rows.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If it is not a matrix.

    See Also
    --------
    cayley_convolution : The same at every frequency of an image.
    soc : By the exponential, which reaches the eigenvalue -1.

    Notes
    -----
    With the weight (its transpose where it is wide) split into a square U above V,

    .. math:: A = U - U^T + V^T V, \qquad Q = \begin{pmatrix} (I - A) (I + A)^{-1} \\ -2 V (I + A)^{-1} \end{pmatrix}.

    **Guarantee.** Orthogonal, hence 1-Lipschitz, up to rounding, for every weight: :math:`I + A` has no singular value
    below 1. Its condition costs digits, so that weights of a Frobenius norm above :math:`\epsilon^{-1/4}` (54 in
    float32, 8192 in float64) are scaled down to it; and a final step :math:`X (3 I - X^T X) / 2` squares the error
    and keeps the norm at 1. A weight of zero gives the identity.

    **Cost.** One solve and two to three products. **Limits.** Square results are rotations without the eigenvalue -1:
    angles stay below 178 degrees in float32. The derivative along the weight itself is zero above the limit.

    Trockman and Kolter 2021, "Orthogonalizing convolutional layers with the Cayley transform" (arXiv 2104.07167).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.parametrizations.cayley(np.array([[0.0, 0.5], [-0.5, 0.0]]))
    array([[ 0., -1.],
           [ 1.,  0.]])
    """
    read = dense_only(weight, "cayley", "`cayley_convolution`")
    wide = read.outputs < read.inputs
    tall = B.transpose(weight) if wide else weight
    found = polished(transform(limited(tall, read.eps**-0.25), read.xp))
    return B.transpose(found) if wide else found


def transform(tall: Array, xp: Namespace) -> Array:
    """The transform of a stack (..., m, n) with m >= n, real or complex."""
    n = tall.shape[-1]
    u, v = tall[..., :n, :], tall[..., n:, :]
    skew = u - B.adjoint(u)
    if v.shape[-2]:
        skew = skew + xp.matmul(B.adjoint(v), v)
    eye = xp.eye(n, dtype=tall.dtype, device=B.device_of(tall))
    inverse = xp.linalg.solve(eye + skew, eye + xp.zeros_like(skew))
    head = 2 * inverse - eye
    return xp.concat([head, -2 * xp.matmul(v, inverse)], axis=-2) if v.shape[-2] else head
