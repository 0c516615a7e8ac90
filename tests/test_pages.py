"""Lessons as HTML pages: what is folded, what figures say, and that nothing comes from the network."""

import base64
import re

import nbformat
import pages
import pytest
from bs4 import BeautifulSoup

PIXEL = base64.b64encode(b"a picture").decode()
EXERCISE = """# Exercise 1.1: twice
def twice(x):
    ### BEGIN SOLUTION
    if x:
        return 2 * x
    return 0
    ### END SOLUTION"""


def picture(**metadata):
    return nbformat.v4.new_output("display_data", {"image/png": PIXEL}, metadata={"image/png": metadata})


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    cells = [
        nbformat.v4.new_markdown_cell("# 1 · Twice $x$\n\n| a | b |\n|---|---|\n| $p(x \\mid z)$ | 2 |"),
        nbformat.v4.new_code_cell(EXERCISE, metadata={"tags": []}),
        nbformat.v4.new_code_cell("draw()", metadata={"tags": ["hide-input"]}),
        nbformat.v4.new_code_cell("facts()", metadata={"tags": ["hide-cell", "nbval-check-output"]}),
        nbformat.v4.new_code_cell("plain()"),
    ]
    cells[2].outputs = [picture(alt='Bars of "q" & p <0.')]
    cells[3].outputs = [nbformat.v4.new_output("stream", text="right: True\n")]
    cells[4].outputs = [picture()]
    path = tmp_path_factory.mktemp("pages") / "01_twice.html"
    pages.write(nbformat.v4.new_notebook(cells=cells), path)
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def test_a_solution_is_folded_below_its_exercise(page):
    exercise = page.find_all("div", class_="jp-CodeCell")[0]
    folded = exercise.find("details", class_="folded")
    assert "solution" in folded.summary.text
    assert folded.find("pre").text.strip() == "if x:\n    return 2 * x\nreturn 0"
    folded.extract()
    assert exercise.find("pre").text.strip() == "# Exercise 1.1: twice\ndef twice(x):\n    ..."


def test_drawing_and_checks_are_folded_and_the_figure_is_not(page):
    drawing, checks, plain = page.find_all("div", class_="jp-CodeCell")[1:]
    assert "draw()" in drawing.find("details").text
    assert drawing.find("img").find_parent("details") is None
    assert "right: True" in checks.find_parent("details").text
    assert plain.find("details") is None
    assert not page.find_all("details", open=True)


def test_figures_have_their_alternative_text(page):
    assert [image["alt"] for image in page.find_all("img")] == ['Bars of "q" & p <0.', ""]
    assert base64.b64decode(page.find("img")["src"].partition(",")[2]) == b"a picture"


def test_a_table_is_a_table(page):
    assert page.find("table")
    assert "|---|" not in page.text


def test_pages_lead_to_one_another(tmp_path):
    pages.write_texts(tmp_path)
    written = {path.name for path in tmp_path.glob("*.html")}
    lessons = [path.stem for path in sorted(pages.FOLDER.glob("[0-9]*.ipynb"))]
    index = BeautifulSoup((tmp_path / "index.html").read_text(encoding="utf-8"), "html.parser")
    links = [link["href"] for link in index.main.find_all("a", class_=None) if link["href"][0] != "#"]
    assert links[: len(lessons)] == [f"{name}.html" for name in lessons]
    for page in written:
        text = BeautifulSoup((tmp_path / page).read_text(encoding="utf-8"), "html.parser")
        for link in text.main.find_all("a"):
            target = link["href"].partition("#")[0]
            if target.endswith(".html") and not target.startswith("http"):
                assert target in written | {f"{name}.html" for name in lessons}, (page, target)
            assert not target.endswith(".ipynb"), (page, target)


def test_pictures_and_places_of_the_texts_are_there(tmp_path):
    pages.write_texts(tmp_path)
    written = {
        path.name: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in tmp_path.glob("*.html")
    }
    for name, text in written.items():
        for image in text.main.find_all("img"):
            assert (tmp_path / image["src"]).exists(), (name, image["src"])
        for link in text.main.find_all("a", href=re.compile("#")):
            page, _, place = link["href"].partition("#")
            if not page or page in written:
                assert written[page or name].find(id=place), (name, link["href"])


def test_the_title_and_the_index_are_the_lessons(page, tmp_path):
    assert page.title.text == "1 · Twice $x$"
    pages.write_texts(tmp_path)
    index = BeautifulSoup((tmp_path / "index.html").read_text(encoding="utf-8"), "html.parser")
    items = [item.text for item in index.main.find_all("li")]
    assert items[4].startswith("4 · The evidence lower bound. How can we make")
    assert items[4].endswith("45 minutes, 80 in full.")


def test_a_lesson_leads_to_its_neighbors(tmp_path):
    cell = nbformat.v4.new_markdown_cell("[three](03_bayes_rule.ipynb) and [lines](LECTURE.md#d1)")
    pages.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "04_elbo.html")
    text = BeautifulSoup((tmp_path / "04_elbo.html").read_text(encoding="utf-8"), "html.parser")
    links = [link["href"] for link in text.main.find_all("a")]
    ways = ["03_bayes_rule.html", "index.html", "05_training.html"]
    assert links == [*ways, "03_bayes_rule.html", "LECTURE.html#d1", *ways]


def test_nothing_comes_from_the_network(page):
    addresses = [tag.get("src") or "" for tag in page.find_all("script")]
    addresses += [tag.get("href") or "" for tag in page.find_all("link")]
    assert not [address for address in addresses if re.match(r"(https?:)?//", address)]
    assert any(address.startswith("mathjax/") for address in addresses)
