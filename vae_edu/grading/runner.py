"""The process that runs students' code: ``python -I runner.py`` reads requests, one a line, and replies.

It imports PyTorch once and forks a confined child for every exercise. The child runs the student's program
and writes its answers. Whatever the child does, this process reads a limited number of bytes for a limited
time, and then kills it.
"""

import contextlib
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

PACKAGE = Path(__file__).resolve().parents[1]
MEMORY = 2**30  # bytes for an exercise, in addition to PyTorch's


def main() -> None:
    """Serve requests from standard input until it ends."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    sys.path.append(str(PACKAGE.parent))
    import torch

    import vae_edu.grading.wire
    from vae_edu.grading import confine

    torch.set_num_threads(1)
    torch.mm(torch.ones(2, 2), torch.ones(2, 2))  # the first product reads /proc, which the child cannot
    confine.adopt_orphans()
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    for line in requests:
        replies.write(json.dumps(serve(json.loads(line))).encode() + b"\n")
        replies.flush()


def serve(request: dict[str, Any]) -> dict[str, Any]:
    """Run one exercise in a child.

    Args:
        request: The "program", its "function", the "cases" and "gradients", the limit in "seconds",
            and the "hidden" folders.

    Returns:
        How the child "ended": answered, time, output or crash; and the "text" that it wrote.
    """
    from vae_edu.grading import confine, wire

    reading, writing = os.pipe()
    user = confine.own_user()
    child = os.fork()
    if child == 0:
        os.close(reading)
        run(request, writing, user)
    os.close(writing)
    deadline, text, ended = time.monotonic() + request["seconds"], b"", "time"
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([reading], [], [], left)[0]:
            break
        if not (piece := os.read(reading, 2**20)):
            ended = "crash"
            break
        text += piece
        if len(text) > wire.MAX_REPLY_BYTES:
            ended = "output"
            break
        if text.endswith(b"\n"):
            ended = "answered"
            break
    os.close(reading)
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(OSError):
            kill(child, signal.SIGKILL)
    confine.end_children()
    return {"ended": ended, "text": text.decode(errors="replace") if ended == "answered" else ""}


def run(request: dict[str, Any], writing: int, user: int) -> NoReturn:
    """In the child: confine this process, run the student's program, write its answers, and end."""
    from vae_edu.exercises.answers import Answer, answer
    from vae_edu.grading import confine, wire

    os.setsid()
    os.closerange(3, writing)  # the runner's requests and replies
    os.closerange(writing + 1, 2**16)
    used: set[str] = set()
    isolated = confine.confine(request["hidden"], user, request["seconds"], MEMORY)
    confine.forbid(PACKAGE, used.add)
    scope: dict[str, Any] = {"__name__": "__main__"}
    cases = [wire.arguments(case) for case in request["cases"]]
    try:
        exec(compile(request["program"], "<notebook>", "exec"), scope)
        function = scope[request["function"]]
        sys.setprofile(lambda frame, event, _: notice(frame, event, used))
        found = [answer(function, case, request["gradients"]) for case in cases]
    except BaseException as error:  # a student's SystemExit and KeyboardInterrupt, too
        found = [Answer(problem=("raised", f"{type(error).__name__}: {error}"))] * len(cases)
    sys.setprofile(None)
    found = [wire.limit_size(answer) for answer in found]
    line = wire.dumps({"answers": found, "used": sorted(used), "isolated": isolated})
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(line.encode() + b"\n")
    os._exit(0)


def notice(frame: Any, event: str, used: set[str]) -> None:
    """Remember the functions of the package that the notebook's code calls."""
    caller = frame.f_back
    if event == "call" and caller and caller.f_code.co_filename == "<notebook>":
        path = Path(frame.f_code.co_filename)
        if PACKAGE in path.parents:
            used.add(f"{path.stem}.{frame.f_code.co_name}")


if __name__ == "__main__":
    main()
