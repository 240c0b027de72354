"""Group norm and instance norm: rows over the channels of a group and all places."""

from __future__ import annotations

import math

from .. import _backend as B
from .._typing import Array, Namespace, Shape
from .row_normalization import RowNormalizing
from .scalars import count


class GroupNorm(RowNormalizing):
    r"""Group norm, :math:`g \circ (x - \bar x) / \sqrt{\mathrm{var}(x) + e} + b` over groups of channels.

    Parameters
    ----------
    num_groups : int
        Number of groups, which divides the number of channels, the first axis of a sample.
    eps : float
        The stabiliser e, not negative.
    weight, bias : array, shape (channels,), optional
        The factors g and the shift b of the channels.

    Raises
    ------
    ValueError
        If `num_groups` is not positive or does not divide the channels, a shape does not fit, or `eps` is negative.

    Notes
    -----
    Each group, its channels at all places, is a row of layer norm, whose Jacobian and constants hold with the factors
    of its channels; the largest group counts. In the inf- and 1-norm the largest factors of all groups are taken
    together, which is the truth where groups have the same. Wu and He 2018 (arXiv 1803.08494).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> norm = lc.layers.GroupNorm(2, eps=1e-4)
    >>> norm(np.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 5.0], [7.0, 7.0]]])).shape
    (1, 4, 2)
    >>> round(norm.lipschitz(input_shape=(4, 2)).upper, 6)
    100.0
    """

    def __init__(
        self, num_groups: int, eps: float = 1e-5, weight: Array | None = None, bias: Array | None = None
    ) -> None:
        self.num_groups = count(num_groups, "num_groups")
        _check_channels(weight, bias)
        super().__init__(eps, weight, bias)

    def _groups(self, channels: int) -> int:
        if channels % self.num_groups:
            raise ValueError(f"`num_groups` {self.num_groups} must divide the channels, got {channels}")
        return self.num_groups

    def _layout(self, shape: Shape) -> Shape:
        if not shape:
            raise ValueError("`x` must have a channel axis after that of the samples")
        for name in ("weight", "bias"):
            array = getattr(self, name)
            if array is not None and array.shape[0] != shape[0]:
                raise ValueError(f"`{name}` has {array.shape[0]} channels, a sample has the shape {tuple(shape)}")
        groups = self._groups(shape[0])
        return (groups, math.prod(shape) // groups, 1)

    def _spread(self, xp: Namespace, values: Array, layout: Shape) -> Array:
        groups, n, _ = layout
        channels = values.shape[0] // groups
        over = xp.broadcast_to(xp.reshape(values, (groups, channels, 1)), (groups, channels, n // channels))
        return xp.reshape(over, layout)


class InstanceNorm(GroupNorm):
    r"""Instance norm, layer norm over the places of each channel.

    Parameters
    ----------
    eps : float
        The stabiliser e, not negative.
    weight, bias : array, shape (channels,), optional
        The factors g and the shift b of the channels, the first axis of a sample.

    Raises
    ------
    ValueError
        If a shape does not fit, or `eps` is negative.

    Notes
    -----
    Group norm with a group for each channel: the 2-norm is :math:`\max|g| / \sqrt e`. Statistics are those of the
    sample. Ulyanov, Vedaldi and Lempitsky 2016 (arXiv 1607.08022).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> norm = lc.layers.InstanceNorm(eps=1e-4)
    >>> norm(np.array([[[1.0, 3.0], [5.0, 5.0]]]))
    array([[[-0.99995,  0.99995],
            [ 0.     ,  0.     ]]])
    """

    def __init__(self, eps: float = 1e-5, weight: Array | None = None, bias: Array | None = None) -> None:
        super().__init__(1, eps, weight, bias)

    def _groups(self, channels: int) -> int:
        return channels


def _check_channels(weight: Array | None, bias: Array | None) -> None:
    for name, array in (("weight", weight), ("bias", bias)):
        if array is not None and B.is_array(array) and array.ndim != 1:
            raise ValueError(f"`{name}` must have shape (channels,), got {tuple(array.shape)}")
