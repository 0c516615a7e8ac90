"""The cases of a check: arguments to try a function on, and the right answer to each."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from vae_edu.engine.randomness import random_stream
from vae_edu.exercises.answers import answer
from vae_edu.exercises.compare import Right, fits, right_answer, same
from vae_edu.exercises.exercise import Exercise

# Images B, pixels a side or in a row D, features d: in a row no size is a multiple or a power of another.
SIZES = [(5, 7, 3), (3, 5, 2), (8, 10, 6)]
SINGLE, FEW = (1, 2, 2), (2, 3, 2)
DRAWS = 3  # of small arguments, to find some that show a mistake
MISTAKES = 12  # known ones to try them on: the first are the most frequent


@dataclass(frozen=True)
class Case:
    """Arguments to try a function on.

    Attributes:
        kind: "random", "small" (one image), "few", "float64", "extreme" or "cuda"; or, only to see what a wrong
            answer depends on, "again" (the first arguments once more), "other" (one of them is another) or
            "rest" (the first image with other images).
        arguments: The arguments by name.
        sizes: The sizes (B, D, d) that they were made from.
        right: The right answer.
        changed: The arguments that differ from those of the first case.
        kept: In a case of the kind "rest", the length of the dimension whose first entry stayed.
    """

    kind: str
    arguments: dict[str, Any]
    sizes: tuple[int, int, int]
    right: Right
    changed: tuple[str, ...] = ()
    kept: int = 0

    @property
    def counted(self) -> bool:
        """Whether the answer must be right."""
        return self.kind not in ("again", "other", "rest")


def cases(
    exercise: Exercise, seed: int = 0, sizes: list[tuple[int, int, int]] = SIZES, cuda: bool | None = None
) -> list[Case]:
    """Make the cases of a check: random ones of several sizes, two small, one in float64, the extreme ones.

    Then come those that help the diagnosis: the first again, and with another value of each argument.

    Args:
        exercise: The exercise, which makes the arguments.
        seed: The seed of the random arguments.
        sizes: The sizes (B, D, d) of the random cases.
        cuda: Whether to add a case on the GPU. Default: if there is a GPU.
    """
    with random_stream(seed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a known mistake may divide by 0
        found = [_stable(exercise, "random", size) for size in sizes]
        found += [_telling(exercise, kind, size) for kind, size in (("small", SINGLE), ("few", FEW))]
        others = [exercise.arguments(*sizes[0]) for _ in range(5)]
    first = found[0]

    def vary(kind: str, change: dict[str, Any]) -> None:
        arguments = first.arguments | change
        changed = tuple(key for key, value in change.items() if not _equal(value, first.arguments[key]))
        share = (
            3e-5 if kind == "extreme" else 3e-6
        )  # extreme numbers are for overflow, not for the last digit
        right = right_answer(exercise, arguments, gradients=False, share=share)
        found.append(Case(kind, arguments, first.sizes, right, changed))

    tensors = {key: value for key, value in first.arguments.items() if isinstance(value, Tensor)}
    vary("float64", {k: v.double() for k, v in tensors.items() if v.is_floating_point()})
    for change in _extremes(exercise, first.arguments):
        vary("extreme", change)
    if torch.cuda.is_available() if cuda is None else cuda:
        vary("cuda", {key: value.cuda() for key, value in tensors.items()})
    found.append(replace(first, kind="again"))
    for key, value in first.arguments.items():
        other = next((each[key] for each in others if _goes_with(each[key], value)), value)
        if other is value and isinstance(value, float):
            other = 0.9 * value
        if other is not value:
            vary("other", {key: other})
    found += _rest(exercise, first, others[0])
    return found


def _rest(exercise: Exercise, first: Case, others: dict[str, Any]) -> list[Case]:
    """The first image of a case with other images, if the right answer for it is the same then."""

    def mixed(value: Any, other: Any, length: int) -> Any:
        if not isinstance(value, Tensor) or length not in value.shape or other.shape != value.shape:
            return value
        at = value.shape.index(length)
        return torch.cat([value.narrow(at, 0, 1), other.narrow(at, 1, length - 1)], at)

    for length in dict.fromkeys(n for part in first.right.parts for n in part.shape if n > 1):
        arguments = {k: mixed(v, others[k], length) for k, v in first.arguments.items()}
        right = right_answer(exercise, arguments, gradients=False)
        pairs = [(a, b) for a, b in zip(right.parts, first.right.parts) if length in b.shape]
        if all(
            a.shape == b.shape
            and fits(a.select(b.shape.index(length), 0), b.select(b.shape.index(length), 0), 1e-9)
            and not torch.equal(a, b)
            for a, b in pairs
        ):
            return [Case("rest", arguments, first.sizes, right, kept=length)]
    return []


def _extremes(exercise: Exercise, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    found = exercise.extreme or ()
    return [extreme(**arguments) for extreme in ([found] if callable(found) else found)]


def _stable(exercise: Exercise, kind: str, size: tuple[int, int, int]) -> Case:
    """A case whose right answer does not hang on rounding: drawn again if two numbers are almost equal."""
    for _ in range(10):
        arguments = exercise.arguments(*size)
        right = right_answer(exercise, arguments)
        changes = _extremes(exercise, arguments) if right.stable else []
        if right.stable and all(
            right_answer(exercise, arguments | c, gradients=False).stable for c in changes
        ):
            break
    return Case(kind, arguments, size, right)


def _telling(exercise: Exercise, kind: str, size: tuple[int, int, int]) -> Case:
    """A small case on which as many of the known mistakes as possible give another answer than the right one."""
    drawn = []
    for _ in range(DRAWS):
        arguments = exercise.arguments(*size)
        right = right_answer(exercise, arguments, gradients=False)
        made = (answer(mistake, arguments) for mistake, _ in exercise.mistakes[:MISTAKES])
        missed = sum(same(one, right) for one in made) + 100 * (not right.stable)
        drawn.append((missed, Case(kind, arguments, size, right)))
        if not missed:
            break
    return min(drawn, key=lambda pair: pair[0])[1]


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and a.device == b.device and torch.equal(a, b)
    return type(a) is type(b) and bool(a == b)


def _goes_with(other: Any, value: Any) -> bool:
    """Whether another value may stand in for an argument."""
    same_shape = not isinstance(value, Tensor) or other.shape == value.shape
    return same_shape and not _equal(other, value)
