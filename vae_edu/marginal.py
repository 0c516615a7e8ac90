"""The marginal likelihood (L2): log p(x) = log ∫ p(x|z) p(z) dz, by chance or on a grid.

Everything stays in the log domain, in nats per image, and in chunks of at most `memory` bytes, without it
`vae_edu.engine.chunks.MEMORY`.
"""

import math
import warnings
from collections.abc import Callable
from contextlib import closing
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from vae_edu.engine.arguments import whole_number
from vae_edu.engine.chunks import in_chunks
from vae_edu.engine.randomness import random_stream, sample
from vae_edu.grid import Grid
from vae_edu.interface import (
    Encode,
    LatentVariableModel,
    check_grid,
    check_images,
    encoder,
    log_likelihoods,
)

TOO_COARSE, TOO_SMALL = 0.05, 1e-3  # an error in nats, and a share of the posterior, that deserve a warning


class SampleEstimate(NamedTuple):
    """log p(x) from K samples, all (B,).

    log_p_x: the estimate, in nats. On average it lies below the truth.
    standard_error: of log_p_x, from the spread of the K weights; infinite where K = 1. It knows only
        what the samples have seen: with few effective samples it is far too small.
    effective_samples: (Σ w)² / Σ w², between 1 and K (Kong 1992).
    """

    log_p_x: Tensor
    standard_error: Tensor
    effective_samples: Tensor


class GridEstimate(NamedTuple):
    """log p(x) from a grid, all (B,).

    log_p_x: in nats. error: how far it moves at half the resolution, without every second node.
    border: the share of the posterior p(z|x) near the border, in the outer twentieth of the radius.
    """

    log_p_x: Tensor
    error: Tensor
    border: Tensor


class GridWarning(UserWarning):
    """The grid is too coarse or too small for these images."""


@torch.no_grad()
def monte_carlo(
    model: LatentVariableModel, x: Tensor, samples: int = 1000, *, seed: int = 0, memory: int | None = None
) -> SampleEstimate:
    """log p(x) ≈ log (1/K) Σₖ p(x|zₖ) with K samples zₖ ∼ p(z), shared between the images.

    x: (B, …). samples: K. Raises ValueError for images that do not fit, or K below 1.
    """
    samples = whole_number("samples", samples, 1)
    check_images(model, x)

    def log_weights(x: Tensor, k: int) -> Tensor:
        return log_likelihoods(model.decode(model.prior().sample((k,))), x)  # (k, b)

    return _estimate(log_weights, x, samples, seed, memory)


@torch.no_grad()
def importance_sampling(
    model: LatentVariableModel,
    x: Tensor,
    samples: int = 1000,
    *,
    q: Encode | None = None,
    seed: int = 0,
    memory: int | None = None,
    progress: bool = False,
) -> SampleEstimate:
    """log p(x) ≈ log (1/K) Σₖ p(x|zₖ) p(zₖ) / q(zₖ|x) with K samples zₖ ∼ q(z|x), new ones for every image.

    Its mean over the samples is the importance-weighted bound for K (Burda et al. 2016): the ELBO for
    K = 1, and closer to log p(x) for each larger K.
    x: (B, …). samples: K. q: images → the proposal, one row each; model.encode without it.
    progress: whether to show a bar. Raises ValueError for images that do not fit, or K below 1.
    """
    samples = whole_number("samples", samples, 1)
    check_images(model, x)
    q = encoder(model, q)
    return _estimate(lambda x, k: log_importance_weights(model, x, k, q), x, samples, seed, memory, progress)


def log_importance_weights(
    model: LatentVariableModel, x: Tensor, samples: int, q: Encode | None = None
) -> Tensor:
    """log wₖ = log p(x|zₖ) + log p(zₖ) − log q(zₖ|x) for zₖ ∼ q(z|x): (samples, B). Has gradients."""
    proposal = (q or model.encode)(x)
    z = sample(proposal, whole_number("samples", samples, 1))  # (K, B, latent_dim)
    return model.log_joint(x, z) - proposal.log_prob(z)


def log_mean_exp(log_w: Tensor) -> Tensor:
    """log (1/K) Σₖ wₖ from log wₖ (K, …), without overflow: (…)."""
    return log_w.logsumexp(0) - math.log(len(log_w))


@torch.no_grad()
def quadrature(
    model: LatentVariableModel, x: Tensor, grid: Grid | None = None, *, memory: int | None = None
) -> GridEstimate:
    """log p(x) ≈ log Σ p(x|z) p(z) · cell over the nodes z of a grid: the integral L2 as a sum.

    x: (B, …). grid: of the model's latent dimension; 240 points a side on [−5, 5]² without one.
    Warns (`GridWarning`) where the grid is too coarse (an error above 0.05 nats, most of which is that
    of the half resolution) or too small (a thousandth of the posterior near its border).
    Raises ValueError for images or a grid that do not fit.
    """
    grid = grid or Grid()
    check_images(model, x)
    check_grid(model, grid)
    prior = model.prior()

    def work(images: Tensor, start: int, stop: int) -> Tensor:
        z = grid.nodes(start, stop, prior.mean.device).to(prior.mean)
        log_joint = log_likelihoods(model.decode(z), images) + prior.log_prob(z)[:, None]
        return grid_sums(log_joint, grid, start, stop)

    parts = in_chunks(work, x, len(grid), memory)
    return grid_estimate(torch.cat([reduce(torch.logaddexp, part) for part in parts], dim=1), grid)


def check_result(log_p_x: Tensor) -> Tensor:
    """log_p_x, where none of it is NaN. Raises FloatingPointError, in one sentence, where some is."""
    if log_p_x.isnan().any():
        raise FloatingPointError(
            "log p(x) is not a number: the model's distributions are not finite; train again with a lower lr."
        )
    return log_p_x


def grid_sums(log_joint: Tensor, grid: Grid, start: int, stop: int) -> Tensor:
    """log Σ p(x, z) over nodes start … stop, from its values there, (k, B).

    Returns (3, B) float64: over all of these nodes, over every second one, over those near the border. A sum
    that is smaller than float32 goes, 10⁻³⁸ of the largest value, is 0 and its logarithm −∞.
    """
    second = (grid.places(start, stop, log_joint.device) % 2 == 0).all(1)
    edge = (grid.nodes(start, stop, log_joint.device).abs() >= 0.95 * grid.radius).any(1)
    largest = log_joint.amax(0).clamp(min=torch.finfo(log_joint.dtype).min)  # −∞ − −∞ would be NaN
    which = torch.stack([torch.ones_like(edge), second, edge]).to(log_joint)  # (3, k)
    return (which @ (log_joint - largest).exp_()).double().log() + largest.double()


def grid_estimate(sums: Tensor, grid: Grid, stacklevel: int = 4) -> GridEstimate:
    """log p(x) from the `grid_sums` over the whole grid, (3, B), with a warning where it needs one.

    stacklevel: which caller the warning names, as `warnings.warn` counts them.
    """
    total, coarse, border = check_result(sums)
    error = (coarse + grid.latent_dim * math.log(2) - total).abs()  # with cells 2^latent_dim as large
    estimate = GridEstimate(total + grid.log_cell, error, (border - total).exp())
    if not (estimate.error < TOO_COARSE).all():
        warnings.warn(
            f"the grid is too coarse: at half its resolution log p(x) moves by up to {error.max():.2g} nats; "
            "raise points.",
            GridWarning,
            stacklevel=stacklevel,
        )
    if not (estimate.border < TOO_SMALL).all():
        warnings.warn(
            f"the grid is too small: up to {estimate.border.max():.2g} of the posterior lies near its "
            "border; raise radius.",
            GridWarning,
            stacklevel=stacklevel,
        )
    return estimate


def _estimate(
    log_weights: Callable[[Tensor, int], Tensor],
    x: Tensor,
    samples: int,
    seed: int,
    memory: int | None,
    progress: bool = False,
) -> SampleEstimate:
    """From log_weights(images, k), (k, b), the logarithm of the mean weight and its standard error."""

    def work(images: Tensor, start: int, stop: int) -> Tensor:
        log_w = log_weights(images, stop - start).double()
        return torch.stack([log_w.logsumexp(0), (2 * log_w).logsumexp(0)])  # (2, b)

    chunks = closing(in_chunks(work, x, samples, memory, progress))  # and its bar, whatever happens
    with random_stream(whole_number("seed", seed, 0)), chunks as parts:
        total, squares = torch.cat([reduce(torch.logaddexp, part) for part in parts], dim=1)
    effective = (2 * check_result(total) - squares).exp()
    if samples == 1:
        error = torch.full_like(total, math.inf)
    else:  # of the mean weight, relative to it; the logarithm makes it absolute
        error = ((samples / effective - 1) / (samples - 1)).clamp(min=0).sqrt()
    return SampleEstimate(total - math.log(samples), error, effective)
