from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "parallel_threads_limit(n): of SciPy's suites, without a meaning here")
