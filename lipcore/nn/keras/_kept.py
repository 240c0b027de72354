"""Layers whose outputs have the shape of their inputs, and neighbours along an axis."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class Kept(keras.layers.Layer):
    """A layer whose outputs have the shape of its inputs."""

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the input."""
        return input_shape


def sizes(*parts: Any) -> tuple[int, ...]:
    """A shape for `reshape`, where the unknown size of the batch is to be found."""
    return tuple(-1 if n is None else int(n) for part in parts for n in part)


def pairs_of(x: Any, axis: int) -> tuple[Any, Any]:
    """Both of each pair of neighbours."""
    shape = tuple(x.shape)
    pairs = ops.reshape(x, sizes(shape[:axis], (shape[axis] // 2, 2), shape[axis + 1 :]))
    first, second = ops.split(pairs, 2, axis=axis + 1)
    return ops.squeeze(first, axis + 1), ops.squeeze(second, axis + 1)


def joined(pair: tuple[Any, Any], axis: int, shape: Any) -> Any:
    """Pairs side by side again, in `shape`."""
    return ops.reshape(ops.stack(pair, axis=axis + 1), sizes(shape))
