"""Sandwich layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..norms.opnorm_bounds import opnorm_bounds
from ..operators import Dense as DenseOperator
from ..operators import Diagonal, LinearOperator
from .activations import ReLU
from .base import Layer, Ord
from .convex_potential import centred_image
from .dense import check_bias, check_weight
from .elementwise import Elementwise
from .regions import Region


class Sandwich(Layer):
    r"""An activation between two halves of an orthogonal matrix.

    Parameters
    ----------
    a : array, shape (hidden, out)
        The matrix A.
    b : array, shape (hidden, in)
        The matrix B.
    bias : array, shape (hidden,), optional
        The bias inside of the activation.
    log_scale : array, shape (hidden,), optional
        Logarithms of the diagonal of :math:`\Psi`; 0 by default.
    activation : Elementwise, optional
        The function :math:`\sigma`, `ReLU` by default.

    Raises
    ------
    TypeError
        If an array is not real floating, or `activation` not an elementwise layer.
    ValueError
        If the arrays do not fit each other, or a sample has another shape.

    Notes
    -----
    .. math:: y = \sqrt 2\, A^T \Psi\, \sigma(\sqrt 2\, \Psi^{-1} B x + b)

    The Jacobian is :math:`2 A^T D B`, D the slopes: :math:`\Psi` cancels. With slopes in [0, h] and
    :math:`\rho = \|(A\; B)\|_2` its 2-norm is at most :math:`h \rho^2`. Proof for h = 1 = rho: let :math:`w = D B v`;
    then :math:`\|w\|^2 \le w^T B v \le \|v\| t` with :math:`t = \|B^T w\|`, since D is at most 1, and
    :math:`\|2 A^T w\|^2 \le 4 (\|w\|^2 - t^2) \le 4 (\|v\| t - t^2) \le \|v\|^2`. With negative slopes it is at most
    :math:`2 \|A\| \|B\| \max |\sigma'|`. Both are certified from the matrices themselves (rigorous).
    ``lc.parametrizations.sandwich`` makes :math:`\rho = 1`.

    Wang and Manchester 2023 (arXiv 2301.11526).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> half = np.sqrt(0.5) * np.eye(2)
    >>> layer = lc.layers.Sandwich(half, half)
    >>> np.allclose(layer(np.array([[1.0, -1.0]])), [[1.0, 0.0]])
    True
    >>> layer.lipschitz().upper < 1 + 1e-5
    True
    """

    ords = (1, 2, math.inf)
    rtol = 1e-6

    def __init__(
        self,
        a: Array,
        b: Array,
        bias: Array | None = None,
        log_scale: Array | None = None,
        *,
        activation: Elementwise | None = None,
    ) -> None:
        xp = check_weight("a", a)
        if check_weight("b", b) is not xp:
            raise TypeError("`a` and `b` must be arrays of one library")
        if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[0]:
            raise ValueError(
                f"`a` (hidden, out) and `b` (hidden, in) must be matrices with as many rows, got {tuple(a.shape)} and "
                f"{tuple(b.shape)}"
            )
        check_bias(bias, b, xp, b.shape[0])
        check_bias(log_scale, b, xp, b.shape[0])
        self.activation = ReLU() if activation is None else activation
        if not isinstance(self.activation, Elementwise):
            raise TypeError(f"`activation` must be an elementwise layer, got {type(activation).__name__}")
        self.a, self.b, self.bias, self.log_scale = a, b, bias, log_scale

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        self._check(tuple(input_shapes[0]))
        return (int(self.a.shape[1]),)

    def _check(self, shape: Shape) -> None:
        if shape != (int(self.b.shape[1]),):
            raise ValueError(f"Sandwich takes samples ({self.b.shape[1]},), as `b` says, got the shape {shape}")

    def _hidden(self, x: Array) -> Array:
        """What the activation meets."""
        self._check(tuple(x.shape[1:]))
        xp = B.array_namespace(x)
        hidden = math.sqrt(2) * xp.matmul(x, B.transpose(self.b))
        if self.log_scale is not None:
            hidden = hidden * xp.exp(-self.log_scale)
        return hidden if self.bias is None else hidden + self.bias

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        xp = B.array_namespace(x)
        hidden = self.activation(self._hidden(x))
        if self.log_scale is not None:
            hidden = hidden * xp.exp(self.log_scale)
        return math.sqrt(2) * xp.matmul(hidden, self.a)

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (slopes,) = self.activation.linearize(self._hidden(xs[0]))[1]
        assert isinstance(slopes, Diagonal)
        return (2.0 * (DenseOperator(B.transpose(self.a)) @ slopes @ DenseOperator(self.b)),)

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        if shape is not None:
            self._check(shape)
        low, high = (float(f(x)) for f, x in zip((np.min, np.max), self.activation.slope_range(), strict=True))
        size = max(-low, high)
        if not math.isfinite(size):
            raise self.unbounded("the slope of its activation is not bounded")
        turned = B.transpose(self.a)
        outer, inner = (opnorm_bounds(m, ord, rtol=self.rtol) for m in (turned, self.b))
        upper = float(r.mul_up(2.0 * size, r.mul_up(outer.upper, inner.upper)))
        if ord == 2 and low >= 0:
            halves = B.array_namespace(self.a).concat([self.a, self.b], axis=1)
            whole = opnorm_bounds(halves, rtol=self.rtol).upper
            upper = min(upper, float(r.mul_up(high, r.mul_up(whole, whole))))
        return Bounds(0.0, upper, "rigorous", ord=ord, method="two halves of a matrix")

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        return None if region is None else centred_image(self, self.b, region)
