"""What a teacher should look at, decided from the syntax of a program: imports, ways around them, copies."""

import ast
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from vae_edu.exercises import EXERCISES

USUAL = {  # modules that an answer may import without a word
    "IPython", "PIL", "__future__", "abc", "bisect", "cmath", "collections", "contextlib", "copy",
    "dataclasses", "datetime", "decimal", "einops", "enum", "fractions", "functools", "heapq", "itertools",
    "jaxtyping", "math", "matplotlib", "mpl_toolkits", "numbers", "numpy", "operator", "opt_einsum", "pandas",
    "pprint", "pylab", "random", "re", "scipy", "seaborn", "sklearn", "statistics", "string", "sympy",
    "textwrap", "time", "torch", "torchvision", "tqdm", "typing", "typing_extensions", "warnings",
}  # fmt: skip
SUSPECT = {  # names, attributes and names of imports that lead to other code than the program's
    "ForwardRef", "__import__", "breakpoint", "builtins", "co_code", "cr_frame", "ctypes", "ctypeslib",
    "eval", "exec", "f_back", "f_builtins",
    "f_code", "f_globals", "f_locals", "fromfile", "gc", "get_type_hints",
    "getattr", "gi_code", "gi_frame", "globals", "hub", "import_module", "importlib", "inspect", "linecache",
    "load", "loadtxt", "locals", "memmap", "open", "os", "pickle", "read_bytes", "read_text", "runstring",
    "serialization", "subprocess", "sys", "tb_frame", "tb_next", "vars",
}  # fmt: skip
HARMLESS = {  # names with two underscores that honest code uses
    "__class__", "__init__", "__len__", "__name__", "__version__", "__call__", "__post_init__", "__getitem__",
}  # fmt: skip
OTHER_PARTS = {
    "array",
    "chunk",
    "code",
    "profile",
    "select",
    "signal",
    "test",
    "trace",
    "types",
}  # of NumPy …
GPU = ("cuda", "mps", "xla")
LONGEST = 40  # characters of a student's identifier
MIN_NODES = 25  # of a syntax tree; shorter solutions are often equal by chance


def flags(program: str, name: str) -> list[str]:
    """What is suspicious about a program, or keeps it from running here, in sentences.

    Of the student's own words they hold only identifiers, cut off.

    Args:
        program: The program of one exercise.
        name: The exercise.
    """
    try:
        tree = ast.parse(program)
        nodes = list(ast.walk(tree))
        found = [
            *_imports(nodes),
            *(f"it uses {_short(word)}" for word in sorted(_suspect(nodes))),
            *_lacking(tree, nodes),
            *_texts(nodes),
        ]
        if _copied(nodes, name):
            found.append("it is the package's own function, but for the names")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ["its code is too deep to be looked at"]
    return list(dict.fromkeys(found))


def _short(word: str) -> str:
    return word if len(word) <= LONGEST else f"{word[:LONGEST]}…"


def _modules(nodes: list[ast.AST]) -> Iterator[tuple[str, str]]:
    """Every module that is imported, and what of it: ("torch.nn", "functional")."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (("." * node.level + (node.module or ""), alias.name) for alias in node.names)


def _imports(nodes: list[ast.AST]) -> Iterator[str]:
    """A flag for every import that an answer need not have."""
    for module, part in sorted(_modules(nodes)):
        top = module.split(".")[0]
        if top == "vae_edu":
            inner = f"{module}.{part}" if part not in ("", "*") else module
            yield f"it uses {_short(inner)} of the package"
        elif top not in USUAL and _installed(top):
            yield f"it imports {_short(module)}"
        elif _hidden_module(part) or any(map(_hidden_module, module.split(".")[1:])):
            yield f"it imports {_short(part or module)} from {_short(module)}"


def _hidden_module(part: str) -> bool:
    """Whether the name of an import stands for something private, or for a module of Python's own."""
    python = part in sys.stdlib_module_names - USUAL - OTHER_PARTS
    return part.startswith("_") or part in SUSPECT or python


def _suspect(nodes: list[ast.AST]) -> Iterator[str]:
    """The names and attributes that lead to other code than the program's."""
    modules = {alias.asname or alias.name.split(".")[0] for node in nodes for alias in _aliases(node)}
    for node in nodes:
        if isinstance(node, ast.Name):
            if node.id in SUSPECT or node.id == "compile" or _special(node.id):
                yield node.id
        elif isinstance(node, ast.Attribute):
            private = (
                node.attr.startswith("_") and isinstance(node.value, ast.Name) and node.value.id in modules
            )
            if node.attr in SUSPECT or _special(node.attr) or (private and node.attr not in HARMLESS):
                yield node.attr


def _aliases(node: ast.AST) -> list[ast.alias]:
    return node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else []


def _special(word: str) -> bool:
    return word.startswith("__") and word.endswith("__") and word not in HARMLESS


def _texts(nodes: list[ast.AST]) -> Iterator[str]:
    """A flag for texts that name the package or Python's own machinery; docstrings may."""
    documentation = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and id(node) not in documentation:
            text = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
            if isinstance(text, str) and "vae_edu" in text:
                yield "it names the package in a text"
            elif isinstance(text, str) and any(map(_special, text.split("."))):
                yield "it names a part of Python's machinery in a text"


def _lacking(tree: ast.Module, nodes: list[ast.AST]) -> Iterator[str]:
    """A flag for every library that this machine lacks, and for a GPU that is used without a question."""
    guarded = {id(part) for node in nodes if isinstance(node, ast.Try) for part in ast.walk(node)}
    for top in sorted({m.split(".")[0] for m, _ in _modules([n for n in nodes if id(n) not in guarded])}):
        if top and not _installed(top):
            yield f"it needs {_short(top)}, which this machine lacks"
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    if "is_available" in attributes:
        return
    called = {n.func.attr for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}
    texts = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    if "cuda" in called or any(text.split(":")[0] in GPU for text in texts):
        yield "it needs a GPU, which grading does not use"


def _installed(module: str) -> bool:
    try:
        return module in sys.modules or not module or importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _copied(nodes: list[ast.AST], name: str) -> bool:
    """Whether one of the program's functions is the exercise's reference, but for the names."""
    bodies: list[list[ast.stmt]] = [
        node.body for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    for node in nodes:
        if isinstance(node, ast.Lambda):
            bodies.append([ast.Return(node.body)])
    shapes = [shape for body in bodies if len(shape := _shape(body)) >= MIN_NODES]
    return bool(shapes) and _shape_of_reference(name) in shapes


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


@cache
def _shape_of_reference(name: str) -> list[str]:
    return _shape(_reference(name))


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
