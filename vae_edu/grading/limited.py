"""Run a function in a process with limits: reading what a student handed in may take all memory, or crash."""

import contextlib
import os
import pickle
import select
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

WAIT = 20  # seconds on the clock for one of processor time: the machine may be busy


class OverLimit(Exception):
    """The process ended without a result."""


def limited(function: Callable[..., Any], *arguments: Any, seconds: int, memory: int) -> Any:
    """Call a function in a child of this process, and return what it returns.

    Windows has no fork. There students read only their own notebooks, without limits.

    Args:
        function: A function of ours: only what it reads may be of any kind.
        *arguments: Its arguments.
        seconds: The limit of processor time.
        memory: The limit in bytes, in addition to what this process uses.

    Raises:
        OverLimit: The child needed more, or crashed.
        OSError: The system starts no process.
    """
    if not hasattr(os, "fork"):
        return function(*arguments)
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads: the child uses none of theirs
        child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _limit(seconds, memory)
            warnings.simplefilter("ignore")  # of a student's code that is only read
            result = pickle.dumps(function(*arguments))
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(result)
        finally:
            os._exit(0)
    os.close(writing)
    try:
        result = _all_of(reading, time.monotonic() + WAIT * seconds)
    finally:
        os.close(reading)
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    try:
        return pickle.loads(result)
    except (EOFError, pickle.UnpicklingError) as error:
        raise OverLimit from error


def _all_of(reading: int, deadline: float) -> bytes:
    """What is written to a pipe until its end, or the deadline."""
    pieces = []
    while (left := deadline - time.monotonic()) > 0 and select.select([reading], [], [], left)[0]:
        if not (piece := os.read(reading, 2**20)):
            break
        pieces.append(piece)
    return b"".join(pieces)


def _limit(seconds: int, memory: int) -> None:
    """Limit this process. A system that refuses a limit has the others."""
    import resource  # not on Windows, where nothing is graded

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
