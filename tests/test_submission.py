"""Reading a notebook as text: what an exercise needs of it, and what a teacher is told."""

import json

import pytest

from vae_edu.grading.flags import flags
from vae_edu.grading.submission import Unreadable, lesson_of, read


def notebook(folder, *sources):
    cells = [{"cell_type": "code", "source": source} for source in sources]
    (folder / "a.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
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
    assert "train_for_an_hour" not in submission.program("l2_loss")


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
    ],
)
def test_the_program_does_what_the_notebook_does(tmp_path, source):
    whole, part = {}, {}
    exec(source, whole)
    exec(notebook(tmp_path, source, "x = 0").program("f"), part)
    assert part["f"](2) == whole["f"](2)


@pytest.mark.parametrize("line", ["%matplotlib inline", "!pip install x", "?print", "%%time"])
def test_commands_of_ipython_are_left_out(tmp_path, line):
    submission = notebook(tmp_path, f"{line}\nimport math", "def f(x): return math.pi")
    assert "def f(x)" in submission.program("f")
    assert ("import math" in submission.program("f")) == (line != "%%time")


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


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        '{"cells": 3}',
        '{"cells": [3]}',
        "[" * 10**5,
        '{"cells": [{"cell_type": "code", "source": [1]}]}',
    ],
)
def test_what_is_no_notebook(tmp_path, content):
    (tmp_path / "a.ipynb").write_text(content)
    with pytest.raises(Unreadable, match="no notebook that can be read"):
        read(tmp_path / "a.ipynb")


def test_a_file_of_any_size_costs_little(tmp_path):
    with (tmp_path / "a.ipynb").open("wb") as file:
        file.truncate(10**10)
    with pytest.raises(Unreadable, match="larger than 50 MB"):
        read(tmp_path / "a.ipynb")


COPY = """def direction(codes, f):
    "My own."
    return (codes - codes.mean(0)).T @ (f - f.mean()) / (f - f.mean()).square().sum()
"""


@pytest.mark.parametrize(
    ("program", "used", "found"),
    [
        ("def f(x): return x", [], []),
        ("def f(x): return x", ["gaussian.log_normal"], ["it calls gaussian.log_normal of the package"]),
        ("def f(x): return x", ["gaussian.py"], ["it reads gaussian.py of the package"]),
        ("import importlib.util\ndef f(x): return eval('x')", [], ["it uses eval", "it uses importlib"]),
        (
            "from inspect import getsource as g\ndef f(x): return x.__dict__",
            [],
            ["it uses __dict__", "it uses inspect"],
        ),
        (COPY, [], ["it is the package's own function, but for the names"]),
        (COPY.replace(".square()", ".pow(2)"), [], []),
    ],
)
def test_flags(program, used, found):
    assert flags(program, "direction", used) == found
