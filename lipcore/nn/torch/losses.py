"""Losses as modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import nn

from ..._typing import Array
from .. import losses


class _Loss(nn.Module):
    """A function of `lipcore.nn.losses` with its options."""

    function: ClassVar[Callable[..., Array]]

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, logits: Array, labels: Array) -> Array:
        """Loss of logits (samples, ...) and labels."""
        return type(self).function(logits, labels, **self.options)

    def extra_repr(self) -> str:
        """Options."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


class KRLoss(_Loss):
    """Kantorovich-Rubinstein loss of a binary classifier, to be minimised: minus `lipcore.nn.losses.kr`.

    Parameters
    ----------
    positive_fraction, reduction : see `lipcore.nn.losses.kr`
    """

    def __init__(self, *, positive_fraction: float | None = None, reduction: str = "mean") -> None:
        super().__init__(positive_fraction=positive_fraction, reduction=reduction)

    def forward(self, logits: Array, labels: Array) -> Array:
        """Minus the distance of the two classes' means."""
        return -losses.kr(logits, labels, **self.options)


class KRMulticlassLoss(KRLoss):
    """Kantorovich-Rubinstein loss of several classes, to be minimised: minus `lipcore.nn.losses.multiclass_kr`.

    Parameters
    ----------
    positive_fraction, reduction : see `lipcore.nn.losses.multiclass_kr`
    """

    def forward(self, logits: Array, labels: Array) -> Array:
        """Minus the distance of each class's mean from that of the others."""
        return -losses.multiclass_kr(logits, labels, **self.options)


class HKRLoss(_Loss):
    """Hinge-regularised Kantorovich-Rubinstein loss of a binary classifier.

    Parameters
    ----------
    alpha, min_margin, convex, positive_fraction, reduction : see `lipcore.nn.losses.hkr`
        deel-torchlip's convention of `alpha` is ``convex=True``, deel-lip's is the default.
    """

    function: ClassVar[Callable[..., Array]] = staticmethod(losses.hkr)

    def __init__(self, alpha: float = 10.0, min_margin: float = 1.0, **options: Any) -> None:
        super().__init__(alpha=alpha, min_margin=min_margin, **options)


class HKRMulticlassLoss(HKRLoss):
    """Hinge-regularised Kantorovich-Rubinstein loss of several classes.

    Parameters
    ----------
    alpha, min_margin, convex, positive_fraction, reduction : see `lipcore.nn.losses.multiclass_hkr`
        deel-torchlip's convention of `alpha` is ``convex=True``, deel-lip's is the default.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> loss = lt.HKRMulticlassLoss(alpha=50.0, min_margin=0.2)
    >>> loss(torch.tensor([[3.0, -1.0], [-1.0, 3.0]]), torch.tensor([0, 1])) < 0
    tensor(True)
    """

    function = staticmethod(losses.multiclass_hkr)


class HKRMulticlassAutoLoss(_Loss):
    """The loss with a margin for each class that is learned: deel-lip's ``MulticlassHKRauto``.

    Parameters
    ----------
    num_classes : int
    alpha, inside, convex, positive_fraction, reduction : see `lipcore.nn.losses.auto_hkr`
    min_margin, max_margin : float
        Between which margins are kept; they start at the smaller.

    Notes
    -----
    The margins are parameters: give them to the optimizer beside those of the network, and move the module to its
    device. A margin that has reached an end moves no further, and back as soon as its derivative says so.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> loss = lt.HKRMulticlassAutoLoss(2, min_margin=0.5)
    >>> optimizer = torch.optim.SGD(loss.parameters(), lr=1.0)
    >>> loss(torch.tensor([[3.0, -3.0], [-3.0, 3.0]]), torch.tensor([0, 1])).backward()
    >>> optimizer.step()
    >>> bool((loss.margins > 0.5).all())
    True
    """

    def __init__(
        self,
        num_classes: int,
        alpha: float = 10.0,
        min_margin: float = 1.0,
        max_margin: float = 200.0,
        *,
        inside: float = 0.1,
        **options: Any,
    ) -> None:
        if not 0 < min_margin <= max_margin:
            raise ValueError(f"`min_margin` must be positive and at most `max_margin`, got {min_margin}, {max_margin}")
        super().__init__(alpha=alpha, inside=inside, **options)
        self.min_margin, self.max_margin = float(min_margin), float(max_margin)
        self.margins = nn.Parameter(torch.full((num_classes,), self.min_margin))

    def forward(self, logits: Array, labels: Array) -> Array:
        """Loss of logits (samples, classes) and labels."""
        # what an optimizer's step went beyond the ends is taken back; the derivative is that inside
        with torch.no_grad():
            self.margins.clamp_(self.min_margin, self.max_margin)
        return losses.auto_hkr(logits, labels, self.margins, **self.options)


class LseHKRMulticlassLoss(HKRLoss):
    """The loss with a smooth maximum over the wrong classes.

    Parameters
    ----------
    alpha, min_margin, penalty, temperature, convex, reduction : see `lipcore.nn.losses.lse_hkr`
    """

    function = staticmethod(losses.lse_hkr)


class SoftHKRMulticlassLoss(_Loss):
    """The loss with a softmax over the wrong classes, which adapts to the running mean of the logits' size.

    Parameters
    ----------
    alpha, min_margin, temperature, convex, reduction : see `lipcore.nn.losses.soft_hkr`
    alpha_mean : float
        How much of the running mean a batch leaves.

    Notes
    -----
    The mean is a buffer, written in training mode only.
    """

    def __init__(
        self, alpha: float = 10.0, min_margin: float = 1.0, *, alpha_mean: float = 0.99, **options: Any
    ) -> None:
        super().__init__(alpha=alpha, min_margin=min_margin, **options)
        self.alpha_mean = alpha_mean
        self.register_buffer("scale", torch.tensor(float(min_margin)))

    def forward(self, logits: Array, labels: Array) -> Array:
        """Loss of logits (samples, classes) and labels."""
        if self.training:
            with torch.no_grad():
                self.scale.copy_(losses.soft_hkr_scale(self.scale, logits, decay=self.alpha_mean))
        return losses.soft_hkr(logits, labels, scale=self.scale.clone(), **self.options)


class HingeMarginLoss(_Loss):
    """Hinge loss of a binary classifier.

    Parameters
    ----------
    min_margin, reduction : see `lipcore.nn.losses.hinge_margin`
    """

    function: ClassVar[Callable[..., Array]] = staticmethod(losses.hinge_margin)

    def __init__(self, min_margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(min_margin=min_margin, reduction=reduction)


class HingeMulticlassLoss(HingeMarginLoss):
    """Hinge loss of several classes, one against the others.

    Parameters
    ----------
    min_margin, reduction : see `lipcore.nn.losses.multiclass_hinge`
    """

    function = staticmethod(losses.multiclass_hinge)


class CategoricalHingeLoss(HingeMarginLoss):
    """Hinge loss of the margin to the largest wrong logit.

    Parameters
    ----------
    min_margin, reduction : see `lipcore.nn.losses.categorical_hinge`
    """

    function = staticmethod(losses.categorical_hinge)


class MultiMarginLoss(HingeMarginLoss):
    """Mean hinge loss of the margins to all wrong logits.

    Parameters
    ----------
    min_margin, reduction : see `lipcore.nn.losses.multi_margin`
    """

    function = staticmethod(losses.multi_margin)


class TauCrossEntropyLoss(_Loss):
    r"""Cross-entropy of scaled logits over the scale, :math:`\mathrm{CE}(\tau f) / \tau`.

    Parameters
    ----------
    tau, reduction : see `lipcore.nn.losses.tau_cross_entropy`

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.TauCrossEntropyLoss(tau=2.0)(torch.zeros(1, 2), torch.tensor([0]))
    tensor(0.3466)
    """

    function: ClassVar[Callable[..., Array]] = staticmethod(losses.tau_cross_entropy)

    def __init__(self, tau: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(tau=tau, reduction=reduction)


class TauBCELoss(TauCrossEntropyLoss):
    """Binary cross-entropy of scaled scores over the scale.

    Parameters
    ----------
    tau, reduction : see `lipcore.nn.losses.tau_binary_cross_entropy`
    """

    function = staticmethod(losses.tau_binary_cross_entropy)


class OffsetCrossEntropyLoss(_Loss):
    """Cross-entropy after an offset is taken from the label's logit: the loss of almost orthogonal layers.

    Parameters
    ----------
    offset, temperature, reduction : see `lipcore.nn.losses.offset_cross_entropy`
    """

    function = staticmethod(losses.offset_cross_entropy)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)


class CosineLoss(_Loss):
    """Minus the cosine between the logits and the label: orthogonium's ``CosineLoss``.

    Parameters
    ----------
    reduction : see `lipcore.nn.losses.cosine`
    """

    function = staticmethod(losses.cosine)

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


class CosineMarginLoss(_Loss):
    """The cosine and a hinge of the certificates: orthogonium's ``Cosine_VRA_Loss``.

    Parameters
    ----------
    gamma, radius, lipschitz, guarantee, reduction : see `lipcore.nn.losses.cosine_margin`
    """

    function = staticmethod(losses.cosine_margin)

    def __init__(self, gamma: float = 0.1, radius: float = 36 / 255, **options: Any) -> None:
        super().__init__(gamma=gamma, radius=radius, **options)
