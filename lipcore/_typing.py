"""Names for what flows through the tower."""

from __future__ import annotations

from typing import Any, TypeAlias

# No array library publishes types that all of them satisfy; the conformance suite checks behaviour instead.
Array: TypeAlias = Any
Namespace: TypeAlias = Any
Device: TypeAlias = Any
DType: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]
