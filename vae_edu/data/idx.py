"""Array files: IDX, the format of MNIST (a short header, then one byte a pixel), and NumPy's .npy."""

import gzip
import math
import os
import struct
import tokenize
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

Readable = BinaryIO | gzip.GzipFile


class DatasetError(ValueError):
    """Data that cannot be had or cannot be read; the message says what is wrong and what to do."""


def read_idx(path: str | Path) -> Tensor:
    """Read an IDX file of unsigned bytes, gzipped or not.

    Format: two zero bytes, the type (8 = unsigned byte), the number of dimensions, each dimension
    as a big-endian 32-bit integer, then the data (Y. LeCun, the MNIST database).

    Returns:
        uint8, of the header's shape.

    Raises:
        DatasetError: If the file is missing, is not IDX, or does not hold what its header says.
    """
    path = Path(path)
    try:
        with _opened(path) as file:
            gzipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            content = gzip.GzipFile(fileobj=file) if gzipped else file
            shape = _idx_shape(content, path)
            data = _read_at_most(content, math.prod(shape) + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(
            f"{path} is a damaged or cut-off gzip file ({error}): delete it, and fetch it again."
        ) from error
    _check_size(path, len(data), shape)
    return torch.from_numpy(np.frombuffer(data, np.uint8).reshape(shape))


def read_npy(path: str | Path) -> Tensor:
    """Read a .npy file of whole numbers, as `np.save` writes it.

    Returns:
        uint8 as it is, any other integers as int64.

    Raises:
        DatasetError: If the file is missing, is not .npy, holds something else (pickled objects are never
            loaded), or does not hold what its header says.
    """
    array = _mapped_npy(Path(path))
    return torch.from_numpy(np.array(array, np.uint8 if array.dtype == np.uint8 else np.int64))


def map_file(path: str | Path) -> Tensor:
    """The bytes of an IDX or .npy file as a tensor that stays in the file: what is used gets read.

    It is only for reading: writing into it ends the process. The file must not change meanwhile.

    Returns:
        uint8, of the header's shape.

    Raises:
        DatasetError: As for `read_idx` and `read_npy`, and for a gzipped file, which cannot be mapped.
    """
    path = Path(path)
    content = _mapped_npy(path) if path.suffix == ".npy" else _mapped_idx(path)
    if content.dtype != np.uint8:
        raise _not_bytes(path, content.dtype)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(content)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with open(path, "rb") as file:
            yield file
    except gzip.BadGzipFile:
        raise
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror or error}): check the path.") from error


def _mapped_idx(path: Path) -> np.ndarray:
    with _opened(path) as file:
        if file.read(2) == b"\x1f\x8b":
            raise DatasetError(f"{path} is gzipped, and a gzipped file cannot be mapped: gunzip it first.")
        file.seek(0)
        shape = _idx_shape(file, path)
        offset = file.tell()
        _check_size(path, os.fstat(file.fileno()).st_size - offset, shape)
        return np.memmap(file, np.uint8, "r", offset, shape)  # mode "c" would be charged to the process


def _mapped_npy(path: Path) -> np.ndarray:
    """A .npy file of integers, mapped: so a header that lies about the size allocates nothing."""
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(2) == b"\x1f\x8b":
            raise DatasetError(f"{path} is gzipped, and a gzipped file cannot be mapped: gunzip it first.")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError, tokenize.TokenError) as error:
        raise DatasetError(
            f"{path} is not a .npy file of integers, or is cut off ({str(error).splitlines()[0]}): "
            "write it with np.save."
        ) from error
    if not isinstance(array, np.memmap):
        raise DatasetError(f"{path} is an archive and not a .npy file: write it with np.save.")
    if array.dtype.kind not in "iu":
        raise _not_bytes(path, array.dtype)
    if not array.flags.c_contiguous:
        raise DatasetError(f"{path} is in Fortran order: save np.ascontiguousarray(x) instead.")
    _check_size(path, size - array.offset, _not_empty(path, array.shape), array.dtype.itemsize)
    return array


def _not_bytes(path: Path, dtype: np.dtype) -> DatasetError:
    return DatasetError(
        f"{path} holds {dtype}: save labels as integers, and images as uint8, which are "
        "(255 * x).round().astype(np.uint8) for gray values x in [0, 1]."
    )


def _idx_shape(file: Readable, path: Path) -> tuple[int, ...]:
    """The shape in the header of an IDX file; the data come next."""
    magic = file.read(4)
    if magic[:3] != b"\0\0\x08" or len(magic) < 4 or not 1 <= magic[3] <= 4:
        raise DatasetError(
            f"{path} is not an IDX file of unsigned bytes: it begins with {magic.hex(' ')}, "
            "not 00 00 08 and 1 to 4 dimensions; put the original file there."
        )
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise DatasetError(f"{path} ends inside its header: put the complete file there.")
    return _not_empty(path, struct.unpack(f">{magic[3]}I", header))


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


def _read_at_most(file: Readable, size: int) -> bytearray:
    """Read up to `size` bytes piece by piece, so that a lying header allocates nothing."""
    data = bytearray()
    while len(data) < size and (piece := file.read(min(size - len(data), 1 << 20))):
        data += piece
    return data
