"""Sets of tokens and of values over a region, and the constants of a layer from those of its heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import _backend as B
from ..._typing import Array
from ...norms import Bounds, opnorm_bounds
from ...operators import LowRank
from ..base import Ord
from ..regions import Host, Region, norms_up
from .mixing import Gains, Values

_PAIRS = 2048  # values whose distances are all computed
_SLACK = 1 + 1e-12  # for the rounding of the host's arithmetic


class Tokens(NamedTuple):
    """Tokens within a distance of each other's centres: arrays (n, features) and (n,)."""

    center: Host
    reach: Host


def token_sets(region: Region) -> list[Tokens]:
    """Two descriptions of the tokens of a region: around its centre, and around zero."""
    middle = region.center
    half = np.maximum(region.upper - middle, middle - region.lower)
    with np.errstate(over="ignore", invalid="ignore"):
        reach = np.minimum(norms_up(half, "token"), region.spread("token"))
    found = [Tokens(middle, reach), Tokens(np.zeros(region.shape), np.asarray(region.token_norms("token")))]
    return [tokens for tokens in found if np.all(np.isfinite(tokens.reach))]


def host(x: Array) -> Host:
    """Weights on the host, in double precision."""
    return np.asarray(B.to_numpy(x), dtype=np.float64)


def length(matrix: Host) -> float:
    """Upper bound of the spectral norm."""
    return float(opnorm_bounds(matrix, rtol=1e-6).upper)


def length_of_product(a: Host, b: Host) -> float:
    """Upper bound of the spectral norm of ``a b``, of small inner size."""
    return float(opnorm_bounds(LowRank(a, b.T.copy()), rtol=1e-6).upper)


def lengths(rows: Host) -> Host:
    """Euclidean norms of rows."""
    return np.asarray(np.linalg.norm(rows, axis=-1))


def radius(center: Host, reach: Host) -> float:
    """Radius of a ball that holds points within `reach` of the rows of `center`."""
    around = lengths(center - np.mean(center, axis=0)) + reach
    return min(_top(around), _top(lengths(center) + reach))


def diameter(center: Host, reach: Host) -> float:
    """Upper bound of the largest distance of two such points."""
    twice = 2 * radius(center, reach)
    if center.shape[0] > _PAIRS:
        return twice
    moved = center - np.mean(center, axis=0)
    squares = np.sum(moved**2, axis=1)
    gaps = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * moved @ moved.T, 0.0))
    np.fill_diagonal(gaps, 0.0)
    return min(twice, _top(gaps + reach[:, None] + reach[None, :]))


def values_of(tokens: Tokens, matrix: Host, slope: float) -> Values:
    """What is known of ``matrix x`` of tokens; `slope` is an upper bound of its norm."""
    center, reach = tokens.center @ matrix.T, slope * tokens.reach
    return Values(slope, diameter(center, reach), radius(center, reach))


def _top(x: Host) -> float:
    return float(np.max(x, initial=0.0))


def in_norm(gains: Gains, ord: Ord, features: Sequence[int], out_features: int, method: str) -> tuple[Bounds, ...]:
    """`Bounds` with respect to the queries' source, the keys' and values' source, and both if they are one.

    For ord inf from the token norm, since a token of width w is at most sqrt(w) times as long as its largest entry; for
    ord 1 from the sum over tokens in the same way.
    """
    if ord == 2:
        numbers = gains.euclidean
    elif ord == "token":
        numbers = gains.token
    elif ord == math.inf:
        widths = (features[0], features[-1], features[0])
        a, b, c = (x * math.sqrt(width) for x, width in zip(gains.token, widths, strict=True))
        numbers = (a, b, c)
    else:
        a, b, c = (x * math.sqrt(out_features) for x in gains.total)
        numbers = (a, b, c)
    return tuple(Bounds(0.0, x * _SLACK, "analytic", ord=ord, method=method) for x in numbers)


def mask_of_head(mask: Array | None, head: int, keys: int) -> tuple[Host | None, bool]:
    """The rows of a mask or bias that a head sees, (queries or 1, keys), and whether samples differ in it."""
    if mask is None:
        return None, False
    whole: Any = B.to_numpy(mask)
    if whole.ndim == 4 and whole.shape[0] > 1:
        return None, True
    whole = whole.reshape((1,) * (4 - whole.ndim) + whole.shape)[0]
    rows = whole[head % whole.shape[0]] if whole.shape[0] > 1 else whole[0]
    return np.broadcast_to(rows, (rows.shape[0], keys)), False
