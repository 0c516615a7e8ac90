"""Whether something fits into memory, found out by arithmetic and not by the machine's death."""

import os
import re

from vae_edu.data.errors import DatasetError


def check_room(size: int, what: str) -> None:
    """See that `size` more bytes fit into memory.

    Args:
        size: In bytes.
        what: Needs it, for the message.

    Raises:
        DatasetError: If they do not fit.
    """
    free = free_memory()
    if free is not None and size > free:
        raise DatasetError(
            f"{what} would take {size / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are free: "
            "ask for fewer (n=, --n) or smaller images, or map them from a file (map_images, --mapped)."
        )


def free_memory() -> int | None:
    """The bytes that a process can still take, or None if the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            free = int(re.findall(r"MemAvailable: +(\d+) kB", file.read())[0]) << 10
    except (OSError, IndexError):
        try:
            free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, ValueError, OSError):  # Windows
            return None
    try:  # a container may have less than its machine
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as most:
            limit = int(most.read())
        with open("/sys/fs/cgroup/memory.current", encoding="ascii") as used:
            return min(free, limit - int(used.read()))
    except (OSError, ValueError):  # no container, or no limit
        return free
