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
