"""Other conventions for an exercise: other arguments, another answer, and what is said of the lesson's own.

A convention holds functions for the checks and, as text, the lines that a solution needs for it. In all of
its texts the arguments stand in braces, by their names in the lesson: "{logvar} is log σ".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

Answers = Callable[[Any, dict[str, Any]], Any]  # the lesson's answer and the lesson's arguments → this one


@dataclass(frozen=True)
class Change:
    """An argument that is given in another way than in the lesson.

    Attributes:
        to: From the lesson's argument to the one that is given.
        back: The inverse.
        code: The inverse as Python, where {} is what is given.
        names: What such an argument is called. Default: as any other.
    """

    to: Callable[[Any], Any]
    back: Callable[[Any], Any]
    code: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Convention:
    """A convention that differs from the lesson's.

    Attributes:
        note: What the exercise says of it.
        hint: What is said to an answer in the lesson's convention.
        given: The arguments that change.
        answer: The lesson's answer, or one of several, in this convention. None: it does not change.
        code: That as Python, where {} is the lesson's answer.
        shapes: The shapes of the arguments and of the answer. Default: those of the lesson.
        outdated: The hints of the lesson that do not hold here, as a regular expression.
        linear: Whether the answer of a sum is the sum of the answers.
        mistakes: Wrong answers that only this convention invites, made like ``answer``, with their hints.
    """

    note: str
    hint: str
    given: dict[str, Change] = field(default_factory=dict)
    answer: Answers | None = None
    code: str = "{}"
    shapes: str | None = None
    outdated: str = "$^"
    linear: bool = True
    mistakes: tuple[tuple[Answers, str], ...] = ()


BITS = Convention(
    "The answer is in bits. The lesson counts in nats, and 1 nat is 1 / log 2 = 1.44 bits.",
    "this is in nats, as in the lesson; this exercise asks for bits",
    answer=lambda right, _: right / math.log(2),
    code="{} / math.log(2)",
    outdated=r"\b(bits?|nats?|base|natural|log 2)\b",
    mistakes=((lambda right, _: right * math.log(2), "it multiplies by log 2; a nat is 1 / log 2 bits"),),
)
BASE_10 = Convention(
    "The answer is a logarithm to base 10, log₁₀. The lesson takes the natural one.",
    "this is a natural logarithm, as in the lesson; this exercise asks for base 10",
    answer=lambda right, _: right / math.log(10),
    code="{} / math.log(10)",
    outdated=r"\b(bits?|nats?|base|natural|log 2)\b",
    mistakes=((lambda right, _: right * math.log(10), "it multiplies by log 10; divide by it"),),
)


def minus(what: str) -> Convention:
    """The answer with its sign turned, which is called so."""
    return Convention(
        f"The answer is {what}: its sign is not the lesson's.",
        f"its sign is the lesson's; this exercise asks for {what}",
        answer=lambda right, _: -right,
        code="-{}",
        outdated=r"sign|[−-] ?log|minus|negative|add|subtract|loss|bound|flip|upside",
    )


def percent(what: str) -> Convention:
    """The answer in percent."""
    return Convention(
        f"The answer is {what} in percent: 100 where the lesson has 1.",
        f"this is {what} as in the lesson; this exercise asks for percent",
        answer=lambda right, _: 100 * right,
        code="100 * {}",
        outdated=r"\b(100|is 1|must be)\b",
    )


def spread(
    is_what: str, names: tuple[str, ...], to: Callable[..., Any], back: Callable[..., Any], code: str
) -> Convention:
    """Another number than log σ² for how wide a Gaussian is."""
    return Convention(
        f"{{logvar}} is {is_what}; the lesson's logvar is log σ².",
        f"it takes {{logvar}} for log σ², as the lesson does; in this exercise it is {is_what}",
        given={"logvar": Change(to, back, code, names)},
        outdated=r"logvar|exp|log σ\b",
    )


LOG_STD = spread("log σ", ("log_std", "log_sigma"), lambda v: v / 2, lambda v: 2 * v, "2 * {}")
VARIANCE = spread("the variance σ²", ("variance", "var"), lambda v: v.exp(), lambda v: v.log(), "{}.log()")
STD = spread("σ", ("std", "sigma"), lambda v: (v / 2).exp(), lambda v: 2 * v.log(), "2 * {}.log()")
PRECISION = spread(
    "the precision 1/σ²", ("precision", "inv_var"), lambda v: (-v).exp(), lambda v: -v.log(), "-{}.log()"
)

GRID_LAST = "{log_joint} is (B, N, N), {step} is a number; the answer is "
IMAGES_FIRST = Change(lambda v: v.movedim(2, 0).contiguous(), lambda v: v.movedim(0, 2), "{}.movedim(0, 2)")
AREA = Convention(
    "{step} is the area of a cell of the grid, not the distance between its nodes.",
    "it takes {step} for a distance, as the lesson does; in this exercise it is the area of a cell",
    given={"step": Change(lambda v: v**2, lambda v: v**0.5, "{} ** 0.5", ("area", "cell"))},
    outdated="step|cell|area",
)


def turned(*names: str, shapes: str, answer: bool = False) -> Convention:
    """Matrices with their dimensions swapped, such as (B, K) for (K, B).

    Args:
        names: The arguments that are turned.
        shapes: The shapes of the arguments and of the answer.
        answer: Whether the answer is turned as well.
    """
    return Convention(
        "Dimensions 0 and 1 are swapped, compared with the lesson.",
        "it takes the dimensions in the lesson's order; in this exercise they are swapped",
        given={name: Change(lambda v: v.T.contiguous(), lambda v: v.T, "{}.T") for name in names},
        answer=(lambda right, _: right.transpose(0, 1)) if answer else None,
        code="{}.T" if answer else "{}",
        shapes=shapes,
        outdated=r"dimension \d|\brows?\b|column|turned|transpos",
    )


def threshold(name: str) -> Convention:
    """A bias that is subtracted."""
    return Convention(
        f"{{{name}}} is a threshold: it is subtracted, where the lesson adds its bias.",
        f"it adds {{{name}}}, as the lesson does; in this exercise it is a threshold and is subtracted",
        given={name: Change(lambda v: -v, lambda v: -v, "-{}", ("theta", "barrier"))},
        outdated=r"\bbias(es)?\b|add|subtract",
    )


def gray_levels(*names: str) -> Convention:
    """Pixels from 0 to 255."""
    which = " and ".join(f"{{{name}}}" for name in names)
    return Convention(
        f"The pixels of {which} go from 0 to 255; divide by 255 first. The rest is as in the lesson.",
        "it takes pixels from 0 to 1, as in the lesson; in this exercise they go from 0 to 255",
        given={name: Change(lambda v: 255 * v, lambda v: v / 255, "{} / 255") for name in names},
    )


def other_chance(name: str) -> Convention:
    """Uniform numbers that are compared with 1 − p."""
    return Convention(
        f"A pixel is 1 where {{{name}}} is larger than 1 − p. (The lesson: smaller than p.)",
        f"a pixel is 1 where {{{name}}} lies below p, as in the lesson; here, where it lies above 1 − p",
        given={name: Change(lambda v: 1 - v, lambda v: 1 - v, "1 - {}")},
        outdated=r"below|way round|compare|\bu\b",
    )


def pixels_of(image: Tensor) -> int:
    """How many pixels each image has."""
    return image[0].numel()
