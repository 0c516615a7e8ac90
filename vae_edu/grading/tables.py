"""Tables for spreadsheets: cells that no program runs, and files as spreadsheets save them."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vae_edu.engine.files import whole_file

MAX_CELL = 30_000  # characters; Excel cuts a cell at 32,767 and moves the rest to other rows
FORMULA = "['=+\\-@\t\r＝＋－＠]"
START = '(?<![^;,\t\r\n"])'  # the start of the cell, and where a program with another separator would cut it
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
HOW_TO_SAVE = "save it as “CSV UTF-8 (comma delimited)” in Excel, or as “Text CSV” in LibreOffice."


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula; :func:`whole` makes it what it was."""
    return re.sub(f"{START}(?={FORMULA})", "'", text)


def whole(cell: str) -> str:
    """The text that :func:`harmless` made the cell of."""
    return re.sub(f"{START}'(?={FORMULA})", "", cell)


def write(path: Path, headings: list[str], rows: Iterable[Mapping[str, Any]], mark: bool = True) -> None:
    """Write a table as UTF-8.

    Args:
        path: The file; an older one is replaced in one step.
        headings: The columns.
        rows: What they hold; a missing entry leaves the cell empty.
        mark: Whether the file begins with the bytes by which Excel knows UTF-8.
    """
    encoding = "utf-8-sig" if mark else "utf-8"
    with (
        whole_file(path) as part,
        part.open("w", newline="", encoding=encoding, errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(map(harmless, headings))
        for row in rows:
            writer.writerow([_cell(row.get(heading, "")) for heading in headings])


def _cell(value: Any) -> str:
    text = str(value).replace("\0", "\\0")
    return harmless(text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]} …")


def read(path: Path, needed: str) -> list[dict[str, str]]:
    """Read a table, whatever separator and encoding it was saved with.

    Args:
        path: The file.
        needed: A column that it must have.

    Returns:
        Its rows, without those that are empty.

    Raises:
        ValueError: It cannot be read, or lacks the column; the message says what it is and how to save it.
    """
    text = _text(path)
    if first := re.match(r"sep=.\r?\n", text):  # a line for Excel alone
        text = text[first.end() :]
    heading = text.lstrip("\r\n").split("\n", 1)[0].strip()
    for separator in SEPARATORS:
        if needed in map(whole, map(str.strip, next(csv.reader([heading], delimiter=separator), []))):
            break
    else:
        used = [name for separator, name in SEPARATORS.items() if separator in heading]
        says = f"its first line, with {' and '.join(used) or 'no separator'}, is {heading[:80]!r}"
        raise ValueError(f"{path} has no column {needed}: {says}. Give a table of grade, or {HOW_TO_SAVE}")
    csv.field_size_limit(2**24)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise ValueError(f"{path} is no table that can be read ({error}): {HOW_TO_SAVE}") from error
    headings, *rows = [line for line in lines if any(cell.strip() for cell in line)]
    headings = [whole(heading.strip()) for heading in headings]
    if twice := sorted({heading for heading in headings if heading and headings.count(heading) > 1}):
        raise ValueError(f"{path} has two columns {twice[0]!r}: remove one of them.")
    for row in rows:
        if len(row) > len(headings) and any(cell.strip() for cell in row[len(headings) :]):
            raise ValueError(
                f"{path}: the row of {row[0]!r} has {len(row)} cells, but there are {len(headings)} columns "
                f"with {SEPARATORS[separator]} between them: perhaps a decimal comma; {HOW_TO_SAVE}"
            )
    return [dict(zip(headings, [whole(cell.strip(" \xa0")) for cell in row])) for row in rows]


def _text(path: Path) -> str:
    """The file's text.

    Raises:
        ValueError: It is another kind of file; the message says which.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ValueError(f"{path} is a workbook, not a .csv file: {HOW_TO_SAVE}")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in data[:1000]:
        encodings = ["utf-16-le" if data[1:2] == b"\0" else "utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1252"]  # German, French, Spanish … Excel saves “CSV” as the latter
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    raise ValueError(f"{path} is neither UTF-8 nor UTF-16 nor Windows-1252: {HOW_TO_SAVE}")


def number(text: str) -> float | None:
    """The number that a cell says, with a decimal point or comma; None if it says none."""
    found = re.fullmatch(r"[+-]?[0-9]{1,9}([.,][0-9]{1,9})?", text.strip())
    return float(found[0].replace(",", ".")) if found else None
