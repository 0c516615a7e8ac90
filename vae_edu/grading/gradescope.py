"""An autograder for Gradescope: the .zip that a teacher uploads, and what runs in its container.

https://gradescope-autograders.readthedocs.io describes the container and its files.
"""

import json
import secrets
import sys
import tempfile
import zipfile
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vae_edu.engine.files import whole_file
from vae_edu.exercises import EXERCISES, LESSONS
from vae_edu.grading.headings import column
from vae_edu.grading.marks import Record, hidden_cases, mark
from vae_edu.grading.pages import title
from vae_edu.grading.sandbox import Sandbox
from vae_edu.grading.submission import Submission, Unreadable, lesson_of, read

PACKAGE = Path(__file__).resolve().parents[1]
NEEDED = ["torch", "numpy", "matplotlib", "pillow", "tqdm", "ipython", "nbformat"]
MOST_UNPACKED = 100 * 2**20  # bytes of a student's .zip
SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the container.
set -e
cd "${AUTOGRADER_ROOT:-/autograder}"
apt-get update
for python in python3.13 python3.12 python3.11; do
  apt-get install -y $python $python-venv && break
done
$python -m venv venv
pip="venv/bin/pip install --no-cache-dir"
torch=$(grep '^torch==' source/requirements.txt)
$pip "$torch" --index-url https://download.pytorch.org/whl/cpu || $pip "$torch"
$pip -r source/requirements.txt
"""
RUN = """#!/usr/bin/env bash
# Gradescope runs this for every submission.
root="${AUTOGRADER_ROOT:-/autograder}"
cd "$root/source" && exec "$root/venv/bin/python" -m vae_edu.grading.gradescope "$root"
"""


def write(out: Path, lesson: str | None = None) -> None:
    """Write the autograder.

    Args:
        out: The .zip file.
        lesson: The lesson that all notebooks answer. Default: as each notebook says.

    Raises:
        ValueError: There is no such lesson, or the name does not end in .zip.
    """
    if lesson not in (None, *LESSONS):
        raise ValueError(f"there is no lesson {lesson}: the lessons are {', '.join(LESSONS)}.")
    if out.suffix != ".zip":
        raise ValueError(f"{out} must end in .zip.")
    files = {
        "setup.sh": SETUP,
        "run_autograder": RUN,
        "requirements.txt": "".join(f"{line}\n" for line in _requirements()),
        "lesson.json": json.dumps(lesson) + "\n",
    }
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in (".py", ".json", ".typed"):
            files[path.relative_to(PACKAGE.parent).as_posix()] = path.read_text(encoding="utf-8")
    with whole_file(out) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)  # of 1980, so that the same files make the same bytes
            entry.external_attr = (0o100755 if content.startswith("#!") else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def _requirements() -> list[str]:
    """The packages at the versions of this environment, without the name of a build such as +cpu."""
    found = []
    for name in NEEDED:
        try:
            found.append(f"{name}=={version(name).split('+')[0]}")
        except PackageNotFoundError:
            continue
    return found


def run(root: Path) -> None:
    """In the container: mark root/submission, and write root/results/results.json, whatever happens."""
    try:
        results = results_of(root / "submission", json.loads((root / "source" / "lesson.json").read_text()))
    except Exception as error:
        print(
            f"The grader itself is at fault: {type(error).__name__}: {error}"
        )  # only the instructors see it
        said = "The grader itself is at fault, not your notebook: tell your instructors."
        results = {"score": 0, "output": said, "stdout_visibility": "hidden"}
    target = root / "results" / "results.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as part:
        part.write_text(json.dumps(results), encoding="utf-8")


def results_of(folder: Path, lesson: str | None) -> dict[str, Any]:
    """Mark what one student has handed in.

    Args:
        folder: The files, in any folders, under any names; those in .zip files count, too.
        lesson: The lesson that all notebooks answer; None if each notebook says so.

    Returns:
        The content of Gradescope's results.json.
    """
    with tempfile.TemporaryDirectory() as unpacked:
        notes = [note for path in sorted(folder.rglob("*.zip")) if (note := _unpack(path, Path(unpacked)))]
        found = [path for place in (folder, Path(unpacked)) for path in sorted(place.rglob("*"))]
        records: dict[str, Record] = {}
        with Sandbox([folder], unconfined=True) as sandbox:
            for path in (path for path in found if path.suffix.lower() in (".ipynb", ".py")):
                if not path.is_file() or path.is_symlink() or any(p.startswith(".") for p in path.parts[-2:]):
                    continue
                try:
                    submission = read(path)
                except Unreadable as error:
                    notes.append(f"{path.name}: {error}.")
                    continue
                if name := lesson or lesson_of(submission):
                    record = _marked(submission, name, path, sandbox)
                    if name in records:
                        notes.append(f"There are several files for {name}; the best one counts.")
                    records[name] = max(records.get(name, record), record, key=lambda r: r.points)
                else:
                    notes.append(f"{path.name}: there is no exercise of the course in it.")
    if not records:
        notes.append("No notebook (.ipynb) with exercises of the course was handed in.")
    return _results([records[name] for name in sorted(records)], notes)


def _unpack(path: Path, target: Path) -> str | None:
    """Unpack the notebooks of a .zip file; a sentence says why that is not possible."""
    try:
        with zipfile.ZipFile(path) as archive:
            wanted = [e for e in archive.infolist() if Path(e.filename).suffix.lower() in (".ipynb", ".py")]
            if sum(entry.file_size for entry in wanted) > MOST_UNPACKED:
                return f"{path.name} is too large: hand in the notebook alone."
            for number, entry in enumerate(wanted):
                if not Path(entry.filename).name.startswith("."):  # such as those in __MACOSX
                    folder = target / f"{path.stem}-{number}"
                    folder.mkdir()
                    (folder / Path(entry.filename).name).write_bytes(archive.read(entry))
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        return f"{path.name} cannot be unpacked ({error}): hand in the notebook alone."
    return None


def _marked(submission: Submission, lesson: str, path: Path, sandbox: Sandbox) -> Record:
    record = Record("", lesson, str(path), answer=getattr(submission, "answer", ""))
    seed = secrets.randbelow(2**31)
    tried = {name: hidden_cases(EXERCISES[name], seed) for name in LESSONS[lesson]}
    return replace(record, marks={name: mark(submission, name, tried[name], sandbox) for name in tried})


def _results(records: list[Record], notes: list[str]) -> dict[str, Any]:
    tests: list[dict[str, Any]] = []
    flags = []
    for record in records:
        for name, given in record.marks.items():
            said = given.mistake or ("correct" + (f"; {given.remark}" if given.remark else ""))
            status = "failed" if given.mistake else "passed"
            tests.append(_test(column(name), f"{said}.") | {"status": status})
            tests[-1] |= {"score": given.points, "max_score": given.of}
            flags += [f"{column(name)}: {flag}." for flag in given.flags]
        if record.answer.strip():
            tests.append(_test(f"Your answer to the question of lesson {record.lesson[:2]}", record.answer))
    if flags:
        tests.append(_test("Flags, for instructors only", "\n".join(flags)) | {"visibility": "hidden"})
    points = [f"{title(r.lesson)}: {r.points} of {r.most} points without the question." for r in records]
    return {
        "score": sum(record.points for record in records),
        "output": _plain("\n".join([*points, *notes])),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def _test(name: str, output: str) -> dict[str, Any]:
    return {"name": name, "output": _plain(output), "output_format": "text", "visibility": "visible"}


def _plain(said: str) -> str:
    """Text that every database takes: no nulls, no halves of a character, no end."""
    return said[:10_000].replace("\0", "\\0").encode(errors="backslashreplace").decode()


if __name__ == "__main__":
    run(Path(sys.argv[1]))
