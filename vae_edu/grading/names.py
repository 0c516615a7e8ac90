"""Names of files and people: in any bytes, as text for tables, on screens, and as folders."""

import os
import re
import unicodedata

MAX_BYTES = 120  # of a folder's name; file systems take 255, and encrypted ones 143
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)  # by Windows


def text(name: str) -> str:
    """The name of a file as text, with accents composed: UTF-8, or else the cp1252 of older Windows."""
    raw = os.fsencode(name)
    for encoding in ("utf-8", "cp1252", "latin-1"):
        try:
            return unicodedata.normalize("NFC", raw.decode(encoding))
        except UnicodeDecodeError:
            continue
    raise AssertionError("latin-1 reads any bytes")


def zipped(name: str, windows: bool) -> str:
    """The name in a zip that does not say its encoding, as Python reads it: in cp437.

    Args:
        name: The name, decoded as cp437.
        windows: Whether the zip was made on Windows, whose own zips are in cp437.
    """
    raw = name.encode("cp437", errors="replace")
    with_latin: list[str] = []
    for encoding in ("utf-8", *(("cp437", "cp1252") if windows else ("cp1252", "cp437"))):
        try:
            read = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8" or all(c.isascii() or _is_latin(c) for c in read):
            return unicodedata.normalize("NFC", read)
        with_latin.append(read)
    return unicodedata.normalize("NFC", with_latin[0])


def _is_latin(character: str) -> bool:
    return unicodedata.name(character, "").startswith("LATIN")


def printable(name: str) -> str:
    """The name in one line of a terminal: what cannot be printed is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def folders(students: list[str]) -> dict[str, str]:
    """For each student the name of a folder that any disk takes; no two differ only in case or accents."""
    taken: set[str] = set()
    chosen: dict[str, str] = {}
    for student in sorted(students):
        name = base = _folder(student)
        number = 2
        while (key := unicodedata.normalize("NFKD", name).casefold()) in taken:
            name, number = f"{base} ({number})", number + 1
        taken.add(key)
        chosen[student] = name
    return chosen


def _folder(student: str) -> str:
    name = re.sub(r'[<>:"/\\|?*]', "_", "".join(c if c.isprintable() else "_" for c in student))
    name = name.encode(errors="replace")[:MAX_BYTES].decode(errors="ignore").strip(" .")
    return f"_{name}" if not name or RESERVED.fullmatch(name) else name
