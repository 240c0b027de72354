"""Sandwich layers."""

from __future__ import annotations

from .._typing import Array
from ..layers import Sandwich
from ..layers.elementwise import Elementwise
from ._nonlinear import check_activation
from ._weights import dense_only
from .cayley import cayley


def sandwich(
    weight: Array,
    outputs: int,
    bias: Array | None = None,
    *,
    log_scale: Array | None = None,
    activation: Elementwise | None = None,
) -> Sandwich:
    r"""Sandwich layer, :math:`\sqrt 2 A^T \Psi\, \sigma(\sqrt 2\, \Psi^{-1} B x + b)`, :math:`(A\; B)` from one weight.

    Parameters
    ----------
    weight : array, shape (hidden, outputs + inputs)
        Dense weight, float32 or float64.
    outputs : int
        Number of outputs.
    bias : array, shape (hidden,), optional
        The bias b, inside of the activation.
    log_scale : array, shape (hidden,), optional
        Logarithms of the diagonal of :math:`\Psi`, which are free parameters; 0 by default.
    activation : Elementwise, optional
        The function :math:`\sigma`, with slopes between 0 and 1; `lipcore.layers.ReLU` by default.

    Returns
    -------
    lipcore.layers.Sandwich
        From samples ``(inputs,)`` to ``(outputs,)``; differentiable with respect to `weight`, `bias`, `log_scale` and
        input.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64, or `activation` not an elementwise layer.
    ValueError
        If `weight` is not a matrix, or has no more than `outputs` columns, or another array has another shape.

    See Also
    --------
    sandwich_weights : A and B alone, with the source.

    Notes
    -----
    **Guarantee.** 1-Lipschitz in the 2-norm, up to rounding; ``lipschitz()`` proves it for the stored A and B. With
    ReLU the scales change the function only where there is a bias. Nothing is read by the host.

    **Cost.** That of `cayley`, once, and two products for each sample. **Limits.** Those of `cayley`; matrices only.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.parametrizations.sandwich(np.random.default_rng(0).standard_normal((6, 5)), 2)
    >>> layer(np.ones((4, 3))).shape
    (4, 2)
    >>> layer.lipschitz().upper < 1 + 1e-5
    True
    """
    a, b = sandwich_weights(weight, outputs)
    return Sandwich(a, b, bias, log_scale, activation=check_activation(activation))


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
    sandwich : The layer with these weights.

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
