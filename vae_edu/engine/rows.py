"""What data are: a tensor, a tuple of tensors, or anything with rows, `len` and `.to`, as `Images` has."""

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_edu.engine.plain import is_ordinary, pieces

ROWS = 4096  # looked at together
IMAGES = 1000  # evaluated together, so that a CPU's cache holds what is computed of them
NUMBERS = 2**22  # in the images that a GPU evaluates together, as each piece keeps it waiting


def check(data: Any, what: str = "the data") -> None:
    """Check that data hold images, as many in every tensor, of numbers that can be learned from.

    Raises:
        ValueError: In one sentence, what does not fit.
    """
    columns = _columns(data)
    if not columns or not all(hasattr(column, "to") and hasattr(column, "__len__") for column in columns):
        raise ValueError(f"{what} are a {type(data).__name__}: give a tensor, a tuple of tensors, or Images.")
    for column in columns:
        _check_kind(getattr(column, "x", column), what)
    if len({len(column) for column in columns}) > 1:
        raise ValueError(
            f"{what} hold {[len(column) for column in columns]} rows: give tensors of one length."
        )
    if not len(columns[0]):
        raise ValueError(f"{what} hold no images: give at least one.")


def _check_kind(tensor: Any, what: str) -> None:
    if not isinstance(tensor, Tensor):
        return
    if tensor.is_meta:
        raise ValueError(f'{what} are on the device "meta", without values: load them first.')
    if tensor.is_quantized:
        raise ValueError(f"{what} are quantized: give x.dequantize().")
    if not is_ordinary(tensor):
        raise ValueError(f"{what} are sparse or nested: give images of one shape, such as x.to_dense().")
    if tensor.is_complex():
        raise ValueError(f"{what} are complex: give real numbers, such as torch.view_as_real(x).")
    if not tensor.dim():
        raise ValueError(f"{what} are one number, of shape (): give a tensor whose rows are images.")


def count(data: Any) -> int:
    """Number of images: the length of the data, or of each tensor of a tuple."""
    return len(_columns(data)[0])


def take(data: Any, rows: Tensor) -> Any:
    """The rows (b,) int64 of the data, as data of the same kind."""
    if isinstance(data, tuple):
        return tuple(take(column, rows) for column in data)
    if isinstance(data, Tensor):
        return data.index_select(0, rows)  # three times as fast as data[rows]
    return data[rows]


def at_a_time(data: Any, device: torch.device) -> int:
    """How many images to evaluate together on a device: `IMAGES`, or on a GPU up to `NUMBERS` numbers."""
    if device.type == "cpu":
        return IMAGES
    one = take(data, torch.zeros(1, dtype=torch.int64, device=device))
    numbers = sum(tensor.numel() for column in _columns(one) for tensor in _tensors(column))
    return max(IMAGES, NUMBERS // max(1, numbers))


def to(device: torch.device, data: Any) -> Any:
    """The data on a device."""
    return tuple(column.to(device) for column in data) if isinstance(data, tuple) else data.to(device)


def first_not_finite(data: Any) -> int | None:
    """The first row with a number that is NaN or infinite; None if there is none.

    Only tensors are looked at. Bytes that are still in a file are finite, and not read for it.
    """
    found = []
    for tensor in (tensor for column in _columns(data) for tensor in _tensors(column)):
        if tensor.is_floating_point() and tensor.numel() and tensor.shape[:1] == (count(data),):
            for start, piece in enumerate(tensor.split(ROWS)):
                least, largest = torch.aminmax(piece)  # NaN if there is one
                if not (least.isfinite() & largest.isfinite()):
                    rows = piece.isfinite().flatten(1).all(1) if piece.dim() > 1 else piece.isfinite()
                    found.append(start * ROWS + int(rows.logical_not().nonzero()[0]))
                    break
    return min(found, default=None)


def checksums(data: Any) -> list[int]:
    """A checksum of all rows for each tensor of the data, the same on every device."""
    found: list[int] = []
    for column in _columns(data):
        if isinstance(column, Tensor):
            found.append(checksum(column))
        else:  # some rows at a time, because all of them may be larger than memory
            whole: list[int] = []
            for rows in torch.arange(len(column)).split(ROWS):
                parts = list(_tensors(column[rows]))
                whole = [checksum(part, before) for part, before in zip(parts, whole or [0] * len(parts))]
            found += whole
    return found


def checksum(value: Tensor | np.ndarray, before: int = 0) -> int:
    """CRC-32 of the numbers in their order, continued from a checksum before."""
    if isinstance(value, np.ndarray):
        return zlib.crc32(np.ascontiguousarray(value).tobytes(), before)
    for piece in pieces(value):
        before = zlib.crc32(piece, before)
    return before


def checksums_of_sample(data: Any) -> list[int]:
    """The checksum of three rows of each tensor, by which versions up to 0.2 knew the data again."""
    rows = [0, count(data) // 2, count(data) - 1]
    columns = [getattr(column, "x", column) for column in _columns(data)]  # of Images, the pixels
    return [checksum(column[rows]) for column in columns]


def _columns(data: Any) -> tuple[Any, ...]:
    return data if isinstance(data, tuple) else (data,)


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors of a value, and of what it is made of."""
    if isinstance(value, Tensor):
        yield value
    else:
        parts = value if isinstance(value, dict) else getattr(value, "__dict__", {})
        for part in parts.values():
            if isinstance(part, Tensor | dict):
                yield from _tensors(part)
