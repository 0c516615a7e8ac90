"""Ctrl-C between two steps, not within one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stop_between_steps() -> Iterator[threading.Event]:
    """Turn Ctrl-C into an event, so that no step is cut in half; a second Ctrl-C interrupts at once."""
    stop = threading.Event()

    def ask_to_stop(*_: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may set a handler, and only it gets Ctrl-C
        return
    before = signal.signal(signal.SIGINT, ask_to_stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
