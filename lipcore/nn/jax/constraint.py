"""How one weight is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ... import parametrizations
from ..._typing import Array
from .. import _constructions as shared

# Options that say what layer the weight belongs to
PLACE = ("stride", "groups", "dilation")
# Weights of layers that are 1-Lipschitz together with their activation
OWN: dict[str, Callable[..., Array]] = {
    "cpl": parametrizations.cpl_weight,
    "sandwich": parametrizations.cayley,
    "sll": parametrizations.sll_weight,
}


def methods() -> list[str]:
    """Names that `Constraint` and `constrain` take.

    Returns
    -------
    list of str
        Constructions of `lipcore.parametrizations`; those for matrices alone make kernels by ``rko``. "cpl", "sll" and
        "sandwich" make the weights of `as_potential` and `as_sandwich`.

    Examples
    --------
    >>> import lipcore.nn.jax as lj
    >>> "rko" in lj.methods() and "sll" in lj.methods()
    True
    """
    return sorted([*shared.METHODS, *OWN])


class Constraint:
    r"""How a weight is made from the free one: a construction, the meaning of the axes, and options.

    Parameters
    ----------
    method : str or callable
        One of `methods()`, or a function ``method(weight, **options)`` that JAX can trace, of a weight laid out
        ``(out, in / groups, *k)``.
    layout : str, optional
        One letter for each axis of the weight: i (inputs), o (outputs), k (taps of a kernel), b (layers of a stack,
        each made by itself). Several axes of inputs or outputs are taken as one. By default it is known for weights of
        2 and 4 axes by their last name: ``kernel`` is "io" and "kkio" (flax), ``weight`` "oi" and "oikk" (equinox,
        torch).
    transposed : bool, default False
        For a transposed convolution: the weight of the convolution that it transposes is made.
    lipschitz : float, default 1.0
        Factor of the result.
    **options
        Of the construction: ``stride``, ``groups``, ``dilation`` of the convolution, and its own.

    Raises
    ------
    TypeError
        If `method` is neither a name nor callable.
    ValueError
        If it is not a known name, or `lipschitz` is not positive and finite. Options that the construction does not
        know show where it meets a weight: it may be another one for matrices than for kernels.

    Notes
    -----
    Weights do not know the stride, groups and dilation of their layers. Left out, they are taken to be 1, which is on
    the safe side: subsampling, a smaller support and other places of the taps do not raise the norm; the layer is no
    longer orthogonal.

    Leaves beside the weight that are named as an option of the construction (``log_scale`` of "sll") are given to it.

    Examples
    --------
    >>> import lipcore.nn.jax as lj
    >>> lj.Constraint("aoc", layout="kkio", stride=2)
    Constraint('aoc', layout='kkio', stride=2)
    """

    def __init__(
        self,
        method: str | Callable[..., Array],
        *,
        layout: str | None = None,
        transposed: bool = False,
        lipschitz: float = 1.0,
        **options: Any,
    ) -> None:
        if not callable(method) and not isinstance(method, str):
            raise TypeError(f"`method` must be a name or a function, got {type(method).__name__}")
        self.method, self.layout, self.transposed = method, layout, bool(transposed)
        self.lipschitz = checked_lipschitz(lipschitz)
        self.options = {name: _hashable(value) for name, value in options.items()}
        if isinstance(method, str) and method not in methods():
            raise ValueError(f"`method` must be one of {', '.join(methods())}, got {method!r}")

    def construction(self, dense: bool) -> tuple[Callable[..., Array], dict[str, Any]]:
        """The function that makes a matrix or a kernel, and its options; an error for those that it does not know."""
        fixed: Mapping[str, Any] = {}
        if callable(self.method):
            function, name = self.method, str(getattr(self.method, "__name__", "the function"))
        elif self.method in OWN:
            function, name = OWN[self.method], self.method
        else:
            function, fixed = shared.construction(self.method, dense)
            name = self.method
        place = {key: self.options[key] for key in PLACE if key in self.options}
        own = {key: value for key, value in self.options.items() if key not in place}
        known = inspect.signature(function).parameters
        unknown = [key for key in own if key not in known and not _takes_any(function)]
        if unknown:
            raise ValueError(
                f"`method` {name!r} does not know {unknown[0]}={own[unknown[0]]!r} for "
                f"{'matrices' if dense else 'kernels'}"
            )
        return function, {**fixed, **shared.accepted(function, place, name), **own}

    def _key(self) -> tuple[Any, ...]:
        return (self.method, self.layout, self.transposed, self.lipschitz, tuple(sorted(self.options.items())))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constraint) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        name = repr(self.method) if isinstance(self.method, str) else getattr(self.method, "__name__", "function")
        shown: dict[str, Any] = {"layout": self.layout} if self.layout is not None else {}
        if self.transposed:
            shown["transposed"] = True
        if self.lipschitz != 1.0:
            shown["lipschitz"] = self.lipschitz
        return f"Constraint({', '.join([name, *(f'{k}={v!r}' for k, v in {**shown, **self.options}.items())])})"


def checked_lipschitz(value: Any) -> float:
    """A positive finite number."""
    number = float(value)
    if not 0 < number < float("inf"):
        raise ValueError(f"`lipschitz` must be positive and finite, got {value!r}")
    return number


def _takes_any(function: Callable[..., Any]) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in inspect.signature(function).parameters.values())


def _hashable(value: Any) -> Any:
    return tuple(_hashable(v) for v in value) if isinstance(value, list | tuple) else value
