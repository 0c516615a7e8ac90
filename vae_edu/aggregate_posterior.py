"""The aggregate posterior q(z) = 1/N Σₙ q(z|xₙ): where the codes of images lie, compared with the prior."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_edu.engine.arguments import whole_number
from vae_edu.engine.memory import bytes_for
from vae_edu.engine.precision import exact
from vae_edu.engine.randomness import random_stream
from vae_edu.gaussian import each_dimension
from vae_edu.interface import LatentVariableModel, check_images, encoding

DENSITY_BYTES = 32  # for a log density of one code, image and dimension: in float32, in float64, and copies


class Moments(NamedTuple):
    """The first two moments of q(z).

    Attributes:
        mean: (latent_dim,).
        covariance: (latent_dim, latent_dim).
    """

    mean: Tensor
    covariance: Tensor


class KLParts(NamedTuple):
    """Three parts of E_x[D_KL(q(z|x), p(z))], in nats: numbers that add up to it.

    Attributes:
        mutual_information: I(x; z), what a code says about which image it came from.
        total_correlation: D_KL(q(z), Πⱼ q(zⱼ)), how dependent the dimensions of z are; 0 if they are not.
        dimensionwise: Σⱼ D_KL(q(zⱼ), p(zⱼ)), how far each dimension alone is from the prior.
    """

    mutual_information: float
    total_correlation: float
    dimensionwise: float


@torch.no_grad()
@exact()
def moments(model: LatentVariableModel, x: Tensor) -> Moments:
    """Mean and covariance of q(z), exactly: Cov[z] = E_x[Cov(z|x)] + Cov_x(E[z|x]).

    This is the law of total covariance, with diagonal q(z|x). A q(z) like the prior N(0, I) has mean 0 and
    covariance I.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (N, …).

    Raises:
        ValueError: Images that do not fit the model, or a q(z|x) that is not a diagonal Gaussian.
    """
    code = check_images(model, x)
    q = each_dimension(encoding(model, code)(x))
    centered = (q.mean - q.mean.mean(0)).double()
    between = centered.T @ centered / len(x)
    return Moments(q.mean.mean(0), (between + q.variance.double().mean(0).diag()).to(q.mean))


def total_correlation(covariance: Tensor) -> Tensor:
    """½ [Σⱼ log Cⱼⱼ − log det C] = D_KL(q(z), Πⱼ q(zⱼ)) of a Gaussian with covariance C (d, d): (), in nats.

    For any other q(z) with this covariance it is no upper bound: it sees correlation alone.
    """
    return 0.5 * (covariance.diagonal().log().sum() - covariance.logdet())


@torch.no_grad()
@exact()
def kl_parts(model: LatentVariableModel, x: Tensor, *, samples: int = 1, seed: int = 0) -> KLParts:
    """E_x[KL(q(z|x), p(z))] = I(x; z) + KL(q(z), Πⱼ q(zⱼ)) + Σⱼ KL(q(zⱼ), p(zⱼ)), for these images.

    (Hoffman & Johnson 2016; Chen et al. 2018, equation 2.) Each expectation is the mean over draws of z from
    every q(z|xₙ); q(z) and q(zⱼ) are the exact mixtures of all N posteriors, so time grows with N². I(x; z)
    is at most log N.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (N, …).
        samples: Draws of z for each image.
        seed: Fixes the draws.

    Raises:
        ValueError: Images that do not fit the model, or a q(z|x) that is not a diagonal Gaussian.
    """
    code = check_images(model, x)
    samples = whole_number("samples", samples, 1)
    q, prior = encoding(model, code)(x), model.prior()
    q_dims, prior_dims = each_dimension(q), each_dimension(prior)
    with random_stream(whole_number("seed", seed, 0)):
        z = q.sample((samples,))  # (K, N, d)
    own = q.log_prob(z).flatten().double()
    mixture, product = [], []
    at_once = max(1, bytes_for(z) // (DENSITY_BYTES * q.mean.numel()))  # codes
    for block in z.flatten(0, 1).split(at_once):
        each = q_dims.log_prob(block[:, None]).double()  # (block, N, d)
        mixture.append(each.sum(-1).logsumexp(1) - math.log(len(x)))
        product.append((each.logsumexp(1) - math.log(len(x))).sum(-1))
    log_q, log_product = torch.cat(mixture), torch.cat(product)
    log_prior = prior_dims.log_prob(z).sum(-1).flatten().double()
    parts = (own - log_q, log_q - log_product, log_product - log_prior)
    return KLParts(*(part.mean().item() for part in parts))
