"""A switch for checks that read the values of a tensor: on a GPU each of them waits for all work so far."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_checking: ContextVar[bool] = ContextVar("checking", default=True)
_found: ContextVar[list[tuple[Tensor, Exception]] | None] = ContextVar("found", default=None)


def checking() -> bool:
    """Whether values should be checked now."""
    return _checking.get()


@contextmanager
def unchecked() -> Iterator[None]:
    """Skip these checks inside, for values that are checked before or after."""
    token = _checking.set(False)
    try:
        yield
    finally:
        _checking.reset(token)


@contextmanager
def checked_together() -> Iterator[None]:
    """Read the values of all checks inside at the end, so that a GPU is waited for once.

    Raises:
        Exception: That of the first check that fails, unless another error ended what is inside.
    """
    found: list[tuple[Tensor, Exception]] = []
    token = _found.set(found)
    try:
        yield
    finally:
        _found.reset(token)
    if found:
        for right, (_, error) in zip(torch.stack([value for value, _ in found]).tolist(), found, strict=True):
            if not right:
                raise error


def check_pixels(right: Callable[[], Tensor], message: str) -> None:
    """Check every pixel, unless the switch is off.

    Args:
        right: Computes whether each pixel is right, a tensor of bool. It is not called if the switch is off.
        message: Says what is wrong and what to do.

    Raises:
        ValueError: With the message, if any pixel is wrong.
    """
    check(right, ValueError(message))


def check(right: Callable[[], Tensor], error: Exception) -> None:
    """Raise the error if a value of right() is false, now or with the others of `checked_together`."""
    if not checking():
        return
    value, found = right(), _found.get()
    value = value.all() if value.dim() else value
    if found is not None:
        found.append((value, error))
    elif not value:
        raise error
