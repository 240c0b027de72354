"""Environment, options and the printed tables of the benchmarks."""

from __future__ import annotations

import os

# Must be set before torch starts its threads: a torch (libgomp) thread that spins on a core for the next parallel
# region slows the NumPy call in between, up to thirty times on two cores. It helps the peers that mix both most.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# matfree runs the float64 cases too
os.environ.setdefault("JAX_ENABLE_X64", "1")

import platform
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness import Table, race

TABLES = pytest.StashKey[list[Table]]()
PACKAGES = (
    "numpy", "scipy", "torch", "jax", "scikit-learn", "matfree", "primme", "lipcore",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="leave out contestants that need more than about ten seconds")
    parser.addoption("--tables", metavar="FILE", help="append each table to FILE as soon as it is complete")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLES] = []


def machine() -> list[str]:
    """Describe what the times depend on: versions, BLAS kernels and thread settings."""
    import threadpoolctl

    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{package} not installed")
    pools = {
        f"{pool['internal_api']} {pool.get('version') or ''} {pool.get('architecture', '')} x{pool['num_threads']}"
        for pool in threadpoolctl.threadpool_info()
    }
    return [
        f"Python {platform.python_version()}, {os.cpu_count()} cores, OMP_WAIT_POLICY={os.environ['OMP_WAIT_POLICY']}",
        ", ".join(versions),
        "thread pools: " + ", ".join(sorted(pools)),
    ]


@pytest.fixture
def contest(request: pytest.FixtureRequest, benchmark: Any) -> Iterator[Callable[..., Table]]:
    """`contest(title, contestants, reference)` runs the race and keeps its table for the summary."""

    tables = request.config.stash[TABLES]
    known = len(tables)

    def run(*args: Any, **kwargs: Any) -> Table:
        table = race(benchmark, *args, quick=request.config.getoption("--quick"), **kwargs)
        tables.append(table)
        return table

    benchmark.group = request.node.name
    yield run
    # after the test, when the targets are written too
    if path := request.config.getoption("--tables"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write("".join(f"{table.markdown()}\n\n" for table in tables[known:]))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    tables = config.stash[TABLES]
    if not tables:
        return
    terminalreporter.section("lipcore against its peers")
    for line in machine():
        terminalreporter.write_line(line)
    for table in tables:
        terminalreporter.write_line("\n" + table.markdown())
