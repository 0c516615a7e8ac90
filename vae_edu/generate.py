"""Generating data (lecture section 7): a code from the prior, through the decoder, an image."""

from typing import NamedTuple

import torch
from torch import Tensor

from vae_edu.engine.arguments import whole_number
from vae_edu.engine.precision import exact
from vae_edu.engine.randomness import random_stream
from vae_edu.interface import LatentVariableModel, check_model


class Drawn(NamedTuple):
    """What was drawn.

    Attributes:
        z: Codes (…, latent_dim).
        mean: The means of p(x|z), (…, C, H, W).
        x: Samples of p(x|z), (…, C, H, W).
    """

    z: Tensor
    mean: Tensor
    x: Tensor


@torch.no_grad()
@exact()
def generate(model: LatentVariableModel, n: int, *, seed: int = 0) -> Drawn:
    """Section 7: 1. z ∼ p(z); 2. the decoder gives p(x|z); 3. x ∼ p(x|z), n times.

    Papers mostly show the mean of step 2, which is smooth; the sample of step 3 is the data that the model
    stands for.

    Args:
        model: Has the interface of `vae_edu.interface`.
        n: How many.
        seed: Fixes the draws.

    Raises:
        ValueError: N below 1.
    """
    n = whole_number("n", n, 1)
    check_model(model)
    with random_stream(whole_number("seed", seed, 0)):
        z = model.prior().sample((n,))
        p = model.decode(z)
        return Drawn(z, p.mean, p.sample())


@torch.no_grad()
@exact()
def latent_map(model: LatentVariableModel, points: int = 20) -> Drawn:
    """A 2-D latent space as pictures: p(x|z) at points × points codes, evenly spread over N(0, I).

    Row i and column j hold z = (Φ⁻¹(uⱼ), Φ⁻¹(1 − uᵢ)) at the middles u of equal parts of [0, 1]. So z₁ grows
    to the right, z₂ upwards, and each picture stands for as much of the prior as any other.

    Args:
        model: Has the interface of `vae_edu.interface`.
        points: Pictures along each side.

    Returns:
        z (points, points, 2), mean and x (points, points, C, H, W), x drawn with seed 0.

    Raises:
        ValueError: A model whose codes are not 2-D.
    """
    points, prior = whole_number("points", points, 1), model.prior()
    check_model(model)
    if prior.event_shape != (2,):
        raise ValueError(f"a map needs two latent dimensions, and this model has {prior.event_shape[0]}.")
    quantiles = (torch.arange(points, device=prior.mean.device, dtype=torch.float64) + 0.5) / points
    places = torch.special.ndtri(quantiles).to(prior.mean)
    z = torch.stack(torch.meshgrid(places, places.flip(0), indexing="xy"), dim=-1)  # (points, points, 2)
    with random_stream(0):
        p = model.decode(z)
        return Drawn(z, p.mean, p.sample())
