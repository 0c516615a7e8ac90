"""The files of submissions, out of folders and archives. Only plain files are opened."""

import contextlib
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Generator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import IO, NamedTuple

from vae_edu.grading.names import text, zipped

MAX_FILE = 256 * 2**20  # bytes of a notebook, with its figures
MAX_ARCHIVE = 2**30  # bytes that the notebooks in a student's archive may have together
MAX_CLASS = 2**35  # and those in an archive that is given as an argument
MAX_MEMBERS = 20_000
MAX_DEPTH = 12  # of folders and archives in each other
ARCHIVE = re.compile(r"\.(zip|tar|tgz|tar\.(gz|bz2|xz))$", re.I)
NOTEBOOK = re.compile(r"\.(ipynb|py)$|\.ipynb\.(txt|json)$", re.I)
IGNORED = re.compile(r"\..*(?<!\.ipynb)|\._.*|__macosx|__pycache__|thumbs\.db|desktop\.ini", re.I)
NOT_STUDENTS = re.compile(r"vae_edu|site-packages|node_modules|\.?v?env", re.I)  # programs, not answers


class File(NamedTuple):
    """A file that may be a submission.

    Attributes:
        path: Where it is; in a temporary folder if it was in an archive.
        parts: The folders and archives that hold it, and its name, as text.
        modified: When it was written, in seconds.
    """

    path: Path
    parts: tuple[str, ...]
    modified: float = 0.0

    @property
    def shown(self) -> str:
        """Its place in one text."""
        return "/".join(self.parts)


class Left(NamedTuple):
    """A file that is not marked: its place, and why."""

    parts: tuple[str, ...]
    why: str

    @property
    def shown(self) -> str:
        """Its place in one text."""
        return "/".join(self.parts)


class TooMuch(Exception):
    """An archive holds more than is unpacked."""


class Gathered:
    """What a walk through folders and archives has found.

    Attributes:
        files: The files that may be submissions.
        left: The others.
    """

    def __init__(self, roots: list[Path], room: Path, out: Path | None = None) -> None:
        """Walk through the roots.

        Args:
            roots: Folders, archives and notebooks.
            room: An empty folder to unpack to. The names of files in archives are never used there.
            out: A table of grade, which is no submission, and neither is what it wrote next to it.
        """
        self.files: list[File] = []
        self.left: list[Left] = []
        self._room, self._numbers = room, count()
        self._out = out.resolve() if out else None
        self._taken: set[tuple[str, ...]] = set()
        for root in roots:
            above = (text(root.name),) if len(roots) > 1 else ()
            if root.is_dir():
                self._folder(root, above)
            elif ARCHIVE.search(root.name):
                self._archive(root, (text(root.name),), _opened(above) if above else (), _Budget(MAX_CLASS))
            else:
                self._file(root, (text(root.name),), root.stat())

    def _folder(self, folder: Path, above: tuple[str, ...]) -> None:
        if len(above) > MAX_DEPTH:
            return self._leave(above, "it is too deep in other folders")
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            return self._leave(above, f"it cannot be opened: {error.strerror}")
        for entry in entries:
            name = text(entry.name)
            parts = (*above, name)
            if IGNORED.fullmatch(name) or self._ours(folder, name):
                continue
            try:
                if entry.is_symlink():
                    self._leave(parts, "it is a link; put the file itself here")
                elif entry.is_dir(follow_symlinks=False):
                    if NOT_STUDENTS.fullmatch(name):
                        self._leave(parts, "it is a folder of programs")
                    else:
                        self._folder(Path(entry.path), parts)
                else:
                    self._file(Path(entry.path), parts, entry.stat(follow_symlinks=False))
            except OSError as error:
                self._leave(parts, f"it cannot be opened: {error.strerror}")
        return None

    def _ours(self, folder: Path, name: str) -> bool:
        """Whether grade wrote it."""
        if self._out is None or folder.resolve() != self._out.parent or name.endswith(".ipynb"):
            return False
        return name.startswith((f"{self._out.stem}.", f"{self._out.stem}_"))

    def _file(self, path: Path, parts: tuple[str, ...], about: os.stat_result) -> None:
        if not stat.S_ISREG(about.st_mode):
            self._leave(parts, "it is no ordinary file")
        elif about.st_size > MAX_FILE:
            self._leave(parts, f"it is larger than {MAX_FILE // 2**20} MB")
        elif ARCHIVE.search(parts[-1]):
            self._archive(path, parts, _opened(parts), _Budget(MAX_ARCHIVE))
        elif NOTEBOOK.search(parts[-1]):
            self._keep(path, parts, about.st_mtime)
        else:
            self._leave(parts, _what(parts[-1]))

    def _leave(self, parts: tuple[str, ...], why: str) -> None:
        self.left.append(Left(parts, why))

    def _archive(self, path: Path, names: tuple[str, ...], above: tuple[str, ...], budget: "_Budget") -> None:
        """Unpack an archive, perhaps made with ill intent. If it is too large, none of it counts."""
        first, before = len(self.files), len(self.files) + len(self.left)
        if len(above) > MAX_DEPTH:
            return self._leave(names, "it is too deep in other archives")
        try:
            with contextlib.closing(_members(path)) as members:
                for name, why, about, content in members:
                    budget.members += 1
                    if budget.members > MAX_MEMBERS:
                        raise TooMuch(f"it holds more than {MAX_MEMBERS} files")
                    self._member((*above, *name), why, about, content, budget)
        except TooMuch as error:
            self._forget(first)
            self._leave(names, f"{error}; unpack it yourself")
        except Exception as error:  # zipfile, tarfile and their decompressors raise all kinds
            self._leave(names, f"it cannot be unpacked ({type(error).__name__}); is it damaged?")
        if len(self.files) + len(self.left) == before:
            self._leave(names, "it holds no file")
        return None

    def _member(
        self,
        parts: tuple[str, ...],
        why: str | None,
        modified: float,
        content: IO[bytes] | None,
        budget: "_Budget",
    ) -> None:
        if not parts or any(IGNORED.fullmatch(part) for part in parts):
            return None
        if any(NOT_STUDENTS.fullmatch(part) for part in parts[:-1]):
            return self._leave(parts, "it is in a folder of programs")
        archive, notebook = ARCHIVE.search(parts[-1]), NOTEBOOK.search(parts[-1])
        if why or content is None or not (archive or notebook):
            return self._leave(parts, why or _what(parts[-1]))
        path = self._room / f"{next(self._numbers)}{(archive or notebook or [''])[0].lower()}"
        try:
            complete = _copy(content, path, budget)
        except TooMuch:
            raise
        except Exception as error:  # this member is damaged; the others may not be
            path.unlink(missing_ok=True)
            return self._leave(parts, f"it cannot be unpacked ({type(error).__name__}); is it damaged?")
        if not complete:
            return self._leave(parts, f"it is larger than {MAX_FILE // 2**20} MB")
        if archive:
            own = budget if budget.most == MAX_ARCHIVE else _Budget(MAX_ARCHIVE)
            self._archive(path, parts, _opened(parts), own)
            path.unlink()
        else:
            self._keep(path, parts, modified)
        return None

    def _keep(self, path: Path, parts: tuple[str, ...], modified: float) -> None:
        """Keep a file. A second one of the same place, such as in anna/ and anna.zip, is a copy."""
        unique, number = parts, 2
        while unique in self._taken:
            stem, dot, suffix = parts[-1].partition(".")
            unique, number = (*parts[:-1], f"{stem} ({number}){dot}{suffix}"), number + 1
        self._taken.add(unique)
        self.files.append(File(path, unique, modified))

    def _forget(self, first: int) -> None:
        for file in self.files[first:]:
            file.path.unlink()
        del self.files[first:]


class _Budget:
    """How much an archive, and those in it, may still unpack to."""

    def __init__(self, most: int) -> None:
        self.most, self.bytes, self.members = most, 0, 0


def _opened(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The place of what an archive holds: anna.zip becomes anna."""
    return (*parts[:-1], ARCHIVE.sub("", parts[-1]))


def _what(name: str) -> str:
    """Why a file of this name is not marked."""
    if re.search(r"_attempt_[\d-]+\.txt$", name, re.I):
        return "it is Blackboard's receipt"
    if re.search(r"\.(rar|7z|gz|bz2|xz)$", name, re.I):
        return "it cannot be unpacked here; unpack it yourself"
    return "it is no notebook; ask for the .ipynb file"


def _copy(content: IO[bytes], path: Path, budget: _Budget) -> bool:
    """Write a member of an archive, whatever size it claims to have; False if it is too large."""
    written = 0
    with path.open("wb") as file:
        while piece := content.read(2**20):
            written += len(piece)
            budget.bytes += len(piece)
            if budget.bytes > budget.most:
                break
            if written > MAX_FILE:
                break
            file.write(piece)
    if written > MAX_FILE or budget.bytes > budget.most:
        path.unlink()
    if budget.bytes > budget.most:
        raise TooMuch(f"it unpacks to more than {budget.most // 2**30} GB")
    return written <= MAX_FILE


Member = tuple[tuple[str, ...], str | None, float, IO[bytes] | None]


def _members(path: Path) -> Generator[Member, None, None]:
    """The files of an archive: name in parts, what is wrong with it, when it was written, what it holds."""
    return _zipped(path) if path.suffix.lower() == ".zip" else _tarred(path)


def _zipped(path: Path) -> Generator[Member, None, None]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            utf8 = info.flag_bits & 0x800
            name = info.orig_filename if utf8 else zipped(info.orig_filename, info.create_system == 0)
            modified = _seconds(info)
            if info.flag_bits & 1:
                yield _parts(name), "it needs a password", modified, None
            elif stat.S_ISLNK(info.external_attr >> 16):
                yield _parts(name), "it is a link", modified, None
            elif unsafe(name):
                yield _parts(name), "its name leads out of the archive", modified, None
            else:
                try:
                    content = archive.open(info)
                except (zipfile.BadZipFile, NotImplementedError) as error:
                    yield _parts(name), f"it cannot be unpacked: {error}", modified, None
                    continue
                with content:
                    yield _parts(name), None, modified, content


def _tarred(path: Path) -> Generator[Member, None, None]:
    most = 0
    with tarfile.open(path, "r:*", encoding="utf-8", errors="surrogateescape") as archive:
        for info in archive:
            most += info.size  # all of it is decompressed, wanted or not
            if most > MAX_ARCHIVE:
                raise TooMuch(f"it unpacks to more than {MAX_ARCHIVE // 2**30} GB")
            name = text(info.name)
            if info.isdir():
                continue
            if not info.isfile():
                yield _parts(name), "it is no ordinary file", info.mtime, None
            elif unsafe(name):
                yield _parts(name), "its name leads out of the archive", info.mtime, None
            else:
                yield _parts(name), None, info.mtime, archive.extractfile(info)


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[/\\]", name.partition("\0")[0]) if part not in ("", ".", ".."))


def unsafe(name: str) -> bool:
    """Whether the name of a member leads out of its archive."""
    return bool(re.match(r"[/\\]|[A-Za-z]:", name)) or ".." in re.split(r"[/\\]", name)


def _seconds(info: zipfile.ZipInfo) -> float:
    try:
        return datetime(*info.date_time).timestamp()
    except (ValueError, OverflowError, OSError):  # such as the month 0
        return 0.0
