"""The dual form of the Wasserstein-1 distance."""

from __future__ import annotations

from ..._typing import Array
from .._inputs import Batch, number, over_outputs, read_classes, read_signs, reduced


def kr(
    logits: Array, labels: Array, *, positive_fraction: float | Array | None = None, reduction: str = "mean"
) -> Array:
    r"""Kantorovich-Rubinstein estimate of the Wasserstein-1 distance, binary or for several labels, to be maximised.

    Parameters
    ----------
    logits : array, shape (samples,) or (samples, outputs)
        Scores of a 1-Lipschitz function, one for each binary label; half precision is computed in single.
    labels : array of the shape of `logits`
        Positive where above 0: {0, 1}, {-1, 1} and booleans. Shapes (samples,) and (samples, 1) go together.
    positive_fraction : float or array of shape () or (outputs,), optional
        Fraction of the samples that are positive. Default: that of this batch. A batch spread over devices, or over
        accumulated steps, needs that of the whole.
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
    .. math:: \frac1K \sum_k \Big( \operatorname*{mean}_{y_k > 0} f_k - \operatorname*{mean}_{y_k \le 0} f_k \Big)

    over the K outputs. By duality the mean difference of a 1-Lipschitz f is at most the distance between the two
    distributions, and attains it at the maximum. The term of a sample is
    :math:`f_k / p_k` or :math:`-f_k / (1 - p_k)` with the fraction :math:`p_k` of positives, so that the mean over the
    samples is the estimate. A side without samples adds nothing.

    Serrurier et al. 2021, "Achieving robustness in classification using optimal transport with hinge regularization"
    (arXiv 2006.06520).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> float(lc.nn.losses.kr(np.array([3.0, 1.0, -1.0]), np.array([1, 1, -1])))
    3.0
    """
    batch = read_signs(logits, labels)
    return reduced(batch, kr_terms(batch, positive_fraction), reduction)


def multiclass_kr(
    logits: Array, labels: Array, *, positive_fraction: float | Array | None = None, reduction: str = "mean"
) -> Array:
    r"""Kantorovich-Rubinstein estimate for each class against the rest, averaged over classes; to be maximised.

    Parameters
    ----------
    logits : array, shape (samples, classes)
        Logits of a 1-Lipschitz network; half precision is computed in single.
    labels : array, shape (samples,) or (samples, classes)
        Integer classes, or one-hot labels, positive where above 0 ({0, 1}, {-1, 1} and booleans). A sample whose label
        is out of range or not one class gives NaN.
    positive_fraction : float or array of shape () or (classes,), optional
        Fraction of the samples in each class. Default: that of this batch.
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
    `kr` with one output for each class. A class without samples in the batch adds the mean of its logit over the
    others, with a minus. Serrurier et al. 2021 (arXiv 2006.06520).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> logits = np.array([[2.0, 0.0], [0.0, 4.0]])
    >>> float(lc.nn.losses.multiclass_kr(logits, np.array([0, 1])))
    3.0
    """
    batch = read_classes(logits, labels)
    return reduced(batch, kr_terms(batch, positive_fraction), reduction)


def kr_terms(batch: Batch, positive_fraction: float | Array | None) -> Array:
    """The terms of the samples, shape (samples,), whose mean is the estimate."""
    xp, x = batch.xp, batch.logits
    one = xp.ones_like(x[:1, ...])
    if positive_fraction is None:
        fraction = xp.mean(xp.astype(batch.positive, x.dtype), axis=0, keepdims=True)
    elif isinstance(positive_fraction, float | int):
        fraction = one * number(positive_fraction, "positive_fraction", high=1.0, ends="low high")
    else:
        shape, known = tuple(getattr(positive_fraction, "shape", (-1,))), ((), tuple(x.shape[1:]))
        if shape not in known:
            raise ValueError(f"`positive_fraction` must be a number or of shape {known[1]}, got {positive_fraction!r}")
        fraction = one * positive_fraction
    weight = xp.where(batch.positive, _inverse(batch, fraction), -_inverse(batch, one - fraction))
    return over_outputs(xp, weight * x)


def _inverse(batch: Batch, fraction: Array) -> Array:
    """The reciprocal, 0 for a side without samples."""
    xp = batch.xp
    there, one = fraction > 0, xp.ones_like(fraction)
    return xp.where(there, one / xp.where(there, fraction, one), xp.zeros_like(fraction))
