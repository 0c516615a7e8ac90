"""The marks: every exercise of every submission, from answers to cases that the student could not know."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from vae_edu.exercises import EXERCISES, Exercise
from vae_edu.exercises.answers import SIZES, Case, cases
from vae_edu.exercises.diagnosis import diagnose
from vae_edu.grading import wire
from vae_edu.grading.flags import flags
from vae_edu.grading.submission import Submission

SECONDS = 10  # for an exercise, which takes a fraction of one
ENDED = {
    "time": f"it was stopped after {SECONDS} seconds; look for a loop that does not end",
    "output": "it returned more than an answer can hold",
    "crash": "its process ended without an answer",
}


@dataclass
class Mark:
    """The mark of one exercise: points, of how many, the mistake in words, what a teacher should look at."""

    points: int
    of: int
    mistake: str | None = None
    flags: list[str] = field(default_factory=list)


class Runner:
    """A process that runs students' code, started again whenever it does not answer."""

    def __init__(self, slot: int, hidden: list[Path]) -> None:
        self.slot, self.hidden = slot, [str(path.resolve()) for path in hidden]
        self.process: subprocess.Popen[bytes] | None = None
        self.isolated = True

    def __enter__(self) -> "Runner":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        """What became of one exercise."""
        if self.process is None or self.process.poll() is not None:
            program = [sys.executable, "-I", str(Path(__file__).with_name("runner.py"))]
            pipe = subprocess.PIPE
            environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
            self.process = subprocess.Popen(program, stdin=pipe, stdout=pipe, env=environment, cwd="/")
        try:
            self.process.stdin.write(
                wire.dumps(request | {"slot": self.slot, "hidden": self.hidden}).encode() + b"\n"
            )
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            self.process.kill()
            self.process.wait()
            return {"ended": "crash", "text": ""}


def hidden_cases(exercise: Exercise, seed: int) -> list[Case]:
    """The cases of a grading: other numbers than those of a check, and other sizes."""
    sizes = [(B + seed % 3 + 1, D + seed % 2, d) for B, D, d in SIZES]
    return cases(exercise, seed, sizes, cuda=False)


def mark(submission: Submission, name: str, tried: list[Case], runner: Runner) -> Mark:
    """The mark of one exercise of a submission, by its answers to the cases."""
    exercise = EXERCISES[name]
    if name in submission.broken:
        return Mark(0, exercise.points, submission.broken[name])
    if not (times := submission.times_defined(name)):
        return Mark(0, exercise.points, "there is no such function in the notebook")
    program = submission.program(name)
    request = {
        "program": program,
        "function": name,
        "cases": [case.arguments for case in tried],
        "gradients": exercise.gradients,
        "seconds": SECONDS,
    }
    reply, used = runner.reply(request), []
    mistake = ENDED.get(reply["ended"])
    if mistake is None:
        try:
            answers, used, isolated = wire.answers(reply["text"], len(tried))
            runner.isolated &= isolated
            mistake = diagnose(exercise, tried, answers)
        except ValueError as error:
            mistake = str(error)
    found = flags(program, name, used)
    if times > 1:
        found.append(f"it is defined {times} times, and the last one counts")
    return Mark(0 if mistake else exercise.points, exercise.points, mistake, found)
