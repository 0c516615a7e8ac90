"""When an answer is right: the reference in float64, and how far float32 may be from it."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vae_edu.exercises.answers import Answer, answer
from vae_edu.exercises.exercise import Exercise

RELATIVE = 1e-5  # more than float32 loses in the sums of an exercise
TWITCH = 1e-5  # the change of the arguments that shows what rounding does; rounding itself is a tenth of it


@dataclass(frozen=True)
class Right:
    """The right answer to one case, computed in float64.

    Attributes:
        parts: Its values.
        tolerances: How far each part may be off, in addition to RELATIVE of the value.
        dtypes: The dtype of each part for the arguments as they are.
        gradients: The gradients by argument, as an Answer has them.
        margins: How far each gradient may be off.
        stable: Whether rounding cannot change it much, as it would if two distances were almost equal.
    """

    parts: list[Tensor]
    tolerances: list[float]
    dtypes: list[torch.dtype]
    gradients: dict[str, Tensor | None] = field(default_factory=dict)
    margins: dict[str, float] = field(default_factory=dict)
    stable: bool = True

    @property
    def index(self) -> bool:
        """Whether the answer is a single whole number, of which several may be right by chance."""
        return len(self.parts) == 1 and not self.dtypes[0].is_floating_point and not self.parts[0].dim()


def doubled(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments in float64, on the CPU."""
    tensors = {key: value.cpu() for key, value in arguments.items() if isinstance(value, Tensor)}
    floats = {key: value.double() for key, value in tensors.items() if value.is_floating_point()}
    return arguments | tensors | floats


def right_answer(
    exercise: Exercise, arguments: dict[str, Any], gradients: bool = True, share: float = 3e-6
) -> Right:
    """The right answer and its tolerances.

    Float32 rounds at every step. What that may do is seen from arguments that differ by a little, and from what
    the reference itself gives in float32.

    Args:
        exercise: The exercise.
        arguments: Its arguments.
        gradients: Whether the gradients are wanted, too.
        share: How far a value may always be off, as a share of the largest.
    """
    by, exactly = exercise.gradients if gradients else (), doubled(arguments)
    plain = answer(exercise.reference, arguments, by)
    exact = answer(exercise.reference, exactly, by)
    others = [answer(exercise.reference, _twitched(exactly, seed), by) for seed in (0, 1)]
    rounded = [plain] + [answer(exercise.reference, _twitched(arguments, seed), by) for seed in (0, 1)]
    pairs = list(zip(rounded, [exact, *others]))
    noise = [_noise(part, [other.parts[i] for other in others]) for i, part in enumerate(exact.parts)]
    # An exponential is off by as much, relatively, as its argument is absolutely: a softmax at −1000 by 1e-4.
    shift = 1.2e-7 * max((_scale(v) for v in exactly.values() if isinstance(v, Tensor)), default=1.0)
    rounding = [
        min(8 * max(_noise(b.parts[i], [a.parts[i]]) for a, b in pairs), 1e-3 * _scale(part))
        for i, part in enumerate(exact.parts)
    ]
    stable = all(
        moved <= 0.1 * _scale(part) if part.is_floating_point() else moved == 0
        for part, moved in zip(exact.parts, noise)
    )
    margins = {}
    for key, gradient in exact.gradients.items():
        if gradient is not None:
            moved = _noise(gradient, [other.gradients[key] for other in others])
            lost = max(_noise(b.gradients[key], [a.gradients[key]]) for a, b in pairs)
            margins[key] = max((1e-5 + shift) * _scale(gradient), moved, 8 * lost)
    return Right(
        [part.double() for part in exact.parts],
        [
            max(2e-5, share * _scale(part), moved / 10, lost, shift * min(_scale(part), 50))
            for part, moved, lost in zip(exact.parts, noise, rounding)
        ],
        [part.dtype for part in plain.parts],
        exact.gradients,
        margins,
        stable,
    )


def _twitched(arguments: dict[str, Any], seed: int) -> dict[str, Any]:
    """The arguments, each number of them changed by a little that float32 can hold."""
    generator = torch.Generator().manual_seed(seed)

    def move(value: Any) -> Any:
        if (
            not isinstance(value, Tensor)
            or not value.is_floating_point()
            or bool((value == value.round()).all())
        ):
            return value  # 0s and 1s are exact
        noise = 2 * torch.rand(value.shape, generator=generator, dtype=torch.float64) - 1
        return (value.double().cpu() * (1 + TWITCH * noise)).float().to(value)

    return {key: move(value) for key, value in arguments.items()}


def _noise(value: Tensor | None, others: list[Tensor | None]) -> float:
    if value is None or not value.numel():
        return 0.0
    moved = [
        (other.double() - value.double()).abs().nan_to_num(0, 0, 0) for other in others if other is not None
    ]
    return max((change.max().item() for change in moved), default=0.0)


def _scale(value: Tensor) -> float:
    finite = value[value.isfinite()].double().abs()
    return max(1.0, finite.max().item()) if finite.numel() else 1.0


def near(a: Tensor, b: Tensor, tolerance: float) -> Tensor:
    """For each value whether a is b, up to rounding; nan equals nan."""
    a, b = a.double(), b.double()
    close = (a - b).abs() <= RELATIVE * b.abs() + tolerance
    return (close & b.isfinite()) | (a == b) | (a.isnan() & b.isnan())


def fits(a: Tensor, b: Tensor, tolerance: float) -> bool:
    """Whether two tensors have the same shape and values, up to rounding."""
    return a.shape == b.shape and bool(near(a, b, tolerance).all())


def same(given: Answer, right: Right) -> bool:
    """Whether an answer is right."""
    return (
        given.problem is None
        and len(given.parts) == len(right.parts)
        and all(map(fits, given.parts, right.parts, right.tolerances))
    )


def alike(given: Answer, other: Answer, right: Right) -> bool:
    """Whether two answers are the same, by the tolerances of the right one."""
    if given.problem or other.problem or len(given.parts) != len(other.parts):
        return False
    slack = max(right.tolerances, default=0.0)
    return all(
        fits(a, b, max(1e-6 * _scale(b), min(slack, 1e-3 * _scale(b))))
        for a, b in zip(given.parts, other.parts)
    )


def nearer(given: Answer, other: Answer, right: Right) -> bool:
    """Whether an answer is far nearer to another one than to the right one, so that rounding sets them apart."""
    if given.problem or other.problem or [p.shape for p in other.parts] != [p.shape for p in given.parts]:
        return False
    if [part.shape for part in given.parts] != [part.shape for part in right.parts]:
        return False
    off, error = (
        max(((a.double() - b.double()).abs().max().item() for a, b in zip(given.parts, parts)), default=0.0)
        for parts in (other.parts, right.parts)
    )
    return off <= 1e-4 * error and error < torch.inf


def fitted(given: Answer, right: Right) -> Answer:
    """The answer as a tuple of tensors, if its values came as a list, or stacked in one tensor."""
    parts, count = given.parts, len(right.parts)
    if count > 1 and len(parts) == 1 and parts[0].dim() and len(parts[0]) == count:
        parts = list(parts[0])
    elif count == 1 and len(parts) > 1 and len({part.shape for part in parts}) == 1:
        parts = [torch.stack(parts)]
    else:
        return given
    if [part.shape for part in parts] != [part.shape for part in right.parts]:
        return given
    form = given.form or ("tuple" if count == 1 else "single tensor")
    devices = given.devices[:1] * count
    return Answer(parts, devices, None, given.gradients, form, given.renamed)
