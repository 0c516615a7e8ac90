"""IDX, the file format of MNIST: a short header with the shape, then one byte a pixel."""

import gzip
import math
import struct
import zlib
from pathlib import Path

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
        with path.open("rb") as file:
            gzipped = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if gzipped else path.open("rb") as file:
            magic = file.read(4)
            if magic[:3] != b"\0\0\x08" or len(magic) < 4 or not 1 <= magic[3] <= 4:
                raise DatasetError(
                    f"{path} is not an IDX file of unsigned bytes: it begins with {magic.hex(' ')}, "
                    "not 00 00 08 and 1 to 4 dimensions; put the original file there."
                )
            header = file.read(4 * magic[3])
            if len(header) < 4 * magic[3]:
                raise DatasetError(f"{path} ends inside its header: put the complete file there.")
            shape = struct.unpack(f">{magic[3]}I", header)
            if 0 in shape:
                raise DatasetError(
                    f"{path} holds nothing, its header says {shape}: put the complete file there."
                )
            data = _read_at_most(file, math.prod(shape) + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(
            f"{path} is a damaged or cut-off gzip file ({error}): delete it, and fetch it again."
        ) from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror or error}): check the path.") from error
    if len(data) != math.prod(shape):
        more = "more" if len(data) > math.prod(shape) else "fewer"
        raise DatasetError(
            f"{path} holds {more} bytes than the {' x '.join(map(str, shape))} its header promises: "
            "delete it, and fetch it again."
        )
    return torch.from_numpy(np.frombuffer(data, np.uint8).reshape(shape))


def _read_at_most(file, size: int) -> bytearray:
    """Read up to `size` bytes piece by piece, so that a lying header allocates nothing."""
    data = bytearray()
    while len(data) < size and (piece := file.read(min(size - len(data), 1 << 20))):
        data += piece
    return data
