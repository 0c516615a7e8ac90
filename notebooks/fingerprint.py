"""What a lesson's outputs come from, as one number, and which lessons are stale.

python notebooks/fingerprint.py     list the lessons whose outputs are older than what they come from
"""

import ast
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
PACKAGE = FOLDER.parent / "vae_edu"


def fingerprint(notebook: dict, lesson: str) -> str:
    """Hash of a lesson's cells, of the code they reach, and of the data files that this code reads.

    notebook: as parsed from its file. lesson: the name of that file without .ipynb, "03_bayes_rule".
    Comments, docstrings and layout do not count, nor does the catalogue of another lesson's exercises.
    """
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    code = [_parsed(text) for kind, text in cells if kind == "code"]
    waiting = {"vae_edu"}.union(*map(imports, code))
    reached: dict[str, Any] = {}
    while waiting:
        path = source(waiting.pop())
        name = path and path.relative_to(PACKAGE).as_posix()
        if path is None or name in reached or _of_another_lesson(path, lesson):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        reached[name] = _plain(tree)
        for file in _data_files(tree, path):
            reached[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        waiting |= imports(tree)
    return hashlib.sha256(json.dumps([cells, sorted(reached.items())]).encode()).hexdigest()


def imports(tree: ast.AST) -> set[str]:
    """Every module of vae_edu that code imports, "vae_edu.engine.step", with the packages that hold it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in found if name.split(".")[0] == "vae_edu"]
    names = {".".join(part[:end]) for part in parts for end in range(1, len(part) + 1)}
    return {name for name in names if source(name)}  # what is left are functions and classes


def source(module: str) -> Path | None:
    """The file of a module or package of vae_edu; None if there is none of that name."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    files = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((file for file in files if file.exists()), None)


def stale() -> list[str]:
    """The names of the lessons whose fingerprint is not the one they were executed with."""
    names = []
    for path in sorted(FOLDER.glob("[0-9]*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if notebook["metadata"].get("vae_edu", {}).get("fingerprint") != fingerprint(notebook, path.stem):
            names.append(path.stem)
    return names


def _parsed(cell: str) -> ast.Module:
    """The Python of a cell; nothing where it is none."""
    try:
        return ast.parse("\n".join(line for line in cell.splitlines() if line.lstrip()[:1] not in ("%", "!")))
    except SyntaxError:
        return ast.Module([], [])


def _of_another_lesson(path: Path, lesson: str) -> bool:
    return path.stem.startswith("lesson_") and path.stem != f"lesson_{lesson[:2]}"


def _data_files(tree: ast.AST, path: Path) -> Iterator[Path]:
    """The files beside a module that a string in it names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value[1:-1]:
            file = path.parent / node.value
            if "\n" not in node.value and len(node.value) < 100 and file.is_file():
                yield file


def _plain(node: Any) -> Any:
    """A syntax tree as lists, without docstrings and empty fields, the same in every version of Python."""
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
