"""Sets of inputs over which a constant is to hold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import rounding as r
from ..norms.bounds import weakest

Host = np.ndarray[Any, Any]

ORDS = (1, 2, math.inf, "token")


class Region:
    r"""A convex set of inputs of one sample, known by an interval for each entry and by bounds of norms.

    Attributes
    ----------
    lower, upper : float64 NumPy array, shape (*sample_shape)
        Every point x of the region has ``lower <= x <= upper``.
    kind : {"rigorous", "analytic"}
        Whether the numbers that describe the region account for the rounding they came about with.

    Notes
    -----
    A subclass sets `lower` and `upper` by ``_setup`` and may override `norm`. All numbers are kept on the host in
    double precision, rounded outward: a constant is a statement about real numbers, whatever library the network
    runs in.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> region = lc.Ball(np.zeros(2), 1.0) & lc.Box(np.array([-2.0, 0.0]), np.array([2.0, 0.5]))
    >>> region.lower.round(12), region.upper.round(12)
    (array([-1.,  0.]), array([1. , 0.5]))
    >>> round(region.norm(2), 12)
    1.0
    """

    lower: Host
    upper: Host
    kind: str = "rigorous"

    def _setup(self, lower: Host, upper: Host, kind: str = "rigorous") -> None:
        for name, value in (("lower", lower), ("upper", upper)):
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        self.kind = kind

    @property
    def shape(self) -> Shape:
        """Shape of one sample."""
        return tuple(self.lower.shape)

    @property
    def center(self) -> Host:
        """A point of the region, or next to it where rounding says so."""
        with np.errstate(invalid="ignore"):
            middle = self.lower + (self.upper - self.lower) / 2
        return np.where(np.isfinite(middle), middle, np.where(np.isfinite(self.lower), self.lower, 0.0))

    @property
    def magnitude(self) -> Host:
        """Largest absolute value of each entry, shape (*sample_shape)."""
        return np.maximum(np.abs(self.lower), np.abs(self.upper))

    def norm(self, ord: int | float | str = 2) -> float:
        """Upper bound of the norm of the points of the region.

        Parameters
        ----------
        ord : {1, 2, inf, "token"}
            "token" is the largest Euclidean norm along the last axis.
        """
        return float(np.max(self.token_norms(ord), initial=0.0))

    def token_norms(self, ord: int | float | str = "token") -> Host:
        """Upper bounds of the norms along the last axis ("token"), or of the whole sample (1, 2, inf)."""
        return norms_up(self.magnitude, ord)

    def spread(self, ord: int | float | str = 2) -> float:
        """Upper bound of the distance of any point of the region from `center`."""
        width = np.maximum(r.up(self.upper - self.center), r.up(self.center - self.lower))
        return float(np.max(norms_up(width, ord), initial=0.0))

    def __and__(self, other: Region) -> Region:
        """The points of both."""
        return Intersection(self, other)


class Ball(Region):
    r"""All points within `radius` of `center`.

    Parameters
    ----------
    center : array, shape (*sample_shape)
        Array of any library, without a sample axis.
    radius : float
        Nonnegative and finite.
    ord : {2, 1, inf, "token"}
        Norm in which the distance is measured; "token" is the largest Euclidean norm along the last axis, so that every
        token of a sequence may move by `radius`.
    kind : {"rigorous", "analytic"}
        Whether the numbers are exact or rounded outward, or only as good as the floating-point steps they came from;
        constants over the region are no stronger. Leave it alone for a region of your own.

    Raises
    ------
    ValueError
        If `center` is not finite, `radius` is negative or not finite, or `ord` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> ball = lc.Ball(np.array([1.0, -1.0]), 0.5)
    >>> ball.upper
    array([ 1.5, -0.5])
    >>> float(np.round(ball.norm(2), 6))
    1.914214
    """

    def __init__(self, center: Array, radius: float, ord: int | float | str = 2, *, kind: str = "rigorous") -> None:
        middle = host_array(center, "center")
        radius = float(radius)
        if not 0 <= radius < math.inf:
            raise ValueError(f"`radius` must be nonnegative and finite, got {radius!r}")
        if ord not in ORDS:
            raise ValueError(f'`ord` must be one of 1, 2, inf and "token", got {ord!r}')
        self._center, self.radius, self.ord = middle, radius, ord
        exact = radius == 0
        self._setup(
            middle.copy() if exact else np.asarray(np.nextafter(middle - radius, -np.inf)),
            middle.copy() if exact else np.asarray(np.nextafter(middle + radius, np.inf)),
            kind,
        )

    @property
    def center(self) -> Host:
        """The centre that was given."""
        return self._center

    def token_norms(self, ord: int | float | str = "token") -> Host:
        """Upper bounds of norms, by the triangle inequality or by the intervals, whichever is less."""
        reach = self.spread(ord)
        return np.minimum(super().token_norms(ord), r.add_up(norms_up(np.abs(self._center), ord), reach))

    def spread(self, ord: int | float | str = 2) -> float:
        """The radius in another norm, by the ratio of the two norms on a space of this size."""
        return float(r.mul_up(self.radius, norm_ratio(self.shape, self.ord, ord)))

    def __repr__(self) -> str:
        return f"Ball(center of shape {self.shape}, radius={self.radius:g}, ord={self.ord!r})"


class Box(Region):
    """All points between two arrays, entry by entry.

    Parameters
    ----------
    lower, upper : array, shape (*sample_shape)
        Arrays of any library, ``lower <= upper``; infinite entries are allowed.
    kind : {"rigorous", "analytic"}
        Whether the numbers are exact or rounded outward, or only as good as the floating-point steps they came from;
        constants over the region are no stronger. Leave it alone for a region of your own.

    Raises
    ------
    ValueError
        If the shapes differ, an entry is NaN, or a lower end exceeds its upper one.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.Box(np.zeros(3), np.ones(3)).norm(1) >= 3.0
    True
    """

    def __init__(self, lower: Array, upper: Array, *, kind: str = "rigorous") -> None:
        low, high = host_array(lower, "lower", finite=False), host_array(upper, "upper", finite=False)
        if low.shape != high.shape:
            raise ValueError(f"`lower` and `upper` must have one shape, got {low.shape} and {high.shape}")
        if not np.all(low <= high):
            raise ValueError("`lower` must not exceed `upper`, and neither may be NaN")
        self._setup(low, high, kind)

    def __repr__(self) -> str:
        return f"Box(of shape {self.shape})"


class Intersection(Region):
    """The points that lie in all of several regions, each of which bounds what the others do not; also ``a & b``.

    Parameters
    ----------
    *regions : Region
        Of one shape.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Intersection(lc.Ball(np.zeros(4), 1.0), lc.Box(-np.ones(4), np.ones(4)))
    Intersection(Ball(center of shape (4,), radius=1, ord=2), Box(of shape (4,)))
    """

    def __init__(self, *regions: Region) -> None:
        if len({region.shape for region in regions}) != 1:
            raise ValueError(f"`regions` must have one shape, got {[region.shape for region in regions]}")
        self.regions = tuple(p for region in regions for p in (getattr(region, "regions", None) or (region,)))
        low = np.max([region.lower for region in self.regions], axis=0)
        high = np.min([region.upper for region in self.regions], axis=0)
        # empty only by rounding, or if a caller says what cannot be: a point outside is then as good as any
        low, high = np.asarray(np.minimum(low, high)), np.asarray(np.maximum(low, high))
        self._setup(low, high, weakest([p.kind for p in self.regions]))

    def token_norms(self, ord: int | float | str = "token") -> Host:
        """The least of what the regions say."""
        norms = [region.token_norms(ord) for region in self.regions]
        return np.asarray(np.minimum(np.min(norms, axis=0), super().token_norms(ord)))

    def spread(self, ord: int | float | str = 2) -> float:
        """The least that the regions say: their own reach, and the way from their centre to this one."""
        own = super().spread(ord)
        middle = self.center
        ways = [(region, np.abs(region.center - middle)) for region in self.regions]
        shifts = [float(np.max(norms_up(r.up(way), ord), initial=0.0)) for _, way in ways]
        reaches = [r.add_up(region.spread(ord), shift) for (region, _), shift in zip(ways, shifts, strict=True)]
        return float(min([own, *reaches]))

    def __repr__(self) -> str:
        return f"Intersection({', '.join(map(repr, self.regions))})"


def host_array(x: Array, name: str, *, finite: bool = True) -> Host:
    """`x` as a float64 array on the host, checked."""
    host: Host = np.array(B.to_numpy(x) if B.is_array(x) else x, dtype=np.float64)
    if np.any(np.isnan(host)) or (finite and not np.all(np.isfinite(host))):
        raise ValueError(f"`{name}` must be finite, it holds NaN or infinity")
    return host


def norms_up(magnitude: Host, ord: int | float | str) -> Host:
    """Upper bounds of the norms of nonnegative entries, along the last axis for "token", else altogether."""
    if ord == "token":
        return np.asarray(r.sqrt_up(r.up(r.sum_squares(magnitude)[1])))
    flat = np.ravel(magnitude)
    if ord == 2:
        return np.asarray(r.sqrt_up(r.up(r.sum_squares(flat)[1])))
    return np.asarray(r.sum_up(flat) if ord == 1 else np.max(flat, initial=0.0))


def norm_ratio(shape: Shape, source: int | float | str, target: int | float | str) -> float:
    """Largest ``||x||_target / ||x||_source`` over arrays of a shape, rounded up."""
    n = max(1, math.prod(shape))
    width = max(1, shape[-1]) if shape else 1
    tokens = n // width
    squared = {  # squares of the ratios, which are integers
        (1, 1): 1, (1, 2): 1, (1, math.inf): 1, (1, "token"): 1,
        (2, 1): n, (2, 2): 1, (2, math.inf): 1, (2, "token"): 1,
        (math.inf, 1): n * n, (math.inf, 2): n, (math.inf, math.inf): 1, (math.inf, "token"): width,
        ("token", 1): tokens * tokens * width, ("token", 2): tokens, ("token", math.inf): 1, ("token", "token"): 1,
    }  # fmt: skip
    return float(r.sqrt_up(float(squared[source, target])))
