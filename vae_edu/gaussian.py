"""Diagonal Gaussians N(μ, diag σ²): as distributions, and the two formulas that a VAE is made of, by hand.

`logvar` is log σ² everywhere.
"""

import math

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    MultivariateNormal,
    Normal,
    kl_divergence,
    register_kl,
)


def diagonal_gaussian(mu: Tensor, logvar: Tensor, event_dims: int = 1) -> Independent:
    """N(μ, diag σ²) with the last event_dims dimensions as one event, so that log_prob sums over them.

    Parameters are not validated: σ cannot be negative, and NaN is named where a result is returned.

    Args:
        mu: (…, d) for codes, or (…, C, H, W) with event_dims=3 for images.
        logvar: log σ², of the same shape.
        event_dims: How many dimensions one event has.
    """
    return Independent(Normal(mu, (0.5 * logvar).exp(), validate_args=False), event_dims)


def each_dimension(p: Distribution) -> Normal:
    """The normal distributions of the dimensions of a diagonal Gaussian: its batch shape is (…, d).

    Raises:
        ValueError: P is any other distribution.
    """
    if not isinstance(p, Independent) or not isinstance(p.base_dist, Normal):
        raise ValueError(f"{p} is not a diagonal Gaussian: its dimensions cannot be taken one by one.")
    return p.base_dist


def log_normal(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log N(x; μ, diag σ²) = −½ Σᵢ [ log 2π + log σᵢ² + (xᵢ − μᵢ)²/σᵢ² ].

    Args:
        x: (…, d).
        mu: (…, d).
        logvar: log σ², (…, d). All three are broadcast against each other.

    Returns:
        (…), in nats.
    """
    standardized = (x - mu) * (-0.5 * logvar).exp()
    return -0.5 * (math.log(2 * math.pi) + logvar + standardized.square()).sum(-1)


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """D_KL(N(μ, diag σ²), N(0, I)) = ½ Σᵢ [ μᵢ² + σᵢ² − 1 − log σᵢ² ] (Kingma & Welling 2014, appendix B).

    Args:
        mu: (…, d).
        logvar: log σ², (…, d).

    Returns:
        (…), in nats, never negative.
    """
    return 0.5 * (mu.square() + torch.expm1(logvar) - logvar).sum(-1)


# PyTorch knows the divergence between two diagonal or two full Gaussians; these are the mixed pairs.


def _full(p: Independent) -> MultivariateNormal:
    if not isinstance(p.base_dist, Normal) or len(p.event_shape) != 1:
        raise NotImplementedError
    return MultivariateNormal(p.mean, scale_tril=torch.diag_embed(p.stddev))


@register_kl(MultivariateNormal, Independent)
def _kl_full_diagonal(q: MultivariateNormal, p: Independent) -> Tensor:
    return kl_divergence(q, _full(p))


@register_kl(Independent, MultivariateNormal)
def _kl_diagonal_full(q: Independent, p: MultivariateNormal) -> Tensor:
    return kl_divergence(_full(q), p)
