"""Find the submissions: which file is whose, of which lessons, and what is not marked and why."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from vae_edu.exercises import LESSONS
from vae_edu.grading import LAYOUTS
from vae_edu.grading.layouts import Who, arrange, lesson_named
from vae_edu.grading.magics import transformer
from vae_edu.grading.roster import Roster
from vae_edu.grading.submission import Submission, Unreadable, read, read_several
from vae_edu.grading.unpack import File, Gathered

GIVE_A_FOLDER = (
    "give the folder of the notebooks, the zip of your learning platform, or nbgrader's submitted/."
)
DOCUMENTS = (
    ".html",
    ".htm",
    ".pdf",
    ".doc",
    ".docx",
    ".odt",
    ".rtf",
    ".txt",
    ".rar",
    ".7z",
    ".zip",
    ".ipynb",
)
TOGETHER = 8  # files that one process reads
SERVICE = ("readme", "license", "status", "requirements")  # names of files that come with submissions


@dataclass(frozen=True)
class Found:
    """A file, whose it is, and what it holds.

    Attributes:
        file: Its place, as text.
        who: Whose it is.
        lessons: The lessons that it is marked for.
        digest: The SHA-256 of its content.
        note: What the teacher should know.
        submission: What it holds; None if it cannot be read.
        modified: When it was written.
    """

    file: str
    who: Who
    lessons: tuple[str, ...] = ()
    digest: str = ""
    note: str = ""
    submission: Submission | None = None
    modified: float = 0.0


@dataclass
class Finding:
    """What is in a folder of submissions.

    Attributes:
        found: The files with their students.
        left: The places of the files that are not marked, and why.
        missing: The students of the roster without a file: id and name.
    """

    found: list[Found] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)

    @property
    def doubts(self) -> list[Found]:
        """The files of which it is not certain whose they are."""
        return [one for one in self.found if one.who.doubt]

    @property
    def layouts(self) -> list[str]:
        """By what the files were recognized."""
        return sorted({one.who.layout for one in self.found if one.lessons})


def find(
    roots: Sequence[Path],
    room: Path,
    layout: str | None = None,
    roster: Path | None = None,
    lesson: str | None = None,
    out: Path | None = None,
) -> Finding:
    """Find the submissions in folders, archives and notebooks.

    Args:
        roots: The folders, archives and notebooks.
        room: An empty folder to unpack archives to.
        layout: One of LAYOUTS. Default: as the names say.
        roster: A table of the class.
        lesson: The lesson that all notebooks are marked for. Default: what each holds, else its name.
        out: The table; what grade wrote next to it is no submission.

    Raises:
        ValueError: There is nothing to mark, no such lesson, layout or roster, or IPython is missing.
    """
    transformer()  # raises now if IPython is missing, and not for every file
    check_lesson(lesson)
    if layout not in (None, *LAYOUTS):
        raise ValueError(f"there is no layout {layout}: the layouts are {', '.join(LAYOUTS)}.")
    for root in roots:
        if not root.exists():
            raise ValueError(f"there is no {root}: {GIVE_A_FOLDER}")
    known = Roster(roster) if roster else None
    gathered = Gathered(list(roots), room, out)
    with ThreadPoolExecutor() as pool:
        groups = [gathered.files[i : i + TOGETHER] for i in range(0, len(gathered.files), TOGETHER)]
        read_files = [
            one for group in pool.map(lambda group: _read_all(group, lesson), groups) for one in group
        ]
    finding = Finding(left=[(left.shown, left.why) for left in gathered.left])
    for one in list(read_files):
        if one.file.lower().endswith(".py") and not one.lessons:
            finding.left.append((one.file, one.note or "it is a program without an exercise of the course"))
            read_files.remove(one)
    documents = [left for left in gathered.left if _handed_in(left.parts)]
    if not read_files and not documents:
        raise ValueError(f"there is no notebook in {', '.join(map(str, roots))}: {GIVE_A_FOLDER}")
    held = {tuple(one.file.split("/")): one.lessons for one in read_files}
    whose = arrange([*held, *(left.parts for left in documents)], held, layout)
    finding.found = [replace(one, who=whose[tuple(one.file.split("/"))]) for one in read_files]
    finding.found += [
        Found(
            left.shown,
            replace(whose[left.parts], doubt=""),
            note=f"{left.parts[-1]} is not marked: {left.why}",
        )
        for left in documents
    ]
    if known:
        _call_the_roll(finding, known)
    _only_worries(finding)
    return finding


def check_lesson(lesson: str | None) -> None:
    """Raise ValueError if there is no lesson of this name."""
    if lesson not in (None, *LESSONS):
        raise ValueError(f"there is no lesson {lesson}: the lessons are {', '.join(LESSONS)}.")


def _handed_in(parts: tuple[str, ...]) -> bool:
    """Whether a file that is no notebook may be all that a student handed in."""
    name = parts[-1].lower()
    return name.endswith(DOCUMENTS) and not name.startswith(SERVICE) and "_attempt_" not in name


def _only_worries(finding: Finding) -> None:
    """Files that are not marked are only told of to students who have no notebook."""
    having = {one.who.student for one in finding.found if one.digest}
    finding.found = [one for one in finding.found if one.digest or one.who.student not in having]


def _read_all(files: list[File], lesson: str | None) -> list[Found]:
    """What files hold, each as :func:`_read` says."""
    together = read_several([file.path for file in files])
    return [_read(file, lesson, given) for file, given in zip(files, together)]


def _read(file: File, lesson: str | None, given: Submission | None) -> Found:
    """What a file holds; a note if it cannot be read, or if it holds another lesson than its name says."""
    nobody, named = Who("", ""), lesson_named(file.parts)
    one = Found(file.shown, nobody, modified=file.modified)
    try:
        with file.path.open("rb") as content:
            one = replace(one, digest=hashlib.file_digest(content, "sha256").hexdigest())
        submission = given or read(file.path)
        note = "; ".join(submission.notes)
        held = _lessons(submission)
    except (Unreadable, OSError) as error:
        why = str(error) if isinstance(error, Unreadable) else f"it cannot be opened: {error.strerror}"
        return replace(one, note=why, digest=one.digest or "unread")
    except Exception as error:  # a fault of the grader
        return replace(one, note=f"it could not be read ({type(error).__name__}); please mark it by hand")
    if lesson:
        held = (lesson,)
    elif named and held and named not in held:
        note = "; ".join(filter(None, [note, f"it is named {named}, but holds {' and '.join(held)}"]))
    elif not held and named and file.path.suffix.lower() != ".py":
        held = (named,)
    if not held:
        note = "; ".join(filter(None, [note, "there is no exercise of the course in it"]))
    return replace(one, note=note, lessons=held, submission=submission)


def _lessons(submission: Submission) -> tuple[str, ...]:
    """The lessons of which it holds half of the exercises or more, or else the one of which it holds most."""

    def share(lesson: str) -> float:
        names = LESSONS[lesson]
        return sum(n in submission.broken or submission.times_defined(n) > 0 for n in names) / len(names)

    shares = {lesson: share(lesson) for lesson in LESSONS}
    most = max(shares, key=lambda lesson: shares[lesson])
    return tuple(lesson for lesson, part in shares.items() if part >= 0.5 or (lesson == most and part > 0))


def _call_the_roll(finding: Finding, roster: Roster) -> None:
    """Call students by their ids in the roster; files of nobody are in doubt."""
    present = set()
    for i, one in enumerate(finding.found):
        places = reversed(one.file.split("/"))
        names = [one.who.student, one.who.account, one.who.name, *places]
        students = roster.whose(one.file, [name for name in names if name])
        if len(students) == 1:
            (student,) = students
            present.add(student.id)
            who = replace(one.who, student=student.id, name=student.name or one.who.name, doubt="")
        elif students:
            ids = " and ".join(student.id for student in students)
            who = replace(one.who, doubt=f"it fits the patterns of {ids}")
        else:
            who = replace(one.who, doubt="it is of nobody in the roster", note="not in the roster")
        finding.found[i] = replace(one, who=who)
    finding.missing = [(s.id, s.name) for s in roster.students if s.id not in present]
