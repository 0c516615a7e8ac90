"""A student's notebook: which exercises it holds, and the program that each needs. Nothing here runs it."""

import ast
import builtins
import re
import sys
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from vae_edu.exercises import EXERCISES, LESSONS
from vae_edu.grading import notebook
from vae_edu.grading.limited import OverLimit, limited
from vae_edu.grading.magics import NoPython, newer, parse, transformer
from vae_edu.grading.notebook import Unreadable
from vae_edu.grading.statements import Statement, statements

__all__ = ["Submission", "Unreadable", "lesson_of", "read", "read_several"]

SECONDS = 4  # of processor time to read a file, which takes a tenth of one
MEMORY = 4 * 2**30  # bytes, for the largest file
SHADOWED = {"abs", "all", "any", "max", "min", "pow", "range", "round", "sum"}  # by from numpy import *
FAILED = "try:\n    pass\nexcept Exception:\n    pass"
PROVIDED = {"display", "get_ipython", "__name__"}  # by what runs the program
THIS = "Python {}.{}".format(*sys.version_info)
DEFINED = re.compile(r"^\s*(?:async\s+)?(?:def|class)\s+(\w+)|^(\w+)\s*=[^=]", re.M)


@dataclass
class Submission:
    """What a notebook holds.

    Attributes:
        statements: Its statements in order.
        broken: The exercises in cells that cannot be read, and what is wrong with each.
        unmarked: The exercises that this Python cannot read and a newer one can, and what they need.
        answer: The answer to the lesson's question.
        notes: What a teacher should know of the file.
    """

    statements: list[Statement] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    unmarked: dict[str, str] = field(default_factory=dict)
    answer: str = ""
    notes: list[str] = field(default_factory=list)

    def times_defined(self, name: str) -> int:
        """How often the notebook defines the function anew."""
        return sum(name in s.binds and name not in s.uses for s in self.statements)

    def program(self, name: str) -> str:
        """The code that the function needs: its own statements, and those that bind or change what these use.

        A statement that may only change something is tried: if it fails, the others count.
        """
        return _Slice(self.statements, name).program()


def read_several(paths: list[Path]) -> list[Submission | None]:
    """Read several files in one process with limits, and what they share once.

    Returns:
        For each file the submission; None if :func:`read` has to read it alone.

    Raises:
        ValueError: IPython is missing.
    """
    transformer()
    try:
        found = limited(_read_several, paths, seconds=SECONDS, memory=MEMORY)
    except (OverLimit, OSError):
        return [None] * len(paths)
    return [one if isinstance(one, Submission) else None for one in found]


def read(path: Path) -> Submission:
    """Read a submission from a file, in a process with limits.

    Raises:
        Unreadable: The file is no notebook; the message says what it is, and what to hand in.
        ValueError: IPython is missing.
    """
    transformer()  # loaded once, before the processes start
    try:
        found = limited(_read, path, seconds=SECONDS, memory=MEMORY)
    except OverLimit as error:
        raise Unreadable(
            "it takes too long to read: clear its outputs, and hand in the lesson alone"
        ) from error
    except OSError as error:
        raise Unreadable(f"this machine could not read it: {error.strerror}") from error
    if isinstance(found, str):
        raise Unreadable(found)
    return found


def lesson_of(submission: Submission) -> str | None:
    """The lesson with the most exercises in the notebook; None if it defines none of any lesson."""
    names = {*submission.broken, *submission.unmarked}.union(*(s.binds for s in submission.statements))
    best = max(LESSONS, key=lambda lesson: len(names & LESSONS[lesson].keys()))
    return best if names & LESSONS[best].keys() else None


def _read_several(paths: list[Path]) -> list[Submission | str]:
    return list(map(_read, paths))


def _read(path: Path) -> Submission | str:
    """The submission, or what is wrong with the file."""
    try:
        content = notebook.load(path)
    except Unreadable as error:
        return str(error)
    except OSError as error:
        return f"it cannot be opened: {error.strerror}"
    except RecursionError:
        return "it is nested too deeply for a notebook: hand in the .ipynb file as Jupyter saves it"
    except MemoryError:
        return "it is too large to be read: clear its outputs, save it, and hand it in again"
    found = Submission(answer=content.answer, notes=content.notes)
    newer_names: dict[str, str] = {}
    for source in content.code:
        try:
            found.statements += _statements(source)
        except Exception as error:  # whatever the cell holds, the others count
            names = {name for pair in DEFINED.findall(source) for name in pair} - {""}
            needs = newer(source, error, sys.version_info[:2]) if isinstance(error, SyntaxError) else None
            if needs:
                newer_names |= dict.fromkeys(names, f"{needs}, and the grader runs on {THIS}")
            else:
                found.broken |= dict.fromkeys(names & EXERCISES.keys(), _problem(source, error))
    for source in content.text:
        for name in re.findall(r"^def (\w+)\(", source, re.M):
            if name in EXERCISES:
                found.broken.setdefault(name, "its cell is not a cell of code")
    _tell_unmarked(found, newer_names)
    for name in [name for name in found.broken if found.times_defined(name)]:
        del found.broken[name]
        found.notes.append(f"another cell with {name} cannot be read")
    return found


@lru_cache(1000)
def _statements(source: str) -> list[Statement]:
    return statements(parse(source))


def _problem(source: str, error: Exception) -> str:
    """Why a cell cannot be read."""
    if re.search(r"^<{7} ", source, re.M):
        return "the cell holds two versions of it, which Git marks by <<<<<<<: choose one"
    if isinstance(error, NoPython):
        return error.msg
    if isinstance(error, SyntaxError) and error.lineno:
        where = f"{type(error).__name__} in line {error.lineno} of its cell"
        return f"the cell cannot be read: {where} ({error.msg[:80]})"
    return f"the cell cannot be read: {type(error).__name__}"


def _tell_unmarked(found: Submission, names: dict[str, str]) -> None:
    """Remember the exercises that need a newer Python, themselves or by a name that they use."""
    for name in EXERCISES:
        used = {name} if not found.times_defined(name) else _Slice(found.statements, name).unknown
        for lost in sorted(used & names.keys()):
            found.unmarked[name] = names[lost]
    found.notes += sorted(set(names.values()))


class _Slice:
    """The statements that a name needs, looked for from the end of the notebook to its beginning."""

    def __init__(self, given: list[Statement], name: str) -> None:
        """Look for them."""
        self.statements = given
        self.bound: set[int] = set()  # the statements that are needed for a name that they bind
        self.changed: set[int] = set()  # those that are needed since they may change something
        self._makers = _makers(given)
        self._seen: set[tuple[str, int, bool]] = set()
        self._every: set[str] = set()
        waiting: list[tuple[str, int | None]] = [(name, len(given))]
        names = {name}
        while waiting:
            wanted, end = waiting.pop()
            names.add(wanted)
            waiting += self._look(wanted, end)
        self.unknown = {name for name in names if not self._makers[name]} - PROVIDED
        for i, s in enumerate(given):
            if s.star is not None and self._may_come_from(s.star):
                self.changed.add(i)

    def program(self) -> str:
        """Their text. One that may only change something is tried, so that its failure costs nothing."""
        texts = []
        for i in sorted(self.bound | self.changed):
            text = self.statements[i].text
            if i not in self.bound:
                tried = ast.parse(FAILED).body[0]
                assert isinstance(tried, ast.Try)
                tried.body = ast.parse(text).body
                text = ast.unparse(tried)
            texts.append(text)
        return "\n".join(texts)

    def _look(self, name: str, end: int | None) -> list[tuple[str, int | None]]:
        """Find the statements that make a name what it is before the statement ``end``.

        Going back, the search ends at a statement that binds the name anew. The end None stands for all
        times, of what a function uses that is called on the way.

        Returns:
            The names that these statements use, and when.
        """
        makers, last = self._makers[name], len(self.statements)
        if end is None and name in self._every:
            return []
        if end is None:
            self._every.add(name)
        found: list[tuple[str, int | None]] = []
        for at in range(bisect_left(makers, last if end is None else end) - 1, -1, -1):
            i = makers[at]
            s = self.statements[i]
            if end is not None and (name, i, end == last) in self._seen:
                break
            self._seen.add((name, i, end == last))
            if i not in self.bound and i not in self.changed:
                found += [(used, i) for used in s.uses]
            (self.bound if name in s.binds else self.changed).add(i)
            found += [(used, last if end == last else None) for used in s.later]
            if end is not None and s.replaces and name in s.binds:
                break
        return found

    def _may_come_from(self, star: str) -> bool:
        """Whether a needed name may come from ``from … import *``."""
        known = vars(builtins).keys() - (SHADOWED if star.split(".")[0] != "vae_edu" else set())
        return bool(self.unknown - known)


def _makers(given: list[Statement]) -> dict[str, list[int]]:
    """By name, the statements that bind it, or may change what it names."""
    effects: dict[str, set[str]] = defaultdict(set)
    fixed = {name for s in given if s.fixed for name in s.binds}
    for s in given:
        for name in s.binds:
            effects[name] |= s.effects
    makers: dict[str, list[int]] = defaultdict(list)
    for i, s in enumerate(given):
        names = s.binds | s.sets | (s.changes - fixed)
        for function, arguments in s.calls.items():
            if function in effects:
                names |= effects[function] | (arguments - fixed)
        for name in names:
            makers[name].append(i)
    return makers
