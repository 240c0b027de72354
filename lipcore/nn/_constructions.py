"""Which construction makes a weight, dense or a kernel: one line each, for every library's layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .. import parametrizations
from .._typing import Array


class Method(NamedTuple):
    """How weights are made: for matrices, for kernels, and with which options."""

    dense: str
    kernel: str
    options: Mapping[str, Any] = {}


METHODS: dict[str, Method] = {
    "aoc": Method("bjorck", "aoc"),
    "aol": Method("aol", "aol"),
    "bcop": Method("bjorck", "bcop"),
    "bjorck": Method("bjorck", "bjorck"),
    "block_reflectors": Method("block_reflectors", "rko"),
    "cayley": Method("cayley", "rko"),
    "frobenius": Method("frobenius", "frobenius"),
    "lot": Method("lot", "rko"),
    "rko": Method("rko", "rko"),
    "rows": Method("frobenius", "frobenius", {"rows": True}),
    "soc": Method("soc", "rko"),
    "spectral": Method("spectral", "spectral"),
}


def methods() -> list[str]:
    """Names of the constructions that layers, `constrain` and rules take.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import lipcore as lc
    >>> lc.nn.methods()[:4]
    ['aoc', 'aol', 'bcop', 'bjorck']
    """
    return sorted(METHODS)


def construction(method: str, dense: bool) -> tuple[Callable[..., Array], Mapping[str, Any]]:
    """The function that makes a weight and its options, or an error that names what there is."""
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(methods())}, got {method!r}")
    entry = METHODS[method]
    return getattr(parametrizations, entry.dense if dense else entry.kernel), entry.options


def accepted(f: Callable[..., Array], options: Mapping[str, Any], method: str) -> dict[str, Any]:
    """The options that differ from the default of 1, or an error for one that `f` does not know."""
    known = inspect.signature(f).parameters
    given = {name: value for name, value in options.items() if not _is_one(value)}
    for name in given:
        if name not in known:
            raise ValueError(f"`method` {method!r} does not know {name}={given[name]!r}")
    return given


def _is_one(value: Any) -> bool:
    return value == 1 or (isinstance(value, tuple) and all(v == 1 for v in value))
