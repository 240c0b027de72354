"""Convex potential layers."""

from __future__ import annotations

from .._typing import Array
from ..layers import ConvexPotential
from ..layers.elementwise import Elementwise
from ._nonlinear import check_activation
from ._weights import read_weight
from .spectral import spectral


def cpl(
    weight: Array,
    bias: Array | None = None,
    *,
    activation: Elementwise | None = None,
    padding_mode: str = "zeros",
    rtol: float = 1e-3,
) -> ConvexPotential:
    r"""Convex potential layer, :math:`x - 2 V^T \sigma(V x + b)` with :math:`V = W / \|W\|`.

    Parameters
    ----------
    weight : array, shape (hidden, in) or (hidden, in, \*k)
        Dense weight or kernel W, float32 or float64.
    bias : array, shape (hidden,), optional
        The bias b, inside of the activation.
    activation : Elementwise, optional
        The function :math:`\sigma`, with slopes between 0 and 1; `lipcore.layers.ReLU` by default.
    padding_mode : {"zeros", "circular"}, default "zeros"
        Padding of the convolution, which keeps the size of the image.
    rtol : float, default 1e-3
        Width of the certificate of the norm.

    Returns
    -------
    lipcore.layers.ConvexPotential
        From samples ``(in,)`` or images ``(in, *spatial)`` to the same; differentiable with respect to `weight`, `bias`
        and input.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64, or `activation` not an elementwise layer.
    ValueError
        If an array has another shape or is not finite, or if an option is out of range.

    See Also
    --------
    sll : The same layer with factors that need no norm.
    cpl_weight : The weight V alone, with the reasons and the source.

    Notes
    -----
    **Guarantee.** 1-Lipschitz in the 2-norm, images of every size; ``lipschitz()`` proves it for the stored V, all
    roundings included, up to the width of its own certificate. With circular padding it takes the ``input_shape``, on
    which the kernel is not to be longer than the image.

    **Cost.** That of `spectral`, once, and two products for each sample. **Limits.** Inputs and outputs have one shape;
    no stride, dilation or groups. A weight of zero gives the identity.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.parametrizations.cpl(np.array([[3.0, 4.0]]))
    >>> np.allclose(layer(np.array([[1.0, 1.0]])), [[-0.68, -1.24]], atol=1e-2)
    True
    >>> layer.lipschitz().upper
    1.0
    """
    return ConvexPotential(
        cpl_weight(weight, rtol=rtol), bias, activation=check_activation(activation), padding_mode=padding_mode
    )


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
    cpl : The layer with this weight.
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
