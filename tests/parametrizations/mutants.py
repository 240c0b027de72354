"""Faults in constructions, each with the kind of test that has to see it."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from typing import Any

import numpy as np

Change = Callable[[Any], Any]  # of what is there


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A name in a module of the constructions, and what takes its place."""

    construction: str
    fault: str
    target: str  # module.name, or module.Class.name
    change: Change
    breaks: bool  # the promise; else the wrong map keeps it, and only the formula can tell

    @property
    def name(self) -> str:
        return f"{self.construction}: {self.fault}"


def times(factor: float) -> Change:
    """What is given back, longer or shorter."""
    return lambda there: lambda *args, **options: factor * there(*args, **options)


def given(**options: Any) -> Change:
    """Other options than asked for."""
    return lambda there: lambda *args, **asked: there(*args, **{**asked, **options})


def conjugate(there: Any) -> Any:
    """The symbol of the kernel turned around."""
    return lambda *args: np.conj(there(*args))


def same(there: Any) -> Any:
    """The first argument as it is."""
    return lambda first, *args, **options: first


def as_if_without_stride(there: Any) -> Any:
    return lambda read, *args: there(read._replace(stride=(1,) * len(read.stride)), *args)


def orthonormal(there: Any) -> Any:
    """Orthonormal rows or columns that are not the nearest."""

    def other(m: Any) -> Any:
        if m.shape[-1] > m.shape[-2]:
            return np.swapaxes(other(np.swapaxes(m, -1, -2)), -1, -2)
        return there(m * np.arange(1.0, m.shape[-1] + 1))

    return other


def not_orthonormal(there: Any) -> Any:
    return lambda m: there(m) * np.linspace(0.9, 1.0, m.shape[-1])


def transform(head: float = 1, foot: float = 1, square: float = 1, skew: float = 1) -> Change:
    """Cayley's with other signs or factors: I - head A above -2 foot V, and skew (U - U^T) + square V^T V for A."""

    def change(there: Any) -> Any:
        def made(tall: Any, xp: Any) -> Any:
            n = tall.shape[-1]
            u, v = tall[..., :n, :], tall[..., n:, :]
            a = skew * (u - np.conj(np.swapaxes(u, -1, -2))) + square * np.conj(np.swapaxes(v, -1, -2)) @ v
            return np.concatenate([np.eye(n) - head * a, -2 * foot * v], axis=-2) @ np.linalg.inv(np.eye(n) + a)

        return made

    return change


def functions(**changes: Change) -> Change:
    """The module of array functions, some of them changed for one construction."""
    return lambda there: types.SimpleNamespace(**vars(there) | {k: f(getattr(there, k)) for k, f in changes.items()})


def less_padding(there: Any) -> Any:
    """A lag lost at either end."""
    return lambda *args, padding, **options: there(
        *args, padding=tuple((max(0, a - 1), max(0, b - 1)) for a, b in padding), **options
    )


def padded_before(there: Any) -> Any:
    """Pixels on the other side."""
    return lambda *args, padding, **options: there(*args, padding=[(b, a) for a, b in padding], **options)


def off_by_one_pixel(there: Any) -> Any:
    return lambda *args: [(max(0, a - 1), b + min(1, a)) for a, b in there(*args)]


def exchanged(there: Any) -> Any:
    """The projector and its complement in each other's place."""
    return lambda x, basis, axis: np.flip(there(np.flip(x, axis=1 + axis), basis, axis), axis=1 + axis)


def shift(there: Any) -> Any:
    """A projector of rank zero: the factor is dropped, and the kernel as long as it should be."""
    return lambda x, basis, axis: there(x, np.zeros_like(basis), axis)


def without_complement(there: Any) -> Any:
    """``P`` in place of ``P + (I - P) z``."""

    def change(x: Any, basis: Any, axis: int) -> Any:
        near = (x.reshape(len(x), -1, x.shape[-1]) @ basis @ np.swapaxes(basis, -1, -2)).reshape(x.shape)
        return np.pad(near, [(0, int(a == 1 + axis)) for a in range(x.ndim)])

    return change


def turned_tile(there: Any) -> Any:
    """The taps of the first matrix in reverse."""
    return lambda *args: np.flip(there(*args), axis=tuple(range(1, 1 + len(args[3]))))


def last_axis_first(there: Any) -> Any:
    return lambda taps: there(taps)[::-1]


def of_a_half(factor: float) -> Change:
    """Reflections with a basis of another length."""
    return lambda there: lambda weight, polar: there(weight, lambda m: factor * polar(m))


def other_border(there: Any) -> Any:
    other = {"zeros": "circular", "circular": "zeros"}
    return lambda *args, padding_mode, **options: there(*args, padding_mode=other[padding_mode], **options)


def only_pairs_with_itself(there: Any) -> Any:
    return lambda *args: there(*args) * np.eye(there(*args).shape[-1])


def scales(factor: float) -> Change:
    return lambda there: lambda weight, log_scale: there(weight, log_scale=factor * log_scale)


def halves_swapped(there: Any) -> Any:
    return lambda weight, outputs: tuple(
        np.split(np.roll(np.concatenate(there(weight, outputs), axis=1), outputs, axis=1), [outputs], axis=1)
    )


def scales_of_layer(there: Any) -> Any:
    return lambda a, b, bias, log_scale, **options: there(a, b, bias, -log_scale, **options)


def not_skew(there: Any) -> Any:
    return lambda read: (there(read)[0] + 0.1 * abs(there(read)[0]), there(read)[1])


def halved(there: Any) -> Any:
    return lambda read: (there(read)[0] / 2, there(read)[1])


def half_the_angle(there: Any) -> Any:
    return lambda skew, squarings: there(skew, squarings=squarings) if squarings < 1 else there(skew / 2)


WINDOWS = [
    ("windows not counted", "_weights.Weight.windows", lambda there: lambda self: 1, True),
    ("a window less", "_weights.Weight.windows", lambda there: lambda self: max(1, there(self) - 1), True),
    ("a window more", "_weights.Weight.windows", lambda there: lambda self: there(self) + 1, False),
]
PROJECTORS = [
    ("longer basis", "aoc.with_projector", lambda there: lambda x, basis, axis: there(x, 1.1 * basis, axis), True),
    ("complement dropped", "aoc.with_projector", without_complement, True),
    ("complement and projector exchanged", "aoc.with_projector", exchanged, False),
    ("factors dropped", "aoc.with_projector", shift, False),
    ("axes in another order", "aoc.projector_axes", last_axis_first, False),
    ("longer matrix", "aoc.pointwise", times(1.01), True),
]
FAULTS: dict[str, list[tuple[str, str, Change, bool]]] = {
    "rko": [
        *WINDOWS[:2],
        ("another factor", "rko.polar", orthonormal, False),
        ("no factor", "rko.polar", not_orthonormal, True),
    ],
    "bjorck": [*WINDOWS[:2], ("few steps", "rko.bjorck_iteration", given(iterations=2), True)],
    "frobenius": [
        *WINDOWS,
        ("longer", "frobenius.root_sum_squares", times(0.99), True),
        ("shorter", "frobenius.root_sum_squares", times(1.01), False),
    ],
    "aol": [
        ("no root", "aol._factors", lambda there: lambda read, sums: there(read, sums**2), False),
        ("half of the lags", "aol.shared", times(0.5), True),
        ("a lag less", "aol.B", functions(convolve=less_padding), True),
        ("only itself", "aol.shared", only_pairs_with_itself, True),
    ],
    "spectral": [
        ("below the norm", "spectral.norm_bound", lambda f: lambda *args: (0.99 * f(*args)[0], 0.0), True),
        ("above the norm", "spectral.norm_bound", lambda f: lambda *args: (1.01 * f(*args)[0], 0.0), False),
        ("as if without a stride", "spectral.norm_bound", as_if_without_stride, False),
    ],
    "cpl_weight": [
        ("longer", "cpl.spectral", times(1.01), True),
        ("shorter", "cpl.spectral", times(0.99), False),
    ],
    "cpl": [
        ("longer", "cpl.cpl_weight", times(1.01), True),
        ("shorter", "cpl.cpl_weight", times(0.99), False),
        ("another border", "cpl.ConvexPotential", other_border, False),
    ],
    "sll_weight": [
        ("half of the lags", "sll.shared", times(0.5), True),
        ("a lag less", "aol.B", functions(convolve=less_padding), True),
        ("only itself", "sll.shared", only_pairs_with_itself, True),
    ],
    "sll": [
        ("scales upside down", "sll.sll_weight", scales(-1.0), False),
        ("scales dropped", "sll.sll_weight", scales(0.0), False),
        ("longer", "sll.sll_weight", times(1.5), True),
        ("another border", "sll.ConvexPotential", other_border, False),
    ],
    "sandwich": [
        ("longer", "sandwich.cayley", times(1.01), True),
        ("halves swapped", "sandwich.sandwich_weights", halves_swapped, False),
        ("scales upside down", "sandwich.Sandwich", scales_of_layer, False),
    ],
    "cayley": [
        ("sign of V", "cayley.transform", transform(foot=-1), False),
        ("sign of U", "cayley.transform", transform(skew=-1), False),
        ("no V^T V", "cayley.transform", transform(square=0), True),
        ("half of V^T V", "cayley.transform", transform(square=0.5), True),
        ("no I - A", "cayley.transform", transform(head=0), True),
    ],
    "lot": [
        ("another factor", "lot.polar", orthonormal, False),
        ("longer", "lot.polar", times(1.01), True),
        ("shorter", "lot.polar", times(0.99), True),
    ],
    "soc": [
        ("half of the exponent", "soc.matrix_exp", half_the_angle, False),
        ("exponent limited too far", "soc.limited", lambda there: lambda x, norm: there(x, norm / 4), False),
        ("longer", "soc.matrix_exp", times(1.01), True),
    ],
    "block_reflectors": [
        ("longer basis", "block_reflectors.by_reflections", of_a_half(1.1), True),
        ("shorter by a root of 2", "block_reflectors.by_reflections", of_a_half(0.5**0.5), True),
        ("no reflection", "block_reflectors.by_reflections", of_a_half(0.0), False),
    ],
    "bcop": [*PROJECTORS, ("another factor", "bcop.polar", orthonormal, False)],
    "aoc": [
        *PROJECTORS,
        ("another factor", "aoc.polar", orthonormal, False),
        ("tile turned around", "aoc.pointwise", turned_tile, False),
    ],
    "cayley_convolution": [
        ("turned around", "cayley_convolution.symbols", conjugate, False),
        ("sign of V", "cayley_convolution.transform", transform(foot=-1), False),
        ("no V^T V", "cayley_convolution.transform", transform(square=0), True),
    ],
    "lot_convolution": [
        ("turned around", "lot_convolution.symbols", conjugate, False),
        ("another factor", "lot_convolution.polar", orthonormal, False),
        ("longer", "lot_convolution.polar", times(1.01), True),
    ],
    "soc_convolution": [
        ("not quite skew", "soc_convolution._generator", not_skew, True),
        ("half of the exponent", "soc_convolution._generator", halved, False),
        ("two terms", "soc_convolution._degree", lambda there: lambda norm, eps: 2, True),
        ("a pixel beside", "soc_convolution._middle", off_by_one_pixel, False),
        ("another border", "soc_convolution.Convolution", other_border, False),
    ],
    "eco": [
        ("turned around", "eco.symbols", conjugate, False),
        ("turned around at last", "eco.B", functions(conj=same), False),
        ("half of the exponent", "eco.matrix_exp", half_the_angle, False),
        ("pixels before", "eco.Convolution", padded_before, False),
        ("another dilation", "eco.Convolution", given(dilation=1, padding="same"), True),
        ("longer", "eco.matrix_exp", times(1.01), True),
    ],
}
MUTANTS = [Mutant(construction, *fault) for construction, faults in FAULTS.items() for fault in faults]
