"""What data are: a tensor, a tuple of tensors, or anything with rows, `len` and `.to`, as `Images` has."""

import zlib
from typing import Any

import torch
from torch import Tensor


def check(data: Any) -> None:
    """Raise ValueError, in one sentence, unless the data hold images, as many in every tensor."""
    columns = _columns(data)
    if not columns or not all(hasattr(column, "to") and hasattr(column, "__len__") for column in columns):
        raise ValueError(
            f"the data are a {type(data).__name__}: give a tensor, a tuple of tensors, or Images."
        )
    if len({len(column) for column in columns}) > 1:
        raise ValueError(
            f"the data hold {[len(column) for column in columns]} rows: give tensors of one length."
        )
    if not len(columns[0]):
        raise ValueError("the data hold no images: give at least one.")


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


def to(device: torch.device, data: Any) -> Any:
    """The data on a device."""
    return tuple(column.to(device) for column in data) if isinstance(data, tuple) else data.to(device)


def checksums(data: Any) -> list[int]:
    """A checksum of three rows of each tensor, by which a run knows its data again."""
    rows = [0, count(data) // 2, count(data) - 1]
    columns = [getattr(column, "x", column) for column in _columns(data)]  # of Images, the pixels
    return [zlib.crc32(column[rows].detach().cpu().contiguous().numpy().tobytes()) for column in columns]


def _columns(data: Any) -> tuple[Any, ...]:
    return data if isinstance(data, tuple) else (data,)
