"""Which variant of the exercises a notebook answers, as its check cells say."""

import ast

from vae_edu.exercises import EXERCISES
from vae_edu.grading.submission import Submission


def answered(submission: Submission) -> set[int | None]:
    """The variants that a notebook's checks name; None for the exercises of the lessons."""
    return {
        variant
        for statement in submission.statements
        if "check(" in statement.text
        for call in ast.walk(ast.parse(statement.text))
        for variant in _variants(call)
    }


def note(submission: Submission, graded: int | None) -> str:
    """What the teacher should know if a notebook answers another variant than the one graded; else ""."""
    found = answered(submission)
    if not found or graded in found:
        return ""
    answers = " and ".join(sorted(map(_called, found)))
    return f"this notebook answers {answers}, graded is {_called(graded)}"


def _variants(call: ast.AST) -> set[int | None]:
    """The variant that a call of check names: none if it is no such call."""
    if not isinstance(call, ast.Call) or not call.args:
        return set()
    called, first = call.func, call.args[0]
    name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
    if name != "check" or not isinstance(first, ast.Constant) or first.value not in EXERCISES:
        return set()
    named = [keyword.value for keyword in call.keywords if keyword.arg == "variant"]
    if not named:
        return {None}
    try:
        value = ast.literal_eval(named[0])
    except ValueError:  # computed: nobody knows
        return set()
    return {value} if value is None or type(value) is int else set()


def _called(variant: int | None) -> str:
    return "the exercises of the lessons" if variant is None else f"variant {variant}"
