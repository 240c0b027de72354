"""Losses of margins, scaled logits and cosines as modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .. import losses
from .losses import FunctionLoss


class HingeMarginLoss(FunctionLoss):
    """Hinge loss of a binary classifier.

    Parameters
    ----------
    min_margin, reduction : see `lipcore.nn.losses.hinge_margin`

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.HingeMarginLoss()(torch.tensor([2.0, 0.25]), torch.tensor([1, 1]))
    tensor(0.1250)
    """

    function = staticmethod(losses.hinge_margin)


class HingeMulticlassLoss(FunctionLoss):
    """Hinge loss of several classes, one against the others.

    Parameters
    ----------
    min_margin, reduction : see `lipcore.nn.losses.multiclass_hinge`

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.HingeMulticlassLoss()(torch.tensor([[0.0, -1.0, -1.0, 0.5]]), torch.tensor([0]))
    tensor(0.6250)
    """

    function = staticmethod(losses.multiclass_hinge)


class CategoricalHingeLoss(FunctionLoss):
    """Hinge loss of the margin to the largest wrong logit.

    Parameters
    ----------
    min_margin, reduction : see `lipcore.nn.losses.categorical_hinge`

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.CategoricalHingeLoss()(torch.tensor([[-1.0, -1.5, -3.0]]), torch.tensor([0]))
    tensor(0.5000)
    """

    function = staticmethod(losses.categorical_hinge)


class MultiMarginLoss(FunctionLoss):
    """Mean hinge loss of the margins to all wrong logits.

    Parameters
    ----------
    min_margin, reduction : see `lipcore.nn.losses.multi_margin`

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.MultiMarginLoss()(torch.tensor([[1.0, 0.5, -1.0, 1.5]]), torch.tensor([0]))
    tensor(0.5000)
    """

    function = staticmethod(losses.multi_margin)


class TauCrossEntropyLoss(FunctionLoss):
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

    function = staticmethod(losses.tau_cross_entropy)
    defaults: ClassVar[Mapping[str, Any]] = {"tau": 1.0}


class TauBCELoss(FunctionLoss):
    """Binary cross-entropy of scaled scores over the scale.

    Parameters
    ----------
    tau, reduction : see `lipcore.nn.losses.tau_binary_cross_entropy`

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.TauBCELoss(tau=2.0)(torch.zeros(1), torch.tensor([1]))
    tensor(0.3466)
    """

    function = staticmethod(losses.tau_binary_cross_entropy)
    defaults: ClassVar[Mapping[str, Any]] = {"tau": 1.0}


class OffsetCrossEntropyLoss(FunctionLoss):
    """Cross-entropy after an offset is taken from the label's logit: the loss of almost orthogonal layers.

    Parameters
    ----------
    offset, temperature, reduction : see `lipcore.nn.losses.offset_cross_entropy`

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.OffsetCrossEntropyLoss(offset=0.0, temperature=1.0)(torch.zeros(1, 2), torch.tensor([0]))
    tensor(0.6931)
    """

    function = staticmethod(losses.offset_cross_entropy)


class CosineLoss(FunctionLoss):
    """Minus the cosine between the logits and the label: orthogonium's ``CosineLoss``.

    Parameters
    ----------
    reduction : see `lipcore.nn.losses.cosine`

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.CosineLoss()(torch.tensor([[3.0, 4.0]]), torch.tensor([1]))
    tensor(-0.8000)
    """

    function = staticmethod(losses.cosine)


class CosineMarginLoss(FunctionLoss):
    """The cosine and a hinge of the certificates: orthogonium's ``Cosine_VRA_Loss``.

    Parameters
    ----------
    gamma, radius, lipschitz, guarantee, reduction : see `lipcore.nn.losses.cosine_margin`

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.CosineMarginLoss()(torch.tensor([[3.0, 4.0]]), torch.tensor([1]))
    tensor(-0.7200)
    """

    function = staticmethod(losses.cosine_margin)
