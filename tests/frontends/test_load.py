"""The door: suffixes, missing and odd files, and what an import costs."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from _models import normal

import lipcore as lc
from lipcore.frontends import load_weights


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".joblib"])
def test_pickles_are_not_opened(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps({"w": 1}))
    with pytest.raises(lc.ModelFormatError, match="runs code"):
        load_weights(path)


@pytest.mark.parametrize("name", ["model", "model.h5", "model.npy", "model.txt", "model.onnx.bak"])
def test_unknown_suffixes_name_the_known_ones(tmp_path, name):
    (tmp_path / name).write_bytes(b"abc")
    with pytest.raises(lc.ModelFormatError, match=r"\.onnx, \.safetensors, \.npz, \.pt or \.pth"):
        load_weights(tmp_path / name)


@pytest.mark.parametrize("suffix", ["onnx", "safetensors", "npz", "pt", "pth", "ckpt", "bin"])
def test_missing_empty_and_odd_files(tmp_path, suffix):
    path = tmp_path / f"model.{suffix}"
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_weights(path)
    path.write_bytes(b"")
    with pytest.raises(lc.ModelFormatError, match="empty"):
        load_weights(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(lc.ModelFormatError, match="folder"):
        load_weights(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(tmp_path / "model.npz")
    with pytest.raises(lc.ModelFormatError, match="no regular file"):
        load_weights(tmp_path / "model.npz")


def test_suffixes_count_in_any_case_and_paths_may_be_text(tmp_path):
    np.savez(tmp_path / "MODEL.npz", w=normal(2, 3))
    (tmp_path / "MODEL.npz").rename(tmp_path / "MODEL.NPZ")
    weights = load_weights(str(tmp_path / "MODEL.NPZ"))
    assert (weights.format, len(weights.layers)) == ("npz", 1)
    assert repr(weights).endswith("format='npz', 1 linear layers, 0 not linear, 0 not understood)")


def test_one_input_shape_says_nothing_without_a_graph(tmp_path):
    np.savez(tmp_path / "model.npz", **{"conv.weight": normal(2, 3, 3, 3)})
    with pytest.raises(lc.ModelFormatError, match="holds no graph"):
        load_weights(tmp_path / "model.npz", input_shape=(3, 8, 8))
    layer = load_weights(tmp_path / "model.npz", input_shape={"conv": [3, 8, 8]}).layers[0]
    assert layer.input_shape == (3, 8, 8)


@pytest.mark.parametrize(("suffix", "package"), [("onnx", "onnx"), ("safetensors", "safetensors"), ("pt", "torch")])
def test_a_missing_package_is_named_with_its_extra(tmp_path, suffix, package):
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(b"abc")
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import lipcore as lc\n"
        f"try:\n    lc.load_weights({str(path)!r})\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"pip install lipcore[{package}]" in done.stdout
