"""What a classifier is proved to do, from its network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import nn

from ..._typing import Array
from ...norms import Bounds
from .. import metrics
from .._certify import guaranteed
from .constrain import export
from .read import read


class _Average(nn.Module):
    """Averages over batches."""

    function: ClassVar[Callable[..., Array]]

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("total", torch.zeros((), dtype=torch.float64))
        self.register_buffer("samples", torch.zeros((), dtype=torch.int64))

    def update(self, logits: Array, labels: Array) -> None:
        """Count a batch."""
        value = type(self).function(logits.detach(), labels, **self.options)
        self.total += value.double() * len(logits)
        self.samples += len(logits)

    def compute(self) -> Array:
        """The average so far; NaN before the first batch."""
        return self.total / self.samples

    def reset(self) -> None:
        """Start anew."""
        self.total.zero_()
        self.samples.zero_()

    def forward(self, logits: Array, labels: Array) -> Array:
        """The average of one batch, which is counted."""
        self.update(logits, labels)
        return type(self).function(logits.detach(), labels, **self.options)


class CategoricalProvableAvgRobustness(_Average):
    """Mean radius within which the class is proved: `lipcore.nn.metrics.mean_certificate` over batches.

    Parameters
    ----------
    lipschitz : float, tensor or Bounds
        Of the network; see `lipcore.nn.metrics.certificates`.
    guarantee : str
        See there; ``"per_logit"`` is deel-lip's ``disjoint_neurons=True``.
    last_weight : tensor, optional
        See there.
    signed : bool
        See there.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> metric = lt.CategoricalProvableAvgRobustness(guarantee="per_logit")
    >>> metric.update(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([0, 1]))
    >>> round(float(metric.compute()), 3)
    1.5
    """

    function = staticmethod(metrics.mean_certificate)

    def __init__(
        self,
        lipschitz: float | Array | Bounds = 1.0,
        guarantee: str = "joint",
        last_weight: Array | None = None,
        signed: bool = False,
    ) -> None:
        super().__init__(lipschitz=lipschitz, guarantee=guarantee, last_weight=last_weight, signed=signed)


class CategoricalProvableRobustAccuracy(_Average):
    """Fraction of samples proved right within a radius: `lipcore.nn.metrics.certified_accuracy` over batches.

    Parameters
    ----------
    radius : float
        Largest length of a perturbation.
    lipschitz : float, tensor or Bounds
        Of the network; see `lipcore.nn.metrics.certificates`.
    guarantee : str
        See there; ``"per_logit"`` is deel-lip's ``disjoint_neurons=True``.
    last_weight : tensor, optional
        See there.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> metric = lt.CategoricalProvableRobustAccuracy(1.5, guarantee="per_logit")
    >>> float(metric(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([0, 1])))
    0.5
    """

    function = staticmethod(metrics.certified_accuracy)

    def __init__(
        self,
        radius: float = 36 / 255,
        lipschitz: float | Array | Bounds = 1.0,
        guarantee: str = "joint",
        last_weight: Array | None = None,
    ) -> None:
        super().__init__(radius=radius, lipschitz=lipschitz, guarantee=guarantee, last_weight=last_weight)


def guarantee(model: nn.Module, input_shape: Sequence[int]) -> dict[str, Any]:
    r"""Options of `lipcore.nn.metrics` with which a network's certificates are proved, from its numbers alone.

    Parameters
    ----------
    model : Module
        Constrained or plain, of modules that `certify` knows. If its last module is linear, differences of logits are
        bounded pair by pair.
    input_shape : sequence of int
        Shape of one sample.

    Returns
    -------
    dict
        `lipschitz` and `guarantee`, for ``lipcore.nn.metrics.certificates(logits, labels, **options)``, its averages,
        and the classes here.

    Notes
    -----
    With features of constant L and last weights w, the difference of two logits has the constant
    :math:`\|w_i - w_j\| L`, never more than the product of all constants times :math:`\sqrt2`.

    Examples
    --------
    >>> import torch
    >>> import lipcore as lc
    >>> import lipcore.nn.torch as lt
    >>> net = torch.nn.Sequential(lt.SpectralLinear(4, 8), lt.GroupSort2(), lt.SpectralLinear(8, 3))
    >>> x, labels = torch.randn(5, 4), torch.zeros(5, dtype=torch.int64)
    >>> proved = lc.nn.metrics.certified_accuracy(net(x), labels, 0.1, **lt.guarantee(net, (4,)))
    >>> bool(0 <= proved <= 1)
    True
    """
    return guaranteed(read(export(model)), input_shape)
