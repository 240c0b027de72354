"""Gradient steps of convex potentials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..operators import Diagonal, LinearOperator
from .activations import ReLU
from .base import Layer, Ord, ball_image
from .convolution import Convolution
from .dense import Dense
from .elementwise import Elementwise
from .linear import LinearLayer
from .merging import identity_on
from .regions import Ball, Region


class ConvexPotential(Layer):
    r"""A step down the gradient of a convex potential, :math:`y = x - 2 V^T \sigma(V x + b)`.

    Parameters
    ----------
    weight : array, shape (hidden, in) or (hidden, in, \*k)
        The matrix V, or the kernel of a convolution that keeps the size of the image.
    bias : array, shape (hidden,), optional
        The bias b.
    activation : Elementwise, optional
        The function :math:`\sigma`, `ReLU` by default.
    padding_mode : {"zeros", "circular"}, default "zeros"
        Padding of the convolution.

    Raises
    ------
    TypeError
        If an array is not real floating, or `activation` not an elementwise layer.
    ValueError
        If the arrays do not fit each other, or `padding_mode` is another one.

    Notes
    -----
    The Jacobian :math:`I - 2 V^T D V` is symmetric, D the slopes. With :math:`\nu = \|V\|_2` and slopes in [l, h] its
    eigenvalues lie between :math:`1 - 2 \max(h, 0) \nu^2` and :math:`1 - 2 \min(l, 0) \nu^2`, which gives the constant
    in the 2-norm: 1 for ReLU and :math:`\nu \le 1`, as the constructions ``lc.parametrizations.cpl`` and ``sll``
    make it. It is certified from the weight itself, with the certificate of :math:`\nu` (rigorous), on a
    region with the slopes that its points can meet. Without one it is attained, for a matrix with fewer rows than
    columns, by a direction that V does not see. In the other norms the triangle inequality gives
    :math:`1 + 2 \|V^T\| \|V\| \max |\sigma'|`.

    Meunier, Delattre, Araujo and Allauzen 2022 (arXiv 2110.12690); Araujo et al. 2023 (arXiv 2303.03169).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.ConvexPotential(np.array([[0.6, 0.8]]))
    >>> layer(np.array([[1.0, 1.0], [-1.0, -1.0]]))
    array([[-0.68, -1.24],
           [-1.  , -1.  ]])
    >>> layer.lipschitz().upper < 1 + 1e-5
    True
    """

    ords = (1, 2, math.inf)

    def __init__(
        self,
        weight: Array,
        bias: Array | None = None,
        *,
        activation: Elementwise | None = None,
        padding_mode: str = "zeros",
    ) -> None:
        if padding_mode not in ("zeros", "circular"):
            raise ValueError(f"`padding_mode` must be 'zeros' or 'circular', got {padding_mode!r}")
        self.activation = ReLU() if activation is None else activation
        if not isinstance(self.activation, Elementwise):
            raise TypeError(f"`activation` must be an elementwise layer, got {type(activation).__name__}")
        self.inner: LinearLayer
        if getattr(weight, "ndim", 2) == 2:
            self.inner = Dense(weight, bias)
        else:
            self.inner = Convolution(weight, bias, padding="same", padding_mode=padding_mode)
            # its square counts twice; and narrow costs little here, where the norm is 1 by construction
            self.inner.rtol = Dense.rtol
        self.weight, self.bias = weight, bias

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        hidden = self.activation(self.inner(x))
        return x - 2 * self.inner.operator(tuple(x.shape[1:]), x).apply_adjoint(hidden)

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        shape = tuple(x.shape[1:])
        at = self.inner(x)
        (slopes,) = self.activation.linearize(at)[1]
        V = self.inner.operator(shape, x)
        assert isinstance(slopes, Diagonal)
        return (identity_on(x, shape) - 2.0 * (V.H @ slopes @ V),)

    def _slopes(self, region: Region | None) -> tuple[float, float, str]:
        """Least and largest slope that inputs from the region meet, and what is known of them."""
        held = None if region is None else self.inner.image(region)
        if held is None:
            low, high = self.activation.slope_range()
            return float(low), float(high), "rigorous"
        low, high = self.activation.slope_range(held.lower, held.upper)
        return float(np.min(low)), float(np.max(high)), held.kind if self.activation.rigorous else "analytic"

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        low, high, known = self._slopes(region)
        size = max(-low, high)
        if not math.isfinite(size):
            raise self.unbounded(
                "the slope of its activation has no bound there; give a bounded region such as lc.Ball"
            )
        gain = self.inner.lipschitz(ord, input_shape=shape)
        if ord == 2:
            square = float(r.mul_up(gain.upper, gain.upper))
            down = r.add_up(float(r.mul_up(2.0 * max(high, 0.0), square)), -1.0) if high > 0 else 0.0
            up = float(r.add_up(1.0, r.mul_up(2.0 * max(-low, 0.0), square)))
            upper, lower = max(up, float(np.nextafter(down, math.inf)) if down > 1 else 0.0), 0.0
            if region is None and self.weight.ndim == 2 and self.weight.shape[0] < self.weight.shape[1]:
                lower = 1.0
        else:
            other = self.inner.lipschitz(1 if ord == math.inf else math.inf, input_shape=shape)
            gain = replace(gain.weakened(other.kind), ord=ord)
            product = r.mul_up(r.mul_up(2.0 * size, gain.upper), other.upper)
            upper, lower = float(r.add_up(1.0, product)), 0.0
        kind = gain.kind if known == "rigorous" else gain.weakened(known).kind
        return Bounds(lower, upper, kind, ord=ord, method="eigenvalues of a gradient step" if ord == 2 else "triangle")

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        if region is None:
            return None
        return centred_image(self, self.weight, region)


def centred_image(layer: Layer, like: Array, region: Region) -> Region:
    """The ball around the value at the region's centre that the constant gives."""
    xp = B.array_namespace(like)
    centre: Any = B.from_numpy(region.center[None], xp=xp, device=B.device_of(like), dtype=like.dtype)
    value = np.asarray(B.to_numpy(layer(centre)), dtype=np.float64)[0]
    # the rounding of the centre and of the value, in the precision of the weights
    lost = 64 * B.eps(xp, like.dtype) * math.sqrt(value.size) * (float(np.linalg.norm(value)) + region.norm(2))
    gain = layer.lipschitz(2, region)
    ball = ball_image(value, gain, region, "analytic")
    return Ball(value, ball.radius + lost, 2, kind="analytic") if isinstance(ball, Ball) else ball
