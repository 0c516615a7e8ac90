"""The package as pip installs it, in an environment that holds what it needs and nothing else."""

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

import vae_edu

ROOT = Path(__file__).parent.parent
FILES = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "vae_edu").rglob("*.py"))]
NEEDED = ("numpy", "torch", "matplotlib", "pillow", "tqdm")
SETUP = (ROOT / "notebooks" / "SETUP.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="links to packages need Unix")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):  # a copy, because a build leaves files behind
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "vae_edu", folder / "vae_edu", ignore=ignored)
    build = [sys.executable, *["-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-q"]]
    subprocess.run(build, cwd=folder, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def with_requirements(names):
    """The distributions of these names and all that they need, in this environment."""
    found, waiting = {}, list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # of another system, or not needed
            continue
        for line in found[name].requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name)
                waiting.extend(f"{needed.name}-{extra}" for extra in needed.extras)
    return found.values()


def environment(folder, *names):
    """A virtual environment with links to these packages and what they need; nothing is fetched."""
    venv.create(folder, symlinks=True, with_pip=False)
    (site,) = folder.glob("lib/python3*/site-packages")
    for package in with_requirements(names):
        for part in {file.parts[0] for file in package.files} - {"..", "__pycache__"}:
            if not (site / part).exists():
                (site / part).symlink_to(package.locate_file(part))
    return folder / "bin" / "python"


def run(python, *arguments, folder, code=0):
    """Run Python outside of the repository, as a user who does not have it."""
    hidden = ("PYTHONPATH", "TQDM_DISABLE", "VAE_EDU_DATASET", "VIRTUAL_ENV")
    variables = {name: value for name, value in os.environ.items() if name not in hidden}
    variables |= {"HOME": str(folder), "XDG_CACHE_HOME": str(folder), "VAE_EDU_DEVICE": "cpu"}
    variables |= {"OMP_NUM_THREADS": "1", "JUPYTER_DATA_DIR": str(folder / "jupyter"), "MPLBACKEND": "agg"}
    result = subprocess.run(
        [python, *arguments], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert result.returncode == code, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A Python with the wheel, what it requires, and an empty folder to work in."""
    folder = tmp_path_factory.mktemp("environment")
    python = environment(folder / "venv", *NEEDED)
    (site,) = folder.glob("venv/lib/python3*/site-packages")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel], check=True
    )
    work = folder / "work"
    work.mkdir()
    return python, work


def test_it_holds_the_package_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    page = {f"vae_edu/explorer/{path.name}" for path in (ROOT / "vae_edu" / "explorer").iterdir()}
    assert names == {*FILES, *page, "vae_edu/py.typed", "vae_edu/iwae_runs.json"}


def test_every_module_can_be_imported(installed):
    python, folder = installed
    modules = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in FILES]
    code = f"import importlib, sys\nfor name in {sorted(set(modules) - {'vae_edu.__main__'})}:\n"
    code += "    importlib.import_module(name)\n"
    code += "print(sys.modules['vae_edu'].__file__, 'IPython' in sys.modules)"
    path, interactive = run(python, "-c", code, folder=folder).split()
    assert Path(path).is_relative_to(folder.parent)
    assert interactive == "False"


def test_every_command_runs(installed, tmp_path):
    python, folder = installed
    outputs = {}
    (folder / "submissions").mkdir()
    shutil.copy(ROOT / "notebooks/00_explicit_density.ipynb", folder / "submissions/anna.ipynb")
    for line in (
        "--version",
        "train --data strokes --n 200 --hidden 16 --epochs 1 --out m.pt",
        "generate m.pt --n 4 --out g.png",
        "edit m.pt --image 1 --dim 0 --out e.png",
        "evaluate m.pt --n 5",
        "explore m.pt --n 2 --out p.html",
        "reproduce iwae --k 1 --epochs 1 --data strokes --n 5 --samples 10",
    ):
        outputs[line.split()[0]] = run(python, "-m", "vae_edu", *line.split(), folder=folder)
    assert vae_edu.__version__ in outputs["--version"]
    for name in ("g.png", "e.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert "log p(x)" in outputs["evaluate"]
    grading = "grade submissions --out grades.csv"
    said = run(python, "-m", "vae_edu", *grading.split(), folder=folder, code=2)
    assert "reading notebooks needs IPython: pip install ipython" in said  # the lessons bring it
    line = "gradebook grades.csv gradebook.db"
    said = run(python, "-m", "vae_edu", *line.split(), folder=folder, code=2)
    assert "pip install nbgrader" in said


def test_sliders_without_a_notebook_are_refused_in_a_sentence(installed):
    python, folder = installed
    code = "import torch\nfrom vae_edu.sliders import sliders\nfrom vae_edu.vae import VAE\n"
    code += "try:\n    sliders(VAE((1, 4, 4), 2, hidden=8), torch.rand(1, 1, 4, 4))\n"
    code += "except ImportError as error:\n    print(error)"
    assert "sliders needs a notebook" in run(python, "-c", code, folder=folder)


def test_the_first_cell_for_colab_leaves_pytorch_alone_and_a_lesson_runs(wheel, tmp_path):
    """The cell of SETUP.md, in an environment like Colab's: PyTorch, IPython and ipywidgets, no vae_edu."""
    (cell,) = re.findall(r"```python\n(%pip .*?)```", SETUP, re.S)
    assert cell.count("ADDRESS") == 1
    python = environment(tmp_path / "venv", *NEEDED, "ipykernel", "ipywidgets", "nbclient", "pip")
    lesson = nbformat.read(ROOT / "notebooks/07_editing.ipynb", as_version=4)
    first = nbformat.v4.new_code_cell(cell.replace("ADDRESS", str(wheel)))
    last = nbformat.v4.new_code_cell("import vae_edu, torch; print(vae_edu.__file__, torch.__file__)")
    lesson.cells = [first, *lesson.cells, last]
    nbformat.write(lesson, tmp_path / "lesson.ipynb")
    before = sorted(path.name for path in tmp_path.glob("venv/lib/python3*/site-packages/*"))
    code = "import nbformat, nbclient; lesson = nbformat.read('lesson.ipynb', 4);"
    code += "nbclient.NotebookClient(lesson, timeout=300).execute(); nbformat.write(lesson, 'done.ipynb')"
    run(python, "-c", code, folder=tmp_path)
    cells = nbformat.read(tmp_path / "done.ipynb", as_version=4).cells
    ours, torchs = cells[-1].outputs[0].text.split()
    assert Path(ours).is_relative_to(tmp_path)
    assert Path(torchs).is_relative_to(tmp_path)
    after = sorted(path.name for path in tmp_path.glob("venv/lib/python3*/site-packages/*"))
    assert set(after) - set(before) == {"vae_edu", f"vae_edu-{vae_edu.__version__}.dist-info"}
    shown = [
        output.data
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "data" in output
    ]
    assert any("application/vnd.jupyter.widget-view+json" in data and "image/png" in data for data in shown)
