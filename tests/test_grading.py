"""The grader: every kind of submission gets the mark that it deserves, and touches no other."""

import contextlib
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import vae_edu
from vae_edu.__main__ import main
from vae_edu.engine import files
from vae_edu.exercises import EXERCISES, LESSONS
from vae_edu.exercises.answers import Answer
from vae_edu.exercises.diagnosis import diagnose
from vae_edu.grading import grade as grading
from vae_edu.grading import marks as marking
from vae_edu.grading import memory as remembering
from vae_edu.grading import report, wire
from vae_edu.grading.grade import grade
from vae_edu.grading.marks import Mark, Record, hidden_cases, mark
from vae_edu.grading.memory import Memory
from vae_edu.grading.sandbox import Sandbox
from vae_edu.grading.submission import read

ROOT = Path(__file__).parent.parent
LESSON = "01_autoencoder"
HEAD = "def l2_loss(x_hat, x):\n"
WRONG = HEAD + "    return (x_hat - x).square().flatten(1).mean(1)\n"
RIGHT = HEAD + "    return (x_hat - x).square().flatten(1).sum(1)\n"


def lesson(l2_loss=None, before=(), after=(), replace=()):
    """The lesson's notebook with another cell for l2_loss, and more cells before and after."""
    notebook = json.loads((ROOT / "notebooks" / f"{LESSON}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if l2_loss is not None and "def l2_loss(" in source:
            source = l2_loss
        for old, new in replace:
            source = re.sub(old, new, source)
        cell["source"] = source
    first, last = ([code_cell(source) for source in sources] for sources in (before, after))
    return json.dumps(notebook | {"cells": [*first, *notebook["cells"], *last]})


def body(*lines):
    """The lesson's notebook with these lines in l2_loss."""
    return lesson(HEAD + "".join(f"    {line}\n" for line in lines))


def code_cell(source):
    return {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source}


STUBBORN = (
    HEAD
    + """    while True:
        try:
            while 1: pass
        except: pass
"""
)
OUTPUT = RIGHT.replace("    return", "    print('x' * 25_000_000)\n    return")  # 200 MB in eight cases
UNWRITTEN = [(r"### BEGIN SOLUTION[\s\S]*### END SOLUTION", 'raise NotImplementedError("exercise")')]
ALWAYS = """class Always:
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *a, **k: self
def l2_loss(x_hat, x): return Always()
"""
VISIBLE = """def l2_loss(x_hat, x):
    from vae_edu.exercises.cases import cases
    from vae_edu.exercises import EXERCISES
    exercise = EXERCISES["l2_loss"]
    global found
    found = globals().get("found") or cases(exercise)
    known = [(c.arguments, exercise.reference(**c.arguments)) for c in found]
    return next(value for given, value in known if given["x"].shape == x.shape and (given["x"] == x).all())
"""
PATCH = """def l2_loss(x_hat, x):
    import vae_edu.autoencoder, vae_edu.exercises.answers, vae_edu.grading.wire
    wrong = lambda x_hat, x: (x_hat - x).square().flatten(1).mean(1)
    vae_edu.autoencoder.l2_loss = wrong
    vae_edu.exercises.answers.answer = vae_edu.grading.wire.dumps = lambda *a, **k: "[]"
    return wrong(x_hat, x)
"""
SOURCE = """def l2_loss(x_hat, x):
    import inspect, vae_edu.autoencoder
    scope = {"Tensor": type(x)}
    exec(inspect.getsource(vae_edu.autoencoder.l2_loss), scope)
    return scope["l2_loss"](x_hat, x)
"""
CALL = f"from vae_edu import autoencoder\n{HEAD}    return autoencoder.l2_loss(x_hat, x)"
HELPER = f"""import torch as t
def squared(a): return t.square(a)
{HEAD}    return squared(x_hat - x).sum((1, 2, 3))
"""
WRITE = """def l2_loss(x_hat, x):
    import os, torch
    for path in {paths}:
        write, save = lambda: open(path, "w").write("10"), lambda: torch.save(x, path)
        for attempt in (write, save, lambda: os.remove(path)):
            try:
                attempt()
            except (OSError, RuntimeError):
                pass
    return (x_hat - x).square().flatten(1).mean(1)
"""
FORGE = """def l2_loss(x_hat, x):
    import os
    for fd in range(3, 64):
        try:
            os.write(fd, b'{"answers": [], "used": [], "isolated": true}\\n')
        except OSError:
            pass
    os._exit(0)
"""

SUBMISSIONS = {  # a notebook, the points of l2_loss, its mistake; the other exercises are right, 8 points
    "right": (lesson(), 2, None),
    "wrong": (lesson(WRONG), 0, "it averages over the pixels; L1 sums over them"),
    "crash": (body("return 1 / 0"), 0, "it raised ZeroDivisionError"),
    "crash_outside": (lesson(f"LIMIT = 1 / 0\n{HEAD}    return LIMIT"), 0, "it raised ZeroDivisionError"),
    "syntax_error": (body("return (x_hat - x"), 0, "cannot be read: SyntaxError in line 2"),
    "loop": (body("while True: pass"), 0, "it was stopped after"),
    "stubborn_loop": (lesson(STUBBORN), 0, "it was stopped after"),
    "exit": (body("import os", "os._exit(0)"), 0, "its process ended without an answer"),
    "sys_exit": (body("raise SystemExit(0)"), 0, "it raised SystemExit"),
    "fork_bomb": (body("import os", "while True: os.fork()"), 0, "may not use os.fork"),
    "threads": (
        body(
            "import threading as t, time",
            "for _ in range(9999): t.Thread(target=time.sleep, args=[99]).start()",
        ),
        0,
        "it raised RuntimeError: can't start new thread",
    ),
    "output": (lesson(OUTPUT), 2, None),
    "huge_answer": (body("import torch", "return torch.ones(10**6)"), 0, "of a size that no answer has"),
    "memory_hog": (body("import torch", "return [torch.empty(2**26) for _ in range(999)]"), 0, "memory"),
    "missing_cell": (lesson(""), 0, "there is no such function in the notebook"),
    "duplicated_cells": (lesson(WRONG, after=[RIGHT]), 2, None),
    "duplicated_wrongly": (lesson(after=[WRONG]), 0, "it averages over the pixels"),
    "edited_tests": (lesson(WRONG, replace=[(r"check\(.*\)", "print('correct.')")]), 0, "it averages"),
    "deleted_tests": (lesson(replace=[(r"^check\(.*\)", "")]), 2, None),
    "redefined_check": (lesson(WRONG, before=["def check(*_): print('correct')"]), 0, "it averages"),
    "redefined_allclose": (
        lesson("import torch\ntorch.allclose = torch.equal = lambda *a, **k: True\n" + WRONG),
        0,
        "it averages over the pixels",
    ),
    "always_equal": (lesson(ALWAYS), 0, "it returns an object of the class Always"),
    "import_hook": (
        lesson(
            WRONG, before=["import sys\nsys.meta_path.insert(0, type('Hook', (), {'find_spec': exit})())"]
        ),
        0,
        "it averages over the pixels",
    ),
    "transformer": (
        lesson(
            WRONG,
            before=[
                "get_ipython().input_transformers_cleanup.append(lambda lines: ['pass'])",
                "%load_ext x\n!ls",
            ],
        ),
        0,
        "it averages over the pixels",
    ),
    "magics": (lesson("%matplotlib inline\n" + RIGHT), 2, None),
    "monkeypatch": (lesson(PATCH), 0, "returned something that is no answer"),
    "forged": (lesson(FORGE), 0, "returned something that is no answer"),
    "hard_coded": (lesson(VISIBLE), 0, "it raised StopIteration"),
    "network": (body("import socket", "socket.create_connection(('::1', 22))"), 0, "may not use socket"),
    "shell": (body("import os", "os.system('kill -9 -1')"), 0, "may not use os.system"),
    "killer": (body("import os", "os.kill(-1, 9)"), 0, "may not use os.kill"),
    "c_code": (body("import ctypes", "ctypes.CDLL(None).fork()"), 0, "may not use ctypes"),
    "helper": (lesson(HELPER), 2, None),
    "reads_source": (lesson(SOURCE), 2, None),
    "calls_package": (lesson(CALL), 2, None),
}


def table(folder):
    """The rows of grades.csv by student."""
    with (folder / "grades.csv").open(newline="", encoding="utf-8-sig") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All of them in one run: the records by student, and the folders."""
    folder = tmp_path_factory.mktemp("class")
    submissions = folder / "submitted"
    for name, (text, _, _) in SUBMISSIONS.items():
        (submissions / name / LESSON).mkdir(parents=True)
        (submissions / name / LESSON / f"{LESSON}.ipynb").write_text(text, encoding="utf-8")
    (submissions / "half" / LESSON).mkdir(parents=True)
    half = json.loads(lesson(replace=UNWRITTEN))
    cells = json.loads(lesson(RIGHT))["cells"]
    half["cells"] += [cell for cell in cells if "def l2_loss(" in "".join(cell["source"])]
    (submissions / "half" / LESSON / "my version (2).ipynb").write_text(json.dumps(half))
    for name, text in (("broken_json", lesson()[:5000]), ("not_a_notebook", "[1, 2]"), ("binary", "\0")):
        (submissions / name / LESSON).mkdir(parents=True)
        (submissions / name / LESSON / f"{LESSON}.ipynb").write_text(text)
    targets = [
        folder / "grades.csv",
        folder / "grades.json",
        submissions / "right" / LESSON / f"{LESSON}.ipynb",
    ]
    (submissions / "writes" / LESSON).mkdir(parents=True)
    writes = lesson(WRITE.replace("{paths}", repr([str(path) for path in targets])))
    (submissions / "writes" / LESSON / f"{LESSON}.ipynb").write_text(writes)
    own = submissions / "own_package" / LESSON
    (own / "vae_edu").mkdir(parents=True)
    (own / "vae_edu" / "__init__.py").write_text("raise SystemExit")
    (own / "torch.py").write_text("raise SystemExit")
    (own / f"{LESSON}.ipynb").write_text(lesson(WRONG))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marking, "SECONDS", 4)
        records, isolated = grade(submissions, folder / "grades.csv")
    return {record.student: record for record in records}, folder, isolated


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_every_submission_gets_the_mark_that_it_deserves(graded, name):
    _, points, said = SUBMISSIONS[name]
    marks = graded[0][name].marks
    assert marks["l2_loss"].points == points
    if said is None:
        assert marks["l2_loss"].mistake is None
    else:
        assert said in marks["l2_loss"].mistake
    assert [marks[other].points for other in LESSONS[LESSON]][1:] == [2, 2, 2, 2]


def test_half_of_it_gets_half_of_the_points_whatever_the_file_is_called(graded):
    marks = graded[0]["half"].marks
    assert [mark.points for mark in marks.values()] == [2, 0, 0, 0, 0]
    assert marks["pca_reconstruction"].mistake == "it is not written yet"


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("broken_json", "it was cut off after 5,000 characters"),
        ("not_a_notebook", "it has no cells"),
        ("binary", "the file is empty"),
    ],
)
def test_a_file_that_is_no_notebook_gets_a_note_and_stops_nothing(graded, name, note):
    assert graded[0][name].marks == {}
    assert graded[0][name].note.startswith(note)


def test_nobody_writes_to_the_grades_or_to_others(graded):
    records, folder, _ = graded
    assert records["writes"].marks["l2_loss"].points == 0
    assert (folder / "submitted/right" / LESSON / f"{LESSON}.ipynb").read_text() == lesson()
    rows = table(folder)
    assert rows["right"][LESSON] == "10"
    assert rows["writes"][LESSON] == "8"
    assert json.loads((folder / "grades.json").read_text())["marks"]


def test_a_package_next_to_the_notebook_is_not_the_graders(graded):
    record = graded[0]["own_package"]
    assert "it averages over the pixels" in record.marks["l2_loss"].mistake
    assert record.points == 8


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("calls_package", "it uses vae_edu.autoencoder of the package"),
        ("reads_source", "it uses vae_edu.autoencoder of the package"),
        ("reads_source", "it uses inspect"),
        ("duplicated_cells", "it is defined 2 times, and the last one counts"),
    ],
)
def test_a_teacher_is_told_where_to_look(graded, name, flag):
    assert flag in graded[0][name].marks["l2_loss"].flags
    assert f"1.1: {flag}" in table(graded[1])[name]["flags"]


@pytest.mark.parametrize("name", ["right", "wrong", "helper", "magics", "output"])
def test_honest_work_is_not_flagged(graded, name):
    assert [mark.flags for mark in graded[0][name].marks.values()] == [[]] * 5


def test_the_table_is_one_row_a_student(graded):
    rows = table(graded[1])
    assert list(rows) == sorted(graded[0])
    exercises = ["1.1 l2_loss", "1.2 linear_sigmoid_encoder", "1.3 deep_encoder", "1.4 cnn_layer"]
    assert list(rows["right"])[:7] == ["student_id", LESSON, f"{LESSON} max", *exercises]
    for row in rows.values():
        if row["notes"]:
            continue
        assert float(row[LESSON]) == sum(float(row[name]) for name in row if re.match(r"1\.\d ", name))
        assert row[f"{LESSON} max"] == "10"


def test_every_student_gets_a_page_of_their_own(graded):
    folder = graded[1] / "grades_feedback"
    assert {path.parent.name for path in folder.glob("*/*.html")} == graded[0].keys()
    page = (folder / "wrong" / f"{LESSON}.html").read_text(encoding="utf-8")
    assert "wrong: 8 of 10 points" in page
    assert "It averages over the pixels; L1 sums over them" in page
    assert "flag" not in page
    assert "square()" not in page
    assert "It returns an object of the class Always" in (
        folder / "always_equal" / f"{LESSON}.html"
    ).read_text(encoding="utf-8")


def test_what_is_said_in_a_page_cannot_be_code(tmp_path):
    script = lesson(HEAD + "    raise ValueError('<script>alert(1)</script>')")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "=cmd.ipynb").write_text(script)
    grade(tmp_path / "in", tmp_path / "grades.csv")
    (page,) = (tmp_path / "grades_feedback").glob("*/*.html")
    assert "<script>" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()
    assert "'=cmd,8,10" in (tmp_path / "grades.csv").read_text()


def test_of_several_notebooks_for_a_lesson_the_best_one_counts(tmp_path):
    folder = tmp_path / "in" / "anna" / LESSON
    folder.mkdir(parents=True)
    (folder / f"{LESSON}.ipynb").write_text(lesson(WRONG))
    (folder / "better.ipynb").write_text(lesson())
    (folder / "zzz_scratch.ipynb").write_text(json.dumps({"cells": [code_cell("x = 1")]}))
    (record,), _ = grade(tmp_path / "in", tmp_path / "grades.csv")
    assert Path(record.file).name == "better.ipynb"
    assert table(tmp_path)["anna"][LESSON] == "10"
    assert table(tmp_path)["anna"]["notes"] == (
        "of 3 notebooks for 01_autoencoder, better.ipynb has the most points"
    )
    assert "10 of 10 points" in (tmp_path / "grades_feedback" / "anna" / f"{LESSON}.html").read_text()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
def test_nothing_goes_on_running_after_a_grading(graded):
    children = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                children.append((path.parent / "cmdline").read_text(errors="replace"))
    assert not [command for command in children if "runner.py" in command]


PART = {"dtype": "float32", "shape": [1], "data": "AACAPw=="}
GIVEN = {
    "parts": [PART], "devices": ["cpu"], "problem": None, "gradients": {}, "form": "", "renamed": False,
}  # fmt: skip


def reply(**changes):
    return json.dumps({"answers": [GIVEN | changes]})


def test_a_reply_is_read():
    (given,) = wire.answers(reply(gradients={"x": PART, "y": None}), 1)
    assert given.parts == [1]
    assert (given.gradients["x"], given.gradients["y"]) == (torch.ones(1), None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        "[" * 10**6,
        '{"answers": []}',
        reply()[:-1],
        json.dumps({"answers": [GIVEN], "isolated": False}),
        json.dumps({"answers": [GIVEN], "used": ["1.1: ben helped me"]}),
        json.dumps({"answers": [GIVEN, GIVEN]}),
        json.dumps({"answers": [GIVEN | {"points": 2}]}),
        reply(devices=[7]),
        reply(form=7),
        reply(renamed=1),
        reply(problem=[]),
        reply(problem=0),
        reply(problem=["right", ""]),
        reply(problem=["raised", 7]),
        reply(gradients={"x": 0}),
        reply(gradients={"x": False}),
        reply(gradients={"x": ""}),
        reply(devices=[]),
        reply(problem="x"),
        reply(problem={"a": 1}),
        reply(gradients=[1]),
        reply(gradients={"x": "y"}),
        *(reply(parts=[PART | {"shape": shape}]) for shape in ([2], [10**30], "x", [-1], [True], [1.0], 1)),
        *(reply(parts=[PART | {"dtype": dtype}]) for dtype in ("object", "quint8", [], None)),
        *(reply(parts=[PART | {"data": data}]) for data in ("!", "AAA=", None, 5)),
    ],
)
def test_a_forged_reply_is_no_answer_and_stops_nothing(text):
    with pytest.raises(ValueError, match="its process returned something that is no answer"):
        wire.answers(text, 1)


def test_what_a_process_says_can_be_written_anywhere():
    said = "a\ud800b\n\tc\x1b[31m\u202egnp." + "x" * 5000
    (given,) = wire.answers(reply(problem=["raised", said]), 1)
    text = given.problem[1]
    assert text.startswith("a\\ud800b c\\x1b[31m\\u202egnp.xxx")
    assert len(text.encode()) == wire.MAX_TEXT


@pytest.mark.parametrize(
    "given",
    [
        *(torch.arange(6).reshape(2, 3).to(dtype) for dtype in wire.DTYPES.values()),
        torch.tensor([1 + 2j]).conj(),
        torch.tensor([1 + 2j]).conj().imag,
        torch.ones(3, 1).expand(3, 4),
        torch.ones(0, 3),
        torch.tensor(2.5, dtype=torch.bfloat16),
    ],
)
def test_a_tensor_crosses_the_wire_unchanged(given):
    text = wire.dumps({"answers": [wire.portable(Answer([given], ["cpu"]))]})
    ((part,),) = [answer.parts for answer in wire.answers(text, 1)]
    assert part.dtype == given.dtype
    assert torch.equal(part, given)


@pytest.mark.parametrize(
    "given",
    [
        torch.eye(2).to_sparse(),
        torch.eye(2).to_sparse_csr(),
        torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8),
        torch.ones(1).expand(10**12),
        torch.ones(2, device="meta"),
    ],
)
def test_a_tensor_that_cannot_cross_is_a_problem(given):
    problem = wire.portable(Answer([given], ["cpu"])).problem
    assert problem[0] == "type"
    assert problem[1].startswith("tensor of ")


def test_the_package_is_seen_even_beneath_a_hidden_folder(tmp_path):
    """The table lies in the project's folder, which holds the package and its Python."""
    (tmp_path / "anna.ipynb").write_text(SUBMISSIONS["reads_source"][0])
    with Sandbox([tmp_path, ROOT, Path(sys.prefix).parent]) as sandbox:
        tried = hidden_cases(EXERCISES["l2_loss"], 3)
        given = mark(read(tmp_path / "anna.ipynb"), "l2_loss", tried, sandbox)
    assert (given.mistake, given.points) == (None, 2)


def test_a_second_run_grades_only_what_changed(tmp_path, monkeypatch):
    for name in ("anna", "ben", "cleo"):
        (tmp_path / f"{name}.ipynb").write_text(lesson())
    seen = []
    monkeypatch.setattr(
        grading, "mark", lambda s, name, *rest: seen.append(name) or marking.mark(s, name, *rest)
    )
    grade(tmp_path, tmp_path / "grades.csv")
    assert len(seen) == 15
    first = (tmp_path / "grades.csv").read_text()
    grade(tmp_path, tmp_path / "grades.csv")
    assert len(seen) == 15
    assert (tmp_path / "grades.csv").read_text() == first
    (tmp_path / "ben.ipynb").write_text(lesson(WRONG))
    (tmp_path / "dora.ipynb").write_text(lesson())
    grade(tmp_path, tmp_path / "grades.csv")
    assert len(seen) == 20  # dora has what anna has
    assert {student: row[LESSON] for student, row in table(tmp_path).items()} == {
        "anna": "10",
        "ben": "8",
        "cleo": "10",
        "dora": "10",
    }
    (tmp_path / "grades.json").write_text("{")
    grade(tmp_path, tmp_path / "grades.csv")
    assert len(seen) == 40


def test_the_processes_start_at_once_and_none_if_nothing_is_new(tmp_path, monkeypatch):
    for name in ("anna", "ben"):
        (tmp_path / f"{name}.ipynb").write_text(lesson(before=[f"# {name}"]))
    launch, started, both = Sandbox._launch, [], threading.Barrier(2)

    def together(sandbox):
        started.append(sandbox)
        both.wait(60)
        return launch(sandbox)

    monkeypatch.setattr(grading, "_processors", lambda: 2)
    monkeypatch.setattr(grading, "mark", lambda *_: Mark(2, 2))
    monkeypatch.setattr(grading, "examine", lambda *_: None)
    monkeypatch.setattr(Sandbox, "_launch", together)
    for _ in range(2):
        grade(tmp_path, tmp_path / "grades.csv")
        assert len(started) == 2


def test_an_interrupted_run_keeps_the_marks_that_it_had(tmp_path, monkeypatch):
    for name in ("anna", "ben"):
        (tmp_path / f"{name}.ipynb").write_text(lesson(before=[f"# {name}"]))
    (tmp_path / "cleo.ipynb").write_text(lesson(WRONG))
    marked = []

    def interrupt(submission, name, *_):
        if "mean" in submission.program("l2_loss"):
            raise KeyboardInterrupt
        marked.append(name)
        return Mark(2, 2)

    monkeypatch.setattr(grading, "mark", interrupt)
    monkeypatch.setattr(grading, "_processors", lambda: 1)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            grade(tmp_path, tmp_path / "grades.csv")
        assert len(marked) == 10
        rows = table(tmp_path)
        assert [rows[name].get(LESSON) for name in ("anna", "ben", "cleo")] == ["10", "10", ""]
        assert "not marked yet" in rows["cleo"]["notes"]


def test_the_table_is_written_while_others_are_marked(tmp_path, monkeypatch):
    """So that nothing is lost if the process is killed."""
    for name in ("anna", "ben", "cleo"):
        (tmp_path / f"{name}.ipynb").write_text(lesson(before=[f"# {name}"]))
    seen = []
    write = report.write_table
    monkeypatch.setattr(remembering, "SAVE_EVERY", -1e9)
    monkeypatch.setattr(report, "write_table", lambda *given: write(*given) or seen.append(table(tmp_path)))
    monkeypatch.setattr(grading, "mark", lambda *_: Mark(2, 2))
    monkeypatch.setattr(remembering, "monotonic", iter(range(10**6, 10**9, 10**3)).__next__)
    grade(tmp_path, tmp_path / "grades.csv")
    counts = [sum(bool(row.get(LESSON)) for row in rows.values()) for rows in seen]
    assert counts[-1] == 3
    assert any(0 < count < 3 for count in counts)
    assert all(len(rows) == 3 for rows in seen)


def test_a_fault_of_the_grader_costs_one_mark_and_says_so(tmp_path, monkeypatch):
    (tmp_path / "ben.ipynb").write_text(lesson(WRONG))
    (tmp_path / "anna.ipynb").write_text(lesson())

    def broken(exercise, cases, answers):
        if exercise is EXERCISES["l2_loss"] and answers[0].parts[0].max() < 1:  # the mean, not the sum
            raise ZeroDivisionError
        return diagnose(exercise, cases, answers)

    monkeypatch.setattr(marking, "diagnose", broken)
    grade(tmp_path, tmp_path / "grades.csv")
    rows = table(tmp_path)
    assert [rows[name][LESSON] for name in ("anna", "ben")] == ["10", "8"]
    assert "1.1 l2_loss: it could not be marked (ZeroDivisionError in the grader)" in rows["ben"]["notes"]
    monkeypatch.undo()  # what is not final is not remembered
    grade(tmp_path, tmp_path / "grades.csv")
    assert "could not be marked" not in table(tmp_path)["ben"]["notes"]


def test_an_exercise_whose_process_has_ended_is_tried_again(tmp_path):
    (tmp_path / "anna.ipynb").write_text(lesson())
    tried = hidden_cases(EXERCISES["l2_loss"], 3)
    asked = []

    class Unlucky(Sandbox):
        def reply(self, request):
            asked.append(request)
            return {"ended": "crash", "text": ""} if len(asked) == 1 else super().reply(request)

    with Unlucky([tmp_path]) as sandbox:
        known = {}
        given = mark(read(tmp_path / "anna.ipynb"), "l2_loss", tried, sandbox, known)
        assert (given.points, given.final, len(asked)) == (2, True, 2)
        assert mark(read(tmp_path / "anna.ipynb"), "l2_loss", tried, sandbox, known) == given
    assert len(asked) == 2  # the same program is not run again


def test_a_page_that_cannot_be_written_costs_nobody_elses(tmp_path):
    pages = tmp_path / "grades_feedback"
    pages.mkdir()
    (pages / "ben").write_text("")
    records = [Record(name, LESSON, f"{name}.ipynb", folder=name) for name in ("anna", "ben", "zoe")]
    said = []
    report.write_pages(records, tmp_path / "grades.csv", "plain", said.append)
    assert {path.parent.name for path in pages.glob("*/*.html")} == {"anna", "zoe"}
    assert "the page of ben could not be written" in said[0]


def test_a_teachers_corrections_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "mark", lambda *_: Mark(2, 2))
    (tmp_path / "anna.ipynb").write_text(lesson())
    out = tmp_path / "grades.csv"
    said = []
    for _ in range(2):
        grade(tmp_path, out, say=said.append)
        assert not list(tmp_path.glob("*before*"))
    changed = out.read_text(encoding="utf-8").replace("anna", "anne")
    out.write_text(changed, encoding="utf-8")
    grade(tmp_path, out, say=said.append)
    (backup,) = tmp_path.glob("*before*")
    assert backup.read_text(encoding="utf-8") == changed
    assert any(backup.name in line for line in said)


def test_a_saved_notebook_is_checked_without_a_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("my.ipynb").write_text(lesson(WRONG))
    for fork in (True, False):
        if not fork:  # as on Windows
            monkeypatch.delattr("os.fork")
        assert main(["grade", "my.ipynb"]) == 0
        said = capsys.readouterr().out
        assert "my.ipynb, 01_autoencoder: 8 of 10 points." in said
        assert "1.1 l2_loss: 0 of 2, it averages over the pixels" in said
        assert "1.4 cnn_layer: 2 of 2, correct." in said
        assert "other numbers" in said
        assert "flag" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["my.ipynb"]


def test_the_memory_is_written_if_there_is_something_new(tmp_path, monkeypatch):
    writes = []
    whole_file = files.whole_file
    monkeypatch.setattr(remembering, "whole_file", lambda path: writes.append(path) or whole_file(path))
    marks = {"l2_loss": Mark(2, 2)}
    records = [Record(f"student {i}", LESSON, f"{i}.ipynb", str(i), "", marks) for i in range(50)]
    memory = Memory(tmp_path / "grades.json", 3)
    for record in records:
        memory.keep(record)
    assert not writes
    memory.save()
    memory.save()
    assert len(writes) == 1
    again = Memory(tmp_path / "grades.json", None)
    assert again.seed == 3
    assert [again.known(replace(record, marks={})) for record in records] == [marks] * 50
    assert again.known(replace(records[0], digest="x")) is None
    again.keep(replace(records[0], digest="y", marks={"l2_loss": Mark(0, 2, final=False)}))
    assert again.known(replace(records[0], digest="y")) is None


@pytest.mark.parametrize(
    "marks",
    [[], {"a": []}, {"a": {"student": "anna"}}, {"a": {"l2_loss": {"score": 3}}}, {"a": {"l2_loss": [3]}}],
)
def test_a_memory_of_another_shape_is_graded_again(tmp_path, marks):
    version = Memory(tmp_path / "none.json", 0).version
    content = {"seed": 3, "version": version, "marks": marks}
    (tmp_path / "grades.json").write_text(json.dumps(content))
    memory = Memory(tmp_path / "grades.json", None)
    assert memory.seed == 3
    assert not any(memory.marks.values())


def test_several_lessons_share_the_row_of_a_student(tmp_path):
    for name in (LESSON, "04_elbo"):
        (tmp_path / "in" / "anna" / name).mkdir(parents=True)
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", tmp_path / "in" / "anna" / name)
    records, _ = grade(tmp_path / "in", tmp_path / "grades.csv")
    assert {record.lesson for record in records} == {LESSON, "04_elbo"}
    (row,) = table(tmp_path).values()
    assert (row[LESSON], row["04_elbo"]) == ("10", "8")
    assert len(list((tmp_path / "grades_feedback" / "anna").iterdir())) == 2


@pytest.mark.parametrize("name", LESSONS)
def test_the_committed_lessons_get_all_points_and_no_flag(tmp_path, name):
    shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", tmp_path / "teacher.ipynb")
    (record,), _ = grade(tmp_path, tmp_path / "grades.csv")
    assert record.lesson == name
    assert {key: mark.mistake for key, mark in record.marks.items()} == dict.fromkeys(LESSONS[name])
    assert not any(mark.flags for mark in record.marks.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--out", "grades.csv"], "there is no nowhere"),
        ([".", "--out", "grades.csv"], "there is no notebook in"),
        ([".", "--out", "grades.txt"], "must end in .csv"),
        ([".", "--out", "missing/grades.csv"], "there is no folder missing"),
        ([".", "--out", "grades.csv", "--lesson", "9"], "the lessons are 00_explicit_density"),
    ],
)
def test_bad_input_gets_one_sentence(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(["grade", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_it_did(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "anna.ipynb").write_text(SUBMISSIONS["calls_package"][0])
    (tmp_path / "in" / "ben.ipynb").write_text("{")
    assert main(["grade", "in", "--out", "grades.csv"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 notebook of 2 students (layout: flat).\n")
    assert "The marks are in grades.csv, and the pages for the students in grades_feedback/." in said
    assert "ben: it was cut off after 1 character" in said
    assert "Look at 1 of them before you give the marks" in said


def test_a_program_in_the_current_folder_is_not_imported(tmp_path):
    for name in ("IPython", "argparse", "csv", "numpy", "secrets", "torch", "yaml"):
        (tmp_path / f"{name}.py").write_text(f"open('{name}.taken', 'w')\nraise ImportError('not mine')")
    command = [sys.executable, "-m", "vae_edu", "grade", ".", "--out", "grades.csv"]
    place = {"PYTHONPATH": str(Path(vae_edu.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | place)
    assert "there is no notebook in" in done.stderr
    assert not list(tmp_path.glob("*.taken"))
