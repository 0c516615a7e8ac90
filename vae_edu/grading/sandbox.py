"""The grader's end of the process that runs students' code; ``runner.py`` is the other end."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from vae_edu.grading import wire

KEPT = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"]  # Python may need them to start
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "USER": "student", "HOME": "/nonexistent",
    "MPLBACKEND": "agg", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # fewer pages: a fork takes half the time
}  # fmt: skip


BROKEN = (
    "nothing was graded: the process that runs students' code does not start on this machine ({}). "
    "The students are not to blame: install the package again, or try another machine."
)
NOT_ISOLATED = (
    "nothing was graded: this system does not isolate students' code ({}), so it could read your files and "
    "change marks. Grade on a Linux that isolates (as root, if it lets nobody else); or in a virtual machine "
    "or container that holds nothing else, with --unconfined."
)


class GraderBroken(ValueError):
    """Nothing can be graded on this machine, or not as it is asked to; the message says why."""


class Sandbox:
    """A process that runs students' code. It is started again whenever it does not answer.

    Attributes:
        isolated: Whether the system isolates students' code. The process says so before it sees any.
    """

    def __init__(self, hidden: list[Path], unconfined: bool = False) -> None:
        """The first request starts the process.

        Args:
            hidden: Folders that students' code must not see even if they lie next to Python's files.
            unconfined: Whether to run students' code even if the system does not isolate it.
        """
        self.hidden, self.unconfined = [str(path.resolve()) for path in hidden], unconfined
        self.process: subprocess.Popen[bytes] | None = None
        self.isolated = True

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run one exercise: how it "ended", and the "text" that its process wrote."""
        try:
            self.start()
            return self._ask(request)
        except (GraderBroken, OSError, ValueError):
            self._end()
            return {"ended": "crash", "text": ""}

    def start(self) -> None:
        """Start the process, unless it runs.

        Raises:
            GraderBroken: It cannot start, or the system does not isolate it.
        """
        if self.process and self.process.poll() is None:
            return
        reply = self._launch()
        if not reply["ready"] and not reply["isolates"] and self.unconfined:
            self.isolated = False
            reply = self._launch()
        if not reply["ready"]:
            self._end()
            raise GraderBroken((BROKEN if reply["isolates"] else NOT_ISOLATED).format(reply["said"]))

    def _launch(self) -> dict[str, Any]:
        """Start the process: is it "ready"; and if not, whether the system "isolates", and what it "said"."""
        self._end()
        program = [sys.executable, "-I", str(Path(__file__).with_name("runner.py"))]
        environment = ENVIRONMENT | {name: os.environ[name] for name in KEPT if name in os.environ}
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        path = [folder for folder in sys.path if os.path.isabs(folder) and folder != os.getcwd()]
        try:
            self.process = subprocess.Popen(
                program, stdin=pipe, stdout=pipe, stderr=null, env=environment, cwd="/"
            )
            return self._ask({"isolated": self.isolated, "path": path, "hidden": self.hidden})
        except (OSError, ValueError) as error:
            return {"ready": False, "isolates": True, "said": f"it ended at once: {error}"}

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and read the reply.

        Raises:
            OSError: The process has ended.
            ValueError: It has ended before it could reply.
        """
        assert self.process
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(wire.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def _end(self) -> None:
        """End the process. Those that it started end with it."""
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None
