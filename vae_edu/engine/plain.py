"""Plain values, all that a file keeps: numbers, strings, None, tensors, and lists and dicts of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

PIECE = 1 << 24  # bytes that are copied at a time
_LEFT_OUT = object()


def plain(value: Any, where: str, problems: list[str]) -> Any:
    """A copy of plain values only. NumPy's numbers become Python's, its arrays lists, tensors dense ones.

    Args:
        value: Anything.
        where: What it is, for the message.
        problems: Gets a sentence for each value that is left out, because it cannot be made plain.
    """
    copied = _plain(value, where, problems)
    return None if copied is _LEFT_OUT else copied


def _plain(value: Any, where: str, problems: list[str]) -> Any:
    if value is None:
        return None
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, str):
        return "".join(value)  # of a subclass, too
    if isinstance(value, Tensor) and is_ordinary(value):
        return _dense(value)
    if isinstance(value, dict):
        pairs = [
            (_plain(name, f"a name in {where}", problems), _plain(item, f"{where}[{name!r}]", problems))
            for name, item in value.items()
        ]
        return {name: item for name, item in pairs if name is not _LEFT_OUT and item is not _LEFT_OUT}
    if isinstance(value, list | tuple):
        items = [_plain(item, f"{where}[{i}]", problems) for i, item in enumerate(value)]
        items = [item for item in items if item is not _LEFT_OUT]
        return tuple(items) if isinstance(value, tuple) else items
    problems.append(
        f"{where} is a {type(value).__name__}, which no checkpoint holds: make it a number, a string or "
        "a tensor."
    )
    return _LEFT_OUT


def is_ordinary(tensor: Tensor) -> bool:
    """Whether a tensor has values of its own: not sparse, quantized, nested, or on the device "meta"."""
    strided = tensor.layout is torch.strided and not tensor.is_nested
    return strided and not tensor.is_quantized and not tensor.is_meta


def is_whole(tensor: Tensor) -> bool:
    """Whether there are as many bytes as the tensor has numbers; an expanded view has fewer."""
    return tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()


def _dense(tensor: Tensor) -> Tensor:
    """The tensor on the CPU, detached, with no more and no fewer bytes in its storage than it has numbers."""
    tensor = tensor.detach().cpu()
    size = tensor.numel() * tensor.element_size()
    exact = tensor.untyped_storage().nbytes() == size and not tensor.is_conj() and not tensor.is_neg()
    return tensor if exact else tensor.clone(memory_format=torch.contiguous_format).resolve_conj()


def is_plain(value: Any) -> bool:
    """Whether a value is as `plain` gives it; for one that was read, and may be anything."""
    if isinstance(value, Tensor):
        return is_ordinary(value) and is_whole(value)
    if isinstance(value, dict):
        return all(is_plain(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def pieces(tensor: Tensor) -> Iterator[memoryview]:
    """The bytes of a tensor in the order of its numbers, a piece at a time, from any device."""
    flat = tensor.detach().reshape(-1)
    for piece in flat.split(max(1, PIECE // tensor.element_size())):
        yield piece.cpu().contiguous().view(torch.uint8).numpy().data
