"""What to know of images before a model is trained on them, and the number that it must beat."""

from typing import NamedTuple

import torch
from torch import Tensor

from vae_edu.engine.arguments import positive_number, whole_number
from vae_edu.gaussian import diagonal_gaussian

DARK = 1 / 64  # pixels below it are black
MIN_SIGMA = 0.01  # of a pixel that hardly changes, in gray levels


class FirstLook(NamedTuple):
    """What images are like.

    Attributes:
        images: How many.
        shape: (C, H, W).
        smallest: The darkest pixel, in [0, 1].
        largest: The brightest one.
        mean: Of all pixels.
        deviation: Their standard deviation.
        levels: How many different values pixels have.
        gray: The share of pixels that are neither 0 nor 1.
        constant: Pixels that are the same in all images.
        repeated: Images that are equal to an earlier one.
        ink: Whether most pixels are black, as around the ink of a digit; figures draw such images as black
            on white.
    """

    images: int
    shape: tuple[int, ...]
    smallest: float
    largest: float
    mean: float
    deviation: float
    levels: int
    gray: float
    constant: int
    repeated: int
    ink: bool


def look(x: Tensor) -> FirstLook:
    """Look at images (N, C, H, W) in [0, 1]: range, mean, spread, levels of gray, and repeated images.

    Raises:
        ValueError: If x holds no images, or values that are not finite.
    """
    _check(x)
    smallest, largest = x.aminmax()
    return FirstLook(
        images=len(x),
        shape=tuple(x.shape[1:]),
        smallest=smallest.item(),
        largest=largest.item(),
        mean=x.double().mean().item(),
        deviation=x.double().std(correction=0).item(),
        levels=len(x.unique()),
        gray=((x > 0) & (x < 1)).double().mean().item(),
        constant=int((x == x[0]).all(0).sum()),
        repeated=len(x) - len(_rows(x)),
        ink=(x < DARK).double().mean().item() > 0.5,
    )


def shared_images(x: Tensor, others: Tensor) -> int:
    """How many of the images x (B, C, H, W) are among the others (N, C, H, W), pixel by pixel."""
    known = _rows(others)
    return sum(row.tobytes() in known for row in x.cpu().numpy())


def dequantized(x: Tensor, levels: int = 256, seed: int = 0) -> Tensor:
    """Images with each pixel anywhere in its level: (b + u) / levels, u uniform in [0, 1).

    A density of such images bounds the probability of the levels b: E[log p((b + u)/levels)] − D log levels
    ≤ log P(b), by Jensen's inequality (Theis, van den Oord & Bethge 2016). Without the noise a density can
    grow without limit on the few values that pixels have.

    Args:
        x: Images in [0, 1] whose pixels are b / (levels − 1).
        levels: How many levels of gray there are.
        seed: Of u, which is the same on every device.

    Returns:
        Of the shape of x, in [0, 1].

    Raises:
        ValueError: If x is not in [0, 1].
    """
    levels = whole_number("levels", levels, 2)
    _check(x)
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"x goes from {x.min():.3g} to {x.max():.3g}: dequantize pixels in [0, 1].")
    u = torch.rand(x.shape, generator=torch.Generator().manual_seed(whole_number("seed", seed, 0)))
    return ((x * (levels - 1)).round() + u.to(x)) / levels


def independent_pixels(
    train: Tensor, x: Tensor, likelihood: str = "gaussian", min_sigma: float = MIN_SIGMA
) -> Tensor:
    """log p(x) of pixels that know nothing of each other, fitted to training images: what to beat.

    Gaussian: Σᵢ log N(xᵢ; mᵢ, sᵢ²) with the mean and variance of each pixel. Bernoulli: with the share of
    training images in which it is 1, counting half an image more of each kind, so that none is impossible.

    Args:
        train: Images (N, C, H, W).
        x: Others, (B, C, H, W).
        likelihood: "bernoulli", or else Gaussian.
        min_sigma: sᵢ is never below it, in gray levels.

    Returns:
        (B,), in nats per image.

    Raises:
        ValueError: If images are missing, of another shape, or not finite.
    """
    _check(train)
    _check(x)
    if train.shape[1:] != x.shape[1:]:
        raise ValueError(
            f"training images are {tuple(train.shape[1:])}, the others {tuple(x.shape[1:])}: "
            "give images of one shape."
        )
    mean = train.double().mean(0)
    if likelihood == "bernoulli":
        p = (mean * len(train) + 0.5) / (len(train) + 1)
        return (x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1)
    floor = positive_number("min_sigma", min_sigma, "0.01") ** 2
    variance = train.double().var(0, correction=0).clamp(min=floor)
    return diagonal_gaussian(mean, variance.log(), x.dim() - 1).log_prob(x.double())


def bernoulli_limit(x: Tensor) -> Tensor:
    """The largest Σᵢ xᵢ log pᵢ + (1 − xᵢ) log(1 − pᵢ) that any pixels p reach, at p = x: minus an entropy.

    For black and white images it is 0, since the decoder can be sure. For gray ones it is negative, and what
    a Bernoulli decoder calls log p(x|z) is no log-probability at all: of no image that it can draw.

    Args:
        x: Images (B, …) in [0, 1].

    Returns:
        (B,), in nats per image.

    Raises:
        ValueError: If x is not in [0, 1].
    """
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError("pixels must be in [0, 1]: scale the images first.")
    return (torch.xlogy(x, x) + torch.xlogy(1 - x, 1 - x)).flatten(1).sum(1)


def _check(x: Tensor) -> None:
    if x.dim() < 2 or not x.numel() or not x.is_floating_point() or not x.isfinite().all():
        raise ValueError("give images (N, C, H, W) of finite floating-point numbers, such as images.x.")


def _rows(x: Tensor) -> set[bytes]:
    return {row.tobytes() for row in x.cpu().numpy()}
