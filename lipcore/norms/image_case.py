"""One convolution on images: upper bound from the symbol, lower bound from vectors, or all of it written down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators.convolution import Convolution
from ..operators.detached import DetachedOperator
from ..solvers.normal_lanczos import NormalLanczos
from . import rounding as r
from .bounds import Bounds
from .branch_and_bound import first_peaks, supremum
from .dense import dense_bounds
from .lag_gram import LagGram
from .plane_waves import plane_wave
from .symbol import Symbol, scaled

__all__ = ["ImageCase", "like", "padding_norm"]

# Lanczos steps per look at the Ritz values.
_CYCLE = 4
# Longer vectors are not reorthogonalised: the whole basis would be read twice a step, for runs of a few steps.
_REORTHOGONALIZED_BYTES = 1 << 17


def padding_norm(convolution: Convolution) -> float:
    """Upper bound of the norm of the padding: the root of the largest number of copies of a pixel.

    Notes
    -----
    Exact up to the rounding of the root, from the index map of each axis: the norm of a map that copies pixels is
    the root of the largest count, and counts multiply over the axes.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = lc.Convolution(np.ones((1, 1, 5, 3)), (1, 8, 8), padding=(2, 1), padding_mode="replicate")
    >>> round(padding_norm(A) ** 2, 9)
    6.0
    """
    if convolution.padding_mode == "zeros":
        return 1.0
    copies = 1
    for n, pair in zip(convolution.input_shape[1:], convolution.padding, strict=True):
        origin = B.pad(np.arange(n, dtype=np.float64), (pair,), convolution.padding_mode)
        copies *= int(np.bincount(origin.astype(np.int64)).max())
    return float(r.sqrt_up(float(copies)))


def like(convolution: Convolution, kernel: Array) -> Convolution:
    """A convolution with another kernel and the same options."""
    return Convolution(
        kernel,
        convolution.input_shape,
        stride=convolution.stride,
        padding=convolution.padding,
        dilation=convolution.dilation,
        groups=convolution.groups,
        padding_mode=convolution.padding_mode,
    )


@dataclass(frozen=True, eq=False)
class ImageCase:
    """One convolution with its symbol; all numbers below are in the symbol's scaled units."""

    convolution: Convolution
    kernel: np.ndarray[Any, Any]
    symbol: Symbol

    @property
    def host(self) -> Convolution:
        """The same convolution on the host in double precision, scaled."""
        wide = self.kernel.astype(np.complex128 if self.kernel.dtype.kind == "c" else np.float64)
        return like(self.convolution, scaled(wide, -self.symbol.exponent))

    @property
    def product_error(self) -> float:
        """Bound of ``||fl(A v) - A v|| / ||v||`` on the host: inner products over channels and taps, in any order."""
        terms = self.symbol.taps.shape[1] * max(self.symbol.taps.shape[2:]) * (1 if self.symbol.is_real else 2) + 8
        sizes = float(np.max(np.sum(self.symbol.tap_norms, axis=1)))
        return 3 * r.gamma(terms) * sizes * padding_norm(self.convolution) + 1e-280

    def attained(self, vector: np.ndarray[Any, Any]) -> float:
        """Rigorous lower bound of the norm from a host vector ``(N,)``."""
        host = self.host
        wide = vector.astype(host.dtype)
        length = float(np.linalg.norm(wide))
        if not (math.isfinite(length) and length > 0):
            return 0.0
        wide = wide / length
        slack = 4 * r.gamma(2 * max(host.shape) + 16)
        response = float(np.linalg.norm(host.matvec(wide))) * (1 - slack)
        return max(
            0.0, response / (float(np.linalg.norm(wide)) * (1 + slack)) * (1 - 1e-15) - self.product_error * (1 + 1e-9)
        )

    def bounds(self, rtol: float, maxiter: int) -> Bounds:
        """Upper from the symbol's supremum, lower from the best vector found."""
        gram, padding = LagGram(self.symbol), padding_norm(self.convolution)
        peaks, _ = first_peaks(gram, rtol)
        lower, matvecs, evaluations, upper = 0.0, 0, 0, math.inf
        for _ in range(3):  # more than once only where branch and bound meets a higher peak than the coarse search
            reach = peaks[0].lower * padding
            waves = np.stack([plane_wave(self.convolution, self.symbol, p) for p in peaks[:4]])
            lower, matvecs = max(lower, self.attained(waves[0])), matvecs + 1
            if lower < reach * (1 - 1.3 * self._share * rtol) and maxiter > 0:
                vector, spent = self._lanczos(waves, reach * (1 - self._share * rtol), rtol, maxiter)
                lower, matvecs = max(lower, self.attained(vector)), matvecs + 1 + spent
            # The level that is enough; if the gap between norm and supremum leaves no room for it, a moderate width is.
            level = lower / (1 - rtol) / padding * (1 - 1e-9)
            level = level if level > peaks[0].lower * (1 + rtol / 20) else 0.0
            found = supremum(self.symbol, rtol / 3, gram=gram, peaks=peaks, level=level)
            evaluations += found.evaluations
            upper = min(upper, r.mul_up(found.upper, padding))
            if upper - lower <= rtol * upper or found.peaks[0] is peaks[0]:
                break
            peaks = found.peaks
        return Bounds.from_scaled(
            min(lower, upper),
            upper,
            self.symbol.exponent,
            "rigorous",
            converged=bool(upper - lower <= rtol * upper),
            matvecs=matvecs,
            method=f"supremum of the symbol, {evaluations} certificates; {matvecs} products",
        )

    @property
    def _share(self) -> float:
        """Part of rtol that Lanczos leaves to the gap: small where steps are cheap beside certificates."""
        step = 4.0 * self.kernel.size * math.prod(self.convolution.output_shape[1:])
        return 0.4 if 300 * 6.0 * self.symbol.taps.shape[3] ** 3 > 10 * step else 0.6

    def _lanczos(self, waves: np.ndarray, wanted: float, rtol: float, maxiter: int) -> tuple[np.ndarray[Any, Any], int]:
        """Host vector after Lanczos steps on the operator itself from the waves, and the products spent."""
        operator = DetachedOperator(self.convolution)
        # Later peaks enter with less weight: near the top they win over the first one only on small images.
        weights = 0.5 ** np.arange(len(waves))
        start = B.from_numpy(weights @ waves, xp=operator.xp, device=operator.device, dtype=operator.dtype)
        nbytes = waves.shape[1] * B.numpy_dtype(operator.dtype).itemsize
        policy = "full" if nbytes <= _REORTHOGONALIZED_BYTES else "none"
        limit = min(maxiter, min(operator.shape[-2:]))
        run = NormalLanczos(operator, start, capacity=min(limit, 3 * _CYCLE), reorthogonalize=policy)
        last = 0.0
        while True:
            run.expand(min(_CYCLE, limit - run.steps))
            pairs = run.ritz()
            theta = float(pairs.theta[0])
            # Ritz values are those of c A, c = 2^log2_scale; `wanted` is in units of 2^exponent.
            log2_scale = 0.0 if run.products.log2_scale is None else float(np.ravel(run.products.log2_scale)[0])
            value = math.sqrt(max(theta, 0.0)) * 2.0 ** (-log2_scale - self.symbol.exponent)
            settled = theta - last <= 0.02 * rtol * theta
            if settled or value >= wanted or run.steps >= limit or np.any(pairs.beta <= 0):
                break
            last = theta
        return B.to_numpy(run.vector(pairs.y[..., 0])).reshape(-1), 2 * run.steps

    def written_down(self, rtol: float) -> Bounds:
        """The operator as a matrix of exact entries (zeros), or of entries with a known error."""
        matrix = self.host.to_dense()
        found = dense_bounds(matrix, rtol=rtol / 2)
        error = 0.0 if self.convolution.padding_mode == "zeros" else self.product_error * math.sqrt(matrix.shape[1])
        lower, upper = max(0.0, r.add_down(found.lower, -error)), r.add_up(found.upper, error)
        return Bounds.from_scaled(
            lower,
            upper,
            self.symbol.exponent,
            "rigorous",
            converged=bool(upper - lower <= rtol * upper),
            matvecs=matrix.shape[1],
            method="written down, " + found.method,
        )
