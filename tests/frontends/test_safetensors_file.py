"""Reader of .safetensors files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from _models import damaged, normal, refusals

from lipcore.frontends import ModelFormatError, load_weights
from lipcore.frontends.safetensors_file import read_safetensors

numpy_format = pytest.importorskip("safetensors.numpy", reason="the extra safetensors is not installed")


def raw(header: str | dict, data: bytes) -> bytes:
    text = (json.dumps(header) if isinstance(header, dict) else header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_reads_every_type_in_the_order_of_the_data(tmp_path):
    arrays = {
        "b": normal(3, 4),
        "a": normal(2, 2, dtype=np.float64),
        "half": normal(5).astype(np.float16),
        "integers": np.arange(6, dtype=np.int64).reshape(2, 3),
        "bytes": np.arange(4, dtype=np.uint8),
        "flags": np.array([True, False]),
        "scalar": np.array(2.5, np.float32),
        "nothing": np.zeros((0, 3), np.float32),
    }
    path = tmp_path / "model.safetensors"
    numpy_format.save_file(arrays, path, metadata={"format": "pt"})
    read = read_safetensors(path)
    assert set(read) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype


def test_bfloat16_is_widened_exactly(tmp_path):
    values = np.array([1.0, -2.5, 3.0e38, 1e-40, np.inf, -0.0], np.float32)
    halves = (values.view(np.uint32) >> 16).astype("<u2")
    exact = (halves.astype(np.uint32) << 16).view(np.float32)
    path = tmp_path / "model.safetensors"
    path.write_bytes(raw({"w": {"dtype": "BF16", "shape": [6], "data_offsets": [0, 12]}}, halves.tobytes()))
    read = read_safetensors(path)["w"]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, exact)


def test_types_that_numpy_has_not_are_listed_not_dropped(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(raw({"w": {"dtype": "F8_E4M3", "shape": [2, 2], "data_offsets": [0, 4]}}, b"\x00" * 4))
    weights = load_weights(path)
    assert not weights.layers
    assert [(part.name, part.reason) for part in weights.not_understood] == [("w", "type F8_E4M3 is not read")]


@pytest.mark.parametrize(
    "data",
    [
        raw({}, b""),
        raw({"__metadata__": {"a": "b"}}, b""),
        raw({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}}, b"\x00" * 8),
        raw({"w": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}, b"\x00" * 8),
        raw({"w": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]}}, b"\x00" * 8),
        raw({"w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}, b"\x00" * 16),
        raw({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"\x00" * 4),
        raw('{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}', b"\x00" * 8),
        raw("[" * 5000, b""),
        (2**62).to_bytes(8, "little") + b"{}",
    ],
)
def test_contradictions_are_refused(tmp_path, data):
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelFormatError):
        load_weights(path)


def test_a_name_that_comes_twice_is_refused(tmp_path):
    entry = '{"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}'
    path = tmp_path / "model.safetensors"
    path.write_bytes(raw(f'{{"w": {entry}, "w": {entry}}}', b"\x00" * 8))
    with pytest.raises(ModelFormatError):
        load_weights(path)


def test_damage_raises_nothing_but_our_own_error(tmp_path):
    good, bad = tmp_path / "good.safetensors", tmp_path / "bad.safetensors"
    numpy_format.save_file({"conv.weight": normal(2, 3, 3, 3), "fc.weight": normal(3, 4)}, good)
    messages = refusals(bad, damaged(good.read_bytes(), 300))
    assert len(messages) > 150
    assert all(str(bad) in text and "\n" not in text for text in messages)
