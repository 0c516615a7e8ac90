"""Autoencoders (lecture section 1): x → encoder → features z → decoder → reconstruction x̂."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vae_edu import device
from vae_edu.engine.precision import check_precision
from vae_edu.linear import principal_components
from vae_edu.networks import conv_decoder, conv_encoder, mlp


class Autoencoder(nn.Module):
    """An encoder x → z and a decoder z → x̂; calling it reconstructs.

    Args:
        encoder: Maps images (B, C, H, W) to features (B, d).
        decoder: Maps features back to images.
    """

    def __init__(self, encoder: nn.Sequential, decoder: nn.Sequential):
        super().__init__()
        self.encoder: nn.Sequential = encoder
        self.decoder: nn.Sequential = decoder

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


def l2_loss(x_hat: Tensor, x: Tensor) -> Tensor:
    """L1: ‖x̂ − x‖²₂ of every image, summed over its pixels.

    Args:
        x_hat: Reconstructions (B, …).
        x: Images of the same shape.

    Returns:
        (B,), in squared gray levels.

    Raises:
        ValueError: The shapes differ.
    """
    if x_hat.shape != x.shape:
        raise ValueError(f"x_hat is {tuple(x_hat.shape)} but x is {tuple(x.shape)}: give both one shape.")
    return (x_hat - x).square().flatten(1).sum(1)


def reconstruction_loss(autoencoder: nn.Module, x: Tensor) -> Tensor:
    """L1 of the reconstructions of x (B, …), as `vae_edu.train.fit` wants it: (B,)."""
    return l2_loss(autoencoder(x), x)


def linear(image_shape: Sequence[int], latent_dim: int) -> Autoencoder:
    """No non-linearity at all: z = W x + b, x̂ = V z + c. At best it does what PCA does.

    Args:
        image_shape: (C, H, W).
        latent_dim: D, the number of features.
    """
    pixels = math.prod(image_shape)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, latent_dim))
    decoder = nn.Sequential(nn.Linear(latent_dim, pixels), nn.Unflatten(1, tuple(image_shape)))
    return Autoencoder(encoder, decoder).to(device())


def linear_sigmoid(image_shape: Sequence[int], latent_dim: int) -> Autoencoder:
    """First generation, linear + non-linearity: z = sigmoid(W x + b), x̂ = V z + c.

    Args:
        image_shape: (C, H, W).
        latent_dim: D, the number of features.
    """
    autoencoder = linear(image_shape, latent_dim)
    autoencoder.encoder.append(nn.Sigmoid())
    return autoencoder


def deep(image_shape: Sequence[int], latent_dim: int, hidden: Sequence[int] = (400,)) -> Autoencoder:
    """Second generation, deep and fully connected: ReLU layers of the hidden widths, mirrored.

    Args:
        image_shape: (C, H, W).
        latent_dim: D, the number of features.
        hidden: The widths of the encoder's hidden layers.
    """
    pixels = math.prod(image_shape)
    encoder = nn.Sequential(nn.Flatten(), *mlp([pixels, *hidden, latent_dim]))
    decoder = mlp([latent_dim, *hidden[::-1], pixels])
    decoder.extend([nn.Sigmoid(), nn.Unflatten(1, tuple(image_shape))])
    return Autoencoder(encoder, decoder).to(device())


def cnn(image_shape: Sequence[int], latent_dim: int, channels: Sequence[int] = (16, 32)) -> Autoencoder:
    """Third generation, ReLU CNN: convolutions of stride 2, mirrored by transposed ones.

    Args:
        image_shape: (C, H, W).
        latent_dim: D, the number of features.
        channels: Of the encoder's convolutions.
    """
    encoder = conv_encoder(image_shape, latent_dim, channels)
    decoder = conv_decoder(latent_dim, image_shape, channels[::-1]).append(nn.Sigmoid())
    return Autoencoder(encoder, decoder).to(device())


@torch.no_grad()
def pca(x: Tensor, latent_dim: int) -> Autoencoder:
    """The best linear autoencoder, in closed form: z = Vᵀ(x − m), x̂ = V z + m.

    m is the mean image; V (pixels, latent_dim) holds the eigenvectors of the covariance with the largest
    eigenvalues. The mean L1 that remains is the sum of the other eigenvalues (Hotelling 1933; for linear
    autoencoders Baldi & Hornik 1989).

    Args:
        x: Images (N, C, H, W).
        latent_dim: D, the number of features.

    Raises:
        ValueError: latent_dim exceeds the number of pixels.
    """
    check_precision(None, x)
    pixels = x[0].numel()
    if not 1 <= latent_dim <= pixels:
        raise ValueError(f"latent_dim = {latent_dim} must lie between 1 and the {pixels} pixels of an image.")
    mean, _, vectors = principal_components(x)
    components = vectors[:, :latent_dim]  # (pixels, d)
    autoencoder = linear(x.shape[1:], latent_dim)
    autoencoder.load_state_dict(
        {
            "encoder.1.weight": components.T,
            "encoder.1.bias": -components.T @ mean,
            "decoder.0.weight": components,
            "decoder.0.bias": mean,
        }
    )
    return autoencoder
