"""The Wasserstein-1 distance with a hinge beside it."""

from __future__ import annotations

import math
from typing import Any

from ..._typing import Array
from .._inputs import number, read_classes, read_signs, reduced
from .hinge import hinge_terms, multiclass_hinge_terms
from .kr import kr_terms


def hkr(
    logits: Array,
    labels: Array,
    alpha: float | Array = 10.0,
    *,
    min_margin: float | Array = 1.0,
    convex: bool = False,
    positive_fraction: float | Array | None = None,
    reduction: str = "mean",
) -> Array:
    r"""Hinge-regularised Kantorovich-Rubinstein loss of binary labels.

    Parameters
    ----------
    logits : array, shape (samples,) or (samples, outputs)
        Scores of a 1-Lipschitz function, one for each binary label; half precision is computed in single.
    labels : array of the shape of `logits`
        Positive where above 0: {0, 1}, {-1, 1} and booleans. Shapes (samples,) and (samples, 1) go together.
    alpha : float or array of shape (), default 10.0
        Weight of the hinge, in [0, inf], or with `convex` in [0, 1]. At the upper end the hinge is alone.
    min_margin : float or array of shape (), default 1.0
        Distance between the two sides, as in `hinge_margin`.
    convex : bool, default False
        Which of the two conventions `alpha` follows, see Notes.
    positive_fraction : float or array of shape () or (outputs,), optional
        Fraction of the samples that are positive, as in `kr`.
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
    With :math:`K` from `kr` and :math:`H` from `hinge_margin` the loss is

    - :math:`\alpha H - K`, the paper's (who write λ for α) and deel-lip's, by default;
    - :math:`\alpha H - (1 - \alpha) K`, deel-torchlip's, with `convex`.

    The first with α is :math:`1 + \alpha` times the second with :math:`\alpha / (1 + \alpha)`: 10 in the one is
    10/11 in the other. Small `alpha` and large `min_margin` make certificates larger and accuracy lower.

    Serrurier et al. 2021 (arXiv 2006.06520).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> scores, labels = np.array([2.0, 0.0, -1.0]), np.array([1, 1, -1])
    >>> float(lc.nn.losses.hkr(scores, labels, 3.0))
    -1.5
    >>> float(lc.nn.losses.hkr(scores, labels, 0.75, convex=True))
    -0.375
    """
    batch = read_signs(logits, labels)
    terms = kr_terms(batch, positive_fraction), hinge_terms(batch, min_margin)
    return reduced(batch, combined(*terms, alpha, convex), reduction)


def multiclass_hkr(
    logits: Array,
    labels: Array,
    alpha: float | Array = 10.0,
    *,
    min_margin: float | Array = 1.0,
    convex: bool = False,
    positive_fraction: float | Array | None = None,
    reduction: str = "mean",
) -> Array:
    r"""Hinge-regularised Kantorovich-Rubinstein loss of each class against the rest.

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
        Margin to enforce, as in `multiclass_hinge`.
    convex : bool, default False
        Which of the two conventions of `hkr` `alpha` follows.
    positive_fraction : float or array of shape () or (classes,), optional
        Fraction of the samples in each class, as in `multiclass_kr`.
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
    :math:`\alpha H - K` with :math:`K` from `multiclass_kr` and :math:`H` from `multiclass_hinge`; with `convex`
    :math:`\alpha H - (1 - \alpha) K`. Serrurier et al. 2021 (arXiv 2006.06520).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> logits = np.array([[2.0, 0.0], [0.0, 4.0]])
    >>> float(lc.nn.losses.multiclass_hkr(logits, np.array([0, 1]), alpha=2.0))
    -2.5
    """
    batch = read_classes(logits, labels)
    terms = kr_terms(batch, positive_fraction), multiclass_hinge_terms(batch, min_margin)
    return reduced(batch, combined(*terms, alpha, convex), reduction)


def combined(kr: Array, hinge: Array, alpha: float | Array, convex: bool) -> Array:
    """The hinge with the weight `alpha`, less the distance with its own."""
    weight: Any = number(alpha, "alpha", high=1.0 if convex else math.inf, ends="low high")
    if isinstance(weight, float) and weight == (1.0 if convex else math.inf):
        return hinge
    return weight * hinge - ((1 - weight) * kr if convex else kr)
