"""Build the course as a site in build/site (make site).

It gathers lessons, texts and the package's docstrings in build/site-source, and Sphinx makes pages of them.
Nothing is executed: a lesson shows its committed outputs. The pages need no network and no server.

With VAE_EDU_SITE_REPOSITORY=owner/name, the place of the course on GitHub, each lesson has a link to Colab.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LESSONS = HERE.parent
ROOT = LESSONS.parent
BUILD = ROOT / "build"
SOURCE, EXTRA, SITE = BUILD / "site-source", BUILD / "site-extra", BUILD / "site"
sys.path[:0] = [str(LESSONS)]

import assignments
import nbformat
from nbformat import NotebookNode
from pages import DRAG, begin_live_pages, exercise, opening, solution, with_live_sliders

import vae_edu
from vae_edu import checks

REPOSITORY = os.environ.get("VAE_EDU_SITE_REPOSITORY", "")
DOORS = {  # the side bar; a text that is nowhere here comes last
    "Learn": ["LECTURE", "FORMULAS", "WHERE_NEXT"],
    "Teach": ["TEACHING", "PROJECT"],
    "Use the package": ["SETUP", "COMMANDS", "IMAGES", "api", "SPEED", "PUBLISHED"],
    "Contribute": ["CONTRIBUTING", "CHANGELOG"],
}
FOLDED = {"hide-input": "Code", "hide-cell": "Checks of what was said"}
LINK = re.compile(r"\[([^\]\[]*)\]\((?!\w+:|#)([^)#\s]+)(#[\w-]+)?\)")
MISTAKE = """def kl_to_standard_normal(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean(1)
"""


def main() -> int:
    for folder in (SOURCE, EXTRA, SITE):
        shutil.rmtree(folder, ignore_errors=True)
    (SOURCE / "pictures").mkdir(parents=True)
    (EXTRA / "lessons").mkdir(parents=True)
    live = begin_live_pages(SITE)  # while Sphinx makes the others
    lessons = {path.stem: assignments.read(path) for path in sorted(LESSONS.glob("[0-9]*.ipynb"))}
    texts = {path.stem: path for path in [*sorted(LESSONS.glob("*.md")), *ROOT.glob("C[HO]*.md")]}

    for picture in (LESSONS / "pictures").glob("*.png"):
        shutil.copy(picture, SOURCE / "pictures")
    for name, lesson in lessons.items():
        nbformat.write(page(name, lesson), SOURCE / f"{name}.ipynb")
        download(name, lesson)
    for name, path in texts.items():
        text = linked(path.read_text(encoding="utf-8"), path.parent)
        (SOURCE / f"{name}.md").write_text(text, encoding="utf-8")
    reference()
    front_page(lessons, texts)
    alternatives = SOURCE / "alternatives.json"
    alternatives.write_text(json.dumps(dict(each for le in lessons.values() for each in described(le))))

    os.environ |= {"VAE_EDU_SITE_EXTRA": str(EXTRA), "VAE_EDU_SITE_ALTERNATIVES": str(alternatives)}
    from sphinx.cmd.build import main as sphinx

    failed = sphinx(["-q", "-W", "--keep-going", "-j", "auto", "-c", str(HERE), str(SOURCE), str(SITE)])
    failed = live.wait() or failed
    print(f"{SITE / 'index.html'}: " + ("see the warnings above" if failed else "open it in a browser"))
    return failed


def page(name: str, lesson: NotebookNode) -> NotebookNode:
    """The lesson for the site: each solution in a folded cell, and links to take the notebook away."""
    lesson = nbformat.from_dict(json.loads(json.dumps(lesson)))
    cells = []
    for cell in with_live_sliders(lesson.cells):
        cells.append(cell)
        if cell.cell_type == "markdown":
            attached(cell)
            cell.source = linked(cell.source.replace(DRAG[0], f"page:{DRAG[1]}"), LESSONS)
            continue
        for tag in set(cell.metadata.get("tags", [])) & FOLDED.keys():
            fold(cell, tag, FOLDED[tag])
        if answer := solution(cell.source):
            cell.source = exercise(cell.source)
            cells.append(nbformat.v4.new_code_cell(answer, id=f"solution-{len(cells)}"))
            fold(cells[-1], "hide-input", "A solution: try it first")
    title, _, rest = cells[0].source.partition("\n")
    cells[0].source = f"{title}\n\n{ways(name)}\n{rest}"
    lesson.cells = cells
    return lesson


def attached(cell: NotebookNode) -> None:
    """Make files of the pictures that a cell carries."""
    for name, kinds in cell.pop("attachments", {}).items():
        (SOURCE / "pictures" / name).write_bytes(b64decode(kinds["image/png"]))
        cell.source = cell.source.replace(f"(attachment:{name})", f"(pictures/{name})")


def fold(cell: NotebookNode, tag: str, title: str) -> None:
    cell.metadata["tags"] = [tag]
    cell.metadata["mystnb"] = {"code_prompt_show": title, "code_prompt_hide": title}


def ways(name: str) -> str:
    """How to take a lesson away."""
    links = [
        f'<a href="lessons/{name}.ipynb" download>Download the notebook</a>',
        f'<a href="lessons/student/{name}.ipynb" download>without solutions</a>',
    ]
    if REPOSITORY:
        address = f"https://colab.research.google.com/github/{REPOSITORY}/blob/main/notebooks/{name}.ipynb"
        links.append(f'<a href="{address}">open in Colab</a>')
    return f'<p class="ways">{" · ".join(links)}</p>\n'


def download(name: str, lesson: NotebookNode) -> None:
    """Put the lesson and its student version next to the pages."""
    shutil.copy(LESSONS / f"{name}.ipynb", EXTRA / "lessons")
    found = assignments.exercises(name, lesson)
    student = EXTRA / "lessons" / "student" / f"{name}.ipynb"
    assignments.write(assignments.student_version(lesson, found), student)


def linked(text: str, folder: Path) -> str:
    """The text with links that lead within the site, or to the repository, or are taken out."""

    def link(found: re.Match[str]) -> str:
        words, target, part = found[1], (folder / found[2]).resolve(), found[3] or ""
        if target == ROOT / "README.md":
            return f"[{words}](index.md)"
        if target.parent in (LESSONS, ROOT) and target.suffix in (".md", ".ipynb") and target.exists():
            return f"[{words}]({target.name}{part})"
        if target.is_relative_to(LESSONS / "pictures"):
            return f"[{words}](pictures/{target.name})"
        if REPOSITORY:
            return f"[{words}](https://github.com/{REPOSITORY}/blob/main/{target.relative_to(ROOT)}{part})"
        return words

    return LINK.sub(link, text)


def described(lesson: NotebookNode) -> list[tuple[str, str]]:
    """The hash of each figure's bytes, with its alternative text."""
    return [
        (hashlib.sha256(b64decode(data)).hexdigest(), alternative) for data, alternative in figures(lesson)
    ]


def figures(lesson: NotebookNode) -> list[tuple[str, str]]:
    """The figures of a lesson in base64, with their alternative texts."""
    outputs: list[Any] = [output for cell in lesson.cells for output in cell.get("outputs", [])]
    return [
        (output["data"]["image/png"], output["metadata"].get("image/png", {}).get("alt", ""))
        for output in outputs
        if "image/png" in output.get("data", {})
    ]


def reference() -> None:
    """A page for each module that a lesson imports or a person handles, in the order of the lessons."""
    (SOURCE / "api").mkdir()
    doc = vae_edu.__doc__ or ""
    rows = re.findall(r"^    (\d\d)  +(.+?)   +(\S.*)$", doc, re.M)
    handled = re.search(r"What a person handles: (.*?)\.\n", doc, re.S)
    assert handled
    rows.append(("", re.sub(r"\([^)]*\)|\s", "", handled[1]).replace(";", ","), "what a person handles"))
    lines = ["# The functions", "", "Every line of the lecture is a function. Which one, says the table of"]
    lines += [
        "[the lecture](LECTURE.md). All values are in nats per image unless a function says otherwise.",
        "",
    ]
    pages = ["```{toctree}", ":hidden:", ":maxdepth: 1", ""]
    lines += ["| lesson | modules | what they compute |", "|---|---|---|"]
    for lesson, names, what in rows:
        modules = re.split(r",\s*", names)
        links = ", ".join(f"[`{module}`](api/{module}.rst)" for module in modules)
        lines.append(f"| {lesson} | {links} | {what} |")
        pages += [f"api/{module}" for module in modules]
        for module in modules:
            members = "   :imported-members:\n" if module == "data" else ""
            (SOURCE / "api" / f"{module}.rst").write_text(
                f"{module}\n{'=' * len(module)}\n\n"
                f".. automodule:: vae_edu.{module}\n   :members:\n   :show-inheritance:\n{members}",
                encoding="utf-8",
            )
    (SOURCE / "api.md").write_text("\n".join([*lines, "", *pages, "```", ""]), encoding="utf-8")


def front_page(lessons: dict[str, NotebookNode], texts: dict[str, Path]) -> None:
    """Fill in notebooks/site/index.md what can be taken from elsewhere: the cards, a check, the side bar."""
    text = (HERE / "index.md").read_text(encoding="utf-8")
    known = {name for names in DOORS.values() for name in names}
    doors = DOORS | {"Learn": [*lessons, *DOORS["Learn"]], "More": sorted(texts.keys() - known)}
    bar = ""
    for title, names in doors.items():
        there = [name for name in names if name in lessons.keys() | texts.keys() | {"api"}]
        if there:
            bar += "\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *there, "```", "", ""])
    blocks = {"cards": cards(lessons), "mistake": MISTAKE.strip(), "check": checked(MISTAKE), "side bar": bar}
    for name, block in blocks.items():
        text = text.replace(f"<!-- {name} -->", block)
    names = lessons.keys() | texts.keys() | {"api"}
    missing = [path for _, path, _ in LINK.findall(text) if path.endswith(".md") and path[:-3] not in names]
    for path in missing:  # a line about a text that is not there
        text = re.sub(rf"^.*\({path}[^)]*\).*\n", "", text, flags=re.M)
    (SOURCE / "index.md").write_text(text, encoding="utf-8")


def checked(source: str) -> str:
    """What a check says about a function."""
    functions: dict[str, Any] = {}
    exec(source, functions)
    os.environ["VAE_EDU_PROGRESS"] = "0"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        checks.check("kl_to_standard_normal", functions["kl_to_standard_normal"])
    return said.getvalue().strip()


def cards(lessons: dict[str, NotebookNode]) -> str:
    """A card for each lesson: its question, minutes and needs, from its first cell, and a figure."""
    lines = ["::::{grid} 1 2 2 3", ":gutter: 3", ""]
    for name, lesson in lessons.items():
        first = opening(name, lesson.cells[0].source)
        needs = LINK.sub(lambda link: link[1], first.needs)
        data, _ = max(figures(lesson), key=lambda figure: len(figure[0]))  # the one with the most in it
        (SOURCE / "pictures" / f"{name}.png").write_bytes(b64decode(data))
        lines += [
            f":::{{grid-item-card}} {first.title}",
            f":link: {name}",
            ":link-type: doc",
            f":img-top: pictures/{name}.png",
            ":img-alt:",
            "",
            first.question,
            "",
            f"**{first.short} minutes**, {first.full} in full. You need {needs}.",
            ":::",
            "",
        ]
    return "\n".join([*lines, "::::"])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ValueError as error:
        sys.exit(f"There is no site: {error}")
