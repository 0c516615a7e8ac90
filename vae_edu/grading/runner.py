"""The process that runs students' code: ``python -I runner.py`` reads requests, one a line, and replies.

It leaves the machine behind, imports PyTorch once, and forks a confined child for every exercise. The child
runs the student's program and writes its answers. Whatever the child does, this process reads a limited
number of bytes for a limited time, and then ends it.
"""

import contextlib
import gc
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

PACKAGE = Path(__file__).resolve().parents[1]
MEMORY = 2**30  # bytes for an exercise, in addition to PyTorch's
MAY_FORK = sys.platform == "linux"  # with PyTorch loaded; macOS's libraries may crash in the child
START = 0 if MAY_FORK else 60  # seconds for a child to import PyTorch


def main() -> None:
    """Prepare as the first line of standard input says, reply whether it went well, and serve the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's to handle
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)

    def send(reply: dict[str, Any]) -> None:
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()

    setting = json.loads(requests.readline())
    try:
        runner = Runner(requests, **setting)
    except NotIsolated as error:
        return send({"ready": False, "isolates": False, "said": str(error)})
    except Exception as error:
        return send({"ready": False, "isolates": True, "said": f"{type(error).__name__}: {error}"})
    send({"ready": True})
    for line in requests:
        send(runner.reply(json.loads(line)))
    return None


class NotIsolated(Exception):
    """The system does not let this process leave the machine behind."""


class Runner:
    """A process that is ready to fork confined children."""

    def __init__(self, requests: BinaryIO, isolated: bool, path: list[str], hidden: list[str]) -> None:
        """Leave the machine if it shall be isolated, and import what exercises need.

        Args:
            requests: Where the grader writes; if that ends, so does this process.
            isolated: Whether to leave the machine behind.
            path: The folders to import from.
            hidden: Folders that shall look empty.
        """
        sys.path[:] = [*path, str(PACKAGE.parent)]
        sys.dont_write_bytecode = True
        from vae_edu.grading import confine, namespaces

        self.requests, self.isolated, self.user = requests, isolated, confine.own_user()
        if isolated:
            with _or_not_isolated():
                namespaces.leave()
        else:
            confine.adopt_orphans()
        gc.disable()  # an import makes no garbage, and many objects to look at
        if MAY_FORK:
            _import_what_is_needed()
        self.most = confine.address_space() + MEMORY
        self.processes = os.open("/proc/self/ns/pid", os.O_RDONLY) if isolated else -1
        gc.freeze()  # a child that never looks at these objects need not copy them
        gc.enable()
        if isolated:
            with _or_not_isolated():
                namespaces.keep_only(namespaces.pythons_own(PACKAGE), hidden)
            os.environ |= dict.fromkeys(["HOME", "TMPDIR", "MPLCONFIGDIR"], namespaces.SCRATCH)

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run one exercise in a child.

        Args:
            request: The "program", its "function", the "cases" and "gradients", the limits in "seconds", and
                in "processor" seconds.

        Returns:
            How the child "ended": answered, time, output or crash; and the "text" that it wrote.
        """
        from vae_edu.grading import confine, namespaces, scope

        if MAY_FORK:
            with contextlib.suppress(Exception):
                scope.preload(request["program"])
        reading, writing = os.pipe()
        child = namespaces.fork_alone(self.processes) if self.isolated else os.fork()
        if child == 0:
            os.close(reading)
            self.run(request, writing)
        os.close(writing)
        ended, text = self.read(reading, time.monotonic() + request["seconds"] + START)
        os.close(reading)
        for kill in (os.kill, os.killpg):
            with contextlib.suppress(OSError):
                kill(child, signal.SIGKILL)
        _, _, used = os.wait4(child, 0)
        confine.end_children(self.isolated)
        if ended == "crash" and used.ru_utime + used.ru_stime > request["processor"] - 0.1:  # clocks differ
            ended = "time"
        return {"ended": ended, "text": text.decode(errors="replace") if ended == "answered" else ""}

    def read(self, reading: int, deadline: float) -> tuple[str, bytes]:
        """How the child ended, and what it wrote by then."""
        from vae_edu.grading import wire

        text = b""
        while (left := deadline - time.monotonic()) > 0:
            ready = select.select([reading, self.requests.fileno()], [], [], left)[0]
            if self.requests.fileno() in ready:  # the grader has ended: it waits for a reply before it writes
                os._exit(0)
            if reading in ready:
                if not (piece := os.read(reading, 2**20)):
                    return "crash", text
                text += piece
                if len(text) > wire.MAX_REPLY_BYTES:
                    return "output", text
                if text.endswith(b"\n"):
                    return "answered", text
        return "time", text

    def run(self, request: dict[str, Any], writing: int) -> NoReturn:
        """In the child: confine this process, run the student's program, write its answers, and end."""
        os.setsid()
        os.closerange(3, writing)  # the runner's requests and replies
        os.closerange(writing + 1, 2**16)
        from vae_edu.grading import confine, scope, wire

        if not MAY_FORK:
            _import_what_is_needed()
        from vae_edu.exercises.answers import Answer, answer, said

        confine.drop_privileges(self.user)
        confine.limit(request["processor"], self.most)  # which a student's code cannot raise again
        confine.forbid(self.isolated)
        names = scope.provide()
        cases = [wire.arguments(case) for case in request["cases"]]
        try:
            exec(compile(request["program"], "<notebook>", "exec"), names)
            function = names[request["function"]]
            found = [answer(function, case, request["gradients"]) for case in cases]
        except BaseException as error:  # a student's SystemExit and KeyboardInterrupt, too
            found = [Answer(problem=("raised", said(error)))] * len(cases)
        line = wire.dumps({"answers": [wire.portable(answer) for answer in found]})
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(line.encode() + b"\n")
        os._exit(0)


@contextlib.contextmanager
def _or_not_isolated() -> Iterator[None]:
    try:
        yield
    except (OSError, AttributeError) as error:  # a refusal, or a C library without the function
        raise NotIsolated(str(error)) from error


def _import_what_is_needed() -> None:
    """Import PyTorch and the exercises, and let them read now what a child cannot."""
    import torch

    import vae_edu.exercises.answers
    import vae_edu.grading.wire  # noqa: F401

    torch.set_num_threads(1)
    if MAY_FORK:
        torch.mm(torch.ones(2, 2), torch.ones(2, 2))  # the first product reads /proc


if __name__ == "__main__":
    main()
