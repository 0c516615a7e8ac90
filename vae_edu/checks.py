"""Checks of the exercises: run a learner's function and name the mistake, never the solution."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from vae_edu.engine.arguments import switched_on
from vae_edu.engine.files import cache_folder, whole_file
from vae_edu.exercises import EXERCISES, LESSONS, NUMBERS, variants
from vae_edu.exercises.answers import Answer, answer
from vae_edu.exercises.cases import Case, cases
from vae_edu.exercises.compare import same
from vae_edu.exercises.diagnosis import Verdict, diagnose

_results: dict[str, bool] = {}  # the last check of each exercise since Python started


def check(
    name: str, function: Callable[..., Any], graded: bool | None = None, variant: int | None = None
) -> None:
    """Run a learner's function on many batches and print "name: correct" and a remark, or its mistake.

    Args:
        name: The exercise.
        function: The learner's function.
        graded: Whether to raise the mistake instead of printing it. Default: whether the environment
            variable VAE_EDU_GRADED is set and not 0.
        variant: The seed of the class's variant of the exercises. Default: the exercises of the lessons.

    Raises:
        ValueError: There is no exercise of this name, or no such variant.
        AssertionError: The function is wrong, and ``graded`` is true.
    """
    wrong, remark = _verdict(name, function, variant)
    _results[name] = wrong is None
    _remember()
    if wrong and (switched_on("VAE_EDU_GRADED") if graded is None else graded):
        raise AssertionError(f"{name}: {wrong}.")
    said = f"not yet: {wrong}." if wrong else "correct."
    print(f"{name}: {said}" + (f" {remark[0].upper()}{remark[1:]}." if remark else ""))


def problem(name: str, function: Callable[..., Any], variant: int | None = None) -> str | None:
    """What is wrong with a learner's function, in words; None if it is right.

    Args:
        name: The exercise.
        function: The learner's function.
        variant: The seed of the class's variant of the exercises. Default: the exercises of the lessons.

    Raises:
        ValueError: There is no exercise of this name, or no such variant.
    """
    return _verdict(name, function, variant).mistake


def _verdict(name: str, function: Callable[..., Any], variant: int | None) -> Verdict:
    exercise, all_cases = variants.exercise(name, variant), _cases(name, variant)
    tried: list[Case] = []
    answers: list[Answer] = []
    # The GPU comes last, and only for what is right so far: a wrong index ends a process's use of it.
    for on_gpu in (False, True):
        if all(same(given, case.right) for case, given in zip(tried, answers, strict=True) if case.counted):
            new = [case for case in all_cases if (case.kind == "cuda") == on_gpu]
            answers += [answer(function, case.arguments, exercise.gradients) for case in new]
            tried += new
    return diagnose(exercise, tried, answers)


@cache
def _cases(name: str, variant: int | None) -> list[Case]:
    """The cases of an exercise, which are the same for every check."""
    return cases(variants.exercise(name, variant))


def report() -> None:
    """Print which exercises are done, lesson by lesson: ✓ correct, ✗ not yet, · not tried.

    The last check of each exercise is remembered from one lesson to the next, in the user's cache, unless
    the environment variable VAE_EDU_PROGRESS is 0.
    """
    results = _remembered() | _results
    for lesson, exercises in LESSONS.items():
        done = sum(results.get(name, False) for name in exercises)
        marks = "  ".join(f"{NUMBERS[name]} {_mark(results.get(name))}" for name in exercises)
        print(f"{lesson:27} {done} of {len(exercises)}   {marks}")
    print(f"{sum(results.values())} of {len(EXERCISES)} exercises are done (✓), not yet ✗, not tried ·.")
    if open_ones := [f"{NUMBERS[name]} {name}" for name, right in results.items() if not right]:
        print(f"Go on with {', '.join(sorted(open_ones))}.")


def _mark(result: bool | None) -> str:
    return "·" if result is None else "✓" if result else "✗"


def _file() -> Path | None:
    """The file of earlier results; None if nothing is to be remembered."""
    return cache_folder() / "exercises.json" if switched_on("VAE_EDU_PROGRESS", default=True) else None


def _remembered() -> dict[str, bool]:
    """The results of earlier sessions; none if there is no file or it is no table of results."""
    if not (path := _file()):
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: bool(found[name]) for name in EXERCISES if name in found}
    except (OSError, ValueError, TypeError):
        return {}


def _remember() -> None:
    """Keep the results for later sessions, if the cache can be written."""
    if not (path := _file()):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part:
            part.write_text(json.dumps(_remembered() | _results), encoding="utf-8")
    except OSError:
        pass
