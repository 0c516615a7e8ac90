"""The roster: who is in the class, by a table of the teacher's or of the learning platform."""

import csv
import fnmatch
import io
import itertools
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

IDS = (  # the first of these columns that there is names the student in the table
    "id", "studentid", "sisuserid", "sisloginid", "idnumber", "idnummer", "matrikelnummer", "username",
    "anmeldename", "benutzername", "login", "loginid", "githubusername", "identifier", "emailaddress",
    "email", "mail", "emailadresse",
)  # fmt: skip
NAMES = ("name", "student", "fullname", "studentname", "displayname", "vollstandigername")
FIRST, LAST = ("firstname", "vorname", "givenname"), ("lastname", "surname", "nachname", "familyname")
PATTERNS = ("pattern", "filepattern", "file", "files")


@dataclass(frozen=True)
class Student:
    """Somebody in the class.

    Attributes:
        id: What the table calls the student.
        name: The person's name, if the roster has it.
        pattern: A pattern of the files that are the student's, such as "*4711*".
        keys: What the student may be called in the names of files, in plain letters and digits.
    """

    id: str
    name: str
    pattern: str
    keys: frozenset[str]


class Roster:
    """Everybody in the class.

    Attributes:
        students: In the order of the table.
    """

    def __init__(self, path: Path) -> None:
        """Read a table with a column of ids, and perhaps names, e-mail addresses and patterns of files.

        Raises:
            ValueError: It is no table, has no column of ids, or an id twice.
        """
        rows = _rows(path)
        heads = [key(head) for head in rows[0]]
        columns = {name: heads.index(name) for name in dict.fromkeys(heads) if name}
        kinds = [name for name in IDS if name in columns]
        if not kinds:
            raise ValueError(
                f"{path} has no column id, but {', '.join(rows[0])[:200]}: write id, name in its first line."
            )
        self.students: list[Student] = []
        for row in rows[1:]:
            cells = {name: row[place].strip() for name, place in columns.items() if place < len(row)}
            if student := _student(cells, kinds):
                self.students.append(student)
        ids = [student.id for student in self.students]
        if twice := next((name for name in ids if ids.count(name) > 1), None):
            raise ValueError(f"{path} has the id {twice} in two rows: give each student another one.")
        if not ids:
            raise ValueError(f"{path} has no students: it needs a row for each.")
        every = [name for student in self.students for name in student.keys]
        self._by_key = {
            name: student for student in self.students for name in student.keys if every.count(name) == 1
        }

    def whose(self, shown: str, names: list[str]) -> list[Student]:
        """The students whose file this may be: one if it is clear, several if it is not, none if nobody's.

        Args:
            shown: The place of the file.
            names: What its place says of its student, the surest first.
        """
        by_pattern = [s for s in self.students if s.pattern and _fits(shown, s.pattern)]
        if by_pattern:
            return by_pattern
        for name in names:
            if student := self._by_key.get(key(name)):
                return [student]
        return []


def key(name: str) -> str:
    """A name in plain letters and digits: without accents, case, spaces and signs."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in plain if c.isalnum())


def _student(cells: dict[str, str], kinds: list[str]) -> Student | None:
    values = [cells[kind] for kind in kinds if cells.get(kind)]
    first, last = (next((cells[n] for n in names if cells.get(n)), "") for names in (FIRST, LAST))
    name = next((cells[n] for n in NAMES if cells.get(n)), "") or f"{first} {last}".strip()
    if not values or key(name) == "pointspossible":  # Canvas's second line
        return None
    keys = {key(value) for value in values} | {key(value.partition("@")[0]) for value in values}
    keys |= {
        number for value in values if (number := re.sub(r"^participant\s+", "", value.casefold())).isdigit()
    }
    words = re.split(r"[\s,]+", name.strip(" ,"))
    if len(words) <= 4:
        keys |= {key("".join(some)) for some in itertools.permutations(words)}
    pattern = next((cells[n] for n in PATTERNS if cells.get(n)), "")
    return Student(values[0], name, pattern, frozenset(keys - {""}))


def _fits(shown: str, pattern: str) -> bool:
    parts = [shown.casefold(), *shown.casefold().split("/")]
    return any(fnmatch.fnmatchcase(part, pattern.casefold()) for part in parts)


def _rows(path: Path) -> list[list[str]]:
    """The rows of a table as Excel, LibreOffice and the platforms write it."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror}.") from error
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = raw.decode("utf-16", errors="replace")
    else:
        try:
            content = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            content = raw.decode("cp1252", errors="replace")
    content = unicodedata.normalize("NFC", content.replace("\0", ""))
    if content.startswith("sep="):
        content = content.partition("\n")[2]
    first = content.lstrip().partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = [
            row for row in csv.reader(io.StringIO(content), delimiter=separator) if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise ValueError(f"{path} is no table that can be read: {error}.") from error
    if not rows:
        raise ValueError(
            f"{path} is empty: write id, name in its first line and a student in each other one."
        )
    return rows
