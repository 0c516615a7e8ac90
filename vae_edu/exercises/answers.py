"""What a function answers to chosen arguments, as plain tensors, and its side effects."""

import inspect
import linecache
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vae_edu.exercises.calling import NotATensor, call, tensors


@dataclass
class Answer:
    """What a function answered in one case.

    Attributes:
        parts: The tensors that it returned, moved to the CPU. Empty if there was a problem.
        devices: The device that each part was on: "any" for a float, "none" for what is no tensor.
        problem: What went wrong, and a detail: ("unwritten", ""), ("raised", the error),
            ("changed", the argument's name), ("nothing", "") or ("type", what it returned instead).
        gradients: The gradient of the answer's weighted sum by argument; None if no gradient passes.
        form: What the tensors came in, if it is neither a tensor nor a tuple: "list", "generator" or
            "NumPy array".
        renamed: Whether the function's parameters have other names than the exercise's.
    """

    parts: list[Tensor] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    problem: tuple[str, str] | None = None
    gradients: dict[str, Tensor | None] = field(default_factory=dict)
    form: str = ""
    renamed: bool = False


def answer(function: Callable[..., Any], arguments: dict[str, Any], gradients: Sequence[str] = ()) -> Answer:
    """Call a function with a copy of the arguments. Whatever the function does, this never raises.

    Args:
        function: The function to call.
        arguments: Its arguments by name, in the exercise's order.
        gradients: The arguments to differentiate by, all of them tensors.
    """
    given = {key: value.clone() if isinstance(value, Tensor) else value for key, value in arguments.items()}
    try:
        result, renamed = call(function, given)
        if result is None:
            return Answer(problem=("nothing", ""))
        changed = [key for key, value in arguments.items() if not _equal(given[key], value)]
        if changed:
            return Answer(problem=("changed", changed[0]))
        parts, devices, form = tensors(result)
        parts = [part.detach().cpu() for part in parts]
    except NotATensor as error:
        return Answer(problem=("type", str(error)))
    except (Exception, SystemExit) as error:
        return Answer(problem=_problem(function, error))
    return Answer(
        parts, devices, gradients=_gradients(function, arguments, gradients), form=form, renamed=renamed
    )


def said(error: BaseException) -> str:
    """An error in words, in one line, even if it cannot be printed."""
    try:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:250].rstrip(".")
    except (Exception, SystemExit):
        return f"{type.__repr__(type(error))[8:-2]}, which cannot be printed"


def _problem(function: Callable[..., Any], error: BaseException) -> tuple[str, str]:
    text = said(error)
    pytorchs = text.startswith("NotImplementedError: Could not run")
    if issubclass(type(error), NotImplementedError) and not pytorchs:
        return "unwritten", ""
    return "raised", text + _line(function, error)


def _line(function: Callable[..., Any], error: BaseException) -> str:
    """The line of the function's own code in which an error came up, if it can be read."""
    try:
        code = inspect.unwrap(function).__code__
        frames = reversed(list(traceback.walk_tb(error.__traceback__)))
        number = next(number for frame, number in frames if frame.f_code is code)
        line = linecache.getline(code.co_filename, number).strip()
    except (Exception, SystemExit):  # an object may answer no question, and most have no code
        return ""
    return f", in its line “{line[:100]}”" if line else ""


def _equal(a: Any, b: Any) -> bool:
    if not isinstance(b, Tensor):
        return type(a) is type(b) and bool(a == b)
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)


def _gradients(
    function: Callable[..., Any], arguments: dict[str, Any], names: Sequence[str]
) -> dict[str, Tensor | None]:
    if not names:
        return {}
    try:
        with torch.inference_mode(False), torch.enable_grad():
            inputs = {name: arguments[name].clone().requires_grad_() for name in names}
            parts, _, _ = tensors(call(function, arguments | inputs)[0])
            # Weights, since the sum of normalized weights has no gradient at all.
            flat = torch.cat([part.double().flatten() for part in parts])
            total = flat @ torch.arange(len(flat), device=flat.device).double().cos()
            found = torch.autograd.grad(total, list(inputs.values()), allow_unused=True)
    except (Exception, SystemExit):  # the answer cannot be differentiated
        return dict.fromkeys(names)
    return {name: None if g is None else g.detach().cpu() for name, g in zip(inputs, found)}
