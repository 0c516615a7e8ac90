"""Bayes' rule (L3, L4): log p(x) = log p(x|z) + log p(z) − log p(z|x), exactly and with q for p(z|x)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from vae_edu.engine.arguments import whole_number
from vae_edu.engine.chunks import Block, over_codes
from vae_edu.engine.precision import exact
from vae_edu.engine.randomness import random_stream
from vae_edu.grid import Grid
from vae_edu.interface import (
    Encode,
    LatentVariableModel,
    check_codes,
    check_grid,
    check_images,
    encoding,
    log_density,
    log_joint,
)
from vae_edu.marginal import (
    WEIGHT_BYTES,
    at_nodes,
    check_result,
    grid_estimate,
    grid_parts,
    grid_sums,
    integral,
    log_weights_from,
    warn_about,
)


@torch.no_grad()
def posterior(
    model: LatentVariableModel, x: Tensor, grid: Grid | None = None, *, memory: int | None = None
) -> Tensor:
    """p(z|x) = p(x, z) / p(x) on the nodes of a grid (L3), with p(x) the sum of p(x, z) · cell over them.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        grid: Of the model's latent dimension; default: 240 points a side on [−5, 5]².
        memory: Bytes of intermediate results at a time; the densities themselves come on top.

    Returns:
        The density, ``(B, *grid.shape)`` float64: its sum times the cell is 1.

    Raises:
        ValueError: Images or a grid that do not fit the model.
        FloatingPointError: log p(x) is NaN.

    Warns:
        GridWarning: As `vae_edu.marginal.quadrature`.
    """
    grid = grid or Grid()
    check_images(model, x)
    check_grid(model, grid)
    prior = model.prior()

    def log_joint_of_chunk(block: Block, start: int, stop: int) -> Tensor:
        nodes = at_nodes(model, prior, grid, block.x, start, stop)
        return (nodes.log_likelihood + nodes.log_prior).double()

    def images_first(parts: Iterator[Tensor]) -> Tensor:
        return torch.cat(list(parts)).T

    log_joint = over_codes(log_joint_of_chunk, x, len(grid), images_first, dim=0, memory=memory)  # (B, nodes)
    estimate = grid_estimate(grid_sums(log_joint.T, grid_parts(grid, 0, len(grid), log_joint.device)), grid)
    warn_about(estimate.problems())
    density = log_joint.sub_(estimate.log_p_x[:, None]).exp_()  # in place: it is large
    return density.reshape(-1, *grid.shape)


@torch.no_grad()
def log_posterior(
    model: LatentVariableModel, x: Tensor, z: Tensor, grid: Grid | None = None, *, memory: int | None = None
) -> Tensor:
    """log p(z|x) = log p(x, z) − log p(x) at any z (L3), with log p(x) from a grid.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        z: Codes (…, B, latent_dim).
        grid: Of the model's latent dimension; default: 240 points a side on [−5, 5]².
        memory: Bytes of intermediate results at a time.

    Returns:
        (…, B), in nats.

    Raises:
        ValueError: Images, codes or a grid that do not fit the model.
        FloatingPointError: log p(x) is NaN.

    Warns:
        GridWarning: As `vae_edu.marginal.quadrature`.
    """
    grid = grid or Grid()
    check_images(model, x)
    check_codes(model, x, z)
    check_grid(model, grid)
    estimate = integral(model, x, grid, memory)
    warn_about(estimate.problems())
    with exact():
        return log_joint(model, x, z) - estimate.log_p_x


@torch.no_grad()
@exact()
def bayes_rule(model: LatentVariableModel, x: Tensor, z: Tensor, q: Encode | None = None) -> Tensor:
    """log p(x|z) + log p(z) − log q(z|x) at the given z.

    L3 if q is the exact posterior: then it is log p(x), whatever z is. L4 if q approximates the posterior.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        z: Codes (…, B, latent_dim).
        q: Images → a distribution over z; default: model.encode.

    Returns:
        (…, B), in nats.

    Raises:
        ValueError: Images or codes that do not fit the model.
    """
    code = check_images(model, x)
    check_codes(model, x, z)
    return log_joint(model, x, z) - log_density(encoding(model, code, q)(x), z)


@torch.no_grad()
def spread_over_z(
    model: LatentVariableModel,
    x: Tensor,
    samples: int = 100,
    *,
    q: Encode | None = None,
    seed: int = 0,
    memory: int | None = None,
) -> Tensor:
    """How far L4 swings from z to z: its standard deviation over z ∼ q(z|x).

    It is 0 if q is the exact posterior, and only then.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        samples: How many z, at least 2.
        q: Images → a distribution over z; default: model.encode.
        seed: Fixes the samples.
        memory: Bytes of intermediate results at a time.

    Returns:
        (B,), in nats.

    Raises:
        ValueError: Images that do not fit the model, or fewer than 2 samples.
        FloatingPointError: A spread is NaN.
    """
    code = check_images(model, x)
    samples = whole_number("samples", samples, 2)

    def l4(block: Block, start: int, stop: int) -> Tensor:
        return log_weights_from(block.q, model, block.x, stop - start)  # (k, b)

    def spread(parts: Iterator[Tensor]) -> Tensor:
        return torch.cat(list(parts)).std(0)

    encode = encoding(model, code, q)
    with random_stream(whole_number("seed", seed, 0)):
        values = over_codes(l4, x, samples, spread, encode=encode, kept=WEIGHT_BYTES, memory=memory)
    return check_result(values, "the spread of L4")
