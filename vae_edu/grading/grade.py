"""Grade submissions: marks in parallel, a table, and a page of feedback for every student."""

import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from vae_edu.engine.files import temporary_path
from vae_edu.engine.progress import progress_bar
from vae_edu.exercises import LESSONS, variants
from vae_edu.exercises.cases import Case
from vae_edu.grading import ATTEMPTS, report, versions
from vae_edu.grading.attempts import choose
from vae_edu.grading.find import Finding, Found, find
from vae_edu.grading.machine import examine
from vae_edu.grading.marks import Known, Record, hidden_cases, mark, not_final, unmarkable
from vae_edu.grading.memory import Memory, NowAndThen
from vae_edu.grading.names import folders, printable
from vae_edu.grading.sandbox import Sandbox

Say = Callable[[str], None]
MOST_LINES = 40  # of one kind, on a terminal
WAITING = "it is not marked yet; run grade again"


def grade(
    submissions: Path | Sequence[Path],
    out: Path,
    lesson: str | None = None,
    seed: int | None = None,
    *,
    layout: str | None = None,
    roster: Path | None = None,
    attempts: str = "best",
    certain: bool = False,
    unconfined: bool = False,
    format: str = "plain",
    variant: int | None = None,
    say: Say = lambda line: None,
) -> tuple[list[Record], bool]:
    """Grade submissions; write the table and a page for each student.

    A notebook that has not changed since the last run is not run again: a .json file next to the table
    keeps the marks, and the seed of the hidden cases. The table is written again as marks come in.

    Args:
        submissions: Folders, archives or notebooks.
        out: The table, a .csv file. The pages go to a folder next to it.
        lesson: The lesson that all notebooks answer. Default: what each notebook holds.
        seed: The seed of the hidden cases. Default: that of the last run, or a random one.
        layout: Whose names the files have, one of LAYOUTS. Default: as they look.
        roster: A table of the class.
        attempts: Which of several attempts counts: the best or the latest.
        certain: Whether to go on if it is not certain whose a file is.
        unconfined: Whether to run students' code even if the system does not isolate it.
        format: Of a second table next to it, for another program: canvas, moodle or nbgrader.
        variant: The seed of the class's variant of the exercises. Default: the exercises of the lessons.
        say: Gets what a person should read, line by line.

    Returns:
        The records, one for each student and lesson, and whether students' code was isolated: without
        a network, without other processes, with nothing to write to.

    Raises:
        ValueError: This system cannot grade; there is no such lesson, layout or roster; the table cannot be
            written; or it is not certain whose a file is.
    """
    if not hasattr(os, "fork"):
        raise ValueError("grading runs on Linux and macOS: on Windows use WSL.")
    if attempts not in ATTEMPTS:
        raise ValueError(f"attempts {attempts}: choose {' or '.join(ATTEMPTS)}.")
    roots = [submissions] if isinstance(submissions, Path) else list(submissions)
    pages = out.with_name(f"{out.stem}_feedback")
    _try_to_write(out, pages)
    with TemporaryDirectory(prefix="vae_edu-", ignore_cleanup_errors=True) as room:
        finding = find(roots, Path(room), layout, roster, lesson, out)
        if finding.doubts and not certain:
            for line in listing(finding):
                say(line)
            raise ValueError(_not_certain(finding))
        say(summary(finding))
        with _Class(finding, out, seed, variant, attempts, say) as work:
            work.run([*roots, out.parent, Path(room)], unconfined)
    said: list[str] = []
    report.write_pages(work.counted, out, format, said.append)
    say_all(said, say)
    return work.counted, work.isolated


def _try_to_write(out: Path, pages: Path) -> None:
    """Raise ValueError now, before the work, if the table or the pages could not be written."""
    if not out.resolve().parent.is_dir():
        raise ValueError(f"there is no folder {out.parent} to write {out.name} to.")
    for path, kind in ((out, False), (out.with_suffix(".json"), False), (pages, True)):
        if path.exists() and path.is_dir() != kind:
            raise ValueError(f"{path} is {'no' if kind else 'a'} folder: give another --out.")
    try:
        part = temporary_path(out)
        part.touch()
        part.unlink()
    except OSError as error:
        raise ValueError(f"{out} cannot be written: {error.strerror}. Give another --out.") from error


class _Class:
    """The marking of a class.

    Attributes:
        counted: A record for each student and lesson.
        isolated: Whether students' code was isolated.
    """

    def __init__(
        self, finding: Finding, out: Path, seed: int | None, variant: int | None, attempts: str, say: Say
    ) -> None:
        self.finding, self.out, self.variant, self.attempts, self.say = finding, out, variant, attempts, say
        self.memory = Memory(out.with_suffix(".json"), seed, variant)
        self.records: list[tuple[Record, Found]] = []
        self.jobs: list[tuple[Record, Found]] = []
        for found in finding.found:
            for record in _records(found, variant):
                if marks := self.memory.known(record):
                    self.records.append((replace(record, marks=marks), found))
                elif record.lesson and found.submission:
                    self.jobs.append((record, found))
                else:
                    self.records.append((record, found))
        self.counted: list[Record] = []
        self.isolated = True
        self.able = not self.jobs  # to mark, as right answers show

    def __enter__(self) -> "_Class":
        if kept := report.keep_corrections(self.out, self.memory.table):
            self.say(kept)
        if self.memory.foreign and (kept := report.keep_corrections(self.memory.path, None)):
            self.say(kept)
        return self

    def __exit__(self, *_: object) -> None:
        """Keep the marks, whatever has happened; write no table on a machine that cannot mark."""
        if self.able:
            self.write()

    def run(self, hidden: list[Path], unconfined: bool) -> None:
        """Mark what is to be marked, if anything is, after right answers were."""
        if not self.jobs:
            return
        workers = min(_processors(), len(self.jobs))
        sandboxes: SimpleQueue[Sandbox] = SimpleQueue()
        known: Known = {}
        save = NowAndThen(lambda: self.write(quietly=True))
        bar = progress_bar(total=len(self.jobs), desc="grading", unit="notebook")
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(workers) as pool, bar:
            boxes = [stack.enter_context(Sandbox(hidden, unconfined)) for _ in range(workers)]
            starts = [pool.submit(sandbox.start) for sandbox in boxes]
            needed = {name for record, _ in self.jobs for name in LESSONS[record.lesson]}
            tried = {
                name: hidden_cases(variants.exercise(name, self.variant), self.memory.seed + i)
                for i, name in enumerate(sorted(needed))
            }
            for start in starts:
                start.result()
            examine(boxes[0], tried, self.variant)
            self.able = True
            for sandbox in boxes:
                sandboxes.put(sandbox)
            futures = {pool.submit(self._mark_all, job, tried, sandboxes, known): job for job in self.jobs}
            try:
                for future in as_completed(futures):
                    self._take(futures.pop(future), future.result())
                    bar.update()
                    save()
            finally:  # after an interrupt, what is done counts
                for future, job in futures.items():
                    if not future.cancel() and future.done() and not future.exception():
                        self._take(job, future.result())
            self.isolated = all(sandboxes.get().isolated for _ in range(workers))

    def _mark_all(
        self,
        job: tuple[Record, Found],
        tried: dict[str, list[Case]],
        sandboxes: SimpleQueue[Sandbox],
        known: Known,
    ) -> Record:
        """The record with the marks of all exercises of its lesson."""
        record, found = job
        sandbox = sandboxes.get()
        marks = {}
        for name in LESSONS[record.lesson]:
            try:
                assert found.submission
                marks[name] = mark(found.submission, name, tried[name], sandbox, known, self.variant)
            except Exception as error:
                marks[name] = unmarkable(name, error)
        sandboxes.put(sandbox)
        return replace(record, marks=marks)

    def _take(self, job: tuple[Record, Found], record: Record) -> None:
        self.jobs.remove(job)
        self.records.append((record, job[1]))
        self.memory.keep(record)

    def write(self, quietly: bool = False) -> None:
        """Write the table and the marks so far.

        Args:
            quietly: Whether to go on if that fails, since it is tried again later.
        """
        waiting = [(replace(record, lesson="", note=WAITING), found) for record, found in self.jobs]
        try:
            self.counted = _count([*self.records, *waiting], self.finding, self.attempts)
            report.write_table(self.counted, self.out)
            self.memory.wrote(report.digest(self.out))
            self.memory.save()
        except Exception:
            if not quietly:
                raise


def _records(found: Found, variant: int | None) -> list[Record]:
    """A record for each lesson of a file, or one for a file without any."""
    who = found.who
    other = versions.note(found.submission, variant) if found.submission else ""
    note = "; ".join(part for part in (who.note, found.note, who.doubt, other) if part)
    answer = found.submission.answer if found.submission else ""
    return [
        Record(
            who.student, lesson, found.file, found.digest, note, {}, answer, who.name, who.account, who.folder
        )
        for lesson in found.lessons or ("",)
    ]


def _count(records: list[tuple[Record, Found]], finding: Finding, attempts: str) -> list[Record]:
    """For each student and lesson the attempt that counts, and a record for each who handed in nothing."""
    groups: dict[tuple[str, str], list[tuple[Record, tuple[float, ...]]]] = {}
    for record, found in records:
        note = "; ".join(filter(None, [record.note, not_final(record)]))
        attempt = (replace(record, note=note), (*found.who.order, found.modified))
        groups.setdefault((record.student, record.lesson or record.file), []).append(attempt)
    counted = [choose(group, attempts) for group in groups.values()]
    counted += [
        Record(student, "", "", note="handed in nothing", name=name) for student, name in finding.missing
    ]
    paths = folders(list({record.student for record in counted}))
    named = {record.folder for record in counted if record.folder}
    safe = named == {folder for folder in named if folders([folder]) == {folder: folder}}
    kept = [
        replace(record, folder=record.folder if record.folder and safe else paths[record.student])
        for record in counted
    ]
    return sorted(kept, key=lambda record: (record.student, record.lesson, record.file))


def _processors() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# What a person reads.


def say_all(lines: Sequence[str], say: Say) -> None:
    """Say as many lines as a person reads, and how many more there are."""
    for line in lines[:MOST_LINES]:
        say(printable(line))
    if len(lines) > MOST_LINES:
        say(f"… and {len(lines) - MOST_LINES} more like these.")


def summary(finding: Finding) -> str:
    """How many notebooks of how many students there are, and by what they were recognized."""
    notebooks = sum(bool(one.lessons) for one in finding.found)
    students = len({one.who.student for one in finding.found})
    kinds = f" (layout: {' and '.join(finding.layouts)})" if finding.layouts else ""
    return f"{_counted(notebooks, 'notebook')} of {_counted(students, 'student')}{kinds}."


def listing(finding: Finding) -> list[str]:
    """Which file is taken for whose, and which are not marked, a line each."""
    lines = ["file → student, lesson, layout"]
    for one in finding.found:
        lessons = " and ".join(one.lessons) or "no lesson"
        line = f"{one.file} → {one.who.student}, {lessons}, {one.who.layout}"
        said = [f"NOT CERTAIN: {one.who.doubt}" if one.who.doubt else "", one.who.note, one.note]
        lines.append("; ".join(filter(None, [line, *said])))
    lines += [f"{file} is not marked: {why}" for file, why in finding.left]
    lines += [f"{student} handed in nothing" for student, _ in finding.missing]
    return [printable(line) for line in [summary(finding), *lines]]


def _not_certain(finding: Finding) -> str:
    files = _counted(len(finding.doubts), "file")
    return (
        f"it is not certain whose {files} of the list above may be, and nothing was marked: give --layout "
        "or --roster, move the files, or give --yes to take them as listed."
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
