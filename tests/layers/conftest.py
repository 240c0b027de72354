"""Makes the assertions of the shared suite explain themselves, and JAX forget what it compiled for it."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("layers.layer_conformance")

_tests = itertools.count(1)


@pytest.fixture(autouse=True)
def _forget_compiled() -> Iterator[None]:
    """Each case compiles small programs that no other uses: gigabytes over the whole suite."""
    yield
    if next(_tests) % 100 == 0 and "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
