"""A student's notebook as text: which exercises it holds, and what each needs. Nothing here runs it."""

import ast
import json
import symtable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vae_edu.exercises import EXERCISES, LESSONS

MAX_NOTEBOOK_BYTES = 50 * 2**20  # a lesson with its figures has less than one MB


class Unreadable(ValueError):
    """The file is no notebook."""


@dataclass
class Statement:
    """A statement of the notebook's top level.

    Attributes:
        node: Its syntax tree.
        binds: The names that it binds.
        uses: The names that it uses.
    """

    node: ast.stmt
    binds: set[str]
    uses: set[str]


@dataclass
class Submission:
    """What a notebook holds.

    Attributes:
        statements: Its statements in order.
        broken: The exercises in cells that do not parse, and what is wrong with each.
    """

    statements: list[Statement] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)

    def times_defined(self, name: str) -> int:
        """How often the notebook defines the function."""
        return sum(name in statement.binds for statement in self.statements)

    def program(self, name: str) -> str:
        """The code that the function needs: its own statements, and those that bind what these use."""
        wanted: set[str] = {name}
        needed: set[int] = set()
        while True:
            found = {i for i, s in enumerate(self.statements) if s.binds & wanted}
            if found == needed:
                break
            needed = found
            wanted = {name}.union(*(self.statements[i].uses for i in needed))
        return "\n".join(ast.unparse(self.statements[i].node) for i in sorted(needed))


def read(path: Path) -> Submission:
    """Read a submission from a notebook file.

    Raises:
        Unreadable: The file is no notebook; the message says why.
    """
    try:
        if path.stat().st_size > MAX_NOTEBOOK_BYTES:
            raise Unreadable(f"the file is larger than {MAX_NOTEBOOK_BYTES // 2**20} MB")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = [_source(cell) for cell in cells if cell.get("cell_type") == "code"]
    except Unreadable:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Unreadable("the file is no notebook that can be read") from error
    submission = Submission()
    for source in sources:
        try:
            for node in ast.parse(_plain(source)).body:
                submission.statements += [_statement(part) for part in _imports_apart(node)]
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = f" in line {error.lineno} of its cell" if isinstance(error, SyntaxError) else ""
            for name in EXERCISES:
                if f"def {name}(" in source:
                    submission.broken[name] = f"the cell cannot be read: {type(error).__name__}{line}"
    return submission


def lesson_of(submission: Submission) -> str | None:
    """The lesson with the most exercises in the notebook; None if it defines none of any lesson."""
    names = set(submission.broken).union(*(s.binds for s in submission.statements))
    best = max(LESSONS, key=lambda lesson: len(names & LESSONS[lesson].keys()))
    return best if names & LESSONS[best].keys() else None


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _plain(source: str) -> str:
    """The cell without IPython's commands, which Python cannot parse."""
    try:
        ast.parse(source)
        return source
    except SyntaxError:
        lines = ("pass" if line.startswith(("%", "!", "?")) else line for line in source.splitlines())
        return "" if source.startswith("%%") else "\n".join(lines)


def _imports_apart(node: ast.stmt) -> list[ast.stmt]:
    """An import of several names as several imports, since a function may need only one of them."""
    if isinstance(node, ast.Import):
        return [ast.Import([alias]) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]
    return [node]


def _statement(node: ast.stmt) -> Statement:
    """A statement with its names. The local names of a function do not count."""
    binds: set[str] = set()
    uses: set[str] = set()
    tables = [symtable.symtable(ast.unparse(node), "<notebook>", "exec")]
    top = tables[0]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if table is top or symbol.is_global():
                if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
                    binds.add(symbol.get_name())
                if symbol.is_referenced():
                    uses.add(symbol.get_name())
    for part in ast.walk(node):  # x.y = 1 and x[0] = 1 change x
        if isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(part.ctx, ast.Load):
            changed: ast.expr = part
            while isinstance(changed, (ast.Attribute, ast.Subscript)):
                changed = changed.value
            if isinstance(changed, ast.Name) and changed.id in uses:
                binds.add(changed.id)
    return Statement(node, binds, uses)
