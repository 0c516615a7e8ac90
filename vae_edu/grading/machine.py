"""Before it grades anybody, the grader marks right answers: a machine that fails them must mark no one."""

import contextlib
from pathlib import Path

from vae_edu.exercises import LESSONS, NUMBERS
from vae_edu.exercises.answers import Case
from vae_edu.grading.marks import mark
from vae_edu.grading.sandbox import GraderBroken, Sandbox
from vae_edu.grading.submission import Submission, Unreadable, read

__all__ = ["GraderBroken", "examine"]

LESSONS_FOLDER = Path(__file__).resolve().parents[2] / "notebooks"  # not there if pip installed the package


class _Reference(Submission):
    """A notebook that answers every exercise with the package's own function."""

    def times_defined(self, name: str) -> int:
        """Once."""
        return 1

    def program(self, name: str) -> str:
        """The package's function, under the name that the exercise asks for."""
        return f"from vae_edu.exercises import EXERCISES\n{name} = EXERCISES[{name!r}].reference"


def examine(sandbox: Sandbox, tried: dict[str, list[Case]]) -> None:
    """Mark a right answer to each exercise, in the same way as the students'.

    Args:
        sandbox: What the students' code will run in.
        tried: The cases of each exercise that will be marked.

    Raises:
        GraderBroken: Students' code cannot run here, not isolated although it shall be, or a right answer
            does not get all points.
    """
    sandbox.start()
    wrong = {}
    for lesson, exercises in LESSONS.items():
        names = [name for name in exercises if name in tried]
        right = _right(lesson) if names else _Reference()
        for name in names:
            given = mark(right, name, tried[name], sandbox)
            if given.points < given.of:
                wrong[name] = given.mistake
    if wrong:
        found = "; ".join(f"{NUMBERS[name]} {name}: {mistake}" for name, mistake in wrong.items())
        raise GraderBroken(
            f"nothing was graded: on this machine the course's own right answers fail ({found}). "
            "The students are not to blame: try another machine, or install the package again."
        )


def _right(lesson: str) -> Submission:
    """A notebook with right answers: the lesson with its solutions if it is at hand."""
    path = LESSONS_FOLDER / f"{lesson}.ipynb"
    with contextlib.suppress(Unreadable, OSError, ValueError):
        if "### BEGIN SOLUTION" in path.read_text(encoding="utf-8"):
            return read(path)
    return _Reference()
