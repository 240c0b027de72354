"""Batch norm with fixed statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..operators import Diagonal, LinearOperator
from .base import Ord
from .linear import LinearLayer
from .regions import Ball, Box, Host, Intersection, Region
from .scalars import nonnegative


class BatchNorm(LinearLayer):
    r"""Batch norm of evaluation, :math:`g (x - m) / \sqrt{v + e} + b` for each channel.

    Parameters
    ----------
    running_mean, running_var : array, shape (channels,)
        The statistics m and v, v not negative. The channel is the first axis of a sample.
    weight, bias : array, shape (channels,), optional
        The factors g and the shift b.
    eps : float
        The stabiliser e, not negative.
    training : bool
        Only False: see the notes.

    Raises
    ------
    ValueError
        If `training` is True, a shape does not fit, a variance is negative, or a variance and `eps` are both zero.

    Notes
    -----
    A diagonal map: the constant is :math:`\max_c |g_c| / \sqrt{v_c + e}` in every norm, rigorous. During training the
    statistics are those of the batch, so that an output depends on all samples and a constant of one sample does not
    exist; each channel is then a layer norm over the batch, with :math:`\sup \max|g| / \sqrt e`.
    Ioffe and Szegedy 2015 (arXiv 1502.03167).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> norm = lc.layers.BatchNorm(np.array([1.0, 0.0]), np.array([4.0, 0.25]), eps=0.0)
    >>> norm(np.array([[3.0, 1.0]]))
    array([[1., 2.]])
    >>> round(norm.lipschitz().upper, 9)
    2.0
    """

    def __init__(
        self,
        running_mean: Array,
        running_var: Array,
        weight: Array | None = None,
        bias: Array | None = None,
        eps: float = 1e-5,
        *,
        training: bool = False,
    ) -> None:
        if training:
            raise ValueError(
                "`training` must be False: with the statistics of the batch every output depends on all samples, so "
                "that there is neither a Jacobian nor a constant of one sample; put the model in evaluation mode first"
            )
        self.eps = nonnegative(eps, "eps")
        given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
        self._given = {name: array for name, array in given.items() if array is not None}
        self._hosts: dict[str, Host] = {}
        for name, array in self._given.items():
            B.array_namespace(array, name=name)
            if tuple(array.shape) != (running_mean.shape[0],):
                raise ValueError(f"`{name}` must have shape ({running_mean.shape[0]},), got {tuple(array.shape)}")
            host = np.asarray(B.to_numpy(array), dtype=np.float64)
            if not np.all(np.isfinite(host)):
                raise ValueError(f"`{name}` must be finite, it holds NaN or infinity")
            self._hosts[name] = host
        if np.any(self._hosts["running_var"] < 0) or np.any(self._hosts["running_var"] + self.eps == 0):
            raise ValueError("`running_var` must not be negative, nor zero where `eps` is")

    def _arrays(self) -> Mapping[str, Array]:
        return {name: array for name, array in self._given.items() if name in ("running_var", "weight")}

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        factors = self._factors(arrays)
        xp = B.array_namespace(factors)
        over = xp.broadcast_to(xp.reshape(factors, self._along(shape)), shape)
        return Diagonal(xp.reshape(over, (math.prod(shape),))).with_shapes(shape, shape)

    def _factors(self, arrays: Mapping[str, Array]) -> Array:
        xp = B.array_namespace(arrays["running_var"])
        inverse = 1 / xp.sqrt(arrays["running_var"] + self.eps)
        return inverse * arrays["weight"] if "weight" in arrays else inverse

    def _along(self, shape: Shape) -> Shape:
        channels = self._hosts["running_mean"].shape[0]
        if not shape or shape[0] != channels:
            raise ValueError(f"`x` must have samples of shape ({channels}, ...), got {tuple(shape)}")
        return (channels, *(1,) * (len(shape) - 1))

    def _offset(self, shape: Shape) -> Array:
        shift = -self._given["running_mean"] * self._factors(self._given)
        shift = shift + self._given["bias"] if "bias" in self._given else shift
        return B.array_namespace(shift).reshape(shift, self._along(shape))

    def _terms(self, shape: Shape) -> int:
        return 1

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        variance = self._hosts["running_var"]
        size = np.abs(self._hosts.get("weight", np.ones_like(variance)))
        deviation = [r.sqrt_down(r.add_down(variance, self.eps)), r.sqrt_up(r.add_up(variance, self.eps))]
        low, high = r.div_down(size, deviation[1]), r.div_up(size, deviation[0])
        ends = [float(np.max(end, initial=0.0)) for end in (low, high)]
        return Bounds(ends[0], ends[1], "rigorous", ord=ord, method="largest factor")

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        if region is None:
            return None
        along = self._along(region.shape)
        factor, mean = self._factors(self._hosts), self._hosts["running_mean"]
        factor, mean, bias = (
            np.reshape(x, along) for x in (factor, mean, self._hosts.get("bias", np.zeros_like(mean)))
        )

        def value(x: Host) -> tuple[Host, Host]:
            # eight roundings, of the sizes that are added up
            y = np.where(factor == 0, 0.0, factor * (x - mean)) + bias
            error = (np.abs(y) + np.where(factor == 0, 0.0, np.abs(factor) * (np.abs(x) + np.abs(mean)))) * 2e-15
            return y, error + np.abs(bias) * 2e-15 + 1e-300

        with np.errstate(invalid="ignore"):
            ends = [value(region.lower), value(region.upper)]
        low = np.minimum(*(y - np.where(np.isfinite(y), e, 0.0) for y, e in ends))
        high = np.maximum(*(y + np.where(np.isfinite(y), e, 0.0) for y, e in ends))
        box = Box(low, high, kind=region.kind)
        if not isinstance(region, Ball) or region.ord == math.inf:
            return box
        center, error = value(region.center)
        radius = r.mul_up(self._constant(2, region, None).upper, region.spread(2))
        return Intersection(
            box, Ball(center, r.add_up(radius, float(np.linalg.norm(error)) * 1.01), 2, kind=region.kind)
        )
