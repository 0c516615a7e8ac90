"""Array files: IDX, the format of MNIST (a short header, then the numbers), and NumPy's .npy and .npz."""

import gzip
import math
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from vae_edu.data.errors import DatasetError, one_line
from vae_edu.data.paths import kind_of
from vae_edu.data.room import check_room

Readable = BinaryIO | gzip.GzipFile
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
BROKEN_NPY = ValueError, EOFError, OSError, SyntaxError, tokenize.TokenError, TypeError, OverflowError


def read_idx(path: str | Path) -> Tensor:
    """Read an IDX file, gzipped or not.

    Format: two zero bytes, the type (8 = unsigned byte), the number of dimensions, each dimension
    as a big-endian 32-bit integer, then the data (Y. LeCun, the MNIST database).

    Returns:
        Of the header's shape and type: uint8, int8, int16, int32, float32 or float64.

    Raises:
        DatasetError: If the file is missing, is not IDX, or does not hold what its header says.
    """
    array = _idx(Path(path))
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))


def read_array(path: Path, mapped: bool = False) -> np.ndarray:
    """The array in an IDX or .npy file.

    Args:
        path: Of the file; the ending .npy tells one format from the other.
        mapped: Whether to leave it in the file, from which what is used gets read. Writing into it ends the
            process, and so does reading from a file that has become shorter.

    Raises:
        DatasetError: If the file is missing, damaged, or holds something else (pickled objects are never
            loaded), or cannot be mapped because it is gzipped.
    """
    if path.suffix == ".npy":
        array = _mapped_npy(path)
        if not mapped:
            check_room(array.nbytes, str(path))
            return np.array(array)
    else:
        array = _mapped_idx(path) if mapped else _idx(path)
    return array


def read_npz(path: Path, name: str) -> np.ndarray:
    """One array of a .npz file.

    Raises:
        DatasetError: If the file is damaged, or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_room(archive.getinfo(f"{name}.npy").file_size, f"{name} in {path}")
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[name]
    except DatasetError:
        raise
    except (*BROKEN_NPY, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise _broken_npz(path, error) from error


def names_in_npz(path: Path) -> list[str]:
    """The names of the arrays in a .npz file.

    Raises:
        DatasetError: If it is no such file.
    """
    with opened(path):
        pass
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _broken_npz(path, error) from error


def _broken_npz(path: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"{path} is not a .npz file of numbers, or is damaged ({one_line(error)}): write it with np.savez."
    )


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read from.

    Raises:
        DatasetError: If it cannot be read, or is no file.
    """
    if kind_of(path) == "folder":
        raise DatasetError(f"{path} cannot be read, it is a folder: name a file.")
    try:
        with open(path, "rb") as file:
            yield file
    except gzip.BadGzipFile:
        raise
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror or error}): check the path.") from error


def _idx(path: Path) -> np.ndarray:
    """An IDX file read into memory."""
    try:
        with opened(path) as file:
            gzipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            content = gzip.GzipFile(fileobj=file) if gzipped else file
            kind, shape = _idx_header(content, path)
            size = math.prod(shape) * kind.itemsize
            if not gzipped:
                _check_size(path, os.fstat(file.fileno()).st_size - file.tell(), shape, kind.itemsize)
            data = _read_at_most(content, size + 1, path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(
            f"{path} is a damaged or cut-off gzip file ({error}): delete it, and fetch it again."
        ) from error
    _check_size(path, len(data), shape, kind.itemsize)
    return np.frombuffer(data, kind).reshape(shape)


def _mapped_idx(path: Path) -> np.ndarray:
    with opened(path) as file:
        _refuse_gzip(file, path)
        kind, shape = _idx_header(file, path)
        offset = file.tell()
        _check_size(path, os.fstat(file.fileno()).st_size - offset, shape, kind.itemsize)
        return np.memmap(file, kind, "r", offset, shape)  # mode "c" would be charged to the process


def _mapped_npy(path: Path) -> np.ndarray:
    """A .npy file, mapped: so a header that lies about the size allocates nothing."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        _refuse_gzip(file, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old headers
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except BROKEN_NPY as error:
        raise DatasetError(
            f"{path} is not a .npy file of numbers, or is cut off ({one_line(error)}): write it with np.save."
        ) from error
    if not isinstance(array, np.memmap):
        raise DatasetError(f"{path} is an archive and not a .npy file: name it .npz, or use np.save.")
    _check_size(path, size - array.offset, _not_empty(path, array.shape), array.dtype.itemsize)
    return array


def _refuse_gzip(file: BinaryIO, path: Path) -> None:
    if file.read(2) == b"\x1f\x8b":
        raise DatasetError(f"{path} is gzipped, and a gzipped file cannot be mapped: gunzip it first.")
    file.seek(0)


def _idx_header(file: Readable, path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    """The type and the shape in the header of an IDX file; the data come next."""
    magic = file.read(4)
    if magic[:2] != b"\0\0" or len(magic) < 4 or magic[2] not in TYPES or not 1 <= magic[3] <= 4:
        raise DatasetError(
            f"{path} is not an IDX file: it begins with {magic.hex(' ') or 'nothing'}, not 00 00, a type "
            "(08 for bytes) and 1 to 4 dimensions; put the original file there."
        )
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise DatasetError(f"{path} ends inside its header: put the complete file there.")
    return np.dtype(TYPES[magic[2]]), _not_empty(path, struct.unpack(f">{magic[3]}I", header))


def _not_empty(path: Path, shape: tuple[int, ...]) -> tuple[int, ...]:
    if not shape or min(shape) < 1:
        raise DatasetError(f"{path} holds nothing, its header says {shape}: put the complete file there.")
    return shape


def _check_size(path: Path, size: int, shape: tuple[int, ...], itemsize: int = 1) -> None:
    if size != math.prod(shape) * itemsize:
        more = "more" if size > math.prod(shape) * itemsize else "fewer"
        promised = " x ".join(map(str, shape if itemsize == 1 else (*shape, itemsize)))
        raise DatasetError(
            f"{path} holds {more} bytes than the {promised} its header promises: "
            "delete it, and fetch it again."
        )


def _read_at_most(file: Readable, size: int, path: Path) -> bytearray:
    """Read up to `size` bytes piece by piece, so that a lying header allocates nothing."""
    data, checked = bytearray(), 1 << 26
    while len(data) < size and (piece := file.read(min(size - len(data), 1 << 20))):
        data += piece
        if len(data) > checked:  # what was unpacked so far is real: does the rest fit, too?
            check_room(size - len(data), f"{path}, unpacked,")
            checked = size
    return data
