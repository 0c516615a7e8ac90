"""The lecture's page: every label that a lesson uses is on it, and what it names exists."""

import importlib
import json
import re
from pathlib import Path

import pytest

from vae_edu.exercises import LESSONS

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks"
PAGE = (FOLDER / "LECTURE.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| .*\| \[\d\d\]\((\w+)\.ipynb\), \*(.+?)\* \| (.+?) \|$", PAGE, re.M)
LABEL = r"\b(?:L\d|D\d)\b"
PAGES = sorted(path.name for path in FOLDER.glob("*.md"))


def text_of(lesson):
    cells = json.loads((FOLDER / f"{lesson}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def anchor(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_label_of_a_lesson_is_on_the_page(lesson):
    assert set(re.findall(LABEL, text_of(lesson))) <= set(re.findall(rf"\\text\{{\(({LABEL})\)\}}", PAGE))


def test_every_line_has_its_formula_and_its_row():
    lines = [f"L{i}" for i in range(6)] + [f"D{i}" for i in range(1, 7)]
    table, formulas = PAGE.split("## 0. ")
    assert re.findall(rf"\\text\{{\(({LABEL})\)\}}", formulas) == [*lines[:5], *lines[6:], "L5"]
    assert set(lines) <= set(re.findall(LABEL, table))


def test_the_sheet_of_formulas_has_every_line():
    sheet = (FOLDER / "FORMULAS.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| ([LD]\d) \|", sheet, re.M) == [
        *(f"L{i}" for i in range(5)),
        *(f"D{i}" for i in range(1, 7)),
        "L5",
    ]


def test_every_lesson_of_the_lecture_has_a_row():
    assert {name for name in LESSONS if name[:2] < "10"} <= {lesson for lesson, _, _ in ROWS}


@pytest.mark.parametrize(("lesson", "section"), sorted({row[:2] for row in ROWS}))
def test_every_section_is_in_its_lesson(lesson, section):
    for heading in re.split(r"\* (?:and|to) \*", section):  # one, or from one to another
        assert re.search(rf"^##+ (?:◇ )?{re.escape(heading)}(?: ◇)?$", text_of(lesson), re.M)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(\w+\.\w+)`", PAGE))))
def test_every_function_exists(name):
    module, _, function = name.partition(".")
    assert callable(getattr(importlib.import_module(f"vae_edu.{module}"), function))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    text = (FOLDER / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
        path, _, place = target.partition("#")
        file = FOLDER / path if path else FOLDER / page
        assert file.exists(), target
        if place:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.M)
            assert place in map(anchor, headings), target
