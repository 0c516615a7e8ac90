"""Diagonal Gaussians N(μ, diag σ²): as distributions, and the two formulas that a VAE is made of, by hand.

`logvar` is log σ² everywhere.
"""

import math
from collections.abc import Sequence

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

from vae_edu.engine.sync_checks import checking


def diagonal_gaussian(mu: Tensor, logvar: Tensor, event_dims: int = 1) -> Independent:
    """N(μ, diag σ²) with the last event_dims dimensions as one event, so that log_prob sums over them.

    mu, logvar: one shape, (…, d) for codes, (…, C, H, W) with event_dims=3 for images.
    """
    kind, codes = (GaussianCodes, True) if event_dims == 1 else (Independent, False)
    # codes that are not finite make a loss that is not, for which `fit` looks; so training need not look here
    check = False if not checking() or (codes and torch.is_grad_enabled()) else None
    return kind(Normal(mu, (0.5 * logvar).exp(), validate_args=check), event_dims, validate_args=check)


class GaussianCodes(Independent):
    """A diagonal Gaussian over codes (…, d), with fewer passes than PyTorch's, and none that waits for a GPU.

    It does not look for codes that are not finite: their log_prob is NaN or −∞.
    """

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """z = μ + σ ε with ε ∼ N(0, I), the numbers that PyTorch's own would draw: (*sample_shape, …, d)."""
        mu, sigma = self.base_dist.loc, self.base_dist.scale
        shape = self._extended_shape(torch.Size(sample_shape))
        return mu + sigma * torch.randn(shape, dtype=mu.dtype, device=mu.device)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """A draw without gradients, of the shape that rsample gives."""
        with torch.no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """−½ Σᵢ (zᵢ − μᵢ)²/σᵢ² − Σᵢ log σᵢ − ½ d log 2π, in nats: (…)."""
        mu, sigma = self.base_dist.loc, self.base_dist.scale
        constant = sigma.log().sum(-1) + 0.5 * math.log(2 * math.pi) * self.event_shape[0]
        return -0.5 * ((value - mu) / sigma).square().sum(-1) - constant


class StandardNormal(GaussianCodes):
    """N(0, I) over codes (d,), the prior of the lecture: the divergence from it has the short closed form.

    zero: (d,), of the dtype and on the device that the codes shall have.
    """

    def __init__(self, zero: Tensor):
        super().__init__(Normal(zero, torch.ones_like(zero), validate_args=False), 1, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """−½ Σᵢ (zᵢ² + log 2π), in nats: (…)."""
        return -0.5 * (value.square().sum(-1) + math.log(2 * math.pi) * self.event_shape[0])


def each_dimension(p: Distribution) -> Normal:
    """The normal distributions of the dimensions of a diagonal Gaussian, (…, d), d no longer one event.

    Raises ValueError for any other distribution.
    """
    if not isinstance(p, Independent) or not isinstance(p.base_dist, Normal):
        raise ValueError(f"{p} is not a diagonal Gaussian: its dimensions cannot be taken one by one.")
    return p.base_dist


def log_normal(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log N(x; μ, diag σ²) = −½ Σᵢ [ log 2π + log σᵢ² + (xᵢ − μᵢ)²/σᵢ² ], in nats.

    x, mu, logvar: (…, d), broadcast against each other. Returns (…).
    """
    standardized = (x - mu) * (-0.5 * logvar).exp()
    return -0.5 * (math.log(2 * math.pi) + logvar + standardized.square()).sum(-1)


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """D_KL(N(μ, diag σ²), N(0, I)) = ½ Σᵢ [ μᵢ² + σᵢ² − 1 − log σᵢ² ], in nats.

    mu, logvar: (…, d). Returns (…), never negative (Kingma & Welling 2014, appendix B).
    """
    return 0.5 * (mu.square() + torch.expm1(logvar) - logvar).sum(-1)


# PyTorch knows the divergence between two diagonal or two full Gaussians; this adds the one of every VAE,
# which is the formula above, and the mixed pairs.


@register_kl(GaussianCodes, StandardNormal)
def _kl_to_standard_normal(q: GaussianCodes, p: StandardNormal) -> Tensor:
    return kl_to_standard_normal(q.base_dist.loc, 2 * q.base_dist.scale.log())


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
