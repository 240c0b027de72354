"""Pixels and channels in another order."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from ... import layers as L
from ..._typing import Array, Shape
from ...layers.entries import EntryLayer
from ...layers.pixel_shuffle import rearranged
from ...operators import LinearOperator


class Shuffle(EntryLayer):
    """Channels as a table, written column by column: the lipcore layer of `ChannelShuffle`.

    Parameters
    ----------
    rows : int
        Of the table, which must divide the channels.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        if shape[0] % self.rows:
            raise ValueError(f"ChannelShuffle takes a multiple of {self.rows} channels, got the shape {shape}")
        split = (self.rows, shape[0] // self.rows, *shape[1:])
        return rearranged(split, (1, 0, *range(2, len(split))), shape, shape, like)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of the input."""
        return tuple(input_shapes[0])


class InvertibleDownSampling(nn.PixelUnshuffle):
    """Blocks of pixels gathered in channels, an isometry: torchlip's ``InvertibleDownSampling``.

    Parameters
    ----------
    kernel_size : int
        Side of a block.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.InvertibleDownSampling(2)(torch.ones(1, 1, 4, 4)).shape
    torch.Size([1, 4, 2, 2])
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__(kernel_size)


class InvertibleUpSampling(nn.PixelShuffle):
    """Channels spread over blocks of pixels, an isometry: torchlip's ``InvertibleUpSampling``.

    Parameters
    ----------
    kernel_size : int
        Side of a block.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.InvertibleUpSampling(2)(torch.ones(1, 4, 2, 2)).shape
    torch.Size([1, 1, 4, 4])
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__(kernel_size)


class ChannelShuffle(nn.Module):
    """Channels read as a table of `group_in` rows and `group_out` columns, and written column by column.

    Parameters
    ----------
    group_in, group_out : int
        Rows and columns, whose product is the number of channels.

    Raises
    ------
    ValueError
        If a number is not positive; from a call, for another number of channels.

    Notes
    -----
    A permutation, so an isometry: after groups of `group_out` channels every group of `group_in` has one channel of
    each. orthogonium's ``ChannelShuffle``, and ``torch.nn.ChannelShuffle(group_in)``.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.ChannelShuffle(2, 3)(torch.arange(6.0)[None])
    tensor([[0., 3., 1., 4., 2., 5.]])
    """

    def __init__(self, group_in: int, group_out: int) -> None:
        super().__init__()
        if group_in < 1 or group_out < 1:
            raise ValueError(f"`group_in` and `group_out` must be positive, got {group_in!r} and {group_out!r}")
        self.group_in, self.group_out = group_in, group_out

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return Shuffle(self.group_in)

    def forward(self, x: Array) -> Array:
        """Channels in another order."""
        if x.shape[1] != self.group_in * self.group_out:
            raise ValueError(
                f"`x` must have {self.group_in} * {self.group_out} channels, got the shape {tuple(x.shape)}"
            )
        return x.unflatten(1, (self.group_in, self.group_out)).transpose(1, 2).flatten(1, 2)

    def extra_repr(self) -> str:
        """Options."""
        return f"group_in={self.group_in}, group_out={self.group_out}"
