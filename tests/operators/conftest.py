"""Makes the assertions of the shared suite explain themselves, and JAX forget what it compiled for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("operators.conformance")


@pytest.fixture(autouse=True, scope="module")
def _forget_compiled() -> Iterator[None]:
    """Each case compiles some hundred small programs, which no other file uses: gigabytes over the whole suite."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
