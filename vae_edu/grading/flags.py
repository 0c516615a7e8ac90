"""What a teacher should look at: solutions that call, copy or read the package's own function."""

import ast
import inspect
from pathlib import Path

from vae_edu.exercises import EXERCISES

SUSPECT = {
    "__import__", "__builtins__", "__globals__", "__subclasses__", "__dict__", "compile", "ctypes", "eval",
    "exec", "gc", "getattr", "globals", "importlib", "inspect", "linecache", "open", "sys", "vars",
}  # fmt: skip
MIN_NODES = 25  # of a syntax tree; shorter solutions are often equal by chance


def flags(program: str, name: str, used: list[str]) -> list[str]:
    """What is suspicious about a program, and about what it used of the package when it ran, in sentences."""
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
    if len(shape) >= MIN_NODES and shape == _shape(_reference(name)):
        found.append("it is the package's own function, but for the names")
    return found


def _shape(body: list[ast.stmt]) -> list[str]:
    """The nodes of a syntax tree in order, without docstrings and names of variables."""
    kept = []
    for statement in body:
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            for node in ast.walk(statement):
                if not isinstance(node, ast.expr_context):
                    detail = repr(node.value) if isinstance(node, ast.Constant) else getattr(node, "attr", "")
                    kept.append(f"{type(node).__name__} {detail}")
    return kept


def _reference(name: str) -> list[ast.stmt]:
    """The body of the reference, which is a function of the package or a lambda in the catalogue."""
    reference = inspect.unwrap(EXERCISES[name].reference)
    code = reference.__code__
    for node in ast.walk(ast.parse(Path(code.co_filename).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            return node.body
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno:
            return [ast.Return(node.body)]
    return []
