"""Layers with an SDP-based Lipschitz constant."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array
from ..layers import ConvexPotential
from ..layers.elementwise import Elementwise
from ._nonlinear import check_activation
from ._weights import nonzero, read_weight, scaled
from .aol import shared


def sll(
    weight: Array,
    bias: Array | None = None,
    *,
    log_scale: Array | None = None,
    activation: Elementwise | None = None,
    padding_mode: str = "zeros",
) -> ConvexPotential:
    r"""SDP-based Lipschitz layer, :math:`x - 2 V^T \sigma(V x + b)` with :math:`V = T^{-1/2} W`.

    Parameters
    ----------
    weight : array, shape (hidden, in) or (hidden, in, \*k)
        Dense weight or kernel W, float32 or float64.
    bias : array, shape (hidden,), optional
        The bias b, inside of the activation.
    log_scale : array, shape (hidden,), optional
        Logarithms of the scales q in T, which are free parameters; 0 by default.
    activation : Elementwise, optional
        The function :math:`\sigma`, with slopes between 0 and 1; `lipcore.layers.ReLU` by default.
    padding_mode : {"zeros", "circular"}, default "zeros"
        Padding of the convolution, which keeps the size of the image.

    Returns
    -------
    lipcore.layers.ConvexPotential
        From samples ``(in,)`` or images ``(in, *spatial)`` to the same; differentiable with respect to `weight`,
        `bias`, `log_scale` and input.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64, or `activation` not an elementwise layer.
    ValueError
        If an array has another shape, or if an option is out of range.

    See Also
    --------
    cpl : The same layer with one divisor for the whole weight.
    sll_weight : The weight V alone, with T, the reasons and the source.

    Notes
    -----
    **Guarantee.** 1-Lipschitz in the 2-norm, up to rounding, images of every size; ``lipschitz()`` proves it for the
    stored V. With circular padding it takes the ``input_shape``, on which the kernel is not to be longer than the
    image. Nothing is read by the host, and the layer is made under ``jax.jit`` too.

    **Cost.** One product of the weight with itself, and two products for each sample. **Limits.** Inputs and outputs
    have one shape; no stride, dilation or groups. Rows of zeros stay zeros.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.parametrizations.sll(np.random.default_rng(0).standard_normal((4, 2, 3, 3)))
    >>> layer(np.ones((5, 2, 8, 8))).shape
    (5, 2, 8, 8)
    >>> layer.lipschitz().upper < 1 + 1e-5
    True
    """
    return ConvexPotential(
        sll_weight(weight, log_scale=log_scale),
        bias,
        activation=check_activation(activation),
        padding_mode=padding_mode,
    )


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
    sll : The layer with this weight.
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
