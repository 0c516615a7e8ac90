"""Numbers, sizes and examples in the words of a diagnosis."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_edu.exercises.answers import Answer
from vae_edu.exercises.cases import Case
from vae_edu.exercises.compare import near
from vae_edu.exercises.exercise import Exercise

SHOWN = 24  # numbers of arguments that an example prints
CONSTANTS = {
    math.log(2 * math.pi): "log 2π",
    0.5 * math.log(2 * math.pi): "½ log 2π",
    math.log(2): "log 2",
    1 / math.log(2): "1 / log 2",
    math.log(10): "log 10",
    1 / math.log(10): "1 / log 10",
    math.pi: "π",
    2 * math.pi: "2π",
    math.pi / 180: "π / 180",
    180 / math.pi: "180 / π",
    math.sqrt(2): "√2",
    1 / math.sqrt(2): "1 / √2",
}


class Tried(NamedTuple):
    """A case, and the answer that was given."""

    case: Case
    given: Answer


def listed(names: list[str]) -> str:
    """Names in a row: "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def number(value: float) -> str:
    """A number, as a constant or a fraction that learners know if it is one."""
    for constant, name in CONSTANTS.items():
        if math.isclose(abs(value), constant, rel_tol=1e-4):
            return ("−" if value < 0 else "") + name
    inverse = 1 / value if value else 0.0
    short = math.isclose(round(value, 3), value, rel_tol=1e-5)
    if not short and 1.5 < abs(inverse) < 1e5 and math.isclose(inverse, round(inverse), rel_tol=1e-3):
        return f"1/{round(inverse)}"
    return f"{value:.4g}"


def sizes(exercise: Exercise, case: Case) -> dict[str, int]:
    """The sizes that the exercise has, by what they count."""
    if exercise.sizes:
        return exercise.sizes(**case.arguments)
    lengths: dict[str, int] = {}
    for name, value in case.arguments.items():
        for i, length in enumerate(value.shape if isinstance(value, Tensor) else ()):
            if length not in lengths.values():
                lengths[f"the length of {name}'s dimension {i}"] = length
    return lengths


def shapes(exercise: Exercise, case: Case) -> str:
    """The sizes of a case, in brackets: "B = 5, K = 7"."""
    if exercise.sizes:
        return ", ".join(f"{name.split(',')[0]} = {n}" for name, n in sizes(exercise, case).items())
    tensors = {k: v for k, v in case.arguments.items() if isinstance(v, Tensor)}
    return ", ".join(f"{name} is {(*value.shape,)}" for name, value in tensors.items())


def example(wrong: list[Tried]) -> str:
    """The smallest case with an answer that is seen to be wrong, and its numbers."""
    answered = sorted(
        (tried for tried in wrong if not tried.given.problem), key=lambda tried: _count(tried.case.arguments)
    )
    return next((text for tried in answered if (text := _example(*tried))), "")


def _example(case: Case, given: Answer) -> str:
    kept = ", ".join(f"{key} = {show(value)}" for key, value in case.arguments.items())
    head = f"for {kept}" if _count(case.arguments) <= SHOWN else "in one of the batches"
    for a, b, tolerance in zip(given.parts, case.right.parts, case.right.tolerances):
        if a.shape != b.shape:
            return f". Example: {head} it gives the shape {(*a.shape,)}, right is {(*b.shape,)}"
        if near(a, b, tolerance).all():
            continue
        if b.numel() > 6:
            worst = (a.double() - b).abs().nan_to_num(torch.inf).argmax()
            a, b = a.flatten()[worst], b.flatten()[worst]
        says = "one value is" if b.numel() != given.parts[0].numel() else "it gives"
        for digits in range(4, 10):
            ours, theirs = show(a, digits), show(b, digits)
            if ours != theirs:
                return f". Example: {head} {says} {ours}, right is {theirs}"
    return ""


def _count(arguments: dict[str, Any]) -> int:
    return sum(value.numel() if isinstance(value, Tensor) else 1 for value in arguments.values())


def show(value: Any, digits: int = 4) -> str:
    """A number or a tensor as text."""
    if not isinstance(value, Tensor):
        return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
    if value.dim() == 0:
        return f"{value.item():.{digits}g}"
    return "[" + ", ".join(show(part, digits) for part in value) + "]"
