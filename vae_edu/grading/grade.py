"""Grade a folder of submissions: marks in parallel, a table, and a page of feedback for every student."""

import csv
import hashlib
import html
import json
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from vae_edu.engine.files import whole_file
from vae_edu.engine.progress import progress_bar
from vae_edu.exercises import EXERCISES, LESSONS, NUMBERS
from vae_edu.grading.marks import Runner, hidden_cases, mark
from vae_edu.grading.submission import Submission, Unreadable, lesson_of, read

Record = dict[str, Any]  # student, lesson, file, digest, note, and marks by exercise
WANTED = "give the folder of the notebooks, or nbgrader's submitted/."


def find(folder: Path) -> list[tuple[str, str | None, Path]]:
    """The submissions in a folder: (student, lesson or None, notebook).

    A notebook right in the folder is a student's, by its name; nbgrader's layout is student/lesson/notebook.
    Raises ValueError where there is none.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: {WANTED}")
    found = []
    for path in sorted(folder.rglob("*.ipynb")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or path.is_symlink():
            continue
        student = parts[0] if len(parts) > 1 else path.stem
        lesson = next((part for part in (*parts[1:-1], path.stem) if part in LESSONS), None)
        found.append((student, lesson, path))
    if not found:
        raise ValueError(f"there is no notebook in {folder}: {WANTED}")
    return found


def grade(
    folder: Path, out: Path, lesson: str | None = None, seed: int | None = None
) -> tuple[list[Record], bool]:
    """Grade the submissions in a folder and write the table `out`, a page for each student beside it.

    What is unchanged since the last time is not run again: `out`'s .json keeps the marks, and the seed of the
    cases, which is drawn at random the first time. Returns the records, and whether the students' processes
    were isolated: without a network, without other processes, with nothing to write to.
    """
    if not hasattr(os, "fork"):
        raise ValueError("grading runs on Linux and macOS: on Windows use WSL.")
    if lesson not in (None, *LESSONS):
        raise ValueError(f"there is no lesson {lesson}: the lessons are {', '.join(LESSONS)}.")
    if not out.resolve().parent.is_dir():
        raise ValueError(f"there is no folder {out.parent} to write {out.name} to.")
    submissions = find(folder)
    memory = _Memory(out.with_suffix(".json"), seed)
    records, waiting = [], []
    for student, hint, path in submissions:
        record, submission = _opened(student, lesson or hint, path)
        if known := memory.known(record):
            records.append(known)
        else:
            records.append(record)
            if submission and record["lesson"]:
                waiting.append((record, submission))
    wanted = {name for record, _ in waiting for name in LESSONS[record["lesson"]]}
    tried = {name: hidden_cases(EXERCISES[name], memory.seed + i) for i, name in enumerate(sorted(wanted))}
    workers = max(1, min(os.cpu_count() or 1, len(waiting)))
    runners: SimpleQueue[Runner] = SimpleQueue()
    bar = progress_bar(total=len(waiting), desc="grading", unit="notebook")

    def work(job: tuple[Record, Submission]) -> Record:
        record, submission = job
        runner = runners.get()
        try:
            names = LESSONS[record["lesson"]]
            record["marks"] = {name: asdict(mark(submission, name, tried[name], runner)) for name in names}
        finally:
            runners.put(runner)
        return record

    with ExitStack() as stack, ThreadPoolExecutor(workers) as pool, bar:
        for slot in range(workers):
            runners.put(stack.enter_context(Runner(slot, [folder, out.parent])))
        for record in pool.map(work, waiting):
            memory.keep(record)
            bar.update()
        isolated = all(runners.get().isolated for _ in range(workers))
    records = _one_each(records)
    write_table(records, out)
    for record in records:
        write_feedback(record, out.with_name(f"{out.stem}_feedback"))
    return records, isolated


def _opened(student: str, lesson: str | None, path: Path) -> tuple[Record, Submission | None]:
    record = {"student": student, "lesson": lesson, "file": str(path), "digest": "", "note": "", "marks": {}}
    try:
        record["digest"] = hashlib.sha256(path.read_bytes()).hexdigest()
        submission = read(path)
    except (Unreadable, OSError) as error:
        record["note"] = str(error)
        return record, None
    record["lesson"] = lesson or lesson_of(submission)
    if record["lesson"] is None:
        record["note"] = "there is no exercise of the course in it"
    return record, submission


def _one_each(records: list[Record]) -> list[Record]:
    """Of several notebooks of a student for one lesson the one with the most points, with a note of that."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record["student"], record["lesson"] or record["file"]), []).append(record)
    kept = []
    for group in groups.values():
        named_first = sorted(group, key=lambda record: Path(record["file"]).stem != record["lesson"])
        best = max(named_first, key=_score)
        if len(group) > 1:
            name, lesson = Path(best["file"]).name, best["lesson"]
            best = best | {"note": f"of {len(group)} notebooks for {lesson}, {name} has the most points"}
        kept.append(best)
    return kept


class _Memory:
    """The marks of earlier runs, in a file that is written from here alone."""

    def __init__(self, path: Path, seed: int | None) -> None:
        self.path = path
        package = sorted(Path(__file__).resolve().parents[1].rglob("*.py"))
        self.version = hashlib.sha256(b"".join(file.read_bytes() for file in package)).hexdigest()
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            self.seed, self.records = int(content["seed"]), dict(content["records"])
            if content["version"] != self.version or seed not in (None, self.seed):
                self.records = {}
        except (OSError, ValueError, KeyError, TypeError):
            self.seed, self.records = secrets.randbelow(2**31), {}
        self.seed = self.seed if seed is None else seed

    def known(self, record: Record) -> Record | None:
        """The record of the same file with the same content, where there is one."""
        known = self.records.get(record["file"])
        same = known and all(known[key] == record[key] for key in ("digest", "lesson", "student"))
        return known if same else None

    def keep(self, record: Record) -> None:
        """Add a record, on the disk as well."""
        self.records[record["file"]] = record
        content = {"seed": self.seed, "version": self.version, "records": self.records}
        with whole_file(self.path) as part:
            part.write_text(json.dumps(content), encoding="utf-8")


def write_table(records: list[Record], out: Path) -> None:
    """One row a student: for each lesson the score, its maximum, and the exercises; then flags and notes."""
    lessons = [lesson for lesson in LESSONS if any(record["lesson"] == lesson for record in records)]
    columns = ["student_id"]
    for lesson in lessons:
        columns += [lesson, f"{lesson} max", *(f"{NUMBERS[name]} {name}" for name in LESSONS[lesson])]
    rows: dict[str, Record] = {}
    for record in records:
        row = rows.setdefault(
            record["student"], {"student_id": _cell(record["student"]), "flags": [], "notes": []}
        )
        row["notes"] += [record["note"]] * bool(record["note"])
        if record["lesson"]:
            row[record["lesson"]], row[f"{record['lesson']} max"] = _score(record)
        for name, given in record["marks"].items():
            row[f"{NUMBERS[name]} {name}"] = given["points"]
            row["flags"] += [f"{NUMBERS[name]}: {flag}" for flag in given["flags"]]
    with whole_file(out) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*columns, "flags", "notes"], restval="")
        writer.writeheader()
        for student in sorted(rows):
            row = rows[student]
            writer.writerow(row | {key: _cell("; ".join(row[key])) for key in ("flags", "notes")})


def _score(record: Record) -> tuple[int, int]:
    """The points of a record, and the most that its lesson gives."""
    points = sum(given["points"] for given in record["marks"].values())
    return points, sum(exercise.points for exercise in LESSONS.get(record["lesson"], {}).values())


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem }}
td, th {{ text-align: left; vertical-align: top; padding: .5rem .75rem; border-bottom: 1px solid #ddd }}
.right {{ color: #17692f }} .wrong {{ color: #a11c1c }} td:nth-child(3) {{ white-space: nowrap }}
</style>
<h1>{title}</h1>
<p>{student}: {score} of {most} points.{note}</p>
<table><tr><th>exercise<th>what the check says<th>points</tr>
{rows}
</table>
<p>Your functions were tried on other numbers than those of the checks in the lesson.</p>
</html>
"""


def write_feedback(record: Record, folder: Path) -> None:
    """folder/<student>/<lesson>.html, with the mistakes by name."""
    rows, (score, most) = [], _score(record)
    for name, given in record["marks"].items():
        right = given["mistake"] is None
        said, kind = ("correct", "right") if right else (html.escape(given["mistake"]), "wrong")
        points = f"{given['points']} of {given['of']}"
        rows.append(f'<tr><td>{NUMBERS[name]} {name}<td class="{kind}">{said}.<td>{points}</tr>')
    page = PAGE.format(
        title=html.escape(str(record["lesson"] or "No lesson")),
        student=html.escape(record["student"]),
        score=score,
        most=most,
        note=html.escape(f" Your notebook: {record['note']}.") if record["note"] else "",
        rows="\n".join(rows),
    )
    target = folder / record["student"] / f"{record['lesson'] or Path(record['file']).stem}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8")
