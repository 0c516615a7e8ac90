"""Hash everything that a lesson's outputs depend on, and list the lessons whose outputs are out of date.

python notebooks/fingerprint.py     name the stale lessons, and exit with 1 if there are any
"""

import ast
import functools
import hashlib
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parent
PACKAGE = FOLDER.parent / "vae_edu"


def fingerprint(notebook: dict, lesson: str) -> str:
    """Hash a lesson's code, the code that it reaches, and the data files that this code reads.

    Text, comments of the package, docstrings and layout do not count, nor do other lessons' exercises.

    Args:
        notebook: as parsed from its file.
        lesson: the name of that file without .ipynb, such as "03_bayes_rule".
    """
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code = [_parsed(text) for text in cells]
    waiting = {"vae_edu"}.union(*map(imports, code))
    reached: dict[str, str] = {}
    while waiting:
        path = source(waiting.pop())
        name = path and path.relative_to(PACKAGE).as_posix()
        if path is None or name in reached or _of_another_lesson(path, lesson):
            continue
        module = _read(path.read_text(encoding="utf-8"))
        reached[name] = module.code
        for text in module.strings:
            if (file := path.parent / text).is_file():
                reached[text] = hashlib.sha256(file.read_bytes()).hexdigest()
        waiting |= module.imports
    return hashlib.sha256(json.dumps([cells, sorted(reached.items())]).encode()).hexdigest()


class Module(NamedTuple):
    """The hash of a module's code, the modules that it imports, and its strings that may name a data file."""

    code: str
    imports: set[str]
    strings: list[str]


@functools.cache  # most lessons reach the same modules
def _read(text: str) -> Module:
    tree = ast.parse(text)
    code = hashlib.sha256(json.dumps(_plain(tree)).encode()).hexdigest()
    return Module(code, imports(tree), _file_names(tree))


def imports(tree: ast.AST) -> set[str]:
    """The modules of vae_edu that code imports, such as "vae_edu.engine.step", and their packages."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in found if name.split(".")[0] == "vae_edu"]
    names = {".".join(part[:end]) for part in parts for end in range(1, len(part) + 1)}
    return {name for name in names if source(name)}  # the others are functions and classes


def source(module: str) -> Path | None:
    """The file of a module or package of vae_edu, or None if it has no such module."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    files = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((file for file in files if file.exists()), None)


def stale() -> list[str]:
    """The names of the lessons whose fingerprint has changed since they were executed."""
    names = []
    for path in sorted(FOLDER.glob("[0-9]*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if notebook["metadata"].get("vae_edu", {}).get("fingerprint") != fingerprint(notebook, path.stem):
            names.append(path.stem)
    return names


def _parsed(cell: str) -> ast.Module:
    """The syntax tree of a cell, which is empty if the cell is not Python."""
    try:
        return ast.parse("\n".join(line for line in cell.splitlines() if line.lstrip()[:1] not in ("%", "!")))
    except SyntaxError:
        return ast.Module([], [])


def _of_another_lesson(path: Path, lesson: str) -> bool:
    return path.stem.startswith("lesson_") and path.stem != f"lesson_{lesson[:2]}"


def _file_names(tree: ast.AST) -> list[str]:
    """The short strings in a module that look like the name of a file."""
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    texts = [value for value in values if isinstance(value, str)]
    return [text for text in texts if "." in text[1:-1] and "\n" not in text and len(text) < 100]


def _plain(node: Any) -> Any:
    """A syntax tree as lists, without docstrings, the same in every version of Python."""
    if isinstance(node, ast.AST):
        fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
        body = fields.get("body")
        if isinstance(body, list) and body and _is_text(body[0]):
            fields["body"] = body[1:]
        return [type(node).__name__, *((name, _plain(value)) for name, value in fields.items())]
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return node if isinstance(node, str) else repr(node)


def _is_text(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


if __name__ == "__main__":
    if names := stale():
        sys.exit(f"stale: {', '.join(names)}; run python notebooks/run.py --inplace {' '.join(names)}")
