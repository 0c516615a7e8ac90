"""The headings of the table's columns, and what an answer to a question is worth."""

from vae_edu.exercises import NUMBERS

QUESTION_POINTS = 2


def column(name: str) -> str:
    """The heading of an exercise in the table: "1.1 l2_loss"."""
    return f"{NUMBERS[name]} {name}"


def question(lesson: str) -> str:
    """The heading of the lesson's question in the table: "3 question"."""
    return f"{int(lesson[:2])} question"
