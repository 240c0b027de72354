"""The backend fixture: every test that takes `backend` runs on every array library that is here."""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from collections.abc import Iterator

import pytest
from _backends import MAKERS, Backend, entered, missing
from hypothesis import settings

import lipcore as lc
from lipcore import _backend as B

# Before anything imports them: their assertions are to explain themselves wherever they are used.
pytest.register_assert_rewrite(
    "operators.conformance", "layers.layer_conformance", "parametrizations.construction_conformance"
)

# What CI finds must be found again: there every run draws the same examples. Elsewhere each run draws new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backends",
        default=None,
        help="comma-separated backends that must be here (" + ", ".join(MAKERS) + "); default: all that are",
    )


def _choose_keras_backend(asked: list[str]) -> None:
    """Keras reads its backend when it is imported: one of the libraries asked for, as NumPy cannot train."""
    for name in ("torch", "jax"):
        if any(b.startswith(name) for b in asked) and importlib.util.find_spec(name):
            os.environ.setdefault("KERAS_BACKEND", name)
    os.environ.setdefault("KERAS_BACKEND", "numpy")


def pytest_configure(config: pytest.Config) -> None:
    if "keras" not in sys.modules:
        _choose_keras_backend(_wanted(config))
    config.addinivalue_line("markers", "backends(*names): run on these backends only; say why beside the mark")
    for name in (config.getoption("--backends") or "").split(","):
        if name and name not in MAKERS:
            raise pytest.UsageError(f"--backends: unknown backend {name!r}, choose from {', '.join(MAKERS)}")


def _wanted(config: pytest.Config) -> list[str]:
    asked = config.getoption("--backends")
    return asked.split(",") if asked else list(MAKERS)


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Columns multiplied by matrices and convolutions, by the dtype of the operator."""
    counts: dict[str, int] = {}
    for kind, hook in itertools.product((lc.Dense, lc.Convolution), ("_matmat", "_rmatmat")):
        method = getattr(kind, hook)

        def counted(self, X, plain=method):
            name = B.dtype_name(self.dtype)
            counts[name] = counts.get(name, 0) + X.shape[-1]
            return plain(self, X)

        monkeypatch.setattr(kind, hook, counted)
    return counts


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" not in metafunc.fixturenames:
        return
    only = metafunc.definition.get_closest_marker("backends")
    names = [n for n in _wanted(metafunc.config) if only is None or n in only.args]
    asked = metafunc.config.getoption("--backends") is not None
    params = []
    for name in names:
        why = missing(name)
        if why is None or name in ("cupy", "torch-cuda") or asked:
            marks = [pytest.mark.skip(reason=why)] if why else []
            params.append(pytest.param(name, id=name, marks=marks))
    metafunc.parametrize("backend", params, indirect=True)


_tests = itertools.count(1)


@pytest.fixture(autouse=True)
def _forget_compiled() -> Iterator[None]:
    """Most cases compile small programs that no other uses: gigabytes over the whole suite."""
    yield
    if next(_tests) % 100 == 0 and "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """One array library on one device."""
    with entered(request.param) as entry:
        yield entry
