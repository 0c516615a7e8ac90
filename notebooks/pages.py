"""Lessons as HTML pages that need no network. Solutions, plotting and checks are folded."""

import json
import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n(.*?)^ *### END SOLUTION\n?", re.S | re.M)
TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{% block html_head_css %}{{ super() }}
<style>
details.folded { margin: 2px 0 6px 75px; }
details.folded > summary { cursor: pointer; color: #555; font: 14px/1.5 sans-serif; }
details.folded .jp-InputPrompt, details.folded .jp-OutputPrompt { display: none; }
@media (max-width: 600px) { details.folded { margin-left: 0; } }
</style>
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
        extra_loaders=[DictLoader({"lesson.html.j2": TEMPLATE})],
        template_file="lesson.html.j2",
        mathjax_url="mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full,Safe",
        require_js_url="",
        jquery_url="",
    )
    exporter.register_filter("exercise", exercise)
    exporter.register_filter("solution", solution)
    body, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": path.stem}})
    fonts = {"availableFonts": [], "preferredFont": None, "webFont": "STIX-Web"}
    settings = json.dumps({"jax": ["input/TeX", "output/HTML-CSS"], "HTML-CSS": fonts})
    body = body.replace("<head>", f"<head><script>window.MathJax = {settings};</script>", 1)
    path.write_text(body, encoding="utf-8")


def copy_mathjax(folder: Path) -> None:
    """Put MathJax next to the pages."""
    import jupyter_server_mathjax

    mathjax = Path(jupyter_server_mathjax.__file__).parent / "static"
    shutil.copytree(mathjax, folder / "mathjax", dirs_exist_ok=True)


def exercise(source: str) -> str:
    """A cell without its solution."""
    return SOLUTION.sub(lambda found: f"{found[1]}...\n", source).rstrip("\n")


def solution(source: str) -> str:
    """The solution in a cell; empty if there is none."""
    found = SOLUTION.search(source)
    return textwrap.dedent(found[2]).rstrip("\n") if found else ""
