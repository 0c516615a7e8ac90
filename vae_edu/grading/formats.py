"""The marks in the columns that Canvas, Moodle and nbgrader import and export, in files next to the table."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vae_edu.exercises import LESSONS
from vae_edu.grading import pages, tables
from vae_edu.grading.marks import Record

FORMATS = ["plain", "canvas", "moodle", "nbgrader"]
CANVAS = {  # the columns of Canvas's gradebook export, and the roster's that fill them
    "Student": "name",
    "ID": "canvas id",
    "SIS User ID": "sis user id",
    "SIS Login ID": "sis login id",
    "Section": "section",
}
MOODLE = [  # of its grading worksheet, and the ID number, by which its gradebook knows a student
    "Identifier", "Full name", "ID number", "Email address", "Grade", "Maximum Grade",
    "Last modified (grade)",
]  # fmt: skip
NBGRADER = [
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
    "late_submission_penalty", "score", "max_score",
]  # fmt: skip
People = Mapping[str, Mapping[str, str]]


def write(records: list[Record], out: Path, format: str, people: People) -> list[Path]:
    """Write the marks in a format, next to the table.

    Args:
        records: One for each student and lesson.
        out: The table; the files are named after it, such as grades_canvas.csv.
        format: One of ``FORMATS``; "plain" writes nothing, since the table is plain.
        people: What is known of each student besides the id: columns of the roster in small letters, or what
            the names of the files say: "name", "email", "canvas id", "moodle id" …

    Returns:
        The files.

    Raises:
        ValueError: There is no such format.
    """
    if format not in FORMATS:
        raise ValueError(f"there is no format {format}: the formats are {', '.join(FORMATS)}.")
    marked = sorted((record for record in records if record.lesson), key=lambda record: record.student)
    if format == "canvas":
        return [_canvas(marked, out, people)]
    if format == "nbgrader":
        return [_nbgrader(marked, out, people)]
    return _moodle(marked, out, people) if format == "moodle" else []


def _canvas(records: list[Record], out: Path, people: People) -> Path:
    """One column a lesson. Canvas knows a student by one of the three IDs, or by the name."""
    lessons = [lesson for lesson in LESSONS if any(record.lesson == lesson for record in records)]
    most = {record.lesson: record.most for record in records}
    rows: dict[str, dict[str, Any]] = {"": {"Student": "    Points Possible"} | most}
    for record in records:
        person = people.get(record.student, {})
        known = {heading: person.get(name, "") for heading, name in CANVAS.items()}
        if not any(known.values()):
            known["SIS Login ID"] = record.student
        row = rows.setdefault(record.student, known | {"Student": known["Student"] or record.student})
        row[record.lesson] = record.points
    path = out.with_name(f"{out.stem}_canvas.csv")
    tables.write(path, [*CANVAS, *lessons], rows.values(), mark=False)
    return path


def _moodle(records: list[Record], out: Path, people: People) -> list[Path]:
    """One file a lesson, a grading worksheet; and its pages in the folders that Moodle knows."""
    paths = []
    for lesson in LESSONS:
        rows = []
        for record in (record for record in records if record.lesson == lesson):
            person = people.get(record.student, {})
            number = person.get("moodle id", "")
            rows.append(
                {
                    "Identifier": f"Participant {number}" if number else "",
                    "Full name": person.get("name", record.student),
                    "ID number": person.get("id number", record.student),
                    "Email address": person.get("email", ""),
                    "Grade": record.points,
                    "Maximum Grade": record.most,
                    "Last modified (grade)": "-",
                }
            )
            _page_for_moodle(record, out, person.get("name", record.student), number)
        if rows:
            paths.append(out.with_name(f"{out.stem}_moodle_{lesson}.csv"))
            tables.write(paths[-1], MOODLE, rows, mark=False)
    return paths


def _page_for_moodle(record: Record, out: Path, name: str, number: str) -> None:
    """Copy a page to the folder in which Moodle's "Upload multiple feedback files in a zip" looks for it."""
    page = f"{record.lesson}.html"
    source = out.with_name(f"{out.stem}_feedback") / pages.name_of_folder(record.student) / page
    if number and source.is_file():
        folder = out.with_name(f"{out.stem}_moodle_{record.lesson}")
        whose = f"{pages.name_of_folder(name).replace('_', ' ')}_{number}_assignsubmission_file_"
        target = folder / whose / page
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _nbgrader(records: list[Record], out: Path, people: People) -> Path:
    """The columns of `nbgrader export`, a row for each student and lesson."""
    rows = []
    for record in records:
        person = people.get(record.student, {})
        last, _, first = person.get("name", "").partition(", ")
        rows.append(
            {
                "assignment": record.lesson,
                "student_id": record.student,
                "last_name": person.get("last name", last),
                "first_name": person.get("first name", first),
                "email": person.get("email", ""),
                "raw_score": float(record.points),
                "late_submission_penalty": 0.0,
                "score": float(record.points),
                "max_score": float(record.most),
            }
        )
    path = out.with_name(f"{out.stem}_nbgrader.csv")
    tables.write(path, NBGRADER, rows, mark=False)
    return path
