"""What a classifier is proved to do, over the batches of ``fit`` and ``evaluate``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import keras
from keras import ops

from ..._typing import Array
from .. import metrics
from ._arrays import lift, lower
from ._layer import registered
from ._loss import class_labels


class _Average(keras.metrics.Mean):
    """An average over samples."""

    function: ClassVar[Callable[..., Array]]

    def __init__(self, *, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        super().__init__(name=name or type(self).__name__, dtype=dtype)
        self.options = options

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch."""
        if sample_weight is not None:
            raise ValueError(f"`sample_weight` must be None for {type(self).__name__}: every sample counts once")
        # as numbers only: a certificate has no derivative that anyone asks for
        y_pred = ops.stop_gradient(ops.convert_to_tensor(y_pred))
        y_true = class_labels(ops.convert_to_tensor(y_true), y_pred)
        value = lower(type(self).function(lift(y_pred), lift(y_true), **self.options))
        super().update_state(ops.broadcast_to(value, (y_pred.shape[0],)))

    def get_config(self) -> dict[str, Any]:
        """Options."""
        return {**super().get_config(), **self.options}


@registered
class CategoricalProvableAvgRobustness(_Average):
    """Mean radius within which the class is proved: deel-lip's class of this name.

    Parameters
    ----------
    lipschitz : float
        Of the network; see `lipcore.nn.metrics.certificates`.
    guarantee : str
        See there; ``"per_logit"`` is deel-lip's ``disjoint_neurons=True``.
    signed : bool
        See there.
    **kwargs
        ``name`` and ``dtype`` of ``keras.metrics.Mean``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> metric = lk.CategoricalProvableAvgRobustness(guarantee="per_logit")
    >>> metric.update_state(np.array([0, 1]), np.array([[2.0, 0.0], [0.0, 4.0]], dtype="float32"))
    >>> round(float(metric.result()), 3)
    1.5
    """

    function = staticmethod(metrics.mean_certificate)

    def __init__(self, lipschitz: float = 1.0, guarantee: str = "joint", signed: bool = False, **kwargs: Any) -> None:
        super().__init__(lipschitz=lipschitz, guarantee=guarantee, signed=signed, **kwargs)


@registered
class CategoricalProvableRobustAccuracy(_Average):
    """Fraction of samples proved right within a radius: deel-lip's class of this name.

    Parameters
    ----------
    radius : float
        Largest length of a perturbation.
    lipschitz : float
        Of the network; see `lipcore.nn.metrics.certificates`.
    guarantee : str
        See there; ``"per_logit"`` is deel-lip's ``disjoint_neurons=True``.
    **kwargs
        ``name`` and ``dtype`` of ``keras.metrics.Mean``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> metric = lk.CategoricalProvableRobustAccuracy(1.5, guarantee="per_logit")
    >>> metric.update_state(np.array([0, 1]), np.array([[2.0, 0.0], [0.0, 4.0]], dtype="float32"))
    >>> float(metric.result())
    0.5
    """

    function = staticmethod(metrics.certified_accuracy)

    def __init__(
        self, radius: float = 36 / 255, lipschitz: float = 1.0, guarantee: str = "joint", **kwargs: Any
    ) -> None:
        super().__init__(radius=radius, lipschitz=lipschitz, guarantee=guarantee, **kwargs)
