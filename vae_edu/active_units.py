"""Which latent dimensions a VAE uses: a unit that has collapsed says nothing about the image."""

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from vae_edu.engine.precision import exact
from vae_edu.gaussian import each_dimension
from vae_edu.interface import LatentVariableModel, check_images, encoding


@torch.no_grad()
@exact()
def kl_per_dimension(model: LatentVariableModel, x: Tensor) -> Tensor:
    """E_x[D_KL(q(zⱼ|x), p(zⱼ))] of every latent dimension; they add up to the KL of L5.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).

    Returns:
        (latent_dim,), in nats.

    Raises:
        ValueError: q or the prior is not a diagonal Gaussian. The divergence is a sum over dimensions only
            if both are.
    """
    code = check_images(model, x)
    q, prior = each_dimension(encoding(model, code)(x)), each_dimension(model.prior())
    return kl_divergence(q, prior).mean(0)


@torch.no_grad()
@exact()
def code_means(model: LatentVariableModel, x: Tensor) -> Tensor:
    """The means of q(z|x), one code an image: (B, latent_dim)."""
    code = check_images(model, x)
    return encoding(model, code)(x).mean


def active_units(model: LatentVariableModel, x: Tensor, threshold: float = 0.01) -> Tensor:
    """Whether each dimension is in use: Var_x(E_q[zⱼ|x]) > threshold.

    A collapsed dimension has q(zⱼ|x) = p(zⱼ), the same mean for every image (Burda et al. 2016, section 5.2,
    whose threshold is 0.01).

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …), two or more.
        threshold: Of the variance.

    Returns:
        (latent_dim,) bool.

    Raises:
        ValueError: A single image.
    """
    if len(x) < 2:
        raise ValueError("active units are a variance over images: give two or more.")
    return code_means(model, x).var(0) > threshold
