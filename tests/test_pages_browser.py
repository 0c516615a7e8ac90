"""The pages of the lessons in headless Chromium: on a phone, on paper, in the dark, and for everybody."""

import nbformat
import pages
import pytest

pytestmark = pytest.mark.browser

PHONE, LAPTOP, PAPER = 390, 1280, 680  # pixels; paper is A4 without its margins
LESSONS = sorted(path.stem for path in pages.FOLDER.glob("[0-9]*.ipynb"))
TYPESET = "new Promise(done => MathJax.Hub.Queue(() => done(true)))"
# What is wider than its box: its kind, its width, that of the box, how it overflows, and its text.
WIDE = """selector => [...document.querySelectorAll(selector)]
    .filter(one => one.offsetParent && one.scrollWidth > one.clientWidth + 1)
    .map(one => [getComputedStyle(one).overflowX, getComputedStyle(one).backgroundImage.slice(0, 15),
                 one.scrollWidth, one.clientWidth, one.textContent.slice(0, 60)])"""
# The least contrast of text with what is behind it, by WCAG's formula.
CONTRAST = """selector => {
    const parts = color => color.match(/[\\d.]+/g).map(Number);
    const light = color => parts(color).slice(0, 3).map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = one => {
        for (; one; one = one.parentElement) {
            const color = getComputedStyle(one).backgroundColor;
            if ((parts(color)[3] ?? 1) > 0.99) return color;
        }
        return "rgb(255, 255, 255)";
    };
    const ratios = [...document.querySelectorAll(selector)].filter(one => one.offsetParent).map(one => {
        const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((a, b) => b - a);
        return (a + 0.05) / (b + 0.05);
    });
    return [ratios.length, Math.min(...ratios)];
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lessons")
    pages.copy_mathjax(folder)
    pages.write_texts(folder)
    for name in LESSONS:
        pages.write(nbformat.read(pages.FOLDER / f"{name}.ipynb", as_version=4), folder / f"{name}.html")
    return folder


@pytest.fixture
def show(chromium, folder):
    """Open a page at a width, and wait for its formulas; nothing is asked of any host."""
    opened = []

    def show(name, width, **options):
        page = chromium.new_page(viewport={"width": width, "height": 900}, **options)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / f"{name}.html").as_uri())
        page.wait_for_function("window.MathJax && MathJax.isReady")
        page.evaluate(TYPESET)
        assert not [url for url in asked if not url.startswith(("file:", "data:", "about:"))]
        opened.append(page)
        return page

    yield show
    for page in opened:
        page.close()


@pytest.mark.parametrize("name", [*LESSONS, "LECTURE", "FORMULAS", "WHERE_NEXT"])
def test_on_a_phone_no_formula_is_cut_without_a_sign(show, name):
    page = show(name, PHONE)
    assert page.locator(".MathJax_Display").count() or name in {"FORMULAS"}
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    for overflow, background, *wide in page.evaluate(WIDE, ".MathJax_Display, table, .highlight pre"):
        assert (overflow, background) == ("auto", "linear-gradient"), wide
    column = page.evaluate("document.querySelector('.jp-MarkdownOutput').clientWidth")
    for width in page.evaluate(
        "[...document.querySelectorAll('.MathJax_Display')].map(one => one.offsetWidth)"
    ):
        assert width <= column


@pytest.mark.parametrize("name", LESSONS)
def test_on_paper_nothing_is_cut(show, name):
    """The formulas are broken for the screen first, as they are when a reader prints."""
    page = show(name, LAPTOP)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER, "height": 1000})
    assert page.evaluate(WIDE, "pre, .MathJax_Display, img") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["04_elbo", "06_generation", "07_editing"])
def test_text_has_contrast_and_links_are_underlined(show, name, scheme):
    page = show(name, LAPTOP, color_scheme=scheme)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    for what in ("p", ".highlight span", ".jp-InputPrompt", "summary", "p code", "main a", "pre"):
        number, least = page.evaluate(CONTRAST, what)
        assert number
        assert least >= 4.5, what
    lines = page.evaluate(
        "[...document.querySelectorAll('main p a, nav.ways a')]"
        ".map(one => getComputedStyle(one).textDecorationLine)"
    )
    assert set(lines) == {"underline"}
