"""What the functions of the maths ask of a model, and the checks that they share.

A `VAE`, the linear oracle and a learner's own class all qualify: nothing is inherited.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent
from torch.distributions.bernoulli import Bernoulli
from torch.distributions.normal import Normal

from vae_edu.engine.bernoulli import sum_softplus
from vae_edu.engine.randomness import random_stream
from vae_edu.engine.sync_checks import unchecked
from vae_edu.grid import Grid

Encode = Callable[[Tensor], Distribution]  # images (B, …) → q(z|x), one row each


class LatentVariableModel(Protocol):
    """p(x, z) = p(x|z) p(z), with an approximation q(z|x) to the posterior.

    z has any leading dimensions and then (latent_dim,); x has the same ones and then an image's shape.
    """

    def prior(self) -> Distribution:
        """p(z), of event shape (latent_dim,)."""

    def encode(self, x: Tensor) -> Distribution:
        """q(z|x), of event shape (latent_dim,)."""

    def decode(self, z: Tensor) -> Distribution:
        """p(x|z), with every dimension of an image in the event shape."""

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) = log p(x|z) + log p(z), in nats per image."""


@torch.no_grad()
def check_images(model: LatentVariableModel, x: Tensor) -> None:
    """Raise ValueError, in one sentence, where x is not a batch of images that the model can explain."""
    prior = model.prior()
    if prior.batch_shape != () or len(prior.event_shape) != 1:
        raise ValueError(
            f"the prior has batch shape {tuple(prior.batch_shape)} and event shape "
            f"{tuple(prior.event_shape)}, not () and (latent_dim,): wrap it in Independent(…, 1)."
        )
    with random_stream(0), unchecked():
        p = model.decode(prior.sample((1,)))
    shape = tuple(p.event_shape)
    if p.batch_shape != (1,):
        raise ValueError(
            f"decode gives batch shape {tuple(p.batch_shape)} and event shape {shape} for one code: make "
            "every dimension of an image an event dimension, with Independent(…, number of dimensions)."
        )
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = f"{x.dtype} numbers" if isinstance(x, Tensor) else f"a {type(x).__name__}"
        raise ValueError(f"x is {kind}: give a tensor of floating-point pixels, such as the x of Images.")
    if tuple(x.shape[1:]) != shape:
        raise ValueError(f"x is {tuple(x.shape)}: give images of the model's shape, (B, {str(shape)[1:]}.")
    if not len(x):
        raise ValueError("x holds no images: give at least one.")
    if not x.isfinite().all():
        raise ValueError("x holds NaN or infinite pixels: remove them first.")
    try:
        inside = p.support.check(x)
    except NotImplementedError:  # a distribution that does not say
        return
    if not inside.all():
        p.log_prob(x[~inside])  # its own words, where it has some
        raise ValueError(f"x holds pixels outside the support of p(x|z), {p.support}.")


def check_codes(model: LatentVariableModel, x: Tensor, z: Tensor) -> None:
    """Raise ValueError, in one sentence, where z is not one code, or one row of codes, for each image."""
    right = (len(x), *model.prior().event_shape)
    if tuple(z.shape[-2:]) != right:
        raise ValueError(f"z is {tuple(z.shape)}: give one code an image, (…, {right[0]}, {right[1]}).")


def check_grid(model: LatentVariableModel, grid: Grid) -> None:
    """Raise ValueError, in one sentence, where the grid is not of the model's latent dimension."""
    (latent_dim,) = model.prior().event_shape
    if latent_dim != grid.latent_dim:
        raise ValueError(
            f"the grid has {grid.latent_dim} dimensions but the model's z has {latent_dim}: "
            f"use Grid(latent_dim={latent_dim}), or importance sampling where that is too large."
        )


def encoder(model: LatentVariableModel, q: Encode | None) -> Encode:
    """q, or model.encode without it, that encodes a block of images once for all its chunks of codes."""
    return lru_cache(maxsize=1)(q or model.encode)


def log_likelihoods(p: Distribution, x: Tensor) -> Tensor:
    """log p(x_b|z_k) of every pair, (K, B) in nats, for p = decode(z) with z (K, latent_dim) and x (B, …).

    A Bernoulli's is x·l − Σ log(1 + eˡ) with logits l, a Gaussian's a quadratic in x: matrix products,
    where `p.log_prob` would make a number for each of K × B × pixels. The quadratic's terms are much
    larger than their sum, so they are taken in float64. Other distributions are broadcast.
    """
    kind = type(getattr(p, "base_dist", None)).log_prob if isinstance(p, Independent) else None
    flat = x.flatten(1)
    if kind is Bernoulli.log_prob:
        logits = p.base_dist.logits.flatten(1)
        return torch.addmm(-sum_softplus(logits)[:, None], logits, flat.to(logits).T)
    if kind is Normal.log_prob:
        mu, sigma = (t.flatten(1).double() for t in (p.base_dist.loc, p.base_dist.scale))
        flat, precision = flat.double(), sigma.pow(-2)
        constants = mu.square() * precision + 2 * sigma.log() + math.log(2 * math.pi)
        constant = -0.5 * constants.sum(1, keepdim=True)
        return torch.addmm(constant, mu * precision, flat.T).addmm_(precision, flat.square().T, alpha=-0.5)
    return p.log_prob(x[:, None]).T
