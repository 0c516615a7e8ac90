"""What a teacher should look at: solutions that call, copy or read the package's own function."""

import ast
import inspect
import textwrap

from vae_edu.exercises import EXERCISES

SUSPECT = {
    "__import__", "__builtins__", "__globals__", "__subclasses__", "__dict__", "compile", "ctypes", "eval",
    "exec", "gc", "getattr", "globals", "importlib", "inspect", "linecache", "open", "sys", "vars",
}  # fmt: skip
LONG_ENOUGH = 40  # nodes of a syntax tree: below that, equal solutions are no surprise


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
    (function, *_) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name][-1:] or [
        None
    ]
    if function and _shape(function) == _reference(name) and len(_shape(function)) >= LONG_ENOUGH:
        found.append("it is the package's own function, but for the names")
    return found


def _shape(function: ast.FunctionDef) -> list[str]:
    """The syntax tree without docstrings and the names of variables, as a list of its nodes."""
    kept = []
    for statement in function.body:
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            for node in ast.walk(statement):
                detail = node.value if isinstance(node, ast.Constant) else getattr(node, "attr", "")
                kept.append(f"{type(node).__name__}:{detail}")
    return kept


def _reference(name: str) -> list[str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(EXERCISES[name].reference)))
    except (OSError, SyntaxError):  # a lambda in the middle of the catalogue
        return []
    return _shape(tree.body[0]) if isinstance(tree.body[0], ast.FunctionDef) else []
