"""The set-up: which build of PyTorch make installs, what it needs, and what the versions ask of Python."""

import os
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.11.0", "3.11.2", "3.11.14", "3.12.0", "3.13.0", "3.14.0", "3.14.1")  # Debian 12 has 3.11.2
PYTHON = """#!/bin/sh
# Stands for Python: makes an environment with itself in it, and writes down what pip is asked for.
case "$*" in
*"-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
*"pip config list"*) echo "$PIP_CONFIG" ;;
*"pip install"*)
    echo "$*" >> "$LOG"
    case "$*" in *download.pytorch.org*) exit "$UNREACHABLE" ;; esac ;;
esac
"""
NO_GPU = "#!/bin/sh\nexit 127\n"
BROKEN = "#!/bin/sh\necho 'NVIDIA-SMI has failed: no NVIDIA driver.'\nexit 9\n"
GPU = "#!/bin/sh\necho 'GPU 0: NVIDIA H200 (UUID: GPU-1)'\n"


@pytest.fixture
def make(tmp_path):
    """A function that runs make with stand-ins for Python, nvidia-smi and uname, and returns what pip got."""
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)

    def run(*arguments, smi=NO_GPU, system="Linux", config="", unreachable=0):
        folder = tmp_path / "stubs"
        folder.mkdir(exist_ok=True)
        programs = {"python3": PYTHON, "nvidia-smi": smi, "uname": f"#!/bin/sh\necho {system}\n"}
        for name, text in programs.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        log = tmp_path / "log"
        log.write_text("")
        environment = {
            **{name: value for name, value in os.environ.items() if name not in ("TORCH", "MAKEFLAGS")},
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "LOG": str(log),
            "PIP_CONFIG": config,
            "UNREACHABLE": str(unreachable),
        }
        result = subprocess.run(
            ["make", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        asked = [line.split("constraints.txt ")[1] for line in log.read_text().splitlines()]
        return result, asked

    return run


def torch_from(build):
    return f"--quiet --retries 1 --no-deps torch --index-url https://download.pytorch.org/whl/{build}"


REST = "-e .[lessons]"


@pytest.mark.parametrize(
    ("arguments", "machine", "asked"),
    [
        ([], {}, [torch_from("cpu"), REST]),
        ([], {"smi": BROKEN}, [torch_from("cpu"), REST]),
        ([], {"config": "global.extra-index-url='https://more.example'"}, [torch_from("cpu"), REST]),
        ([], {"smi": GPU}, [REST]),
        ([], {"system": "Darwin"}, [REST]),
        ([], {"config": ":env:.index-url='https://mirror.example'"}, [REST]),
        ([], {"config": "global.index-url='https://mirror.example'"}, [REST]),
        ([], {"config": ":env:.no-index='1'"}, [REST]),
        (["TORCH=cuda"], {}, [REST]),
        (["TORCH=cpu"], {"smi": GPU}, [torch_from("cpu"), REST]),
        (["TORCH=rocm6.4"], {}, [torch_from("rocm6.4"), REST]),
    ],
)
def test_the_build_of_pytorch_suits_the_machine(make, arguments, machine, asked):
    result, found = make(".venv/ready", *arguments, **machine)
    assert result.returncode == 0, result.stderr
    assert found == asked


def test_without_the_cpu_builds_index_make_says_so_and_goes_on(make):
    result, asked = make(".venv/ready", unreachable=1)
    assert result.returncode == 0
    assert asked == [torch_from("cpu"), REST]
    assert "cannot be reached.\nSo pip takes the one from its own index" in result.stdout


def test_a_build_that_was_asked_for_is_not_replaced_by_another(make, tmp_path):
    result, asked = make(".venv/ready", "TORCH=rocm9", unreachable=1)
    assert result.returncode == 2
    assert asked == [torch_from("rocm9")]
    assert "no rocm9 build" in result.stdout
    assert not (tmp_path / ".venv/ready").exists()


def test_what_a_learner_does_not_need_comes_with_the_target_that_does(make):
    assert make("lessons")[1] == [torch_from("cpu"), REST]
    assert make("lessons", "lab")[1] == []
    assert make("quick")[1] == ["-e .[test]"]
    assert make("test", "bench")[1] == []


def test_make_lab_hides_nbgraders_buttons():
    from jupyterlab_server.config import get_page_config

    folder = ROOT / "notebooks" / ".lab"
    assert (
        f'--LabApp.app_settings_dir="$(CURDIR)/{folder.relative_to(ROOT)}"' in (ROOT / "Makefile").read_text()
    )
    assert "@jupyter/nbgrader" in get_page_config([], str(folder))["disabledExtensions"]
    assert "@jupyter/nbgrader" not in get_page_config([])["disabledExtensions"]


def pins(name="constraints.txt"):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and line[0] != "#"]


@pytest.mark.parametrize("python", PYTHONS)
def test_every_pin_installs_on_every_python(python):
    """Requires-Python of what is installed here; a marker keeps a pin from a Python that it refuses."""
    system = {"sys_platform": "linux", "platform_system": "Linux", "python_full_version": python}
    system["python_version"] = python.rpartition(".")[0]
    checked = 0
    for pin in pins():
        try:
            installed = metadata(pin.name)
        except PackageNotFoundError:
            continue
        if installed["Version"] in pin.specifier and (pin.marker is None or pin.marker.evaluate(system)):
            assert python in SpecifierSet(installed["Requires-Python"] or ""), f"{pin} needs a marker"
            checked += 1
    if checked < 80:
        pytest.skip("not the environment that make sets up")


def test_the_lowest_versions_are_those_of_pyproject():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [Requirement(line) for lines in (project["dependencies"], *extras) for line in lines]
    lowest = {str(pin) for pin in pins("constraints-lowest.txt")}
    assert lowest == {str(w).replace(">=", "==") for w in wanted if w.name != "vae_edu"}
    assert all(len(w.specifier) == 1 for w in wanted if w.name != "vae_edu")
