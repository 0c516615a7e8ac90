"""Write the marks of a table into nbgrader's gradebook."""

import shutil
import warnings
from collections import Counter
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from vae_edu.exercises import EXERCISES, LESSONS
from vae_edu.grading import tables
from vae_edu.grading.headings import QUESTION_POINTS, column, question

GIVE_A_TABLE = "give a table that grade has written."
SHOWN = 5  # wrong rows in one message


class Score(NamedTuple):
    """The points of one cell of nbgrader's notebook."""

    student: str
    lesson: str
    cell: str
    points: float


def write(table: Path, gradebook: Path, add_students: bool = False) -> int:
    """Set the scores of the cells ``check-<exercise>`` and ``reflection`` to those of a table of ``grade``.

    If anything in the table is wrong, nothing is written. Notebooks that nbgrader has collected, but not
    graded, become graded: formgrader shows them then.

    Args:
        table: The table, a .csv file, perhaps saved again by a spreadsheet.
        gradebook: The gradebook, an SQLite file.
        add_students: Whether students that the gradebook does not know are added to it.

    Returns:
        How many scores were set.

    Raises:
        ValueError: Nbgrader, the gradebook, a column, an assignment or a student is missing, or points are
            not possible.
    """
    try:
        nbgrader: Any = import_module("nbgrader.api")
    except ImportError as error:
        raise ValueError("nbgrader is not installed: pip install nbgrader.") from error
    if not gradebook.is_file():
        raise ValueError(f"there is no gradebook {gradebook}: nbgrader generate_assignment makes it.")
    with gradebook.open("rb") as file:
        if file.read(15) != b"SQLite format 3":
            raise ValueError(f"{gradebook} is no gradebook of nbgrader (an SQLite file).")
    scores = _scores(table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy's notes on objects that nbgrader is just making
        try:
            with nbgrader.Gradebook(f"sqlite:///{gradebook.resolve()}") as book:
                _check_assignments(book, nbgrader.MissingEntry, scores)
                _check_students(book, table, scores, add_students)
                _set(book, scores, gradebook.resolve().parent)
        except import_module("sqlalchemy.exc").SQLAlchemyError as error:
            said = str(getattr(error, "orig", error)).splitlines()[0]
            raise ValueError(
                f"{gradebook} cannot be used ({said}): is it nbgrader's gradebook, and is formgrader closed?"
            ) from error
    return len(scores)


def _scores(table: Path) -> list[Score]:
    """The points of every cell in the table.

    Raises:
        ValueError: A row is wrong; the message lists the first ones.
    """
    rows = tables.read(table, "student_id")
    wrong: list[str] = []
    scores = [score for row in rows for score in _of_row(table, row, wrong)]
    counts = Counter(row["student_id"] for row in rows)
    wrong += [f"{name} has {count} rows" for name, count in counts.items() if name and count > 1]
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise ValueError(f"{table}: {'; '.join(wrong[:SHOWN])}{more}. Nothing was written.")
    return scores


def _of_row(table: Path, row: dict[str, str], wrong: list[str]) -> list[Score]:
    """The points in a row; what is wrong with it is added to ``wrong``."""
    student, scores = row["student_id"], []
    if not student:
        wrong.append(f"a row has no student_id ({', '.join(cell for cell in row.values() if cell)[:60]})")
    sums = []
    for lesson, exercises in LESSONS.items():
        headings = {f"check-{name}": (column(name), EXERCISES[name].points) for name in exercises}
        if not any(row.get(name) for name in (lesson, question(lesson), *map(column, exercises))):
            continue
        if missing := [heading for heading, _ in headings.values() if heading not in row]:
            raise ValueError(f"{table} has no column {missing[0]}: {GIVE_A_TABLE}")
        if row.get(question(lesson)):
            headings["reflection"] = question(lesson), QUESTION_POINTS
        found = {cell: _points(student, row, *heading, wrong) for cell, heading in headings.items()}
        whole = sum(found.values())
        sums.append((whole - found.get("reflection", 0), whole))
        _check_sum(student, row, lesson, sums[-1], wrong)
        scores += [Score(student, lesson, cell, points) for cell, points in found.items()]
    _check_sum(student, row, "total", (sum(a for a, _ in sums), sum(b for _, b in sums)), wrong)
    return scores


def _points(student: str, row: dict[str, str], heading: str, most: int, wrong: list[str]) -> float:
    points = tables.number(row[heading] or "0")
    if points is None:
        wrong.append(f"{row[heading]!r} is no number of points ({student}, {heading})")
    elif not 0 <= points <= most:
        wrong.append(f"{row[heading]} is not between 0 and {most} ({student}, {heading})")
    else:
        return points
    return 0.0


def _check_sum(
    student: str, row: dict[str, str], heading: str, sums: tuple[float, float], wrong: list[str]
) -> None:
    """A total is that of the exercises, without or with the questions; an empty one is none."""
    said = row.get(heading, "")
    if said and not any(abs((tables.number(said) or 0) - right) < 0.01 for right in sums):
        wrong.append(
            f"{heading} of {student} is {said}, but the exercises add up to {sums[0]:g}: "
            "change their points, and the total or leave it empty"
        )


def _check_assignments(book: Any, missing: type[Exception], scores: list[Score]) -> None:
    for lesson, cell in dict.fromkeys((score.lesson, score.cell) for score in scores):
        what = f"assignment {lesson}"
        try:
            book.find_assignment(lesson)
            what = f"cell {cell} in {lesson}"
            book.find_grade_cell(cell, lesson, lesson)
        except missing:
            message = f"the gradebook has no {what}: nbgrader generate_assignment makes it."
            raise ValueError(message) from None


def _check_students(book: Any, table: Path, scores: list[Score], add_students: bool) -> None:
    known = {student.id for student in book.students}
    unknown = [name for name in dict.fromkeys(score.student for score in scores) if name not in known]
    reasons = {name: _damage(name, known) for name in unknown}
    refused = [name for name in unknown if reasons[name] or not add_students]
    if refused:
        said = "; ".join(name + (f" ({reasons[name]})" if reasons[name] else "") for name in refused[:20])
        more = f"; and {len(refused) - 20} more" if len(refused) > 20 else ""
        what = "" if all(reasons[name] for name in refused) else ", or --add-students adds them"
        raise ValueError(
            f"{table}: the gradebook does not know {said}{more}. Nothing was written. "
            f"Correct the column student_id{what}."
        )


def _damage(name: str, known: set[str]) -> str:
    """What a spreadsheet may have done to the id of a student, in words; "" if nothing is seen."""
    zeros = [other for other in known if other.startswith("0") and other.lstrip("0") == name.lstrip("0")]
    if zeros:
        return f"Excel ate the zero of {zeros[0]}; make the column Text when you open the table"
    if tables.number(name.split("E+")[0].split("e+")[0]) is not None and "E+" in name.upper():
        return "Excel shortened a long number; make the column Text when you open the table"
    try:
        meant = name.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return ""
    return f"it was read in a wrong encoding, {meant} is meant" if meant != name else ""


def _set(book: Any, scores: list[Score], course: Path) -> None:
    for student, lesson in dict.fromkeys((score.student, score.lesson) for score in scores):
        book.update_or_create_student(student)
        handed_in = _graded(course, student, lesson)
        book.update_or_create_submission(lesson, student, **({"timestamp": handed_in} if handed_in else {}))
    for score in scores:
        grade = book.find_grade(score.cell, score.lesson, score.lesson, score.student)
        grade.manual_score, grade.needs_manual_grade = score.points, False
    book.db.commit()


def _graded(course: Path, student: str, lesson: str) -> datetime | None:
    """Give a collected notebook a place in autograded/, without which formgrader does not show its marks.

    Returns:
        When it was handed in, if nbgrader wrote that down.
    """
    if Path(student).name != student:  # an id such as a/b, which no folder has
        return None
    source, target = (course / folder / student / lesson for folder in ("submitted", "autograded"))
    notebook, stamp = source / f"{lesson}.ipynb", source / "timestamp.txt"
    if not target.exists() and notebook.is_file() and not notebook.is_symlink():
        target.mkdir(parents=True)
        for path in (notebook, stamp):
            if path.is_file():
                shutil.copyfile(path, target / path.name)
    try:
        return import_module("nbgrader.utils").parse_utc(stamp.read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return None
