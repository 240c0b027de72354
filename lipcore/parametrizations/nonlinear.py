"""Weights of 1-Lipschitz layers that are not linear: convex potentials and sandwiches."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array
from ._weights import dense_only, nonzero, read_weight, scaled
from .aol import shared
from .cayley import cayley
from .spectral import spectral


def cpl_weight(weight: Array, *, rtol: float = 1e-3) -> Array:
    r"""Weight V of a convex potential layer, :math:`x - 2 V^T \mathrm{relu}(V x + b)`.

    Parameters
    ----------
    weight : array, shape (hidden, in) or (hidden, in, \*k)
        Dense weight or kernel, float32 or float64.
    rtol : float, default 1e-3
        Width of the certificate of the norm.

    Returns
    -------
    array
        `spectral` of the weight, of a certified norm of at most 1.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If it has another shape, or is not finite.

    See Also
    --------
    lipcore.layers.ConvexPotential : The layer, 1-Lipschitz with this weight.
    sll_weight : Another weight of the same layer.

    Notes
    -----
    :math:`x - (2 / \|W\|^2) W^T \mathrm{relu}(W x + b)` with :math:`V = W / \|W\|`; the bias of the layer is
    :math:`b / \|W\|`. The Jacobian :math:`I - 2 V^T D V`, D of zeros and ones, has its eigenvalues in [-1, 1] if and
    only if the norm is at most 1 where all are active: an **upper** bound must divide, which the power method is not.
    Guarantee, cost and limits are those of `spectral`.

    Meunier, Delattre, Araujo and Allauzen 2022, "A dynamical system perspective for Lipschitz neural networks"
    (arXiv 2110.12690).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> weight = lc.parametrizations.cpl_weight(np.random.default_rng(0).standard_normal((5, 3)))
    >>> lc.layers.ConvexPotential(weight).lipschitz().upper
    1.0
    """
    read_weight(weight)
    return spectral(weight, rtol=rtol)


def sll_weight(weight: Array, *, log_scale: Array | None = None) -> Array:
    r"""Weight V of an SDP-based Lipschitz layer, :math:`x - 2 V^T \mathrm{relu}(V x + b)`.

    Parameters
    ----------
    weight : array, shape (hidden, in) or (hidden, in, \*k)
        Dense weight or kernel, float32 or float64.
    log_scale : array, shape (hidden,), optional
        Logarithms of the scales q, which are free parameters; 0 by default. Differences up to 80 (float32) or 700.

    Returns
    -------
    array
        :math:`T^{-1/2} W` with :math:`T_{ii} = \sum_j |W W^T|_{ij}\, q_j / q_i`, of the shape of `weight`.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If an array has another shape.

    See Also
    --------
    lipcore.layers.ConvexPotential : The layer, 1-Lipschitz with this weight.
    aol : The same factors on the inputs.

    Notes
    -----
    The layer of the paper is :math:`x - 2 W^T T^{-1} \mathrm{relu}(W x + b)`; as relu is homogeneous, the root of T may
    go to either side, and the bias becomes :math:`T^{-1/2} b`. For kernels the sum runs over channels and lags.
    The norm of V is at most 1, up to rounding, dense and with zero or circular padding onto its own size: T dominates
    :math:`W W^T` (weighted Gershgorin). A row of zeros stays zero, without a division. The scale of the weight has no
    effect. Cost: one correlation of the kernel with itself.

    Araujo, Havens, Delattre, Allauzen and Hu 2023, "A unified algebraic perspective on Lipschitz neural networks"
    (arXiv 2303.03169).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> weight = lc.parametrizations.sll_weight(np.random.default_rng(0).standard_normal((3, 4)))
    >>> lc.layers.ConvexPotential(weight).lipschitz().upper
    1.0
    """
    read = read_weight(weight)
    xp, array = read.xp, scaled(weight)
    if log_scale is not None and tuple(log_scale.shape) != (read.outputs,):
        raise ValueError(f"`log_scale` must have shape ({read.outputs},), got {tuple(log_scale.shape)}")
    if read.dense:
        pairs = xp.abs(xp.matmul(array, B.transpose(array)))
    else:
        pairs = shared(xp.permute_dims(array, (1, 0, *range(2, array.ndim))), 1)[0, ...]
    if log_scale is not None:
        pairs = pairs * xp.exp(xp.expand_dims(log_scale, axis=0) - xp.expand_dims(log_scale, axis=1))
    sums = xp.sum(pairs, axis=1)
    factors = (1 - 8 * read.eps) / xp.sqrt(nonzero(sums))
    return array * xp.reshape(factors, (-1,) + (1,) * (array.ndim - 1))


def sandwich_weights(weight: Array, outputs: int) -> tuple[Array, Array]:
    r"""Weights A and B of a sandwich layer, :math:`\sqrt 2 A^T \Psi \sigma(\sqrt 2\, \Psi^{-1} B x + b)`.

    Parameters
    ----------
    weight : array, shape (hidden, outputs + inputs)
        Dense weight, float32 or float64.
    outputs : int
        Number of outputs.

    Returns
    -------
    a : array, shape (hidden, outputs)
    b : array, shape (hidden, inputs)
        With :math:`A A^T + B B^T = I` where ``hidden <= outputs + inputs``.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If it is not a matrix, or has no more than `outputs` columns.

    See Also
    --------
    lipcore.layers.Sandwich : The layer, 1-Lipschitz with these weights.

    Notes
    -----
    :math:`(A\; B)` is the Cayley transform of the weight: see `cayley` for guarantee, cost and limits.

    Wang and Manchester 2023, "Direct parameterization of Lipschitz-bounded deep networks" (arXiv 2301.11526).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> a, b = lc.parametrizations.sandwich_weights(np.random.default_rng(0).standard_normal((3, 5)), 2)
    >>> np.allclose(a @ a.T + b @ b.T, np.eye(3))
    True
    """
    read = dense_only(weight, "sandwich_weights", "`cpl_weight` or `sll_weight`")
    if isinstance(outputs, bool) or not hasattr(outputs, "__index__") or not 1 <= outputs < read.inputs:
        raise ValueError(f"`outputs` must be an integer from 1 to {read.inputs - 1}, got {outputs!r}")
    found = cayley(weight)
    return found[:, : int(outputs)], found[:, int(outputs) :]
