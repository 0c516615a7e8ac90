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
        raise ValueError(f"there is no gradebook {gradebook}: run nbgrader generate_assignment first.")
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows or "student_id" not in rows[0]:
        raise ValueError(f"{table} has no column student_id: give a table that grade has written.")
    count = 0
    with Gradebook(f"sqlite:///{gradebook.resolve()}") as book:
        for row in rows:
            for lesson, exercises in LESSONS.items():
                if not row.get(lesson):
                    continue
                try:
                    book.find_assignment(lesson)
                except MissingEntry:
                    raise ValueError(
                        f"the gradebook has no assignment {lesson}: nbgrader generate_assignment makes it."
                    ) from None
                student = row["student_id"]
                book.update_or_create_student(student)
                book.update_or_create_submission(lesson, student)
                for name in exercises:
                    grade = book.find_grade(f"check-{name}", lesson, lesson, student)
                    grade.manual_score = float(row[f"{NUMBERS[name]} {name}"] or 0)
                    grade.needs_manual_grade = False
                    count += 1
        book.db.commit()
    return count
