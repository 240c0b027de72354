"""Margins that are enforced linearly."""

from __future__ import annotations

from typing import Any

from ..._typing import Array
from .._inputs import Batch, number, over_outputs, read_classes, read_signs, reduced, relu


def hinge_margin(logits: Array, labels: Array, *, min_margin: float | Array = 1.0, reduction: str = "mean") -> Array:
    r"""Hinge loss of binary labels, with half a margin on each side of zero.

    Parameters
    ----------
    logits : array, shape (samples,) or (samples, outputs)
        Scores, one for each binary label; half precision is computed in single.
    labels : array of the shape of `logits`
        Positive where above 0: {0, 1}, {-1, 1} and booleans. Shapes (samples,) and (samples, 1) go together.
    min_margin : float or array of shape (), default 1.0
        Distance between the two sides, m below.
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
    :math:`\max(0, m / 2 - s f)` with the sign s of the label, averaged over the outputs of a sample. In a 1-Lipschitz
    network a sample without loss has a certificate of m / 2.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.nn.losses.hinge_margin(np.array([2.0, 0.25, 0.25]), np.array([1, 1, -1]), reduction="none")
    array([0.  , 0.25, 0.75])
    """
    batch = read_signs(logits, labels)
    return reduced(batch, hinge_terms(batch, min_margin), reduction)


def multiclass_hinge(
    logits: Array, labels: Array, *, min_margin: float | Array = 1.0, reduction: str = "mean"
) -> Array:
    r"""Hinge loss of each class against the rest: the label's logit above half a margin, all others below minus that.

    Parameters
    ----------
    logits : array, shape (samples, classes)
        Logits; half precision is computed in single.
    labels : array, shape (samples,) or (samples, classes)
        Integer classes, or one-hot labels, positive where above 0 ({0, 1}, {-1, 1} and booleans). A sample whose label
        is out of range or not one class gives NaN.
    min_margin : float or array of shape (), default 1.0
        Margin between the label's logit and any other, m below.
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
    For C classes

    .. math:: \frac1C \Big( (C - 1) \max(0, m / 2 - f_y) + \sum_{j \ne y} \max(0, m / 2 + f_j) \Big),

    the label's term weighing as much as all others together (deel-lip's convention). It depends on the level of the
    logits, not only on their differences, unlike `multi_margin` and `categorical_hinge`.
    Serrurier et al. 2021 (arXiv 2006.06520).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> float(lc.nn.losses.multiclass_hinge(np.array([[0.0, -1.0, -1.0, 0.5]]), np.array([0])))
    0.625
    """
    batch = read_classes(logits, labels)
    return reduced(batch, multiclass_hinge_terms(batch, min_margin), reduction)


def multi_margin(logits: Array, labels: Array, *, min_margin: float | Array = 1.0, reduction: str = "mean") -> Array:
    r"""Hinge loss of the margins between the label's logit and every other, averaged over the classes.

    Parameters
    ----------
    logits : array, shape (samples, classes)
        Logits; half precision is computed in single.
    labels : array, shape (samples,) or (samples, classes)
        Integer classes, or one-hot labels, positive where above 0 ({0, 1}, {-1, 1} and booleans). A sample whose label
        is out of range or not one class gives NaN.
    min_margin : float or array of shape (), default 1.0
        Margin to enforce, m below.
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
    :math:`\frac1C \sum_{j \ne y} \max(0, m - f_y + f_j)`, as `torch.nn.MultiMarginLoss` with p = 1.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> float(lc.nn.losses.multi_margin(np.array([[1.0, 0.5, -1.0, 1.5]]), np.array([0])))
    0.5
    """
    batch = read_classes(logits, labels)
    m = number(min_margin, "min_margin", ends="low")
    xp = batch.xp
    terms = relu(xp, m - xp.expand_dims(batch.of_label(), axis=-1) + batch.logits)
    values = xp.mean(xp.where(batch.positive, xp.zeros_like(terms), terms), axis=-1)
    return reduced(batch, values, reduction)


def categorical_hinge(
    logits: Array, labels: Array, *, min_margin: float | Array = 1.0, reduction: str = "mean"
) -> Array:
    r"""Hinge loss of the margin between the label's logit and the largest other.

    Parameters
    ----------
    logits : array, shape (samples, classes)
        Logits; half precision is computed in single.
    labels : array, shape (samples,) or (samples, classes)
        Integer classes, or one-hot labels, positive where above 0 ({0, 1}, {-1, 1} and booleans). A sample whose label
        is out of range or not one class gives NaN.
    min_margin : float or array of shape (), default 1.0
        Margin to enforce, m below.
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
    :math:`\max(0, m - (f_y - \max_{j \ne y} f_j))`: in a network with jointly 1-Lipschitz logits a sample without loss
    has a certificate of :math:`m / \sqrt2`. The maximum runs over the other classes alone; implementations that
    multiply the logits by ``1 - y`` put a zero in the label's place and see no margin below it.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> float(lc.nn.losses.categorical_hinge(np.array([[-1.0, -1.5, -3.0]]), np.array([0])))
    0.5
    """
    batch = read_classes(logits, labels)
    m = number(min_margin, "min_margin", ends="low")
    margin = batch.of_label() - batch.xp.max(batch.wrong(), axis=-1)
    return reduced(batch, relu(batch.xp, m - margin), reduction)


def hinge_terms(batch: Batch, min_margin: float | Array) -> Array:
    """The binary hinge of each sample, averaged over its outputs."""
    return over_outputs(batch.xp, _halves(batch, number(min_margin, "min_margin", ends="low")))


def multiclass_hinge_terms(batch: Batch, margin: float | Array) -> Array:
    """The hinge of each class against the rest, one number for each sample; an array has a margin for each class."""
    several = getattr(margin, "shape", ()) != ()
    return multiclass_means(batch, _halves(batch, margin if several else number(margin, "min_margin", ends="low")))


def multiclass_means(batch: Batch, terms: Array) -> Array:
    """Means over classes in which the label weighs as much as all others together."""
    others = batch.logits.shape[-1] - 1
    return batch.xp.mean(batch.xp.where(batch.positive, terms * others, terms), axis=-1)


def _halves(batch: Batch, margin: Any) -> Array:
    """What each logit lacks to half of the margin on its side."""
    x = batch.logits
    return relu(batch.xp, margin / 2 - batch.xp.where(batch.positive, x, -x))
