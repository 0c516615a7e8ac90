"""What a class gets: lessons without solutions, and a course that nbgrader releases and grades."""

import csv
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest

from vae_edu.__main__ import main
from vae_edu.checks import check
from vae_edu.exercises import EXERCISES, LESSONS, NUMBERS

ROOT = Path(__file__).parent.parent
FASTEST = "07_editing"
SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*?)\n *### END SOLUTION", re.S)
STUB = re.compile(r'^    raise NotImplementedError\(".*is not written yet"\)$', re.M)

spec = importlib.util.spec_from_file_location("assignments", ROOT / "notebooks" / "assignments.py")
assignments = importlib.util.module_from_spec(spec)
spec.loader.exec_module(assignments)

every_lesson = pytest.mark.parametrize("name", LESSONS)


def read(path):
    return nbformat.read(path, as_version=4)


def lesson(name):
    return read(ROOT / "notebooks" / f"{name}.ipynb")


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def exercise_cells(notebook):
    """The cells of the exercises by the name of their function."""
    cells = [cell for cell in notebook.cells if cell.source.startswith("# Exercise ")]
    return {re.search(r"^def (\w+)", cell.source, re.M)[1]: cell for cell in cells}


@cache
def solutions(name):
    return {n: SOLUTION.search(cell.source)[1] for n, cell in exercise_cells(lesson(name)).items()}


def write_in(cell, code):
    """Replace the line that raises with code, as a student does."""
    cell.source, count = STUB.subn(lambda _: code, cell.source)
    assert count == 1


def leaks(notebook, name):
    """Lines of the lesson's solutions that the notebook shows, without `return`; short ones say little."""
    text = re.sub(r"\s", "", "\n".join(cell.source for cell in notebook.cells))
    lines = [
        line.strip().removeprefix("return ") for code in solutions(name).values() for line in code.split("\n")
    ]
    return [line for line in lines if len(line) >= 20 and re.sub(r"\s", "", line) in text]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    target = tmp_path_factory.mktemp("build") / "assignments"
    assignments.build(ROOT / "notebooks", target)
    return target


def test_two_builds_are_the_same_and_keep_nothing_stale(built, tmp_path):
    target = tmp_path / "assignments"
    (target / "student").mkdir(parents=True)
    (target / "student" / "stale.ipynb").write_text("{")
    assignments.build(ROOT / "notebooks", target)
    assert files(target) == files(built)
    assert len(files(target)) == 2 * len(LESSONS) + 2
    assert os.listdir(tmp_path) == ["assignments"]


@every_lesson
def test_a_student_gets_the_lesson_without_solutions_and_outputs(built, name):
    student = read(built / "student" / f"{name}.ipynb")
    nbformat.validate(student)
    assert set(student.metadata) == {"kernelspec", "language_info"}
    assert [cell.id for cell in student.cells] == [*(cell.id for cell in lesson(name).cells), "reflection"]
    assert (student.cells[-1].cell_type, student.cells[-1].source) == ("markdown", assignments.ANSWER)
    for cell in student.cells:
        assert cell.metadata == {}
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert "SOLUTION" not in cell.source
    assert leaks(student, name) == []


@every_lesson
def test_every_exercise_is_unwritten_and_its_solution_fits_in(built, name, monkeypatch):
    student = read(built / "student" / f"{name}.ipynb")
    names, right = {}, solutions(name)
    assert list(right) == list(LESSONS[name])
    exec(next(cell.source for cell in student.cells if cell.cell_type == "code"), names)
    for exercise, cell in exercise_cells(student).items():
        exec(cell.source, names)
        nothing = [None] * len(inspect.signature(names[exercise]).parameters)
        message = f"exercise {NUMBERS[exercise]}: {exercise} is not written yet"
        with pytest.raises(NotImplementedError, match=f"^{re.escape(message)}$"):
            names[exercise](*nothing)
        write_in(cell, right[exercise])
        exec(cell.source, names)
        check(exercise, names[exercise], graded=True)


def test_a_lesson_runs_to_its_end_unwritten(built, tmp_path):
    from nbclient import NotebookClient

    student = read(built / "student" / f"{FASTEST}.ipynb")
    client = NotebookClient(student, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=os.environ | {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"})
    said = [cell.outputs[0].text for cell in student.cells if cell.source.startswith("check(")]
    assert said == [f"{name}: not yet: it is not written yet.\n" for name in LESSONS[FASTEST]]


def test_the_empty_project_asks_what_the_lesson_and_the_sheet_ask(built, tmp_path):
    from nbclient import NotebookClient

    project = read(built / "student" / "project.ipynb")
    nbformat.validate(project)
    asked = [re.match(r"## \d\. (.+)", cell.source) for cell in project.cells]
    heads = [found[1] for found in asked if found]
    sheet = (ROOT / "notebooks" / "PROJECT.md").read_text(encoding="utf-8")
    closing = lesson("10_your_own_images").cells[-1].source
    assert (
        heads
        == re.findall(r"^\d\. \*\*(.+?)\*\*", sheet, re.M)
        == re.findall(r"^\d\. \*\*(.+?)\*\*", closing, re.M)
    )
    assert len(heads) == 8
    assert "| **Sum** | **30** |" in project.cells[-1].source
    assert len(project.cells) < 40
    client = NotebookClient(project, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert "20,000 training images, 4,000 held out" in project.cells[1].outputs[0].text


def test_a_sheet_without_questions_is_refused():
    with pytest.raises(ValueError, match=r"PROJECT\.md has no numbered questions"):
        assignments.project("# The project\n\n## How it is graded\n\n| a |")


def test_it_says_what_was_built_and_what_it_is_worth(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(assignments, "BUILD", tmp_path / "assignments")
    assert assignments.main() == 0
    said = capsys.readouterr().out
    assert re.search(r"^01_autoencoder +5 exercises, 10 points \+ 2 for the question$", said, re.M)
    assert f"{tmp_path}/assignments/student" in said
    assert f"{tmp_path}/assignments/course" in said


def replaced(old, new):
    def change(folder):
        for path in folder.iterdir():
            notebook = read(path)
            for cell in notebook.cells:
                cell.source = cell.source.replace(old, new)
            nbformat.write(notebook, path)

    return change


def without_an_exercise(folder):
    notebook = read(folder / "03_bayes_rule.ipynb")
    notebook.cells = [cell for cell in notebook.cells if "bayes_rule" not in cell.source]
    nbformat.write(notebook, folder / "03_bayes_rule.ipynb")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            replaced("def bayes_rule(", "def bays_rule("),
            r"03_bayes_rule, cell \d+ must define .*\['bays_rule'\]",
        ),
        (replaced("    ### END SOLUTION", ""), r"00_explicit_density, cell 6 needs one solution between"),
        (
            replaced("    ### BEGIN SOLUTION", "    ### BEGIN SOLUTION\n" * 2),
            r"cell 6 needs one solution between",
        ),
        (replaced("# Exercise 1.1", "# 1.1"), r"01_autoencoder, cell \d+ has a solution, but does not begin"),
        (
            replaced('check("cnn_layer", cnn_layer)', "check(cnn_layer)"),
            r'must be followed by check\("cnn_layer", cnn_layer\)',
        ),
        (replaced("from vae_edu.checks import check", ""), "00_explicit_density must import check"),
        (replaced("**A question to take along.**", ""), "00_explicit_density must end with a question"),
        (replaced("Delete what stands", "Remove what stands"), "no lesson says 'Delete what stands"),
        (replaced("**The lecture line.**", "SOLUTION"), "00_explicit_density speaks of SOLUTION"),
        (without_an_exercise, r"03_bayes_rule has the exercises \['posterior_on_grid', "),
        (lambda folder: (folder / "04_elbo.ipynb").unlink(), "only one of .* has 04_elbo"),
        (lambda folder: (folder / "04_elbo.ipynb").write_text("{"), "04_elbo.ipynb is no valid notebook: "),
        (
            lambda folder: (folder / "04_elbo.ipynb").write_text('{"cells": 1}'),
            "04_elbo.ipynb is no valid notebook",
        ),
    ],
)
def test_what_is_wrong_with_a_lesson_is_said_in_one_line(tmp_path, monkeypatch, capsys, spoil, message):
    folder, target = tmp_path / "notebooks", tmp_path / "build" / "assignments"
    folder.mkdir()
    for name in LESSONS:
        short = lesson(name)
        for cell in short.cells:
            cell.get("outputs", []).clear()
        nbformat.write(short, folder / f"{name}.ipynb")
    target.mkdir(parents=True)
    (target / "before").write_text("the build before")
    spoil(folder)
    monkeypatch.setattr(assignments, "FOLDER", folder)
    monkeypatch.setattr(assignments, "BUILD", target)
    assert assignments.main() == 1
    said = capsys.readouterr()
    assert re.search(f"^Nothing was built: .*{message}.*\n$", said.err)
    assert said.out == ""
    assert files(tmp_path / "build") == {"assignments/before": b"the build before"}


def test_a_course_in_which_nbgrader_was_used_is_left_alone(built, tmp_path, monkeypatch, capsys):
    target = shutil.copytree(built, tmp_path / "assignments")
    (target / "course" / ".ipynb_checkpoints").mkdir()
    assignments.build(ROOT / "notebooks", target)
    (target / "course" / "gradebook.db").write_text("a year's work")
    before = files(target)
    with pytest.raises(ValueError, match=r"holds work \(gradebook.db\): move that folder elsewhere first"):
        assignments.build(ROOT / "notebooks", target)
    assert files(target) == before


@pytest.fixture(scope="module")
def classroom(built, tmp_path_factory):
    """A course with all lessons released, and nbgrader in its folder without this user's settings."""
    import matplotlib

    folder = shutil.copytree(built / "course", tmp_path_factory.mktemp("class") / "course")
    home = str(tmp_path_factory.mktemp("home"))
    clean = ["HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"]
    environment = os.environ | dict.fromkeys([*clean, "XDG_CACHE_HOME"], home) | {"OMP_NUM_THREADS": "1"}
    environment["MPLCONFIGDIR"] = matplotlib.get_configdir()  # with its list of fonts
    environment.pop("VAE_EDU_PROGRESS", None)

    def nbgrader(*arguments):
        command = [sys.executable, "-m", "nbgrader", *arguments]
        result = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr[-3000:]
        assert not list(Path(home).rglob("exercises.json")), "what a teacher grades is not his own progress"

    nbgrader("generate_assignment", "--assignment=*")
    return folder, nbgrader


@every_lesson
def test_what_nbgrader_releases_holds_neither_solutions_nor_hidden_tests(classroom, name):
    release = read(classroom[0] / "release" / name / f"{name}.ipynb")
    nbformat.validate(release)
    text = "\n".join(cell.source for cell in release.cells)
    assert not re.search("SOLUTION|HIDDEN|graded", text)
    assert leaks(release, name) == []
    for path in re.findall(r"\]\((\.\./[^)]*)\)", text):
        assert (classroom[0] / "release" / name / path).exists()
    assert len(re.findall(r"\]\(\.\./", text)) == len(re.findall(r"\.ipynb\)", text))
    graded = {
        c.metadata.nbgrader.grade_id: c.metadata.nbgrader for c in release.cells if "nbgrader" in c.metadata
    }
    points = {grade_id: meta.points for grade_id, meta in graded.items() if meta.grade}
    assert points == {f"check-{n}": EXERCISES[n].points for n in LESSONS[name]} | {"reflection": 2}
    assert set(graded) == set(points) | {*LESSONS[name], "imports"}
    for exercise, cell in exercise_cells(release).items():
        assert STUB.search(cell.source), exercise
        assert graded[exercise].solution
        assert graded[f"check-{exercise}"].locked


def test_nbgrader_gives_each_student_what_they_deserve(classroom):
    from nbgrader.api import Gradebook

    folder, nbgrader = classroom
    right = solutions(FASTEST)
    first, second, *_ = right
    wrong, hint = "z.T @ factor / (factor @ factor)", "the means are not subtracted"

    def released():
        notebook = read(folder / "release" / FASTEST / f"{FASTEST}.ipynb")
        return notebook, exercise_cells(notebook)

    def submit(student, notebook):
        (folder / "submitted" / student / FASTEST / "vae_edu").mkdir(parents=True)
        nbformat.write(notebook, folder / "submitted" / student / FASTEST / f"{FASTEST}.ipynb")

    ann, cells = released()  # all right, though it warns, and though the first check is deleted
    for name, cell in cells.items():
        write_in(cell, f"    import warnings; warnings.warn('slow')\n{right[name]}")
    ann.cells = [cell for cell in ann.cells if cell.source != f'check("{first}", {first})']
    ann.cells[-1].source = "Along the direction that age has in the codes."
    submit("ann", ann)

    bob, cells = released()  # one right, one wrong, the others unwritten; all but the exercises deleted
    bob.cells = [cell for cell in bob.cells if "nbgrader" in cell.metadata]
    write_in(cells[first], right[first])
    write_in(cells[second], f"    return {wrong}")
    bob.cells[0].source = ""
    for cell in bob.cells:
        cell.source = cell.source.replace("check(", "print(")
        if cell.metadata.nbgrader.grade:
            cell.metadata.nbgrader.points = 100
    submit("bob", bob)
    (folder / "submitted" / "bob" / FASTEST / "vae_edu" / "__init__.py").write_text("")

    nbgrader("autograde", FASTEST)
    nbgrader("generate_feedback", FASTEST)
    nbgrader("export")

    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        scores, manual = {}, {}
        for student in ("ann", "bob"):
            (notebook,) = book.find_submission(FASTEST, student).notebooks
            scores[student] = {grade.name: grade.auto_score for grade in notebook.grades}
            manual[student] = [grade.name for grade in notebook.grades if grade.needs_manual_grade]
    checks = [f"check-{name}" for name in right]
    assert scores["ann"] == dict.fromkeys(checks, 2) | {"reflection": None}
    assert scores["bob"] == dict.fromkeys(checks, 0) | {f"check-{first}": 2, "reflection": 0}
    assert manual == {"ann": ["reflection"], "bob": []}

    with open(folder / "grades.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["assignment"] == FASTEST]
    exported = {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in rows}
    assert exported == {"ann": (8, 10), "bob": (2, 10)}

    pages = {s: folder / "feedback" / s / FASTEST / f"{FASTEST}.html" for s in ("ann", "bob")}
    assert hint in pages["bob"].read_text()
    assert hint not in pages["ann"].read_text()


def test_the_marks_of_grade_go_into_nbgraders_gradebook(classroom, tmp_path, monkeypatch, capsys):
    from nbgrader.api import Gradebook

    monkeypatch.chdir(tmp_path)
    shutil.copy(classroom[0] / "gradebook.db", "gradebook.db")
    Path("in").mkdir()
    text = (ROOT / "notebooks" / "01_autoencoder.ipynb").read_text(encoding="utf-8")
    Path("in/cleo.ipynb").write_text(text, encoding="utf-8")
    Path("in/dora.ipynb").write_text(text.replace("(x_hat - x).square()", "(x_hat - x)"), encoding="utf-8")
    assert main(["grade", "in", "--out", "grades.csv"]) == 0
    capsys.readouterr()
    assert main(["gradebook", "grades.csv", "gradebook.db"]) == 2
    assert "does not know cleo; dora. Nothing was written. Correct" in capsys.readouterr().err
    assert main(["gradebook", "grades.csv", "gradebook.db", "--add-students"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("10 marks are in gradebook.db.\n", "")
    with Gradebook("sqlite:///gradebook.db") as book:
        found = {name: book.find_submission("01_autoencoder", name) for name in ("cleo", "dora")}
        assert {name: (s.score, s.max_score) for name, s in found.items()} == {
            "cleo": (10, 12),
            "dora": (8, 12),
        }


COLUMNS = [f"{NUMBERS[name]} {name}" for name in LESSONS["01_autoencoder"]]
TABLE = ",".join(["student_id", "01_autoencoder", *COLUMNS]) + "\nanna,10,2,2,2,2,2\n"


@pytest.mark.parametrize(
    ("table", "book", "message"),
    [
        ("student_id,01_autoencoder\nanna,3\n", None, "there is no gradebook"),
        ("name,score\nanna,3\n", "gradebook.db", "has no column student_id"),
        (TABLE, "empty.db", "the gradebook has no assignment 01_autoencoder"),
        ("student_id,01_autoencoder\nanna,3\n", "gradebook.db", "has no column 1.1 l2_loss"),
        (
            "student_id,01_autoencoder,1.1 l2_loss\nanna,3,2\n",
            "gradebook.db",
            "has no column 1.2 linear_sigmoid_encoder",
        ),
    ],
)
def test_a_table_that_is_at_fault_writes_nothing(
    classroom, tmp_path, monkeypatch, capsys, table, book, message
):
    from nbgrader.api import Gradebook

    monkeypatch.chdir(tmp_path)
    Path("grades.csv").write_text(table)
    shutil.copy(classroom[0] / "gradebook.db", "gradebook.db")
    shutil.copy("gradebook.db", "empty.db")
    with Gradebook("sqlite:///empty.db") as other:
        other.remove_assignment("01_autoencoder")
    before = Path("gradebook.db").read_bytes()
    assert main(["gradebook", "grades.csv", str(book)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert Path("gradebook.db").read_bytes() == before
