"""Grade a folder of submissions: marks in parallel, a table, and a page of feedback for every student."""

import contextlib
import hashlib
import json
import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue

from vae_edu.engine.files import whole_file
from vae_edu.engine.progress import progress_bar
from vae_edu.exercises import LESSONS, variants
from vae_edu.grading import versions
from vae_edu.grading.marks import Mark, Record, hidden_cases, mark
from vae_edu.grading.report import write_feedback, write_table
from vae_edu.grading.sandbox import Sandbox
from vae_edu.grading.submission import Submission, Unreadable, lesson_of, read

GIVE_A_FOLDER = "give the folder of the notebooks, or nbgrader's submitted/."
SAVE_EVERY = 5  # seconds


def find(folder: Path) -> list[tuple[str, str | None, Path]]:
    """Find the submissions in a folder: (student, lesson or None, notebook).

    A notebook directly in the folder is named after its student; nbgrader's layout is
    student/lesson/notebook.

    Raises:
        ValueError: There is no such folder, or no notebook in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: {GIVE_A_FOLDER}")
    found = []
    for path in sorted(folder.rglob("*.ipynb")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or path.is_symlink():
            continue
        student = parts[0] if len(parts) > 1 else path.stem
        lesson = next((part for part in (*parts[1:-1], path.stem) if part in LESSONS), None)
        found.append((student, lesson, path))
    if not found:
        raise ValueError(f"there is no notebook in {folder}: {GIVE_A_FOLDER}")
    return found


def grade(
    folder: Path, out: Path, lesson: str | None = None, seed: int | None = None, variant: int | None = None
) -> tuple[list[Record], bool]:
    """Grade the submissions in a folder; write the table and a page for each student.

    A notebook that has not changed since the last run is not run again: a .json file next to the table
    keeps the marks, and the seed of the hidden cases.

    Args:
        folder: The submissions.
        out: The table, a .csv file. The pages go to a folder next to it.
        lesson: The lesson that all notebooks answer. Default: as each notebook says.
        seed: The seed of the hidden cases. Default: that of the last run, or a random one.
        variant: The seed of the class's variant of the exercises. Default: the exercises of the lessons.

    Returns:
        The records, one for each student and lesson, and whether students' code was isolated: without
        a network, without other processes, with nothing to write to.

    Raises:
        ValueError: This system cannot grade, there is no such lesson, or a folder is missing.
    """
    if not hasattr(os, "fork"):
        raise ValueError("grading runs on Linux and macOS: on Windows use WSL.")
    if lesson not in (None, *LESSONS):
        raise ValueError(f"there is no lesson {lesson}: the lessons are {', '.join(LESSONS)}.")
    if not out.resolve().parent.is_dir():
        raise ValueError(f"there is no folder {out.parent} to write {out.name} to.")
    submissions = find(folder)
    memory = _Memory(out.with_suffix(".json"), seed, variant)
    records: list[Record] = []
    waiting: list[tuple[Record, Submission]] = []
    for student, hint, path in submissions:
        record, submission = _open(student, lesson or hint, path)
        if submission and (note := versions.note(submission, variant)):
            record = replace(record, note=note)
        known = memory.known(record)
        if submission and record.lesson and not known:
            waiting.append((record, submission))
        else:
            records.append(known or record)
    needed = sorted({name for record, _ in waiting for name in LESSONS[record.lesson]})
    tried = {
        name: hidden_cases(variants.exercise(name, variant), memory.seed + i) for i, name in enumerate(needed)
    }
    workers = max(1, min(os.cpu_count() or 1, len(waiting)))
    sandboxes: SimpleQueue[Sandbox] = SimpleQueue()
    bar = progress_bar(total=len(waiting), desc="grading", unit="notebook")

    def work(job: tuple[Record, Submission]) -> Record:
        record, submission = job
        sandbox = sandboxes.get()
        try:
            names = LESSONS[record.lesson]
            return replace(record, marks={n: mark(submission, n, tried[n], sandbox, variant) for n in names})
        finally:
            sandboxes.put(sandbox)

    with contextlib.ExitStack() as stack, ThreadPoolExecutor(workers) as pool, bar:
        stack.callback(memory.save)  # after an interrupt, too
        for slot in range(workers):
            sandboxes.put(stack.enter_context(Sandbox(slot, [folder, out.parent])))
        for record in pool.map(work, waiting):
            records.append(record)
            memory.keep(record)
            bar.update()
        isolated = all(sandboxes.get().isolated for _ in range(workers))
    records = _one_each(sorted(records, key=lambda record: Path(record.file)))
    write_table(records, out)
    for record in records:
        write_feedback(record, out.with_name(f"{out.stem}_feedback"))
    return records, isolated


def _open(student: str, lesson: str | None, path: Path) -> tuple[Record, Submission | None]:
    """The record of a notebook, without marks, and what it holds; a note says why it cannot be marked."""
    record = Record(student, lesson or "", str(path))
    try:
        record = replace(record, digest=hashlib.sha256(path.read_bytes()).hexdigest())
        submission = read(path)
    except (Unreadable, OSError) as error:
        return replace(record, note=str(error)), None
    if found := record.lesson or lesson_of(submission):
        return replace(record, lesson=found), submission
    return replace(record, note="there is no exercise of the course in it"), submission


def _one_each(records: list[Record]) -> list[Record]:
    """For each student and lesson the notebook with the most points; a note says if there were several."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.student, record.lesson or record.file), []).append(record)
    kept = []
    for group in groups.values():
        named_first = sorted(group, key=lambda record: Path(record.file).stem != record.lesson)
        best = max(named_first, key=lambda record: record.points)
        if len(group) > 1:
            several = f"of {len(group)} notebooks for {best.lesson}"
            best = replace(best, note=f"{several}, {Path(best.file).name} has the most points")
        kept.append(best)
    return kept


class _Memory:
    """The marks of earlier runs and the seed of their cases, in a file that only this class writes."""

    def __init__(self, path: Path, seed: int | None, variant: int | None) -> None:
        """Read the file. Without one, or if it is none of ours, there are no marks and a random seed.

        The marks are forgotten when the package, the seed or the variant changes.
        """
        package = sorted(Path(__file__).resolve().parents[1].rglob("*.py"))
        self.version = hashlib.sha256(
            b"".join(file.read_bytes() for file in package) + repr(variant).encode()
        ).hexdigest()
        self.path, self.saved, self.changed = path, time.monotonic(), False
        self.seed = secrets.randbelow(2**31)
        self.records: dict[str, Record] = {}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            content = json.loads(path.read_text(encoding="utf-8"))
            self.seed = int(content["seed"])
            if content["version"] == self.version and seed in (None, self.seed):
                self.records = {file: _record(**values) for file, values in content["records"].items()}
        if seed is not None:
            self.seed = seed

    def known(self, record: Record) -> Record | None:
        """The marked record of the same file with the same content, if there is one."""
        known = self.records.get(record.file)
        return known if known and replace(known, marks={}, note=record.note) == record else None

    def keep(self, record: Record) -> None:
        """Add a record; every few seconds all of them are saved."""
        self.records[record.file], self.changed = record, True
        if time.monotonic() > self.saved + SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write the file if there is anything new."""
        if self.changed:
            records = {file: asdict(record) for file, record in self.records.items()}
            content = {"seed": self.seed, "version": self.version, "records": records}
            with whole_file(self.path) as part:
                part.write_text(json.dumps(content), encoding="utf-8")
            self.saved, self.changed = time.monotonic(), False


def _record(marks: dict[str, dict], **values: str) -> Record:
    """The record that ``asdict`` made a dictionary of."""
    return Record(**values, marks={name: Mark(**given) for name, given in marks.items()})
