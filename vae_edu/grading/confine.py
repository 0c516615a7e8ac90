"""Confine a process before it runs a student's code: it can compute, and answer on one pipe."""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from vae_edu.grading.namespaces import PR_SET_PDEATHSIG, c_library, check

PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER, CAPABILITY_VERSION_3 = 38, 36, 0x20080522
USERS = range(61184, 65520)  # the dynamic users of systemd, a range without accounts

PROCESSES = (  # audit events that no exercise needs
    "ctypes.", "mmap.", "os.exec", "os.fork", "os.kill", "os.posix_spawn", "os.spawn", "os.system", "pty.",
    "resource.", "signal.pthread_kill", "socket.", "subprocess.", "sys._current_frames",
)  # fmt: skip
FILES = (
    "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink",
    "os.truncate", "os.utime", "shutil.",
)  # fmt: skip
PRIVATE = {  # modules that start processes or reach memory, of which no audit event tells
    "_ctypes", "_interpreters", "_multiprocessing", "_posixshmem", "_posixsubprocess", "_socket", "_testcapi",
    "_testinternalcapi", "_xxsubinterpreters", "ctypes", "mmap",
}  # fmt: skip


def own_user() -> int:
    """A user of this process's own, so that another grading's processes are not counted with its own."""
    return USERS[os.getpid() % len(USERS)]


def adopt_orphans() -> None:
    """Become the parent of every descendant whose parent ends, however it left its group (Linux)."""
    if sys.platform == "linux":
        check(c_library().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def end_children(isolated: bool) -> None:
    """Kill all children of this process and all other descendants, but nobody else.

    Args:
        isolated: Whether this is the first process of a namespace, so that all others in it descend from it.
            If not, :func:`adopt_orphans` makes every descendant a child in the end.
    """
    with contextlib.suppress(ChildProcessError):
        while True:
            for child in [-1] if isolated else _children():
                with contextlib.suppress(OSError):
                    os.kill(child, signal.SIGKILL)
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            time.sleep(0.001)


def _children() -> list[int]:
    """The children of this process, as /proc knows them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_bytes().rpartition(b")")[2].split()[1])  # a name may hold anything
            found += [int(path.parent.name)] if parent == os.getpid() else []
    return found


def drop_privileges(user: int) -> None:
    """Give up all privileges for good; root becomes the user. On Linux, also die with the parent.

    Raises:
        OSError: The system refuses.
    """
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    if sys.platform == "linux":
        libc = c_library()
        none = (ctypes.c_uint32 * 6)()
        check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
        check(libc.capset((ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), none), "capset")
        check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")  # a change of user undoes it


def address_space() -> int:
    """The bytes of address space that this process has mapped; an upper estimate if there is no /proc.

    A CUDA build of PyTorch maps gigabytes of libraries, and uses few of them.
    """
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return peak + 2**32


def limit(seconds: int, most: int) -> None:
    """Limit the processor time from now on, the bytes of address space in all, files and processes."""
    for kind, value in (
        (resource.RLIMIT_CPU, round(time.process_time()) + seconds),
        (resource.RLIMIT_AS, most),
        (resource.RLIMIT_FSIZE, 16 * 2**20),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError):  # macOS limits no address space
            resource.setrlimit(kind, (value, value))


def forbid(isolated: bool) -> None:
    """Let Python refuse for good what no exercise needs, which stops mischief, but no expert.

    Args:
        isolated: Whether the system stops the experts. If not, Python also refuses to write files, and to
            import what reaches past it.
    """
    if not isolated:
        _forget()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(PROCESSES):
            raise PermissionError(f"an exercise may not use {event}")
        if isolated:
            return
        if event.startswith(FILES) or (event == "open" and _writes(arguments[0], arguments[2])):
            raise PermissionError("an exercise may not write files")
        if event == "import" and str(arguments[0]).rpartition(".")[2] in PRIVATE and _asked_by_a_notebook():
            raise PermissionError(f"an exercise may not use {arguments[0]}")

    sys.addaudithook(hook)


def _writes(path: Any, flags: Any) -> bool:
    """Whether a file is opened by its name, to be written."""
    return not isinstance(path, int) and isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _forget() -> None:
    """Forget the private modules, so that an import of one is seen, and what starts a process unseen."""
    import subprocess

    if module := sys.modules.get("_posixsubprocess"):
        vars(module).pop("fork_exec", None)
    for name in ("_fork_exec", "_USE_POSIX_SPAWN"):
        setattr(subprocess, name, None)
    for name in PRIVATE:
        sys.modules.pop(name, None)


def _asked_by_a_notebook() -> bool:
    """Whether the import is one of the student's; libraries may need the module."""
    frame = sys._getframe(2)
    while frame.f_back and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame.f_code.co_filename.startswith("<")
