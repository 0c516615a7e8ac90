"""Honest notebooks as students save them: each gets its points, through the whole grader, and no flag."""

import json
import sys

import pytest

from vae_edu.exercises import EXERCISES
from vae_edu.grading.marks import hidden_cases, mark
from vae_edu.grading.sandbox import Sandbox
from vae_edu.grading.submission import read

HEAD = "def l2_loss(x_hat, x):\n"
SUM = "    return (x_hat - x).square().flatten(1).sum(1)\n"
RIGHT = HEAD + SUM


def body(*lines):
    return HEAD + "".join(f"    {line}\n" for line in lines) + SUM


HONEST = {  # the cells of a notebook whose l2_loss is right
    "time": ["%%time\n" + RIGHT],
    "time with options and a blank line": ["\n%%capture --no-stdout out\n" + RIGHT],
    "timeit": ["%%timeit -n 1\n" + RIGHT],
    "prun": ["%%prun -l 5\n" + RIGHT],
    "two magics": ["%%time\n%%capture\n" + RIGHT],
    "an unknown cell magic": ["%%wandb\n" + RIGHT],
    "a cell of Bash before": ["%%bash\nls $HOME", RIGHT],
    "help": ["torch.sum?\n" + RIGHT],
    "help in a cell with the function": [RIGHT + "l2_loss??"],
    "shell": ["!pip install -q einops\n%pip install x\n" + RIGHT],
    "shell assigned": ["files = !ls\n" + RIGHT + "t = %timeit -o 1"],
    "shell with a space before": [" !ls\n" + RIGHT],
    "time inside": [
        HEAD + "    %time y = (x_hat - x).square()\n    !ls\n    files = !ls\n    return y.flatten(1).sum(1)"
    ],
    "time of a value": [HEAD + "    y = %time (x_hat - x).square()\n    return y.flatten(1).sum(1)"],
    "line magics": ["%load_ext autoreload\n%autoreload 2\n%matplotlib inline\n%run x.py\n" + RIGHT],
    "an indented cell": ["".join(f"    {line}\n" for line in RIGHT.splitlines())],
    "prompts": [">>> import torch\n" + "".join(f"... {line}\n" for line in RIGHT.splitlines())],
    "a cell that awaits": ["import asyncio\nawait asyncio.sleep(0)\n" + RIGHT],
    "star import": ["from math import *", body("cos(pi)")],
    "star import of numpy": ["from numpy import *", body("sum([array([1.0])], axis=0)")],
    "star import that fails": ["from nowhere import *\nfrom math import *", body("cos(pi)")],
    "pylab": ["%pylab inline", body("cos(pi); np.cos(1); array([1])")],
    "append": ["W = []\nW.append(2)", body("assert W[0] == 2")],
    "update": ["D = {}", "D.update(a=1)\nD['b'] = 2", body("assert D['a'] + D['b'] == 3")],
    "setattr": ["class C: pass\nc = C()\nsetattr(c, 'k', 3)\nc.n = 4", body("assert c.k + c.n == 7")],
    "extend in a loop": ["L = []\nfor k in range(3):\n    L.append(k)", body("assert sum(L) == 3")],
    "in a comprehension": ["L = []\n[L.append(k) for k in range(3)]", body("assert sum(L) == 3")],
    "filled by a function": [
        "L = []\ndef fill(n):\n    L.extend(range(n))\nfill(3)",
        body("assert len(L) == 3"),
    ],
    "filled as an argument": [
        "L = []\ndef fill(to, n):\n    to.extend(range(n))\nfill(L, 3)",
        body("assert len(L) == 3"),
    ],
    "a global set by a function": ["def setup():\n    global K\n    K = 5\nsetup()", body("assert K == 5")],
    "shuffled": ["import random\nrandom.seed(0)\nL = [1, 2]\nrandom.shuffle(L)", body("assert len(L) == 2")],
    "popped": ["L = [1, 2]\nlast = L.pop()", body("assert len(L) == 1")],
    "deleted": ["L = [1, 2]\ndel L[0]", body("assert len(L) == 1")],
    "in place": ["import torch\nT = torch.zeros(2)\nT.add_(1)\nT[0] += 1", body("assert T.sum() == 3")],
    "nn.init": ["import torch\nT = torch.zeros(2)\ntorch.nn.init.ones_(T)", body("assert T.sum() == 2")],
    "settings": [
        "import torch\ntorch.manual_seed(0)\ntorch.set_default_dtype(torch.float64)",
        body("assert torch.ones(1).dtype == torch.float64"),
    ],
    "global": ["calls = 0", body("global calls", "calls += 1")],
    "nonlocal": [
        "def make():\n    n = 0\n    def count():\n        nonlocal n\n        n += 1\n        return n\n"
        "    return count\n"
        "count = make()",
        body("count()"),
    ],
    "decorator": [
        "import functools\ndef wrap(f):\n    @functools.wraps(f)\n"
        "    def g(*a, **k): return f(*a, **k)\n    return g",
        "@wrap\n" + RIGHT,
    ],
    "lambda": ["l2_loss = lambda x_hat, x: (x_hat - x).square().flatten(1).sum(1)"],
    "compiled": ["import torch\n" + RIGHT, "l2_loss = torch.compile(l2_loss)"],
    "compile as a decorator": ["import torch\n@torch.compile\n" + RIGHT],
    "compile with options": ["import torch\n@torch.compile(mode='max-autotune')\n" + RIGHT],
    "scripted": ["import torch\n@torch.jit.script\n" + RIGHT],
    "no_grad": ["import torch\n@torch.enable_grad()\n" + RIGHT],
    "another name": [RIGHT.replace("l2_loss", "mine"), "l2_loss = mine"],
    "partial": [
        "from functools import partial\ndef p_loss(x_hat, x, p):\n"
        "    return (x_hat - x).pow(p).flatten(1).sum(1)",
        "l2_loss = partial(p_loss, p=2)",
    ],
    "a class": [
        "class Loss:\n    def __init__(self, p):\n        self.p = p\n    def __call__(self, x_hat, x):\n"
        "        return (x_hat - x).pow(self.p).flatten(1).sum(1)\nl2_loss = Loss(2)"
    ],
    "a module": [
        "import torch\nfrom torch import nn\nclass Loss(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "    def forward(self, x_hat, x):\n"
        "        return (x_hat - x).square().flatten(1).sum(1)\nl2_loss = Loss()"
    ],
    "a dataclass": [
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    p: int = 2",
        body("assert P().p == 2"),
    ],
    "inside if": [
        "if True:\n    def l2_loss(x_hat, x):\n        return (x_hat - x).square().flatten(1).sum(1)"
    ],
    "inside try": [
        "try:\n    import nothing_here as q\nexcept ImportError:\n    import math as q",
        body("q.cos(1)"),
    ],
    "a helper below": [body("helper()"), "def helper():\n    return FACTOR", "FACTOR = 2"],
    "an import below": [body("math.cos(1)"), "import math"],
    "a helper that changes": ["K = 1\ndef g(): return K\nC = g()\nK = 2", body("assert (C, K) == (1, 2)")],
    "annotations without imports": [
        "def l2_loss(x_hat: Float[Tensor, 'b c h w'], x: 'Tensor') -> jaxtyping.Float:\n" + SUM
    ],
    "type hints": [
        "from typing import Optional\nfrom torch import Tensor, nn\n" + body("a: Optional[int] = 3")
    ],
    "an earlier value that fails": ["K = load_everything()", "K = 3", body("assert K == 3")],
    "a broken cell elsewhere": ["def deep_encoder(x:\n    pass", RIGHT, "plt.plot(train())\n1 / 0"],
    "a second cell that is broken": [RIGHT, "def l2_loss(x_hat, x:\n    pass"],
    "input elsewhere": ["n = int(input())", RIGHT, "while True: pass"],
    "a test of one's own": [
        RIGHT,
        "def train(loss):\n    while True: pass\ntrain(l2_loss)",
        "assert l2_loss(1, 2) == 3",
    ],
    "display": [body("display(x.shape)")],
    "display imported": ["from IPython.display import display", body("display(x.shape)")],
    "get_ipython": [body("get_ipython().run_line_magic('matplotlib', 'inline')", "get_ipython().magic('x')")],
    "print": [body("print('x' * 10**8)")],
    "plots": ["import matplotlib.pyplot as plt", body("plt.hist(x.flatten())", "plt.show()")],
    "plots in full": [
        "from matplotlib import pyplot as plt",
        body("fig, ax = plt.subplots()", "ax.imshow(x[0, 0])", "fig.canvas.draw()", "plt.close()"),
    ],
    "tqdm": ["from tqdm import tqdm", body("for i in tqdm(range(3)): pass")],
    "tqdm.auto": [body("from tqdm.auto import tqdm, trange", "for i in trange(3): pass")],
    "cuda if there is one": [
        "import torch\ndevice = torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        HEAD + "    x_hat, x = x_hat.to(device), x.to(device)\n" + SUM,
    ],
    "warnings": ["import warnings\nwarnings.filterwarnings('ignore')", body("warnings.warn('x')")],
    "Windows line ends": [RIGHT.replace("\n", "\r\n")],
    "a lone surrogate in a comment": ["# \ud800\n" + RIGHT],
    "an invalid escape": [body(r"'\d'")],
    "match": [body("match 3:", "    case k: assert k == 3")],
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with Sandbox([tmp_path_factory.mktemp("in")]) as given:
        yield given


@pytest.fixture(scope="module")
def tried():
    return hidden_cases(EXERCISES["l2_loss"], 3)


def notebook(folder, cells):
    content = {"cells": [{"cell_type": "code", "source": source} for source in cells]}
    (folder / "a.ipynb").write_text(json.dumps(content))
    return read(folder / "a.ipynb")


@pytest.mark.parametrize("kind", HONEST)
def test_honest_work_gets_its_points_and_no_flag(tmp_path, sandbox, tried, kind):
    submission = notebook(tmp_path, HONEST[kind])
    given = mark(submission, "l2_loss", tried, sandbox)
    assert (given.mistake, given.points, given.flags) == (None, 2, []), submission.program("l2_loss")


def test_an_earlier_attempt_that_fails_costs_nothing(tmp_path, sandbox, tried):
    given = mark(notebook(tmp_path, ["l2_loss = undefined + 1", RIGHT]), "l2_loss", tried, sandbox)
    assert (given.points, given.flags) == (2, ["it is defined 2 times, and the last one counts"])


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["%%writefile a.py\n" + RIGHT], "it begins with %%writefile, so that Python does not see it"),
        (["%%script false\n" + RIGHT], "it begins with %%script, so that Python does not see it"),
        (
            ["<<<<<<< HEAD\n" + RIGHT + "=======\n>>>>>>> b"],
            "the cell holds two versions of it, which Git marks",
        ),
        ([HEAD + "    return (x_hat - x"], "SyntaxError in line 2 of its cell"),
        (["%%time\n" + HEAD + "    return (x_hat - x"], "SyntaxError in line 3 of its cell"),
        (["def l2_loss(x_hat, x):\nreturn x"], "IndentationError in line 2 of its cell"),
        (["l2_loss = (3"], "SyntaxError in line 1 of its cell"),
        ([RIGHT + "'\0'"], "the cell cannot be read"),
        (["W = 1 / 0", HEAD + "    return W"], "it raised ZeroDivisionError"),
        ([HEAD + "    return input()"], "it raised EOFError"),
        ([HEAD + "    return DELTA"], "it raised NameError: name 'DELTA' is not defined"),
    ],
)
def test_what_cannot_be_marked_is_named(tmp_path, sandbox, tried, cells, said):
    given = mark(notebook(tmp_path, cells), "l2_loss", tried, sandbox)
    assert given.points == 0
    assert said in given.mistake


def test_a_cell_of_another_kind_is_named(tmp_path):
    cells = [{"cell_type": "raw", "source": RIGHT}, {"cell_type": "code", "source": "x = 1"}]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    assert read(tmp_path / "a.ipynb").broken == {"l2_loss": "its cell is not a cell of code"}


NEWER = {  # what is legal from a Python on: that Python, and a cell
    "an f-string": ((3, 12), body("d = {'a': 1}", 'f"{d["a"]}"')),
    "a backslash in an f-string": ((3, 12), body(r"""f"{'\n'.join(['a'])}" """)),
    "a type": ((3, 12), "type Vector = list[float]\n" + RIGHT),
    "a type parameter": ((3, 12), RIGHT.replace("l2_loss(", "l2_loss[T](")),
    "a t-string": ((3, 14), body('t"{x}"')),
    "except": ((3, 14), body("try: pass", "except ValueError, TypeError: pass")),
}


@pytest.mark.parametrize("kind", NEWER)
@pytest.mark.parametrize("helper", [False, True])
def test_what_needs_a_newer_python_is_not_marked_and_the_teacher_reads_why(
    tmp_path, sandbox, tried, kind, helper
):
    needed, source = NEWER[kind]
    if helper:  # the function uses a name of a cell that cannot be read
        cells = [source.replace("l2_loss", "helper"), HEAD + "    return helper(x_hat, x)"]
    else:
        cells = [source]
    submission = notebook(tmp_path, cells)
    given = mark(submission, "l2_loss", tried, sandbox)
    if sys.version_info >= needed:
        assert given.points == 2
    else:
        said = "needs Python {}.{}, and the grader runs on Python {}.{}".format(*needed, *sys.version_info)
        assert said in given.mistake
        assert given.mistake.startswith("it was not marked: ")
        assert given.flags == submission.notes == [submission.unmarked["l2_loss"]]


def test_an_unclosed_string_is_no_newer_python(tmp_path):
    assert not notebook(tmp_path, [body("'abc")]).unmarked
