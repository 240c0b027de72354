"""The radius within which a class is proved."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import _backend as B
from ..._typing import Array, Namespace
from ...norms import Bounds
from .._inputs import Batch, number, read_classes, read_logits, read_signs, relu
from .pairwise_constants import check_guarantee, pair_constants, raised, read_constant


def certificates(
    logits: Array,
    labels: Array | None = None,
    *,
    lipschitz: float | Array | Bounds = 1.0,
    guarantee: str = "joint",
    last_weight: Array | None = None,
    ord: float = 2,
    logit_error: float | Array = 0.0,
    signed: bool = False,
) -> Array:
    r"""Radius around each sample within which no perturbation makes the class another than its label.

    Parameters
    ----------
    logits : array, shape (samples, classes), or (samples,) or (samples, 1) for a binary classifier
        Outputs of the network; half precision is computed in single. A binary classifier says positive above 0.
    labels : array, shape (samples,) or (samples, classes), optional
        Integer classes, or one-hot labels; binary labels are positive where above 0. A label that is no class gives
        NaN. Default: the classes that are predicted.
    lipschitz : float, Bounds, or array, default 1.0
        The constant L of what `guarantee` says; of `Bounds` the upper end, unless it is an estimate. For "per_logit"
        also an array (classes,), one for each logit; for "pairwise" without `last_weight` an array (classes, classes),
        one for each difference of logits (`pairwise_constants`).
    guarantee : {"joint", "per_logit", "pairwise"}, default "joint"
        What is known. "joint": the map from the input to all logits has the constant L from the p-norm to the p-norm,
        which is what `lipschitz` means elsewhere in this package. "per_logit": each logit by itself has the constant L
        (rows of the last layer of length 1 that need not be orthogonal, "disjoint neurons"). "pairwise": each
        difference of logits has its own, from the rows of `last_weight`, with L the constant of the features.
    last_weight : array, shape (classes, features), optional
        Weight of the last layer, for "pairwise".
    ord : {1, 2, inf}, default 2
        The norm p of the perturbation.
    logit_error : float or array of shape (), default 0.0
        Bound of the rounding error of a computed logit, at the samples and around them. By default the certificate
        holds for the network in exact arithmetic with these logits.
    signed : bool, default False
        Give errors a negative radius instead of 0: no shorter perturbation makes them right.

    Returns
    -------
    array, shape (samples,)
        0 for errors and ties, and where a logit is not finite; infinity where L is 0 and the class is right. Rounded
        downward.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or `lipschitz` claims nothing.

    Notes
    -----
    If the difference :math:`f_y - f_j` has the constant :math:`L_{yj}`, a perturbation shorter than
    :math:`\min_{j \ne y} (f_y - f_j) / L_{yj}` does not change the class. With :math:`1/p + 1/q = 1`,

    - joint: :math:`L_{yj} = \|e_y - e_j\|_q L = 2^{1/q} L`, that is :math:`\sqrt2 L` in the 2-norm (Tsuzuku, Sato and
      Sugiyama 2018, arXiv 1802.04034), L in the 1-norm, 2 L in the inf-norm;
    - per logit: :math:`L_{yj} = L_y + L_j`, 2 L where they are equal, in every norm;
    - pairwise: :math:`L_{yj} = \|w_y - w_j\|_q L`. In the 2-norm it is at most :math:`\sqrt2 L` for orthonormal rows
      and 2 L for rows of length 1: for the constant of the features it is never worse than the others (Singla, Singla
      and Feizi 2022, arXiv 2108.04062).

    A binary classifier has :math:`|f| / L`. The differences are lowered by four times `logit_error`, two logits here
    and two at the perturbed point.

    **deel-lip's numbers.** Its metrics have ``disjoint_neurons=True`` by default, which is ``guarantee="per_logit"``:
    the factor 2, true for a network whose logits are jointly 1-Lipschitz as well, but smaller by :math:`\sqrt2` than
    what is proved there. ``disjoint_neurons=False`` is "joint", which claims too much where each logit is normalised by
    itself. ``negative_robustness=True`` is `signed`.

    **Cost.** One pass over the logits; "pairwise" takes the differences of all rows, classes² features operations.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> logits, labels = np.array([[3.0, 1.0], [0.0, 1.0]]), np.array([0, 0])
    >>> lc.nn.metrics.certificates(logits, labels)
    array([1.4142, 0.    ])
    >>> lc.nn.metrics.certificates(logits, labels, guarantee="per_logit", signed=True)
    array([ 1. , -0.5])
    >>> rows = np.array([[1.0, 0.0], [0.8, 0.6]])
    >>> lc.nn.metrics.certificates(logits, labels, guarantee="pairwise", last_weight=rows)
    array([3.1623, 0.    ])
    """
    check_guarantee(guarantee, last_weight, ord)
    constant = read_constant(lipschitz, ord)
    slack = number(logit_error, "logit_error", ends="low")
    B.array_namespace(logits, name="logits")
    if logits.ndim == 1 or tuple(logits.shape[1:]) == (1,):
        if guarantee == "pairwise":
            raise ValueError('`guarantee` must be "joint" or "per_logit" for a single logit, got "pairwise"')
        return _binary(logits, labels, constant, slack, signed)
    batch = read_classes(logits, _predicted(logits) if labels is None else labels)
    batch, finite = _finite(batch)
    xp, x = batch.xp, batch.logits
    margins = _lowered(xp, xp.expand_dims(batch.of_label(), axis=-1) - x, 4 * slack)
    radii = _radii(xp, margins, pair_constants(batch, constant, guarantee, last_weight, ord))
    nearest = xp.min(xp.where(batch.positive, xp.full_like(radii, math.inf), radii), axis=-1)
    return _finished(batch, nearest, finite, signed)


def _predicted(logits: Array) -> Array:
    xp, x = read_logits(logits, classes=True)
    return xp.argmax(x, axis=-1)


def _lowered(xp: Namespace, margins: Array, slack: Any) -> Array:
    """The differences of logits, nearer to zero by what their errors may make of them."""
    if isinstance(slack, float) and slack == 0:
        return margins
    less = raised(margins, slack)
    return xp.where(margins > 0, relu(xp, margins - less), -relu(xp, -margins - less))


def _radii(xp: Namespace, margins: Array, constants: Any) -> Array:
    """Margins over constants, rounded downward; a constant of 0 proves everything of a margin above 0."""
    most = float(np.finfo(B.numpy_dtype(margins.dtype)).max)
    margins = xp.clip(margins, -most, most)  # a difference that overflowed is at least that
    divisor = xp.zeros_like(margins) + constants
    divisor = xp.where(divisor < 0, xp.full_like(divisor, math.nan), divisor)
    flat = divisor == 0
    ratio = margins / xp.where(flat, xp.ones_like(divisor), divisor)
    lower = xp.clip(ratio * (1 - 8 * B.eps(xp, margins.dtype)), -most, most)
    limit = xp.where(margins > 0, xp.full_like(margins, math.inf), xp.full_like(margins, -math.inf))
    return xp.where(flat, xp.where(margins == 0, xp.zeros_like(margins), limit), lower)


def _binary(logits: Array, labels: Array | None, constant: Any, slack: Any, signed: bool) -> Array:
    if labels is None:
        labels = logits
    batch, finite = _finite(read_signs(logits, labels))
    xp, x = batch.xp, batch.logits
    if tuple(getattr(constant, "shape", ())) not in ((), (1,)):
        raise ValueError(f"`lipschitz` must be a number for a single logit, got shape {constant.shape}")
    margins = _lowered(xp, xp.where(batch.positive, x, -x), 2 * slack)
    radii = _radii(xp, margins, raised(x, constant))
    return _finished(batch, xp.reshape(radii, (x.shape[0],)), finite, signed)


def _finite(batch: Batch) -> tuple[Batch, Array]:
    """The batch with zeros for logits that are not finite, and which samples have none of those."""
    xp, x = batch.xp, batch.logits
    finite = xp.isfinite(x)
    whole = xp.all(xp.reshape(finite, (x.shape[0], -1)), axis=-1)
    return batch._replace(logits=xp.where(finite, x, xp.zeros_like(x))), whole


def _finished(batch: Batch, radii: Array, finite: Array, signed: bool) -> Array:
    """0 where a logit is not finite, and for errors unless they are wanted; NaN where there is no label."""
    xp, zero = batch.xp, batch.xp.zeros_like(radii)
    radii = xp.where(finite, radii, zero)
    if not signed:
        radii = xp.where(radii > 0, radii, zero)
    return radii if batch.valid is None else xp.where(batch.valid, radii, xp.full_like(radii, math.nan))
