"""Leave the machine behind (Linux): no network, no other process, no file but those that Python needs.

All of it works, or an OSError says what did not; then the process is half-way out and must end.
"""

import contextlib
import ctypes
import errno
import os
import re
import signal
import sys
from pathlib import Path

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x00020000, 0x08000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 1 << 18, 2
MOUNT_SETATTR, AT_RECURSIVE = 442, 0x8000  # the number is the same on all of Linux's machines
PR_SET_PDEATHSIG = 1
NOBODY = 65534

NEW_ROOT = "/sys"  # where the new root is built: a folder of every Linux, in which no Python lies
SCRATCH = "/exercise"  # the one folder that can be written to
SYSTEM = [
    "/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/etc/ld.so.cache", "/dev/null",
    "/dev/random", "/dev/urandom", "/dev/zero", "/usr/share/zoneinfo", "/usr/share/matplotlib",
]  # fmt: skip
STORES = ["/nix/store", "/gnu/store"]  # each package of such a system needs others, all of them public


def check(result: int, call: str) -> None:
    """Raise OSError if a call of the C library failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def c_library() -> ctypes.CDLL:
    """The C library, which says why a call failed."""
    return ctypes.CDLL(None, use_errno=True)


def leave() -> None:
    """Enter namespaces of one's own; as root, or as any user in a user namespace.

    The calling process, which must have one thread, stays behind, waits, and ends with its child. The child
    returns from this function, as the first process of its namespace: when it ends, so do all others in it.

    Raises:
        OSError: The system does not allow it.
    """
    if sys.platform != "linux":
        raise OSError("only Linux can do that")
    libc = c_library()
    uid, gid = os.getuid(), os.getgid()
    kinds = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
    if libc.unshare(kinds) < 0:
        check(libc.unshare(kinds | CLONE_NEWUSER), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{NOBODY} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{NOBODY} {gid} 1")
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount")
    if child := os.fork():
        os.closerange(0, 2**16)
        _, status = os.waitpid(child, 0)
        os._exit(1 if status else 0)
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def keep_only(paths: list[str], hidden: list[str]) -> None:
    """Change to a root that holds nothing but these files and folders, to read, and an empty scratch folder.

    Args:
        paths: What is kept, by absolute paths.
        hidden: Folders that look empty even inside of a kept one.

    Raises:
        OSError: The system does not allow it.
    """
    libc = c_library()
    _mount_tmpfs(libc, NEW_ROOT, b"size=4m,mode=0755")
    kept: list[str] = []
    for path in sorted({*paths, *map(os.path.realpath, paths)}, key=len):
        if os.path.exists(path) and not _within(path, kept):
            _bind(libc, path)
            kept.append(path)
    for folder in hidden:
        if _within(folder, kept) and os.path.isdir(folder):
            _mount_tmpfs(libc, NEW_ROOT + folder, b"size=4k,mode=0555")
    os.mkdir(NEW_ROOT + SCRATCH)
    with contextlib.suppress(FileExistsError):  # a kept folder may be in /tmp
        os.symlink(SCRATCH, f"{NEW_ROOT}/tmp")
    _read_only(libc)
    _mount_tmpfs(libc, NEW_ROOT + SCRATCH)
    os.chdir(NEW_ROOT)
    check(libc.pivot_root(b".", b"."), "pivot_root")
    check(libc.umount2(b".", MNT_DETACH), "umount")
    os.chdir(SCRATCH)
    if os.path.exists("/proc/self") or os.getpid() != 1:
        raise OSError(errno.EBUSY, "the old root is still there")


def fork_alone(own: int) -> int:
    """Fork a child that sees no other process, and an empty scratch folder of its own.

    Args:
        own: A descriptor of this process's namespace of processes, so that the next child gets another one.

    Returns:
        The child's id, and 0 in the child.
    """
    libc = c_library()
    check(libc.unshare(CLONE_NEWPID), "unshare")
    child = os.fork()
    if child:
        check(libc.setns(own, CLONE_NEWPID), "setns")
        return child
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWIPC), "unshare")
    _mount_tmpfs(libc, SCRATCH)
    os.chdir(SCRATCH)
    return 0


def pythons_own(package: Path) -> list[str]:
    """The files and folders that Python needs: its library, what pip installed, and this package.

    A folder of sys.path that is somebody's own, such as a home or a project, is not kept: only the modules
    in it that are loaded already.
    """
    found = [*SYSTEM, str(package), os.path.dirname(os.__file__)]
    if sys.base_prefix not in ("/", "/usr"):
        found.append(f"{sys.base_prefix}/lib")  # libraries of conda, which its modules load
    found += [store for store in STORES if _within(os.path.realpath(sys.base_prefix), [store])]
    for folder in sys.path:
        inside = os.listdir(folder) if os.path.isdir(folder) and os.access(folder, os.R_OK | os.X_OK) else []
        if os.path.isfile(folder) or any(name.endswith((".dist-info", ".so")) for name in inside):
            found.append(folder)
    for name, module in list(sys.modules.items()):
        if "." not in name:
            found += list(getattr(module, "__path__", None) or [getattr(module, "__file__", None) or "/lib"])
    return [os.path.abspath(path) for path in found]


def _within(path: str, folders: list[str]) -> bool:
    """Whether the path is one of the folders or in one of them."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _mount_tmpfs(libc: ctypes.CDLL, target: str, options: bytes = b"size=16m,mode=1777") -> None:
    flags = MS_NOSUID | MS_NODEV
    check(libc.mount(b"tmpfs", os.fsencode(target), b"tmpfs", flags, options), "mount")


def _bind(libc: ctypes.CDLL, path: str) -> None:
    """Show a file or folder in the new root, at the same place."""
    target = Path(NEW_ROOT + path)
    if os.path.isdir(path):
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    source = os.fsencode(path)
    check(libc.mount(source, os.fsencode(target), None, MS_BIND | MS_REC, None), "mount")


def _read_only(libc: ctypes.CDLL) -> None:
    """Make the new root and all that is mounted in it read-only."""
    attributes = (ctypes.c_uint64 * 4)(MS_RDONLY | MS_NOSUID, 0, 0, 0)
    call = (
        ctypes.c_long(MOUNT_SETATTR),
        ctypes.c_int(-1),
        os.fsencode(NEW_ROOT),
        ctypes.c_uint(AT_RECURSIVE),
    )
    result = libc.syscall(*call, attributes, ctypes.c_size_t(ctypes.sizeof(attributes)))
    if result == 0 or ctypes.get_errno() != errno.ENOSYS:
        check(result, "mount_setattr")
        return
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():  # before Linux 5.12
        point = re.sub(rb"\\(\d{3})", lambda code: bytes([int(code[1], 8)]), line.split()[4])
        if _within(os.fsdecode(point), [NEW_ROOT]) and os.path.exists(point):  # others are covered
            flags = os.statvfs(point).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
            flags |= MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID
            check(libc.mount(None, point, None, flags, None), "mount")
