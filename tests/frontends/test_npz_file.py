"""Reader of .npz archives: what it reads, and what it refuses before it takes memory."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from _models import damaged, normal, refusals

from lipcore.frontends import ModelFormatError, load_weights, npz_file
from lipcore.frontends.npz_file import read_npz


def archive(folder: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    path = folder / "model.npz"
    with zipfile.ZipFile(path, "w", compression) as stream:
        for name, data in members.items():
            stream.writestr(name, data)
    return path


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def header(shape: str, descr: str = "<f4") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_what_numpy_writes(tmp_path, save):
    arrays = {
        "f4": normal(3, 4),
        "f8": normal(3, 4, dtype=np.float64),
        "fortran": np.asfortranarray(normal(5, 4)),
        "big": normal(3, 4).astype(">f4"),
        "complex": normal(2, 2).astype(np.complex64),
        "integers": np.arange(5),
        "scalar": np.float32(3),
        "nothing": np.zeros((0, 3), np.float32),
        "deep/name.weight": normal(2, 2, 2),
    }
    save(tmp_path / "model.npz", **arrays)
    read = read_npz(tmp_path / "model.npz")
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype


def test_object_arrays_are_refused(tmp_path):
    path = archive(tmp_path, {"w.npy": npy(np.array([{"a": 1}], dtype=object))})
    with pytest.raises(ModelFormatError, match="pickled Python objects"):
        load_weights(path)


@pytest.mark.parametrize(
    "shape", ["(1099511627776,)", "(4, 4, 4)", "(4294967296, 4294967296, 4294967296)", "(1,)", "()"]
)
def test_a_shape_that_contradicts_the_bytes_is_refused_before_memory_is_taken(tmp_path, shape):
    path = archive(tmp_path, {"w.npy": header(shape) + b"\x00" * 64})
    with pytest.raises(ModelFormatError, match="but holds 64"):
        load_weights(path)


@pytest.mark.parametrize("shape", ["(-4, -4)", "(-16,)"])
def test_negative_lengths_are_refused(tmp_path, shape):
    path = archive(tmp_path, {"w.npy": header(shape) + b"\x00" * 64})
    with pytest.raises(ModelFormatError, match="negative length"):
        load_weights(path)


@pytest.mark.parametrize("shape", ["[4]", "(True,)", "4", "('4',)", "__import__('os')", "(1.5,)", "(" * 2000])
def test_damaged_headers_are_refused(tmp_path, shape):
    path = archive(tmp_path, {"w.npy": header(shape) + b"\x00" * 16})
    with pytest.raises(ModelFormatError):
        load_weights(path)


def test_zip_bomb_is_refused_by_its_ratio(tmp_path, monkeypatch):
    monkeypatch.setattr(npz_file, "FREE_BYTES", 2**20)
    path = archive(tmp_path, {"w.npy": npy(np.zeros(2**19, np.float32))}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelFormatError, match="zip bomb"):
        load_weights(path)
    stored = archive(tmp_path, {"w.npy": npy(np.zeros(2**19, np.float32))})
    assert read_npz(stored)["w"].size == 2**19


def test_a_name_that_comes_twice_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    with zipfile.ZipFile(path, "w") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stream.writestr("w.npy", npy(normal(2, 2)))
        stream.writestr("w.npy", npy(normal(3, 3)))
    with pytest.raises(ModelFormatError, match="twice"):
        load_weights(path)


@pytest.mark.parametrize(
    ("members", "message"),
    [({}, "no arrays"), ({"notes.txt": b"hello"}, "no NumPy array"), ({"w.npy": b""}, "damaged .npy header")],
)
def test_archives_of_other_things_are_refused(tmp_path, members, message):
    with pytest.raises(ModelFormatError, match=message):
        load_weights(archive(tmp_path, members))


def test_damage_raises_nothing_but_our_own_error(tmp_path):
    np.savez_compressed(tmp_path / "good.npz", **{"conv.weight": normal(2, 3, 3, 3), "fc.weight": normal(3, 4)})
    data = (tmp_path / "good.npz").read_bytes()
    bad = tmp_path / "bad.npz"
    messages = refusals(bad, damaged(data, 300))
    assert len(messages) > 200
    assert all(str(bad) in text and "\n" not in text for text in messages)
