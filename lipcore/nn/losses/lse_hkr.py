"""The hinge-regularised loss of the label against a smooth maximum of the others."""

from __future__ import annotations

import math

from ..._typing import Array
from .._inputs import log_sum_exp, number, read_classes, reduced, relu
from .hkr import combined


def lse_hkr(
    logits: Array,
    labels: Array,
    alpha: float | Array = 10.0,
    *,
    min_margin: float | Array = 1.0,
    penalty: float | Array = 1.0,
    temperature: float | Array = 1.0,
    convex: bool = False,
    reduction: str = "mean",
) -> Array:
    r"""Hinge-regularised Kantorovich-Rubinstein loss of the label against the log-sum-exp of the other logits.

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
    penalty : float or array of shape (), default 1.0
        How far the smooth maximum may lie above the maximum, in halves of `min_margin`, q below.
    temperature : float or array of shape (), default 1.0
        Factor of the logits, before all else.
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
    With C classes, :math:`t = 2 \log(C - 1) / (q m)` and :math:`\ell = \frac1t \log \sum_{j \ne y} e^{t f_j}`, which
    lies between :math:`\max_{j \ne y} f_j` and that plus :math:`q m / 2`, the loss is :math:`\alpha H - K` (or as in
    `hkr` with `convex`) of

    .. math:: K = f_y - \ell, \qquad H = \max(0, m / 2 - f_y) + \max(0, m / 2 + \ell).

    As q tends to 0, :math:`\ell` becomes the maximum. With two classes it is the other logit. The formula is that of
    deel-torchlip's `LseHKRMulticlassLoss`, which is the `convex` form.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> logits = np.array([[3.0, -1.0, -1.0]])
    >>> float(lc.nn.losses.lse_hkr(logits, np.array([0])))
    -3.5
    """
    batch = read_classes(logits, labels)
    m = number(min_margin, "min_margin")
    room = number(penalty, "penalty") * m / 2
    batch = batch._replace(logits=batch.logits * number(temperature, "temperature"))
    xp, y, wrong = batch.xp, batch.of_label(), batch.wrong()
    others = wrong.shape[-1] - 1
    top = xp.max(wrong, axis=-1) if others == 1 else log_sum_exp(xp, wrong, math.log(others) / room)
    hinge = relu(xp, m / 2 - y) + relu(xp, m / 2 + top)
    return reduced(batch, combined(y - top, hinge, alpha, convex), reduction)
