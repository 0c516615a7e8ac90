"""Files that are written whole or not at all, and the folder for what can be fetched again."""

import itertools
import os
import platform
import re
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

DAY = 86_400  # seconds
_numbers = itertools.count()  # of this process's temporary files


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to, next to `path`: at the end it replaces it, after an error it is gone.

    Until then an older file stays as it is. Everyone who writes has a temporary file of another name, and
    those that killed processes left behind are removed.

    Raises:
        OSError: If the file cannot be put in its place.
    """
    temporary = temporary_path(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        _remove_abandoned(path)


def temporary_path(path: Path) -> Path:
    """Where to write what becomes `path`: NAME.PROCESS-NUMBER-MACHINE.part, another one with every call."""
    return path.with_name(f"{path.name}.{os.getpid()}-{next(_numbers)}-{_machine()}.part")


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary files of `path` that nobody writes any more."""
    pattern = re.compile(re.escape(path.name) + r"\.(\d+)(?:-\d+)?(?:-([0-9a-f]{8}))?\.part")
    with suppress(OSError):  # a folder that cannot be listed; a file that Windows still has open
        for part in path.parent.iterdir():
            if (found := pattern.fullmatch(part.name)) and _abandoned(part, int(found[1]), found[2]):
                part.unlink(missing_ok=True)


def _abandoned(part: Path, process: int, machine: str | None) -> bool:
    """Whether its process has ended, or a day has passed since it wrote.

    Another machine's processes cannot be seen, and a process may have got the number of one that was killed.
    """
    if time.time() - part.stat().st_mtime > DAY:
        return True
    return machine in (None, _machine()) and not _runs(process)


def _runs(process: int) -> bool:
    if sys.platform == "win32":
        return False  # there os.kill ends a process, but a file that is being written cannot be removed
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it runs, but is somebody else's
        return True
    return True


@cache
def _machine() -> str:
    """Eight digits for this machine, or container: where a process's number means something."""
    try:
        numbering = os.readlink("/proc/self/ns/pid")
    except OSError:
        numbering = ""
    return f"{zlib.crc32(f'{platform.node()} {numbering}'.encode()):08x}"


def cache_folder() -> Path:
    """The user's cache for this package, in the place that the platform has for it."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "vae_edu"
