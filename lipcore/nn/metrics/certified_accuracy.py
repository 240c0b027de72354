"""Averages of certificates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ... import _backend as B
from ..._typing import Array
from .._inputs import number
from .certificates import certificates
from .pairwise_constants import raised


def certified_accuracy(logits: Array, labels: Array, radius: float | Sequence[float], **options: Any) -> Array:
    r"""Fraction of the samples that are right, and proved to stay so under every perturbation up to a radius.

    Parameters
    ----------
    logits, labels : array
        As in `certificates`.
    radius : float or sequence of float
        Largest length of a perturbation, or several.
    **options
        `lipschitz`, `guarantee`, `last_weight`, `ord` and `logit_error` of `certificates`.

    Returns
    -------
    array, shape () or (radii,)

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    Notes
    -----
    A sample counts if its certificate is larger than the radius. Also called provable or verified robust accuracy: a
    lower bound of the accuracy under attack. deel-lip's `CategoricalProvableRobustAccuracy` is this with
    ``guarantee="per_logit"`` and the radius 36 / 255.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> logits, labels = np.array([[3.0, 1.0], [0.5, 0.0], [0.0, 1.0]]), np.array([0, 0, 0])
    >>> lc.nn.metrics.certified_accuracy(logits, labels, [0.0, 36 / 255, 1.0])
    array([0.6667, 0.6667, 0.3333])
    """
    several = isinstance(radius, Iterable) and getattr(radius, "ndim", 1) > 0
    each: list[Any] = list(radius) if several else [radius]  # type: ignore[arg-type]
    radii = [number(one, "radius", ends="low") for one in each]
    if not radii:
        raise ValueError("`radius` must be a number or several, got an empty sequence")
    found = certificates(logits, labels, **options)
    xp = B.array_namespace(found)
    # a label that is no class must not pass for an error
    known = xp.where(xp.isnan(found), found, xp.ones_like(found))
    counted = [xp.mean(known * xp.astype(found > raised(found, one), found.dtype)) for one in radii]
    return xp.stack(counted) if several else counted[0]


def mean_certificate(logits: Array, labels: Array, **options: Any) -> Array:
    r"""Mean of the certificates, errors counting 0.

    Parameters
    ----------
    logits, labels : array
        As in `certificates`.
    **options
        `lipschitz`, `guarantee`, `last_weight`, `ord`, `logit_error` and `signed` of `certificates`.

    Returns
    -------
    array, shape ()

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    Notes
    -----
    A mean radius says nothing of a single sample: a few easy ones may carry it. `certified_accuracy` does.
    deel-lip's `CategoricalProvableAvgRobustness` is this, with ``disjoint_neurons=False`` for the default `guarantee`
    and with its default ``disjoint_neurons=True`` for ``guarantee="per_logit"``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> logits, labels = np.array([[3.0, 1.0], [0.0, 1.0]]), np.array([0, 0])
    >>> float(lc.nn.metrics.mean_certificate(logits, labels))
    0.7071
    """
    found = certificates(logits, labels, **options)
    return B.array_namespace(found).mean(found)


def accuracy(logits: Array, labels: Array) -> Array:
    r"""Fraction of the samples whose label has the largest logit alone.

    Parameters
    ----------
    logits, labels : array
        As in `certificates`.

    Returns
    -------
    array, shape ()

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    Notes
    -----
    A tie is an error, so that the certified accuracy at any radius is never above.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> logits = np.array([[3.0, 1.0], [0.0, 1.0], [2.0, 2.0], [4.0, 3.0]])
    >>> float(lc.nn.metrics.accuracy(logits, np.array([0, 0, 0, 0])))
    0.5
    """
    return certified_accuracy(logits, labels, 0.0)
