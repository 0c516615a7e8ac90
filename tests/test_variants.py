"""Variants of the exercises: other names and conventions, the same checks, nothing that can be copied."""

import importlib.util
import inspect
import math
import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
import torch

from tests.right_answers import RIGHT
from vae_edu.__main__ import main
from vae_edu.checks import check, problem
from vae_edu.exercises import EXERCISES, LESSONS, NUMBERS
from vae_edu.exercises.answers import answer
from vae_edu.exercises.cases import cases
from vae_edu.exercises.diagnosis import diagnose
from vae_edu.exercises.tasks import TASKS
from vae_edu.exercises.variants import WORDS, cell, exercise, make, variant, written
from vae_edu.grading import tables
from vae_edu.grading.marks import hidden_cases
from vae_edu.grading.submission import read
from vae_edu.grading.versions import note

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("assignments", ROOT / "notebooks" / "assignments.py")
assignments = importlib.util.module_from_spec(spec)
spec.loader.exec_module(assignments)

KL_17 = (("logvar", "log_std"), ("mu", "loc"))
HINT_17 = "it takes {logvar} for log σ²"
EVERY = [(name, i) for name in EXERCISES for i in range(len(TASKS[name].conventions))]
every_convention = pytest.mark.parametrize(("name", "i"), EVERY, ids=lambda value: str(value))
every_exercise = pytest.mark.parametrize("name", EXERCISES)


@cache
def public(lesson):
    """By exercise, the lesson's cell."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{lesson}.ipynb", as_version=4)
    found = assignments.exercises(lesson, notebook)
    return {name: notebook.cells[i].source for name, (i, _) in found.items()}


def public_cell(name):
    return next(public(lesson)[name] for lesson in LESSONS if name in LESSONS[lesson])


def defined(source, name):
    """The function that a cell defines, with what lessons import at least."""
    scope = {"torch": torch, "nn": torch.nn}
    if not source.startswith("# Exercise") or "variant" not in source.split("\n")[0]:
        scope["math"] = math
    exec(source, scope)
    return scope[name]


def said(exercise, function, tried=None):
    tried = tried or cases(exercise, cuda=False)
    found = diagnose(exercise, tried, [answer(function, c.arguments, exercise.gradients) for c in tried])
    return getattr(found, "mistake", found)


def renamed(function, names):
    """The function with the variant's names, as who copies it writes them."""
    return lambda **given: function(**{old: given[new] for old, new in names.items()})


def chosen(name, i):
    return make(name, i, TASKS[name].conventions[i])


def test_every_exercise_has_another_convention():
    assert TASKS.keys() == EXERCISES.keys()
    assert all(len({c.note for c in TASKS[name].conventions}) >= 2 for name in EXERCISES)


@every_convention
def test_a_solution_is_right_in_the_check_and_in_the_grading(name, i):
    found = chosen(name, i)
    source = written(found, public_cell(name))
    solution = defined(source, name)
    assert list(inspect.signature(solution).parameters) == list(found.names.values())
    assert said(found.exercise, solution) is None
    for seed in (1, 2):
        assert said(found.exercise, solution, hidden_cases(found.exercise, seed)) is None


@every_convention
def test_who_copies_the_public_solution_is_told_what_differs(name, i):
    found = chosen(name, i)
    hint = found.convention.hint.format(**found.names)
    copied = renamed(defined(public_cell(name), name), found.names)
    assert said(found.exercise, copied).startswith(hint)
    assert said(found.exercise, copied, hidden_cases(found.exercise, 3)).startswith(hint)


@every_convention
def test_another_style_of_right_answers_is_accepted(name, i):
    """The same change on both sides of answers that were not written for it."""
    found = chosen(name, i)
    convention, names = found.convention, found.names
    for function in RIGHT[name]:

        def right(function=function, **given):
            lessons = {
                old: convention.given[old].back(given[new]) if old in convention.given else given[new]
                for old, new in names.items()
            }
            result = function(**lessons)
            if not convention.answer:
                return result
            if isinstance(result, tuple):
                return tuple(convention.answer(part, lessons) for part in result)
            kind = torch.float64 if isinstance(result, float) else None
            return convention.answer(torch.as_tensor(result, dtype=kind), lessons)

        assert said(found.exercise, right) is None


@pytest.mark.parametrize("name", list(EXERCISES)[::5])
def test_known_mistakes_are_named_in_a_variant(name):
    for i in range(len(TASKS[name].conventions)):
        found = chosen(name, i)
        first = found.exercise.mistakes[0][1]
        named = 0
        for mistake, hint in found.exercise.mistakes:
            told = said(found.exercise, mistake)
            assert told.startswith((hint, first)) or "raised" in told, (told, hint)
            named += told.startswith(hint)
        assert named >= max(2, 0.8 * len(found.exercise.mistakes))


@every_convention
def test_texts_name_the_arguments_that_there_are(name, i):
    found = chosen(name, i)
    gone = found.names.keys() - set(found.names.values()) - WORDS
    texts = [found.exercise.shapes, *(hint for _, hint in found.exercise.mistakes[1:])]
    for text in texts:
        plain = re.sub(r"\([\w/]+,(?: [\w/]+,?)*\)|\w*[pq]\([^()]*\)|‖[^‖]*‖|x̂", "", text)
        for old in gone - {"a"}:
            assert not re.search(rf"(?<![\w.]){old}(?!\w)", plain), (text, old)
    source = written(found, public_cell(name))
    assert "{" not in source.split("def ")[0]
    assert all(len(line) <= 110 for line in source.split("\n"))
    assert source.startswith(f"# Exercise {NUMBERS[name]}, variant: ")


@every_exercise
def test_a_seed_is_a_variant_and_another_is_another(name):
    again = variant(name, 17)
    assert make(name, 17, again.convention).names == again.names
    several = [(cell(name, seed, public_cell(name))) for seed in range(12)]
    assert len(set(several)) > 3
    assert exercise(name) is EXERCISES[name]


def test_a_class_differs_from_every_other_one():
    classes = {tuple(tuple(variant(name, seed).names.items()) for name in EXERCISES) for seed in range(40)}
    assert len(classes) == 40


def test_a_seed_gives_the_same_variant_on_every_machine():
    assert tuple(variant("kl_to_standard_normal", 17).names.items()) == KL_17
    assert variant("kl_to_standard_normal", 17).convention.hint.startswith(HINT_17)


@pytest.mark.parametrize("seed", ["17", 1.5, True])
def test_a_variant_is_a_whole_number(seed):
    with pytest.raises(ValueError, match=f"a variant is a whole number such as 17, not {seed!r}"):
        check("l2_loss", RIGHT["l2_loss"][0], variant=seed)


def test_a_check_of_a_variant(capsys):
    found = variant("kl_to_standard_normal", 3)
    solution = defined(cell("kl_to_standard_normal", 3, public_cell("kl_to_standard_normal")), found.name)
    check("kl_to_standard_normal", solution, variant=3)
    assert capsys.readouterr().out == "kl_to_standard_normal: correct.\n"
    assert problem("kl_to_standard_normal", solution) is not None


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    target = tmp_path_factory.mktemp("build") / "assignments"
    assignments.build(ROOT / "notebooks", target, 17)
    return target


def test_a_class_gets_the_variant_in_both_versions(built):
    for lesson in LESSONS:
        student = nbformat.read(built / "student" / f"{lesson}.ipynb", as_version=4)
        course = nbformat.read(built / "course" / "source" / lesson / f"{lesson}.ipynb", as_version=4)
        assert student.metadata["vae_edu"] == course.metadata["vae_edu"] == {"variant": 17}
        for name in LESSONS[lesson]:
            call = f'check("{name}", {name}, variant=17)'
            assert call in [c.source for c in student.cells]
            hidden = f'checks.check("{name}", {name}, variant=17, graded=True)'
            assert any(c.source.startswith(call) and hidden in c.source for c in course.cells)
            [theirs] = [c.source for c in student.cells if f"def {name}(" in c.source]
            [ours] = [c.source for c in course.cells if f"def {name}(" in c.source]
            assert "SOLUTION" not in theirs
            assert "is not written yet" in theirs
            assert said(exercise(name, 17), defined(ours, name)) is None


def submit(built, folder, student, lesson):
    """Hand in the course's solutions."""
    source = (built / "course" / "source" / lesson / f"{lesson}.ipynb").read_text()
    folder.mkdir(exist_ok=True)
    (folder / f"{student}.ipynb").write_text(source)


def test_a_students_own_check_knows_the_variant(built, tmp_path, capsys):
    submit(built, tmp_path / "in", "anna", "08_how_tight_is_the_bound")
    for options in ([], ["--variant", "17"]):
        assert main(["grade", str(tmp_path / "in" / "anna.ipynb"), *options]) == 0
        assert "6 of 6 points" in capsys.readouterr().out


def test_grading_a_variant(built, tmp_path, capsys):
    submit(built, tmp_path / "in", "anna", "03_bayes_rule")
    public = (ROOT / "notebooks" / "03_bayes_rule.ipynb").read_text()
    (tmp_path / "in" / "copy.ipynb").write_text(public)
    command = ["grade", str(tmp_path / "in"), "--out", str(tmp_path / "grades.csv")]
    assert main([*command, "--variant", "17"]) == 0
    rows = {row["student_id"]: row for row in tables.read(tmp_path / "grades.csv", "student_id")}
    assert (rows["anna"]["total"], rows["copy"]["total"]) == ("8", "0")
    assert rows["anna"]["notes"] == ""
    assert rows["copy"]["notes"] == "this notebook answers the exercises of the lessons, graded is variant 17"
    capsys.readouterr()
    assert main(command) == 0  # the lessons' own: nothing is remembered of the variant
    assert "anna: this notebook answers variant 17, graded is the exercises of the lessons" in (
        capsys.readouterr().out
    )
    rows = {row["student_id"]: row for row in tables.read(tmp_path / "grades.csv", "student_id")}
    assert rows["anna"]["total"] == "0"


@pytest.mark.parametrize(
    ("code", "graded", "expected"),
    [
        (
            'check("l2_loss", l2_loss, variant=12)',
            17,
            "this notebook answers variant 12, graded is variant 17",
        ),
        ('checks.check("l2_loss", f, variant=17)', 17, ""),
        ('check("l2_loss", f)\ncheck("l2_loss", f, variant=17)', 17, ""),
        ('check("l2_loss", f, variant=seed)', 17, ""),
        ("check(f)\nprint(1)", 17, ""),
        ('check("l2_loss", f)', None, ""),
    ],
)
def test_a_note_on_another_variant(tmp_path, code, graded, expected):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(notebook, tmp_path / "a.ipynb")
    assert note(read(tmp_path / "a.ipynb"), graded) == expected


def test_it_says_how_to_grade_a_variant(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(assignments, "BUILD", tmp_path / "assignments")
    assert assignments.main(17) == 0
    told = capsys.readouterr().out
    assert "variant 17" in told
    assert "python -m vae_edu grade submissions --out grades.csv --variant 17" in told
