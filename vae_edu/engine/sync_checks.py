"""Whether to look at numbers before they are used: on a GPU that means to wait for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_checking: ContextVar[bool] = ContextVar("checking", default=True)


def checking() -> bool:
    """Whether a distribution or a loss should look for bad pixels and for numbers that are not finite."""
    return _checking.get()


@contextmanager
def unchecked() -> Iterator[None]:
    """Inside, nobody looks: for numbers that were looked at before, or will be afterwards."""
    token = _checking.set(False)
    try:
        yield
    finally:
        _checking.reset(token)
