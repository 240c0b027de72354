#!/usr/bin/env python
# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""Everything that is checked, one environment per backend: `python -m nox`, or `python -m nox -s tests_torch`.

Without arguments the sessions run that need no GPU. `nox --list` shows the others.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
# Not uv: it does not read pip's configuration, and resolves torch to a CUDA build where pip takes the CPU one.
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml("pyproject.toml")
CONSTRAINTS = str(ROOT / "tests" / "constraints.txt")
MODEL = "docs/models/mnist_cnn.onnx"

# Correctness does not need threads, and two test processes with two BLAS threads each on two cores are slower than one.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    # xdist workers must collect the same parametrisation whatever the order of sets
    "PYTHONHASHSEED": "0",
}


def group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PROJECT, name))


def install(session: nox.Session, *packages: str, extras: str = "", torch: bool = False) -> None:
    """Install torch first and by its pin, then the project with its extras and `packages`, in one resolution."""
    if torch:
        session.install("-c", CONSTRAINTS, "torch")
    session.install("-c", CONSTRAINTS, *packages, f".{extras}")


def pytest(session: nox.Session, *arguments: str, parallel: bool = True, env: dict[str, str] | None = None) -> None:
    workers = ("-n", str(min(4, os.cpu_count() or 1))) if parallel else ()
    # `python -m pytest` would put the checkout on the path before the installed package, which is what users get.
    session.run("pytest", *workers, "--timeout=900", *arguments, *session.posargs, env=ONE_THREAD | (env or {}))


def cuda_devices() -> int:
    """The number of CUDA devices that the driver shows, without any package installed."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def need_gpu(session: nox.Session) -> None:
    if not cuda_devices():
        session.skip("no CUDA device is visible here; where there is one, everything runs")


@nox.session
def lint(session: nox.Session) -> None:
    """ruff, and the Scientific Python guide's review of the repository."""
    session.install("-c", CONSTRAINTS, *group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("sp-repo-review", ".", "--show", "err")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    install(session, *group("lint"))
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """NumPy, and array-api-strict on its default device, device1 and no_float64."""
    install(session, *group("test"))
    pytest(session)


@nox.session
def tests_torch(session: nox.Session) -> None:
    """torch on the CPU."""
    install(session, *group("test"), torch=True)
    pytest(session, "--backends", "torch")


@nox.session
def tests_jax(session: nox.Session) -> None:
    """JAX on the CPU, with and without 64-bit types."""
    install(session, *group("test"), *group("test-jax"), extras="[jax]")
    # nearly all of the time is XLA compiling small programs: the two processes share what they compile, unoptimised
    quick = {
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
        "JAX_COMPILATION_CACHE_DIR": str(Path(session.create_tmp()) / "xla"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    pytest(session, "--backends", "jax-x64", env=quick)
    # with 64-bit types float32 is tested as well; without them, what chooses types. array-api-strict without float64
    # runs everything
    narrow = ("_backend", "networks", "norms/test_opnorm.py", "norms/test_opnorm_bounds.py", "solvers/test_svds.py",
              "operators/test_dense.py", "operators/test_convolution.py", "layers/test_dense.py",
              "nn/test_jax_transforms.py")  # fmt: skip
    # what takes no backend has run above
    pytest(session, *(f"tests/{path}" for path in narrow), "--backends", "jax", "-k", "jax- or jax]", env=quick)


@nox.session
def names_cupy(session: nox.Session) -> None:
    """CuPy without a GPU: that every name lipcore calls exists. It runs no array, and proves nothing about numbers."""
    install(session, *group("test"), "cupy-cuda12x>=14.0")
    pytest(session, "tests/test_house.py", "-k", "cupy", parallel=False)


@nox.session
def tests_cupy(session: nox.Session) -> None:
    """CuPy on a GPU; `nox -s tests_cupy -- --cuda 13` picks the wheels for CUDA 13."""
    need_gpu(session)
    cuda = "12"
    if "--cuda" in session.posargs:
        at = session.posargs.index("--cuda")
        cuda = session.posargs[at + 1]
        del session.posargs[at : at + 2]
    install(session, *group("test"), extras=f"[cupy{cuda}]")
    # one process: two would share one GPU's memory
    pytest(session, "--backends", "cupy", parallel=False)


@nox.session
def tests_torch_cuda(session: nox.Session) -> None:
    """torch on a GPU, with the default (CUDA) build of torch rather than the pinned CPU one."""
    need_gpu(session)
    session.install("torch")
    session.install(*group("test"), ".")
    pytest(session, "--backends", "torch-cuda", parallel=False)


@nox.session(default=False)
def tests_tensorflow(session: nox.Session) -> None:
    """The Keras networks on TensorFlow, whose tensors are no arrays: not by default, since it is large."""
    install(session, *group("test"), "tensorflow-cpu>=2.18")
    paths = sorted(str(path) for path in (ROOT / "tests" / "nn").glob("test_keras_*.py"))
    pytest(session, *paths, env={"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"})


@nox.session(default=False)
def tests_lowest(session: nox.Session) -> None:
    """The lower bounds of the hard dependencies, on NumPy."""
    lowest = [requirement.replace(">=", "==") for requirement in PROJECT["project"]["dependencies"]]
    session.install(*group("test"), ".", *lowest)
    pytest(session, "--backends", "numpy")


@nox.session
def doctest(session: nox.Session) -> None:
    """The examples in the docstrings, the README and the written pages; those of torch and JAX networks need these."""
    install(session, *group("test"), extras="[jax]", torch=True)
    pages = sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.rst"))
    files = ("--doctest-glob=*.md", "--doctest-glob=*.rst", "README.md", *pages)
    # the tests' own settings, which choose a backend for Keras, are not read here
    pytest(session, "--doctest-modules", "lipcore", *files, parallel=False, env={"KERAS_BACKEND": "torch"})


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, its gallery executed, with every warning an error."""
    install(session, *group("docs"), torch=True)
    env = ONE_THREAD | {"KERAS_BACKEND": "jax"}
    session.run(
        "sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html", *session.posargs, env=env
    )


@nox.session
def report(session: nox.Session) -> None:
    """The README's first command: the report of a real network."""
    install(session, extras="[onnx,report]")
    session.run("lipcore", "report", MODEL, *session.posargs)


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """Every claim about speed, as a ratio against a peer in the same run; missing peers are skipped by name."""
    install(session, *group("bench"), torch=True)
    # `python -m`: the benchmarks share helper modules of their folder, and no threads are capped here
    session.run("python", "-m", "pytest", "benchmarks", *session.posargs)


@nox.session(default=False)
def peers(session: nox.Session) -> None:
    """Other projects' test suites, run against lipcore; their expected failures carry a reason each."""
    # pinned: each release of SciPy brings another suite
    install(session, *group("test"), "scipy==1.17.1")
    pytest(session, "tests/peers", parallel=False)


if __name__ == "__main__":
    nox.main()
