"""Which leaves are made, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from ..._typing import Shape
from .constraint import Constraint
from .layouts import Layout, read_layout

Choice: TypeAlias = str | Constraint | None
Rules: TypeAlias = str | Constraint | Mapping[str, Choice] | Callable[[str, Any], Choice]


class PlannedLeaf(NamedTuple):
    """What becomes of one leaf.

    Attributes
    ----------
    path : str
        Its place, keys joined by "/".
    shape : tuple of int or None
        None where it is not an array.
    constraint : Constraint or None
        How it is made; None where it stays as it is.
    layout : Layout or None
        What its axes are.
    why : str
        Why it stays as it is.
    """

    path: str
    shape: Shape | None
    constraint: Constraint | None
    layout: Layout | None
    why: str

    def __str__(self) -> str:
        if self.constraint is None or self.layout is None:
            return f"{self.path}  {self.shape}  as it is: {self.why}"
        return f"{self.path}  {self.shape}  {self.layout.axes}  {self.constraint!r}"


class Plan(NamedTuple):
    """What becomes of a tree of weights.

    Attributes
    ----------
    leaves : tuple of PlannedLeaf
        Of the tree, in its order.
    """

    leaves: tuple[PlannedLeaf, ...]

    @property
    def layers(self) -> int:
        """How many layers are constrained, those of stacks one by one."""
        return sum(leaf.layout.count(leaf.shape) for leaf in self.leaves if leaf.layout is not None and leaf.shape)

    def __str__(self) -> str:
        return "\n".join(map(str, self.leaves))


def plan(params: Any, rules: Rules = "bjorck", **options: Any) -> Plan:
    r"""What `constrain` does to each leaf, without doing it.

    Parameters
    ----------
    params : pytree of array
        Raw weights, or only their shapes (``jax.eval_shape``).
    rules : str, Constraint, mapping or callable
        As for `constrain`.
    **options
        As for `constrain`.

    Returns
    -------
    Plan
        Printed, a line for each leaf.

    Raises
    ------
    TypeError, ValueError
        As `constrain`, but for what only a construction finds.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import lipcore.nn.jax as lj
    >>> params = {"Dense_0": {"bias": jnp.zeros(3), "kernel": jnp.ones((4, 3))}}
    >>> print(lj.plan(params, "rko"))
    Dense_0/bias  (3,)  as it is: a bias
    Dense_0/kernel  (4, 3)  io  Constraint('rko')
    """
    return planned(jax.tree_util.tree_flatten_with_path(params)[0], rules, options)


def planned(leaves: list[tuple[Any, Any]], rules: Rules, options: Mapping[str, Any]) -> Plan:
    """The plan for leaves with their paths, as JAX flattens them."""
    choose = _chooser(rules, options)
    paths = ["/".join(_keys(path)) for path, _ in leaves]
    names = [_name(path) for path, _ in leaves]
    found = [_leaf(path, name, leaf, choose) for path, name, (_, leaf) in zip(paths, names, leaves, strict=True)]
    choose.check(paths)
    if not any(leaf.constraint is not None for leaf in found):
        raise ValueError(f"no leaf of `params` is to be constrained; its leaves are {', '.join(paths) or 'none'}")
    return Plan(tuple(found))


def _leaf(path: str, name: str, leaf: Any, choose: _Chooser) -> PlannedLeaf:
    shape = tuple(int(n) for n in leaf.shape) if hasattr(leaf, "shape") and hasattr(leaf, "dtype") else None
    why = "not an array" if shape is None else "fewer than two axes" if len(shape) < 2 else ""
    if name == "bias":
        why = "a bias"  # of as many axes as an image has, in equinox
    if not why and not jnp.issubdtype(leaf.dtype, jnp.inexact):
        why = f"of type {leaf.dtype}"
    if why:
        return PlannedLeaf(path, shape, None, None, why)
    assert shape is not None
    constraint = choose(path, leaf)
    if constraint is None:
        return PlannedLeaf(path, shape, None, None, "its rule is None")
    try:
        groups = constraint.options.get("groups", 1)
        layout = read_layout(constraint.layout, constraint.transposed, groups, name, len(shape))
        constraint.construction(layout.dense)
    except ValueError as error:
        raise ValueError(f"leaf {path!r} of shape {shape}: {error}; a rule of None leaves the leaf as it is") from error
    return PlannedLeaf(path, shape, constraint, layout, "")


class _Chooser:
    """The constraint of a leaf, and which rules have found one."""

    def __init__(self, find: Callable[[str, Any], Choice], patterns: tuple[str, ...] = ()) -> None:
        self.find, self.patterns = find, patterns
        self.used: set[str] = set()

    def __call__(self, path: str, leaf: Any) -> Constraint | None:
        chosen = self.find(path, leaf)
        if isinstance(chosen, str):
            return Constraint(chosen)
        if chosen is None or isinstance(chosen, Constraint):
            return chosen
        raise TypeError(f"a rule must be a method, a Constraint or None, got {type(chosen).__name__} for {path!r}")

    def check(self, paths: list[str]) -> None:
        """Raise for a pattern that has found nothing."""
        for pattern in self.patterns:
            if pattern not in self.used:
                hit = [path for path in paths if matches(pattern, path)]
                why = "no leaf"
                if hit:
                    why = f"only {', '.join(hit)}, which an earlier rule takes or which is no weight"
                raise ValueError(f"the pattern {pattern!r} of `rules` matches {why}; the leaves are {', '.join(paths)}")


def _chooser(rules: Rules, options: Mapping[str, Any]) -> _Chooser:
    if isinstance(rules, str):
        one = Constraint(rules, **options)
        return _Chooser(lambda path, leaf: one)
    if options:
        raise TypeError(f"`{next(iter(options))}` belongs into a Constraint where `rules` is not the name of a method")
    if isinstance(rules, Constraint):
        return _Chooser(lambda path, leaf: rules)
    if isinstance(rules, Mapping):
        return _by_pattern(rules)
    if callable(rules):
        return _Chooser(rules)
    raise TypeError(
        "`rules` must be a method, a Constraint, a mapping of patterns to them, or a function of a path and a leaf, "
        f"got {type(rules).__name__}"
    )


def _by_pattern(rules: Mapping[str, Choice]) -> _Chooser:
    def find(path: str, leaf: Any) -> Choice:
        for pattern, choice in rules.items():
            if matches(pattern, path):
                chooser.used.add(pattern)
                return choice
        raise ValueError(
            f"no pattern of `rules` matches {path!r} of shape {tuple(leaf.shape)}: give the leaf a rule, None to leave "
            "it as it is, or '*' for all others"
        )

    chooser = _Chooser(find, tuple(rules))
    return chooser


def matches(pattern: str, path: str) -> bool:
    """Whether a glob fits a path, or the beginning of one up to a key."""
    keys = path.split("/")
    return any(fnmatchcase("/".join(keys[:count]), pattern) for count in range(1, len(keys) + 1))


def _keys(path: Any) -> list[str]:
    """The keys of a path of JAX; the box around a leaf of flax is none."""
    keys = [str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path]
    boxed = len(keys) > 1 and keys[-1] == "value" and type(path[-1]).__name__ == "GetAttrKey"
    return keys[:-1] if boxed else keys or ["."]


def _name(path: Any) -> str:
    return _keys(path)[-1]


__all__ = ["Plan", "PlannedLeaf", "Rules", "matches", "plan", "planned"]
