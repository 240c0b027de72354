"""Channels in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from ... import layers as L
from ._kept import Kept, joined, pairs_of, sizes
from ._layer import registered


@registered
class GroupSort(Kept):
    r"""Entries sorted within groups of neighbouring channels: deel-lip's ``GroupSort``.

    Parameters
    ----------
    n : int or None
        Entries of a group, which divides the axis; None for all of them.
    axis : int
        Axis that is sorted; the last by default, whatever the data format.
    **kwargs
        As for ``keras.layers.Layer``.

    Raises
    ------
    ValueError
        If `n` is not a positive integer, or, when the layer is built, does not divide the axis.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> np.asarray(lk.GroupSort(2)(np.array([[3.0, 1.0, 0.0, 2.0]], dtype="float32")))
    array([[1., 3., 0., 2.]], dtype=float32)
    """

    descending = False

    def __init__(self, n: Any = None, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
            raise ValueError(f"`n` must be a positive integer or None, got {n!r}")
        self.n, self.axis = n, int(axis)
        if self.axis == 0:
            raise ValueError("`axis` must not be 0, the axis of the samples")

    def build(self, input_shape: Any) -> None:
        """Check the axis."""
        size = input_shape[self.axis]
        if size is None or (self.n is not None and size % self.n):
            raise ValueError(f"`n` {self.n} must divide the axis {self.axis} of the input {tuple(input_shape)}")
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Sorted entries."""
        axis = self.axis % len(inputs.shape)
        shape = tuple(inputs.shape)
        size = self.n or shape[axis]
        if size == 2:
            first, second = pairs_of(inputs, axis)
            low, high = ops.minimum(first, second), ops.maximum(first, second)
            return joined((high, low) if self.descending else (low, high), axis, shape)
        # the batch, which may be unknown, is the one that is left to find
        groups = ops.reshape(inputs, sizes(shape[:axis], (shape[axis] // size, size), shape[axis + 1 :]))
        return ops.reshape(ops.sort(groups, axis=axis + 1), sizes(shape))

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        return L.FullSort(self.axis) if self.n is None else L.GroupSort(self.n, self.axis)

    def get_config(self) -> dict[str, Any]:
        """Options."""
        return {**super().get_config(), "n": self.n, "axis": self.axis}


@registered
class GroupSort2(GroupSort):
    """Pairs of neighbouring channels in ascending order: deel-lip's ``GroupSort2``.

    Parameters
    ----------
    axis : int
        Axis that is sorted.
    **kwargs
        As for ``keras.layers.Layer``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> np.asarray(lk.GroupSort2()(np.array([[3.0, 1.0]], dtype="float32")))
    array([[1., 3.]], dtype=float32)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(2, axis, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Options."""
        config = super().get_config()
        del config["n"]
        return config


@registered
class FullSort(GroupSort):
    """All channels in ascending order: deel-lip's ``FullSort``.

    Parameters
    ----------
    axis : int
        Axis that is sorted.
    **kwargs
        As for ``keras.layers.Layer``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> np.asarray(lk.FullSort()(np.array([[3.0, 1.0, 2.0]], dtype="float32")))
    array([[1., 2., 3.]], dtype=float32)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(None, axis, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Options."""
        config = super().get_config()
        del config["n"]
        return config


@registered
class MaxMin(GroupSort2):
    """The larger and the smaller of each pair of neighbouring channels, the MaxMin of the literature.

    Parameters
    ----------
    axis : int
        Axis whose pairs are ordered.
    **kwargs
        As for ``keras.layers.Layer``.

    Notes
    -----
    deel-lip's class of this name is ``[relu(x), relu(-x)]``, with twice as many channels.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> np.asarray(lk.MaxMin()(np.array([[1.0, 3.0]], dtype="float32")))
    array([[3., 1.]], dtype=float32)
    """

    descending = True

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        return L.MaxMin(self.axis)
