"""Angles between logits and labels."""

from __future__ import annotations

import math

from ..._typing import Array
from .._inputs import Batch, number, read_classes, reduced, relu

_FACTORS = {"joint": math.sqrt(2), "per_logit": 2.0}


def cosine(logits: Array, labels: Array, *, reduction: str = "mean") -> Array:
    r"""Minus the cosine of the angle between the logits and the one-hot label.

    Parameters
    ----------
    logits : array, shape (samples, classes)
        Logits; half precision is computed in single.
    labels : array, shape (samples,) or (samples, classes)
        Integer classes, or one-hot labels, positive where above 0 ({0, 1}, {-1, 1} and booleans). A sample whose label
        is out of range or not one class gives NaN.
    reduction : {"mean", "sum", "none"}, default "mean"
        Of the terms of the samples.

    Returns
    -------
    array, shape () or (samples,)

    Raises
    ------
    TypeError, ValueError
        If the logits, the labels or an option do not fit.

    Notes
    -----
    :math:`-f_y / \|f\|_2`, and 0 for logits that are all zero. It does not see the scale of the logits, so that it asks
    for no margin: certificates may stay small. `cosine_margin` adds what does.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> float(lc.nn.losses.cosine(np.array([[3.0, 4.0]]), np.array([0])))
    -0.6
    """
    batch = read_classes(logits, labels)
    return reduced(batch, -_cosine(batch), reduction)


def cosine_margin(
    logits: Array,
    labels: Array,
    gamma: float | Array = 0.1,
    *,
    radius: float | Array = 36 / 255,
    lipschitz: float | Array = 1.0,
    guarantee: str = "per_logit",
    reduction: str = "mean",
) -> Array:
    r"""The cosine, and a hinge of the certificates weighted towards the worst.

    Parameters
    ----------
    logits : array, shape (samples, classes)
        Logits; half precision is computed in single.
    labels : array, shape (samples,) or (samples, classes)
        Integer classes, or one-hot labels, positive where above 0 ({0, 1}, {-1, 1} and booleans). A sample whose label
        is out of range or not one class gives NaN.
    gamma : float or array of shape (), default 0.1
        Weight of the hinge, in [0, 1]; the cosine has the rest.
    radius : float or array of shape (), default 36 / 255
        Certificate that is asked for.
    lipschitz : float or array of shape (), default 1.0
        Constant L of the network.
    guarantee : {"per_logit", "joint"}, default "per_logit"
        What L is the constant of, as in `lipcore.nn.metrics.certificates`.
    reduction : {"mean", "sum", "none"}, default "mean"
        Of the terms of the samples.

    Returns
    -------
    array, shape () or (samples,)

    Raises
    ------
    TypeError, ValueError
        If the logits, the labels or an option do not fit.

    Notes
    -----
    With :math:`c_j = \max(0, r - (f_y - f_j) / (a L))` for the wrong classes, a = 2 for single logits and
    :math:`\sqrt2` for all together, and weights w that are the softmax of c,

    .. math:: -(1 - \gamma) f_y / \|f\| + \gamma \sum_{j \ne y} w_j c_j .

    The formula is that of orthogonium's ``Cosine_VRA_Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> logits, labels = np.array([[3.0, 4.0]]), np.array([0])
    >>> round(float(lc.nn.losses.cosine_margin(logits, labels, 0.5, radius=0.25)), 6)
    0.075
    """
    batch = read_classes(logits, labels)
    if guarantee not in _FACTORS:
        raise ValueError(f"`guarantee` must be one of {', '.join(map(repr, _FACTORS))}, got {guarantee!r}")
    weight = number(gamma, "gamma", high=1.0, ends="low high")
    per = _FACTORS[guarantee] * number(lipschitz, "lipschitz")
    xp = batch.xp
    gaps = xp.expand_dims(batch.of_label(), axis=-1) - batch.logits
    short = relu(xp, number(radius, "radius", ends="low") - gaps / per)
    zero = xp.zeros_like(short)
    largest = xp.max(xp.where(batch.positive, zero, short), axis=-1, keepdims=True)
    raised = xp.where(batch.positive, zero, xp.exp(xp.where(batch.positive, zero, short - largest)))
    hinge = xp.sum(raised * short, axis=-1) / xp.sum(raised, axis=-1)
    return reduced(batch, weight * hinge - (1 - weight) * _cosine(batch), reduction)


def _cosine(batch: Batch) -> Array:
    """Cosines, 0 for zeros; no square under- or overflows."""
    xp, x = batch.xp, batch.logits
    largest = xp.max(xp.abs(x), axis=-1, keepdims=True)
    there = largest > 0
    scaled = x / xp.where(there, largest, xp.ones_like(largest))
    squares = xp.sum(scaled * scaled, axis=-1)
    length = xp.sqrt(xp.where(squares > 0, squares, xp.ones_like(squares)))
    return xp.sum(xp.where(batch.positive, scaled, xp.zeros_like(x)), axis=-1) / length
