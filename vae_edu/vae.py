"""The variational autoencoder (lecture section 2): a prior p(z), a decoder p(x|z), an encoder q(z|x)."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent

import vae_edu
from vae_edu.engine import checkpoint
from vae_edu.engine.arguments import channels_height_width, positive_number, whole_number
from vae_edu.engine.bernoulli import BernoulliImage
from vae_edu.engine.precision import full
from vae_edu.engine.randomness import own_turn, random_stream
from vae_edu.engine.sync_checks import check_pixels
from vae_edu.gaussian import diagonal_gaussian
from vae_edu.networks import Tanh, conv_decoder, conv_encoder, mlp

LIKELIHOODS = ("gaussian", "gaussian_one_sigma", "bernoulli")
ACTIVATIONS = {"relu": nn.ReLU, "tanh": Tanh}
WIDTHS = {"mlp": (400,), "cnn": (16, 32)}  # of the hidden layers, by default
FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)  # what weights in a file may be
LOGVAR_SCALE = 10  # Adam moves each weight by about lr a step: too slow for one log σ² alone, so it is scaled


class VAE(nn.Module):
    """p(z) = N(0, I), p(x|z) from the decoder network, q(z|x) = N(μ(x), diag σ²(x)) from the encoder.

    Images have any shape (C, H, W) with values in [0, 1]. x and z may have any leading dimensions. The
    networks may be in bfloat16; the distributions are then in float32.

    A pixel that never changes is described best by σ → 0, where its density is infinite. So a Gaussian
    decoder's σ has a floor: σ² = min_sigma² + exp(output). Differences below it do not count.

    Args:
        image_shape: (C, H, W).
        latent_dim: The dimensions of z.
        likelihood: What the decoder's p(x|z) is. "gaussian": N(μ(z), diag σ²(z)), mean and covariance both
            from the network, as in the lecture. "gaussian_one_sigma": N(μ(z), σ² I) with one learned σ for
            all pixels and images. "bernoulli": each pixel is 1 with a probability from the network, for
            binarized images.
        network: "mlp", or "cnn" for convolutions.
        hidden: The widths of the encoder's hidden layers, or the channels of its convolutions; the decoder
            mirrors them. Default: `WIDTHS`.
        activation: Of an mlp, "relu" or "tanh".
        min_sigma: The floor under a Gaussian decoder's σ, in gray levels.
        device: Where the model is, `vae_edu.device()` by default.

    Attributes:
        architecture: The arguments above but for the device, saved with the model.
        about: What else is worth knowing about the model, such as the data that it learned from, as strings
            and numbers; saved with the model.

    Raises:
        ValueError: An argument is not one of those above.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int,
        likelihood: str = "gaussian",
        *,
        network: str = "mlp",
        hidden: Sequence[int] | int | None = None,
        activation: str = "relu",
        min_sigma: float = 0.1,
        device: torch.device | str | None = None,
    ):
        super().__init__()
        self.image_shape = channels_height_width(image_shape)
        self.latent_dim = whole_number("latent_dim", latent_dim, 1)
        _check_options(likelihood, network, activation)
        min_sigma = positive_number("min_sigma", min_sigma, "0.1")
        self.likelihood, self.min_logvar = likelihood, 2 * math.log(min_sigma)
        shape, widths = list(self.image_shape), _widths(network, hidden)
        self.architecture: dict[str, Any] = {"image_shape": shape, "latent_dim": self.latent_dim}
        self.architecture |= {"likelihood": likelihood, "network": network, "hidden": widths}
        self.architecture |= {"activation": activation, "min_sigma": min_sigma}
        self.about: dict[str, Any] = {}
        with own_turn():
            self.encoder, self.decoder = _networks(self.architecture)
        if likelihood == "gaussian_one_sigma":
            self.scaled_logvar = nn.Parameter(torch.tensor(-3.0 / LOGVAR_SCALE))  # log σ² / LOGVAR_SCALE
        self.zero: Tensor
        self.register_buffer("zero", torch.zeros(self.latent_dim), persistent=False)
        if not self.zero.is_meta:  # `load` builds it without memory first
            self.to(vae_edu.device(device))

    def prior(self) -> Independent:
        """p(z) = N(0, I), of event shape (latent_dim,)."""
        zero = full(self.zero)
        return diagonal_gaussian(zero, zero)

    def encode(self, x: Tensor) -> Independent:
        """q(z|x) = N(μ(x), diag σ²(x)). x: (…, C, H, W); a draw is (…, latent_dim)."""
        self._check(x)
        codes = full(self.encoder(x.to(self.zero.dtype).reshape(-1, *self.image_shape)))
        mu, logvar = codes.reshape(*x.shape[:-3], 2 * self.latent_dim).chunk(2, -1)
        return diagonal_gaussian(mu, logvar)

    def decode(self, z: Tensor) -> Independent:
        """p(x|z), of event shape (C, H, W). z: (…, latent_dim)."""
        if z.shape[-1:] != (self.latent_dim,):
            raise ValueError(f"z is {tuple(z.shape)}, but this model's codes are (…, {self.latent_dim}).")
        drawn = full(self.decoder(z.to(self.zero.dtype).reshape(-1, self.latent_dim)))
        drawn = drawn.reshape(*z.shape[:-1], *drawn.shape[1:])
        if self.likelihood == "bernoulli":
            return BernoulliImage(Bernoulli(logits=drawn, validate_args=False), 3)
        if self.likelihood == "gaussian":
            mu, logvar = drawn.chunk(2, -3)
        else:
            mu, logvar = drawn, LOGVAR_SCALE * full(self.scaled_logvar)
        floor = drawn.new_full((), self.min_logvar)
        return diagonal_gaussian(mu.sigmoid(), torch.logaddexp(logvar, floor).expand_as(mu), 3)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) = log p(x|z) + log p(z), in nats. x (…, C, H, W) and z (…, latent_dim) broadcast."""
        self._check(x)
        check_pixels(lambda: ~x.isnan(), "x holds NaN, outside the support of p(x|z): remove it first.")
        return self.decode(z).log_prob(x) + self.prior().log_prob(z)

    def save(self, path: str | Path) -> None:
        """Write weights, `architecture` and `about` to one file.

        A parametrized model, such as one with weight normalization, is loaded as a plain one that computes
        the same.

        Raises:
            ValueError: The file cannot be written, or `load` could not read it.
        """
        contents = checkpoint.contents_of(self)
        if type(self) is VAE:  # another class may have another `load`
            self._check_fit(self.architecture, _plain_weights(contents))
        checkpoint.save(path, contents)

    @classmethod
    def load(cls, path: str | Path, device: torch.device | str | None = None) -> Self:
        """The model in a file of `save`, or in a checkpoint of `vae_edu.train.fit`.

        Args:
            path: The file.
            device: Where the model is, `vae_edu.device()` by default.

        Raises:
            ValueError: The file is missing, damaged, from a newer version, or holds no VAE.
        """
        saved = checkpoint.load(path)
        architecture, about = saved.get("architecture"), saved.get("about")
        if not isinstance(architecture, dict):
            raise ValueError(f"{path} holds no VAE, or an older one without its architecture: name another.")
        device = vae_edu.device(device)
        try:
            weights = _plain_weights(saved)
            dtype = cls._check_fit(architecture, weights)
            about = dict(checkpoint.check_about(about))
        except checkpoint.Damaged as error:
            raise ValueError(f"{path} is damaged: {error}; name another file.") from error
        with random_stream(0):  # the first weights are replaced, and drawing them should not be noticed
            vae = cls(**architecture, device=device).to(dtype)
        vae.load_state_dict(weights)
        vae.about = about
        return vae

    @classmethod
    def _check_fit(cls, architecture: dict[str, Any], weights: dict[str, Tensor]) -> torch.dtype:
        """Check that weights are those of an architecture, before memory is taken for it.

        Returns:
            Of the weights.

        Raises:
            Damaged: If they are not, or not finite.
        """
        unfit = "its weights do not fit its architecture"
        try:
            layers = len(architecture["hidden"])
            checkpoint.need(layers < len(weights), f"{unfit}: {layers} hidden layers, {len(weights)} weights")
            with torch.device("meta"), random_stream(0):
                vae = cls(**architecture)
        except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
            reason = " ".join(str(error).split())
            raise checkpoint.Damaged(reason if unfit in reason else f"{unfit} ({reason})") from error
        own = vae.state_dict()
        if other := sorted(own.keys() ^ weights.keys()):
            raise checkpoint.Damaged(f"{unfit} (one has {other[0]}, the other has not)")
        dtype = getattr(next(iter(weights.values())), "dtype", None)
        if not isinstance(dtype, torch.dtype) or dtype not in FLOATS:
            raise checkpoint.Damaged(f"{unfit} (they are no floating-point numbers)")
        for name, weight in own.items():
            try:
                checkpoint.check_tensor(f"the weight {name}", weights[name], weight.to(dtype))
            except checkpoint.Damaged as error:
                raise checkpoint.Damaged(f"{unfit} ({error})") from error
        return dtype

    def _check(self, x: Tensor) -> None:
        if x.shape[-3:] != self.image_shape:
            raise ValueError(f"x is {tuple(x.shape)}, but this model's images are {self.image_shape}.")


def _plain_weights(saved: dict[str, Any]) -> dict[str, Tensor]:
    """The weights of the layers in a file; those of a parametrized model are in its section `computed`."""
    weights = checkpoint.weights_in(saved)
    computed = checkpoint.weights_in({"model": saved.get("computed", {})})
    kept = {name: weight for name, weight in weights.items() if ".parametrizations." not in name}
    return (kept if computed else weights) | computed


def _check_options(likelihood: str, network: str, activation: str) -> None:
    if likelihood not in LIKELIHOODS:
        raise ValueError(f"unknown likelihood {likelihood!r}: use {', '.join(LIKELIHOODS)}.")
    if activation not in tuple(ACTIVATIONS):
        raise ValueError(f"unknown activation {activation!r}: use {' or '.join(ACTIVATIONS)}.")
    if network not in tuple(WIDTHS):
        raise ValueError(f"unknown network {network!r}: use {' or '.join(map(repr, WIDTHS))}.")
    if network == "cnn" and activation != "relu":
        raise ValueError("a CNN has ReLUs: leave activation out, or use an mlp.")


def _widths(network: str, hidden: Sequence[int] | int | None) -> list[int]:
    """The widths of the encoder's hidden layers, or the channels of its convolutions."""
    if hidden is None:
        return list(WIDTHS[network])
    several = hidden if getattr(hidden, "shape", None) != () and isinstance(hidden, Iterable) else [hidden]
    widths = [whole_number("hidden", width, 1) for width in several]
    if network == "cnn" and not widths:
        raise ValueError("a CNN needs at least one convolution: give its channels in hidden.")
    return widths


def _networks(architecture: dict[str, Any]) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder (B, C, H, W) → (B, 2 · latent_dim), decoder (B, latent_dim) → (B, 1 or 2 · C, H, W)."""
    image_shape, latent_dim = architecture["image_shape"], architecture["latent_dim"]
    widths = architecture["hidden"]
    channels, *size = image_shape
    outputs = 2 if architecture["likelihood"] == "gaussian" else 1  # numbers for each pixel
    drawn = (outputs * channels, *size)
    if architecture["network"] == "cnn":
        encoder = conv_encoder(image_shape, 2 * latent_dim, widths)
        return encoder, conv_decoder(latent_dim, drawn, widths[::-1])
    activation = ACTIVATIONS[architecture["activation"]]
    encoder = mlp([math.prod(image_shape), *widths, 2 * latent_dim], activation)
    encoder.insert(0, nn.Flatten())
    decoder = mlp([latent_dim, *widths[::-1], math.prod(drawn)], activation)
    return encoder, decoder.append(nn.Unflatten(1, drawn))
