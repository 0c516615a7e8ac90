"""What a student's code can do when only the system stops it: started as root, and as a user."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from vae_edu.grading import wire
from vae_edu.grading.sandbox import GraderBroken, Sandbox

linux = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="grading needs fork")

# What a student may try. All of it must fail, even if Python refuses nothing.
ATTEMPTS = {
    "open": "open(secret).read()",
    "os.open": "os.read(os.open(secret, os.O_RDONLY), 100)",
    "pathlib": "__import__('pathlib').Path(secret).read_text()",
    "listdir": "os.listdir(os.path.dirname(secret))",
    "scandir": "[e.name for e in os.scandir(os.path.dirname(secret))]",
    "walk": "[f for _, _, f in os.walk(os.path.dirname(secret)) if f] or 1 / 0",
    "torch.load": "torch.load(secret, weights_only=False)",
    "numpy": "__import__('numpy').fromfile(secret, 'uint8')",
    "linecache": "__import__('linecache').getlines(secret) or 1 / 0",
    "storage": "torch.UntypedStorage.from_file(secret, False, 8)",
    "stat": "os.stat(secret)",
    "passwords": "open('/etc/shadow').read()",
    "users": "open('/etc/passwd').read()",
    "environment of the grader": "open(f'/proc/{os.getppid()}/environ').read()",
    "root of the grader": "os.listdir('/proc/1/root')",
    "home": "os.listdir('/home')",
    "behind the root": "open('/..' + secret).read()",
    "append": "open(secret, 'a')",
    "remove": "os.remove(secret)",
    "python": "open(os.__file__, 'a')",
    "package": "open(__import__('vae_edu').__file__, 'a')",
    "network": "__import__('socket').create_connection(('127.0.0.1', 9), timeout=2)",
    "kill": "os.kill(os.getppid() or 2, 0)",
    "memory": "len(bytearray(2**33))",
    "root": "os.setuid(0)",
    "mount": "bad(libc.mount(b'tmpfs', b'/exercise', b'tmpfs', 0, None))",
    "unmount": "bad(libc.umount2(b'/exercise', 2))",
    "remount": "bad(libc.mount(None, b'/', None, 32 | 4096, None))",
    "chroot": "os.chroot('/exercise')",
}
PROGRAM = """
import ctypes, json, os, torch
libc = ctypes.CDLL(None, use_errno=True)
def bad(result):
    if result < 0: raise OSError(ctypes.get_errno(), "refused")
def f(secret):
    found = {}
    for name, attempt in ATTEMPTS.items():
        try:
            found[name] = repr(eval(attempt, globals() | {"secret": secret}))
        except Exception as error:
            found[name] = None
    header, capabilities = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    bad(libc.capget(header, capabilities))
    found["capabilities"] = list(capabilities)
    found["descriptors"] = [fd for fd in range(3, 64) if os.path.exists(f"/dev/fd/{fd}") or not closed(fd)]
    found["uid"], found["pid"], found["see"] = os.getuid(), os.getpid(), sorted(os.listdir("/"))
    open("mine", "w").write("x")
    found["scratch"] = os.listdir(".")
    return torch.tensor(list(json.dumps(found).encode()), dtype=torch.uint8)
def closed(fd):
    try: os.fstat(fd)
    except OSError: return True
"""


def request(program, seconds=10, processor=3, **arguments):
    """A request for the function f of a program."""
    limits = {"seconds": seconds, "processor": processor}
    return {"program": program, "function": "f", "cases": [arguments], "gradients": [], **limits}


def said(reply):
    """What the function raised."""
    assert reply["ended"] == "answered", reply
    kind, text = json.loads(reply["text"])["answers"][0]["problem"]
    assert kind == "raised"
    return text.partition(": ")[2]


DRIVER = """
import ctypes, json, os, sys
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # one thread, as in the runner
import encodings.idna, socket
from vae_edu.grading import confine, namespaces, runner, wire
runner._import_what_is_needed()
given = json.loads(sys.stdin.read())
if given["user"]:
    os.setgroups([]); os.setgid(given["user"]); os.setuid(given["user"])
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # dumpable again, as a process that such a user starts is
exec(given["patch"])
waiting, _ = os.pipe()
try:
    served = runner.Runner(os.fdopen(waiting, "rb"), given["isolated"], sys.path, given["hidden"])
    found = [served.reply(request) for request in given["requests"]]
except runner.NotIsolated as error:
    found = str(error)
print(json.dumps(found), flush=True)
os._exit(0)
"""
EXPERT = "confine.forbid = lambda isolated: None"  # a student who has got past Python's own refusals


def run(*requests, user=0, isolated=True, hidden=(), patch=""):
    """The replies of a runner that a user starts; what it said if it does not start."""
    if user and os.getuid() != 0:
        pytest.skip("only root can become another user")
    given = {"user": user, "isolated": isolated, "hidden": hidden, "patch": patch, "requests": requests}
    command = [sys.executable, "-c", DRIVER]
    result = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    if found == "unshare: Operation not permitted" and not patch:
        pytest.skip("this system does not let a process leave the machine behind")
    return found


@pytest.fixture
def secret():
    """A file that everybody may read and write, so that only the isolation is in the way."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        path = Path(name) / "id_ed25519"
        path.write_text("a key")
        for part in (path.parent, path):
            part.chmod(0o777)
        yield str(path)
        assert path.read_text() == "a key"


@linux
@pytest.mark.parametrize("user", [0, 12345])
def test_nothing_is_read_changed_or_reached(secret, user):
    program = f"ATTEMPTS = {ATTEMPTS!r}\n{PROGRAM}"
    (reply,) = run(request(program, secret=secret), user=user, patch=EXPERT)
    (answer,) = wire.answers(reply["text"], 1)
    found = json.loads(bytes(answer.parts[0].tolist()))
    assert {name: found[name] for name in ATTEMPTS} == dict.fromkeys(ATTEMPTS)
    assert found["capabilities"] == [0] * 6
    assert (found["uid"] != 0, found["pid"], len(found["descriptors"])) == (True, 1, 1)
    assert found["scratch"] == ["mine"]
    assert {"proc", "home", "var", "sys"}.isdisjoint(found["see"])


@linux
def test_a_hidden_folder_looks_empty_even_inside_of_pythons_own():
    folder = Path(torch.__file__).parent / "testing"
    program = "import os\ndef f(folder): raise ValueError(os.listdir(folder))"
    replies = run(request(program, folder=str(folder)), hidden=[str(folder)])
    assert [said(reply) for reply in replies] == ["[]"]


@linux
@pytest.mark.parametrize("isolated", [True, False])
def test_python_itself_refuses_mischief(isolated):
    attempts = {
        "os.system": "__import__('os').system('true')",
        "_posixsubprocess": "__import__('_posixsubprocess')",
        "_ctypes": "__import__('_ctypes').dlopen(None, 0)",
        "again": "__import__('importlib').import_module('_posixsubprocess').fork_exec",
        "subprocess": "__import__('subprocess')._fork_exec(1)",
        "socket": "__import__('socket').socket()",
    }
    if not isolated:
        attempts |= {"write": "open('/tmp/mine', 'w')", "rename": "__import__('os').rename('/a', '/b')"}
    requests = [request(f"def f(x):\n    return repr({attempt})", x=1.0) for attempt in attempts.values()]
    for name, reply in zip(attempts, run(*requests, isolated=isolated)):
        if isolated and name in ("_posixsubprocess", "again", "subprocess"):
            continue  # the system lets it start nothing
        assert json.loads(reply["text"])["answers"][0]["problem"][0] == "raised", name


@linux
def test_libraries_still_import_what_they_need_without_isolation():
    program = "import matplotlib.pyplot as plt\ndef f(x):\n    raise ValueError(plt.hist([x])[0].sum())"
    (reply,) = run(request(program, x=1.0), isolated=False)
    assert said(reply) == "1.0"
    (reply,) = run(request(program, x=1.0))
    assert said(reply) == "1.0"


@linux
def test_pictures_in_a_function_cost_next_to_nothing():
    program = """
import matplotlib.pyplot as plt, time
def f(x):
    start = time.process_time()
    for _ in range(100):
        plt.savefig("picture.png")
    plt.gcf().canvas.draw()
    raise ValueError(time.process_time() - start < 1)"""
    (reply,) = run(request(program, x=1.0))
    assert said(reply) == "True"


@linux
@pytest.mark.parametrize("call", ["mount", "pivot_root", "umount2", "uid_map"])
def test_half_way_isolation_is_none(call):
    """As Ubuntu 24.04 does it: a user namespace is granted, and what is done in it is refused."""
    patch = f"""
class Half:
    def __getattr__(self, name):
        if name == {call!r}:
            return lambda *_: (ctypes.set_errno(13), -1)[1]
        return getattr(library, name)
library, half, write = ctypes.CDLL(None, use_errno=True), Half(), namespaces.Path.write_text
def refuse(path, text):
    if path.name == {call!r}: raise PermissionError(13, "denied")
    return write(path, text)
namespaces.c_library, namespaces.Path.write_text = lambda: half, refuse
"""
    found = run(request("def f(x): return x", x=1.0), user=12345, patch=patch)
    assert isinstance(found, str)
    assert "denied" in found.lower()


@linux
def test_an_older_linux_makes_the_root_read_only_in_another_way(secret):
    program = """
import os, torch
def f(secret):
    raise ValueError([os.statvfs(p).f_flag & os.ST_RDONLY for p in ("/", torch.__file__, "/usr/lib", ".")])
"""
    for user in (0, 12345):
        (reply,) = run(request(program, secret=secret), user=user, patch="namespaces.MOUNT_SETATTR = 9999")
        assert said(reply) == "[1, 1, 1, 0]"


@linux
def test_root_becomes_another_user_even_without_namespaces(secret):
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    os.chmod(secret, 0o600)
    program = "import os\ndef f(secret): raise ValueError(os.getuid(), os.access(secret, os.R_OK))"
    (reply,) = run(request(program, secret=secret), isolated=False)
    uid, readable = eval(said(reply))
    assert 61184 <= uid < 65520
    assert not readable


@linux
@pytest.mark.parametrize("isolated", [True, False])
def test_how_a_process_ends_is_told(isolated):
    programs = {
        "def f(x):\n    while True: pass": "time",
        "import time\ndef f(x): time.sleep(99)": "time",
        "import os\ndef f(x): os._exit(0)": "crash",
        "import os\ndef f(x):\n    os.closerange(0, 99)\n    while True: pass": "crash",
        "def f(x): return [1.0] * 10": "answered",
    }
    requests = [request(program, seconds=3, processor=1, x=1.0) for program in programs]
    start = time.monotonic()
    replies = run(*requests, isolated=isolated, patch=EXPERT)
    assert [reply["ended"] for reply in replies] == list(programs.values())
    assert time.monotonic() - start < 60


@linux
@pytest.mark.parametrize("isolated", [True, False])
def test_descendants_are_ended_however_they_hide_and_nobody_else(isolated):
    daemon = """
import os, time
def f(x):
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            os.setsid()
            while True: time.sleep(1)
    raise ValueError("served")
"""
    with subprocess.Popen(["sleep", "60"]) as other:
        before = _processes()
        (reply,) = run(request(daemon, x=1.0), isolated=isolated, patch=EXPERT)
        assert said(reply) == "served"
        deadline = time.monotonic() + 5
        while (left := _processes() - before) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not left
        assert other.poll() is None
        other.kill()


def _processes():
    """The processes that run the driver."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"served = runner.Runner" in path.read_bytes():
                found.add(path.parent.name)
    return found


GRADER = """
import os, sys, time
from vae_edu.grading.sandbox import Sandbox
sandbox = Sandbox([], unconfined=True)
sandbox.start()
print(sandbox.process.pid, flush=True)
program = "def f(x):\\n    while True: pass"
limits = {"gradients": [], "seconds": 100, "processor": 100}
sandbox.reply({"program": program, "function": "f", "cases": [{"x": 1.0}], **limits})
"""


@linux
def test_a_killed_grader_leaves_no_process_behind():
    with subprocess.Popen([sys.executable, "-c", GRADER], stdout=subprocess.PIPE, text=True) as grader:
        runner = int(grader.stdout.readline())
        time.sleep(0.5)  # into the loop
        assert _descendants(runner)
        family = {runner, *_descendants(runner)}
        grader.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(map(_runs, family)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, family))


def _runs(process):
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def _descendants(process):
    """The processes that a process started, and those that they started."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_bytes().rpartition(b")")[2].split()[1])
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {process}


def test_a_runner_that_dies_is_replaced():
    right = request("def f(x): return x", x=1.0)
    with Sandbox([], unconfined=True) as box:
        assert box.reply(right)["ended"] == "answered"
        box.process.kill()
        box.process.wait()
        assert box.reply(right)["ended"] == "answered"


@linux
def test_two_graders_at_once_do_not_touch_each_other():
    """One of them ends processes without a break, while the other one's work."""
    slow = request("import time\ndef f(x):\n    time.sleep(3)\n    return x", x=1.0)
    quick = request("def f(x): return x", x=1.0)
    with Sandbox([], unconfined=True) as first, Sandbox([], unconfined=True) as second:
        first.start(), second.start()
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(first.reply, slow)
            ended = {second.reply(quick)["ended"] for _ in range(20)}
        assert (waiting.result()["ended"], ended) == ("answered", {"answered"})


def test_what_does_not_start_is_said_and_is_no_answer(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    box = Sandbox([])
    with pytest.raises(GraderBroken, match=r"nothing was graded: the process .* does not start"):
        box.start()
    assert box.reply(request("def f(x): return x", x=1.0)) == {"ended": "crash", "text": ""}


def test_without_isolation_grading_refuses_unless_it_is_told_not_to(monkeypatch):
    launch = Sandbox._launch

    def refused(box):
        no = {"ready": False, "isolates": False, "said": "unshare: Operation not permitted"}
        return no if box.isolated else launch(box)

    monkeypatch.setattr(Sandbox, "_launch", refused)
    with pytest.raises(GraderBroken, match=r"does not isolate students' code \(unshare: .*--unconfined"):
        Sandbox([]).start()
    with Sandbox([], unconfined=True) as box:
        assert box.reply(request("def f(x): return x", x=1.0))["ended"] == "answered"
        assert not box.isolated
