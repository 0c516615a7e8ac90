"""The marginal likelihood (L2): log p(x) = log ∫ p(x|z) p(z) dz, by sampling or on a grid.

All values stay in the log domain, in nats per image. The work is done in chunks of at most `memory` bytes;
default: `vae_edu.engine.memory.MEMORY`, or what one image with one code needs. A seed gives the same numbers
again on the same kind of device with the same `memory`; other chunks draw other samples.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_edu.engine.arguments import whole_number
from vae_edu.engine.chunks import Block, over_codes
from vae_edu.engine.randomness import sample
from vae_edu.grid import Grid
from vae_edu.interface import (
    Encode,
    LatentVariableModel,
    check_grid,
    check_images,
    check_q,
    encoding,
    log_density,
    log_joint,
    log_likelihoods,
)

COARSE_ERROR = 0.05  # an error in nats that deserves a warning
BORDER_SHARE = 1e-3  # a share of the posterior near the border that deserves a warning
FEW = 50  # effective samples; below, three in ten estimates were over three standard errors too low
ALIKE = 0.99  # a share of effective samples that few but equal weights reach: q is the posterior
WEIGHT_BYTES = (
    4 * 8
)  # for each log weight that is kept: itself in float64, and copies while they are combined


class SampleEstimate(NamedTuple):
    """log p(x) from K samples, all (B,).

    Attributes:
        log_p_x: The estimate, in nats. On average it lies below the truth.
        standard_error: Of log_p_x, from the spread of the K weights; infinite if K = 1. It knows only what
            the samples have seen: with few effective samples it is far too small.
        effective_samples: (Σ w)² / Σ w², between 1 and K (Kong 1992); 0 if all weights are 0.
    """

    log_p_x: Tensor
    standard_error: Tensor
    effective_samples: Tensor

    def problems(self, samples: int) -> list[str]:
        """What is wrong with K samples for these images, in one sentence; nothing if they are enough."""
        few = self.effective_samples < min(FEW, ALIKE * samples)
        if not few.any():
            return []
        return [
            f"too few of {samples} samples count for {int(few.sum())} of {len(few)} images (down to "
            f"{self.effective_samples.min():.1f}, below {FEW}): log p(x) is too low, by more than its stated "
            "error; raise samples, or give a better q."
        ]


class GridEstimate(NamedTuple):
    """log p(x) from a grid, all (B,).

    Attributes:
        log_p_x: In nats.
        error: How far it moves at half the resolution, with every second node only, in nats.
        border: The share of the posterior p(z|x) near the border, in the outer twentieth of the radius.
    """

    log_p_x: Tensor
    error: Tensor
    border: Tensor

    def problems(self) -> list[str]:
        """What is wrong with the grid for these images, one sentence each; nothing if it fits."""
        found = []
        if not (self.error < COARSE_ERROR).all():
            found.append(
                "the grid is too coarse: at half its resolution log p(x) moves by up to "
                f"{self.error.max():.2g} nats; raise points."
            )
        if not (self.border < BORDER_SHARE).all():
            found.append(
                f"the grid is too small: up to {self.border.max():.2g} of the posterior lies near its "
                "border; raise radius."
            )
        return found


class GridWarning(UserWarning):
    """The grid is too coarse or too small for these images."""


class SamplingWarning(UserWarning):
    """Too few effective samples: log p(x) is lower than the truth, and its standard error does not say so."""


@torch.no_grad()
def monte_carlo(
    model: LatentVariableModel, x: Tensor, samples: int = 1000, *, seed: int = 0, memory: int | None = None
) -> SampleEstimate:
    """log p(x) ≈ log (1/K) Σₖ p(x|zₖ) with K samples zₖ ∼ p(z), shared between the images.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        samples: K.
        seed: Fixes the samples.
        memory: Bytes of intermediate results at a time.

    Raises:
        ValueError: Images that do not fit the model, or K below 1.
        FloatingPointError: An estimate is NaN.

    Warns:
        SamplingWarning: For some images fewer than 50 samples count, unless all K count alike.
    """
    samples = whole_number("samples", samples, 1)
    check_images(model, x)

    def log_weights(block: Block, start: int, stop: int) -> Tensor:
        z = model.prior().sample((stop - start,))
        return log_likelihoods(model.decode(z), block.x)  # (k, b)

    estimate = _estimate(log_weights, x, samples, None, seed, memory)
    warn_about(estimate.problems(samples), SamplingWarning)
    return estimate


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

    Its mean over the samples is the importance-weighted bound for K (Burda et al. 2016): the ELBO for K = 1,
    and closer to log p(x) for each larger K.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        samples: K.
        q: Images → the proposal, one row each; default: model.encode.
        seed: Fixes the samples.
        memory: Bytes of intermediate results at a time.
        progress: Whether to show a bar.

    Raises:
        ValueError: Images that do not fit the model, or K below 1.
        FloatingPointError: An estimate is NaN.

    Warns:
        SamplingWarning: For some images fewer than 50 samples count, unless all K count alike.
    """
    samples = whole_number("samples", samples, 1)
    code = check_images(model, x)

    def log_weights(block: Block, start: int, stop: int) -> Tensor:
        return log_weights_from(block.q, model, block.x, stop - start)

    estimate = _estimate(log_weights, x, samples, encoding(model, code, q), seed, memory, progress)
    warn_about(estimate.problems(samples), SamplingWarning)
    return estimate


def log_importance_weights(
    model: LatentVariableModel, x: Tensor, samples: int, q: Encode | None = None
) -> Tensor:
    """log wₖ = log p(x|zₖ) + log p(zₖ) − log q(zₖ|x) for zₖ ∼ q(z|x), with gradients.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        samples: K.
        q: Images → the proposal, one row each; default: model.encode.

    Returns:
        (K, B), in nats.

    Raises:
        ValueError: K below 1.
    """
    proposal = (q or model.encode)(x)
    check_q(proposal, len(x), model.prior().event_shape)
    return log_weights_from(proposal, model, x, whole_number("samples", samples, 1))


def log_weights_from(proposal: Distribution, model: LatentVariableModel, x: Tensor, samples: int) -> Tensor:
    """`log_importance_weights` from q(z|x) itself, of batch shape (B,): (K, B), in nats."""
    z = sample(proposal, samples)  # (K, B, latent_dim)
    return log_joint(model, x, z) - proposal.log_prob(z)


def log_mean_exp(log_w: Tensor) -> Tensor:
    """log (1/K) Σₖ wₖ from log wₖ (K, …), without overflow: (…)."""
    return log_w.logsumexp(0) - math.log(len(log_w))


@torch.no_grad()
def quadrature(
    model: LatentVariableModel, x: Tensor, grid: Grid | None = None, *, memory: int | None = None
) -> GridEstimate:
    """log p(x) ≈ log Σ p(x|z) p(z) · cell over the nodes z of a grid: the integral L2 as a sum.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        grid: Of the model's latent dimension; default: 240 points a side on [−5, 5]².
        memory: Bytes of intermediate results at a time.

    Raises:
        ValueError: Images or a grid that do not fit the model.
        FloatingPointError: An estimate is NaN.

    Warns:
        GridWarning: The grid is too coarse (an error above 0.05 nats, most of which is that of the half
            resolution) or too small (a thousandth of the posterior near its border).
    """
    grid = grid or Grid()
    check_images(model, x)
    check_grid(model, grid)
    estimate = integral(model, x, grid, memory)
    warn_about(estimate.problems())
    return estimate


def integral(model: LatentVariableModel, x: Tensor, grid: Grid, memory: int | None = None) -> GridEstimate:
    """The sum of `quadrature`, without its checks and warnings."""
    prior = model.prior()

    def log_sums(block: Block, start: int, stop: int) -> Tensor:
        parts = grid_parts(grid, start, stop, block.x.device)
        nodes = at_nodes(model, prior, grid, block.x, start, stop)
        return grid_sums(nodes.log_likelihood + nodes.log_prior, parts)

    return grid_estimate(over_codes(log_sums, x, len(grid), log_add, memory=memory), grid)


class Nodes(NamedTuple):
    """Some nodes of a grid.

    Attributes:
        z: The nodes (k, latent_dim).
        log_likelihood: log p(x|z), (k, B), in nats.
        log_prior: log p(z), (k, 1), in nats.
    """

    z: Tensor
    log_likelihood: Tensor
    log_prior: Tensor


def at_nodes(
    model: LatentVariableModel, prior: Distribution, grid: Grid, x: Tensor, start: int, stop: int
) -> Nodes:
    """The two factors of p(x, z) for images x (B, …) at the nodes start … stop of a grid."""
    z = grid.nodes(start, stop, prior.mean.device).to(prior.mean)
    log_prior = log_density(prior, z)[:, None]  # first, as the likelihood waits for a GPU
    return Nodes(z, log_likelihoods(model.decode(z), x), log_prior)


def log_add(parts: Iterator[Tensor]) -> Tensor:
    """log Σ exp of tensors of one shape, element by element."""
    return reduce(torch.logaddexp, parts)


def add(parts: Iterator[Tensor]) -> Tensor:
    """Σ of tensors of one shape, element by element."""
    return reduce(torch.add, parts)


def grid_parts(grid: Grid, start: int, stop: int, device: torch.device) -> Tensor:
    """The parts of the nodes start … stop: all, every second one, and those near the border, (3, k) bool."""
    second = (grid.places(start, stop, device) % 2 == 0).all(1)
    edge = (grid.nodes(start, stop, device).abs() >= 0.95 * grid.radius).any(1)
    return torch.stack([torch.ones_like(edge), second, edge])


def grid_sums(log_joint: Tensor, parts: Tensor) -> Tensor:
    """log Σ p(x, z) over some nodes, over every second one of them, and over those near the border.

    A sum that is smaller than float32 goes, 10⁻³⁸ of the largest value, is 0 and its logarithm −∞.

    Args:
        log_joint: log p(x, z) at these nodes, (k, B).
        parts: Of these nodes, from `grid_parts`.

    Returns:
        (3, B) float64.
    """
    largest = log_joint.amax(0).clamp(min=torch.finfo(log_joint.dtype).min)  # −∞ − −∞ would be NaN
    return (parts.to(log_joint) @ (log_joint - largest).exp_()).double().log() + largest.double()


def grid_estimate(sums: Tensor, grid: Grid) -> GridEstimate:
    """log p(x) from the `grid_sums` over the whole grid, (3, B)."""
    total, coarse, border = check_result(sums)
    error = (coarse + grid.latent_dim * math.log(2) - total).abs()  # with cells 2^latent_dim as large
    return GridEstimate(total + grid.log_cell, error, (border - total).exp())


def check_result(values: Tensor, what: str = "log p(x)") -> Tensor:
    """The values, if none of them is NaN.

    Raises:
        FloatingPointError: Some are; the message says what they should be.
    """
    if values.isnan().any():
        raise FloatingPointError(
            f"{what} is not a number: the model's distributions are not finite; train again with a lower lr."
        )
    return values


def warn_about(problems: list[str], kind: type[UserWarning] = GridWarning) -> None:
    """Give each problem as a warning at the line that called the function of the lecture.

    To be called from the body of that function, which must be decorated with `torch.no_grad`.
    """
    for problem in problems:
        warnings.warn(problem, kind, stacklevel=4)  # from here: the function, its decorator, its caller


def _estimate(
    log_weights: Callable[[Block, int, int], Tensor],
    x: Tensor,
    samples: int,
    encode: Encode | None,
    seed: int,
    memory: int | None,
    progress: bool = False,
) -> SampleEstimate:
    """The logarithm of the mean weight and its standard error, from the log weights (k, b) of each chunk."""

    def log_sums(block: Block, start: int, stop: int) -> Tensor:
        log_w = log_weights(block, start, stop).double()
        return torch.stack([log_w.logsumexp(0), (2 * log_w).logsumexp(0)])  # (2, b)

    total, squares = over_codes(
        log_sums, x, samples, log_add, encode=encode, memory=memory, seed=seed, progress=progress
    )
    effective = torch.where(check_result(total).isneginf(), 0, (2 * total - squares).exp())
    if samples == 1:
        error = torch.full_like(total, math.inf)
    else:  # of the mean weight, relative to it; the logarithm makes it absolute
        error = ((samples / effective - 1) / (samples - 1)).clamp(min=0).sqrt()
    return SampleEstimate(total - math.log(samples), error, effective)
