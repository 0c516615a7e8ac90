"""Whose is a file? By the names that learning platforms give, or else by the shape of the folders.

A reader of a platform's names knows each file by itself. Folders are only understood together.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace

from vae_edu.exercises import LESSONS
from vae_edu.grading.attempts import original, version

LAYOUTS = (
    "moodle", "canvas", "ilias", "blackboard", "classroom", "github", "nbgrader", "by-lesson", "flat",
)  # fmt: skip


@dataclass(frozen=True)
class Who:
    """Whose a file is.

    Attributes:
        student: What the table calls the student.
        layout: By what it was recognized.
        name: The person's name, if it is known.
        account: The platform's number of the student.
        folder: The folder in which the platform takes feedback back.
        order: What orders several attempts in time.
        note: What the teacher should know.
        doubt: Why this is not certain.
    """

    student: str
    layout: str
    name: str = ""
    account: str = ""
    folder: str = ""
    order: tuple[float, ...] = (0.0,)
    note: str = ""
    doubt: str = ""


Parts = tuple[str, ...]

# As the platforms' own code writes them. The second pattern is what --layout takes besides.
MOODLE = (
    r"(?P<name>.+?)_(?P<account>\d+)_assignsubmission_(?:[a-z]+)_?(?P<rest>.*)",
    r"(?P<name>.+?)_(?P<account>\d+)_(?P<rest>.*)",
)
CANVAS = (
    r"(?P<name>[^_]+)(?P<late>_late)?_(?P<account>\d+|(?<=anon_)\w{5}|(?<=anon_late_)\w{5})_(?:\d{4,}|text|media)_?(?P<rest>.*)",
    r"(?P<name>[^_]+)(?P<late>_late)?_(?P<account>\w+?)_(?:question_\d+_)?\d+_(?P<rest>.*)",
)
BLACKBOARD = (r"(?P<before>.+)_attempt_(?P<time>\d{4}(?:-\d\d){5})_?(?P<rest>.*)",)
ILIAS = (r"(?P<last>[^_]+)_(?P<first>.+)_(?P<login>[^_]*[A-Za-z@][^_]*)_(?P<account>\d+)",)
TEAM = re.compile(r"(team|gruppe|group)[ _]\d+", re.I)


def _match(patterns: Parts, parts: Parts, strict: bool) -> tuple[re.Match[str], int] | None:
    """The first part that fits, and which one it is."""
    for pattern in patterns[: 1 if strict else None]:
        for i, part in enumerate(parts):
            if found := re.fullmatch(pattern, part, re.I | re.S):
                return found, i
    return None


def moodle(parts: Parts, strict: bool) -> Who | None:
    """``Anna Mueller_1234_assignsubmission_file_/name.ipynb``, or all of it in the name of the file."""
    if not (found := _match(MOODLE, parts, strict)):
        return None
    match, i = found
    name, account = match["name"], match["account"]
    folder = re.sub(r"(_assignsubmission_[a-z]+).*", r"\1_", parts[i], flags=re.S)
    return Who(f"{name}_{account}", "moodle", name, account, folder, _order(match["rest"] or parts[-1]))


def canvas(parts: Parts, strict: bool) -> Who | None:
    """``muelleranna_LATE_4711_998877_name-1.ipynb``; 4711 is the student's number, -1 a later attempt."""
    if not (found := _match(CANVAS, parts, strict)):
        return None
    match = found[0]
    name, account = match["name"], match["account"]
    again = re.search(r"-(\d+)$", _stem(match["rest"]))
    order = (float(again[1]) if again else 0.0, *_order(match["rest"]))
    note = "Canvas says that it is late" if match["late"] else ""
    return Who(f"{name}_{account}", "canvas", name, account, order=order, note=note)


def blackboard(parts: Parts, strict: bool) -> Who | None:
    """``HW3_abc123_attempt_2026-11-20-10-11-12_name.ipynb``, with its time."""
    if not (found := _match(BLACKBOARD, parts, strict)):
        return None
    before, time = found[0]["before"], found[0]["time"]
    student = before.rpartition("_")[2] or before
    return Who(student, "blackboard", account=before, order=(float(time.replace("-", "")),))


def ilias(parts: Parts, strict: bool) -> Who | None:
    """``Mueller_Anna_login_12345/name.ipynb``, for a team in ``Team 12/``."""
    teams = [part for part in parts[:-1] if TEAM.fullmatch(part)]
    if found := _match(ILIAS, parts[:-1], strict):
        match, i = found
        name = f"{match['first']} {match['last']}".replace("_", " ")
        note = f"handed in for {teams[0]}: give its other members the same marks" if teams else ""
        return Who(match["login"], "ilias", name, match["account"], parts[i], _order(parts[-1]), note)
    if teams and not strict:
        return Who(teams[0], "ilias", teams[0], folder=teams[0], note="a team: give its members these marks")
    return None


PLATFORMS = {"moodle": moodle, "canvas": canvas, "blackboard": blackboard, "ilias": ilias}


def arrange(files: list[Parts], held: dict[Parts, tuple[str, ...]], layout: str | None) -> dict[Parts, Who]:
    """Whose each file is.

    Args:
        files: The files, by the names of their folders and their own.
        held: The lessons of which each holds exercises; nothing for a file that is no notebook.
        layout: One of LAYOUTS. Default: as their names say.
    """
    if layout in PLATFORMS:
        reader = PLATFORMS[layout]
        who = {parts: reader(parts, True) or reader(parts, False) for parts in files}
    elif layout:
        who = dict.fromkeys(files)
    else:
        who = {parts: _of_a_platform(parts) for parts in files}
    known = {parts: found for parts, found in who.items() if found}
    rest = [parts for parts in files if parts not in known]
    by_folder = _by_folders(rest, held, None if layout in PLATFORMS else layout)
    if known:
        kinds = " and ".join(sorted({found.layout for found in known.values()}))
        doubt = f"it has no name of {kinds}, but others have"
        by_folder = {parts: replace(found, doubt=found.doubt or doubt) for parts, found in by_folder.items()}
    return _apart(known) | by_folder


def _of_a_platform(parts: Parts) -> Who | None:
    return next((who for read in PLATFORMS.values() if (who := read(parts, True))), None)


def _apart(known: dict[Parts, Who]) -> dict[Parts, Who]:
    """Join what is one person, and keep apart what is not."""
    result = dict(known)
    canvas_names = {
        who.account: who.student for who in known.values() if who.layout == "canvas" and who.name != "anon"
    }
    for parts, who in known.items():
        if who.layout == "canvas" and who.account in canvas_names:  # a changed name
            result[parts] = replace(who, student=canvas_names[who.account])
        elif who.layout == "moodle":  # which numbers a student anew for every assignment
            same = {p: w for p, w in known.items() if w.layout == "moodle" and w.name == who.name}
            downloads: dict[Parts, set[str]] = {}
            for p, w in same.items():
                above = next((i for i, part in enumerate(p) if part.startswith(f"{w.name}_{w.account}")), 0)
                downloads.setdefault(p[:above], set()).add(w.account)
            numbers = sorted({w.account for w in same.values()}, key=int)
            if len(numbers) > 1 and all(len(some) == 1 for some in downloads.values()):
                note = f"Moodle's numbers {', '.join(numbers)} are taken for one {who.name}"
                result[parts] = replace(who, student=who.name, note=note)
            elif len(downloads) > 1 and len(numbers) > 1:
                result[parts] = replace(who, doubt=f"there are several students called {who.name}")
        elif who.layout == "blackboard":
            same_id = {
                w.account for w in known.values() if w.layout == "blackboard" and w.student == who.student
            }
            if len(same_id) > 1:
                names = ", ".join(sorted(same_id))
                result[parts] = replace(who, doubt=f"are these one student: {names}?")
    return result


# Folders.


_SUFFIXES = re.compile(
    r"(\.(ipynb|py|html?|pdf|docx?|odt|rtf|md|txt|json|zip|rar|7z|tar|tgz|gz|bz2|xz))+$", re.I
)


def _stem(name: str) -> str:
    return _SUFFIXES.sub("", name)


def _order(name: str) -> tuple[float, ...]:
    """What the name of a file says of its time: ILIAS's, and the number of a copy."""
    stem = _stem(name)
    time = re.match(r"(\d{14})_", stem)
    return (float(time[1]) if time else 0.0, float(original(stem)[1]))


_NAMED = {lesson: re.compile(lesson.replace("_", r"[ _.-]*"), re.I) for lesson in LESSONS}
_NUMBERED = re.compile(
    r"(?:lesson|lektion|hw|homework|hausaufgabe|week|woche|sheet|blatt|exercises?|assignment|übung|uebung|ex|ps)"
    r"[ _#-]*0*(\d{1,2})(?:-\d+)?",
    re.I,
)


def lesson_named(parts: Parts) -> str | None:
    """The lesson that a file, or else one of its folders, is named after."""
    for part in reversed(parts):
        for lesson, pattern in _NAMED.items():
            if pattern.search(part):
                return lesson
    return None


def _without_lesson(name: str) -> str:
    """The name without the lesson's and what joined them: "anna_03_bayes_rule" becomes "anna"."""
    for pattern in _NAMED.values():
        shorter = pattern.sub("\0", name)
        if shorter != name:
            around = re.split(r"[ _.,-]*\0[ _.,-]*", shorter)
            return " ".join(part for part in around if part).strip(" _.,-()")
    return name


@dataclass
class _Place:
    """A file among folders: those that are not lessons, whether one is, and what its own name adds."""

    folders: list[str]
    in_lesson: bool
    stem: str
    copy: int


def _place(parts: Parts, lessons_too: bool = True) -> _Place:
    stem, copy = original(_stem(parts[-1]))
    folders = list(parts[:-1])
    kept = [f for f in folders if not (lessons_too and (not _without_lesson(f) or _NUMBERED.fullmatch(f)))]
    # A copy mark may stand before or after the lesson: "03_bayes_rule (1)", "Copy of anna_03_bayes_rule".
    return _Place([_without_lesson(f) for f in kept], len(kept) < len(folders), _without_lesson(stem), copy)


def _by_folders(files: list[Parts], held: dict[Parts, Parts], layout: str | None) -> dict[Parts, Who]:
    places = {parts: _place(parts) for parts in files}
    if layout == "by-lesson":
        places = {parts: _place(parts[1:]) if len(parts) > 1 else places[parts] for parts in files}
    notebooks = {parts: place for parts, place in places.items() if held.get(parts)} or places
    doubt = ""
    if layout in (None, "github", "by-lesson") or (layout == "nbgrader" and _wrapped(notebooks)):
        doubt = _strip(places, notebooks, held)
    prefix = (
        _shared([p.folders[0] for p in notebooks.values() if p.folders]) if layout in (None, "github") else ""
    )
    if layout is None and not re.search(r"\d", prefix):
        prefix = ""  # anna-mueller and anna-schmidt are people
    stems = {place.stem for place in places.values()}
    found: dict[Parts, Who] = {}
    for parts, place in places.items():
        stem, number = version(place.stem, stems)
        order: tuple[float, ...]
        kind = layout or ("by-lesson" if place.in_lesson else "flat")
        student, why, order = stem, doubt, (float(place.copy + number),)
        if place.folders and layout not in ("flat", "classroom"):
            kind = layout or ("github" if prefix else "nbgrader" if place.in_lesson else "folders")
            student = place.folders[0].removeprefix(prefix) or place.folders[0]
            order = _order(parts[-1])
        elif not student and place.folders:
            student = place.folders[-1]
        if not student:
            student = _stem(parts[-1])
            why = "it names a lesson, but no student"
        found[parts] = Who(student, kind, order=order, doubt=why)
    if layout is None:
        for parts in _crowded(found, places, held):
            many = "are several notebooks of one lesson: attempts of one student, or several students?"
            found[parts] = replace(
                found[parts], doubt=found[parts].doubt or f"in {places[parts].folders[0]}/ {many}"
            )
    return found


def _wrapped(places: dict[Parts, _Place]) -> bool:
    return bool(places) and all(len(place.folders) > 1 for place in places.values())


def _strip(places: dict[Parts, _Place], notebooks: dict[Parts, _Place], held: dict[Parts, Parts]) -> str:
    """Drop the folders that hold the whole class. Returns what is doubtful about that."""
    while True:
        firsts = {tuple(place.folders[:1]) for place in notebooks.values()}
        if len(firsts) != 1 or firsts == {()}:
            return ""
        seconds = {place.folders[1] if len(place.folders) > 1 else "" for place in notebooks.values()}
        stems = {place.stem for place in notebooks.values() if len(place.folders) == 1}
        (((first,)),) = firsts
        doubt = ""
        if seconds == {""}:
            if "" in stems:
                return ""
            lessons = [lesson for parts in notebooks for lesson in held.get(parts, ())]
            if len(stems) == 1 or len(set(lessons)) == len(lessons):
                return f"is {first} or {min(stems)} the student?"
        elif "" in stems:
            return ""
        elif len(seconds) == 1:
            doubt = f"is {first} or {next(iter(seconds))} the student?"
        for place in places.values():
            if place.folders[:1] == [first]:
                del place.folders[0]
        if doubt:
            return doubt


def _shared(names: list[str]) -> str:
    """What the names of GitHub Classroom's folders begin with: "homework-3-"."""
    if len(set(names)) < 2:
        return ""
    first, last = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), len(first))
    return first[: first.rfind("-", 0, same) + 1]


def _crowded(found: dict[Parts, Who], places: dict[Parts, _Place], held: dict[Parts, Parts]) -> list[Parts]:
    """The files in folders that may be a student's or a group's: with several notebooks of one lesson."""
    several: dict[tuple[str, str], list[Parts]] = {}
    for parts, who in found.items():
        if who.layout == "folders":
            for lesson in held.get(parts, ()):
                if not parts[-1].lower().endswith(".py"):
                    several.setdefault((who.student, lesson), []).append(parts)
    doubtful = []
    for group in several.values():
        names = Counter((tuple(places[parts].folders[1:]), places[parts].stem) for parts in group)
        if len(names) > 1 and not any(not stem and not folders for folders, stem in names):
            doubtful += group
    return doubtful
