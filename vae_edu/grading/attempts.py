"""Several attempts of one student: which names are copies of one, and which notebook counts."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from vae_edu.grading.marks import Record

CHOICES = ("best", "latest")
BEFORE = re.compile(r"^(?:copy|kopie|copie|copia)[ _](?:of|von|de|di)[ _]+", re.I)
AFTER = re.compile(  # what browsers, Windows and macOS append to a name that is taken
    r"[ _]*\((\d{1,3})\)$"
    r"|[ _]*-[ _]*(?:copy|kopie|copie|copia)(?:[ _]*\(?(\d{1,3})\)?)?$"
    r"|[ _](?:copy|kopie)[ _]?(\d{0,3})$",
    re.I,
)
PERHAPS = re.compile(r"-(\d{1,2})$|[ _-]?v(\d{1,2})$|[ _-](?:final|new|neu|fixed)$", re.I)


def original(stem: str) -> tuple[str, int]:
    """The name that a file had before it was copied, and the number of the copy: 0 for the first."""
    number = 0
    while True:
        plain = BEFORE.sub("", stem)
        number += plain != stem
        if found := AFTER.search(plain):
            number += int(next((group for group in found.groups() if group), 1))
            plain = plain[: found.start()]
        if plain in (stem, ""):
            return stem, number
        stem = plain


def version(stem: str, others: Iterable[str]) -> tuple[str, int]:
    """The same for anna-1 and anna_v2, which are copies only if there is an anna among the others."""
    stem, number = original(stem)
    if (found := PERHAPS.search(stem)) and stem[: found.start()] in others:
        return stem[: found.start()], number + int(next((group for group in found.groups() if group), 99))
    return stem, number


def choose(attempts: Sequence[tuple[Record, tuple[float, ...]]], which: str) -> Record:
    """Of a student's attempts at a lesson the one that counts, with a note if there were several.

    Args:
        attempts: The marked attempts, each with what orders them in time.
        which: Best: the one with the most points. Latest: the last one by the numbers in the names, else by
            the time when the files were written. A notebook comes before a program (.py), and one that holds
            an exercise before one that holds none.
    """

    def rank(attempt: tuple[Record, tuple[float, ...]]) -> tuple[object, ...]:
        record, order = attempt
        kind = (bool(record.marks), not record.file.lower().endswith(".py"))
        named = Path(record.file).stem == record.lesson
        return (*kind, order, named) if which == "latest" else (*kind, record.points, order, named)

    record, _ = max(attempts, key=rank)
    if len(attempts) == 1:
        return record
    has = "is the latest" if which == "latest" else "has the most points"
    several = f"of {len(attempts)} notebooks for {record.lesson}, {Path(record.file).name} {has}"
    return replace(record, note="; ".join(filter(None, [several, record.note])))
