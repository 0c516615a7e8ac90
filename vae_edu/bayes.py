"""Bayes' rule (L3, L4): log p(x) = log p(x|z) + log p(z) − log p(z|x), exactly and with q for p(z|x)."""

import torch
from torch import Tensor

from vae_edu.engine.arguments import whole_number
from vae_edu.engine.chunks import in_chunks
from vae_edu.engine.randomness import random_stream
from vae_edu.grid import Grid
from vae_edu.interface import (
    Encode,
    LatentVariableModel,
    check_codes,
    check_grid,
    check_images,
    log_likelihoods,
)
from vae_edu.marginal import grid_estimate, grid_sums, log_importance_weights, quadrature


@torch.no_grad()
def posterior(
    model: LatentVariableModel, x: Tensor, grid: Grid | None = None, *, memory: int | None = None
) -> Tensor:
    """The density p(z|x) on the nodes of a grid, (B, *grid.shape) float64: its sum times the cell is 1.

    By its definition, p(x, z) over the sum of p(x, z) · cell. x: (B, …).
    Raises ValueError for images or a grid that do not fit; warns as `marginal.quadrature` does.
    """
    grid = grid or Grid()
    check_images(model, x)
    check_grid(model, grid)
    prior = model.prior()

    def work(images: Tensor, start: int, stop: int) -> Tensor:
        z = grid.nodes(start, stop, prior.mean.device).to(prior.mean)
        return (log_likelihoods(model.decode(z), images) + prior.log_prob(z)[:, None]).double().T

    parts = in_chunks(work, x, len(grid), memory)
    log_joint = torch.cat([torch.cat(list(part), dim=1) for part in parts])  # (B, nodes)
    grid_estimate(grid_sums(log_joint.T, grid, 0, len(grid)), grid)  # for its warnings
    density = torch.softmax(log_joint, 1, out=log_joint)
    return density.div_(grid.step**grid.latent_dim).reshape(-1, *grid.shape)


@torch.no_grad()
def log_posterior(
    model: LatentVariableModel, x: Tensor, z: Tensor, grid: Grid | None = None, *, memory: int | None = None
) -> Tensor:
    """log p(z|x) at any z (…, B, latent_dim), with the normalizing integral from a grid: (…, B)."""
    check_images(model, x)
    check_codes(model, x, z)
    return model.log_joint(x, z) - quadrature(model, x, grid, memory=memory).log_p_x


@torch.no_grad()
def bayes_rule(model: LatentVariableModel, x: Tensor, z: Tensor, q: Encode | None = None) -> Tensor:
    """log p(x|z) + log p(z) − log q(z|x) at the given z (…, B, latent_dim), in nats: (…, B).

    L3 where q is the exact posterior: then it is log p(x), whatever z is. L4 where q approximates it.
    x: (B, …). q: images → a distribution over z; model.encode without it.
    """
    check_images(model, x)
    check_codes(model, x, z)
    return model.log_joint(x, z) - (q or model.encode)(x).log_prob(z)


@torch.no_grad()
def spread_over_z(
    model: LatentVariableModel, x: Tensor, samples: int = 100, *, q: Encode | None = None, seed: int = 0
) -> Tensor:
    """How far L4 swings from z to z: its standard deviation over z ∼ q(z|x), in nats, (B,).

    0 where q is the exact posterior, and only there.
    """
    check_images(model, x)
    with random_stream(whole_number("seed", seed, 0)):
        return log_importance_weights(model, x, whole_number("samples", samples, 2), q).std(0)
