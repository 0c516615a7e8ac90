"""The site: every link leads somewhere, solutions are folded, figures are described, nothing is fetched.

It is built once, and needs the extra `site`, and some tests need Chromium: make test-browser has both.
"""

import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent
SITE = ROOT / "build" / "site"
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
FOUND = {  # from the front page in one step, by the words of a link
    "Lesson 4, the bound": "04_elbo.html",
    "Which function for which line, such as L4": "LECTURE.html#where-everything-is",
    "Grade what comes back": "TEACHING.html#marking",
    "lesson 4": "04_elbo.html",
}
WIDE = """() => [...document.querySelectorAll("div.math, .katex")]
    .filter(e => e.offsetParent && !e.closest(".pst-scrollable-table-container"))
    .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth
        || e.getBoundingClientRect().right > innerWidth + 1)
    .map(e => e.innerText)"""


@pytest.fixture(scope="session")
def site():
    """The built site; any warning of Sphinx is an error."""
    for package in (
        "myst_nb",
        "sphinx_book_theme",
        "sphinxcontrib.katex",
        "sphinx_copybutton",
        "sphinx_design",
    ):
        pytest.importorskip(
            package, reason="the site's packages are not here: make test-browser installs them"
        )
    result = subprocess.run(
        [sys.executable, ROOT / "notebooks" / "site" / "build.py"],
        env={name: value for name, value in os.environ.items() if name != "VAE_EDU_SITE_REPOSITORY"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return SITE


@functools.cache
def soup(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def pages(site):
    return [path for path in site.rglob("*.html") if "_static" not in path.parts]


def test_every_internal_link_leads_somewhere(site):
    broken, seen = [], 0
    for page in pages(site):
        for tag in soup(page).find_all(["a", "img", "link", "script"]):
            address = urlsplit(tag.get("href") or tag.get("src") or "")
            if address.scheme or address.netloc:
                continue
            target = (page.parent / unquote(address.path)).resolve() if address.path else page
            part, seen = unquote(address.fragment), seen + 1
            if not target.is_file():
                broken.append((page.name, target.name))
            elif part and target.suffix == ".html" and not soup(target).find(id=part):
                broken.append((page.name, f"{target.name}#{part}"))
    assert broken == []
    assert seen > 1_000


def test_no_page_asks_another_host(site):
    for page in pages(site):
        for tag in soup(page).find_all(["img", "link", "script", "iframe"]):
            address = urlsplit(tag.get("href") or tag.get("src") or "")
            assert not address.netloc or tag.get("rel") == ["canonical"], (page.name, tag)


def test_every_lesson_has_its_page_and_its_downloads(site):
    front = {urlsplit(link["href"]).path for link in soup(site / "index.html").find_all("a", href=True)}
    for path in LESSONS:
        page = soup(site / f"{path.stem}.html")
        assert f"{path.stem}.html" in front
        links = [link["href"] for link in page.find_all("a", download=True)]
        assert links == [f"lessons/{path.name}", f"lessons/student/{path.name}"]
        assert (site / links[0]).read_bytes() == path.read_bytes()
        assert "BEGIN SOLUTION" not in (site / links[1]).read_text(encoding="utf-8")
        assert page.find("a", class_="right-next") or path == LESSONS[-1]
        assert "colab" not in str(page)


def test_solutions_are_folded_and_exercises_are_not(site):
    for path in LESSONS:
        page = soup(site / f"{path.stem}.html")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        exercises = [text for cell in cells if "BEGIN SOLUTION" in (text := "".join(cell["source"]))]
        folded = [tag for tag in page.find_all("details") if "A solution: try it first" in tag.summary.text]
        assert len(folded) == len(exercises) > 0
        for tag, text in zip(folded, exercises):
            last = text.split("### BEGIN SOLUTION\n")[1].split("\n    ### END SOLUTION")[0].split("\n")[-1]
            assert last.strip() in tag.text
            assert not tag.has_attr("open")
            code = tag.find_previous("div", class_="highlight").text
            assert code.startswith("# Exercise")
            assert code.rstrip().endswith("...")
        for tag in page.find_all("details"):
            tag.extract()
        assert "BEGIN SOLUTION" not in page.main.text
    soup.cache_clear()  # pages without their folds are of no use to the others


def test_figures_have_their_alternative_texts(site):
    for path in LESSONS:
        said = []
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            said += re.findall(r"!\[(.*?)\]\(", "".join(cell["source"])) if "attachments" in cell else []
            shown = [each for each in cell.get("outputs", []) if "image/png" in each.get("data", {})]
            said += [each["metadata"]["image/png"]["alt"] for each in shown]
        images = soup(site / f"{path.stem}.html").main.find_all("img")
        assert [image["alt"].split() for image in images] == [words.split() for words in said]
        assert all(said)


@pytest.mark.parametrize("words", FOUND)
def test_a_reader_finds_it_from_the_front_page(site, words):
    links = soup(site / "index.html").main.find_all("a")
    assert FOUND[words] in [link["href"] for link in links if link.text.strip() == words]


def test_the_function_of_l4_is_one_link_from_its_line(site):
    row = next(row for row in soup(site / "LECTURE.html").find_all("tr") if row.td and row.td.text == "L4")
    links = [link["href"] for link in row.find_all("a")]
    assert "api/bayes.html#vae_edu.bayes.bayes_rule" in links


def test_the_check_on_the_front_page_is_a_real_one(site):
    import torch

    from vae_edu.checks import problem

    code, said = (tag.text.strip() for tag in soup(site / "index.html").main.find_all("pre")[:2])
    functions = {"torch": torch}
    exec(code, functions)
    mistake = problem("kl_to_standard_normal", functions["kl_to_standard_normal"])
    assert mistake
    assert mistake in said


def test_katex_and_its_fonts_are_of_one_version(site):
    katex = pytest.importorskip("sphinxcontrib.katex")
    style = (site / "_static" / "katex" / "katex.min.css").read_text(encoding="utf-8")
    assert f'content:"{katex.katex_version}"' in style


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_formulas_fit_and_nothing_is_fetched(site, chromium, width, scheme):
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked, formulas = [], 0
    page.on("request", lambda request: asked.append(request.url))
    for path in sorted(site.glob("*.html")):
        if path.name in ("explorer.html", "genindex.html", "py-modindex.html"):
            continue
        page.goto(path.as_uri())
        page.wait_for_function(
            "document.querySelectorAll('.math').length == 0 || document.querySelector('.katex')"
        )
        formulas += page.locator("div.math .katex").count()
        assert page.locator(".katex-error").count() == 0, path.name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        assert page.evaluate(WIDE) == [], path.name
    assert formulas > 40
    assert [address for address in asked if not address.startswith(("file:", "data:"))] == []
    page.close()


def test_the_search_works_from_disk(site, chromium):
    page = chromium.new_page()
    page.goto(f"{(site / 'search.html').as_uri()}?q=importance")
    page.wait_for_selector("#search-results a[href*='08_how_tight_is_the_bound.html']")
    page.close()
