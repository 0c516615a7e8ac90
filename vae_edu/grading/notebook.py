"""What a student handed in, whatever its format: the code of its cells, and the answer to the question."""

import io
import json
import re
import stat
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MOST = 500 * 10**6  # bytes of a file, nearly all of them its outputs
MOST_CODE = 200_000  # characters; a lesson has 12,000
MOST_ANSWER = 10_000
MARKER = "*Your answer to the question:*"
QUESTION = "**A question to take along.**"
OTHERS = [  # how a file begins, and what it is
    (rb"PK\x03\x04", "a zip file without a notebook, or with several: hand in the notebook itself"),
    (
        rb"version https://git-lfs",
        "a pointer of Git LFS, not the file: run git lfs pull, and hand in the file",
    ),
    (rb"%PDF", "a PDF: hand in the .ipynb file"),
    (rb"\x1f\x8b|\xfd7zXZ|BZh|Rar!|7z\xbc", "a compressed file: unpack it, and hand in the .ipynb file"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8", "a picture: hand in the .ipynb file"),
    (rb"\{\\rtf", "a text document: hand in the .ipynb file"),
    (
        rb"(?i)\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<(!doctype html|html|head|body)",
        "a web page, such as one that asks to log in: hand in the .ipynb file",
    ),
]
CELL = re.compile(r"^# ?(?:%%(.*)|<(?:code|markdown)cell>|In\s*\[[\d ]*\]:)$", re.M)
DEFINES = re.compile(r"^(def \w+\(|import \w|from \w+ import )", re.M)


class Unreadable(ValueError):
    """The file cannot be read as a notebook; the message says what it is, and what to hand in."""


@dataclass
class Notebook:
    """The cells of a file.

    Attributes:
        code: The source of its code cells.
        text: That of all other cells.
        answer: The answer to the lesson's question.
        notes: What a teacher should know of the file.
    """

    code: list[str]
    text: list[str] = field(default_factory=list)
    answer: str = ""
    notes: list[str] = field(default_factory=list)


def load(path: Path) -> Notebook:
    """Read a file: a notebook of any format and encoding, one in a zip file, or a Python script.

    Raises:
        Unreadable: It is none of them.
        OSError: It cannot be read.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        what = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link"}.get(stat.S_IFMT(status.st_mode), "a device")
        raise Unreadable(f"it is {what}, not a file: hand in the .ipynb file")
    _check_size(status.st_size)
    data = path.read_bytes()
    if data.startswith(b"PK\x03\x04"):
        data = _unpacked(data) or data
    if not data[:MOST_CODE].strip(b" \t\r\n\0"):
        raise Unreadable("the file is empty: save the notebook, and hand it in again")
    for begin, what in OTHERS:
        if re.match(begin, data[:1000], re.S):
            raise Unreadable(f"it is {what}")
    text = _decoded(data)
    if re.match(r"\s*[{\[]", text):
        return _notebook(_parsed(text))
    if len(text) < 10 * MOST_CODE and DEFINES.search(text):
        return _script(text)
    raise Unreadable("it is neither a notebook nor a Python script: hand in the .ipynb file")


def _check_size(size: int) -> None:
    if size > MOST:
        raise Unreadable(
            f"it has {size / 1e6:,.0f} MB, and {MOST / 1e6:.0f} MB are read:"
            " clear the notebook's outputs, save it, and hand it in again"
        )


def _unpacked(data: bytes) -> bytes | None:
    """The only notebook in a zip file; None if there is none, or more than one."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            hidden = re.compile(r"(^|/)(__MACOSX|\.)")
            names = [name for name in file.namelist() if name.lower().endswith(".ipynb")]
            names = [name for name in names if not hidden.search(name)]
            if len(names) != 1:
                return None
            _check_size(file.getinfo(names[0]).file_size)
            return file.read(names[0])
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise Unreadable("it is a zip file that cannot be opened: hand in the .ipynb file") from error


def _decoded(data: bytes) -> str:
    """The text, whatever its encoding. JSON shows by its first bytes which one of Unicode it is."""
    try:
        return data.decode(json.detect_encoding(data)).removeprefix("\ufeff")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        if conflict := re.search(r"^<{7} ", text, re.M):
            line = text.count("\n", 0, conflict.start()) + 1
            raise Unreadable(
                f"line {line} begins with <<<<<<<: Git has two versions of it; choose one and save it"
            ) from error
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
            raise Unreadable(
                f"it was cut off after {len(text):,} characters: save the notebook, and hand it in again"
            ) from error
        raise Unreadable(
            f"line {error.lineno} is no JSON ({error.msg}): open it in Jupyter, save it, and hand it in again"
        ) from error


def _notebook(content: Any) -> Notebook:
    """The cells of a notebook of any format; those that cannot be read are left out."""
    if isinstance(content, dict) and "cells" not in content and isinstance(content.get("content"), dict):
        content = content["content"]  # as Jupyter's server sends it
    given = _cells(content)
    cells = [cell for cell in given if isinstance(cell, dict)]
    if not cells:
        raise Unreadable("it has no cells: open it in Jupyter, save it, and hand it in again")
    found = Notebook([_source(cell) for cell in cells if _is_code(cell)])
    found.text = [_source(cell) for cell in cells if not _is_code(cell)]
    found.answer = _answer(cells)
    if len(cells) < len(given):
        found.notes.append(f"{len(given) - len(cells)} of its cells cannot be read")
    language = _language(content)
    if language and not language.lower().startswith(("python", "ipython")):
        found.notes.append("its language is not Python")
    if sum(map(len, found.code)) > MOST_CODE:
        _shorten(found)
    return found


def _cells(content: Any) -> list[Any]:
    """The cells, which formats before the fourth keep in worksheets."""
    if not isinstance(content, dict):
        return []
    sheets = content.get("worksheets")
    parts = [content, *(sheets if isinstance(sheets, list) else [])]
    lists = [part.get("cells") for part in parts if isinstance(part, dict)]
    return [cell for cells in lists if isinstance(cells, list) for cell in cells]


def _is_code(cell: dict[str, Any]) -> bool:
    return cell.get("cell_type", "code" if "outputs" in cell else "") == "code"


def _source(cell: dict[str, Any]) -> str:
    source = next((cell[key] for key in ("source", "input", "code", "text") if key in cell), "")
    lines = source if isinstance(source, list) else [source]
    text = "".join(line for line in lines if isinstance(line, str))
    return text.encode(errors="replace").decode().replace("\r\n", "\n").replace("\r", "\n")


def _language(content: dict[str, Any]) -> str:
    """The language that the notebook says it is in; "" if it says none."""
    metadata = content.get("metadata")
    info = metadata.get("language_info") if isinstance(metadata, dict) else None
    name = info.get("name") if isinstance(info, dict) else None
    return name if isinstance(name, str) else ""


def _shorten(found: Notebook) -> None:
    """Leave out the longest cells of code, until the others can be read in a moment."""
    kept, left = [], MOST_CODE
    for i in sorted(range(len(found.code)), key=lambda i: len(found.code[i])):
        left -= len(found.code[i])
        if left >= 0:
            kept.append(i)
    found.notes.append(f"{len(found.code) - len(kept)} of its cells are too long to be read")
    found.code = [found.code[i] for i in sorted(kept)]


def _answer(cells: list[dict[str, Any]]) -> str:
    """The answer: in nbgrader's cell, after the marker, or in the cells after the question."""
    start = -1
    for i, cell in enumerate(cells):
        nbgrader = cell["metadata"].get("nbgrader") if isinstance(cell.get("metadata"), dict) else None
        names = (cell.get("id"), nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None)
        if "reflection" in names or MARKER in _source(cell):
            start = i
            break
        if QUESTION in _source(cell):
            start = i + 1
    if start < 0:
        return ""
    texts = [_source(cell) for cell in cells[start:] if not _is_code(cell) or cell is cells[start]]
    return "\n\n".join(texts).split(MARKER)[-1].strip()[:MOST_ANSWER]


def _script(text: str) -> Notebook:
    """The cells of a Python script: jupytext's, nbconvert's, or one for all of it."""
    pieces = CELL.split(text.replace("\r\n", "\n"))
    kinds = [None, *pieces[1::2]]
    cells = []
    for kind, source in zip(kinds, pieces[::2]):
        markdown = "markdown" in (kind or "") or "[md]" in (kind or "")
        source = re.sub(r"^# ?", "", source, flags=re.M) if markdown else source
        cells.append({"cell_type": "markdown" if markdown else "code", "source": source})
    found = _notebook({"cells": cells})
    found.notes.insert(0, "it is a Python script, not a notebook, and was read all the same")
    return found
