"""The grader's end of the process that runs students' code; ``runner.py`` is the other end."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from vae_edu.grading import wire


class Sandbox:
    """A process that runs students' code. It is started again whenever it does not answer.

    Attributes:
        isolated: Whether the system isolated every exercise so far.
    """

    def __init__(self, slot: int, hidden: list[Path]) -> None:
        """Choose a user by the slot, and the hidden folders; the first request starts the process."""
        self.slot, self.hidden = slot, [str(path.resolve()) for path in hidden]
        self.process: subprocess.Popen[bytes] | None = None
        self.isolated = True

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process:
            self._end(self.process)

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run one exercise: how it "ended", and the "text" that its process wrote."""
        if self.process is None or self.process.poll() is not None:
            self.process = self._start()
        process, line = self.process, wire.dumps(request | {"hidden": self.hidden})
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())
        except (OSError, ValueError):
            self._end(process)
            return {"ended": "crash", "text": ""}

    def _start(self) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-I", str(Path(__file__).with_name("runner.py"))]
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
        pipe = subprocess.PIPE
        return subprocess.Popen(program, stdin=pipe, stdout=pipe, env=environment, cwd="/")

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
