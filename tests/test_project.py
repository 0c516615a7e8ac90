"""The project's own promises: versions, layout, dependencies between modules, style, the README."""

import ast
import importlib
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "vae_edu").rglob("*.py"))
MODULES = sorted(
    {path.relative_to(ROOT / "vae_edu").parts[0].removesuffix(".py") for path in FILES} - {"__init__"}
)


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(browser=False):
    """Name → specifier of every direct requirement, the extras' too; `browser` only where it is asked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    names = extras.keys() - (set() if browser else {"browser"})
    lines = project["dependencies"] + [line for name in names for line in extras[name]]
    pairs = [re.match(r"([\w.-]+)(?:\[.*\])?(.*)", line).groups() for line in lines]
    return {normal(name): specifier for name, specifier in pairs if normal(name) != "vae-edu"}


def pins(lines):
    return {normal(name): version for name, version in (line.split("==") for line in lines)}


def constraints():
    return pins(
        line
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line[:1] != "#"
    )


def test_constraints_pin_every_requirement_within_its_range():
    from packaging.specifiers import SpecifierSet

    for name, specifier in requirements(browser=True).items():
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


def test_the_package_itself_needs_four_libraries():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"\w+", line)[0] for line in project["dependencies"]}
    assert names == {"numpy", "torch", "matplotlib", "tqdm"}
    for path in FILES:
        allowed = names | {"vae_edu"} | set(sys.stdlib_module_names)
        if path.stem in {"plots", "sliders"}:  # in functions that run in a notebook
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


def uses(module):
    """The other modules of vae_edu that a module uses; all of exercises/ counts as one."""
    files = [path for path in FILES if path.parent.name == module or path.name == f"{module}.py"]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vae_edu."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "vae_edu":
            found |= {alias.name for alias in node.names} & set(MODULES)
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("vae_edu.")}
    return found - {module}


def test_dependencies_point_one_way():
    for module in set(MODULES) - {"__main__", "commands", "sliders"}:  # what a person handles may draw
        assert not uses(module) & {"plots", "checks", "commands"}, module
    assert uses("networks") == set()
    assert uses("data") <= {"strokes", "idx", "download", "arguments", "pixels"}
    assert uses("pixels") == uses("idx") == set()
    assert uses("train") <= {
        *("arguments", "chunks", "distributed", "precision", "progress", "randomness", "resume", "step"),
    }
    assert uses("step") == {"capture", "distributed", "precision", "resume"}
    assert uses("capture") == {"checking"}
    assert uses("checking") == uses("precision") == set()
    assert uses("distributed") == {"randomness"}
    assert uses("resume") == {"checkpoint"}
    assert uses("vae") <= {"arguments", "bernoulli", "checkpoint", "gaussian", "networks", "randomness"}
    assert uses("bernoulli") == uses("gaussian") == {"checking"}
    assert uses("pixelrnn") <= {"arguments", "checking", "progress", "randomness"}
    assert uses("answers") == {"exercises", "randomness"}
    assert uses("diagnosis") == {"answers", "exercises"}
    order = {}

    def depth(module, above=()):
        assert module not in above, f"a circle of imports: {above}"
        order[module] = 1 + max((depth(other, (*above, module)) for other in uses(module)), default=0)
        return order[module]

    assert all(depth(module) for module in MODULES)


def test_importing_the_package_costs_little_beyond_torch():
    code = (
        "import sys, time, torch; start = time.perf_counter(); import vae_edu, vae_edu.data, vae_edu.train;"
        "print(time.perf_counter() - start, 'matplotlib' in sys.modules)"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(3)
    ]
    assert min(float(seconds) for seconds, _ in runs) < 0.2
    assert all(matplotlib == "False" for _, matplotlib in runs)


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


def test_the_readme_names_functions_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+)\.(\w+)`", text)
    for module, name in named:
        if module in MODULES:
            assert hasattr(importlib.import_module(f"vae_edu.{module}"), name), f"{module}.{name}"
    assert len([module for module, _ in named if module in MODULES]) >= 10
    for path in re.findall(r"\]\((?!http)([^)]+)\)", text):
        assert (ROOT / path).exists(), path
    for lesson in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        assert f"notebooks/{lesson.name}" in text
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M), target


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path):
    for name in ("pyproject.toml", "README.md", "LICENSE"):  # in a copy: a build leaves its litter behind
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "vae_edu", tmp_path / "vae_edu")
    build = [sys.executable, *["-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-q"]]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == {str(path.relative_to(ROOT)) for path in FILES} | {
        "vae_edu/py.typed",
        "vae_edu/iwae_runs.json",
    }
