"""What a teacher is told to look at, decided from the syntax alone."""

import importlib.util
import json

import pytest

from tests.test_cells import HONEST
from vae_edu.grading.flags import flags
from vae_edu.grading.submission import read

GPU = "it needs a GPU, which grading does not use"
LACKS = "which this machine lacks"
HEAD = "def l2_loss(x_hat, x):\n    "
WRAP = "from vae_edu import autoencoder\n"
PACKAGE = "it uses vae_edu.autoencoder of the package"
L2 = "it uses vae_edu.autoencoder.l2_loss of the package"

CHEATS = {  # a cell, and a flag that it gets
    "import": ("from vae_edu.autoencoder import l2_loss", L2),
    "import as": ("from vae_edu.autoencoder import l2_loss as f\nl2_loss = f", L2),
    "import of the module": ("import vae_edu.autoencoder as a\nl2_loss = a.l2_loss", PACKAGE),
    "import in the function": (HEAD + "import vae_edu.autoencoder as a\n    a.l2_loss(x_hat, x)", PACKAGE),
    "the catalogue": (
        'from vae_edu.exercises import EXERCISES\nl2_loss = EXERCISES["l2_loss"].reference',
        "it uses vae_edu.exercises.EXERCISES of the package",
    ),
    "star": ("from vae_edu.autoencoder import *\ndef helper(a, b): return l2_loss(a, b)", PACKAGE),
    "an attribute": (WRAP + "l2_loss = autoencoder.l2_loss", PACKAGE),
    "partial": (WRAP + "import functools\nl2_loss = functools.partial(autoencoder.l2_loss)", PACKAGE),
    "a class": (WRAP + "class L:\n    __call__ = staticmethod(autoencoder.l2_loss)\nl2_loss = L()", PACKAGE),
    "vmap": (WRAP + "import torch\nl2_loss = torch.func.vmap(autoencoder.l2_loss)", PACKAGE),
    "threads": (
        WRAP + "from concurrent.futures import ThreadPoolExecutor as T\n"
        "def l2_loss(a, b): return T().submit(autoencoder.l2_loss, a, b).result()",
        "it imports concurrent.futures",
    ),
    "another code object": (
        WRAP + "import types\nf = autoencoder.l2_loss\n"
        "l2_loss = types.FunctionType(f.__code__.replace(co_filename='x'), {})",
        "it uses __code__",
    ),
    "default argument": (WRAP + "def l2_loss(x_hat, x, f=autoencoder.l2_loss): return f(x_hat, x)", PACKAGE),
    "exec": (HEAD + "exec('import vae' '_edu')", "it uses exec"),
    "another exec": (HEAD + "from builtins import exec as run\n    run('x')", "it imports builtins"),
    "sys by os": (HEAD + "from os import sys as s\n    s.setprofile(None)", "it imports os"),
    "sys by torch": (HEAD + "from torch import sys as s\n    s.modules", "it imports sys from torch"),
    "sys of torch": ("import torch\n" + HEAD + "torch.sys.modules", "it uses sys"),
    "main": (HEAD + "import __main__\n    __main__.notice = 1", "it imports __main__"),
    "frames": (HEAD + "try: 1\n    except OSError as e: e.__traceback__.tb_frame.f_back", "it uses tb_frame"),
    "a generator's frame": (HEAD + "g = (i for i in x)\n    g.gi_frame", "it uses gi_frame"),
    "dunder": (HEAD + "().__class__.__base__.__subclasses__()", "it uses __subclasses__"),
    "a function's globals": ("import torch\n" + HEAD + "torch.mean.__globals__", "it uses __globals__"),
    "a private module": (HEAD + "import _posixsubprocess", "it imports _posixsubprocess"),
    "a private part": ("import torch\n" + HEAD + "torch._C", "it uses _C"),
    "a private import": ("from torch import _dynamo\n" + HEAD + "_dynamo", "it imports _dynamo from torch"),
    "another folder": (HEAD + "import os\n    os.chdir('/')", "it imports os"),
    "files": (HEAD + "open('x')", "it uses open"),
    "pathlib": (HEAD + "from pathlib import Path\n    Path('x').read_text()", "it uses read_text"),
    "NumPy's files": ("import numpy as np\n" + HEAD + "np.fromfile('x')", "it uses fromfile"),
    "pickle": (HEAD + "import pickle", "it imports pickle"),
    "a text": (HEAD + "k = 'vae_edu.autoencoder'", "it names the package in a text"),
    "bytes": (HEAD + "k = b'cvae_edu.autoencoder'", "it names the package in a text"),
    "attrgetter": (
        "import operator\n" + HEAD + "operator.attrgetter('mean.__globals__')",
        "it names a part of Python's machinery in a text",
    ),
    "typing": (HEAD + "import typing\n    typing.get_type_hints(x)", "it uses get_type_hints"),
    "get_ipython": (HEAD + "get_ipython().__class__.__getattr__.__globals__", "it uses __globals__"),
    "einops": ("from einops import reduce\n" + HEAD + "reduce(x)", f"it needs einops, {LACKS}"),
    "one's own file": ("from my_helpers import f\n" + HEAD + "f(x)", f"it needs my_helpers, {LACKS}"),
    "cuda": (HEAD + "x = x.to('cuda')", GPU),
    "cuda:0": ("import torch\nd = torch.device('cuda:0')\n" + HEAD + "d", GPU),
    ".cuda()": (HEAD + "x.cuda()", GPU),
}  # fmt: skip


def program(folder, *sources):
    content = {"cells": [{"cell_type": "code", "source": source} for source in sources]}
    (folder / "a.ipynb").write_text(json.dumps(content))
    return read(folder / "a.ipynb").program("l2_loss")


@pytest.mark.parametrize("kind", CHEATS)
def test_a_way_around_is_flagged(tmp_path, monkeypatch, kind):
    source, flag = CHEATS[kind]
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "einops" else find(name))
    if kind == "star":
        source += "\n" + HEAD + "return unknown(x)"
    assert flag in flags(program(tmp_path, source), "l2_loss")


@pytest.mark.parametrize("kind", HONEST)
def test_honest_work_is_not_flagged(tmp_path, kind):
    assert flags(program(tmp_path, *HONEST[kind]), "l2_loss") == []


def test_a_student_cannot_write_into_the_flags():
    long = "a" * 99
    for word in (long, f"__{long}__"):
        (flag, *more) = flags(f"import {word}\nx.{word}", "l2_loss")
        assert len(flag) < 80
        assert all(len(other) < 80 for other in more)
    found = flags("x = '; 1.1: ben helped me vae_edu'\nimport os.path as b", "l2_loss")
    assert found == ["it imports os.path", "it names the package in a text"]


def test_a_program_that_cannot_be_looked_at_is_flagged():
    assert flags("(" * 999, "l2_loss") == ["its code is too deep to be looked at"]


COPY = """def spherical_interpolation(start, end, share):
    "My own, see vae_edu."
    return torch.stack(
        [
            (((1 - share) * w).sin() * p + (share * w).sin() * q) / w.sin()
            for p, q in zip(start, end)
            for w in [torch.acos(p @ q / (p.norm() * q.norm()))]
        ]
    )
"""


@pytest.mark.parametrize(
    "source", [COPY, COPY.replace("def spherical_", "def my_") + "spherical_interpolation = my_interpolation"]
)
def test_a_copy_is_flagged(source):
    assert flags(source, "spherical_interpolation") == ["it is the package's own function, but for the names"]
    assert flags(source.replace("1 - share", "-share + 1"), "spherical_interpolation") == []
