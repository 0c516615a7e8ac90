"""Marks go into nbgrader's gradebook as the table says, or not at all."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from vae_edu.__main__ import main
from vae_edu.exercises import LESSONS
from vae_edu.grading.headings import column

LESSON = "03_bayes_rule"
NAMES = list(LESSONS[LESSON])
HEAD = ",".join(["student_id", "total", LESSON, *map(column, NAMES), "3 question"]) + "\n"
KNOWN = ["anna", "012345", "Müller", "=cmd", "123456789012"]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The gradebook of a course with one assignment, and with these students."""
    from nbgrader.api import Gradebook

    path = tmp_path_factory.mktemp("course") / "gradebook.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)  # has alembic
        book = Gradebook(f"sqlite:///{path}")
    with book:
        book.add_assignment(LESSON)
        book.add_notebook(LESSON, LESSON)
        for name in NAMES:
            book.add_grade_cell(f"check-{name}", LESSON, LESSON, max_score=2, cell_type="code")
        book.add_grade_cell("reflection", LESSON, LESSON, max_score=2, cell_type="markdown")
        for student in KNOWN:
            book.add_student(student)
    return path


@pytest.fixture
def course(template, tmp_path, monkeypatch):
    """A folder with that gradebook, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(template, tmp_path)
    return tmp_path


def scores():
    from nbgrader.api import Gradebook

    with Gradebook("sqlite:///gradebook.db") as book:
        return {
            submission.student.id: [
                grade.manual_score
                for cell in [*(f"check-{name}" for name in NAMES), "reflection"]
                for notebook in submission.notebooks
                for grade in notebook.grades
                if grade.name == cell
            ]
            for submission in book.assignment_submissions(LESSON)
        }


def put(text, *options, encoding="utf-8-sig"):
    with open("marks.csv", "wb") as file:
        file.write((HEAD + text).encode(encoding))
    return main(["gradebook", "marks.csv", "gradebook.db", *options])


def test_points_and_those_of_the_question_go_in(course, capsys):
    assert put("anna,5,5,2,1.5,1.5,0,2\n'=cmd,8,8,2,2,2,2,\n") == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("9 marks are in gradebook.db.\n", "")
    assert scores() == {"anna": [2, 1.5, 1.5, 0, 2], "=cmd": [2, 2, 2, 2, None]}


def test_a_german_spreadsheet_is_read(course):
    text = (HEAD + 'Müller,5,5,2,"1,5","1,5",0,\n').replace(",", ";").replace('"1;5"', "1,5")
    with open("marks.csv", "wb") as file:
        file.write(text.encode("cp1252"))
    assert main(["gradebook", "marks.csv", "gradebook.db"]) == 0
    assert scores() == {"Müller": [2, 1.5, 1.5, 0, None]}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("zoe,8,8,2,2,2,2,", "does not know zoe. Nothing was written. Correct the column student_id, or"),
        ("12345,8,8,2,2,2,2,", "does not know 12345 (Excel ate the zero of 012345"),
        ("MÃ¼ller,8,8,2,2,2,2,", "MÃ¼ller (it was read in a wrong encoding, Müller is meant)"),
        ("1.23457E+11,8,8,2,2,2,2,", "1.23457E+11 (Excel shortened a long number"),
        (",8,8,2,2,2,2,", "a row has no student_id (8, 8, 2"),
        ("anna,,,20,2,2,2,", "20 is not between 0 and 2 (anna, 3.1 posterior_on_grid)"),
        ("anna,,,2,-3,2,2,", "-3 is not between 0 and 2 (anna, 3.2 bayes_rule)"),
        ("anna,,,2,nan,2,2,", "'nan' is no number of points (anna, 3.2 bayes_rule)"),
        ("anna,,,2,2,2,2,3", "3 is not between 0 and 2 (anna, 3 question)"),
        ("anna,8,0,2,2,2,2,", "03_bayes_rule of anna is 0, but the exercises add up to 8"),
        ("anna,0,8,2,2,2,2,", "total of anna is 0, but the exercises add up to 8"),
        ("anna,8,x,2,2,2,2,", "03_bayes_rule of anna is x"),
        ("anna,8,8,2,2,2,2,\nanna,8,8,2,2,2,2,", "anna has 2 rows"),
    ],
)  # fmt: skip
def test_one_wrong_row_and_nothing_is_written(course, capsys, row, said):
    before = (course / "gradebook.db").read_bytes()
    assert put(f"'=cmd,8,8,2,2,2,2,\n{row}\n") == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert (course / "gradebook.db").read_bytes() == before


def test_students_are_added_on_request_but_not_damaged_ones(course, capsys):
    assert put("zoe,8,8,2,2,2,2,\n12345,8,8,2,2,2,2,\n", "--add-students") == 2
    assert "does not know 12345 (Excel ate" in capsys.readouterr().err
    assert put("zoe,8,8,2,2,2,2,2\n", "--add-students") == 0
    assert scores() == {"zoe": [2, 2, 2, 2, 2]}


def test_an_empty_total_and_one_with_the_question_are_fine(course):
    assert put("anna,,,2,2,2,2,1\n'=cmd,9,9,2,2,2,2,1\n") == 0


@pytest.mark.parametrize("content", [b"no database", b""])
def test_what_is_no_gradebook_gets_a_sentence(course, capsys, content):
    (course / "gradebook.db").write_bytes(content)
    assert put("anna,8,8,2,2,2,2,\n") == 2
    assert capsys.readouterr().err.endswith("gradebook.db is no gradebook of nbgrader (an SQLite file).\n")
    assert (course / "gradebook.db").read_bytes() == content


def test_a_collected_notebook_counts_as_graded(course):
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    folder = course / "submitted" / "anna" / LESSON
    folder.mkdir(parents=True)
    (folder / f"{LESSON}.ipynb").write_text("{}")
    (folder / "timestamp.txt").write_text("2026-11-20 10:11:12.000000 UTC")
    config = Config()
    config.CourseDirectory.root = str(course)
    assert put("anna,8,8,2,2,2,2,\n") == 0
    (found,) = NbGraderAPI(config=config).get_submissions(LESSON)
    assert (found["autograded"], found["score"], found["needs_manual_grade"]) == (True, 8, True)
    assert put("anna,8,8,2,2,2,2,1\n") == 0
    (found,) = NbGraderAPI(config=config).get_submissions(LESSON)
    assert (found["score"], found["needs_manual_grade"]) == (9, False)
