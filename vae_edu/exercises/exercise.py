"""What an exercise is: a tested reference, arguments to try it on, and the mistakes that learners make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Exercise:
    """A function to write: the right one, arguments to try it on, and the known mistakes.

    Attributes:
        reference: The right function, tested.
        shapes: The shapes of the arguments and of the answer, in words.
        arguments: From the sizes B (images), D (pixels a side or in a row) and d (features) to random
            arguments by name.
        mistakes: Wrong functions of the same arguments, each with the hint that it deserves. No two hints
            are the same, and none holds the solution. Each pair has two lines in its catalogue, which the
            formatter leaves alone.
        extreme: From the arguments to replacements with extreme values, for which a right answer stays right.
            One function, or several, each of which makes a case.
        gradients: The arguments that a right answer must let gradients through to.
        terms: From the arguments to the terms whose sum the answer is, by what they are called, such as
            {"the reconstruction term": …, "the KL term": …}: so that a factor of one term can be named.
        sizes: From the arguments to the sizes that the exercise has, by what they count, such as
            {"K, the number of samples": 7}: a factor may depend on one. None: the lengths of the arguments.
        points: What the exercise is worth in a classroom.
    """

    reference: Callable[..., Any]
    shapes: str
    arguments: Callable[[int, int, int], dict[str, Any]]
    mistakes: list[tuple[Callable[..., Any], str]]
    extreme: Callable[..., dict[str, Any]] | Sequence[Callable[..., dict[str, Any]]] | None = None
    gradients: tuple[str, ...] = ()
    terms: Callable[..., dict[str, Tensor]] | None = None
    sizes: Callable[..., dict[str, int]] | None = None
    points: int = 2


def bce(logits: Tensor, x: Tensor) -> Tensor:
    """The binary cross-entropy −log p(x) of every pixel, of the same shape as x.

    Args:
        logits: The decoder's output l; a pixel is 1 with probability sigmoid(l).
        x: Pixels, 0 or 1.
    """
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none")


def image_shape(B: int, D: int) -> tuple[int, int, int, int]:
    """(B, C, H, W) of B images that are neither gray nor square; a single one is gray and small, to be printed.

    Args:
        B: The number of images.
        D: The number of pixels a side.
    """
    return B, 2 + D % 2 if B > 1 else 1, D, D + 1


def image_sizes(x: Tensor) -> dict[str, int]:
    """The sizes of images (B, C, H, W), by what they count."""
    B, C, H, W = x.shape
    return {
        "B, the number of images": B, "the number of pixels": C * H * W,
        "C, the number of channels": C, "H, the height": H, "W, the width": W,
    }  # fmt: skip


def levels(B: int, d: int, depth: float = 1000.0) -> Tensor:
    """Where the log values of each image lie, (B,): if d is 2 far below 0, and hundreds of nats apart.

    There exp underflows, and no maximum serves all images.

    Args:
        B: The number of images.
        d: The number of features.
        depth: How far below 0 the last image lies if d is 2.
    """
    return -torch.linspace(150, depth, B) if d == 2 else -torch.linspace(0, 30, B)
