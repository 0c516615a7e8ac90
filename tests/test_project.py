"""What the project promises: versions, layout, dependencies between modules, style."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from fingerprint import imports

import vae_edu
from tests.conftest import SLOW

ROOT = Path(__file__).parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
FILES = sorted((ROOT / "vae_edu").rglob("*.py"))
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "vae_edu").with_suffix("").parts).removesuffix(".__init__")
    for path in FILES
)
MODULES.remove("__init__")


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(everything=False):
    """Name → specifier of every direct requirement, by default without those that no learner needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    names = extras.keys() - (set() if everything else {"browser", "check", "site"})
    lines = project["dependencies"] + [line for name in names for line in extras[name]]
    pairs = [re.match(r"([\w.-]+)(?:\[.*\])?(.*)", line).groups() for line in lines]
    return {normal(name): specifier for name, specifier in pairs if normal(name) != "vae-edu"}


def pins(lines):
    return {normal(name): version for name, version in (line.split(";")[0].split("==") for line in lines)}


def constraints():
    return pins(
        line
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line[:1] != "#"
    )


def test_constraints_pin_every_requirement_within_its_range():
    from packaging.specifiers import SpecifierSet

    for name, specifier in requirements(everything=True).items():
        assert constraints()[name] in SpecifierSet(specifier), name


def test_conda_gets_the_same_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *conda, pip = environment["dependencies"]
    assert conda == ["python=3.11", "pip"]
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    *pinned, ours = pip["pip"]
    assert ours == "-e ."
    assert pins(pinned) == {name: constraints()[name] for name in requirements()}


def test_this_environment_is_the_pinned_one():
    from importlib.metadata import version

    if not (ROOT / ".venv").exists() or not (ROOT / ".venv").samefile(sys.prefix):
        pytest.skip("not the environment that make sets up")
    for name in requirements():
        assert version(name).split("+")[0] == constraints()[name], f"{name}: run make clean, then make test"


def test_one_version_everywhere():
    changes, citation, readme = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("CHANGELOG.md", "CITATION.cff", "README.md")
    )
    assert re.search(r"^## (\S+)", changes, re.M)[1] == vae_edu.__version__
    assert yaml.safe_load(citation)["version"] == vae_edu.__version__
    assert f"version {vae_edu.__version__}, " in readme


def test_the_package_itself_needs_five_libraries():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"\w+", line)[0] for line in project["dependencies"]}
    assert names == {"numpy", "torch", "matplotlib", "pillow", "tqdm"}
    for path in FILES:
        allowed = names - {"pillow"} | {"PIL", "vae_edu"} | set(sys.stdlib_module_names)
        if path.stem in {"plots", "sliders", "magics"}:  # in functions that need a notebook, or read one
            allowed |= {"IPython", "ipywidgets"}
        if path.stem == "gradebook":  # for those who use nbgrader
            allowed |= {"nbgrader"}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imported = []
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                imported = [node.module]
            assert {name.split(".")[0] for name in imported} <= allowed, path.name


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


USES = {name_of(path): imports(ast.parse(path.read_text(encoding="utf-8"))) for path in FILES}
REACHED = {"01": "networks", "08": "schedules"}  # through autoencoder, and through reproduce
FOLDERS = {"data", "engine", "exercises", "grading"}
HANDLED = {"plots", "diagrams", "sliders", "checks", "predictions"}  # by a person, as are the next
HANDLED |= {"commands", "options", "report_page", "explore", "streams", "__main__"}


def room(module):
    """ "vae_edu.engine.step" → "engine", "vae_edu.elbo" → "elbo", "vae_edu" → ""."""
    return [*module.split("."), ""][1]


def rooms_used_by(which):
    used = {room(other) for module, others in USES.items() if room(module) == which for other in others}
    return used - {"", which}


def rooms_of_lesson(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [ast.parse("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    return {room(module) for tree in code for module in imports(tree)} - {""}


def test_the_engine_knows_nothing_above_it():
    assert rooms_used_by("engine") == set()
    for path in FILES:  # the device and the version are in the package itself
        if path.parent.name == "engine":
            text = path.read_text(encoding="utf-8")
            assert set(re.findall(r"vae_edu\.(\w+)", text)) <= {"engine", "device", "__version__"}, path.name
            assert set(re.findall(r"^from vae_edu import (.*)", text, re.M)) <= {"device", "DeviceWarning"}, (
                path.name
            )


def test_every_slow_test_exists():
    for name in SLOW:
        file, _, test = name.partition("::")
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert f"def {test or 'test_'}" in text, name


def test_dependencies_point_one_way():
    for which in {room(module) for module in USES} - HANDLED - {""}:
        assert not rooms_used_by(which) & HANDLED, which
    assert rooms_used_by("data") == {"engine"}
    for which in ("networks", "gaussian", "pixelrnn", "train"):
        assert rooms_used_by(which) <= {"engine"}, which
    assert rooms_used_by("vae") <= {"engine", "gaussian", "networks"}
    for which in {room(module) for module in USES} - HANDLED - {"grading"}:
        assert not rooms_used_by(which) & {"exercises", "grading"}, which


def test_no_module_imports_itself_by_a_detour():
    done = set()

    def follow(module, above=()):
        assert module not in above, f"a circle of imports: {(*above, module)}"
        if module not in done:
            packages = {".".join(module.split(".")[:end]) for end in range(1, module.count(".") + 1)}
            for other in USES[module] - packages - {module}:  # a package is complete before its modules are
                follow(other, (*above, module))
            done.add(module)

    for module in USES:
        follow(module)
    assert done == set(USES)


def test_the_top_level_is_what_a_lesson_imports_and_what_a_person_handles():
    imported = set().union(*map(rooms_of_lesson, LESSONS))
    assert not imported & (FOLDERS - {"data"})
    assert imported | FOLDERS | HANDLED | set(REACHED.values()) == {room(module) for module in USES} - {""}


def test_help_shows_the_map_of_the_course():
    """`help(vae_edu)` names every module of the top level where the lessons first use it."""
    rows = re.findall(r"^    (\d\d)  +(.+?)  +\S.*$", vae_edu.__doc__, re.M)
    mapped = {lesson: set(names.split(", ")) for lesson, names in rows}
    seen = FOLDERS - {"data"} | HANDLED
    for path in LESSONS:
        new = rooms_of_lesson(path) - seen
        new |= {REACHED[number] for number in REACHED.keys() & {path.name[:2]}}
        assert mapped.get(path.name[:2], set()) == new, path.stem
        seen |= new
    for name in FOLDERS | HANDLED - {"__main__"}:
        assert name in vae_edu.__doc__, name


def test_training_imports_no_compiler():
    """PyTorch's Adam would, at its first step, for two seconds."""
    code = (
        "import sys, torch; from vae_edu.train import fit; from vae_edu.elbo import negative_elbo;"
        "from vae_edu.vae import VAE; x = torch.ones(8, 1, 3, 3); model = VAE((1, 3, 3), 2, 'bernoulli');"
        "fit(model, negative_elbo, x, 2, progress=False); print('torch._dynamo' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


def test_importing_the_package_imports_little_beyond_torch():
    code = (
        "import sys, torch; before = set(sys.modules); import vae_edu.data, vae_edu.train;"
        "print(*sorted(set(sys.modules) - before))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = set(result.stdout.split())
    assert not {"matplotlib", "IPython", "ipywidgets", "urllib.request", "vae_edu.checks"} & new
    assert len(new) < 100, sorted(new)


@pytest.mark.parametrize("module", MODULES)
def test_public_names_have_docstrings_and_types(module):
    module = importlib.import_module(f"vae_edu.{module}")
    assert module.__doc__
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if not (inspect.isfunction(thing) or inspect.isclass(thing)):
            continue
        assert thing.__doc__, name
        if inspect.isfunction(thing):
            signature = inspect.signature(thing)
            assert signature.return_annotation is not signature.empty, name
            assert all(p.annotation is not p.empty for p in signature.parameters.values()), name


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_ruff_is_content(command):
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
