"""Reading a file as a student saved it: any format, encoding and size, and what is said of the rest."""

import contextlib
import json
import os
import socket
import time
import zipfile
from pathlib import Path

import nbformat
import pytest

from vae_edu.exercises import LESSONS
from vae_edu.grading import submission as reading
from vae_edu.grading.find import find
from vae_edu.grading.limited import WAIT, OverLimit, limited
from vae_edu.grading.submission import Unreadable, lesson_of, read

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"

RIGHT = "def l2_loss(x_hat, x):\n    return (x_hat - x).square().flatten(1).sum(1)\n"


def cells(*sources, **more):
    return {"cells": [{"cell_type": "code", "source": source} for source in sources], **more}


def notebook(folder, *sources):
    (folder / "a.ipynb").write_text(json.dumps(cells(*sources)), encoding="utf-8")
    return read(folder / "a.ipynb")


def test_only_what_an_exercise_needs_is_run(tmp_path):
    submission = notebook(
        tmp_path,
        "import math, torch\nfrom vae_edu import plots",
        "z = train_for_an_hour()\nx = z + 1",
        "SIZES = {}\nSIZES['a'] = 2\nSIZES.update(b=3)\nHALF = math.log(2)",
        "def helper(x):\n    z = x * HALF\n    return z ** SIZES['a']",
        "def l2_loss(x_hat, x):\n    return helper(x_hat - x).sum(1)",
        "print(l2_loss(x, z))",
    )
    program = [line.strip() for line in submission.program("l2_loss").splitlines()]
    tried = ["try:", "SIZES['a'] = 2", "except Exception:", "pass"]
    assert program[:6] == ["import math", "SIZES = {}", *tried]
    assert "SIZES.update(b=3)" in program
    assert "HALF = math.log(2)" in program
    assert len(program) == 16


def test_an_exercise_needs_nothing_of_what_the_lesson_trains():
    for path in sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9]*.ipynb")):
        submission = read(path)
        for name in LESSONS[path.stem]:
            program = submission.program(name)
            assert f"def {name}(" in program
            assert "vae_edu" not in program
            assert "for " not in program.split("def ")[0]


@pytest.mark.parametrize(
    "source",
    [
        "import math as m\ndef f(x): return m.pi * x",
        "a = b = 3\ndef f(x): return (lambda y: a * y)(x)",
        "for k in range(3):\n    total = k\ndef f(x): return total * x",
        "def g(x):\n    return x if x < 1 else f(x - 1)\ndef f(x): return g(x)",
        "class C:\n    scale = 2\ndef f(x): return C.scale * x",
        "def wrap(function): return function\n@wrap\ndef f(x): return x",
        "n = 1\nn += 2\ndef f(x, k=n): return x * k",
        "try:\n    import nothing as q\nexcept ImportError:\n    import math as q\ndef f(x): return q.pi * x",
        "f = lambda x: [x for _ in range(2)][0]",
        "from math import pi, tau\ndef f(x): return [pi * i for i in range(3)][2] * x",
        "n = 1\ndef f(x): return n * x\nn = 2\nf(0)\nn = n + 1",
        "n = 1\ndef g(): return n\nm = g()\nn = 2\ndef f(x): return (n, m, x)",
        "import os.path\nimport os\ndef f(x): return os.path.join('a', str(x))",
        "L = [3, 1]\nM = L\nL.sort()\nM = sorted(M)\ndef f(x): return L + M",
        "with open('/dev/null') as file:\n    n = 3\ndef f(x): return n",
        "(n := 3)\ndef f(x): return n",
        "def f(x):\n    n = 2\n    def g():\n        nonlocal n\n        n += 1\n        return n\n"
        "    return g() * x",
    ],
)
def test_the_program_does_what_the_notebook_does(tmp_path, source):
    whole, part = {}, {}
    exec(source, whole)
    exec(notebook(tmp_path, source, "x = 0").program("f"), part)
    assert part["f"](2) == whole["f"](2)


def test_the_lesson_is_known_by_its_exercises(tmp_path):
    assert lesson_of(notebook(tmp_path, "def bayes_rule(a): pass", "def l2_loss(")) in (
        "01_autoencoder",
        "03_bayes_rule",
    )
    assert (
        lesson_of(notebook(tmp_path, "def nearest(a): pass\ndef total_correlation(c): pass"))
        == "06_generation"
    )
    assert lesson_of(notebook(tmp_path, "x = 1")) is None


NOTEBOOK = json.dumps(cells("# Übung\n" + RIGHT), ensure_ascii=False)
OUTPUT = {"output_type": "stream", "name": "stdout", "text": "x" * 60_000_000}
PERCENT = "# ---\n# jupyter:\n# ---\n\n# %% [markdown]\n# Text\n\n# %%\n# %matplotlib inline\n"
PERCENT += f"{RIGHT}\n# %%\nx = (\n"
EXPORT = "#!/usr/bin/env python\n# coding: utf-8\n\n# In[1]:\n\n\nget_ipython().system('ls')\n"
EXPORT += f"{RIGHT}\n# In[ ]:\n\n1/"


def old(version):
    lesson = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(RIGHT)])
    return nbformat.writes(nbformat.convert(lesson, version), version=version)


FILES = {  # a file's name, and what is in it
    "UTF-8 with BOM": ("a.ipynb", NOTEBOOK.encode("utf-8-sig")),
    "UTF-16 with BOM": ("a.ipynb", NOTEBOOK.encode("utf-16")),
    "UTF-16 without BOM": ("a.ipynb", NOTEBOOK.encode("utf-16-be")),
    "UTF-32": ("a.ipynb", NOTEBOOK.encode("utf-32")),
    "Latin-1": ("a.ipynb", NOTEBOOK.encode("latin-1")),
    "format 3": ("a.ipynb", old(3)),
    "format 2": ("a.ipynb", old(2)),
    "capital letters": ("A.IPYNB", NOTEBOOK),
    "as text": ("a.ipynb.txt", NOTEBOOK),
    "a control character": ("a.ipynb", NOTEBOOK.replace("Übung", "\t")),
    "cells of other kinds": ("a.ipynb", json.dumps({"cells": [3, None, {}, *cells(RIGHT)["cells"]]})),
    "lists of lines": ("a.ipynb", json.dumps(cells(RIGHT.splitlines(keepends=True), [1]))),
    "no kind": ("a.ipynb", json.dumps({"cells": [{"outputs": [], "source": RIGHT}]})),
    "wrong metadata": ("a.ipynb", json.dumps(cells(RIGHT, metadata=[1], worksheets=3))),
    "from Jupyter's server": ("a.ipynb", json.dumps({"name": "a", "content": cells(RIGHT)})),
    "60 MB of outputs": (
        "a.ipynb",
        json.dumps({"cells": [{"cell_type": "code", "source": RIGHT, "outputs": [OUTPUT]}]}),
    ),
    "a cell of a megabyte": ("a.ipynb", json.dumps(cells("x = " + "1 + " * 250_000 + "1", RIGHT))),
    "jupytext": ("a.py", PERCENT),
    "nbconvert": ("a.py", EXPORT),
    "a script": ("a.py", f"import torch\n{RIGHT}"),
    "a script in UTF-16": ("a.py", f"import torch\n{RIGHT}".encode("utf-16")),
    "a script called a notebook": ("a.ipynb", RIGHT),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_any_format_is_read(tmp_path, kind):
    name, content = FILES[kind]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    found = read(tmp_path / name)
    scope = {}
    exec(found.program("l2_loss"), scope)
    assert "l2_loss" in scope
    assert not found.broken
    assert any("script" in note for note in found.notes) == ("script" in kind or name == "a.py")


def packed(path, *names):
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, NOTEBOOK)
    return path


@pytest.mark.parametrize("name", ["a.zip", "a.ipynb"])
def test_a_zip_file_of_one_notebook_is_read(tmp_path, name):
    path = packed(
        tmp_path / name, "work/a.ipynb", "__MACOSX/work/._a.ipynb", "work/.ipynb_checkpoints/a.ipynb"
    )
    assert read(path).times_defined("l2_loss") == 1


OTHERS = {
    "nothing": (b"", "the file is empty"),
    "spaces": (b" \n\n", "the file is empty"),
    "zeros": (bytes(1000), "the file is empty"),
    "cut off": (NOTEBOOK[:60], "it was cut off after 60 characters"),
    "cut off between cells": (NOTEBOOK[:-2], "it was cut off after"),
    "a comma too much": ('{"cells": [],}', "line 1 is no JSON"),
    "no notebook": ("{}", "it has no cells"),
    "a list": ("[1, 2]", "it has no cells"),
    "cells that are none": ('{"cells": 3}', "it has no cells"),
    "numbers for cells": ('{"cells": [3]}', "it has no cells"),
    "brackets": ("[" * 10**5, "it is nested too deeply"),
    "a merge": ('{\n<<<<<<< HEAD\n "cells": []\n=======\n>>>>>>> x\n}', "line 2 begins with <<<<<<<"),
    "Git LFS": ("version https://git-lfs.github.com/spec/v1\noid sha256:0", "it is a pointer of Git LFS"),
    "a login page": ("\n<!DOCTYPE html>\n<html><body>Please log in", "it is a web page"),
    "an export": ("<html>\n<head></head>", "it is a web page"),
    "a PDF": (b"%PDF-1.7\n", "it is a PDF"),
    "a picture": (b"\x89PNG\r\n", "it is a picture"),
    "gzip": (b"\x1f\x8b\x08", "it is a compressed file"),
    "RTF": (r"{\rtf1\ansi}", "it is a text document"),
    "an essay": ("I did not do it.", "it is neither a notebook nor a Python script"),
    "a broken zip": (b"PK\x03\x04abc", "it is a zip file that cannot be opened"),
    "noise": (bytes(range(128, 256)) * 99, "it is neither"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_notebook_is_named(tmp_path, kind):
    content, said = OTHERS[kind]
    (tmp_path / "a.ipynb").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(Unreadable) as error:
        read(tmp_path / "a.ipynb")
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_several_notebooks_in_a_zip_file_are_for_a_person(tmp_path):
    with pytest.raises(Unreadable, match="a zip file without a notebook, or with several"):
        read(packed(tmp_path / "a.zip", "a.ipynb", "b.ipynb"))


def test_only_files_are_opened(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")
    with socket.socket(socket.AF_UNIX) as given:
        given.bind(str(tmp_path / "socket"))
    for name, what in (
        ("folder", "a folder"),
        ("fifo", "a device"),
        ("link", "a link"),
        ("socket", "a device"),
    ):
        with pytest.raises(Unreadable, match=f"it is {what}, not a file"):
            read(tmp_path / name)
    with pytest.raises(Unreadable, match="it cannot be opened: No such file"):
        read(tmp_path / "nothing")


def test_a_file_of_any_size_costs_little(tmp_path):
    with (tmp_path / "a.ipynb").open("wb") as file:
        file.truncate(10**11)
    with pytest.raises(
        Unreadable, match="it has 100,000 MB, and 500 MB are read: clear the notebook's outputs"
    ):
        read(tmp_path / "a.ipynb")


HOSTILE = {
    "statements": ["x.y = 1\n" * 6 * 10**6],
    "many cells of statements": ["x.y = 1\n" * 10] * 2500,
    "a chain": ["; ".join(f"a{i}=a{i + 1}" for i in range(15_000)) + "\ndef l2_loss(x): return a0"],
    "a chain of functions": [
        "\n".join(f"def f{i}(): f{i + 1}()\nf{i}()" for i in range(3_000)) + "\ndef l2_loss(x): return f0()"
    ],
    "brackets": ["(" * 50_000],
    "minus signs": ["-" * 50_000 + "1"],
    "attributes": ["x" + ".a" * 50_000],
    "a sum": ["+".join("1" * 50_000)],
    "digits": ["x = " + "9" * 150_000],
    "a power": ["x = 9**9**9**9"],
    "blocks": ["\n".join(" " * i + "if 1:" for i in range(90))],
    "magics": ["%time\n" * 20_000],
    "half a thousand magics": ["%time x\n" * 490 + "x = 1\n" * 20_000],
    "help": ["a" * 100_000 + " ?\n"],
    "nested magics": ["%%time\n" * 2_000],
    "lambdas": ["lambda: " * 20_000 + "1"],
    "functions": ["def f(x, y=[i for i in range(3)]): return (lambda: x)\n" * 3_000],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_that_is_handed_in_takes_long(tmp_path, kind):
    (tmp_path / "a.ipynb").write_text(json.dumps(cells(*HOSTILE[kind])))
    start = os.times()
    with contextlib.suppress(Unreadable):
        read(tmp_path / "a.ipynb").program("l2_loss")
    end = os.times()
    used = end.user + end.system + end.children_user + end.children_system
    used -= start.user + start.system + start.children_user + start.children_system
    assert used < reading.SECONDS + 2
    assert notebook(tmp_path, RIGHT).times_defined("l2_loss") == 1  # and the next one is read


def test_a_process_that_crashes_or_hangs_or_eats_memory_is_ended():
    for function in (lambda: os.abort(), lambda: bytes(2**33), lambda: 1 / 0):
        with pytest.raises(OverLimit):
            limited(function, seconds=2, memory=2**30)
    start = time.monotonic()
    with pytest.raises(OverLimit):
        limited(lambda: sum(0 for _ in iter(int, 1)), seconds=1, memory=2**30)
    assert time.monotonic() < start + WAIT / 2  # the limit of processor time, not the one on the clock
    assert limited(len, "abc", seconds=1, memory=2**30) == 3


@pytest.mark.parametrize("fault", [os.abort, lambda: 1 / 0, lambda: sum(0 for _ in iter(int, 1))])
def test_a_file_that_cannot_be_read_costs_no_other(tmp_path, monkeypatch, fault):
    load = reading.notebook.load
    monkeypatch.setattr(reading, "SECONDS", 1)
    monkeypatch.setattr(reading.notebook, "load", lambda path: fault() if path.stem == "b" else load(path))
    for name in "abc":
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(cells(RIGHT, f"x = '{name}'")))
    finding = find([tmp_path], tmp_path / "room")
    assert [one.submission and one.submission.times_defined("l2_loss") for one in finding.found] == [
        1,
        None,
        1,
    ]


MARKER = "*Your answer to the question:*"


@pytest.mark.parametrize(
    ("last", "answer"),
    [
        ([{"source": "Because.", "id": "reflection"}], "Because."),
        ([{"source": f"{MARKER}\n\nBecause.", "id": "x"}], "Because."),
        ([{"source": "Because.", "metadata": {"nbgrader": {"grade_id": "reflection"}}}], "Because."),
        ([{"source": MARKER, "id": "reflection"}, {"source": "Because."}], "Because."),
        ([{"source": "Because.", "id": "reflection", "cell_type": "code"}], "Because."),
        ([{"source": MARKER, "id": "reflection"}], ""),
        ([{"source": "**A question to take along.** Why?"}, {"source": "Because."}], "Because."),
        ([{"source": "**A question to take along.** Why?"}, {"source": f"{MARKER} Because."}], "Because."),
        ([{"source": "**A question to take along.** Why?"}], ""),
        ([{"source": "Text", "metadata": 3}], ""),
        ([{"source": "A \ud800", "id": "reflection"}], "A ?"),
        ([{"source": "x" * 20_000, "id": "reflection"}], "x" * 10_000),
    ],
)
def test_the_answer_to_the_question(tmp_path, last, answer):
    content = cells(RIGHT)
    content["cells"] += [{"cell_type": "markdown"} | cell for cell in last]
    (tmp_path / "a.ipynb").write_text(json.dumps(content))
    assert read(tmp_path / "a.ipynb").answer == answer


def test_a_language_that_is_not_python_is_noted(tmp_path):
    (tmp_path / "a.ipynb").write_text(json.dumps(cells("x", metadata={"language_info": {"name": "julia"}})))
    assert read(tmp_path / "a.ipynb").notes == ["its language is not Python"]


def test_without_ipython_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "IPython.core.inputtransformer2", None)
    with pytest.raises(ValueError, match="reading notebooks needs IPython: pip install ipython"):
        notebook(tmp_path, RIGHT)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lessons_own_programs_hold_no_training(lesson):
    found = read(NOTEBOOKS / f"{lesson}.ipynb")
    for name in LESSONS[lesson]:
        program = found.program(name)
        assert len(program.splitlines()) < 40
        assert "fit(" not in program
        assert "check(" not in program
