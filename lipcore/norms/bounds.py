"""`Bounds`: two numbers around a norm, and what kind of truth they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from .._typing import Array
from . import rounding as r
from . import scaling as s
from .bounds_fields import KINDS, frozen, number, probability, rounded, text, weakest
from .interval import Interval, absolute, difference_or_sum, maximum, meet, root_sum_squares

__all__ = ["KINDS", "Bounds", "weakest"]


@dataclass(frozen=True, eq=False, repr=False)
class Bounds:
    """Enclosure of the norm of an operator, or of each operator of a stack.

    Parameters
    ----------
    lower, upper : float or array_like of batch_shape
        ``0 <= lower <= norm <= upper``. `upper` is infinite where it overflows, `lower` is then the largest float.
    kind : {"rigorous", "analytic", "probabilistic", "estimate"}
        What `upper` is. "rigorous": true for the stored numbers in real arithmetic, every rounding error accounted.
        "analytic": a theorem in exact arithmetic, rounding not accounted. "probabilistic": fails with at most
        `failure_probability` over the random start. "estimate": no claim. `lower` is always at least analytic.
    failure_probability : float
        Above 0 for a probabilistic bound, 0 for the stronger kinds. Set to 1 for an estimate, which claims nothing.
    ord : {1, 2, inf, "fro"}
        The norm.
    converged : bool or array_like of bool
        Whether the relative width that was asked for was reached. If not, the bounds are as true, only wider.
    matvecs : int
        Products with the operator and its adjoint that were spent.
    method : str
        How the bounds came about, in words.
    log2_lower, log2_upper : float or array_like, optional
        Base-2 logarithms of the bounds, which hold also where the floats over- or underflow. From the floats if absent.

    Raises
    ------
    ValueError
        If a bound is NaN or negative, if a lower bound exceeds its upper one, or if `failure_probability` does not fit
        `kind`.

    Notes
    -----
    Arithmetic rounds outward, takes the weakest kind and adds up failure probabilities (union bound).

    - ``c * a`` and ``a / c``: norm of ``c A``, c a number or an array of batch_shape.
    - ``a + b`` and ``a - b``: norm of ``A + B`` by the triangle inequality, ``[max(0, lA - uB, lB - uA), uA + uB]``.
      That encloses the number ``||A|| + ||B||`` as well.
    - ``a @ b``: norm of the composition ``A B``, ``[0, uA uB]``; it may vanish where neither factor does.
    - ``a * b``, ``a / b``, ``a**p``: the *numbers* ``||A|| ||B||`` (the norm of the Kronecker product),
      ``||A|| / ||B||`` and ``||A||**p``. The lower end says nothing about a composition.
    - `maximum`: the largest, for block-diagonal operators. `stacked`: ``[max l, sqrt(sum u^2)]``, for operators side by
      side or one above the other.

    Examples
    --------
    >>> from lipcore.norms.bounds import Bounds
    >>> a = Bounds(1.0, 2.0, "rigorous")
    >>> b = Bounds(3.0, 4.0, "probabilistic", 1e-9)
    >>> a @ b
    Bounds(0.0, 8.0, kind='probabilistic', failure_probability=1e-09)
    >>> print(2 * a)
    [2, 4] (rigorous)
    >>> (1e300 * (1e300 * a)).log2_upper < 1994.2
    True
    """

    lower: Array
    upper: Array
    kind: str
    failure_probability: float = 0.0
    ord: Any = 2
    _: KW_ONLY
    converged: Any = True
    matvecs: int = 0
    method: str = ""
    log2_lower: Array = None
    log2_upper: Array = None

    __array_ufunc__ = None  # NumPy scalars and arrays on the left defer to __rmul__
    __hash__ = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"`kind` must be one of {', '.join(map(repr, KINDS))}, got {self.kind!r}")
        ends = self._ends()
        for low, high, name in ((ends[0], ends[1], ""), (ends[2], ends[3], "log2_")):
            if not np.all(low <= high):
                at = int(np.argmin(low <= high))
                got = f"{np.ravel(low)[at]} > {np.ravel(high)[at]}"
                raise ValueError(f"`{name}lower` must not exceed `{name}upper`, got {got}")
        for name, value in zip(_NUMBERS, ends, strict=True):
            object.__setattr__(self, name, frozen(value))
        object.__setattr__(self, "failure_probability", probability(self.kind, self.failure_probability))
        if type(self.converged) is not bool or self.batch_shape:
            converged = np.broadcast_to(np.asarray(self.converged, dtype=bool), self.batch_shape)
            object.__setattr__(self, "converged", frozen(converged))

    def _ends(self) -> list[Array]:
        """The four numbers, checked, of one shape."""
        logs = (self.log2_lower, self.log2_upper)
        if (logs[0] is None) != (logs[1] is None):
            raise ValueError("give both `log2_lower` and `log2_upper`, or neither")
        # Infinity as a lower bound is an overflow: the norm of a finite operator is a finite number.
        lower, upper = np.minimum(number(self.lower, "lower"), s.LARGEST), number(self.upper, "upper")
        if lower.ndim == upper.ndim == 0:
            lower, upper = float(lower), float(upper)
        logs = (s.log2_down(lower), s.log2_up(upper)) if logs[0] is None else logs
        if type(lower) is float and all(type(x) is float for x in logs):
            return [lower, upper, *logs]
        return list(np.broadcast_arrays(lower, upper, *(np.asarray(x, dtype=np.float64) for x in logs)))

    @property
    def interval(self) -> Interval:
        """The four numbers, as what the arithmetic works on."""
        return Interval(self.lower, self.upper, self.log2_lower, self.log2_upper)

    @classmethod
    def from_scaled(cls, lower: Array, upper: Array, exponent: Array, kind: str, **fields: Any) -> Bounds:
        """Bounds ``[lower, upper] * 2^exponent``, whether or not a float can hold them.

        Parameters
        ----------
        lower, upper : float or ndarray
            Bounds of the operator divided by ``2^exponent``.
        exponent : int or ndarray of int
        kind : str
        **fields
            The remaining fields of `Bounds`.

        Returns
        -------
        Bounds

        Examples
        --------
        >>> b = Bounds.from_scaled(1.0, 1.5, 1100, "rigorous")
        >>> b.upper, b.log2_lower
        (inf, 1100.0)
        """
        logs = {"log2_lower": s.log2_down(lower, exponent), "log2_upper": s.log2_up(upper, exponent)}
        return cls(s.ldexp_down(lower, exponent), s.ldexp_up(upper, exponent), kind, **logs, **fields)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the stack of operators; ``()`` for one."""
        return np.shape(self.lower)

    @property
    def width(self) -> Array:
        """``upper - lower``, rounded up."""
        with np.errstate(all="ignore"):
            gap = np.subtract(self.upper, self.lower)
            return frozen(np.where(gap == 0, 0.0, np.nextafter(gap, np.inf)))

    @property
    def relative_width(self) -> Array:
        """``(upper - lower) / upper``, rounded up: between 0 and 1, also where floats overflow; 0 where both are 0."""
        with np.errstate(all="ignore"):
            direct = r.div_up(self.width, self.upper)
            by_logs = -np.expm1(-math.log(2) * np.subtract(self.log2_upper, self.log2_lower)) * (1 + r.LIBM)
            extreme = np.isinf(self.upper) | np.less(self.upper, 2.0**-1000)
            width = np.where(extreme & np.isfinite(by_logs), by_logs, direct)
            return frozen(np.where(np.equal(self.upper, 0), 0.0, np.fmin(width, 1.0)))

    def __getitem__(self, index: Any) -> Bounds:
        """The bounds of some members of the stack."""
        if self.batch_shape == ():
            raise IndexError("these bounds are of one operator, not of a stack: there is nothing to index")
        return replace(self, **{name: getattr(self, name)[index] for name in (*_NUMBERS, "converged")})

    def max(self, axis: int | tuple[int, ...] | None = None) -> Bounds:
        """Bounds of the largest norm of the stack, along `axis` or altogether.

        Raises
        ------
        ValueError
            If the stack is empty.

        Examples
        --------
        >>> Bounds([1.0, 2.0], [4.0, 3.0], "rigorous").max()
        Bounds(2.0, 4.0, kind='rigorous')
        """
        if 0 in self.batch_shape:
            raise ValueError("an empty stack of bounds has no largest member")
        picked = {name: np.max(getattr(self, name), axis=axis) for name in _NUMBERS}
        return replace(self, **picked, converged=np.all(self.converged, axis=axis))

    def repeated(self, batch_shape: tuple[int, ...]) -> Bounds:
        """The same bounds for each member of a stack of `batch_shape`, to which the present shape broadcasts."""
        names = (*_NUMBERS, "converged")
        wide: dict[str, Any] = {name: np.broadcast_to(getattr(self, name), batch_shape) for name in names}
        return replace(self, **wide)

    def maximum(self, *others: Bounds) -> Bounds:
        """Bounds of the largest of several norms, elementwise: the norm of a block-diagonal operator (ord 1, 2, inf).

        Examples
        --------
        >>> Bounds(1.0, 4.0, "rigorous").maximum(Bounds(2.0, 3.0, "analytic"))
        Bounds(2.0, 4.0, kind='analytic')
        """
        every = (self, *others)
        return _joined(every, maximum([b.interval for b in every]), "maximum")

    def stacked(self, *others: Bounds) -> Bounds:
        """Bounds of ``[A B ...]`` and of ``[A; B; ...]``: at least each, at most the root of the sum of squares.

        For ``ord="fro"`` that root is the value, so it bounds from below too.

        Raises
        ------
        ValueError
            For ord 1 and inf, where rows and columns stack differently (a sum or a maximum).

        Examples
        --------
        >>> a = Bounds(3.0, 3.0, "rigorous").stacked(Bounds(4.0, 4.0, "rigorous"))
        >>> a.lower, 5.0 <= a.upper < 5.00000000000001
        (4.0, True)
        """
        every = (self, *others)
        if self.ord not in (2, "fro"):
            raise ValueError(f"stacked bounds hold for ord 2 and 'fro', got {self.ord!r}: use a sum or `maximum` there")
        both = root_sum_squares([b.interval for b in every], lower_adds=self.ord == "fro")
        return _joined(every, both, "stack")

    def tightened(self, other: Bounds) -> Bounds:
        """The intersection of two bounds of the same norm, as true as the weaker of the two.

        Raises
        ------
        ValueError
            If they do not meet: at least one of them is false.
        """
        both = meet(self.interval, other.interval)
        if np.any(np.greater(both.lower, both.upper) | np.greater(both.log2_lower, both.log2_upper)):
            raise ValueError(f"{self!r} and {other!r} do not meet: they do not bound the same norm")
        return _joined((self, other), both, self.method or other.method)

    def weakened(self, kind: str, *, method: str = "", matvecs: int = 0, failure_probability: float = 0.0) -> Bounds:
        """The same numbers as a weaker statement, since what they were computed from is only known as well as that.

        Parameters
        ----------
        kind : str
            At most as strong as the present one; the weaker of the two counts.
        method : str, optional
            Replaces the present one if given.
        matvecs : int
            Products to add to the count.
        failure_probability : float
            To add to the present one, for a probabilistic statement.

        Returns
        -------
        Bounds
        """
        risk = min(1.0, r.add_up(self.failure_probability, failure_probability))
        return replace(
            self,
            kind=weakest([self.kind, kind]),
            failure_probability=risk,
            method=method or self.method,
            matvecs=self.matvecs + matvecs,
        )

    def __mul__(self, other: Any) -> Bounds:
        if isinstance(other, Bounds):
            return _joined((self, other), self.interval.times(other.interval), "product")
        return _joined((self,), self.interval.times(absolute(other)), self.method)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Bounds:
        every = (self, other) if isinstance(other, Bounds) else (self,)
        divisor = other.interval if isinstance(other, Bounds) else absolute(other)
        if np.any(np.equal(divisor.log2_lower, -np.inf)):
            raise ZeroDivisionError("bounds were divided by what may be zero: its lower bound is zero")
        return _joined(every, self.interval.over(divisor), self.method if len(every) == 1 else "quotient")

    def __matmul__(self, other: Any) -> Bounds:
        if not isinstance(other, Bounds):
            return NotImplemented
        high = self.interval.times(other.interval)
        nothing = np.zeros(np.shape(high.upper))
        low = Interval(nothing, high.upper, nothing - np.inf, high.log2_upper)
        return _joined((self, other), low, "composition")

    def __add__(self, other: Any) -> Bounds:
        if not isinstance(other, Bounds):
            return NotImplemented
        return _joined((self, other), difference_or_sum(self.interval, other.interval), "sum")

    __sub__ = __add__

    def __pow__(self, p: float) -> Bounds:
        if not 0 < p < math.inf:
            raise ValueError(f"bounds can be raised to positive finite powers, got {p!r}")
        return _joined((self,), self.interval.power(float(p)), f"power {p:g}")

    def __neg__(self) -> Bounds:
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bounds):
            return NotImplemented
        ours, theirs = ((b.kind, b.failure_probability, b.ord) for b in (self, other))
        return ours == theirs and all(map(np.array_equal, self.interval, other.interval))

    def __float__(self) -> float:
        raise TypeError("Bounds are two numbers, not one: take .lower or .upper")

    def __repr__(self) -> str:
        shown = f"Bounds({text(self.lower)}, {text(self.upper)}, kind={self.kind!r}"
        if self.kind == "probabilistic":
            shown += f", failure_probability={self.failure_probability:.6g}"
        if self.ord != 2:
            shown += f", ord={self.ord!r}"
        return shown + (")" if np.all(self.converged) else ", converged=False)")

    def __str__(self) -> str:
        note = self.kind
        if self.kind == "probabilistic":
            note += f", fails with probability at most {self.failure_probability:.1e}"
        if not np.all(self.converged):
            note += ", wider than asked"
        if self.batch_shape:
            whole = f" in [{np.min(self.lower, initial=np.inf):.6g}, {np.max(self.upper, initial=0.0):.6g}]"
            return f"bounds of {np.size(self.lower)} norms{whole if np.size(self.lower) else ''} ({note})"
        return f"[{rounded(self.lower, self.log2_lower, -1)}, {rounded(self.upper, self.log2_upper, 1)}] ({note})"


_NUMBERS = ("lower", "upper", "log2_lower", "log2_upper")


def _joined(every: Sequence[Bounds], numbers: Interval, method: str) -> Bounds:
    """Bounds that rest on all of `every`."""
    ords = {b.ord for b in every}
    if len(ords) > 1:
        raise ValueError(f"bounds of different norms cannot be combined: ord {', '.join(sorted(map(repr, ords)))}")
    risk = 0.0
    for b in every:
        risk = min(1.0, r.add_up(risk, b.failure_probability))
    return Bounds(
        numbers.lower,
        numbers.upper,
        weakest([b.kind for b in every]),
        risk,
        every[0].ord,
        converged=reduce(np.logical_and, [b.converged for b in every]),
        matvecs=sum(b.matvecs for b in every),
        method=method,
        log2_lower=numbers.log2_lower,
        log2_upper=numbers.log2_upper,
    )
