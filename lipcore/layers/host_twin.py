"""The same layer on NumPy views of arrays that lie in the host's memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators.host_twin import HostViews, NoTwinError
from .base import Layer
from .regions import Region

# What holds no array, beside layers and what they are made of.
_PLAIN = (bool, int, float, complex, str, bytes, type(None), slice, range, np.generic, np.dtype, Region)


class HostTwin(NamedTuple):
    """A layer on NumPy arrays, and the points as such."""

    layer: Layer
    x: np.ndarray[Any, Any]


class _Layers(HostViews):
    def moved(self, x: Any) -> Any:
        """`x` with each array in it as a NumPy view; nothing that may know more about its arrays than their numbers."""
        if B.is_array(x) or isinstance(x, list | tuple | dict):
            return super().moved(x)
        if isinstance(x, _PLAIN):
            return x
        if type(x).__module__.startswith(__name__.partition(".")[0] + ".") and hasattr(x, "__dict__"):
            return self.copied(x)
        raise NoTwinError


def host_twin(layer: Layer, x: Array) -> HostTwin | None:
    """A twin of a layer of this package at `x`, or None where it has none.

    Nothing is copied. Devices, half precision, traced arrays, and layers from elsewhere, which may call their own
    library or keep what they computed, have no twin. A twin may be used in several threads.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.layers.host_twin import host_twin
    >>> host_twin(lc.layers.ReLU(), np.ones((1, 2))).x
    array([[1., 1.]])
    """
    views = _Layers()
    try:
        return HostTwin(views.moved(layer), views.moved(x))
    except NoTwinError:
        return None
