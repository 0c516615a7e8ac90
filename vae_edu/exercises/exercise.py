"""What an exercise is: a tested reference, arguments to try it on, and the mistakes that learners make."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, pad, softplus

from vae_edu.gaussian import kl_to_standard_normal


@dataclass(frozen=True)
class Exercise:
    """A tested function, the shapes it works on, random arguments by name, and the known mistakes.

    arguments: from the sizes B (images), D (pixels a side or in a row) and d (features) to arguments by name.
    mistakes: pairs of one line of wrong code, in the arguments' names, and the hint that it deserves.
    extreme: from arguments to those that take other, extreme values; a right answer stays right there.
    gradients: the arguments that a right answer must let gradients through to.
    points: what it is worth in a classroom.
    """

    reference: Callable[..., Any]
    shapes: str
    arguments: Callable[[int, int, int], dict[str, Any]]
    mistakes: list[tuple[str, str]]
    extreme: Callable[..., dict[str, Any]] | None = None
    gradients: tuple[str, ...] = ()
    points: int = 2


def one_by_one(u: Tensor, pixel: Callable[[int, Tensor], Tensor]) -> Tensor:
    """x (B, T) whose pixel t is pixel(t, x), in order, as it depends on those before."""
    x = torch.zeros_like(u)
    for t in range(u.shape[1]):
        x[:, t] = pixel(t, x)
    return x


def wrong_answer(code: str, arguments: dict[str, Any]) -> Any:
    """What a line of wrong code from the catalogue gives; it may use a few names besides the arguments."""
    names = {
        "torch": torch,
        "math": math,
        "LOG_2PI": math.log(2 * math.pi),
        "softplus": softplus,
        "pad": pad,
        "ONE_BY_ONE": one_by_one,
        "bce": partial(binary_cross_entropy_with_logits, reduction="none"),
    }
    if {"mu", "logvar"} <= arguments.keys() and arguments["mu"].dim() == 2:
        names["KL"] = kl_to_standard_normal(arguments["mu"], arguments["logvar"])
        names["S"] = (0.5 * arguments["logvar"]).exp()
    if {"a", "b", "t"} <= arguments.keys():
        names["COS"] = torch.nn.functional.cosine_similarity(arguments["a"], arguments["b"])[:, None]
        names["OM"] = names["COS"].acos()
    return eval(code, names | arguments)
