"""The hinge-regularised loss of the label against a softmax of the others."""

from __future__ import annotations

import math

from ... import _backend as B
from ..._typing import Array
from .._inputs import Batch, number, read_classes, read_logits, reduced, relu
from .hkr import combined


def soft_hkr(
    logits: Array,
    labels: Array,
    alpha: float | Array = 10.0,
    *,
    min_margin: float | Array = 1.0,
    temperature: float | Array = 1.0,
    scale: float | Array | None = None,
    convex: bool = False,
    reduction: str = "mean",
) -> Array:
    r"""Hinge-regularised Kantorovich-Rubinstein loss in which the wrong classes weigh by a softmax of their logits.

    Parameters
    ----------
    logits : array, shape (samples, classes)
        Logits of a 1-Lipschitz network; half precision is computed in single.
    labels : array, shape (samples,) or (samples, classes)
        Integer classes, or one-hot labels, positive where above 0 ({0, 1}, {-1, 1} and booleans). A sample whose label
        is out of range or not one class gives NaN.
    alpha : float or array of shape (), default 10.0
        Weight of the hinge, in [0, inf], or with `convex` in [0, 1]. At the upper end the hinge is alone.
    min_margin : float or array of shape (), default 1.0
        Margin to enforce, m below; positive.
    temperature : float or array of shape (), default 1.0
        Factor of the logits in the softmax, T below: the larger, the more weight the largest wrong logit has.
    scale : float or array of shape (), optional
        Size of the logits, taken for a constant, to which the softmax adapts; `soft_hkr_scale` keeps a running mean.
        Default: the mean of their absolute values in this batch.
    convex : bool, default False
        Which of the two conventions of `hkr` `alpha` follows.
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
    With :math:`w` the softmax of :math:`t f` over the wrong classes, :math:`t = T m / \max(s, m)` clipped to
    [0.005, 250] and the scale s, the loss is :math:`\alpha H - K` (or as in `hkr` with `convex`) of

    .. math:: K = f_y - \sum_{j \ne y} w_j f_j, \qquad
        H = \max(0, m / 2 - f_y) + \sum_{j \ne y} w_j \max(0, m / 2 + f_j).

    No statistics over classes are needed. The derivative goes through the weights. deel-lip divides by α; deel-torchlip
    is the `convex` form.

    Serrurier et al. 2023, "On the explainable properties of 1-Lipschitz Neural Networks: An Optimal Transport
    Perspective" (arXiv 2206.06854).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> logits = np.array([[3.0, -1.0, -1.0]])
    >>> float(lc.nn.losses.soft_hkr(logits, np.array([0])))
    -4.0
    """
    batch = read_classes(logits, labels)
    xp, wrong = batch.xp, batch.wrong()
    m = number(min_margin, "min_margin")
    weights = _weights(batch, wrong, m, temperature, scale)
    zero = xp.zeros_like(wrong)
    others = xp.where(batch.positive, zero, batch.logits)
    y = batch.of_label()
    kr = y - xp.sum(weights * others, axis=-1)
    hinge = relu(xp, m / 2 - y) + xp.sum(weights * relu(xp, m / 2 + others), axis=-1)
    return reduced(batch, combined(kr, hinge, alpha, convex), reduction)


def _weights(batch: Batch, wrong: Array, m: float | Array, temperature: float | Array, scale: object) -> Array:
    """The softmax over the wrong classes, 0 for the label."""
    xp = batch.xp
    size = xp.mean(xp.abs(batch.logits)) if scale is None else number(scale, "scale")
    one = xp.ones_like(wrong[:1, :1])
    size = xp.maximum(one * size, one * m)
    t = xp.clip(number(temperature, "temperature") * m / size, 0.005, 250.0)
    shifted = B.stop_gradient(t) * (wrong - B.stop_gradient(xp.max(wrong, axis=-1, keepdims=True)))
    raised = xp.exp(shifted)
    return raised / xp.sum(raised, axis=-1, keepdims=True)


def soft_hkr_scale(scale: float | Array, logits: Array, *, decay: float = 0.99) -> Array:
    r"""Running mean of the size of the logits, for `soft_hkr`.

    Parameters
    ----------
    scale : float or array of shape ()
        The mean so far; start with `min_margin`.
    logits : array, shape (samples, classes)
        Logits of a batch.
    decay : float, default 0.99
        How much of the mean so far is kept.

    Returns
    -------
    array, shape ()
        ``decay * scale + (1 - decay) * mean(abs(logits))``, clipped to [0.005, 1000], without a derivative.

    Raises
    ------
    TypeError, ValueError
        If the logits or an option do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> float(lc.nn.losses.soft_hkr_scale(1.0, np.array([[3.0, -1.0]]), decay=0.5))
    1.5
    """
    xp, x = read_logits(logits, classes=True)
    kept = number(decay, "decay", high=1.0, ends="low high")
    size = xp.mean(xp.abs(B.stop_gradient(x)))
    mean = kept * number(scale, "scale", low=0.0, high=math.inf) + (1 - kept) * size
    return B.stop_gradient(xp.clip(mean, 0.005, 1000.0))
