"""What a teacher should look at: solutions that call, copy or read the package's own function."""

import ast
import inspect
import textwrap
from pathlib import Path

from vae_edu.exercises import EXERCISES

SUSPECT = {
    "__import__", "__builtins__", "__globals__", "__subclasses__", "__dict__", "compile", "ctypes", "eval",
    "exec", "gc", "getattr", "globals", "importlib", "inspect", "linecache", "open", "sys", "vars",
}  # fmt: skip
LONG_ENOUGH = 25  # nodes of a syntax tree: below that, equal solutions are no surprise


def flags(program: str, name: str, used: list[str]) -> list[str]:
    """Sentences on a program that a student's function needs, and on what it used of the package."""
    found = [f"it calls {function} of the package" for function in used if not function.endswith(".py")]
    found += [f"it reads {file} of the package" for file in used if file.endswith(".py")]
    tree = ast.parse(program)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found += [f"it uses {word}" for word in sorted((names | {m.split(".")[0] for m in modules}) & SUSPECT)]
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    shape = _shape(functions[-1].body) if functions else []
    if len(shape) >= LONG_ENOUGH and shape == _shape(_reference(name)):
        found.append("it is the package's own function, but for the names")
    return found


def _shape(body: list[ast.stmt]) -> list[str]:
    """The nodes of a syntax tree in order, without docstrings and the names of variables."""
    kept = []
    for statement in body:
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            for node in ast.walk(statement):
                if not isinstance(node, ast.expr_context):
                    detail = node.value if isinstance(node, ast.Constant) else getattr(node, "attr", "")
                    kept.append(f"{type(node).__name__} {detail}")
    return kept


def _reference(name: str) -> list[ast.stmt]:
    """The body of the reference: of a function of the package, or of a lambda in the catalogue."""
    reference = EXERCISES[name].reference
    if reference.__name__ != "<lambda>":
        return ast.parse(textwrap.dedent(inspect.getsource(reference))).body[0].body
    tree = ast.parse(Path(reference.__code__.co_filename).read_text(encoding="utf-8"))
    (catalogue,) = (node.value for node in tree.body if isinstance(node, ast.Assign))
    keys = [key.value for key in catalogue.keys]
    return [ast.Return(catalogue.values[keys.index(name)].args[0].body)]
