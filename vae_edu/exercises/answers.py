"""Call a function on chosen arguments; what it answers, as plain tensors, and its side effects."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vae_edu.engine.randomness import random_stream
from vae_edu.exercises import Exercise

SIZES = [(5, 7, 3), (3, 4, 2), (8, 10, 6)]  # images B, pixels a side or in a row D, features d
SMALL = (1, 2, 2)


@dataclass(frozen=True)
class Case:
    """Arguments to try a function on.

    Attributes:
        kind: "random", "small", "float64", "extreme", "cuda" or "zero".
        arguments: The arguments by name.
        sizes: The sizes (B, D, d) that they were made from.
        zeroed: The argument that is 0, in a case of the kind "zero".
    """

    kind: str
    arguments: dict[str, Any]
    sizes: tuple[int, int, int]
    zeroed: str | None = None


@dataclass
class Answer:
    """What a function answered in one case.

    Attributes:
        parts: The tensors that it returned, moved to the CPU. Empty if there was a problem.
        devices: The device that each part was on.
        problem: What went wrong, and a detail: ("unwritten", ""), ("raised", the error),
            ("changed", the argument's name), ("nothing", "") or ("type", the type's name).
        gradients: The gradient of the answer's sum by argument; None if no gradient passes.
    """

    parts: list[Tensor] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    problem: tuple[str, str] | None = None
    gradients: dict[str, Tensor | None] = field(default_factory=dict)


def cases(
    exercise: Exercise, seed: int = 0, sizes: list[tuple[int, int, int]] = SIZES, cuda: bool | None = None
) -> list[Case]:
    """Make the cases of a check: random ones of several sizes, one small, one in float64, one extreme.

    If there are several tensors, each is also set to 0 once. These cases only help the diagnosis.

    Args:
        exercise: The exercise, which makes the arguments.
        seed: The seed of the random arguments.
        sizes: The sizes (B, D, d) of the random cases.
        cuda: Whether to add a case on the GPU. Default: if there is a GPU.
    """
    with random_stream(seed):
        found = [Case("random", exercise.arguments(*size), size) for size in sizes]
        found.append(Case("small", exercise.arguments(*SMALL), SMALL))
    first = found[0]

    def vary(kind: str, change: dict[str, Any], zeroed: str | None = None) -> None:
        found.append(Case(kind, first.arguments | change, first.sizes, zeroed))

    tensors = {key: value for key, value in first.arguments.items() if isinstance(value, Tensor)}
    vary("float64", {key: value.double() for key, value in tensors.items()})
    extremes = exercise.extreme or ()
    for extreme in [extremes] if callable(extremes) else extremes:
        vary("extreme", extreme(**first.arguments))
    if torch.cuda.is_available() if cuda is None else cuda:
        vary("cuda", {key: value.cuda() for key, value in tensors.items()})
    if len(tensors) > 1:
        for key, value in tensors.items():
            vary("zero", {key: torch.zeros_like(value)}, zeroed=key)
    return found


def answer(function: Callable[..., Any], arguments: dict[str, Any], gradients: Sequence[str] = ()) -> Answer:
    """Call a function with a copy of the arguments. Whatever the function does, this never raises.

    Args:
        function: The function to call.
        arguments: Its arguments by name.
        gradients: The arguments to differentiate by, all of them tensors.
    """
    given = copy.deepcopy(arguments)
    try:
        result = function(**given)
        changed = [key for key, value in arguments.items() if not _equal(given[key], value)]
        if changed:
            return Answer(problem=("changed", changed[0]))
        if result is None:
            return Answer(problem=("nothing", ""))
    except NotImplementedError:
        return Answer(problem=("unwritten", ""))
    except (Exception, SystemExit) as error:
        return Answer(problem=("raised", f"{type(error).__name__}: {error}"))
    try:
        parts, devices = zip(*map(_tensor, result if isinstance(result, tuple) else [result]))
    except Exception:  # a learner's object may raise anything when it is made a tensor
        return Answer(problem=("type", type(result).__name__))
    return Answer(list(parts), list(devices), gradients=_gradients(function, arguments, gradients))


def _tensor(part: Any) -> tuple[Tensor, str]:
    """A part of an answer as a tensor on the CPU, and the device that it was on."""
    if isinstance(part, float):  # it keeps its precision, and no device is wrong
        return torch.tensor(part, dtype=torch.float64), "any"
    tensor = torch.as_tensor(part).detach()
    if tensor.layout != torch.strided or tensor.is_complex():
        raise TypeError("not an ordinary tensor")
    return tensor.cpu(), tensor.device.type


def _equal(a: Any, b: Any) -> bool:
    return torch.equal(a, b) if isinstance(b, Tensor) else a == b


def _gradients(
    function: Callable[..., Any], arguments: dict[str, Any], names: Sequence[str]
) -> dict[str, Tensor | None]:
    inputs = {name: arguments[name].clone().requires_grad_() for name in names}
    if not inputs:
        return {}
    try:
        total = function(**arguments | inputs).sum()
        found = torch.autograd.grad(total, list(inputs.values()), allow_unused=True)
    except Exception:  # the answer cannot be differentiated
        return dict.fromkeys(names)
    return {name: None if g is None else g.detach().cpu() for name, g in zip(inputs, found)}
