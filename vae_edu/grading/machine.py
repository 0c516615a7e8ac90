"""Before it grades anybody, the grader marks right answers: a machine that fails them must mark no one."""

import contextlib
from pathlib import Path

from vae_edu.exercises import LESSONS, NUMBERS
from vae_edu.exercises.cases import Case
from vae_edu.grading.marks import mark
from vae_edu.grading.sandbox import GraderBroken, Sandbox
from vae_edu.grading.submission import Submission, Unreadable, read

__all__ = ["GraderBroken", "examine"]

LESSONS_FOLDER = Path(__file__).resolve().parents[2] / "notebooks"  # not there if pip installed the package


class _Reference(Submission):
    """A notebook that answers every exercise with the package's own function."""

    def __init__(self, variant: int | None) -> None:
        super().__init__()
        self.variant = variant

    def times_defined(self, name: str) -> int:
        """Once."""
        return 1

    def program(self, name: str) -> str:
        """The package's function, under the name that the exercise asks for."""
        own = f"variants.exercise({name!r}, {self.variant}).reference"
        return f"from vae_edu.exercises import variants\n{name} = {own}"


def examine(sandbox: Sandbox, tried: dict[str, list[Case]], variant: int | None = None) -> None:
    """Mark a right answer to each exercise, in the same way as the students'.

    Args:
        sandbox: What the students' code will run in.
        tried: The cases of each exercise that will be marked.
        variant: The seed of the class's variant of the exercises, if it has one.

    Raises:
        GraderBroken: Students' code cannot run here, not isolated although it shall be, or a right answer
            does not get all points.
    """
    sandbox.start()
    wrong = {}
    for lesson, exercises in LESSONS.items():
        names = [name for name in exercises if name in tried]
        right = _right(lesson) if names and variant is None else _Reference(variant)
        for name in names:
            given = mark(right, name, tried[name], sandbox, variant=variant)
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
    return _Reference(None)
