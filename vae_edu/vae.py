"""The variational autoencoder (lecture section 2): a prior p(z), a decoder p(x|z), an encoder q(z|x)."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent

import vae_edu
from vae_edu.engine import checkpoint
from vae_edu.engine.arguments import channels_height_width, whole_number
from vae_edu.engine.bernoulli import BernoulliImage
from vae_edu.engine.randomness import random_stream
from vae_edu.gaussian import StandardNormal, diagonal_gaussian
from vae_edu.networks import Tanh, conv_decoder, conv_encoder, mlp

LIKELIHOODS = ("gaussian", "gaussian_one_sigma", "bernoulli")
ACTIVATIONS = {"relu": nn.ReLU, "tanh": Tanh}
SPEED = 10  # of the one σ: Adam moves each weight by about lr a step, too slowly for a single number


class VAE(nn.Module):
    """p(z) = N(0, I), p(x|z) from the decoder network, q(z|x) = N(μ(x), diag σ²(x)) from the encoder.

    likelihood: what the decoder's p(x|z) is.
        "gaussian": N(μ(z), diag σ²(z)), mean and covariance both from the network, as in the lecture.
        "gaussian_one_sigma": N(μ(z), σ² I) with one learned σ for all pixels and images.
        "bernoulli": each pixel is 1 with a probability from the network; for binarized images.
    network: "mlp", or "cnn" for convolutions. hidden: the widths of the encoder's hidden layers, or the
        channels of its convolutions; the decoder mirrors them.
    activation: of an mlp, "relu" or "tanh".
    min_sigma: the floor under a Gaussian decoder's σ, in grey levels: σ² = min_sigma² + exp(output).
        A pixel that never changes is described best by σ → 0, where its density is infinite; the
        floor says that differences below it do not count.

    Images have any shape (C, H, W) with values in [0, 1]; x and z may have any leading dimensions.

    device: where the model is, `vae_edu.device()` by default.

    architecture: the arguments above, without the device. about: what else is worth knowing about the
        model, as strings and numbers, such as the data that it learned from. Both are saved with it.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int,
        likelihood: str = "gaussian",
        *,
        network: str = "mlp",
        hidden: Sequence[int] | None = None,
        activation: str = "relu",
        min_sigma: float = 0.1,
        device: torch.device | str | None = None,
    ):
        super().__init__()
        self.image_shape = channels_height_width(image_shape)
        self.latent_dim = whole_number("latent_dim", latent_dim, 1)
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"unknown likelihood {likelihood!r}: use {', '.join(LIKELIHOODS)}.")
        if not 0 < min_sigma < math.inf:
            raise ValueError(f"min_sigma = {min_sigma!r} must be above 0; 0.1 is a tenth of the grey scale.")
        self.likelihood, self.min_logvar = likelihood, 2 * math.log(min_sigma)
        if activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation {activation!r}: use {' or '.join(ACTIVATIONS)}.")
        hidden = (hidden,) if isinstance(hidden, int) else hidden
        if network == "cnn" and activation != "relu":
            raise ValueError("a CNN has ReLUs: leave activation out, or use an mlp.")
        if network == "cnn" and hidden is not None and not len(hidden):
            raise ValueError("a CNN needs at least one convolution: give its channels in hidden.")
        outputs = 2 if likelihood == "gaussian" else 1  # numbers for each pixel
        channels, *size = self.image_shape
        drawn = (outputs * channels, *size)
        if network == "mlp":
            widths, layer = (400,) if hidden is None else hidden, ACTIVATIONS[activation]
            self.encoder = mlp([math.prod(self.image_shape), *widths, 2 * self.latent_dim], layer)
            self.encoder.insert(0, nn.Flatten())
            self.decoder = mlp([self.latent_dim, *widths[::-1], math.prod(drawn)], layer)
            self.decoder.append(nn.Unflatten(1, drawn))
        elif network == "cnn":
            widths = (16, 32) if hidden is None else hidden
            self.encoder = conv_encoder(self.image_shape, 2 * self.latent_dim, widths)
            self.decoder = conv_decoder(self.latent_dim, drawn, widths[::-1])
        else:
            raise ValueError(f"unknown network {network!r}: use 'mlp' or 'cnn'.")
        self.architecture: dict[str, Any] = {
            "image_shape": list(self.image_shape),
            "latent_dim": self.latent_dim,
            "likelihood": likelihood,
            "network": network,
            "hidden": [int(width) for width in widths],
            "activation": activation,
            "min_sigma": float(min_sigma),
        }
        self.about: dict[str, Any] = {}
        if likelihood == "gaussian_one_sigma":
            self.scaled_logvar = nn.Parameter(torch.tensor(-3.0 / SPEED))  # log σ² / SPEED
        self.register_buffer("zero", torch.zeros(self.latent_dim), persistent=False)
        self.to(vae_edu.device(device))

    def prior(self) -> Independent:
        """p(z) = N(0, I), of event shape (latent_dim,)."""
        return StandardNormal(self.zero)

    def encode(self, x: Tensor) -> Independent:
        """q(z|x) = N(μ(x), diag σ²(x)). x: (…, C, H, W); a draw is (…, latent_dim)."""
        self._check(x)
        codes = self.encoder(x.to(self.zero.dtype).reshape(-1, *self.image_shape)).to(self.zero.dtype)
        mu, logvar = codes.reshape(*x.shape[:-3], 2 * self.latent_dim).chunk(2, -1)
        return diagonal_gaussian(mu, logvar)

    def decode(self, z: Tensor) -> Independent:
        """p(x|z), of event shape (C, H, W). z: (…, latent_dim)."""
        if z.shape[-1:] != (self.latent_dim,):
            raise ValueError(f"z is {tuple(z.shape)}, but this model's codes are (…, {self.latent_dim}).")
        drawn = self.decoder(z.reshape(-1, self.latent_dim)).to(z.dtype)  # fewer bits in autocast
        drawn = drawn.reshape(*z.shape[:-1], *drawn.shape[1:])
        if self.likelihood == "bernoulli":
            return BernoulliImage(Bernoulli(logits=drawn, validate_args=False), 3, validate_args=False)
        mu, logvar = (
            drawn.chunk(2, -3) if self.likelihood == "gaussian" else (drawn, SPEED * self.scaled_logvar)
        )
        floor = drawn.new_full((), self.min_logvar)
        return diagonal_gaussian(mu.sigmoid(), torch.logaddexp(logvar, floor).expand_as(mu), 3)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) = log p(x|z) + log p(z), in nats. x (…, C, H, W) and z (…, latent_dim) broadcast."""
        self._check(x)
        return self.decode(z).log_prob(x) + self.prior().log_prob(z)

    def save(self, path: str | Path) -> None:
        """Write weights, `architecture` and `about` to one file. Raises ValueError where that fails."""
        checkpoint.save(path, checkpoint.contents_of(self))

    @classmethod
    def load(cls, path: str | Path, device: torch.device | str | None = None) -> Self:
        """The model in a file of `save`, or in a checkpoint of `vae_edu.train.fit`.

        device: where the model is, `vae_edu.device()` by default.

        Raises ValueError where the file is missing, damaged or newer, or holds no VAE.
        """
        saved = checkpoint.load(path)
        if not isinstance(saved.get("architecture"), dict):
            raise ValueError(f"{path} holds no VAE, or an older one without its architecture: name another.")
        device = vae_edu.device(device)
        try:
            with random_stream(0):  # the first weights, which are replaced, disturb nobody's draws
                vae = cls(**saved["architecture"], device=device)
            vae.load_state_dict(saved["model"])
            vae.about = dict(saved["about"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"{path} is damaged: its weights do not fit its architecture; name another file."
            ) from error
        return vae.to(next(iter(saved["model"].values())).dtype)

    def _check(self, x: Tensor) -> None:
        if x.shape[-3:] != self.image_shape:
            raise ValueError(f"x is {tuple(x.shape)}, but this model's images are {self.image_shape}.")
