"""Gradients through a draw: z = μ + σ ε (Kingma & Welling 2014), and the way that does without."""

import torch
from torch import Tensor

from vae_edu.engine.arguments import whole_number
from vae_edu.engine.precision import exact
from vae_edu.engine.randomness import random_stream
from vae_edu.gaussian import diagonal_gaussian
from vae_edu.interface import LatentVariableModel, check_images, encoding

ESTIMATORS = ("reparameterization", "score")


def reparameterize(mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
    """z = μ + σ ε: a draw from N(μ, diag σ²) for ε ∼ N(0, I), through which μ and σ get gradients.

    Args:
        mu: (…, d).
        logvar: log σ², (…, d).
        eps: ε, (…, d).

    Returns:
        (…, d).
    """
    return mu + (0.5 * logvar).exp() * eps


@torch.enable_grad()
@exact()
def gradient_samples(
    model: LatentVariableModel,
    x: Tensor,
    samples: int,
    estimator: str = "reparameterization",
    *,
    baseline: float = 0.0,
    seed: int = 0,
) -> Tensor:
    """K one-draw estimates of the gradient of E_{z∼q}[log p(x|z)] with respect to μ and log σ² of q.

    "reparameterization": ∇ log p(x|μ + σ ε). "score": (log p(x|z) − baseline) ∇ log q(z|x) with z held fixed
    (Williams 1992). Both have the same mean, whatever the baseline is; the baseline only makes the second
    vary less. q = model.encode(x) must be a diagonal Gaussian.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: One image, (1, …).
        samples: K.
        estimator: "reparameterization" or "score".
        baseline: For "score", in nats.
        seed: Fixes the draws.

    Returns:
        (K, 2, latent_dim): with respect to μ, then to log σ².

    Raises:
        ValueError: An argument is not one of those above.
    """
    samples, seed = whole_number("samples", samples, 1), whole_number("seed", seed, 0)
    if estimator not in ESTIMATORS:
        raise ValueError(f"unknown estimator {estimator!r}: use {' or '.join(ESTIMATORS)}.")
    code = check_images(model, x)
    if len(x) != 1:
        raise ValueError(f"x holds {len(x)} images: give one, of shape (1, …).")
    with torch.no_grad():
        q = encoding(model, code)(x)
    mu, logvar = (row.repeat(samples, 1).requires_grad_() for row in (q.mean, q.variance.log()))
    with random_stream(seed):
        z = reparameterize(mu, logvar, torch.randn_like(mu))  # (K, d)
    if estimator == "reparameterization":
        objective = model.decode(z).log_prob(x)
    else:
        z = z.detach()
        with torch.no_grad():
            reward = model.decode(z).log_prob(x)
        objective = (reward - baseline) * diagonal_gaussian(mu, logvar).log_prob(z)
    return torch.stack(torch.autograd.grad(objective.sum(), [mu, logvar]), dim=1)
