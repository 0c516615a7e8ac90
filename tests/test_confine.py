"""What a confined process can do if only the system stops it: started as root, and as a user."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from vae_edu.grading import confine

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="grading needs fork")

PROGRAM = """
import ctypes, encodings.idna, json, os, socket, sys
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # one thread, as in the runner
from vae_edu.grading import confine
hidden, target, user = sys.argv[1:]
if user != "root":
    os.setgid(int(user)); os.setuid(int(user))
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # dumpable again, as a process that such a user starts is
parent, found = os.getpid(), {}
found["isolated"] = confine.confine([hidden], 61191, 5, 2**28)
def attempt(name, action):
    try:
        found[name] = repr(action())
    except (OSError, MemoryError) as error:
        found[name] = type(error).__name__
attempt("write", lambda: open(target, "w"))
attempt("remove", lambda: os.remove(target))
attempt("hidden", lambda: os.listdir(hidden))
attempt("tmp", lambda: open("/tmp/mine", "w").write("x"))
attempt("kill", lambda: os.kill(parent if os.getpid() != parent else os.getppid(), 0))
attempt("processes", lambda: [name for name in os.listdir("/proc") if name.isdigit()])
attempt("network", lambda: socket.create_connection(("127.0.0.1", int(9)), timeout=2))
attempt("memory", lambda: len(bytearray(2**33)))
attempt("root", lambda: os.setuid(0))
def unmount(folder):
    if ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(folder), 2) < 0:
        raise PermissionError
attempt("unmount", lambda: unmount("/tmp"))
attempt("mount", lambda: confine.leave_the_machine([]))
attempt("write again", lambda: open(target, "w"))
found["uid"] = os.getuid()
print(json.dumps(found), flush=True)
os._exit(0)
"""


NO_NAMESPACES = "def refuse(_): raise PermissionError\nconfine.leave_the_machine = refuse\n"


def confined(folder, user, program=PROGRAM, mode=0o777):
    (folder / "hidden").mkdir()
    (folder / "hidden" / "notebook").write_text("another student's")
    (folder / "grades.csv").write_text("10")
    for path in (folder, folder / "hidden", folder / "grades.csv"):
        path.chmod(mode)  # by default only the confinement is in the way
    arguments = [str(folder / "hidden"), str(folder / "grades.csv"), user]
    command = [sys.executable, "-c", program, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def folder():
    """A folder that is not in /tmp, where everything is covered."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        yield Path(name)


@pytest.mark.parametrize("user", ["root", "65534"])
def test_a_confined_process_can_only_compute(folder, user):
    if user != "root" and os.getuid() != 0:
        pytest.skip("only root can become another user")
    found = confined(folder, user if os.getuid() == 0 else "root")
    if not found["isolated"]:
        pytest.skip("this system does not let a process leave the machine behind")
    assert found["write"] == found["remove"] == found["write again"] == "OSError"  # a read-only file system
    assert found["hidden"] == "[]"
    assert found["unmount"] == "PermissionError"
    assert found["tmp"] == "1"
    assert found["kill"] in ("ProcessLookupError", "PermissionError")
    assert found["processes"] == "[]"
    assert found["network"] == "OSError"
    assert found["memory"] == "MemoryError"
    assert found["root"] in ("PermissionError", "OSError")
    assert found["mount"] in ("PermissionError", "FileNotFoundError")
    assert found["uid"] != 0
    assert (folder / "grades.csv").read_text() == "10"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("alone", [True, False])
def test_the_allowance_is_on_top_of_what_is_mapped(folder, alone):
    """A CUDA build of PyTorch maps more than three gigabytes before a student's code starts."""
    program = PROGRAM.replace("parent, found", "import mmap; mapped = mmap.mmap(-1, 2**32)\nparent, found")
    program = program.replace(
        'found["uid"]', "attempt('allowed', lambda: len(bytearray(2**27)))\nfound[\"uid\"]"
    )
    if not alone:
        program = program.replace("parent, found", NO_NAMESPACES + "parent, found", 1)
    found = confined(folder, "root", program, mode=0o755)
    assert found["allowed"] == str(2**27)
    assert found["memory"] == "MemoryError"


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
def test_a_process_that_cannot_drop_its_privileges_ends():
    code = "from vae_edu.grading import confine as c; c.CAPABILITY_VERSION_3 = 1; c.drop_privileges(61191)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "OSError: [Errno 22]" in result.stderr


def test_root_becomes_another_user_even_without_namespaces(folder):
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    program = PROGRAM.replace("parent, found", NO_NAMESPACES + "parent, found")
    found = confined(folder, "root", program, mode=0o755)
    assert found["isolated"] is False
    assert found["uid"] == 61191
    assert found["write"] == found["remove"] == found["root"] == found["kill"] == "PermissionError"
    assert found["memory"] == "MemoryError"


DAEMON = """
import os, signal, sys, time
from vae_edu.grading import confine
confine.adopt_orphans()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        for _ in range(3):
            os.fork()
        time.sleep(99)
    os._exit(0)
time.sleep(0.3)
confine.end_children()
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("alone")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans go to init elsewhere")
def test_descendants_are_ended_however_they_hide_and_nobody_else():
    with subprocess.Popen(["sleep", "60"]) as other:
        result = subprocess.run([sys.executable, "-c", DAEMON], capture_output=True, text=True, timeout=30)
        assert (result.stdout, result.stderr) == ("alone\n", "")
        assert other.poll() is None
        other.kill()
