"""Losses as modules."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from ..._typing import Array
from .. import losses
from .._options import OptionsOf


class FunctionLoss(OptionsOf, nn.Module):
    """A function of `lipcore.nn.losses` with its options."""

    # -1 for what is to be maximised
    sign: ClassVar[int] = 1

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__()
        self.options = self.read(args, options)

    def forward(self, logits: Array, labels: Array) -> Array:
        """Loss of logits (samples, ...) and labels."""
        return self.sign * type(self).function(logits, labels, **self.options)

    def extra_repr(self) -> str:
        """Options."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


class KRLoss(FunctionLoss):
    """Kantorovich-Rubinstein loss of a binary classifier, to be minimised: minus `lipcore.nn.losses.kr`.

    Parameters
    ----------
    positive_fraction, reduction : see `lipcore.nn.losses.kr`

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.KRLoss()(torch.tensor([3.0, -1.0]), torch.tensor([1, 0]))
    tensor(-4.)
    """

    function = staticmethod(losses.kr)
    sign = -1


class KRMulticlassLoss(FunctionLoss):
    """Kantorovich-Rubinstein loss of several classes, to be minimised: minus `lipcore.nn.losses.multiclass_kr`.

    Parameters
    ----------
    positive_fraction, reduction : see `lipcore.nn.losses.multiclass_kr`

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.KRMulticlassLoss()(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([0, 1]))
    tensor(-3.)
    """

    function = staticmethod(losses.multiclass_kr)
    sign = -1


class HKRLoss(FunctionLoss):
    """Hinge-regularised Kantorovich-Rubinstein loss of a binary classifier.

    Parameters
    ----------
    alpha, min_margin, convex, positive_fraction, reduction : see `lipcore.nn.losses.hkr`

    Notes
    -----
    deel-torchlip's convention of `alpha` is ``convex=True``, deel-lip's is the default.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.HKRLoss(alpha=10.0)(torch.tensor([3.0, -1.0]), torch.tensor([1, 0]))
    tensor(-4.)
    """

    function = staticmethod(losses.hkr)


class HKRMulticlassLoss(FunctionLoss):
    """Hinge-regularised Kantorovich-Rubinstein loss of several classes.

    Parameters
    ----------
    alpha, min_margin, convex, positive_fraction, reduction : see `lipcore.nn.losses.multiclass_hkr`

    Notes
    -----
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


class HKRMulticlassAutoLoss(FunctionLoss):
    """The loss with a margin for each class that is learned: deel-lip's ``MulticlassHKRauto``.

    Parameters
    ----------
    num_classes : int
        Number of logits.
    min_margin, max_margin : float
        Between which margins are kept; they start at the smaller.
    alpha, inside, convex, positive_fraction, reduction : see `lipcore.nn.losses.auto_hkr`

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
        convex: bool = False,
        positive_fraction: float | Array | None = None,
        reduction: str = "mean",
    ) -> None:
        if not 0 < min_margin <= max_margin:
            raise ValueError(f"`min_margin` must be positive and at most `max_margin`, got {min_margin}, {max_margin}")
        nn.Module.__init__(self)
        self.options = {
            "alpha": alpha,
            "inside": inside,
            "convex": convex,
            "positive_fraction": positive_fraction,
            "reduction": reduction,
        }
        self.min_margin, self.max_margin = float(min_margin), float(max_margin)
        self.margins = nn.Parameter(torch.full((num_classes,), self.min_margin))

    def forward(self, logits: Array, labels: Array) -> Array:
        """Loss of logits (samples, classes) and labels."""
        # what an optimizer's step went beyond the ends is taken back; the derivative is that inside
        with torch.no_grad():
            self.margins.clamp_(self.min_margin, self.max_margin)
        return losses.auto_hkr(logits, labels, self.margins, **self.options)


class LseHKRMulticlassLoss(FunctionLoss):
    """The loss with a smooth maximum over the wrong classes.

    Parameters
    ----------
    alpha, min_margin, penalty, temperature, convex, reduction : see `lipcore.nn.losses.lse_hkr`

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> loss = lt.LseHKRMulticlassLoss(alpha=50.0, min_margin=0.2)
    >>> loss(torch.tensor([[3.0, -1.0], [-1.0, 3.0]]), torch.tensor([0, 1])) < 0
    tensor(True)
    """

    function = staticmethod(losses.lse_hkr)


class SoftHKRMulticlassLoss(FunctionLoss):
    """The loss with a softmax over the wrong classes, which adapts to the running mean of the logits' size.

    Parameters
    ----------
    alpha, min_margin, temperature, convex, reduction : see `lipcore.nn.losses.soft_hkr`
    alpha_mean : float
        How much of the running mean a batch leaves.

    Notes
    -----
    The mean is a buffer, written in training mode only.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> loss = lt.SoftHKRMulticlassLoss(alpha_mean=0.5)
    >>> _ = loss(torch.full((1, 2), 3.0), torch.tensor([0]))
    >>> loss.scale
    tensor(2.)
    """

    def __init__(
        self,
        alpha: float = 10.0,
        min_margin: float = 1.0,
        *,
        temperature: float = 1.0,
        alpha_mean: float = 0.99,
        convex: bool = False,
        reduction: str = "mean",
    ) -> None:
        nn.Module.__init__(self)
        self.options = {
            "alpha": alpha,
            "min_margin": min_margin,
            "temperature": temperature,
            "convex": convex,
            "reduction": reduction,
        }
        self.alpha_mean = alpha_mean
        self.register_buffer("scale", torch.tensor(float(min_margin)))

    def forward(self, logits: Array, labels: Array) -> Array:
        """Loss of logits (samples, classes) and labels."""
        if self.training:
            with torch.no_grad():
                self.scale.copy_(losses.soft_hkr_scale(self.scale, logits, decay=self.alpha_mean))
        return losses.soft_hkr(logits, labels, scale=self.scale.clone(), **self.options)
