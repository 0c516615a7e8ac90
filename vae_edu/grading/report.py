"""What a grading writes: a table for the teacher, and a page of feedback for every student."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vae_edu.exercises import LESSONS, NUMBERS
from vae_edu.grading import formats, pages, questions, tables
from vae_edu.grading.headings import QUESTION_POINTS, column, question
from vae_edu.grading.marks import Record
from vae_edu.grading.pages import text

PAGE_STYLE = """.total { font-size: 1.1rem }
section { display: grid; grid-template-columns: 1.5rem minmax(0, 1fr) auto; gap: 0 .5rem; padding: .75rem 0;
          border-top: 1px solid #ddd }
section p { grid-column: 2 / 4; margin: 0 }
h2 { font-size: 1rem; margin: 0 }
.points { white-space: nowrap; font-variant-numeric: tabular-nums }
.right { color: #17692f } .wrong { color: #a11c1c } .open { color: #555 }
.icon { font-weight: bold }
footer { border-top: 1px solid #ddd; padding-top: .75rem; color: #555; font-size: .9rem }
"""


def write_pages(records: list[Record], out: Path, format: str, say: Callable[[str], None]) -> None:
    """Write what goes with the table: one for another program, the students' pages, and the page of answers.

    What goes wrong with one page costs nobody else's. Nothing of somebody else's is overwritten: it keeps a
    copy.

    Args:
        records: One for each student and lesson.
        out: The table, a .csv file.
        format: Of the second table: plain (none), canvas, moodle or nbgrader.
        say: Gets a sentence on each copy, and on each page that could not be written.
    """
    formats.write(records, out, format)
    for record in records:
        if record.file:
            try:
                said = write_feedback(record, out.with_name(f"{out.stem}_feedback"))
            except Exception as error:
                said = f"the page of {record.student} could not be written: {error}"
            if said:
                say(said)
    if said := questions.write(records, out):
        say(said)


def write_table(records: list[Record], out: Path) -> None:
    """Write one row for each student: each lesson with its exercises and its question; the totals; notes.

    The points of a question are the teacher's. If the table is there already, they are taken over from it.
    """
    lessons = [lesson for lesson in LESSONS if any(record.lesson == lesson for record in records)]
    headings = ["student_id"]
    for lesson in lessons:
        headings += [lesson, f"{lesson} max", *map(column, LESSONS[lesson]), question(lesson)]
    given = _question_points(out)
    rows: dict[str, dict[str, Any]] = {}
    for record in records:
        row = rows.setdefault(record.student, {"student_id": record.student, "flags": [], "notes": []})
        if record.note:
            row["notes"].append(record.note)
        if record.lesson:
            row[record.lesson], row[f"{record.lesson} max"] = record.points, record.most
            row["total"] = row.get("total", 0) + record.points
            row["total max"] = row.get("total max", 0) + record.most
        for name, mark in record.marks.items():
            row[column(name)] = mark.points
            row["flags"] += [f"{NUMBERS[name]}: {flag}" for flag in mark.flags]
    for student, row in rows.items():
        row |= {key: "; ".join(row[key]) for key in ("flags", "notes")} | given.get(student, {})
    in_order = [rows[student] for student in sorted(rows)]
    tables.write(out, [*headings, "total", "total max", "flags", "notes"], in_order)


def _question_points(out: Path) -> dict[str, dict[str, str]]:
    """What a teacher has written in the question columns of an earlier table, by student."""
    try:
        rows = tables.read(out, "student_id")
    except ValueError:
        return {}
    names = [question(lesson) for lesson in LESSONS]
    return {row["student_id"]: {name: row[name] for name in names if row.get(name)} for row in rows}


def digest(out: Path) -> str:
    """The SHA-256 of a file, by which :func:`keep_corrections` knows whether it was changed; "" if none."""
    return hashlib.sha256(out.read_bytes()).hexdigest() if out.is_file() else ""


def keep_corrections(out: Path, written: str | None) -> str | None:
    """Keep a copy of a table that is not as grade wrote it, before it is written again.

    Args:
        out: The table, or any other file that is about to be written.
        written: What :func:`digest` was after grade wrote it; None if grade knows of none.

    Returns:
        A sentence on the copy; None if there is nothing to keep.
    """
    if not out.is_file() or digest(out) == written:
        return None
    kept = pages.backup(out)
    shutil.copy2(kept, out)  # so that there is a table even if this run ends early
    what = "had changes that grade did not write" if written else "was there, and not written by grade"
    return f"{out} {what}: it is kept as {kept.name}."


def write_feedback(record: Record, folder: Path) -> str | None:
    """Write folder/<student>/<lesson>.html, which names every mistake.

    Returns:
        A sentence if somebody had changed that page, which is then kept.
    """
    points = f"{record.points} of {record.most} points"
    note = f'<p class="text">About your notebook: {text(record.note)}.</p>' if record.note else ""
    parts = [
        f"<h1>{text(pages.title(record.lesson))}</h1>",
        f'<p class="total text"><strong>{text(record.student)}: {points}</strong></p>{note}',
        *(_exercise(name, record) for name in record.marks),
        _question(record) if record.marks else "",
        "<footer>Your functions were tried on other numbers than those of the checks in the lesson.</footer>",
    ]
    content = pages.page(pages.title(record.lesson), "\n".join(parts), PAGE_STYLE)
    name = record.lesson or pages.name_of_folder(Path(record.file).stem)
    place = folder / pages.name_of_folder(record.folder or record.student)
    return pages.write(place / f"{name}.html", content)


def _exercise(name: str, record: Record) -> str:
    mark = record.marks[name]
    if mark.mistake is None:
        kind, icon, said = "right", "✓", "Correct." + (f" {_sentence(mark.remark)}" if mark.remark else "")
    else:
        kind, icon, said = "wrong", "✗", _sentence(mark.mistake)
    return (
        f'<section><span class="icon {kind}" role="img" aria-label="{kind}">{icon}</span>'
        f'<h2>{column(name)}</h2><span class="points">{mark.points} of {mark.of}</span>'
        f'<p class="{kind} text">{text(said)}</p></section>'
    )


def _sentence(said: str) -> str:
    return said[:1].upper() + said[1:] + "."


def _question(record: Record) -> str:
    found = record.answer.strip()
    said = "Your teacher reads your answer." if found else "There is no answer in your notebook."
    return (
        '<section><span class="icon open" role="img" aria-label="open">?</span><h2>The question</h2>'
        f'<span class="points">up to {QUESTION_POINTS}</span><p class="open">{said}</p></section>'
    )
