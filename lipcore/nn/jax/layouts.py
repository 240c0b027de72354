"""What the axes of a weight are: a letter for each."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp

from ..._typing import Array, Shape

# Three and five axes may be a kernel, a stack of layers, or a matrix with several axes for its inputs: not guessed.
NAMED = {
    ("kernel", 2): "io",
    ("kernel", 4): "kkio",
    ("weight", 2): "oi",
    ("weight", 4): "oikk",
}
LETTERS = {"b": "layers of a stack", "o": "outputs", "i": "inputs", "k": "taps of a kernel"}


class Layout(NamedTuple):
    """Axes of a weight.

    Attributes
    ----------
    axes : str
        One of the letters b, o, i, k for each axis.
    transposed : bool
        Whether the layer is a transposed convolution: what is made is the kernel of the one that it transposes, whose
        outputs are its inputs.
    groups : int
        Of the convolution.
    """

    axes: str
    transposed: bool = False
    groups: int = 1

    @property
    def dense(self) -> bool:
        """Whether there are no taps."""
        return "k" not in self.axes

    @property
    def stacked(self) -> bool:
        """Whether the weight holds several layers."""
        return "b" in self.axes

    def count(self, shape: Shape) -> int:
        """How many layers the weight holds."""
        return math.prod(self._sizes("b", shape))

    def standard(self, weight: Array) -> Array:
        """``(out, in, *k)`` as torch has it, behind one axis of layers in a stack."""
        order = [place for letter in "boik" for place in self._places(letter)]
        split = jnp.transpose(weight, order)
        shape = tuple(int(n) for n in weight.shape)
        merged = [math.prod(self._sizes(letter, shape)) for letter in ("boi" if self.stacked else "oi")]
        return self._swapped(jnp.reshape(split, (*merged, *self._sizes("k", shape))))

    def restored(self, weight: Array, shape: Shape) -> Array:
        """Back from `standard`, for a weight of `shape`."""
        order = [place for letter in "boik" for place in self._places(letter)]
        split = jnp.reshape(self._swapped(weight), tuple(shape[place] for place in order))
        return jnp.transpose(split, sorted(range(len(order)), key=order.__getitem__))

    def _places(self, letter: str) -> list[int]:
        return [place for place, found in enumerate(self.axes) if found == letter]

    def _sizes(self, letter: str, shape: Shape) -> Shape:
        return tuple(shape[place] for place in self._places(letter))

    def _swapped(self, weight: Array) -> Array:
        """Inputs and outputs exchanged, group by group: its own inverse."""
        if not self.transposed:
            return weight
        at = 1 if self.stacked else 0
        before, (first, second, *taps) = tuple(weight.shape[:at]), tuple(weight.shape[at:])
        if first % self.groups:
            raise ValueError(f"`groups` must divide the {first} channels of the weight, got {self.groups}")
        split = jnp.reshape(weight, (*before, self.groups, first // self.groups, second, *taps))
        turned = jnp.swapaxes(split, at + 1, at + 2)
        return jnp.reshape(turned, (*before, self.groups * second, first // self.groups, *taps))


def read_layout(layout: str | None, transposed: bool, groups: Any, name: str, axes: int) -> Layout:
    """The layout that is given, or what the last name of a leaf says, or an error that asks for it."""
    if layout is None:
        layout = NAMED.get((name, axes))
        if layout is None:
            raise ValueError(
                f"`layout` is needed: the name {name!r} of a weight with {axes} axes does not say which of them are "
                f"{_letters()}; give one letter for each axis, such as 'io' (a kernel of flax), 'oi' (a weight of "
                "equinox), 'kio' or 'oik' (1-D convolutions), 'boi' (a stack of layers), 'ioo' (inputs to heads)"
            )
    wrong = sorted(set(layout) - set(LETTERS))
    if wrong or len(layout) != axes or "o" not in layout or "i" not in layout:
        raise ValueError(
            f"`layout` must have a letter for each of the {axes} axes, {_letters()}, at least one o and one i; got "
            f"{layout!r}"
        )
    if transposed and "k" not in layout:
        raise ValueError(f"`transposed` is for convolutions, the layout {layout!r} has no taps")
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise ValueError(f"`groups` must be a positive integer, got {groups!r}")
    return Layout(layout, bool(transposed), groups)


def _letters() -> str:
    return ", ".join(f"{letter} ({what})" for letter, what in LETTERS.items())
