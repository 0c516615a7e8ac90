"""What a grading writes: a table for the teacher, and a page of feedback for every student."""

import csv
import hashlib
import html
import shutil
from pathlib import Path
from typing import Any

from vae_edu.engine.files import whole_file
from vae_edu.exercises import LESSONS, NUMBERS
from vae_edu.grading.marks import Record

PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem }}
td, th {{ text-align: left; vertical-align: top; padding: .5rem .75rem; border-bottom: 1px solid #ddd }}
.right {{ color: #17692f }} .wrong {{ color: #a11c1c }} td:nth-child(3) {{ white-space: nowrap }}
</style>
<h1>{title}</h1>
<p>{student}: {points} of {most} points.{note}</p>
<table><tr><th>exercise<th>what the check says<th>points</tr>
{rows}
</table>
<p>Your functions were tried on other numbers than those of the checks in the lesson.</p>
</html>
"""


def column(name: str) -> str:
    """The heading of an exercise in the table: "1.1 l2_loss"."""
    return f"{NUMBERS[name]} {name}"


def write_table(records: list[Record], out: Path) -> None:
    """Write one row a student: each lesson's points, its maximum and its exercises, then flags and notes."""
    headings = ["student_id"]
    for lesson in LESSONS:
        if any(record.lesson == lesson for record in records):
            headings += [lesson, f"{lesson} max", *map(column, LESSONS[lesson])]
    rows: dict[str, dict[str, Any]] = {}
    for record in records:
        empty = {"student_id": _cell(record.student), "flags": [], "notes": []}
        row = rows.setdefault(record.student, empty)
        if record.note:
            row["notes"].append(record.note)
        if record.lesson:
            row[record.lesson], row[f"{record.lesson} max"] = record.points, record.most
        for name, mark in record.marks.items():
            row[column(name)] = mark.points
            row["flags"] += [f"{NUMBERS[name]}: {flag}" for flag in mark.flags]
    with whole_file(out) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*headings, "flags", "notes"], restval="")
        writer.writeheader()
        for student in sorted(rows):
            row = rows[student]
            writer.writerow(row | {key: _cell("; ".join(row[key])) for key in ("flags", "notes")})


def digest(out: Path) -> str:
    """The SHA-256 of a file; "" if there is none."""
    return hashlib.sha256(out.read_bytes()).hexdigest() if out.is_file() else ""


def keep_corrections(out: Path, written: str | None) -> str | None:
    """Keep a copy of a table that is not as grade wrote it, before it is written again."""
    if not out.is_file() or digest(out) == written:
        return None
    kept = out.with_name(f"{out.stem}.backup-1{out.suffix}")
    shutil.copy2(out, kept)
    return f"{out} had changes that grade did not write: it is kept as {kept.name}."


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def write_feedback(record: Record, folder: Path) -> None:
    """Write folder/<student>/<lesson>.html, which names every mistake."""
    rows = []
    for name, mark in record.marks.items():
        kind, said = ("right", "correct") if mark.mistake is None else ("wrong", html.escape(mark.mistake))
        points = f"{mark.points} of {mark.of}"
        rows.append(f'<tr><td>{column(name)}<td class="{kind}">{said}.<td>{points}</tr>')
    page = PAGE.format(
        title=html.escape(record.lesson or "No lesson"),
        student=html.escape(record.student),
        points=record.points,
        most=record.most,
        note=html.escape(f" Your notebook: {record.note}.") if record.note else "",
        rows="\n".join(rows),
    )
    target = folder / (record.folder or record.student) / f"{record.lesson or 'no lesson'}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as part:
        part.write_text(page, encoding="utf-8")
