"""Cross-entropies with a temperature, and with an offset."""

from __future__ import annotations

import math

from ..._typing import Array
from .._inputs import Batch, log_sum_exp, number, read_classes, read_signs, reduced

_OFFSET = 1.5 * math.sqrt(2)  # a certificate of 3 / 2


def tau_cross_entropy(logits: Array, labels: Array, tau: float | Array, *, reduction: str = "mean") -> Array:
    r"""Cross-entropy at a temperature: of integer classes (sparse), of one-hot labels, or of probabilities.

    Parameters
    ----------
    logits : array, shape (samples, classes)
        Logits; half precision is computed in single.
    labels : array, shape (samples,) or (samples, classes)
        Integer classes; or probabilities, which one-hot labels are ({0, 1}, booleans, and {-1, 1}: what is negative
        counts as 0). A sample whose class is out of range, or whose probabilities do not sum to 1 within 0.01, gives
        NaN.
    tau : float or array of shape ()
        Factor of the logits, positive.
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
    :math:`\frac1\tau \mathrm{CE}(\tau f, y) = \frac1\tau \log \sum_j e^{\tau f_j} - f_y`. Gradients have at most the
    length :math:`\sqrt2` for every τ. As τ grows the loss tends to :math:`\max_j f_j - f_y`, which asks for no margin;
    as it falls the gradient tends to that of :math:`\operatorname{mean}_j f_j - f_y`, which asks for as much as there
    is. A 1-Lipschitz network cannot scale its logits, so that τ is what trades accuracy for robustness.

    Béthune et al. 2022, "Pay attention to your loss: understanding misconceptions about 1-Lipschitz neural networks"
    (arXiv 2104.05097).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> logits = np.array([[1.0, 0.0], [0.0, 0.0]])
    >>> lc.nn.losses.tau_cross_entropy(logits, np.array([0, 1]), 10.0, reduction="none")
    array([4.540e-06, 6.931e-02])
    >>> one_hot = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> lc.nn.losses.tau_cross_entropy(logits, one_hot, 10.0, reduction="none")
    array([4.540e-06, 6.931e-02])
    """
    batch = read_classes(logits, labels)
    factor = number(tau, "tau")
    if labels.ndim == 1:
        return reduced(batch, _cross_entropy(batch, factor), reduction)
    xp = batch.xp
    p = xp.astype(labels, batch.logits.dtype)
    p = xp.where(batch.positive, p, xp.zeros_like(p))
    total = xp.sum(p, axis=-1)
    fit = xp.abs(total - 1) <= 0.01
    total = xp.where(fit, total, xp.ones_like(total))
    # a class of probability 0 counts for nothing, were its logit minus infinity
    mean = xp.sum(p * xp.where(p > 0, batch.logits, xp.zeros_like(p)), axis=-1) / total
    gaps = batch.logits - xp.expand_dims(mean, axis=-1)
    return reduced(batch._replace(valid=fit), total * log_sum_exp(xp, gaps, factor), reduction)


def tau_binary_cross_entropy(logits: Array, labels: Array, tau: float | Array, *, reduction: str = "mean") -> Array:
    r"""Cross-entropy of binary labels at a temperature.

    Parameters
    ----------
    logits : array, shape (samples,) or (samples, outputs)
        Scores, one for each binary label; half precision is computed in single.
    labels : array of the shape of `logits`
        Positive where above 0: {0, 1}, {-1, 1} and booleans. Shapes (samples,) and (samples, 1) go together.
    tau : float or array of shape ()
        Factor of the logits, positive.
    reduction : {"mean", "sum", "none"}, default "mean"
        Of the terms of the samples, which are means over the outputs.

    Returns
    -------
    array, shape () or (samples,)

    Raises
    ------
    TypeError, ValueError
        If the logits, the labels or an option do not fit.

    Notes
    -----
    :math:`\frac1\tau \log(1 + e^{-\tau s f})` with the sign s of the label. As τ grows it tends to
    :math:`\max(0, -s f)`. Béthune et al. 2022 (arXiv 2104.05097).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.nn.losses.tau_binary_cross_entropy(np.array([0.0, 50.0, -50.0]), np.ones(3), 2.0, reduction="none")
    array([ 0.3466,  0.    , 50.    ])
    """
    batch = read_signs(logits, labels)
    xp, x = batch.xp, batch.logits
    away = xp.where(batch.positive, -x, x)
    values = log_sum_exp(xp, xp.stack([xp.zeros_like(away), away], axis=-1), number(tau, "tau"))
    return reduced(batch, xp.mean(values, axis=-1) if values.ndim == 2 else values, reduction)


def offset_cross_entropy(
    logits: Array,
    labels: Array,
    *,
    offset: float | Array = _OFFSET,
    temperature: float | Array = 0.25,
    reduction: str = "mean",
) -> Array:
    r"""Cross-entropy in which the label's logit is lowered by an offset, so that a margin is asked for.

    Parameters
    ----------
    logits : array, shape (samples, classes)
        Logits; half precision is computed in single.
    labels : array, shape (samples,) or (samples, classes)
        Integer classes, or one-hot labels, positive where above 0 ({0, 1}, {-1, 1} and booleans). A sample whose label
        is out of range or not one class gives NaN.
    offset : float or array of shape (), default 1.5 * sqrt(2)
        What is taken off the label's logit. In a network with jointly 1-Lipschitz logits a margin of
        :math:`\sqrt2 \varepsilon` is a certificate of ε.
    temperature : float or array of shape (), default 0.25
        Divisor of the logits, T below; positive.
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
    :math:`T \, \mathrm{CE}((f - u y) / T, y)` with the offset u and the one-hot label y: without an offset it is
    `tau_cross_entropy` at :math:`\tau = 1 / T`. As T tends to 0 it tends to
    :math:`\max(0, u - (f_y - \max_{j \ne y} f_j))`, the `categorical_hinge`.

    Prach and Lampert 2022 (arXiv 2208.03160).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> logits = np.array([[2.0, 0.0]])
    >>> float(lc.nn.losses.offset_cross_entropy(logits, np.array([0]), offset=2.0, temperature=1.0))
    0.6931
    """
    batch = read_classes(logits, labels)
    drop = number(offset, "offset", low=-math.inf)
    factor = 1 / number(temperature, "temperature")
    lowered = batch.xp.where(batch.positive, batch.logits - drop, batch.logits)
    return reduced(batch, _cross_entropy(batch._replace(logits=lowered), factor), reduction)


def _cross_entropy(batch: Batch, factor: float | Array) -> Array:
    gaps = batch.logits - batch.xp.expand_dims(batch.of_label(), axis=-1)
    return log_sum_exp(batch.xp, gaps, factor)
