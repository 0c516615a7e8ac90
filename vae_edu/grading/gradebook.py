"""The marks of a table in nbgrader's gradebook."""

import csv
from pathlib import Path

from vae_edu.exercises import LESSONS, NUMBERS


def write(table: Path, gradebook: Path) -> int:
    """Set the scores of the cells check-<exercise> to those of a table of `grade`; how many were set.

    Students and submissions that the gradebook does not know are added to it. Nothing is written where a
    row is at fault.

    Raises ValueError where nbgrader, the gradebook, a column or an assignment is missing.
    """
    try:
        from nbgrader.api import Gradebook, MissingEntry
    except ImportError as error:
        raise ValueError("nbgrader is not installed: pip install nbgrader.") from error
    if not gradebook.is_file():
        raise ValueError(f"there is no gradebook {gradebook}: nbgrader generate_assignment makes it.")
    marks = _marks(table)
    with Gradebook(f"sqlite:///{gradebook.resolve()}") as book:
        for lesson in {lesson for _, lesson, _, _ in marks}:
            try:
                book.find_assignment(lesson)
            except MissingEntry:
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
                column = f"{NUMBERS[name]} {name}"
                if column not in row:
                    raise ValueError(f"{table} has no column {column}: give a table that grade has written.")
                try:
                    points = float(row[column] or 0)
                except ValueError:
                    message = (
                        f"{table}: {row[column]!r} is no number of points ({row['student_id']}, {column})."
                    )
                    raise ValueError(message) from None
                marks.append((row["student_id"], lesson, name, points))
    return marks
