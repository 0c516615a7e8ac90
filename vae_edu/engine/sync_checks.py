"""A switch for checks that read the values of a tensor: on a GPU each of them waits for all work so far."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor

_checking: ContextVar[bool] = ContextVar("checking", default=True)


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


def check_pixels(right: Callable[[], Tensor], message: str) -> None:
    """Check every pixel, unless the switch is off.

    Args:
        right: Computes whether each pixel is right, a tensor of bool. It is not called if the switch is off.
        message: Says what is wrong and what to do.

    Raises:
        ValueError: With the message, if any pixel is wrong.
    """
    if checking() and not right().all():
        raise ValueError(message)
