"""The evidence lower bound (L5) and every line of its derivation, D1 to D6, in nats per image."""

import math
import warnings
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from vae_edu.engine.arguments import whole_number
from vae_edu.engine.chunks import in_chunks
from vae_edu.engine.randomness import random_stream, sample
from vae_edu.engine.sync_checks import checking
from vae_edu.grid import Grid
from vae_edu.interface import (
    Encode,
    LatentVariableModel,
    check_codes,
    check_grid,
    check_images,
    encoder,
    log_likelihoods,
)
from vae_edu.marginal import GridWarning, grid_estimate, grid_sums

Terms = dict[str, Tensor]


class Elbo(NamedTuple):
    """The two terms of L5, (B,) each, in nats: the bound is reconstruction − kl."""

    reconstruction: Tensor
    kl: Tensor


def elbo(
    model: LatentVariableModel,
    x: Tensor,
    samples: int = 1,
    *,
    q: Encode | None = None,
    analytic: bool = True,
) -> Elbo:
    """L5: E_{z∼q(z|x)}[log p(x|z)] and D_KL(q(z|x), p(z)), whose difference bounds log p(x) from below.

    The expectation is the mean over `samples` draws, with gradients through them where q allows it.
    analytic: the KL divergence in closed form; otherwise E_q[log q(z|x) − log p(z)] over the same draws.
    x: (B, …). q: images → a distribution over z; model.encode without it.
    """
    samples = whole_number("samples", samples, 1)
    check_images(model, x)
    return _elbo(model, x, samples, q or model.encode, analytic)


def negative_elbo(model: LatentVariableModel, x: Tensor, beta: float = 1.0) -> Tensor:
    """−E_{z∼q(z|x)}[log p(x|z)] + β D_KL(q(z|x), p(z)) with one sample, a loss for `vae_edu.train.fit`: (B,).

    beta: 1 gives −L5, the loss of a VAE; any other β that of a β-VAE (Higgins et al. 2017), where β > 1
        is a looser bound and β < 1 none. Raises ValueError where it is negative or not finite.
    """
    if not 0 <= beta < math.inf:
        raise ValueError(f"beta = {beta!r} must be 0 or above and finite; 1 gives the bound.")
    reconstruction, kl = _elbo(model, x, 1, model.encode, analytic=True)
    return beta * kl - reconstruction


def negative_elbo_of_binarized(model: LatentVariableModel, x: Tensor, beta: float = 1.0) -> Tensor:
    """`negative_elbo` of x_b ∼ Bernoulli(x), drawn anew in every step from grey x in [0, 1]: (B,).

    Raises ValueError for pixels outside [0, 1], and as `negative_elbo` does.
    """
    return negative_elbo(model, draw_binary(x), beta)


def draw_binary(x: Tensor) -> Tensor:
    """x_b ∼ Bernoulli(x), pixel by pixel, for grey x in [0, 1], of its shape and dtype.

    Stochastic binarization (Salakhutdinov & Murray 2008), called dynamic where it is done in every step
    (Burda et al. 2016). Raises ValueError for pixels outside [0, 1].
    """
    if checking() and not ((x >= 0) & (x <= 1)).all():
        raise ValueError("a grey pixel is the probability of a 1: give pixels in [0, 1], without NaN.")
    like = {"dtype": x.dtype, "device": x.device}
    uniform = torch.rand(x.shape, **like)
    return (uniform < x).to(x)


def _elbo(model: LatentVariableModel, x: Tensor, samples: int, q: Encode, analytic: bool) -> Elbo:
    posterior, prior = q(x), model.prior()
    z = sample(posterior, samples)  # (K, B, latent_dim)
    reconstruction = model.decode(z).log_prob(x).mean(0)
    if not analytic:
        return Elbo(reconstruction, (posterior.log_prob(z) - prior.log_prob(z)).mean(0))
    try:
        return Elbo(reconstruction, kl_divergence(posterior, prior))
    except NotImplementedError as error:
        raise NotImplementedError(
            f"no closed form is known for the KL divergence of {posterior} from {prior}: "
            "use elbo(…, analytic=False)."
        ) from error


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
    """The lines D1 … D6 for every image: label → term → (B,), in nats. Each line's terms add up to log p(x).

    D1 to D3 are taken at one z (B, latent_dim) for each image, drawn from q(z|x) where none is given,
    and D4 averages D3 over z ∼ q. The expectations of D4 and D5 are sums over the nodes of a grid,
    weighted by q. D6 has the KL divergence to the prior in closed form, where there is one, and the
    one to the posterior from two densities on the grid.
    x: (B, …). grid: 240 points a side on [−5, 5]² without one. q: model.encode without it.
    Raises ValueError for images or a grid that do not fit. Warns (`GridWarning`) where the grid is too
    coarse or too small for p(z|x), and for q too, whose density on it must add up to 1 within 0.001.
    """
    q = q or model.encode
    check_images(model, x)
    if z is None:
        with random_stream(whole_number("seed", seed, 0)):
            z = q(x).sample()
    check_codes(model, x, z)
    mass, reconstruction, to_prior, gap, log_p_x = _on_grid(model, x, grid, q, memory)
    likelihood, prior, log_q = model.decode(z).log_prob(x), model.prior().log_prob(z), q(x).log_prob(z)
    posterior = model.log_joint(x, z) - log_p_x
    try:
        kl = kl_divergence(q(x), model.prior())
    except NotImplementedError:  # no closed form
        kl = to_prior
    return {
        "D1": {"log p(x|z)": likelihood, "log p(z)": prior, "-log p(z|x)": -posterior},
        "D2": {
            "log p(x|z)": likelihood,
            "log p(z)": prior,
            "log q(z|x)": log_q,
            "-log p(z|x)": -posterior,
            "-log q(z|x)": -log_q,
        },
        "D3": {
            "log p(x|z)": likelihood,
            "-log q(z|x)/p(z)": prior - log_q,
            "log q(z|x)/p(z|x)": log_q - posterior,
        },
        "D4": {"E[log p(x)]": mass * log_p_x},
        "D5": {
            "E[log p(x|z)]": reconstruction,
            "-E[log q(z|x)/p(z)]": -to_prior,
            "E[log q(z|x)/p(z|x)]": gap,
        },
        "D6": {
            "E[log p(x|z)]": reconstruction,
            "-KL(q(z|x), p(z))": -kl,
            "KL(q(z|x), p(z|x))": gap,
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
    Arguments, errors and warnings as in `derivation`.
    """
    return _on_grid(model, x, grid, q or model.encode, memory).gap


class _OnGrid(NamedTuple):
    """Sums over the nodes of q · cell times 1, log p(x|z), log q/p(z), log q/p(z|x); and log p(x)."""

    mass: Tensor
    reconstruction: Tensor
    to_prior: Tensor
    gap: Tensor
    log_p_x: Tensor


def _on_grid(
    model: LatentVariableModel, x: Tensor, grid: Grid | None, q: Encode, memory: int | None
) -> _OnGrid:
    grid = grid or Grid()
    check_images(model, x)
    check_grid(model, grid)
    prior, q = model.prior(), encoder(model, q)

    def work(images: Tensor, start: int, stop: int) -> tuple[Tensor, Tensor]:
        z = grid.nodes(start, stop, prior.mean.device).to(prior.mean)
        likelihood = log_likelihoods(model.decode(z), images).double()  # (k, b)
        log_prior, log_q = prior.log_prob(z)[:, None].double(), log_likelihoods(q(images), z).T.double()
        weight = (log_q + grid.log_cell).exp()
        ratio = log_q - log_prior
        sums = [
            torch.where(weight > 0, weight * term, 0).sum(0)
            for term in (likelihood, ratio, ratio - likelihood)
        ]
        means = torch.stack([weight.sum(0), *sums])  # (4, b)
        return grid_sums(likelihood + log_prior, grid, start, stop), means

    def combine(one: tuple[Tensor, Tensor], two: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return torch.logaddexp(one[0], two[0]), one[1] + two[1]

    blocks = [reduce(combine, part) for part in in_chunks(work, x, len(grid), memory)]
    integrals, means = (torch.cat(columns, dim=1) for columns in zip(*blocks, strict=True))
    log_p_x = grid_estimate(integrals, grid, stacklevel=5).log_p_x
    mass, reconstruction, to_prior, to_joint = means
    if not ((mass - 1).abs() < 1e-3).all():
        warnings.warn(
            f"on the grid q(z|x) adds up to {mass.min():.4g} … {mass.max():.4g}, not 1: raise points where q "
            "is narrow, radius where it lies outside.",
            GridWarning,
            stacklevel=4,
        )
    return _OnGrid(mass, reconstruction, to_prior, to_joint + mass * log_p_x, log_p_x)
