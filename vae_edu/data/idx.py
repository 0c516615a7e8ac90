"""IDX, the file format of MNIST: a short header with the shape, then one byte a pixel; and NumPy's .npy."""

import gzip
import math
import os
import struct
import tokenize
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor


class DatasetError(ValueError):
    """Data that cannot be had or cannot be read; the message says what is wrong and what to do."""


def read_idx(path: str | Path) -> Tensor:
    """Read an IDX file of unsigned bytes, gzipped or not, as a uint8 tensor of the header's shape.

    Format: two zero bytes, the type (8 = unsigned byte), the number of dimensions, each dimension
    as a big-endian 32-bit integer, then the data (Y. LeCun, the MNIST database).
    Raises DatasetError where the file is missing, is not IDX, or does not hold what its header says.
    """
    path = Path(path)
    try:
        with _opened(path) as file:
            gzipped = file.read(2) == b"\x1f\x8b"
        with _opened(path, gzip.open if gzipped else open) as file:
            shape = _idx_shape(file, path)
            data = _read_at_most(file, math.prod(shape) + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(
            f"{path} is a damaged or cut-off gzip file ({error}): delete it, and fetch it again."
        ) from error
    _check_size(path, len(data), shape)
    return torch.from_numpy(np.frombuffer(data, np.uint8).reshape(shape))


def read_npy(path: str | Path) -> Tensor:
    """Read a .npy file of whole numbers, as `np.save` writes it: uint8 stays, any other becomes int64.

    Raises DatasetError where the file is missing, is not .npy, holds something else (pickled objects are
    never loaded), or does not hold what its header says.
    """
    path = Path(path)
    with _opened(path) as file:
        shape, dtype = _npy_layout(file, path)
        data = _read_at_most(file, math.prod(shape) * dtype.itemsize + 1)
    _check_size(path, len(data), shape, dtype.itemsize)
    array = np.frombuffer(data, dtype).reshape(shape)
    return torch.from_numpy(array if dtype == np.uint8 else array.astype(np.int64))


def map_file(path: str | Path) -> Tensor:
    """The bytes of an IDX or .npy file as a uint8 tensor that stays in the file: what is used gets read.

    Only to be read: to write into the tensor ends the process. The file must not change meanwhile.
    Raises DatasetError as `read_idx` and `read_npy` do, and for a gzipped file, which cannot be mapped.
    """
    path = Path(path)
    with _opened(path) as file:
        if file.read(2) == b"\x1f\x8b":
            raise DatasetError(f"{path} is gzipped, and a gzipped file cannot be mapped: gunzip it first.")
        file.seek(0)
        shape = _npy_layout(file, path, mapped=True)[0] if path.suffix == ".npy" else _idx_shape(file, path)
        offset = file.tell()
        _check_size(path, os.fstat(file.fileno()).st_size - offset, shape)
        content = np.memmap(file, np.uint8, "r", offset, shape)  # "c" would count as memory, all of it
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(content)


@contextmanager
def _opened(path: Path, how: Callable = open) -> Iterator[BinaryIO]:
    try:
        with how(path, "rb") as file:
            yield file
    except gzip.BadGzipFile:
        raise
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror or error}): check the path.") from error


def _idx_shape(file: BinaryIO, path: Path) -> tuple[int, ...]:
    """What the header of an IDX file says; the data come next."""
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


def _npy_layout(file: BinaryIO, path: Path, mapped: bool = False) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and dtype in the header of a .npy file; the data come next. A mapped one must be uint8."""
    try:
        lib = np.lib.format
        version = lib.read_magic(file)
        read = lib.read_array_header_1_0 if version == (1, 0) else lib.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except (ValueError, SyntaxError, tokenize.TokenError) as error:
        raise DatasetError(f"{path} is not a .npy file, or is cut off: write it with np.save.") from error
    if dtype != np.uint8 if mapped else dtype.kind not in "iu":
        raise DatasetError(
            f"{path} holds {dtype}: save labels as integers, and images as uint8, which are "
            "(255 * x).round().astype(np.uint8) for grey values x in [0, 1]."
        )
    if fortran:
        raise DatasetError(f"{path} is in Fortran order: save np.ascontiguousarray(x) instead.")
    return _not_empty(path, shape), dtype


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


def _read_at_most(file: BinaryIO, size: int) -> bytearray:
    """Read up to `size` bytes piece by piece, so that a lying header allocates nothing."""
    data = bytearray()
    while len(data) < size and (piece := file.read(min(size - len(data), 1 << 20))):
        data += piece
    return data
