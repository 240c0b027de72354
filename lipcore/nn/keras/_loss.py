"""What the losses share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from .._options import OptionsOf
from ._arrays import lift, lower


class FunctionLoss(OptionsOf, keras.losses.Loss):
    """A function of `lipcore.nn.losses` with its options, averaged over samples by Keras."""

    outer: ClassVar[Mapping[str, Any]] = {"reduction": "sum_over_batch_size", "name": None, "dtype": None}
    # -1 for what is to be maximised
    sign: ClassVar[float] = 1.0
    classes: ClassVar[bool] = True

    def __init__(self, *args: Any, **options: Any) -> None:
        found = self.read(args, options)
        super().__init__(**{name: found.pop(name) for name in self.outer})
        self.options = found

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Terms of the samples."""
        y_true = class_labels(y_true, y_pred) if self.classes else y_true
        terms = type(self).function(lift(y_pred), lift(y_true), reduction="none", **self.options)
        return lower(terms) * self.sign

    def get_config(self) -> dict[str, Any]:
        """Options."""
        return {**super().get_config(), **self.options}


def class_labels(y_true: Any, y_pred: Any) -> Any:
    """One-hot labels as they are; anything else is class numbers, which Keras gives as floats and as columns too."""
    if tuple(y_true.shape) == tuple(y_pred.shape):
        return y_true
    if len(y_true.shape) == 2 and y_true.shape[1] == 1:
        y_true = ops.squeeze(y_true, 1)
    return ops.cast(y_true, "int32")
