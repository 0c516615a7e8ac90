"""Editing images (lecture section 8): encode, modify some dimensions of z, decode."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from vae_edu.active_units import code_means
from vae_edu.disentangle import check_factors
from vae_edu.engine.arguments import whole_number
from vae_edu.engine.precision import exact
from vae_edu.engine.randomness import random_stream
from vae_edu.generate import Drawn
from vae_edu.interface import LatentVariableModel, check_images, encoding


@torch.no_grad()
@exact()
def edit(
    model: LatentVariableModel,
    x: Tensor,
    changes: Mapping[int, float | Tensor],
    *,
    sample_code: bool = False,
    seed: int = 0,
) -> Drawn:
    """Section 8: 1. q(z|x); 2. a code z; 3. zⱼ = value for each {j: value}; 4. p(x|z); 5. x ∼ p(x|z).

    Args:
        model: Anything with prior, encode and decode.
        x: Images (B, C, H, W).
        changes: Dimension, from 0, → a value for all images, or one for each, (B,).
        sample_code: Draw z in step 2, as the lecture says. By default z is the mean of q(z|x), so that only
            the edit makes a difference.
        seed: Of the draws.

    Returns:
        The codes z, the means of p(x|z), and draws x.

    Raises:
        ValueError: For a dimension that the model does not have, or values that do not fit.
    """
    code = check_images(model, x)
    q = encoding(model, code)(x)  # 1
    with random_stream(whole_number("seed", seed, 0)):
        z = q.sample() if sample_code else q.mean  # 2
        z = changed(z, changes)  # 3
        p = model.decode(z)  # 4
        return Drawn(z, p.mean, p.sample())  # 5


def changed(z: Tensor, changes: Mapping[int, float | Tensor]) -> Tensor:
    """A copy of codes with some dimensions set.

    Args:
        z: Codes (…, latent_dim).
        changes: Dimension, from 0, → a value for all codes, or one for each, (…).

    Returns:
        The new codes, (…, latent_dim).

    Raises:
        ValueError: For an unknown dimension, a value of another shape, or one that is not finite.
    """
    z = z.clone()
    for dim, value in changes.items():
        if not _is_index(dim, z.shape[-1]):
            raise ValueError(f"there is no latent dimension {dim!r}: they are 0 to {z.shape[-1] - 1}.")
        value = torch.as_tensor(value).to(z)
        if not value.isfinite().all():
            raise ValueError(f"the value of dimension {dim} is not finite: give a number, such as -2 or 2.")
        if value.shape not in ((), z.shape[:-1]):
            raise ValueError(
                f"the value of dimension {dim} has shape {tuple(value.shape)}: give one number, "
                f"or one an image, {tuple(z.shape[:-1])}."
            )
        z[..., operator.index(dim)] = value
    return z


def _is_index(dim: Any, count: int) -> bool:
    """Whether dim is a whole number from 0 to count − 1."""
    try:
        return not isinstance(dim, bool) and 0 <= operator.index(dim) < count
    except TypeError:
        return False


@torch.no_grad()
@exact()
def traverse(model: LatentVariableModel, x: Tensor, dim: int, values: Sequence[float] | Tensor) -> Tensor:
    """Means of p(x|z) as one dimension of z goes through values and the others stay.

    Args:
        model: Anything with prior, encode and decode.
        x: Images (B, C, H, W), whose codes are the means of q(z|x).
        dim: The dimension of z, from 0.
        values: What it is set to.

    Returns:
        Images (len(values), B, C, H, W).

    Raises:
        ValueError: For a dimension that the model does not have, or a value that is not finite.
    """
    z = code_means(model, x)
    return model.decode(torch.stack([changed(z, {dim: float(value)}) for value in values])).mean


def interpolate(a: Tensor, b: Tensor, steps: int = 9, *, spherical: bool = False) -> Tensor:
    """From a to b in equal steps t = 0 … 1, both ends included: (1 − t) a + t b, or along an arc.

    The arc joins the directions of the codes a and b. Its weights are sin((1 − t)ω)/sin ω and sin(tω)/sin ω,
    with the angle ω between a and b (Shoemake 1985; White 2016). In many dimensions the codes on it are as
    long as those of N(0, I), while a straight line passes too close to 0.

    Args:
        a: Codes or images, (…); for the arc, codes (…, latent_dim).
        b: The same, of the same shape.
        steps: How many.
        spherical: Whether to take the arc.

    Returns:
        (steps, …).

    Raises:
        ValueError: For fewer than 2 steps, different shapes, integers, or codes that are 0 or opposite.
    """
    steps = whole_number("steps", steps, 2)
    if a.shape != b.shape or not a.is_floating_point():
        raise ValueError(
            f"from {tuple(a.shape)} to {tuple(b.shape)}: give two tensors of one shape, of floats."
        )
    t = torch.linspace(0, 1, steps).to(a).reshape(-1, *[1] * a.dim())
    if not spherical:
        return (1 - t) * a + t * b
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1)[..., None]
    if (a == 0).all(-1).any() or (b == 0).all(-1).any() or (cosine < -1 + 1e-6).any():
        raise ValueError("no single arc joins these codes: one is 0, or they are opposite; go linearly.")
    omega = cosine.clamp(max=1).acos()
    line = omega < 1e-3  # an arc that short is a line
    omega = torch.where(line, 1, omega)
    arc = (((1 - t) * omega).sin() * a + (t * omega).sin() * b) / omega.sin()
    return torch.where(line, (1 - t) * a + t * b, arc)


def directions(z: Tensor, factors: Mapping[str, Tensor], labels: Tensor | None = None) -> dict[str, Tensor]:
    """How codes move as one factor grows by 1 and the others stay.

    The least-squares fit ``z ≈ c_label + Σ_f d_f · factor_f``, with a constant for every label, so that
    "thicker" does not mean "more often an 8". ``z + s·d_f`` is the code of the image with s more of the
    factor, as far as the decoder is linear.

    Args:
        z: Codes (N, latent_dim).
        factors: Name → (N,), known or measured.
        labels: (N,); by default all images have one label.

    Returns:
        Name → the direction d_f, (latent_dim,).

    Raises:
        ValueError: If the factors cannot be told apart, are not (N,), or are not finite.
    """
    check_factors(z, factors)
    if not factors:
        raise ValueError("there are no factors: name one at least.")
    labels = torch.zeros(len(z), dtype=torch.long) if labels is None else labels
    columns = [*factors.values(), *(labels == c for c in labels.unique())]
    table = torch.stack([column.to(z).double() for column in columns], dim=1)  # (N, factors + labels)
    scale = table.square().mean(0).sqrt().clamp(min=1e-12)
    if torch.linalg.matrix_rank(table / scale) < table.shape[1]:
        raise ValueError(
            "the factors cannot be told apart: one is constant, or a sum of the others; leave it out."
        )
    solution = torch.linalg.lstsq(table / scale, z.double()).solution / scale[:, None]
    return dict(zip(factors, solution[: len(factors)].to(z), strict=True))


@torch.no_grad()
@exact()
def move(
    model: LatentVariableModel, x: Tensor, direction: Tensor, strengths: Sequence[float] | Tensor
) -> Tensor:
    """Means of p(x|z + s·direction) for each strength s: an edit by a named factor.

    Args:
        model: Anything with prior, encode and decode.
        x: Images (B, C, H, W), whose codes z are the means of q(z|x).
        direction: (latent_dim,), such as `directions` finds.
        strengths: How much of the factor to add.

    Returns:
        Images (len(strengths), B, C, H, W).

    Raises:
        ValueError: For shapes that do not fit.
    """
    z = code_means(model, x)
    direction, strengths = direction.to(z), torch.as_tensor(strengths).to(z)
    if direction.shape != z.shape[-1:] or strengths.dim() != 1:
        raise ValueError(
            f"direction is {tuple(direction.shape)}, strengths {tuple(strengths.shape)}: "
            f"give ({z.shape[-1]},) and a list of numbers."
        )
    return model.decode(z + strengths[:, None, None] * direction).mean
