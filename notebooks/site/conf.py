"""The settings of Sphinx for the course's site, which `notebooks/site/build.py` builds."""

import json
import os
import re
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref

import vae_edu

FOLDER = Path(__file__).parent

project = "vae_edu"
html_title = "Variational autoencoders"
copyright = "the vae_edu authors. MIT license"
version = release = vae_edu.__version__
language = "en"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinxcontrib.katex",
    "sphinx_copybutton",
    "sphinx_design",
]

nb_execution_mode = "off"  # a lesson's outputs are those that are committed
nb_merge_streams = True
nb_code_prompt_show = nb_code_prompt_hide = "{type}"  # build.py says it for each cell
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4
myst_url_schemes = {"http": None, "https": None, "mailto": None, "page": "{{path}}"}  # page: not by Sphinx
suppress_warnings = ["mystnb.unknown_mime_type"]  # a widget, next to its picture

default_role = "code"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_use_ivar = True

katex_css_path = "katex/katex.min.css"  # with its fonts, of the version of the script in sphinxcontrib.katex
html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_js_files = ["site.js"]
html_extra_path = [os.environ["VAE_EDU_SITE_EXTRA"]]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navbar_persistent": [],  # one search box, in the side bar
    "use_download_button": False,  # it would give a lesson's copy of the site, with solutions cut out
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
copybutton_prompt_text = "$ "

ALTERNATIVES = json.loads(Path(os.environ["VAE_EDU_SITE_ALTERNATIVES"]).read_text(encoding="utf-8"))
FUNCTION = re.compile(r"(?:vae_edu\.)?([a-z_]\w*(?:\.\w+)+)(?:\(\))?")


def describe_figures(_, doctree):
    """Give every figure of a lesson its alternative text. Its file is named by the hash of its bytes."""
    for image in doctree.findall(nodes.image):
        image["alt"] = ALTERNATIVES.get(Path(image["uri"]).stem) or image.get("alt", "")


def link_functions(_, doctree):
    """Lead from `bayes.posterior` in a text to its page; other names stay as they are."""
    for literal in list(doctree.findall(nodes.literal)):
        found = FUNCTION.fullmatch(literal.astext())
        if found and isinstance(literal.parent, nodes.TextElement) and not in_a_link(literal):
            target = {"refdomain": "py", "reftype": "obj", "reftarget": f"vae_edu.{found[1]}"}
            literal.replace_self(pending_xref("", literal.deepcopy(), refwarn=False, **target))


def in_a_link(node):
    while node := node.parent:
        if isinstance(node, nodes.reference | pending_xref):
            return True
    return False


def leave_out(app, what, name, thing, skip, options):
    """Fields of a named tuple are in its docstring already."""
    return True if type(thing).__name__ == "_tuplegetter" else None


def setup(app):
    app.connect("doctree-read", describe_figures)
    app.connect("doctree-read", link_functions)
    app.connect("autodoc-skip-member", leave_out)
