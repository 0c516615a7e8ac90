"""The evidence lower bound (L5) and every line of its derivation, D1 to D6, in nats per image."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from vae_edu.engine.arguments import whole_number
from vae_edu.engine.chunks import Block, over_codes
from vae_edu.engine.precision import exact
from vae_edu.engine.randomness import random_stream, sample
from vae_edu.engine.sync_checks import check_pixels
from vae_edu.grid import Grid
from vae_edu.interface import (
    Encode,
    LatentVariableModel,
    check_codes,
    check_grid,
    check_images,
    check_q,
    decode,
    encoding,
    log_density,
    log_likelihoods,
)
from vae_edu.marginal import (
    GridEstimate,
    add,
    at_nodes,
    check_result,
    grid_estimate,
    grid_parts,
    grid_sums,
    log_add,
    warn_about,
)

Terms = dict[str, Tensor]


class Elbo(NamedTuple):
    """The two terms of L5, (B,) each, in nats: the bound is reconstruction − kl.

    Attributes:
        reconstruction: E_{z∼q(z|x)}[log p(x|z)].
        kl: D_KL(q(z|x), p(z)).
    """

    reconstruction: Tensor
    kl: Tensor


def elbo(
    model: LatentVariableModel,
    x: Tensor,
    samples: int = 1,
    *,
    q: Encode | None = None,
    analytic: bool = True,
    memory: int | None = None,
) -> Elbo:
    """L5: E_{z∼q(z|x)}[log p(x|z)] and D_KL(q(z|x), p(z)), whose difference bounds log p(x) from below.

    The expectation is the mean over `samples` draws, with gradients through them if q allows it. Gradients
    need everything that was computed, so with them memory grows beyond the limit.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        samples: Draws of z for each image.
        q: Images → a distribution over z; default: model.encode.
        analytic: Take the KL divergence in closed form; otherwise E_q[log q(z|x) − log p(z)] over the same
            draws.
        memory: Bytes of intermediate results at a time.

    Raises:
        ValueError: Images that do not fit the model, or samples below 1.
        NotImplementedError: Analytic, but no closed form is known for this q.
        FloatingPointError: A term is NaN.
    """
    samples = whole_number("samples", samples, 1)
    code = check_images(model, x)

    def share_of_mean(block: Block, start: int, stop: int) -> Tensor:
        terms = terms_of_the_bound(model, block.x, block.q, stop - start, analytic=analytic)
        return (stop - start) / samples * torch.stack(terms)  # (2, b)

    terms = over_codes(share_of_mean, x, samples, add, encode=encoding(model, code, q), memory=memory)
    return Elbo(*check_result(terms, "the bound"))


def terms_of_the_bound(
    model: LatentVariableModel, x: Tensor, q: Distribution, samples: int = 1, *, analytic: bool = True
) -> Elbo:
    """The two terms of L5 as training computes them: all at once, and without any check.

    E_{z∼q(z|x)}[log p(x|z)] ≈ (1/K) Σₖ log p(x|zₖ) with zₖ = μ + σ εₖ, and D_KL(q(z|x), p(z)).

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        q: q(z|x), of batch shape (B,).
        samples: K.
        analytic: Take the KL divergence in closed form, and not as a mean over the same draws.

    Raises:
        NotImplementedError: Analytic, but no closed form is known for this q.
    """
    prior = model.prior()
    check_q(q, len(x), prior.event_shape)
    z = sample(q, samples)  # (K, B, latent_dim)
    reconstruction = decode(model, z).log_prob(x).mean(0)
    kl = kl_in_closed_form(q, prior) if analytic else (q.log_prob(z) - log_density(prior, z)).mean(0)
    return Elbo(reconstruction, kl)


def kl_in_closed_form(q: Distribution, prior: Distribution) -> Tensor:
    """D_KL(q, p(z)) by the formula that PyTorch has for the pair.

    Raises:
        NotImplementedError: It has none; the message says what to do.
    """
    try:
        return kl_divergence(q, prior)
    except NotImplementedError as error:
        raise NotImplementedError(
            f"no closed form is known for the KL divergence of {q} from {prior}: use elbo(…, analytic=False)."
        ) from error


def negative_elbo(model: LatentVariableModel, x: Tensor, beta: float | Tensor = 1.0) -> Tensor:
    """−E_{z∼q(z|x)}[log p(x|z)] + β D_KL(q(z|x), p(z)) with one sample, a loss for `vae_edu.train.fit`.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        beta: 1 gives −L5, the loss of a VAE; any other β that of a β-VAE (Higgins et al. 2017). With β > 1
            it is a looser bound, with β < 1 no bound. `fit` gives it as a tensor (), which is not checked
            here, since reading it would make a GPU wait.

    Returns:
        (B,), in nats.

    Raises:
        ValueError: `beta` is negative or not finite.
    """
    if not isinstance(beta, Tensor) and not 0 <= beta < math.inf:
        raise ValueError(f"beta = {beta!r} must be 0 or above and finite; 1 gives the bound.")
    reconstruction, kl = terms_of_the_bound(model, x, model.encode(x))
    return beta * kl - reconstruction


def negative_elbo_of_binarized(model: LatentVariableModel, x: Tensor, beta: float | Tensor = 1.0) -> Tensor:
    """`negative_elbo` of x_b ∼ Bernoulli(x), drawn anew in every step from gray x in [0, 1]: (B,).

    Raises:
        ValueError: Pixels outside [0, 1], or a beta that `negative_elbo` refuses.
    """
    return negative_elbo(model, draw_binary(x), beta)


def draw_binary(x: Tensor) -> Tensor:
    """x_b ∼ Bernoulli(x), pixel by pixel, for gray x in [0, 1], of its shape and dtype.

    Stochastic binarization (Salakhutdinov & Murray 2008); Burda et al. (2016) draw anew in every step.

    Raises:
        ValueError: Pixels outside [0, 1].
    """
    check_pixels(
        lambda: (x.clamp(0, 1) - x).abs_().sum() == 0,
        "a gray pixel is the probability of a 1: give pixels in [0, 1], without NaN.",
    )
    return (torch.rand_like(x) < x).to(x)


@torch.no_grad()
def derivation(
    model: LatentVariableModel,
    x: Tensor,
    grid: Grid | None = None,
    *,
    q: Encode | None = None,
    z: Tensor | None = None,
    seed: int = 0,
    memory: int | None = None,
) -> dict[str, Terms]:
    """The lines D1 … D6 for every image. Each line's terms add up to log p(x).

    D1 to D3 hold at any z; they are taken at one z for each image. D4 averages D3 over z ∼ q(z|x). The
    expectations of D4 and D5 are sums over the nodes of a grid, weighted by q. D6 takes the KL divergence
    from the prior in closed form if there is one, and the one from the posterior from the two densities on
    the grid.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        grid: Of the model's latent dimension; default: 240 points a side on [−5, 5]².
        q: Images → a distribution over z; default: model.encode.
        z: (B, latent_dim), the codes of D1 to D3; default: one draw from q(z|x) for each image.
        seed: Fixes this draw.
        memory: Bytes of intermediate results at a time.

    Returns:
        label → term → (B,), in nats.

    Raises:
        ValueError: Images, codes or a grid that do not fit the model.
        FloatingPointError: log p(x) is NaN.

    Warns:
        GridWarning: The grid is too coarse or too small for p(z|x), or for q, whose density on it must add
            up to 1 within 0.001.
    """
    grid = grid or Grid()
    code = check_images(model, x)
    check_grid(model, grid)
    encode = encoding(model, code, q)
    with exact():
        proposal, prior = encode(x), model.prior()
        if z is None:
            with random_stream(whole_number("seed", seed, 0)):
                z = proposal.sample()
        check_codes(model, x, z)
        log_likelihood = decode(model, z).log_prob(x)
        log_prior, log_q = log_density(prior, z), log_density(proposal, z)
    means = _means_under_q(model, x, grid, encode, memory)
    warn_about(means.problems())
    log_posterior = log_likelihood + log_prior - means.log_p_x
    try:
        kl = kl_divergence(proposal, prior)
    except NotImplementedError:  # no closed form
        kl = means.to_prior
    return {
        "D1": {"log p(x|z)": log_likelihood, "log p(z)": log_prior, "-log p(z|x)": -log_posterior},
        "D2": {
            "log p(x|z)": log_likelihood,
            "log p(z)": log_prior,
            "log q(z|x)": log_q,
            "-log p(z|x)": -log_posterior,
            "-log q(z|x)": -log_q,
        },
        "D3": {
            "log p(x|z)": log_likelihood,
            "-log q(z|x)/p(z)": log_prior - log_q,
            "log q(z|x)/p(z|x)": log_q - log_posterior,
        },
        "D4": {"E[log p(x)]": means.mass * means.log_p_x},
        "D5": {
            "E[log p(x|z)]": means.reconstruction,
            "-E[log q(z|x)/p(z)]": -means.to_prior,
            "E[log q(z|x)/p(z|x)]": means.to_posterior,
        },
        "D6": {
            "E[log p(x|z)]": means.reconstruction,
            "-KL(q(z|x), p(z))": -kl,
            "KL(q(z|x), p(z|x))": means.to_posterior,
        },
    }


@torch.no_grad()
def gap(
    model: LatentVariableModel,
    x: Tensor,
    grid: Grid | None = None,
    *,
    q: Encode | None = None,
    memory: int | None = None,
) -> Tensor:
    """D_KL(q(z|x), p(z|x)), the term that L5 drops, as a sum over a grid: (B,), in nats.

    Both densities are evaluated on the nodes; nothing is taken as the difference of the other terms.
    Arguments, errors and warnings are those of `derivation`.
    """
    grid = grid or Grid()
    code = check_images(model, x)
    check_grid(model, grid)
    means = _means_under_q(model, x, grid, encoding(model, code, q), memory)
    warn_about(means.problems())
    return means.to_posterior


class _Means(NamedTuple):
    """Expectations under q(z|x) as sums over the nodes of a grid, all (B,) float64, in nats.

    Attributes:
        estimate: log p(x), from the same nodes.
        mass: E_q[1], which is 1 if the grid fits q.
        reconstruction: E_q[log p(x|z)].
        to_prior: E_q[log q(z|x)/p(z)].
        to_posterior: E_q[log q(z|x)/p(z|x)].
    """

    estimate: GridEstimate
    mass: Tensor
    reconstruction: Tensor
    to_prior: Tensor
    to_posterior: Tensor

    @property
    def log_p_x(self) -> Tensor:
        return self.estimate.log_p_x

    def problems(self) -> list[str]:
        """What is wrong with the grid for these images and for q, one sentence each."""
        found, mass = self.estimate.problems(), self.mass
        if not ((mass - 1).abs() < 1e-3).all():
            found.append(
                f"on the grid q(z|x) adds up to {mass.min():.4g} … {mass.max():.4g}, not 1: raise points if "
                "q is narrow, radius if it lies outside."
            )
        return found


def _means_under_q(
    model: LatentVariableModel, x: Tensor, grid: Grid, encode: Encode, memory: int | None
) -> _Means:
    """Each mean is Σ q(z|x) · cell · term over the nodes z."""
    prior = model.prior()

    def sums_of_chunk(block: Block, start: int, stop: int) -> Tensor:
        parts = grid_parts(grid, start, stop, block.x.device)
        z, log_likelihood, log_prior = at_nodes(model, prior, grid, block.x, start, stop)
        log_likelihood, log_prior = log_likelihood.double(), log_prior.double()
        log_q = log_likelihoods(block.q, z).T.double()  # (k, b)
        weight, ratio = (log_q + grid.log_cell).exp(), log_q - log_prior
        terms = (log_likelihood, ratio, ratio - log_likelihood)
        means = [torch.where(weight > 0, weight * term, 0).sum(0) for term in terms]
        integrals = grid_sums(log_likelihood + log_prior, parts)  # (3, b)
        return torch.cat([integrals, torch.stack([weight.sum(0), *means])])  # (7, b)

    def combine(parts: Iterator[Tensor]) -> Tensor:
        chunks = list(parts)
        return torch.cat([log_add(part[:3] for part in chunks), add(part[3:] for part in chunks)])

    totals = over_codes(sums_of_chunk, x, len(grid), combine, encode=encode, memory=memory)
    estimate = grid_estimate(totals[:3], grid)
    mass, reconstruction, to_prior, to_joint = totals[3:]
    return _Means(estimate, mass, reconstruction, to_prior, to_joint + mass * estimate.log_p_x)
