"""Write the marks of a table into nbgrader's gradebook."""

import csv
from importlib import import_module
from pathlib import Path
from typing import Any

from vae_edu.exercises import LESSONS
from vae_edu.grading.report import column


def write(table: Path, gradebook: Path) -> int:
    """Set the scores of the cells ``check-<exercise>`` to those of a table of ``grade``.

    Students and submissions that the gradebook does not know are added to it. If one row is wrong, nothing
    is written.

    Args:
        table: The table, a .csv file.
        gradebook: The gradebook, an SQLite file.

    Returns:
        How many scores were set.

    Raises:
        ValueError: Nbgrader, the gradebook, a column or an assignment is missing, or a mark is no number.
    """
    try:
        nbgrader: Any = import_module("nbgrader.api")
    except ImportError as error:
        raise ValueError("nbgrader is not installed: pip install nbgrader.") from error
    if not gradebook.is_file():
        raise ValueError(f"there is no gradebook {gradebook}: nbgrader generate_assignment makes it.")
    marks = _marks(table)
    with nbgrader.Gradebook(f"sqlite:///{gradebook.resolve()}") as book:
        for lesson in {lesson for _, lesson, _, _ in marks}:
            try:
                book.find_assignment(lesson)
            except nbgrader.MissingEntry:
                message = f"the gradebook has no assignment {lesson}: nbgrader generate_assignment makes it."
                raise ValueError(message) from None
        for student, lesson, name, points in marks:
            book.update_or_create_student(student)
            book.update_or_create_submission(lesson, student)
            grade = book.find_grade(f"check-{name}", lesson, lesson, student)
            grade.manual_score, grade.needs_manual_grade = points, False
        book.db.commit()
    return len(marks)


def _marks(table: Path) -> list[tuple[str, str, str, float]]:
    """Student, lesson, exercise and points of every mark in the table."""
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows or "student_id" not in rows[0]:
        raise ValueError(f"{table} has no column student_id: give a table that grade has written.")
    marks = []
    for row in rows:
        for lesson, exercises in LESSONS.items():
            for name in exercises if row.get(lesson) else ():
                heading = column(name)
                if heading not in row:
                    raise ValueError(f"{table} has no column {heading}: give a table that grade has written.")
                try:
                    points = float(row[heading] or 0)
                except ValueError:
                    place = f"{row['student_id']}, {heading}"
                    raise ValueError(f"{table}: {row[heading]!r} is no number of points ({place}).") from None
                marks.append((row["student_id"], lesson, name, points))
    return marks
