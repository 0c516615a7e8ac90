"""A student's own check of a saved notebook: what it would get, in a fresh process."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vae_edu.exercises import LESSONS, NUMBERS, variants
from vae_edu.exercises.answers import Answer, answer
from vae_edu.grading import versions, wire
from vae_edu.grading.find import find
from vae_edu.grading.magics import transformer
from vae_edu.grading.marks import hidden_cases, mark
from vae_edu.grading.sandbox import Sandbox

PUBLIC_SEED = 17
OTHER_NUMBERS = "Grading uses other numbers than this check, and reads what the functions do."


class ThisProcess(Sandbox):
    """Runs one's own code where it is asked to; without limits, and on systems that cannot fork."""

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run one exercise, as a sandbox does."""
        scope: dict[str, Any] = {"__name__": "__main__"}
        try:
            exec(compile(request["program"], "<notebook>", "exec"), scope)
            function = scope[request["function"]]
            found = [answer(function, case, request["gradients"]) for case in request["cases"]]
        except (Exception, SystemExit) as error:
            found = [Answer(problem=("raised", f"{type(error).__name__}: {error}"))] * len(request["cases"])
        line = wire.dumps({"answers": [wire.portable(given) for given in found]})
        return {"ended": "answered", "text": line}


def check_saved(
    notebooks: list[Path], lesson: str | None = None, variant: int | None = None
) -> Iterator[str]:
    """What saved notebooks would get, exercise by exercise, in lines.

    Args:
        notebooks: The files.
        lesson: The lesson that they answer. Default: what each holds.
        variant: The seed of their variant of the exercises. Default: the one that the checks of each name.

    Raises:
        ValueError: There is no such file or lesson.
    """
    transformer()  # raises now if IPython is missing
    if lesson not in (None, *LESSONS):
        raise ValueError(f"there is no lesson {lesson}: the lessons are {', '.join(LESSONS)}.")
    kind = Sandbox if hasattr(os, "fork") else ThisProcess
    with (
        TemporaryDirectory(prefix="vae_edu-", ignore_cleanup_errors=True) as room,
        kind([], unconfined=True) as sandbox,
    ):
        finding = find(notebooks, Path(room), "flat", lesson=lesson)
        for one in finding.found:
            if one.note:
                yield f"{one.file}: {one.note}."
            named = versions.answered(one.submission) if one.submission and variant is None else {variant}
            own = named.pop() if len(named) == 1 else None
            for name in one.lessons if one.submission else ():
                points, lines = 0, []
                for exercise in LESSONS[name]:
                    assert one.submission
                    tried = hidden_cases(variants.exercise(exercise, own), PUBLIC_SEED)
                    given = mark(one.submission, exercise, tried, sandbox, variant=own)
                    points += given.points
                    said = given.mistake or "; ".join(filter(None, ["correct", given.remark]))
                    lines.append(f"  {NUMBERS[exercise]} {exercise}: {given.points} of {given.of}, {said}.")
                most = sum(exercise.points for exercise in LESSONS[name].values())
                yield f"{one.file}, {name}: {points} of {most} points."
                yield from lines
    yield OTHER_NUMBERS
