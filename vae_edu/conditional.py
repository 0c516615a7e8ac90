"""The conditional VAE (Sohn, Lee & Yan 2015): every line of the lecture with a label y behind the bar."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent

import vae_edu
from vae_edu.elbo import negative_elbo
from vae_edu.engine.arguments import channels_height_width, whole_number
from vae_edu.engine.bernoulli import BernoulliImage
from vae_edu.engine.sync_checks import check_pixels
from vae_edu.gaussian import diagonal_gaussian
from vae_edu.grid import Grid
from vae_edu.marginal import quadrature
from vae_edu.networks import mlp

WHOLE = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}


class ConditionalVAE(nn.Module):
    """p(z) = N(0, I), a Bernoulli p(x|z, y), q(z|x, y) = N(μ(x, y), diag σ²(x, y)), for labels y.

    Both networks have one hidden layer, and take y as a one-hot vector joined to their other input.

    Args:
        image_shape: (C, H, W).
        latent_dim: The dimensions of z.
        classes: How many labels there are; they are 0 … classes − 1.
        hidden: The width of the hidden layers.

    Raises:
        ValueError: An argument is not one of those above.
    """

    one_hot: Tensor

    def __init__(self, image_shape: Sequence[int], latent_dim: int, classes: int, hidden: int = 400):
        super().__init__()
        self.image_shape = channels_height_width(image_shape)
        self.latent_dim = d = whole_number("latent_dim", latent_dim, 1)
        self.classes = K = whole_number("classes", classes, 1)
        pixels, width = math.prod(self.image_shape), whole_number("hidden", hidden, 1)
        self.encoder, self.decoder = mlp([pixels + K, width, 2 * d]), mlp([d + K, width, pixels])
        self.register_buffer("one_hot", torch.eye(K), persistent=False)
        self.to(vae_edu.device())

    def conditional(self, y: int | Sequence[int] | Tensor) -> "Conditional":
        """The model given y: p(z), p(x|z, y) and q(z|x, y), which every function of the package takes.

        Args:
            y: One label for all images. Or one for each image of a batch, (B,): then `encode`, `decode` and
                `log_joint` take images and codes (…, B, …) alone, and so do losses.

        Raises:
            ValueError: It is no whole number, or no label from 0 to classes − 1.
        """
        labels, last = torch.as_tensor(y, device=self.one_hot.device), self.classes - 1
        if labels.dtype not in WHOLE or labels.dim() > 1:
            raise ValueError(
                f"y is {labels.dtype} of shape {tuple(labels.shape)}: give a whole number, or (B,) of them."
            )
        inside = (labels >= 0) & (labels <= last)
        check_pixels(lambda: inside, f"a label is not one of 0 to {last}: mend y.")
        # If nothing is checked, a wrong label gives NaN: a wrong index would end a process's use of the GPU.
        code = self.one_hot[labels.long().clamp(0, last)]
        return Conditional(self, torch.where(inside[..., None], code, math.nan))


class Conditional(NamedTuple):
    """A conditional VAE at labels y, one-hot, (classes,) or (B, classes): a model as any other."""

    model: ConditionalVAE
    y: Tensor

    def prior(self) -> Independent:
        """p(z) = N(0, I), whatever y is."""
        zero = self.y.new_zeros(self.model.latent_dim)
        return diagonal_gaussian(zero, zero)

    def encode(self, x: Tensor) -> Independent:
        """q(z|x, y), of event shape (latent_dim,). x: (…, C, H, W)."""
        return diagonal_gaussian(*self.model.encoder(self._joined(x.flatten(-3))).chunk(2, -1))

    def decode(self, z: Tensor) -> Independent:
        """p(x|z, y), of event shape (C, H, W). z: (…, latent_dim)."""
        logits = self.model.decoder(self._joined(z)).unflatten(-1, self.model.image_shape)
        return BernoulliImage(Bernoulli(logits=logits, validate_args=False), 3)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z|y) = log p(x|z, y) + log p(z), in nats per image."""
        return self.decode(z).log_prob(x) + self.prior().log_prob(z)

    def _joined(self, values: Tensor) -> Tensor:
        """Rows (…, n) with the label behind each: (…, n + classes)."""
        if self.y.dim() == 2 and (values.dim() < 2 or values.shape[-2] != len(self.y)):
            raise ValueError(f"{len(self.y)} labels for rows of shape {tuple(values.shape)}: give one each.")
        return torch.cat([values, self.y.expand(*values.shape[:-1], -1)], -1)


def negative_conditional_elbo(model: ConditionalVAE, batch: tuple[Tensor, Tensor]) -> Tensor:
    """−L5 given y, D_KL(q(z|x, y), p(z)) − E_{z∼q(z|x, y)}[log p(x|z, y)] with one sample, a loss for `fit`.

    Args:
        model: A conditional VAE.
        batch: Images (B, C, H, W) and labels (B,).

    Returns:
        (B,), in nats.

    Raises:
        ValueError: Labels that the model does not have.
    """
    x, y = batch
    return negative_elbo(model.conditional(y), x)


def log_p_x_given_labels(model: ConditionalVAE, x: Tensor, grid: Grid | None = None) -> Tensor:
    """L2 given each label: log p(x|y) = log ∫ p(x|z, y) p(z) dz, on a grid: (classes, B), in nats.

    Arguments, errors and warnings are those of `vae_edu.marginal.quadrature`.
    """
    return torch.stack([quadrature(model.conditional(y), x, grid).log_p_x for y in range(model.classes)])


def posterior_of_labels(log_p_x_given_y: Tensor, log_prior: Tensor) -> Tensor:
    """Bayes' rule: p(y|x) = p(x|y) p(y) / Σ_y p(x|y) p(y), in the log domain.

    Args:
        log_p_x_given_y: (classes, B), in nats.
        log_prior: log p(y), (classes,).

    Returns:
        (classes, B); each column adds up to 1.
    """
    return (log_p_x_given_y + log_prior[:, None]).softmax(0)
