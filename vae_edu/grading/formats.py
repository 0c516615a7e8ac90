"""The marks in the columns that Canvas, Moodle and nbgrader import and export, in files next to the table."""

from pathlib import Path
from typing import Any

from vae_edu.exercises import LESSONS
from vae_edu.grading import tables
from vae_edu.grading.marks import Record

CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
MOODLE = [
    "Identifier", "Full name", "ID number", "Email address", "Grade", "Maximum Grade",
    "Last modified (grade)",
]  # fmt: skip
NBGRADER = [
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
    "late_submission_penalty", "score", "max_score",
]  # fmt: skip


def write(records: list[Record], out: Path, format: str) -> list[Path]:
    """Write the marks in a format, next to the table.

    Args:
        records: One for each student and lesson.
        out: The table; the files are named after it, such as grades_canvas.csv.
        format: One of canvas, moodle and nbgrader; "plain" writes nothing, since the table is plain.

    Returns:
        The files.

    Raises:
        ValueError: There is no such format.
    """
    marked = sorted((record for record in records if record.lesson), key=lambda record: record.student)
    if format == "plain":
        return []
    if format == "canvas":
        return [_write(out, "canvas", *_canvas(marked))]
    if format == "nbgrader":
        return [_write(out, "nbgrader", NBGRADER, [_nbgrader(record) for record in marked])]
    if format == "moodle":  # which imports the grades of one assignment at a time
        groups = {lesson: [_moodle(r) for r in marked if r.lesson == lesson] for lesson in LESSONS}
        return [_write(out, f"moodle_{lesson}", MOODLE, rows) for lesson, rows in groups.items() if rows]
    raise ValueError(f"there is no format {format}: the formats are plain, canvas, moodle and nbgrader.")


def _write(out: Path, name: str, headings: list[str], rows: list[dict[str, Any]]) -> Path:
    path = out.with_name(f"{out.stem}_{name}.csv")
    tables.write(path, headings, rows, mark=False)  # the mark is for Excel, and Canvas reads it as text
    return path


def _canvas(records: list[Record]) -> tuple[list[str], list[dict[str, Any]]]:
    """A column for each lesson. Canvas finds a student by one of the three IDs, or by the name."""
    lessons = [lesson for lesson in LESSONS if any(record.lesson == lesson for record in records)]
    most = {record.lesson: record.most for record in records}
    rows: dict[str, dict[str, Any]] = {"": {"Student": "    Points Possible"} | most}
    for record in records:
        ids = [record.account if record.account.isdigit() else "", record.student, record.student]
        row = rows.setdefault(record.student, dict(zip(CANVAS, [record.name or record.student, *ids])))
        row[record.lesson] = record.points
    return [*CANVAS, *lessons], list(rows.values())


def _moodle(record: Record) -> dict[str, Any]:
    """A row of Moodle's grading worksheet, with the ID number, by which its gradebook finds a student."""
    cells = [
        f"Participant {record.account}" if record.account.isdigit() else "",
        record.name or record.student,
        record.student,
        record.student if "@" in record.student else "",
        record.points,
        record.most,
        "",  # never
    ]
    return dict(zip(MOODLE, cells))


def _nbgrader(record: Record) -> dict[str, Any]:
    """A row as `nbgrader export` writes it, without what only the gradebook knows."""
    first, _, last = record.name.rpartition(" ")
    points = float(record.points)
    email = record.student if "@" in record.student else ""
    cells = ["", "", record.student, last, first, email, points, 0.0, points, float(record.most)]
    return dict(zip(NBGRADER, [record.lesson, *cells]))
