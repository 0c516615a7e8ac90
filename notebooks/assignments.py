"""Build what a class gets from the lessons, in build/assignments (make assignments).

student/  the lessons without solutions and outputs, and an empty notebook for the project
course/   the same lessons as a course for nbgrader, with solutions, hidden tests and points

With --variant SEED (make assignments VARIANT=17) both have other exercises, whose solutions are not public.
"""

import argparse
import copy
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from vae_edu import streams
from vae_edu.exercises import EXERCISES, LESSONS, NUMBERS, variants
from vae_edu.grading.headings import QUESTION_POINTS

FOLDER = Path(__file__).resolve().parent
BUILD = FOLDER.parent / "build" / "assignments"
ANSWER = "*Your answer to the question:*"

SOLUTION = re.compile(r"^    ### BEGIN SOLUTION\n(.*\S.*)\n    ### END SOLUTION$", re.M | re.S)
MARKER = re.compile(r"(BEGIN|END) SOLUTION")
IN_LESSONS_WITHOUT_SOLUTIONS = {  # a sentence of the lessons, and what replaces it
    "Delete what stands between the two `SOLUTION` lines and write your own.": (
        "Replace the line `raise NotImplementedError(…)` with your own code."
    ),
    "Delete what stands between the two `SOLUTION` lines, write your own,": (
        "Replace the line `raise NotImplementedError(…)` with your own code,"
    ),
}

PROJECT_OPENING = """# My project

*Title, names, date.*

It runs from top to bottom in ten minutes on a laptop, and gives the same numbers twice.
Delete the cells that you do not need."""
PROJECT_IMPORTS = """import torch

from vae_edu.data import load_images

SOURCE, SIZE = "photograph", None  # such as "mnist", None; or the path of your folder, and 28
train = load_images(SOURCE, size=SIZE, gray=True)
held_out = load_images(SOURCE, split="test", size=SIZE, gray=True)
print(f"{len(train.x):,} training images, {len(held_out.x):,} held out, each {tuple(train.x.shape[1:])}")"""

CONFIG = f'''"""Settings that nbgrader reads in this folder. Written by notebooks/assignments.py."""

import os
import sys

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "vae_edu"
c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
c.Execute.timeout = 600  # seconds for a cell, which stops an endless loop
c.OverwriteCells.add_missing_cells = True  # a check that a student deleted
c.ClearSolutions.code_stub = {{"python": 'raise NotImplementedError("it is not written yet")'}}
c.ClearSolutions.text_stub = "{ANSWER}"

# A check that writes to stderr gets no points, so warnings and progress bars are off. Grading must neither
# change what checks.report() says to this user nor import a vae_edu from a student's folder.
os.environ |= {{
    "PYTHONWARNINGS": "ignore",
    "TQDM_DISABLE": "1",
    "VAE_EDU_PROGRESS": "0",
    "PYTHONSAFEPATH": "1",
    "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", ""),  # has alembic
}}
'''


def read(path: Path) -> NotebookNode:
    """Read a lesson.

    Raises:
        ValueError: The file is no valid notebook.
    """
    try:
        lesson = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(lesson)
    except Exception as error:  # nbformat raises many kinds
        raise ValueError(f"{path.name} is no valid notebook: {str(error).splitlines()[0]}") from error
    return lesson


def exercises(name: str, lesson: NotebookNode) -> dict[str, tuple[int, int]]:
    """Find the exercises of a lesson.

    Returns:
        By name, the numbers of the cells with the exercise and with its check.

    Raises:
        ValueError: The lesson does not follow the rules; the message says which.
    """
    found: dict[str, tuple[int, int]] = {}
    code = [i for i, cell in enumerate(lesson.cells) if cell.cell_type == "code"]
    for i, j in zip(code, [*code[1:], None]):
        source, where = lesson.cells[i].source, f"{name}, cell {i + 1}"
        if not source.startswith("# Exercise "):
            if MARKER.search(source):
                raise ValueError(f"{where} has a solution, but does not begin with '# Exercise '.")
            continue
        defined = re.findall(r"^def (\w+)\(", source, re.M)
        if len(defined) != 1 or defined[0] not in EXERCISES:
            raise ValueError(f"{where} must define one function of vae_edu.exercises, not {defined}.")
        if len(SOLUTION.findall(source)) != 1 or len(MARKER.findall(source)) != 2:
            raise ValueError(f"{where} needs one solution between ### BEGIN SOLUTION and ### END SOLUTION.")
        check = f'check("{defined[0]}", {defined[0]})'
        if j is None or lesson.cells[j].source != check:
            raise ValueError(f"{where} must be followed by {check}, in a cell of its own.")
        found[defined[0]] = i, j
    if list(found) != list(LESSONS[name]):
        raise ValueError(f"{name} has the exercises {list(found)}, vae_edu.exercises {list(LESSONS[name])}.")
    if not code or "from vae_edu.checks import check" not in lesson.cells[code[0]].source:
        raise ValueError(f"{name} must import check in its first code cell.")
    if "**A question to take along.**" not in lesson.cells[-1].source:
        raise ValueError(f"{name} must end with a question to take along.")
    return found


def bare(lesson: NotebookNode) -> NotebookNode:
    """A copy without outputs, tags and fingerprint, whose text does not mention the solutions."""
    lesson = copy.deepcopy(lesson)
    kept = ("kernelspec", "language_info")
    variant = {k: v for k, v in lesson.metadata.get("vae_edu", {}).items() if k == "variant"}
    lesson.metadata = {key: value for key, value in lesson.metadata.items() if key in kept}
    if variant:
        lesson.metadata["vae_edu"] = variant
    for cell in lesson.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            for old, new in IN_LESSONS_WITHOUT_SOLUTIONS.items():
                cell.source = cell.source.replace(old, new)
    return lesson


def student_version(lesson: NotebookNode, found: dict[str, tuple[int, int]]) -> NotebookNode:
    """The lesson with an error for each solution, which its check reports, and a cell for the answer."""
    lesson = bare(lesson)
    for name, (i, _) in found.items():
        stub = f'    raise NotImplementedError("exercise {NUMBERS[name]}: {name} is not written yet")'
        lesson.cells[i].source = SOLUTION.sub(stub, lesson.cells[i].source)
    lesson.cells.append(nbformat.v4.new_markdown_cell(ANSWER, id="reflection"))
    return lesson


def course_version(lesson: NotebookNode, found: dict[str, tuple[int, int]]) -> NotebookNode:
    """The lesson for nbgrader: with solutions, hidden tests, and a cell for the answer to the question.

    Students may edit and add cells, except the checks and the first code cell, which imports them.
    """
    lesson = bare(lesson)
    first = next(cell for cell in lesson.cells if cell.cell_type == "code")
    first.metadata = nbgrader_metadata("imports", locked=True)
    for name, (i, j) in found.items():
        exercise, check = lesson.cells[i], lesson.cells[j]
        exercise.metadata = nbgrader_metadata(name, solution=True)
        check.metadata = nbgrader_metadata(
            f"check-{name}", locked=True, grade=True, points=EXERCISES[name].points
        )
        check.source += (
            "\n### BEGIN HIDDEN TESTS\n"
            "from vae_edu import checks\n"
            f"checks.{check.source.removesuffix(')')}, graded=True)\n"
            "### END HIDDEN TESTS"
        )
    for cell in lesson.cells:  # each lesson gets its own folder
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\((\d\d_\w+)\.ipynb\)", r"](../\1/\1.ipynb)", cell.source)
    question = nbgrader_metadata("reflection", solution=True, grade=True, points=QUESTION_POINTS)
    lesson.cells.append(nbformat.v4.new_markdown_cell(ANSWER, id="reflection", metadata=question))
    return lesson


def nbgrader_metadata(
    grade_id: str, *, locked: bool = False, solution: bool = False, grade: bool = False, points: int = 0
) -> dict[str, dict[str, Any]]:
    """The metadata that tells nbgrader what a cell is for."""
    found = {"schema_version": 3, "grade_id": grade_id, "locked": locked, "solution": solution}
    return {"nbgrader": found | {"grade": grade, "task": False} | ({"points": points} if grade else {})}


def project(sheet: str) -> NotebookNode:
    """An empty notebook for the project, with the questions and the rubric of its sheet.

    Raises:
        ValueError: The sheet has no questions or no rubric where they are looked for.
    """
    questions = re.findall(r"^\d\. \*\*(.+?)\*\* (.+)$", sheet, re.M)
    rubric = re.search(r"^## How it is graded\n\n(.+?)(?=\n\n[^|\n]*$|\Z)", sheet, re.M | re.S)
    if not questions or not rubric:
        raise ValueError("PROJECT.md has no numbered questions, or no section 'How it is graded'.")
    markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    cells = [markdown(PROJECT_OPENING, id="opening"), code(PROJECT_IMPORTS, id="imports")]
    for number, (head, text) in enumerate(questions, start=1):
        cells.append(markdown(f"## {number}. {head}\n\n{text}", id=f"question-{number}"))
        cells += [code("", id=f"code-{number}"), markdown("*Your answer:*", id=f"answer-{number}")]
    cells.append(markdown(f"## How it is graded\n\n{rubric[1]}", id="rubric"))
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def varied(lesson: NotebookNode, found: dict[str, tuple[int, int]], variant: int) -> NotebookNode:
    """The lesson with the exercises of a variant, which its metadata and its checks name."""
    lesson = copy.deepcopy(lesson)
    lesson.metadata["vae_edu"] = {"variant": variant}
    for name, (i, j) in found.items():
        lesson.cells[i].source = variants.cell(name, variant, lesson.cells[i].source)
        lesson.cells[j].source = f'check("{name}", {name}, variant={variant})'
    return lesson


def build(folder: Path, target: Path, variant: int | None = None) -> list[str]:
    """Build both versions of the lessons in a folder.

    Args:
        folder: The lessons.
        target: What is built.
        variant: The seed of a variant of the exercises. Default: the exercises of the lessons.

    Returns:
        A line on each lesson: its exercises and points.

    Raises:
        ValueError: A lesson does not follow the rules, or the target holds a course in use. What was
            built before then stays as it is.
    """
    paths = {path.stem: path for path in sorted(folder.glob("[0-9]*.ipynb"))}
    if differing := sorted(paths.keys() ^ LESSONS.keys()):
        raise ValueError(f"only one of {folder} and vae_edu.exercises has {', '.join(differing)}.")
    lessons = {name: read(path) for name, path in paths.items()}
    found = {name: exercises(name, lesson) for name, lesson in lessons.items()}
    text = "\n".join(cell.source for lesson in lessons.values() for cell in lesson.cells)
    if lost := [old for old in IN_LESSONS_WITHOUT_SOLUTIONS if old not in text]:
        raise ValueError(f"no lesson says {lost[0]!r} anymore: see IN_LESSONS_WITHOUT_SOLUTIONS.")
    if variant is not None:
        lessons = {name: varied(lesson, found[name], variant) for name, lesson in lessons.items()}
    course = target / "course"
    names = {path.name for path in course.iterdir() if path.name[0] not in "._"} if course.exists() else set()
    if work := sorted(names - {"nbgrader_config.py", "source"}):
        raise ValueError(f"{course} holds work ({', '.join(work)}): move that folder elsewhere first.")

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".assignments-", dir=target.parent) as temporary:
        new, old = Path(temporary, "new"), Path(temporary, "old")
        for name, lesson in lessons.items():
            write(student_version(lesson, found[name]), new / "student" / f"{name}.ipynb")
            write(course_version(lesson, found[name]), new / "course" / "source" / name / f"{name}.ipynb")
        write(project((FOLDER / "PROJECT.md").read_text(encoding="utf-8")), new / "student" / "project.ipynb")
        (new / "course" / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
        if target.exists():
            target.rename(old)
        new.rename(target)
    return [
        f"{name:27} {len(found[name])} exercises, {sum(EXERCISES[e].points for e in found[name])} points"
        f" + {QUESTION_POINTS} for the question"
        for name in lessons
    ]


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook.

    Raises:
        ValueError: Its text mentions the solutions.
    """
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    if "SOLUTION" in text:
        raise ValueError(f"{path.stem} speaks of SOLUTION lines: see IN_LESSONS_WITHOUT_SOLUTIONS.")
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def main(variant: int | None = None) -> int:
    """Build, and say what was built."""
    try:
        lines = build(FOLDER, BUILD, variant)
    except (ValueError, OSError) as error:
        print(f"Nothing was built: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    print(f"{BUILD}/student: the lessons without solutions, and project.ipynb, an empty project")
    print(f"{BUILD}/course: for nbgrader; copy it to where you teach, and run nbgrader there")
    print("python -m vae_edu gradescope autograder.zip: for Gradescope")
    if variant is not None:
        print(f"These are variant {variant} of the exercises. To mark them:")
        print(f"  python -m vae_edu grade submissions --out grades.csv --variant {variant}")
    return 0


def seed(text: str) -> int:
    """The seed of a variant, from the command line."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"a variant is a whole number such as 17, not {text!r}")
    return int(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--variant", type=seed, metavar="SEED", help="which exercises (default: the lessons' own)"
    )
    with streams.any_encoding():
        sys.exit(main(parser.parse_args().variant))
