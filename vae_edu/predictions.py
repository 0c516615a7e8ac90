"""Predictions: what a learner expects of a figure, next to what is measured. Nothing is graded."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor


def compare(guess: Any, measured: float | str | Sequence[str] | Tensor, unit: str = "") -> None:
    """Print a guess and what was measured, in one sentence.

    Args:
        guess: A number, a choice or an order of choices, like `measured`; None if nothing was guessed.
        measured: What came out: a number, also as a tensor of one; a word; or words in order.
        unit: Of the number, such as "nats".
    """
    if isinstance(measured, Tensor):
        measured = measured.item()
    if isinstance(measured, (str, Sequence)):
        print(_of_words(guess, measured))
    else:
        print(_of_numbers(guess, float(measured), f" {unit}" if unit else ""))


def _of_numbers(guess: Any, measured: float, unit: str) -> str:
    truth = f"{_shown(measured)}{unit}"
    if guess is None:
        return f"Measured: {truth}. You made no guess."
    try:
        number = float(guess)
    except (TypeError, ValueError):
        return f"Measured: {truth}. Your guess, {guess!r}, is not a number."
    if abs(number - measured) <= 0.1 * abs(measured):
        return f"You guessed {_shown(number)}{unit}, and measured is {truth}: well guessed."
    off, side = _shown(abs(number - measured)), "more" if number > measured else "less"
    return f"You guessed {_shown(number)}{unit}, and measured is {truth}: you expected {off} {side}."


def _of_words(guess: Any, measured: str | Sequence[str]) -> str:
    truth = [measured] if isinstance(measured, str) else list(measured)
    if guess is None:
        return f"Measured: {', '.join(truth)}. You made no guess."
    words = [guess] if isinstance(guess, str) or not isinstance(guess, Sequence) else list(guess)
    said, right = [[str(word).strip().casefold() for word in those] for those in (words, truth)]
    if said == right:
        return f"You guessed {', '.join(truth)}, and so it is."
    return f"You guessed {', '.join(map(str, words))}, and measured is {', '.join(truth)}."


def _shown(value: float) -> str:
    """Three digits, and all of a whole number: 2.35, 0.0123, 1,480."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
