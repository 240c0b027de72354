"""Classes that hold the options of a function of `lipcore.nn.losses`: signature and description are read from it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from .._typing import Array
from . import losses

_BATCH = ("logits", "labels")
# what people write without a name; all else is given by name
_POSITIONAL = ("alpha", "min_margin", "tau", "gamma", "radius")
_REFERENCE = re.compile(r"^( *)(\w+(?:, \w+)*) : see `lipcore\.nn\.losses\.(\w+)`$", flags=re.MULTILINE)


class OptionsOf:
    """Takes the options of a function, all but the logits and the labels, when it is made.

    A subclass says which `function`. Where its docstring says ``alpha, convex : see `lipcore.nn.losses.hkr```, the
    descriptions of these options are put, from the function's docstring. A class with an ``__init__`` of its own says
    its signature itself.
    """

    function: ClassVar[Callable[..., Array]]
    # values other than the function's, where none is given
    defaults: ClassVar[Mapping[str, Any]] = {}
    # options of the class, with their values where none is given; the function gets none of them
    outer: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__doc__ is not None:  # as it is under `python -OO`
            cls.__doc__ = _REFERENCE.sub(_descriptions, cls.__doc__)
        if "function" in cls.__dict__ and "__init__" not in cls.__dict__:
            cls.__signature__ = _signature(cls)  # type: ignore[attr-defined]

    @classmethod
    def read(cls, args: tuple[Any, ...], options: Mapping[str, Any]) -> dict[str, Any]:
        """All options of an instance by name, or an error that says which there are."""
        signature = inspect.signature(cls)
        try:
            bound = signature.bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}: {error}; it takes {', '.join(signature.parameters)}") from None
        bound.apply_defaults()
        return bound.arguments


def _signature(cls: type[OptionsOf]) -> inspect.Signature:
    found = []
    for name, parameter in inspect.signature(cls.function).parameters.items():
        if name not in _BATCH and name not in cls.outer:
            kind = parameter.POSITIONAL_OR_KEYWORD if name in _POSITIONAL else parameter.KEYWORD_ONLY
            found.append(parameter.replace(kind=kind, default=cls.defaults.get(name, parameter.default)))
    keyword = inspect.Parameter.KEYWORD_ONLY
    found += [inspect.Parameter(name, keyword, default=value) for name, value in cls.outer.items()]
    return inspect.Signature(sorted(found, key=lambda parameter: parameter.kind))


def _descriptions(reference: re.Match[str]) -> str:
    """The entries of a function's docstring for the options that a line names."""
    indent, names, function = reference.groups()
    text = inspect.getdoc(getattr(losses, function)) or ""
    entries = (re.search(rf"^{name} : .*(?:\n +.*)*", text, flags=re.MULTILINE) for name in names.split(", "))
    lines = "\n".join(entry[0] for entry in entries if entry).split("\n")
    return "\n".join(indent + line for line in lines)
