"""The committed lessons (executed, fresh, well-formed), and the program that runs them."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fingerprint
import nbformat
import pytest
import run

from vae_edu.exercises import EXERCISES, LESSONS, NUMBERS

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
TAGS = {"nbval-check-output", "hide-input", "hide-cell", "prediction", "experiment"}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def lesson(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(lesson):
    return [cell for cell in lesson.cells if cell.cell_type == "code"]


def is_checked(cell):
    return "nbval-check-output" in cell.metadata.get("tags", [])


def test_there_are_lessons():
    assert [path.stem for path in NOTEBOOKS] == list(LESSONS)


def test_a_lesson_is_valid_and_was_executed_from_the_top(lesson):
    nbformat.validate(lesson)
    counts = [cell.execution_count for cell in code_cells(lesson)]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [output for cell in code_cells(lesson) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3


def test_every_lesson_is_fresh():
    assert fingerprint.stale() == [], "run python notebooks/run.py --inplace with these names"


def test_nothing_of_the_machine_is_in_a_lesson(lesson):
    assert set(lesson.metadata) == {"kernelspec", "language_info", "vae_edu"}
    assert lesson.metadata.language_info == {"name": "python"}
    for cell in lesson.cells:
        assert set(cell.metadata) <= {"tags"}
        assert set(cell.metadata.get("tags", [])) <= TAGS
    text = nbformat.writes(lesson)
    for trace in ("/home/", "/root/", "/Users/", str(ROOT), "0x7f", "widget-view"):
        assert trace not in text


def test_a_lesson_is_of_a_length_that_people_read(lesson):
    assert 25 <= len(lesson.cells) <= 55
    for cell in code_cells(lesson):
        assert len(cell.source.splitlines()) <= 15, cell.source
        assert max(map(len, cell.source.splitlines())) <= 110, cell.source


def prose(source):
    """The words of a text: no code, no address, and a formula is one word."""
    source = re.sub(r"```.*?```|\]\([^)]*\)", "", source, flags=re.S)
    return re.sub(r"\$\$.*?\$\$|\$[^$]*\$", "formula", source, flags=re.S)


def test_a_paragraph_can_be_read_in_one_breath(lesson):
    for cell in lesson.cells:
        if cell.cell_type == "markdown":
            for paragraph in re.split(r"\n\n|\n(?=\||- |\d\. )", prose(cell.source)):
                assert len(paragraph.split()) <= 90, paragraph


def test_every_figure_says_what_it_shows(lesson):
    for cell in code_cells(lesson):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                text = output.metadata.get("image/png", {}).get("alt", "")
                assert len(text.split()) >= 6, cell.source
                assert text.endswith("."), text


def test_a_figure_comes_before_its_text_and_its_text_before_the_checks(lesson):
    """Between a figure and the text that explains it there is no cell that only prints "True"."""
    for cell, following in zip(lesson.cells, lesson.cells[1:], strict=False):
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            assert not (following.cell_type == "code" and is_checked(following)), following.source
    for cell in code_cells(lesson):
        assert is_checked(cell) or "hide-cell" not in cell.metadata.get("tags", []), cell.source


def test_a_lesson_asks_before_it_shows(lesson):
    predictions = [cell for cell in code_cells(lesson) if "prediction" in cell.metadata.get("tags", [])]
    assert len(predictions) >= 2
    code = "\n".join(cell.source for cell in code_cells(lesson))
    for cell in predictions:
        name = re.search(r"^(\w+) = None", cell.source, re.M)[1]
        assert f"compare({name}, " in code


def test_a_lesson_checks_facts(lesson):
    checked = [cell for cell in code_cells(lesson) if is_checked(cell)]
    assert len(checked) >= 5
    for cell in checked:
        text = "".join(output.get("text", "") for output in cell.outputs)
        assert text.strip(), cell.source
        assert "False" not in text
        assert "not yet" not in text
        # nbval runs cells without history, and then IPython ignores a last ";" that silences a value
        assert not cell.source.endswith(";"), cell.source


def test_every_exercise_has_a_goal_a_solution_and_a_check(lesson):
    cells = code_cells(lesson)
    exercises = [i for i, cell in enumerate(cells) if cell.source.startswith("# Exercise ")]
    assert 3 <= len(exercises) <= 5
    number = int(lesson.cells[0].source.split("·")[0].strip("# "))
    for order, i in enumerate(exercises, start=1):
        source = cells[i].source
        assert source.startswith(f"# Exercise {number}.{order}: ")
        assert source.count("### BEGIN SOLUTION") == source.count("### END SOLUTION") == 1
        name = re.search(r"^def (\w+)\(", source, re.M)[1]
        assert name in EXERCISES
        assert NUMBERS[name] == f"{number}.{order}"
        assert cells[i + 1].source == f'check("{name}", {name})'
        assert is_checked(cells[i + 1])
        assert cells[i + 1].outputs[0].text == f"{name}: correct.\n"
        used_later = "\n".join(cell.source for cell in cells[i + 2 :])
        assert not re.search(rf"(?<![.\w]){name}\(", used_later), (
            f"the lesson must not go on with the learner's {name}"
        )


def test_a_lesson_opens_and_closes_as_all_do(lesson):
    first, last = lesson.cells[0].source, lesson.cells[-1].source
    for part in (
        "**The question.**",
        "**The lecture line.**",
        "**Afterwards you can**",
        "**You need**",
        "**It takes**",
    ):
        assert part in first
    for part in ("## What to expect", "## In three lines", "**A question to take along.**"):
        assert part in last


def small_lesson(folder, *sources):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbformat.write(notebook, folder / "99_small.ipynb")
    return folder / "99_small.ipynb"


@pytest.fixture
def sandbox(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    monkeypatch.setattr(run, "BUILD", tmp_path / "build")
    return tmp_path


def test_running_writes_the_copy_and_the_page(sandbox, monkeypatch, capsys):
    path = small_lesson(sandbox, "x = bytearray(300 << 20)", "print('one and', 1 + 1)")
    before = path.read_bytes()
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert run.main() == 0
    out = capsys.readouterr().out
    megabytes = int(re.search(r"99_small +\d+\.\d s +(\d+) MB  passed", out)[1])
    assert 300 < megabytes < 600 or sys.platform != "linux"
    assert re.search(rf"all +\d+\.\d s, the slowest \d+\.\d s, the largest {megabytes} MB", out)
    assert path.read_bytes() == before
    assert nbformat.read(sandbox / "build/99_small.ipynb", 4).cells[1].outputs[0].text == "one and 2\n"
    page = (sandbox / "build/99_small.html").read_text()
    assert "one and 2" in page
    assert '"mathjax/MathJax.js' in page
    assert (sandbox / "build/mathjax/MathJax.js").exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = )", "cell 2: SyntaxError"),
        ("raise SystemExit(3)", "cell 2: SystemExit: 3"),
        ("int('seven')", "cell 2: ValueError: invalid literal"),
        ("import os; os._exit(1)", "cell 2: the kernel died"),
        ("import time; time.sleep(30)", "cell 2: took longer than 5 s"),
    ],
)
def test_a_failing_lesson_says_where_and_the_others_go_on(sandbox, monkeypatch, capsys, source, message):
    path = small_lesson(sandbox, "1", source, "3")
    path.rename(sandbox / "01_fails.ipynb")
    small_lesson(sandbox, "1")
    monkeypatch.setattr(run, "CELL_SECONDS", 5)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert run.main() == 1
    out = capsys.readouterr().out
    assert f"FAILED in {message}" in out
    assert re.search(r"99_small .* passed", out)
    assert (sandbox / "build/01_fails.html").exists()


def test_in_place_execution_is_repeatable_and_spares_what_fails(sandbox, monkeypatch):
    path = small_lesson(sandbox, "import os; print('DATASET=' + os.environ['VAE_EDU_DATASET'] + '.')")
    monkeypatch.setattr(sys, "argv", ["run.py", "--inplace"])
    monkeypatch.setenv("VAE_EDU_DATASET", "mnist")
    assert run.main() == 0
    first = path.read_bytes()
    assert b"DATASET=." in first
    assert run.main() == 0
    assert path.read_bytes() == first
    path = small_lesson(sandbox, "1 / 0")
    before = path.read_bytes()
    assert run.main() == 1
    assert path.read_bytes() == before


def test_a_kernel_of_another_python_in_the_users_folder_is_not_taken(sandbox, monkeypatch):
    kernel = sandbox / "data" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    kernel.joinpath("kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "other"}')
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(sandbox / "data"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")  # as outside of a virtual environment
    (sandbox / "build").mkdir()
    assert run.run(small_lesson(sandbox, "1 + 1"), inplace=False).failure is None


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that changes a copy of the package, and returns which lessons that made stale."""
    copy = tmp_path / "vae_edu"
    shutil.copytree(ROOT / "vae_edu", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "PACKAGE", copy)
    cells = {path.stem: nbformat.read(path, as_version=4) for path in NOTEBOOKS}

    def prints():
        return {name: fingerprint.fingerprint(lesson, name) for name, lesson in cells.items()}

    before = prints()

    def stale_after(name, old, new):
        text = (copy / name).read_text(encoding="utf-8")
        assert old in text
        (copy / name).write_text(text.replace(old, new, 1), encoding="utf-8")
        return [lesson[:2] for lesson, now in prints().items() if now != before[lesson]]

    return stale_after


ALL = [f"{number:02}" for number in range(11)]


@pytest.mark.parametrize(
    ("name", "old", "new", "stale"),
    [
        ("grid.py", "import math", "# a comment\nimport math", []),
        ("grid.py", "import math", "import math\n\n", []),
        ("elbo.py", '"""L5: ', '"""(L5) ', []),
        (
            "elbo.py",
            "import math",
            "import math\n\nONE = 1",
            ["03", "04", "05", "06", "07", "08", "09", "10"],
        ),
        ("exercises/lesson_07.py", "import torch", "import torch\n\nHINT = 1", ["07"]),
        ("exercises/exercise.py", "import torch", "import torch\n\nONE = 1", ALL),
        ("iwae_runs.json", "0.", "1.", ["08"]),
        ("grading/grade.py", "import os", "import os\n\nONE = 1", []),
        ("commands.py", "import json", "import json\n\nONE = 1", []),
        ("data/strokes.py", "import torch", "import torch\n\nONE = 1", ALL),
        ("pixelrnn.py", "import torch", "import torch\n\nONE = 1", ["00", "08"]),
    ],
)
def test_a_change_makes_those_lessons_stale_that_it_can_change(package, name, old, new, stale):
    assert package(name, old, new) == stale


def test_a_lesson_is_stale_when_its_code_changes_and_not_when_its_text_does():
    lesson = nbformat.read(NOTEBOOKS[0], as_version=4)
    before = fingerprint.fingerprint(lesson, NOTEBOOKS[0].stem)
    for cell in lesson.cells:
        if cell.cell_type == "markdown":
            cell.source += "."
    assert fingerprint.fingerprint(lesson, NOTEBOOKS[0].stem) == before
    code_cells(lesson)[1].source += "\n1"
    assert fingerprint.fingerprint(lesson, NOTEBOOKS[0].stem) != before


@pytest.mark.parametrize(
    "code",
    [
        "import vae_edu.engine.step",
        "from vae_edu.engine import checkpoint, step",
        "from vae_edu.engine import (\n    step,\n)",
        "from vae_edu.engine.step import Step as S",
        "if 1:\n    def f():\n        import vae_edu.engine.step as s",
    ],
)
def test_every_kind_of_import_is_seen(code):
    found = fingerprint.imports(ast.parse(code))
    assert {"vae_edu", "vae_edu.engine", "vae_edu.engine.step"} <= found
    assert found <= {"vae_edu", "vae_edu.engine", "vae_edu.engine.step", "vae_edu.engine.checkpoint"}


def test_what_is_no_module_of_the_package_is_no_import():
    code = "import torch\nfrom vae_edu import device\nfrom vae_edu.grid import Grid\nfrom .vae_edu import vae"
    assert fingerprint.imports(ast.parse(code)) == {"vae_edu", "vae_edu.grid"}


def test_relative_paths_reach_the_kernel_as_absolute_ones(sandbox, monkeypatch):
    (sandbox / "elsewhere" / "data").mkdir(parents=True)
    monkeypatch.chdir(sandbox / "elsewhere")
    monkeypatch.setenv("VAE_EDU_DATASET", "mnist")
    for path in ("./data", "data", "../elsewhere/data"):
        monkeypatch.setenv("VAE_EDU_DATA", path)
        environment = run.kernel_environment(inplace=False)
        assert environment["VAE_EDU_DATA"] == str(sandbox / "elsewhere" / "data")
        assert environment["VAE_EDU_DATASET"] == "mnist"
    monkeypatch.setenv("VAE_EDU_DATASET", "./data")
    assert run.kernel_environment(inplace=False)["VAE_EDU_DATASET"] == str(sandbox / "elsewhere" / "data")
    monkeypatch.delenv("VAE_EDU_DATA")
    assert "VAE_EDU_DATA" not in run.kernel_environment(inplace=False)


def test_an_unknown_lesson_is_refused(sandbox, monkeypatch, capsys):
    small_lesson(sandbox, "1")
    monkeypatch.setattr(sys, "argv", ["run.py", "02_nothing"])
    with pytest.raises(SystemExit):
        run.main()
    assert "the lessons are 99_small" in capsys.readouterr().err


def validate(*lessons, **variables):
    """Run lessons with nbval, which compares the checked outputs with the committed ones."""
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600", "-q"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *lessons],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:]


@pytest.mark.parametrize("threads", ["2", "3"])
def test_checked_outputs_do_not_depend_on_the_number_of_threads(threads):
    """The committed ones come from one thread."""
    program = "import torch; print(torch.get_num_threads())"
    environment = os.environ | {"OMP_NUM_THREADS": threads}
    used = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True).strip()
    if used != threads:
        pytest.skip(f"PyTorch uses {used} threads here, no more than there are cores")
    validate("notebooks/04_elbo.ipynb", OMP_NUM_THREADS=threads)
