"""The teacher's page: its example of a new exercise works, and its numbers are right."""

import math
import re
from pathlib import Path

import pytest
import torch

from vae_edu.checks import check, problem
from vae_edu.exercises import EXERCISES, LESSONS, Exercise

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "notebooks" / "TEACHING.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.fixture
def catalogue():
    """EXERCISES with the example of the page."""
    scope = {"EXERCISES": EXERCISES, "Exercise": Exercise, "math": math, "torch": torch}
    exec(EXAMPLE[0], scope)
    yield EXERCISES
    del EXERCISES["log_prior"]


def test_an_exercise_is_added_in_under_twenty_lines(catalogue, capsys):
    assert len("".join(EXAMPLE).splitlines()) < 20
    scope = {"torch": torch, "check": check}
    exec(EXAMPLE[1] + EXAMPLE[2], scope)
    assert capsys.readouterr().out == "log_prior: correct.\n"


def test_the_mistakes_of_the_example_are_named(catalogue):
    exercise = catalogue["log_prior"]
    assert len(exercise.mistakes) == 2
    for mistake, hint in exercise.mistakes:
        assert problem("log_prior", mistake).startswith(hint)
    assert "sign is flipped" in problem("log_prior", lambda z: -exercise.reference(z))


def test_the_points_are_those_of_the_exercises():
    rows = re.findall(r"^\| (\d\d) [^|]+\| (\d+) \| (\d+) \+ 2 \|", PAGE, re.M)
    assert [(int(count), int(points)) for _, count, points in rows] == [
        (len(exercises), sum(exercise.points for exercise in exercises.values()))
        for exercises in LESSONS.values()
    ]
    homework = [LESSONS[name] for name in LESSONS if name[:2] in ("03", "04", "05")]
    count, points = map(sum, zip(*((len(e), sum(x.points for x in e.values())) for e in homework)))
    assert f"{count} exercises, {points} points" in PAGE


def test_every_question_has_an_answer():
    answers = PAGE.split("## What a good answer says")[1]
    assert re.findall(r"^\| (\d\d) \|", answers, re.M) == [name[:2] for name in LESSONS]


def test_the_points_add_up():
    exercises = sum(exercise.points for lesson in LESSONS.values() for exercise in lesson.values())
    questions = 2 * len(LESSONS)
    assert f"{exercises + questions} in all: {exercises} for the exercises, {questions} for the" in PAGE


def test_a_session_of_the_long_plan_takes_90_minutes():
    sessions = re.findall(r"^\| \*\*(\d)\. .+?\*\* \| [^|]+ (\| .+ \|) [^|]+ \|$", PAGE, re.M)
    assert [number for number, _ in sessions] == ["1", "2", "3", "4"]
    for _, plan in sessions:
        assert sum(map(int, re.findall(r" (\d+)(?: minutes)?(?:;| \|)", plan))) == 90, plan


def test_every_exercise_that_is_named_exists():
    for lesson, exercise in re.findall(r"\b(\d)\.(\d)\b", PAGE.split("## What students get\n")[0]):
        (exercises,) = (found for name, found in LESSONS.items() if name.startswith(f"0{lesson}"))
        assert 1 <= int(exercise) <= len(exercises)


def test_the_rubric_adds_up():
    project = (ROOT / "notebooks" / "PROJECT.md").read_text(encoding="utf-8")
    points = re.findall(r"^\| [^|]+ \| (\d+) \| ", project, re.M)
    assert f"| **Sum** | **{sum(map(int, points))}** |" in project
    questions = 2 * len(LESSONS)
    assert f"{questions} + {sum(map(int, points))} points" in PAGE


def test_every_lesson_has_its_mistakes():
    mistakes = PAGE.split("## What students get wrong")[1].split("## What students get\n")[0]
    assert re.findall(r"^\| (\d\d) \|", mistakes, re.M) == [name[:2] for name in LESSONS]
