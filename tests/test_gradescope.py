"""The autograder for Gradescope, in a folder that stands for its container."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from vae_edu.__main__ import main
from vae_edu.exercises import LESSONS
from vae_edu.grading import gradescope

ROOT = Path(__file__).parent.parent
LESSON = "01_autoencoder"
TEXT = (ROOT / "notebooks" / f"{LESSON}.ipynb").read_text(encoding="utf-8")
WRONG = TEXT.replace("(x_hat - x).square()", "(x_hat - x)")


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    """What setup.sh leaves behind, with this environment's packages; apt-get and pip are not run."""
    root = tmp_path_factory.mktemp("autograder")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert main(["gradescope", "out.zip"]) == 0
    with zipfile.ZipFile(root / "out.zip") as archive:
        archive.extractall(root / "source")
    (root / "venv" / "bin").mkdir(parents=True)
    python = root / "venv" / "bin" / "python"  # a script, since a link would not find its packages
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return root


def run(root, files):
    """Hand in these files and run the autograder: what is in results.json."""
    for name, content in files.items():
        path = root / "submission" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (root / "submission").mkdir(exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(
        ["bash", root / "source" / "run_autograder"],
        env=environment | {"AUTOGRADER_ROOT": str(root)},
        check=True,
    )
    results = json.loads((root / "results" / "results.json").read_text())
    for place in sorted((root / "submission").rglob("*"), reverse=True):
        place.rmdir() if place.is_dir() else place.unlink()
    return results


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_the_zip_holds_what_the_documentation_asks_for(container):
    with zipfile.ZipFile(container / "out.zip") as archive:
        names = archive.namelist()
        assert {"setup.sh", "run_autograder", "requirements.txt", "vae_edu/__init__.py"} <= set(names)
        assert not [name for name in names if "__pycache__" in name or ".ipynb" in name]
        for name in ("setup.sh", "run_autograder"):
            text = archive.read(name).decode()
            assert text.startswith("#!/usr/bin/env bash\n")
            assert archive.getinfo(name).external_attr >> 16 & 0o111
            subprocess.run(["bash", "-n"], input=text, text=True, check=True)
        assert "torch==" in archive.read("requirements.txt").decode()
        assert "+" not in archive.read("requirements.txt").decode()
    first = (container / "out.zip").read_bytes()
    gradescope.write(container / "out.zip")
    assert (container / "out.zip").read_bytes() == first


def test_setup_makes_an_environment(container, tmp_path):
    """With stand-ins for apt-get and the Pythons that write down how they were called."""
    stand_ins = tmp_path / "bin"
    stand_ins.mkdir()
    (stand_ins / "apt-get").write_text('#!/bin/sh\necho "apt-get $*"; case "$*" in *3.13*) exit 1;; esac\n')
    (stand_ins / "python3.12").write_text(
        '#!/bin/sh\necho "python3.12 $*"; mkdir -p venv/bin\n'
        "printf '#!/bin/sh\\necho pip \"$@\"\\n' > venv/bin/pip; chmod +x venv/bin/pip\n"
    )
    for path in stand_ins.iterdir():
        path.chmod(0o755)
    root = tmp_path / "root"
    root.mkdir()
    (root / "source").symlink_to(container / "source")
    environment = {"PATH": f"{stand_ins}:/usr/bin:/bin", "AUTOGRADER_ROOT": str(root)}
    command = ["bash", root / "source" / "setup.sh"]
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    assert said[:4] == [
        "apt-get update",
        "apt-get install -y python3.13 python3.13-venv",
        "apt-get install -y python3.12 python3.12-venv",
        "python3.12 -m venv venv",
    ]
    assert said[4].endswith("--index-url https://download.pytorch.org/whl/cpu")
    assert said[5].endswith("-r source/requirements.txt")


def test_a_notebook_under_any_name(container):
    found = run(container, {"my homework (2).IPYNB": WRONG})
    tests = {test["name"]: test for test in found["tests"] if "score" in test}
    assert len(tests) == len(LESSONS[LESSON])
    assert (found["score"], sum(test["max_score"] for test in tests.values())) == (8, 10)
    first = tests["1.1 l2_loss"]
    assert (first["score"], first["max_score"], first["status"], first["visibility"]) == (
        0,
        2,
        "failed",
        "visible",
    )
    assert first["output"]
    assert "Lesson 01: Autoencoders: 8 of 10 points" in found["output"]


def test_several_files_a_zip_and_nothing(container):
    found = run(
        container, {"a.ipynb": WRONG, "b/c.zip": zipped({"x/y.ipynb": TEXT, "__MACOSX/._y.ipynb": "x"})}
    )
    assert found["score"] == 10
    assert "There are several files for 01_autoencoder; the best one counts." in found["output"]
    nothing = run(container, {})
    assert nothing["score"] == 0
    assert "No notebook (.ipynb) with exercises of the course was handed in." in nothing["output"]
    broken = run(container, {"a.zip": b"PK\x03\x04no", "b.ipynb": "{"})
    assert broken["score"] == 0
    assert "a.zip cannot be unpacked" in broken["output"]
    assert "b.ipynb: " in broken["output"]


def test_flags_are_for_instructors(container):
    copied = TEXT.replace("return (x_hat - x).square()", "import inspect; return (x_hat - x).square()")
    found = run(container, {"a.ipynb": copied})
    (flags,) = [test for test in found["tests"] if test["visibility"] == "hidden"]
    assert "1.1 l2_loss: it imports inspect" in flags["output"]
    assert "inspect" not in found["output"]


def test_a_grader_that_fails_says_so(tmp_path):
    (tmp_path / "source").mkdir()
    gradescope.run(tmp_path)
    found = json.loads((tmp_path / "results" / "results.json").read_text())
    assert "The grader itself is at fault, not your notebook" in found["output"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["out.tar"], "out.tar must end in .zip"), (["out.zip", "--lesson", "x"], "there is no lesson x")],
)
def test_bad_input_gets_a_sentence(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(["gradescope", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
