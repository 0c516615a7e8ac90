"""A statement of a notebook's top level, with the names that it binds, uses and changes."""

import ast
import symtable
from dataclasses import dataclass, field

CHANGERS = {  # methods that change their object or an argument, wherever they are called
    "add", "append", "appendleft", "clear", "copyto", "delattr", "discard", "extend", "heapify", "heappop",
    "heappush", "insert", "pop", "popitem", "popleft", "put", "remove", "reverse", "setattr", "setdefault",
    "setitem", "shuffle", "sort", "update",
}  # fmt: skip
SETTINGS = ("seed", "manual_seed", "set_", "use_", "seterr", "filterwarnings", "simplefilter", "register")
SCOPES: tuple[type[ast.AST], ...] = (  # what has names of its own, or binds names in its own way
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.comprehension, ast.Import,
    ast.ImportFrom, ast.Match, ast.Try, ast.TryStar, ast.Global,
)  # fmt: skip
COMPREHENSIONS = {"listcomp", "setcomp", "dictcomp", "genexpr"}


@dataclass
class Statement:
    """A statement of the notebook's top level. The local names of a function do not count.

    Attributes:
        text: The statement.
        binds: The names that it binds.
        replaces: Whether it always binds them, so that what bound them before no longer counts.
        uses: The names that it uses when it runs.
        later: The names that its functions use when they are called.
        changes: The names of objects that it may change, such as W in ``W.append(2)``.
        sets: The names of modules that it may change, such as torch in ``torch.manual_seed(0)``.
        effects: The names that its functions bind or change when they are called.
        calls: The names of the functions that it calls for their effects, with the names of their arguments.
        fixed: Whether it is an import or a function: what it binds hardly ever changes.
        star: The module of ``from … import *``.
    """

    text: str
    binds: set[str] = field(default_factory=set)
    replaces: bool = False
    uses: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    sets: set[str] = field(default_factory=set)
    effects: set[str] = field(default_factory=set)
    calls: dict[str, set[str]] = field(default_factory=dict)
    fixed: bool = False
    star: str | None = None


def statements(nodes: list[ast.stmt]) -> list[Statement]:
    """The statements of a cell; an import of several names is several statements.

    Raises:
        SyntaxError: One stands where it cannot, such as a return outside a function.
    """
    found: list[Statement] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [_import(ast.Import([alias]), alias) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [_import(ast.ImportFrom(node.module, [a], node.level), a) for a in node.names]
        elif _checks(node):
            found.append(Statement(ast.unparse(node)))
        elif not isinstance(node, ast.Pass) and not _waits(node):
            found.append(_statement(node))
    return found


def _import(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> Statement:
    name = alias.asname or (alias.name.split(".")[0] if isinstance(node, ast.Import) else alias.name)
    star = getattr(node, "module", None) or "" if name == "*" else None
    replaces = bool(alias.asname) or "." not in alias.name  # import a.b keeps what import a.c has brought
    binds = set() if name == "*" else {name}
    return Statement(ast.unparse(node), binds, replaces, fixed=True, star=star)


def _checks(node: ast.stmt) -> bool:
    """Whether it is the lesson's check of a function, which changes nothing."""
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check"


def _waits(node: ast.stmt) -> bool:
    """Whether it awaits something at the top level, as only notebooks can."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    return any(isinstance(part, (ast.Await, ast.AsyncFor, ast.AsyncWith)) for part in ast.walk(node))


def _statement(node: ast.stmt) -> Statement:
    """A statement with its names."""
    for part in ast.walk(node):  # annotations do nothing, and may need a library
        if isinstance(part, ast.arg):
            part.annotation = None
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
            part.returns = None
    found = Statement(ast.unparse(node))
    if any(isinstance(part, SCOPES) for part in ast.walk(node)):
        _names_of_scopes(found)
    else:
        _names(found, node)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found.fixed = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    found.replaces = isinstance(node, (ast.Assign, ast.AnnAssign, *functions))
    _changes(found, node, inside=isinstance(node, functions))
    return found


def _names(found: Statement, node: ast.stmt) -> None:
    """The names of a statement without functions."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            (found.uses if isinstance(part.ctx, ast.Load) else found.binds).add(part.id)
        if isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
            found.uses.add(part.target.id)


def _names_of_scopes(found: Statement) -> None:
    """The names of a statement with functions, classes or comprehensions."""
    top = symtable.symtable(found.text, "<notebook>", "exec")
    tables = [(top, False)]
    while tables:
        table, later = tables.pop()
        for child in table.get_children():
            function = str(child.get_type()) == "function"
            at_once = child.get_name().strip("<>") in COMPREHENSIONS
            tables.append((child, later or (function and not at_once)))
        for symbol in table.get_symbols():
            if not (table is top or symbol.is_global()):
                continue
            name = symbol.get_name()
            bound = symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
            if bound:
                (found.effects if later else found.binds).add(name)
            if symbol.is_referenced() or (bound and later):  # calls += 1 uses calls
                (found.later if later else found.uses).add(name)


def _changes(found: Statement, node: ast.stmt, inside: bool) -> None:
    """What a statement may change without binding it; ``inside`` a function it does so when it is called."""
    changes: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(part.ctx, ast.Load):
            changes |= _root(part)  # x.y = 1 and x[0] = 1 change x
        elif isinstance(part, ast.AugAssign) and not inside:
            found.uses |= _root(part.target)
        elif isinstance(part, ast.Call):
            name = part.func.attr if isinstance(part.func, ast.Attribute) else ""
            name = part.func.id if isinstance(part.func, ast.Name) else name
            if name in CHANGERS or (name.endswith("_") and not name.endswith("__")):
                changes |= _root(part.func).union(*map(_root, part.args)) - {name}
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            function = part.value.func
            if isinstance(function, ast.Attribute):
                changes |= _root(function)
                if function.attr.startswith(SETTINGS):
                    found.sets |= _root(function)
            elif isinstance(function, ast.Name):
                found.calls[function.id] = set().union(*map(_root, part.value.args))
        elif isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(part.ctx, ast.Load):
            found.sets |= _root(part)
    if not isinstance(node, (ast.Expr, ast.Assign)):
        found.sets = set()  # a loop that trains and sets a seed in passing is no setting
    if inside:
        found.effects |= changes & found.later
        found.calls = {}
    else:
        found.changes = changes & found.uses
    if not isinstance(node, (ast.Expr, ast.Assign, ast.AugAssign)):
        found.sets = set()  # a loop that trains may set a seed


def _root(node: ast.expr) -> set[str]:
    """The name at the beginning of x.y[0].z, in a set; none if it begins otherwise."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()
