"""What a grading remembers: the marks so far, the seed of their cases, and the table as it was written."""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import monotonic

from vae_edu.engine.files import whole_file
from vae_edu.grading.marks import Mark, Record

SAVE_EVERY = 1.0  # seconds, or ten times what saving takes


class Memory:
    """The marks of earlier runs by what was marked, in a file that only this class writes.

    Attributes:
        seed: The seed of the cases.
        table: The SHA-256 of the table as it was written last; None if none was.
        foreign: Whether the file is there, and not one of this class.
    """

    def __init__(self, path: Path, seed: int | None, variant: int | None = None) -> None:
        """Read the file. Without one, or if it is none of ours, there are no marks and a random seed.

        The marks are forgotten when the package, the seed or the variant changes.
        """
        package = sorted(Path(__file__).resolve().parents[1].rglob("*.py"))
        about = [*(file.read_bytes() for file in package), repr(variant).encode()]
        self.version = hashlib.sha256(b"".join(about)).hexdigest()
        self.path, self.changed = path, False
        self.seed = secrets.randbelow(2**31)
        self.table: str | None = None
        self.foreign = path.is_file()
        self.marks: dict[str, dict[str, Mark]] = {}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            content = json.loads(path.read_text(encoding="utf-8"))
            self.foreign = "version" not in content
            self.seed = int(content["seed"])
            self.table = str(content["table"]) if content.get("table") else None
            if content["version"] == self.version and seed in (None, self.seed):
                self.marks = {key: _marks(marks) for key, marks in content["marks"].items()}
        if seed is not None:
            self.seed = seed

    def known(self, record: Record) -> dict[str, Mark] | None:
        """The marks of the same content for the same lesson, if there are any."""
        return self.marks.get(f"{record.digest} {record.lesson}")

    def keep(self, record: Record) -> None:
        """Remember a record's marks if all of them are final."""
        if all(mark.final for mark in record.marks.values()):
            self.marks[f"{record.digest} {record.lesson}"], self.changed = record.marks, True

    def wrote(self, table: str) -> None:
        """Remember the SHA-256 of the table."""
        self.table, self.changed = table, self.changed or table != self.table

    def save(self) -> None:
        """Write the file if there is anything new."""
        if self.changed:
            marks = {
                key: {name: asdict(mark) for name, mark in marks.items()} for key, marks in self.marks.items()
            }
            content = {"seed": self.seed, "version": self.version, "table": self.table, "marks": marks}
            with whole_file(self.path) as part:
                part.write_text(json.dumps(content), encoding="utf-8")
            self.changed = False


def _marks(given: dict[str, dict]) -> dict[str, Mark]:
    """The marks that ``asdict`` made dictionaries of."""
    return {name: Mark(**values) for name, values in given.items()}


class NowAndThen:
    """Calls a function, but not more often than is cheap."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function, self.next = function, monotonic()

    def __call__(self) -> None:
        """Call it if it is time."""
        began = monotonic()
        if began >= self.next:
            self.function()
            took = monotonic() - began
            self.next = began + max(SAVE_EVERY, 10 * took)
