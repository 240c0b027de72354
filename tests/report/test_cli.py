"""The command line as a user meets it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from _models import normal

import lipcore as lc
from lipcore.cli import main

MNIST = Path(__file__).parents[2] / "docs" / "models" / "mnist_cnn.onnx"


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(
        path, **{"conv.weight": normal(4, 2, 3, 3), "fc.weight": normal(3, 4), "fc.bias": normal(3), "odd": normal(7)}
    )
    return path


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_kept_network_is_bounded_from_below_and_above(capsys):
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    code, out, err = run(capsys, "report", MNIST, "--format", "json", "--any-size")
    assert (code, err) == (0, "")
    data = json.loads(out)
    assert [entry["name"] for entry in data["layers"]] == [
        "conv1", "norm1", "conv2", "depthwise", "pointwise", "conv3", "dense1", "dense2"
    ]  # fmt: skip
    assert data["not_understood"] == []
    assert all(entry["bound"] == "rigorous" for entry in data["layers"])
    assert all(0 < entry["lower"] <= entry["upper"] <= 1.002 * entry["lower"] for entry in data["layers"])
    arrays = {layer.name: layer.weight for layer in lc.load_weights(MNIST).layers}
    for entry in data["layers"]:
        if entry["kind"] == "dense":
            exact = np.linalg.norm(arrays[entry["name"]].astype(float), 2)
            assert entry["lower"] <= exact * (1 + 1e-12)
            assert entry["upper"] >= exact * (1 - 1e-12)


def test_the_kept_network_at_its_own_image_size(capsys):
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    code, out, _ = run(capsys, "report", MNIST, "--format", "csv", "--rtol", "0.01")
    lines = {line["name"]: line for line in csv.DictReader(io.StringIO(out))}
    assert code == 0
    assert lines["conv2"]["image"] == "16x28x28"
    assert lines["conv3"]["image"] == "32x14x14"
    assert float(lines["conv3"]["upper"]) <= 1.011 * float(lines["conv3"]["lower"])


def test_state_dict_options_reach_the_reader(capsys, weights):
    arguments = [
        "--input-shape",
        "conv=2x8x8",
        "--geometry",
        "conv:stride=2,padding=1x0",
        "--format",
        "json",
        "--rtol",
        "0.01",
    ]
    code, out, _ = run(capsys, "report", weights, *arguments)
    layer = json.loads(out)["layers"][0]
    assert code == 0
    assert (layer["image"], layer["stride"], layer["padding"]) == ([2, 8, 8], [2, 2], [[1, 1], [0, 0]])


def test_strict_tells_by_its_exit_code_what_was_not_understood(capsys, weights):
    assert run(capsys, "report", weights)[0] == 0
    code, out, _ = run(capsys, "report", weights, "--strict")
    assert code == 4
    assert "odd (7): one axis" in out


def test_a_layer_without_a_bound_is_told_by_the_exit_code(capsys, weights):
    code, out, err = run(capsys, "report", weights, "--ord", "fro")
    assert (code, err) == (1, "")
    assert "1 of 2 layers bounded" in out


@pytest.mark.parametrize("ord", ["1", "2", "inf"])
def test_norms(capsys, weights, ord):
    code, out, _ = run(capsys, "report", weights, "--ord", ord, "--format", "json")
    layer = json.loads(out)["layers"][1]
    exact = np.linalg.norm(np.load(weights)["fc.weight"].astype(float), float(ord))
    assert code == 0
    assert layer["lower"] * (1 - 1e-12) <= exact <= layer["upper"] * (1 + 1e-12)


@pytest.mark.parametrize("name", ["report.json", "report.csv", "report.txt"])
def test_output_goes_to_a_file_in_the_form_of_its_suffix(capsys, weights, tmp_path, name):
    code, out, _ = run(capsys, "report", weights, "--output", tmp_path / name)
    text = (tmp_path / name).read_text()
    assert (code, out) == (0, "")
    assert text.startswith({"report.json": "{", "report.csv": "status,", "report.txt": str(weights)}[name])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rtol", "2"], "between 0 and 1"),
        (["--rtol", "nan"], "between 0 and 1"),
        (["--ord", "3"], "invalid choice"),
        (["--singular-values", "0"], "positive"),
        (["--input-shape", "1x-3"], "no shape"),
        (["--input-shape", "=1x3"], "no shape"),
        (["--geometry", "conv"], "no geometry"),
        (["--geometry", "conv:strides=2"], "no geometry"),
        (["--geometry", "conv:groups=2x2"], "one number"),
        (["--backend", "abacus"], "invalid choice"),
    ],
)
def test_wrong_command_lines(capsys, weights, arguments, message):
    with pytest.raises(SystemExit) as stop:
        main(["report", str(weights), *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input-shape", "2x8x8"], "holds no graph"),
        (["--input-shape", "conf=2x8x8"], "no convolution is called 'conf'"),
        (["--geometry", "conv:groups=3"], "does not divide"),
        (["--device", "cuda:7"], "no device 'cuda:7'"),
        (["--output", "/no/such/folder/report.json"], "cannot be written"),
    ],
)
def test_options_that_do_not_fit_are_one_line(capsys, weights, arguments, message):
    code, out, err = run(capsys, "report", weights, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("absent.npz", None),
        ("empty.npz", b""),
        ("text.npz", b"hello"),
        ("text.onnx", b"hello"),
        ("text.safetensors", b"hello, this is text"),
        ("text.pt", b"hello"),
        ("model.pkl", b"\x80\x04."),
        ("model.h5", b"\x89HDF\r\n\x1a\n"),
        ("folder.npz", "folder"),
    ],
)
def test_files_that_cannot_be_read_are_one_line(capsys, tmp_path, name, data):
    path = tmp_path / name
    if data == "folder":
        path.mkdir()
    elif data is not None:
        path.write_bytes(data)
    code, out, err = run(capsys, "report", path)
    assert (code, out) == (3, "")
    assert err.startswith(f"lipcore: {path}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_backends_agree(capsys, weights, library, monkeypatch):
    pytest.importorskip(library, reason=f"{library} is not installed")
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    found = []
    for name in ("numpy", library):
        code, out, err = run(capsys, "report", weights, "--backend", name, "--format", "json", "--device", "cpu")
        assert (code, err) == (0, "")
        found.append(json.loads(out)["layers"])
    for ours, theirs in zip(*found, strict=True):
        assert ours["lower"] <= theirs["upper"]
        assert theirs["lower"] <= ours["upper"]


def test_module_and_help():
    done = subprocess.run(
        [sys.executable, "-m", "lipcore", "report", "--help"], capture_output=True, text=True, check=True
    )
    for piece in ("exit codes:", "--input-shape", "rigorous", "--strict"):
        assert piece in done.stdout


def test_a_reader_that_goes_away_leaves_no_traceback(weights):
    command = [sys.executable, "-m", "lipcore", "report", str(weights), "--format", "json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 0


def test_the_command_line_imports_no_array_library_it_does_not_need():
    code = (
        "import sys; from lipcore.cli import main\n"
        "try:\n    main(['report', '--help'])\nexcept SystemExit:\n    pass\n"
        "print([n for n in ('torch', 'jax', 'onnx', 'tqdm', 'matplotlib', 'safetensors') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_progress_is_shown_on_a_terminal_only(monkeypatch):
    pytest.importorskip("tqdm", reason="the extra report is not installed")
    from lipcore.report.progress import bar

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    layers = tuple(type("Layer", (), {"name": f"layer{i}"}) for i in range(3))
    assert bar(quiet=False) is None
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert bar(quiet=True) is None
    assert list(bar(quiet=False)(layers)) == list(layers)
