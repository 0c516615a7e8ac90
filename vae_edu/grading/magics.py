"""A cell as Python: IPython's own reading of its commands, and the code that they hold (``%%time``)."""

import ast
import re
from textwrap import dedent
from typing import Any

RUN_THEIR_CODE = {"time", "timeit", "capture", "prun", "memit", "mprun", "lprun", "debug"}
NO_PYTHON = {  # cell magics that give their cell to somebody else
    "!", "R", "SVG", "bash", "cmd", "cython", "file", "html", "HTML", "javascript", "js", "julia", "latex",
    "markdown", "perl", "powershell", "pypy", "python", "python2", "python3", "ruby", "script", "sh", "skip",
    "sql", "svg", "sx", "system", "writefile",
}  # fmt: skip
PYLAB = "import numpy\nimport numpy as np\nimport matplotlib.pyplot as plt\nfrom pylab import *"
NEWER = [  # what a newer Python can parse: the version, what it is, and how its line looks
    ((3, 12), "an f-string of Python 3.12", re.compile(r"""(?i)\b(f|rf|fr)["']""")),
    ((3, 12), "a type statement", re.compile(r"^\s*type\s+\w+.*=")),
    ((3, 12), "type parameters", re.compile(r"^\s*(async\s+)?(def|class)\s+\w+\[")),
    ((3, 14), "a t-string", re.compile(r"""(?i)\b(t|rt|tr)["']""")),
    ((3, 14), "except without brackets", re.compile(r"^\s*except\b\*?[^(:]+,")),
]


class NoPython(SyntaxError):
    """The cell gives its text to something else than Python."""


def transformer() -> Any:
    """IPython's reader of cells.

    Raises:
        ValueError: IPython is not installed.
    """
    try:
        from IPython.core.inputtransformer2 import TransformerManager
    except ImportError as error:
        raise ValueError("reading notebooks needs IPython: pip install ipython.") from error
    return TransformerManager()


def parse(source: str) -> list[ast.stmt]:
    """The statements of a cell.

    Raises:
        NoPython: It begins with %%bash, or the like.
        SyntaxError: It cannot be parsed. ``lineno`` counts the cell's lines.
        ValueError, RecursionError, MemoryError: It cannot be parsed either.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        tree = _parse_commands(source)
    return _Commands().visit(tree).body


def newer(source: str, error: SyntaxError, version: tuple[int, int]) -> str | None:
    """What a newer Python than this version may see in a line that cannot be parsed; None if nothing."""
    lines = source.splitlines()
    number = error.lineno or 0
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    for needed, what, look in NEWER:
        of_strings = "f-string" not in what or "f-string" in error.msg
        if version < needed and of_strings and look.search(line):
            return f"{what} in line {number} needs Python {needed[0]}.{needed[1]}"
    return None


def _parse_commands(source: str) -> ast.Module:
    """Parse a cell with commands of IPython, some of which students' versions took with other spaces."""
    cell = transformer().transform_cell(source)
    try:
        return ast.parse(cell)
    except IndentationError:
        lines = cell.splitlines(keepends=True)
        first = next((line for line in lines if line.strip()), "")
        indent = first[: len(first) - len(first.lstrip())]
        return ast.parse("".join(line.removeprefix(indent) for line in lines))


class _Commands(ast.NodeTransformer):
    """Replaces the calls that IPython makes of its commands by the code that they hold."""

    def visit_Expr(self, node: ast.Expr) -> Any:
        """A command that is a statement."""
        match _command(node.value):
            case None:
                return self.generic_visit(node)
            case "run_cell_magic", [name, _, body] if name not in NO_PYTHON:
                return _below(body)
            case "run_cell_magic", [name, _, body]:
                raise NoPython(f"it begins with %%{name}, so that Python does not see it")
            case "run_line_magic", ["pylab", *_]:
                return ast.parse(PYLAB).body
            case "run_line_magic", [name, code] if name in RUN_THEIR_CODE and name != "timeit":
                return _code(code) or ast.Pass()
        return ast.copy_location(ast.Pass(), node)

    def visit_Call(self, node: ast.Call) -> Any:
        """A command in an expression: ``files = !ls``."""
        match _command(node):
            case None:
                return self.generic_visit(node)
            case "run_line_magic", ["time", code] if (body := _code(code)) and isinstance(body[0], ast.Expr):
                return body[0].value
            case "getoutput", _:
                return ast.List([], ast.Load())
        return ast.Constant(None)


def _below(body: str) -> list[ast.stmt]:
    """The statements below the first line of a cell."""
    try:
        return parse(body)
    except SyntaxError as error:
        error.lineno = error.lineno and error.lineno + 1
        raise


def _code(line: str) -> list[ast.stmt]:
    """The code after a magic and its options, such as ``%prun -l 5 f(x)``; none if it is no Python."""
    while line.startswith("-"):
        line = re.sub(r"^-\S+\s*(\d+\s+)?", "", line)
    try:
        return ast.parse(dedent(line)).body
    except SyntaxError:
        return []


def _command(node: ast.expr) -> tuple[str, list[str]] | None:
    """The method of ``get_ipython()`` that is called, and its arguments; None for any other expression."""
    match node:
        case ast.Call(ast.Attribute(ast.Call(ast.Name("get_ipython")), method), arguments):
            texts = [a.value for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            return (method, texts) if len(texts) == len(arguments) else None
    return None
