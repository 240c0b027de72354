"""Reader of NumPy archives (.npz) that takes no memory before the file has shown the bytes to fill it."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from .._typing import Array
from .records import ModelFormatError, one_line

# zlib shrinks zeros 1032 times, and weights hardly at all: a large member that grows more than 100 times is a bomb.
FREE_BYTES = 256 * 2**20
LARGEST_RATIO = 100
LONGEST_HEADER = 2**16


def read_npz(file: Path) -> dict[str, Array]:
    """Read every array of the archive.

    Parameters
    ----------
    file : Path
        The archive.

    Returns
    -------
    dict of str to numpy.ndarray
        In the archive's order.

    Raises
    ------
    ModelFormatError
        No zip archive, a member that is no array, object arrays (pickles), sizes that contradict each other.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            check_members(file, members)
            return {member.filename.removesuffix(".npy"): read_member(file, archive, member) for member in members}
    except ModelFormatError:
        raise
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise ModelFormatError(f"{file}: damaged, or no .npz archive ({one_line(error)})") from error
    except (OSError, ValueError, OverflowError, UnicodeError, MemoryError) as error:
        # zipfile seeks to offsets that the archive states: OSError and ValueError here are the file's doing
        raise ModelFormatError(f"{file}: damaged .npz archive ({one_line(error)})") from error


def check_members(file: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse double names, things that are no arrays, and zip bombs."""
    if not members:
        raise ModelFormatError(f"{file}: the archive holds no arrays")
    seen: set[str] = set()
    for member in members:
        name = member.filename
        if name in seen:
            raise ModelFormatError(f"{file}: the archive holds {name!r} twice")
        seen.add(name)
        if not name.endswith(".npy"):
            raise ModelFormatError(f"{file}: {name!r} is no NumPy array; an .npz archive holds .npy files only")
        if member.file_size > FREE_BYTES and member.file_size > LARGEST_RATIO * max(member.compress_size, 1):
            raise ModelFormatError(
                f"{file}: {name!r} would grow from {member.compress_size:,} to {member.file_size:,} bytes: "
                "refused as a zip bomb; save it uncompressed if it is real"
            )


def read_member(file: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    """Read one array; its header must agree with the member's size."""
    name = member.filename
    with archive.open(member) as stream:
        shape, fortran, dtype = read_header(file, name, stream)
        header = stream.tell()
        size = math.prod(shape) * dtype.itemsize
        if any(n < 0 for n in shape):
            raise ModelFormatError(f"{file}: {name!r} has a negative length in its shape {shape}")
        if header + size != member.file_size:
            raise ModelFormatError(
                f"{file}: {name!r} says shape {shape} of {dtype}, {size:,} bytes, "
                f"but holds {member.file_size - header:,}"
            )
        data = stream.read(size)
        if len(data) != size or stream.read(1):
            raise ModelFormatError(f"{file}: {name!r} is truncated")
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")


def read_header(file: Path, name: str, stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and dtype of a .npy stream, without evaluating anything but literals."""
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=LONGEST_HEADER)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream, max_header_size=LONGEST_HEADER)
        else:
            raise ModelFormatError(f"{file}: {name!r} has .npy version {version}; 1.0 and 2.0 are read")
    except ModelFormatError:
        raise
    except Exception as error:  # the header is a Python literal: its parser raises nearly anything on damage
        raise ModelFormatError(f"{file}: {name!r} has a damaged .npy header ({one_line(error)})") from error
    if dtype.hasobject:
        raise ModelFormatError(
            f"{file}: {name!r} holds pickled Python objects, which are not read, since loading them runs code: "
            "save a numeric array"
        )
    if len(shape) > 32:
        raise ModelFormatError(f"{file}: {name!r} has {len(shape)} axes")
    return shape, fortran, dtype
