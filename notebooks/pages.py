"""Lessons as HTML pages that need no network. Solutions, plotting and checks are folded.

The pages are linked to one another, to an index, and to the texts that go with the lessons.
"""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

from assignments import SOLUTION

FOLDER = Path(__file__).resolve().parent
STYLE = (FOLDER / "pages.css").read_text(encoding="utf-8")
LINK = re.compile(r"\]\((\w+)\.(?:ipynb|md)(#[\w-]+)?\)")
PLACE = re.compile(r'(<h\d id="|<a class="anchor-link" href="#)([^"]+)')  # named as GitHub does
DRAG = "COMMANDS.md#drag-q-by-hand", "explorer.html"  # what a link leads to on GitHub, and on a page
SLIDERS = '<iframe class="live" src="sliders.html" title="Ten sliders, and the image that follows"></iframe>'
TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{% block html_head_css %}{{ super() }}
{% set dark = '<style media="screen and (prefers-color-scheme: dark)"' -%}
{{ resources.include_css('static/theme-dark.css') | replace('<style', dark) }}
<style>STYLE</style>
{% endblock html_head_css %}

{% block codecell %}
{%- if 'hide-cell' in cell.metadata.get('tags', []) -%}
<details class="folded"><summary>Checks of what was said</summary>{{ super() }}</details>
{%- else -%}{{ super() }}{%- endif -%}
{% endblock codecell %}

{% block input_group %}
{%- if 'hide-input' in cell.metadata.get('tags', []) -%}
<details class="folded"><summary>Code</summary>{{ super() }}</details>
{%- else -%}{{ super() }}{%- endif -%}
{% endblock input_group %}

{% block input %}
{%- set answer = cell.source | solution -%}
<div class="jp-CodeMirrorEditor jp-Editor jp-InputArea-editor" data-type="inline">
<div class="cm-editor cm-s-jupyter">{{ cell.source | exercise | highlight_code | clean_html }}</div>
{%- if answer -%}
<details class="folded"><summary>A solution: try it first</summary>
<div class="cm-editor cm-s-jupyter">{{ answer | highlight_code | clean_html }}</div></details>
{%- endif -%}
</div>
{% endblock input %}

{% block data_png scoped %}
<div class="jp-RenderedImage jp-OutputArea-output">
<img src="data:image/png;base64,{{ output.data['image/png'] }}"
 alt="{{ (output | get_metadata('alt', 'image/png') or '') | escape_html }}">
</div>
{% endblock data_png %}
"""


def write(notebook: dict[str, Any], path: Path) -> None:
    """Write a notebook as a page. MathJax and its web font must be in the folder mathjax next to it."""
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        extra_loaders=[DictLoader({"lesson.html.j2": TEMPLATE.replace("STYLE", STYLE)})],
        template_file="lesson.html.j2",
        mathjax_url="mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full,Safe",
        require_js_url="",
        jquery_url="",
    )
    exporter.register_filter("exercise", exercise)
    exporter.register_filter("solution", solution)
    body, _ = exporter.from_notebook_node(_linked(notebook), resources={"metadata": {"name": path.stem}})
    fonts: dict[str, Any] = {"availableFonts": [], "preferredFont": None, "webFont": "STIX-Web"}
    fonts["linebreaks"] = {"automatic": True, "width": "container"}
    settings = json.dumps({"jax": ["input/TeX", "output/HTML-CSS"], "HTML-CSS": fonts})
    body = body.replace("<head>", f"<head><script>window.MathJax = {settings};</script>", 1)
    body = PLACE.sub(lambda found: found[1] + re.sub(r"[^\w-]", "", found[2].lower()), body)
    above, below = _ways(path.stem, "above"), _ways(path.stem, "below")
    body = body.replace("<main>", f"<main>{above}", 1).replace("</main>", f"{below}</main>", 1)
    path.write_text(body, encoding="utf-8")


def write_texts(folder: Path) -> None:
    """Write the index of the lessons, the texts next to them, and the pictures of these."""
    shutil.copytree(FOLDER / "pictures", folder / "pictures", dirs_exist_ok=True)
    lessons = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in _lessons()}
    lines = ["# Variational autoencoders, one lecture line at a time", ""]
    for name, lesson in lessons.items():
        first = opening(name, "".join(lesson["cells"][0]["source"]))
        minutes = f"*{first.short} minutes, {first.full} in full.*"
        lines += [f"- [{first.title}]({name}.ipynb). {first.question} {minutes}"]
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
    lines += ["", "## To go with them", ""]
    lines += [f"- [{text.partition(chr(10))[0].lstrip('# ')}]({name}.md)" for name, text in texts.items()]
    for name, text in {"index": "\n".join(lines), **texts}.items():
        write(_notebook(text), folder / f"{name}.html")


class Opening(NamedTuple):
    """What the first cell of a lesson says; minutes of the short and of the full way, in digits."""

    title: str
    question: str
    needs: str
    short: str
    full: str


def opening(name: str, text: str) -> Opening:
    """The parts of a lesson's first cell.

    Raises:
        ValueError: One of them is missing.
    """
    title = re.match(r"# (.*)", text)
    question = re.search(r"\*\*The question\.\*\* (.*)", text)
    needs = re.search(r"\*\*You need\*\* (.*?)\.(?:\s|$)", text)
    takes = re.search(r"\*\*It takes\*\* (\d+) minutes[^.]*?(\d+) (?:in full|with everything)", text)
    if not (title and question and needs and takes):
        raise ValueError(f"the first cell of {name} lacks its title, its question, its needs or its minutes.")
    return Opening(title[1], question[1], needs[1], takes[1], takes[2])


def begin_live_pages(folder: Path) -> subprocess.Popen[bytes]:
    """Begin to write the pages on which one drags q and moves sliders, to which lessons 04 and 07 lead."""
    command = [sys.executable, str(FOLDER / "explorer.py"), "--out", str(folder)]
    quiet = {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=os.environ | quiet, stdout=subprocess.DEVNULL)


def _lessons() -> list[Path]:
    return sorted(FOLDER.glob("[0-9]*.ipynb"))


def _notebook(text: str) -> dict[str, Any]:
    import nbformat

    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])


def _linked(notebook: dict[str, Any]) -> dict[str, Any]:
    """A copy whose links lead to pages, and whose title is its first heading."""
    linked = copy.deepcopy(notebook)
    if heading := re.match(r"# (.+)", linked["cells"][0]["source"]):
        linked["metadata"]["title"] = heading[1]
    for cell in linked["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = LINK.sub(r"](\1.html\2)", cell["source"].replace(*DRAG))
    linked["cells"] = with_live_sliders(linked["cells"])
    return linked


def with_live_sliders(cells: list[Any]) -> list[Any]:
    """Cells with sliders that work on a page, behind those that only work in Jupyter."""
    import nbformat

    found = []
    for cell in cells:
        found.append(cell)
        if cell["cell_type"] == "code" and re.search(r"^sliders\(", cell["source"], re.M):
            found.append(nbformat.v4.new_markdown_cell(SLIDERS, id="live-sliders"))
    return found


def _ways(name: str, place: str) -> str:
    """Links to the lesson before, the index, and the lesson after, for above or below the text."""
    names = [path.stem for path in _lessons()]
    ways = ["" if name == "index" else '<a href="index.html">all lessons</a>']
    if name in names:
        at = names.index(name)
        if at > 0:
            ways.insert(0, f'<a href="{names[at - 1]}.html" rel="prev">← {_shown(names[at - 1])}</a>')
        if at + 1 < len(names):
            ways.append(f'<a href="{names[at + 1]}.html" rel="next">{_shown(names[at + 1])} →</a>')
    return f'<nav class="ways" aria-label="lessons, {place}">{" · ".join(filter(None, ways))}</nav>'


def _shown(name: str) -> str:
    """ "04_elbo" → "4 elbo"."""
    number, _, words = name.partition("_")
    return f"{int(number)} {words.replace('_', ' ')}"


def copy_mathjax(folder: Path) -> None:
    """Put MathJax next to the pages."""
    import jupyter_server_mathjax

    mathjax = Path(jupyter_server_mathjax.__file__).parent / "static"
    shutil.copytree(mathjax, folder / "mathjax", dirs_exist_ok=True)


def exercise(source: str) -> str:
    """A cell without its solution."""
    return SOLUTION.sub("    ...", source)


def solution(source: str) -> str:
    """The solution in a cell; empty if there is none."""
    found = SOLUTION.search(source)
    return textwrap.dedent(found[1]) if found else ""
