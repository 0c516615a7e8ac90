"""A student's notebook as text: which exercises it holds, what each needs, and what a teacher should see.

Nothing here runs the notebook.
"""

import ast
import json
import symtable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vae_edu.exercises import EXERCISES, LESSONS

MOST_BYTES = 50 * 2**20  # a lesson with its figures has less than one


class Unreadable(ValueError):
    """A file that is no notebook."""


@dataclass
class Statement:
    """A statement of the notebook's top level: the names that it binds, and those that it uses."""

    node: ast.stmt
    binds: set[str]
    uses: set[str]


@dataclass
class Submission:
    """The statements of a notebook in order, and the cells that do not parse, by the exercises in them."""

    statements: list[Statement] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)

    def times_defined(self, name: str) -> int:
        """How often the notebook defines the function."""
        return sum(name in statement.binds for statement in self.statements)

    def program(self, name: str) -> str:
        """The statements that the function needs, in order: its own, and those that bind what they use."""
        wanted, needed = {name}, set()
        while True:
            found = {i for i, s in enumerate(self.statements) if s.binds & wanted}
            if found == needed:
                break
            needed = found
            wanted = {name}.union(*(self.statements[i].uses for i in needed))
        return "\n".join(ast.unparse(self.statements[i].node) for i in sorted(needed))


def read(path: Path) -> Submission:
    """The submission in a notebook file. Raises Unreadable with a sentence."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Unreadable(f"the file is larger than {MOST_BYTES // 2**20} MB")
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
    """The lesson most of whose exercises the notebook defines; None where it defines none."""
    names = set(submission.broken).union(*(s.binds for s in submission.statements))
    best = max(LESSONS, key=lambda lesson: len(names & LESSONS[lesson].keys()))
    return best if names & LESSONS[best].keys() else None


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _plain(source: str) -> str:
    """The cell without IPython's own commands, which Python cannot parse."""
    try:
        ast.parse(source)
        return source
    except SyntaxError:
        lines = ("pass" if line.startswith(("%", "!", "?")) else line for line in source.splitlines())
        return "" if source.startswith("%%") else "\n".join(lines)


def _imports_apart(node: ast.stmt) -> list[ast.stmt]:
    """An import of several names as several imports, since a function may need one of them."""
    if isinstance(node, ast.Import):
        return [ast.Import([alias]) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]
    return [node]


def _statement(node: ast.stmt) -> Statement:
    """A statement with its names; those that a function binds for itself are not the notebook's."""
    binds, uses = set(), set()
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
            while isinstance(part, (ast.Attribute, ast.Subscript)):
                part = part.value
            if isinstance(part, ast.Name) and part.id in uses:
                binds.add(part.id)
    return Statement(node, binds, uses)
