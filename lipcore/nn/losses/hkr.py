"""The Wasserstein-1 distance with a hinge beside it."""

from __future__ import annotations

import math
from typing import Any

from ..._typing import Array
from .._inputs import number, read_classes, read_signs, reduced
from .hinge import hinge_terms, multiclass_hinge_terms, multiclass_means
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


def auto_hkr(
    logits: Array,
    labels: Array,
    margins: Array,
    alpha: float | Array = 10.0,
    *,
    inside: float | Array = 0.1,
    convex: bool = False,
    positive_fraction: float | Array | None = None,
    reduction: str = "mean",
) -> Array:
    r"""`multiclass_hkr` with a margin for each class that is learned.

    Parameters
    ----------
    logits : array, shape (samples, classes)
        Logits of a 1-Lipschitz network; half precision is computed in single.
    labels : array, shape (samples,) or (samples, classes)
        Integer classes, or one-hot labels, positive where above 0 ({0, 1}, {-1, 1} and booleans). A sample whose label
        is out of range or not one class gives NaN.
    margins : array, shape (classes,)
        Margin of each class, m below, to be optimised with the network; keep it positive.
    alpha : float or array of shape (), default 10.0
        Weight of the hinge, in [0, inf], or with `convex` in [0, 1]. At the upper end the hinge is alone.
    inside : float or array of shape (), default 0.1
        Part of the samples that may end up inside the margin, q below, in (0, 1).
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
        If the logits, the labels, the margins or an option do not fit.

    Notes
    -----
    The hinge of `multiclass_hinge`, :math:`\max(0, m_c / 2 - s f_c)` with the sign s and the weight C - 1 of the
    label, less :math:`q m_c / 2` with the same weight. Its derivative with respect to :math:`m_c` is half of the
    (weighted) part of the samples inside the margin, less q / 2: at a minimum a part q of them is inside, whatever the
    scale of the logits. This is the quantile loss of Koenker and Bassett 1978. The idea is that of deel-lip's
    ``MulticlassHKRauto``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> logits, labels = np.array([[2.0, -2.0], [-4.0, 4.0]]), np.array([0, 1])
    >>> [float(lc.nn.losses.auto_hkr(logits, labels, np.full(2, m), np.inf)) for m in (1.0, 4.0, 8.0)]
    [-0.05, -0.2, 0.6]
    """
    batch = read_classes(logits, labels)
    if tuple(getattr(margins, "shape", ())) != tuple(batch.logits.shape[1:]):
        raise ValueError(f"`margins` must be an array of shape {tuple(batch.logits.shape[1:])}, got {margins!r}")
    given = number(inside, "inside", high=1.0) * margins / 2
    hinge = multiclass_hinge_terms(batch, margins) - multiclass_means(batch, batch.xp.zeros_like(batch.logits) + given)
    return reduced(batch, combined(kr_terms(batch, positive_fraction), hinge, alpha, convex), reduction)


def combined(kr: Array, hinge: Array, alpha: float | Array, convex: bool) -> Array:
    """The hinge with the weight `alpha`, less the distance with its own."""
    weight: Any = number(alpha, "alpha", high=1.0 if convex else math.inf, ends="low high")
    if isinstance(weight, float) and weight == (1.0 if convex else math.inf):
        return hinge
    return weight * hinge - ((1 - weight) * kr if convex else kr)
