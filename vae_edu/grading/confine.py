"""Confine a process before it runs a student's code: it can compute, and answer on one pipe."""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x00020000, 0x08000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 0x1000, 0x4000, 1 << 18
MOUNT_SETATTR, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, 0x8000, 1
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = 1, 38, 36
CAPABILITY_VERSION_3 = 0x20080522
USERS = range(61184, 65520)  # the dynamic users of systemd, a range without accounts

FORBIDDEN = (  # audit events that no exercise needs
    "ctypes.", "mmap.", "os.chmod", "os.chown", "os.exec", "os.fork", "os.kill", "os.link", "os.mkdir",
    "os.posix_spawn", "os.remove", "os.rename", "os.rmdir", "os.spawn", "os.symlink", "os.system",
    "os.truncate", "pty.", "resource.", "shutil.", "signal.pthread_kill", "socket.", "subprocess.",
    "sys._current_frames",
)  # fmt: skip


def confine(hidden: list[str], user: int, seconds: int, memory: int) -> bool:
    """Confine this process in every way below.

    Args:
        hidden: Folders that shall look empty.
        user: The user that root becomes, see :func:`own_user`.
        seconds: The limit of processor time.
        memory: The limit in bytes, in addition to the address space in use.

    Returns:
        Whether the system allowed :func:`leave_the_machine`, the strongest of them.

    Raises:
        OSError: The system does not let this process give up its privileges.
    """
    most = address_space() + memory  # before /proc is covered
    try:
        leave_the_machine(hidden)
        isolated = True
    except (OSError, AttributeError):
        isolated = False
    drop_privileges(user)
    limit(seconds, most)
    return isolated


def own_user() -> int:
    """A user of this process's own, so that another grading's processes are not counted with its own."""
    return USERS[os.getpid() % len(USERS)]


def adopt_orphans() -> None:
    """Become the parent of every descendant whose parent ends, however it left its group (Linux)."""
    if sys.platform == "linux":
        _check(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def end_children() -> None:
    """Kill all children of this process and, after :func:`adopt_orphans`, all other descendants."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for child in _children():
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


def leave_the_machine(hidden: list[str]) -> None:
    """Enter namespaces without network, without other processes, with only an empty /tmp to write to (Linux).

    A process of one thread may do that: as root, or as any user in a user namespace. The calling process
    stays behind and waits; its child returns from this function. The hidden folders look empty to it.

    Raises:
        OSError: The system does not allow it.
        AttributeError: The system is not Linux.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    kinds = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
    _check(libc.unshare(kinds if uid == 0 else kinds | CLONE_NEWUSER))
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY, 0, 0, 0)
    _check(libc.syscall(MOUNT_SETATTR, -1, b"/", AT_RECURSIVE, attributes, 32))
    python = {sys.base_prefix, sys.prefix, str(Path(__file__).parents[1])}
    python = {folder for folder in python if os.access(folder, os.X_OK)}
    closed = {str(Path(folder).parents[-2]) for folder in python if not _open_to_all(folder)}  # such as /root
    for folder in [*sorted({"/tmp", *closed, *hidden}, key=len), "/proc"]:
        if os.path.isdir(folder):
            _cover(libc, folder, sorted(kept for kept in python if kept.startswith(f"{folder}/")))
    if child := os.fork():
        os.waitpid(child, 0)
        os._exit(0)
    os.chdir("/tmp")


def _check(result: int) -> None:
    """Raise OSError if a call of the C library failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _open_to_all(folder: str) -> bool:
    """Whether every user may read the folder."""
    return all(path.stat().st_mode & 0o005 == 0o005 for path in (Path(folder), *Path(folder).parents))


def _cover(libc: ctypes.CDLL, folder: str, kept: list[str]) -> None:
    """Cover a folder with an empty one that shows only the kept folders beneath it."""
    handles = [os.open(path, os.O_PATH) for path in kept]
    options = b"size=16m,mode=1777" if folder == "/tmp" else b"size=1m,mode=0555"
    _check(libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", MS_NOSUID | MS_NODEV, options))
    for path, handle in zip(kept, handles):
        os.makedirs(path, exist_ok=True)
        source = os.fsencode(f"/proc/self/fd/{handle}")
        _check(libc.mount(source, os.fsencode(path), None, MS_BIND | MS_REC, None))
        os.close(handle)


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
        libc = ctypes.CDLL(None, use_errno=True)
        none = (ctypes.c_uint32 * 6)()
        _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _check(libc.capset((ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), none))
        _check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))  # last: a change of user undoes it


def address_space() -> int:
    """The bytes of address space that this process has mapped; an upper estimate if there is no /proc.

    A CUDA build of PyTorch maps gigabytes of libraries, and uses few of them.
    """
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return peak + 2**32


def limit(seconds: int, most: int) -> None:
    """Limit the processor time, the bytes of address space in all, files and processes."""
    for kind, value in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, most),
        (resource.RLIMIT_FSIZE, 16 * 2**20),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def forbid(package: Path, seen: Callable[[str], Any]) -> None:
    """Refuse for good what no exercise needs: processes, sockets, writing to files.

    ``seen`` is called with the name of every file of the package that is read.
    """
    inside = str(package)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str):
            if arguments[0].startswith(inside) and arguments[0].endswith(".py"):
                seen(Path(arguments[0]).name)
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            if flags & (os.O_WRONLY | os.O_RDWR):
                raise PermissionError("an exercise may not write files")
        elif event.startswith(FORBIDDEN):
            raise PermissionError(f"an exercise may not use {event}")

    sys.addaudithook(hook)
