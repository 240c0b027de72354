"""What layer norm, RMS norm, group norm and plain normalisation share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array, Namespace, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..norms.row_maps import centered_norm
from ..operators import LinearOperator
from ..operators.row_maps import RowNormalization
from .base import Layer, Ord
from .normalization_constants import Gain, centered_sums, largest_product, plain_sums
from .regions import Ball, Box, Host, Intersection, Region, norms_up
from .scalars import nonnegative


class RowNormalizing(Layer):
    r"""A normalisation of the rows of a sample, :math:`g \circ (x - m) / \sqrt{v + e} + b`.

    Parameters
    ----------
    eps : float
        The stabiliser e, not negative.
    weight, bias : array, optional
        The factors g and the shift b.

    Notes
    -----
    A subclass says by ``_layout(shape)`` how a sample is read as (outer, n, inner) with rows in the middle, and by
    ``_spread(values, layout)`` how factors and shift lie over them.

    With :math:`s = \sqrt{v + e}` and the normalised row :math:`\hat x`, the Jacobian is
    :math:`\mathrm{diag}(g) (C - \hat x \hat x^T / k) / s`, where C takes the mean away or is the identity and k is n or
    1. The matrix in parentheses is symmetric, commutes with C and has eigenvalues between 0 and 1, so that the 2-norm
    is at most :math:`\|\mathrm{diag}(g) C\|_2 / s`, attained at :math:`\hat x = 0`.
    """

    centered = True
    mean_square = True  # v is a mean of squares; otherwise a sum

    def __init__(self, eps: float, weight: Array | None = None, bias: Array | None = None) -> None:
        self.eps = nonnegative(eps, "eps")
        self.weight, self.bias = weight, bias
        self._hosts = {}
        for name, array in (("weight", weight), ("bias", bias)):
            if array is not None:
                B.array_namespace(array, name=name)
                host = np.asarray(B.to_numpy(array), dtype=np.float64)
                if not np.all(np.isfinite(host)):
                    raise ValueError(f"`{name}` must be finite, it holds NaN or infinity")
                self._hosts[name] = host

    # To be implemented -----------------------------------------------------------------------------------------------

    def _layout(self, shape: Shape) -> Shape:
        raise NotImplementedError

    def _spread(self, xp: Namespace, values: Array, layout: Shape) -> Array:
        raise NotImplementedError

    # The map ---------------------------------------------------------------------------------------------------------

    def _normalized(self, x: Array) -> tuple[Namespace, Shape, Array, Array]:
        """Rows (samples, outer, n, inner), normalised, and the factors 1 / s."""
        xp = B.array_namespace(x)
        layout = self._layout(tuple(x.shape[1:]))
        rows = xp.reshape(x, (x.shape[0], *layout))
        if self.centered:
            rows = rows - xp.mean(rows, axis=-2, keepdims=True)
        reduced = xp.mean if self.mean_square else xp.sum
        inverse = 1 / xp.sqrt(reduced(rows * rows, axis=-2, keepdims=True) + self.eps)
        return xp, layout, rows * inverse, inverse

    def _parameter(self, xp: Namespace, name: str, layout: Shape, dtype: object) -> Array | None:
        """Factors or shift over the rows; of the host for arrays of NumPy."""
        array = getattr(self, name)
        if array is None:
            return None
        return self._spread(xp, B.cast(self._hosts[name] if B.is_numpy(xp) else array, dtype), layout)

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        xp, layout, y, _ = self._normalized(x)
        gain, shift = (self._parameter(xp, name, layout, x.dtype) for name in ("weight", "bias"))
        y = y if gain is None else y * gain
        y = y if shift is None else y + shift
        return xp.reshape(y, tuple(x.shape))

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        xp, layout, hat, inverse = self._normalized(x)
        gain = self._parameter(xp, "weight", layout, x.dtype)
        count = layout[1] if self.mean_square else 1
        return (RowNormalization(hat, inverse, gain, centered=self.centered, count=count),)

    # Constants -------------------------------------------------------------------------------------------------------

    def _host_rows(self, name: str, layout: Shape) -> Host | None:
        """Factors or shift on the host as (rows, n); one row where all are alike."""
        values = self._hosts.get(name)
        if values is None:
            return None
        over = np.asarray(self._spread(np, values, layout))
        over = np.moveaxis(np.broadcast_to(over, (over.shape[0], layout[1], over.shape[2])), 1, -1)
        return over.reshape(-1, layout[1])

    def _known_layout(self, shape: Shape | None) -> Shape:
        return self._layout(self.known_shape(shape))

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        layout = self._known_layout(shape)
        n = layout[1]
        if n == 1 and self.centered:
            return Bounds(0.0, 0.0, "rigorous", ord=ord, method="rows of one entry")
        floors = np.zeros(1) if region is None else self._least_squares(region, layout)
        if self.eps == 0 and not np.all(floors > 0):
            where = "constant rows" if self.centered else "zero rows"
            raise self.unbounded(f"with eps=0 its slope has no bound next to {where}; give a region away from those")
        if ord in (2, "token"):
            low, top = self._two(layout, floors)
        else:
            low, top = self._induced(ord, layout, float(np.min(floors)))
        least = low if region is None else self._attained(ord, region)
        kind = "rigorous" if region is None and ord in (2, "token") else "analytic"
        return Bounds(max(min(least, top), 0.0), top, kind, ord=ord, method="normalised rows")

    def _two(self, layout: Shape, floors: Host) -> tuple[float, float]:
        """The norm of diag(g) C over s; the lower end holds where rows may be constant."""
        gain = self._host_rows("weight", layout)
        if gain is None:
            low = high = np.ones(1)
        elif self.centered:
            low, high = centered_norm(gain)
        else:
            low = high = np.max(np.abs(gain), axis=-1)
        top = r.div_up(high, r.sqrt_down(r.add_down(floors, self.eps)))
        least = np.max(low) / math.sqrt(self.eps) * (1 - 1e-15) if self.eps > 0 else 0.0
        return float(least), float(np.max(top, initial=0.0))

    def _induced(self, ord: Ord, layout: Shape, floor: float) -> tuple[float, float]:
        """Over all rows the largest factors, which is the truth where all rows have the same."""
        gain = self._host_rows("weight", layout)
        n = layout[1]
        largest = 1.0 if gain is None else float(np.max(np.abs(gain)))
        spread = largest
        if ord == 1 and gain is not None:
            spread = float(np.max(np.sqrt(np.mean(gain * gain, axis=-1)))) * (1 + 1e-14)
        of = Gain(largest, spread, n)
        if not self.centered:
            return largest_product(plain_sums(of), self.eps, floor)
        _, high = largest_product(centered_sums(of), self.eps, floor)
        # a constant row attains the norm of diag(g) C
        sizes = np.ones((1, n)) if gain is None else np.abs(gain)
        others = np.sum(sizes, axis=-1, keepdims=True) - sizes if ord == 1 else (n - 1) * sizes
        still = float(np.max(sizes * (1 - 1 / n) + others / n))
        low = still / math.sqrt(self.eps) * (1 - 1e-13 * n) if self.eps > 0 and floor == 0 else 0.0
        return max(low, self._two_levels(ord, largest, spread, n, floor)), high

    def _two_levels(self, ord: Ord, largest: float, spread: float, n: int, floor: float) -> float:
        """Row sums of rows with one large entry and two levels besides, which nearly attain the bound."""
        if n < 3 or self.eps == 0 or floor > 0 or (ord == 1 and self.weight is not None):
            return 0.0
        m = (
            np.arange(n // 2 + 1, n)[:, None]
            if n < 512
            else np.unique(np.linspace(n // 2 + 1, n - 1, 256).astype(int))[:, None]
        )
        a = np.sqrt(n * np.linspace(0.02, 0.98, 193))[None, :]
        w = (n - 1 - a * a) / (2 * m - (n - 1))
        up, down = (-1 + w) / a, (-1 - w) / a
        theta = (a * a + m * up * up + (n - 1 - m) * down * down) / n
        sums = 1 - 1 / n - a * a / n + (n - 1) * np.abs(w) / n
        value = np.where(theta < 1, np.sqrt(np.maximum(1 - theta, 0.0)) * sums, 0.0)
        return largest * float(np.max(value)) / math.sqrt(self.eps) * (1 - 1e-12)

    def _least_squares(self, region: Region, layout: Shape) -> Host:
        """Lower bounds of v for each row of points of the region."""
        center, reach = self._rows_of(region, layout)
        squares = np.sum(center * center, axis=-1)
        # the mean is taken away with an error of the size of the entries
        lost = 1e-15 * layout[1] ** 1.5 * float(np.max(region.magnitude, initial=0.0)) if self.centered else 0.0
        length = np.sqrt(squares) * (1 - 1e-15 * layout[1]) - (lost if math.isfinite(lost) else math.inf)
        away = np.minimum(reach, region.spread(2))
        least = np.maximum(length - away * (1 + 1e-15), 0.0) * (1 - 1e-15)
        return np.asarray(least * least / (layout[1] if self.mean_square else 1) * (1 - 1e-15))

    def _rows_of(self, region: Region, layout: Shape) -> tuple[Host, Host]:
        """The centre's rows (rows, n), centred where the layer does, and how far rows may be from them."""

        def rows(x: Host) -> Host:
            return np.moveaxis(x.reshape(layout), 1, -1).reshape(-1, layout[1])

        center = rows(region.center)
        width = np.maximum(region.upper - region.center, region.center - region.lower)
        if self.centered:
            center = center - np.mean(center, axis=-1, keepdims=True)
        return center, norms_up(rows(np.nextafter(width, np.inf)), "token")

    def _attained(self, ord: Ord, region: Region) -> float:
        """Norm of a column, or for the inf-norm of a row, of the Jacobian at the centre, one for each row."""
        if not isinstance(region, Ball | Box):
            return 0.0
        layout = self._layout(region.shape)
        (J,) = self._jacobians(region.center[None])
        gain = self._host_rows("weight", layout)
        sizes = np.ones((1, layout[1])) if gain is None else np.abs(gain)
        at = int(np.argmax(np.max(sizes, axis=0)))
        probe = np.zeros(layout)
        probe[:, at, :] = 1.0
        product = J.rmatvec if ord == math.inf else J.matvec
        image = np.moveaxis(product(probe.reshape(1, -1)).reshape(layout), 1, -1)
        lengths = np.linalg.norm(image, 2 if ord in (2, "token") else 1, axis=-1)
        return float(np.max(lengths, initial=0.0)) * (1 - 1e-12)

    # Images ----------------------------------------------------------------------------------------------------------

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,), (shape,) = regions, shapes
        if shape is None:
            return None
        layout = self._layout(shape)
        gain, shift = (self._host_over(name, layout, shape) for name in ("weight", "bias"))
        size = np.ones(shape) if gain is None else np.abs(gain)
        middle = np.zeros(shape) if shift is None else shift
        n = layout[1] if self.mean_square else 1
        # no entry of a row exceeds its norm, sqrt(n), and a centred one leaves room for the others
        most = math.sqrt(layout[1] - 1) if self.centered else math.sqrt(n)
        widest = np.nextafter(size * most * (1 + 1e-15), np.inf)
        parts: list[Region] = [_box(middle, widest, "rigorous")]
        reach = float(np.max(size, initial=0.0)) * math.sqrt(n * layout[0] * layout[2]) * (1 + 1e-14)
        parts.append(Ball(middle, reach, 2))
        if layout[2] == 1 and layout[1] == shape[-1]:
            parts.append(Ball(middle, float(np.max(size, initial=0.0)) * math.sqrt(n) * (1 + 1e-14), "token"))
        if region is not None:
            parts += self._near(region, shape)
        return Intersection(*parts)

    def _host_over(self, name: str, layout: Shape, shape: Shape) -> Host | None:
        values = self._hosts.get(name)
        if values is None:
            return None
        return np.array(np.broadcast_to(np.asarray(self._spread(np, values, layout)), layout)).reshape(shape)

    def _near(self, region: Region, shape: Shape) -> list[Region]:
        """What the constants say of the distance from the value at the centre."""
        try:
            gains = {ord: self._constant(ord, region, shape).upper for ord in (2, math.inf)}
        except ValueError:
            return []
        value = np.asarray(self._forward(region.center[None])[0])
        error = 1e-13 * (1 + np.abs(value))
        radii = {ord: r.add_up(r.mul_up(gain, region.spread(ord)), 0.0) for ord, gain in gains.items()}
        parts: list[Region] = []
        if math.isfinite(radii[math.inf]):
            parts.append(_box(value, error + radii[math.inf], "analytic"))
        if math.isfinite(radii[2]):
            parts.append(Ball(value, radii[2] + float(np.linalg.norm(error)), 2, kind="analytic"))
        return parts


def _box(middle: Host, reach: Host, kind: str) -> Box:
    return Box(np.nextafter(middle - reach, -np.inf), np.nextafter(middle + reach, np.inf), kind=kind)
