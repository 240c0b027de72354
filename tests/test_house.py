"""Guards of the house: who imports whom, what an import costs, what is promised in public, what the README says."""

from __future__ import annotations

import ast
import dataclasses
import importlib.metadata
import importlib.util
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from numpydoc.validate import validate

import lipcore

ROOT = Path(__file__).parents[1]
PACKAGE = Path(lipcore.__file__).parent

# A floor imports only floors below it, and rooms on one floor do not import each other.
FLOORS = {
    "_typing": 0,
    "_errors": 0,
    "_backend": 1,
    "operators": 2,
    "solvers": 3,
    "norms": 4,
    "orthogonal": 4,
    "layers": 5,
    "parametrizations": 6,
    "networks": 7,
    "nn": 8,
    "frontends": 9,
    "report": 10,
    "cli": 11,
    "__main__": 12,
    "__init__": 13,
}

# Which rooms may name which optional package.
HOMES = {
    **{name: {"_backend", "frontends", "nn"} for name in ("torch", "jax", "jaxlib", "cupy", "cupyx")},
    **{name: {"frontends", "nn"} for name in ("onnx", "keras", "h5py", "safetensors")},
    "matplotlib": {"report"},
}
NEVER_ON_IMPORT = [*HOMES, "tqdm", "pandas", "array_api_strict"]
SOURCES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Absolute dotted names that `path` imports, wherever in the file, with their lines."""
    package = ["lipcore", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            for alias in node.names:
                yield node.lineno, ".".join([*base, *filter(None, [node.module]), alias.name])
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func).rsplit(".", 1)[-1]
            if called in ("import_module", "__import__") and isinstance(node.args[0], ast.Constant):
                yield node.lineno, str(node.args[0].value)


def test_every_room_has_a_floor():
    assert {room(path) for path in SOURCES} <= set(FLOORS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_floors_below(path):
    here = room(path)
    wrong = []
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] != "lipcore" or len(parts) < 2:
            continue
        there = parts[1]
        if there == here or (there == "__version__" and FLOORS[here] > 0):
            continue
        if there not in FLOORS:
            wrong.append(f"line {line}: `{name}` is not a room; import from where the name is defined")
        elif FLOORS[there] >= FLOORS[here]:
            wrong.append(f"line {line}: {here} (floor {FLOORS[here]}) imports {there} (floor {FLOORS[there]})")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_optional_packages_stay_at_home(path):
    wrong = [
        f"line {line}: {name} outside {sorted(HOMES[name.split('.')[0]])}"
        for line, name in imports(path)
        if name.split(".")[0] in HOMES and room(path) not in HOMES[name.split(".")[0]]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("floor", ["operators", "solvers", "norms", "orthogonal"])
def test_no_library_is_named_above_the_ground(floor):
    """Not even as a string to compare a namespace with."""
    wrong = []
    for path in sorted((PACKAGE / floor).rglob("*.py")):
        wrong += [
            f"{path.relative_to(PACKAGE)}:{node.lineno}: {node.value!r}"
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Constant) and node.value in ("torch", "jax", "cupy", "numpy")
        ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400, "split the file: one thing each"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if ast.get_docstring(node) is not None and len(node.body) > 1 else node.body[0]
            length = (node.end_lineno or 0) - first.lineno + 1
            assert length <= 60, f"{node.name}: {length} lines of code"


def test_import_brings_in_no_optional_package():
    code = f"import sys, lipcore; print(*(n for n in {NEVER_ON_IMPORT!r} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_version_is_the_installed_one():
    try:
        installed = importlib.metadata.version("lipcore")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("lipcore is not installed here, only importable")
    assert installed == lipcore.__version__


# --- the public surface ---------------------------------------------------------------------------------------------


def _is_importable(name: str) -> bool:
    """Whether a package works here: Keras' NumPy backend imports JAX."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def public_modules() -> list[ModuleType]:
    found = [lipcore]
    rooms = ("operators", "solvers", "norms", "orthogonal", "layers", "parametrizations", "networks", "nn",
             "nn.losses", "nn.metrics", "frontends", "report")  # fmt: skip
    rooms += tuple(f"nn.{name}" for name in ("jax", "keras", "torch") if _is_importable(name))
    for name in rooms:
        path = PACKAGE.joinpath(*name.split("."))
        if (path / "__init__.py").exists() or path.with_suffix(".py").exists():
            found.append(importlib.import_module(f"lipcore.{name}"))
    return found


@pytest.mark.parametrize("module", public_modules(), ids=lambda m: m.__name__)
def test_all_is_the_public_names(module):
    names = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and name != "annotations" and not inspect.ismodule(value)
    }
    listed = list(getattr(module, "__all__", []))
    assert len(listed) == len(set(listed)), "a name stands twice in __all__"
    hidden = {name for name in listed if name.startswith("_") or inspect.ismodule(getattr(module, name))}
    assert set(listed) - hidden == names


def public_objects() -> dict[str, object]:
    """Each public object once, under the shortest dotted name that reaches it."""
    objects: dict[int, tuple[str, object]] = {}
    for module in public_modules():
        for name in getattr(module, "__all__", []):
            value = getattr(module, name)
            if callable(value):
                objects.setdefault(id(value), (f"{module.__name__}.{name}", value))
    return dict(objects.values())


PUBLIC = public_objects()
# numpydoc's codes: no docstring, no summary, a parameter that is missing, unknown or undescribed, no Returns, no
# Yields, no Examples. Not the order of the parameters: those that belong together are described together.
NEEDED = {"GL08", "SS01", "PR01", "PR02", "PR07", "RT01", "YD01", "EX01"}
# What is only ever received is shown by the function that returns or raises it, and its fields are attributes.
NEEDED_OF_RESULTS = {"GL08", "SS01"}


def fields_of_result(value: object) -> list[str] | None:
    """Fields of a dataclass, named tuple or exception that users do not make themselves; None for anything else."""
    if not isinstance(value, type) or value is getattr(lipcore, "Bounds", None):
        return None
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
    if issubclass(value, tuple | Exception):
        return list(getattr(value, "_fields", ()))
    return None


@pytest.mark.parametrize("name", PUBLIC)
def test_public_docstrings_are_whole(name):
    fields = fields_of_result(PUBLIC[name])
    needed = NEEDED if fields is None else NEEDED_OF_RESULTS
    errors = [f"{code} {text}" for code, text in validate(name)["errors"] if code in needed]
    text = inspect.getdoc(PUBLIC[name]) or ""
    errors += [f"field {field} is not described" for field in fields or () if not re.search(rf"(?i)\b{field}\b", text)]
    assert not errors, "\n".join(errors)


@pytest.mark.skipif(not (ROOT / "docs").exists(), reason="the documentation is not beside the tests")
@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_in_the_reference(name):
    entries = {line.strip() for line in (ROOT / "docs" / "reference.rst").read_text("utf-8").splitlines()}
    assert name.removeprefix("lipcore.") in entries or name in entries


def gallery_subjects() -> list[str]:
    """Operators and solvers, each of which has a page of the gallery that calls it."""
    floors = [module for module in public_modules() if module.__name__ in ("lipcore.operators", "lipcore.solvers")]
    names = [name for floor in floors for name in floor.__all__]
    # results, errors, and what `aslinearoperator` makes
    plumbing = re.compile(r"Result$|Error$|Pairs$|Triplets$|^State$|^SparseMatrix$|^check_adjoint$|^aslinearoperator$")
    return [name for name in names if not plumbing.search(name)]


@pytest.mark.skipif(not (ROOT / "docs").exists(), reason="the documentation is not beside the tests")
@pytest.mark.parametrize("name", gallery_subjects())
def test_gallery_shows(name):
    pages = [page.read_text("utf-8") for page in (ROOT / "docs" / "gallery").glob("plot_*.py")]
    assert any(re.search(rf"\blc\.(?:solvers\.)?{name}\b", page) for page in pages)


# --- what the README says ------------------------------------------------------------------------------------------


def readme_commands() -> list[str]:
    text = (ROOT / "README.md").read_text("utf-8")
    return [block.strip() for block in re.findall(r"^```bash\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)]


def test_readme_has_the_two_commands():
    first, second = readme_commands()[:2]
    assert "lipcore report" in first
    assert "nox" in second


def test_ci_runs_the_readme_test_command():
    printed = subprocess.run(
        ["bash", str(ROOT / ".ci" / "run"), "--print"], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()
    assert printed == readme_commands()[1]


def test_readme_report_is_the_nox_report():
    model = readme_commands()[0].split()[-1]
    assert (ROOT / model).is_file()
    assert f'"{model}"' in (ROOT / "noxfile.py").read_text("utf-8")


def test_sessions_that_the_pages_name_exist():
    defined = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text("utf-8"), flags=re.MULTILINE))
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.rst"), *(ROOT / "benchmarks").glob("*.md")]
    for page in pages:
        named = set(re.findall(r"nox -s (\w+)", page.read_text("utf-8")))
        assert named <= defined, f"{page.name}: {sorted(named - defined)}"


# --- CuPy, without a GPU -------------------------------------------------------------------------------------------


def cupy_is_here() -> bool:
    return importlib.util.find_spec("cupy") is not None


def names_on(root: str, path: Path) -> set[str]:
    """Dotted attributes read from the name `root` in one file: `cupy.linalg.svd` gives `linalg.svd`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            if re.fullmatch(rf"(?:self\.|\w+\.)?{root}(\.\w+)+", dotted):
                found.add(re.sub(rf"^(?:\w+\.)?{root}\.", "", dotted))
    return found


def reach(module: object, dotted: str) -> bool:
    for part in dotted.split("."):
        if not hasattr(module, part):
            return False
        module = getattr(module, part)
    return True


@pytest.mark.skipif(not cupy_is_here(), reason="cupy is not installed")
def test_names_read_from_cupy_exist():
    """Presence only: no array is made, so this says nothing about numbers."""
    import cupy

    missing = []
    for path in sorted((PACKAGE / "_backend").rglob("*.py")):
        missing += [f"{path.name}: cupy.{name}" for name in names_on("cupy", path) if not reach(cupy, name)]
        for line, name in imports(path):
            module = name.rsplit(".", 1)[0]
            if name.startswith(("cupy.", "cupyx.")) and importlib.util.find_spec(module) is None:
                missing.append(f"{path.name}:{line}: {module}")
    assert not missing, "\n".join(missing)


@pytest.mark.skipif(not cupy_is_here(), reason="cupy is not installed")
def test_names_read_from_the_namespace_exist_in_cupy():
    """Presence only, as above. The ground's branches for one library are its own business, so it is left out here."""
    import array_api_compat.cupy

    own = {"__name__"}
    missing = []
    for path in SOURCES:
        if room(path) != "_backend":
            names = names_on("xp", path) - own
            missing += [f"{path.name}: xp.{name}" for name in names if not reach(array_api_compat.cupy, name)]
    assert not missing, "\n".join(missing)
