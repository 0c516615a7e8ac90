"""The docstrings as documentation tools read them: Google's sections by napoleon, the rest by docutils."""

import importlib
import inspect

import pytest
from docutils.core import publish_doctree
from docutils.nodes import literal, system_message
from docutils.parsers.rst.roles import register_generic_role
from docutils.utils import Reporter
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring

from tests.test_project import MODULES

CONFIG = Config(napoleon_use_ivar=True)  # attributes as fields, which docutils knows without Sphinx
WARNING = Reporter.WARNING_LEVEL
for role in ("class", "func", "meth", "mod"):  # of Sphinx, unknown to docutils
    register_generic_role(role, literal)


def documented(module):
    """Name and docstring of a module, of its public functions and classes, and of their methods."""
    yield module.__name__, module.__doc__
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        yield name, thing.__doc__
        for method, function in vars(thing).items() if inspect.isclass(thing) else ():
            if not method.startswith("_") and inspect.isroutine(function):
                yield f"{name}.{method}", function.__doc__


def complaints(docstring):
    """The warnings and errors that docutils has about a docstring."""
    text = str(GoogleDocstring(inspect.cleandoc(docstring), CONFIG))
    document = publish_doctree(text, settings_overrides={"warning_stream": False})
    messages = [message for message in document.findall(system_message) if message["level"] >= WARNING]
    return [" ".join(message.astext().split()) for message in messages]


def test_a_bad_docstring_is_seen():
    assert complaints("Say so.\n\nArgs:\n    x: images\n        of shape (B,), in 2 * * ways") == []
    assert complaints("x: images\n    of shape (B,)\ny: more") != []
    assert complaints("The open *star.") != []


@pytest.mark.parametrize("module", ["", *MODULES])
def test_docstrings_render_without_a_warning(module):
    pairs = documented(importlib.import_module(f"vae_edu.{module}".strip(".")))
    found = {name: complaints(docstring) for name, docstring in pairs if isinstance(docstring, str)}
    assert {name: warnings for name, warnings in found.items() if warnings} == {}
