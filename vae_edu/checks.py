"""Checks of the exercises: they run a learner's function and name the mistake, never the solution."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vae_edu.exercises import EXERCISES, wrong_answer
from vae_edu.randomness import random_stream

SIZES = [(5, 7, 3), (3, 4, 2), (8, 10, 6)]  # images B, pixels a side or in a row D, features d


def check(name: str, function: Callable[..., Any]) -> None:
    """Run a learner's function on random batches and print "name: correct", or what the mistake is.

    Raises ValueError for a name that is no exercise.
    """
    problem = diagnose(name, function)
    print(f"{name}: {'correct' if problem is None else 'not yet: ' + problem}.")


def diagnose(name: str, function: Callable[..., Any]) -> str | None:
    """What is wrong with a learner's function, in words; None where it is right.

    Raises ValueError for a name that is no exercise.
    """
    if name not in EXERCISES:
        raise ValueError(f"no exercise {name!r}: the exercises are {', '.join(EXERCISES)}.")
    exercise = EXERCISES[name]
    with random_stream(0):
        cases = [exercise.arguments(*sizes) for sizes in SIZES]
    answers = []
    for arguments in cases:
        given = copy.deepcopy(arguments)
        try:
            answer = function(**given)
        except NotImplementedError:
            return "it is not written yet"
        except Exception as error:
            return f"it raised {type(error).__name__}: {error}; {exercise.shapes}"
        for key, value in arguments.items():
            if not torch.equal(torch.as_tensor(given[key]), torch.as_tensor(value)):
                return f"it changes its input {key} in place; work on a new tensor"
        if answer is None:
            return "it returns None; end it with return"
        try:
            answers.append(_tensors(answer))
        except (TypeError, ValueError, RuntimeError):
            return f"it returns a {type(answer).__name__}; {exercise.shapes}"
    right = [_tensors(exercise.reference(**arguments)) for arguments in cases]
    if _same(answers, right):
        if exercise.differentiable and not _differentiable(function, cases[0]):
            return "no gradient passes through it to its inputs; leave out detach, item, numpy and no_grad"
        return None
    for wrong, hint in exercise.mistakes:
        if _same(answers, [_tensors(wrong_answer(wrong, arguments)) for arguments in cases]):
            return hint
    return _describe(answers, right, exercise.shapes)


def _differentiable(function: Callable[..., Any], arguments: dict[str, Any]) -> bool:
    """Whether a change of each input reaches the answer by way of autograd."""
    inputs = {name: value.clone().requires_grad_() for name, value in arguments.items()}
    answer = function(**inputs)
    if not answer.requires_grad:
        return False
    gradients = torch.autograd.grad(answer.sum(), list(inputs.values()), allow_unused=True)
    return all(gradient is not None for gradient in gradients)


def _tensors(answer: Any) -> list[Tensor]:
    parts = answer if isinstance(answer, tuple) else [answer]
    return [torch.as_tensor(part).detach().double().cpu() for part in parts]


def _same(answers: list[list[Tensor]], others: list[list[Tensor]]) -> bool:
    """Whether all the parts of all the answers agree, in shape and to float32 precision."""
    return all(
        len(parts) == len(other_parts)
        and all(
            a.shape == b.shape and torch.allclose(a, b, 1e-4, 1e-6, equal_nan=True)
            for a, b in zip(parts, other_parts)
        )
        for parts, other_parts in zip(answers, others)
    )


def _describe(answers: list[list[Tensor]], right: list[list[Tensor]], shapes: str) -> str:
    """A diagnosis of answers that no known mistake explains."""
    for parts, right_parts in zip(answers, right):
        if len(parts) != len(right_parts):
            return f"it returns {len(parts)} values, not {len(right_parts)}; {shapes}"
        for a, b in zip(parts, right_parts):
            if a.shape != b.shape:
                hint = "it is transposed" if a.dim() == 2 and a.T.shape == b.shape else shapes
                return f"it returns the shape {tuple(a.shape)} where {tuple(b.shape)} is right; {hint}"
    a, b = (
        torch.cat([part.flatten() for parts in all_parts for part in parts]) for all_parts in (answers, right)
    )
    if not a.isfinite().all():
        return "it returns values that are not finite"
    for value, sentence in [
        (a / b, "it is {:.4g} times the right value; look for that factor"),
        (a - b, "it is {:+.4g} off everywhere; look for that constant"),
    ]:
        if value[0].abs() > 1e-6 and torch.allclose(value, value[0].expand_as(value), rtol=1e-4):
            return sentence.format(value[0].item())
    worst = (a - b).abs().argmax()
    return f"one value is {a[worst]:.4g} where {b[worst]:.4g} is right; {shapes}"
