"""Ctrl-C, or a cluster's SIGTERM, between two steps, not within one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stop(threading.Event):
    """Set when training is to stop.

    Attributes:
        signal: Which signal stopped a training of this process last; None if none did.
    """

    signal: int | None = None


@contextmanager
def stop_between_steps() -> Iterator[Stop]:
    """Turn Ctrl-C and SIGTERM into an event, so that no step is cut in half; a second one interrupts at once.

    SIGTERM is what a cluster or `kill` sends. It is left alone if somebody handles or ignores it already.
    """
    stop = Stop()

    def ask_to_stop(number: int, *_: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        Stop.signal = number
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may set a handler, and only it gets Ctrl-C
        return
    before = {signal.SIGINT: signal.signal(signal.SIGINT, ask_to_stop)}
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        before[signal.SIGTERM] = signal.signal(signal.SIGTERM, ask_to_stop)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: set by another language


def exit_code() -> int:
    """What a process returns that stopped its training on a signal: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (Stop.signal or signal.SIGINT)
