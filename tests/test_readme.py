"""The README: short, true, and in step with the lessons and the lecture's page."""

import importlib
import json
import re
from pathlib import Path

import pytest

from tests.test_project import MODULES
from vae_edu.exercises import LESSONS

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks"
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXTS = [ROOT / "README.md", *sorted(FOLDER.glob("*.md"))]
WORDS = 900


def words(text):
    """What is read, one by one: no code blocks, tables, tags or addresses."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    text = re.sub(r"^\|.*$|<[^>]+>|\]\([^)]*\)", " ", text, flags=re.M)
    return re.findall(r"\S*\w\S*", text)


def test_words_are_counted_as_they_are_read():
    text = "One [two](a b.md) *five*.\n```\nsix\n```\n| seven | eight |\n<details>nine</details>\n– ten"
    assert words(text) == ["One", "[two", "*five*.", "nine", "ten"]


def test_it_is_short():
    assert len(words(README)) < WORDS


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_functions_and_commands_exist(path):
    text = path.read_text(encoding="utf-8")
    for module, name in re.findall(r"`(\w+)\.(\w+)`", text):
        if module in MODULES:
            assert hasattr(importlib.import_module(f"vae_edu.{module}"), name), f"{module}.{name}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_its_links_lead_somewhere():
    targets = re.findall(r"\]\((?!http)([^)]+)\)", README)
    for target in targets:
        assert (ROOT / target.partition("#")[0]).exists(), target
    assert {f"notebooks/{path.name}" for path in FOLDER.glob("*.md")} <= set(targets)


def test_its_lessons_say_the_same():
    """The question, the minutes of the short and the full way, and the number of exercises."""
    row = r"^\| \[(\d\d) (.+?)\]\(notebooks/(\w+)\.ipynb\) \| (.+?) \| (\d+) / (\d+) \| (\d+) \|$"
    rows = re.findall(row, README, re.M)
    assert [name for _, _, name, *_ in rows] == list(LESSONS)
    for number, title, name, question, short, full, exercises in rows:
        cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        first = re.sub(r"[*$\\]", "", "".join(cells[0]["source"]))
        assert first.startswith(f"# {int(number)} · {title}\n")
        assert f"The question. {question}" in first
        assert re.search(rf"It takes {short} minutes .*\b{full} (?:in full|with everything)", first), name
        assert len(LESSONS[name]) == int(exercises)


def test_its_lines_are_those_of_the_lectures_page():
    """LECTURE.md has the table; the README has a copy."""
    page = (FOLDER / "LECTURE.md").read_text(encoding="utf-8")
    table = re.search(r"^\| line \|.*?\n\n", page, re.M | re.S)[0].strip()
    table = re.sub(r"\]\((?=#)", "](notebooks/LECTURE.md", table)
    table = re.sub(r"\]\((?=\d)", "](notebooks/", table)
    assert f"\n{table}\n" in README, f"the README should have\n{table}"


def test_its_check_says_what_a_check_says(capsys):
    code, said = re.search(r"```python\n(.*?)```\n```text\n(.*?)```", README, re.S).groups()
    exec(f"from vae_edu.checks import check\n{code}", {})
    assert capsys.readouterr().out.split() == said.split()


def test_the_example_in_python_runs(tmp_path, monkeypatch, capsys):
    """On fewer images, epochs and nodes."""
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", (FOLDER / "COMMANDS.md").read_text(encoding="utf-8"), re.S)[1]
    for old, new in {"10_000": "200", "n=100": "n=5", "epochs=10": "epochs=1", "480": "80"}.items():
        assert old in code
        code = code.replace(old, new)
    exec(code, {})
    assert (tmp_path / "vae.pt").exists()
    assert capsys.readouterr().out.count("tensor(") == 3
