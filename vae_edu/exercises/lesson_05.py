"""The exercises of lesson 05: Training."""

import math

import torch
from torch import Tensor

from vae_edu import monitor
from vae_edu.exercises.exercise import Exercise, bce
from vae_edu.gaussian import kl_to_standard_normal as kl
from vae_edu.reparameterization import reparameterize


def sigma(logvar: Tensor) -> Tensor:
    """The standard deviation σ = exp(½ log σ²)."""
    return (0.5 * logvar).exp()


# fmt: off
EXERCISES = {
    "vae_loss": Exercise(
        lambda x, mu, logvar, eps, W, b: (
            kl(mu, logvar) + bce(reparameterize(mu, logvar, eps) @ W.T + b, x).sum(1)
        ),
        "x is (B, D), mu, logvar and eps are (B, d), W is (D, d), b is (D,); the answer is (B,)",
        lambda B, D, d: {
            "x": torch.rand(B, D).round(), "mu": torch.randn(B, d), "logvar": torch.randn(B, d),
            "eps": torch.randn(B, d), "W": torch.randn(D, d), "b": torch.randn(D),
        },
        [
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(mu @ W.T + b, x).sum(1),
             "step 2 is missing: it decodes μ, not a code drawn from q"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(eps @ W.T + b, x).sum(1),
             "it decodes ε itself; the code is z = μ + σ ε"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce((mu + logvar * eps) @ W.T + b, x).sum(1),
             "ε is multiplied by log σ²; multiply by σ = exp(½ log σ²)"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce((mu + logvar.exp() * eps) @ W.T + b, x).sum(1),
             "ε is multiplied by the variance σ²; multiply by σ = exp(½ log σ²)"),
            (lambda x, mu, logvar, eps, W, b: bce((mu + sigma(logvar) * eps) @ W.T + b, x).sum(1),
             "term 2, the KL divergence to the prior, is missing"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) - bce((mu + sigma(logvar) * eps) @ W.T + b, x).sum(1),
             "term 1 has the wrong sign: the loss is KL − log p(x|z)"),
            (lambda x, mu, logvar, eps, W, b: -kl(mu, logvar) - bce((mu + sigma(logvar) * eps) @ W.T + b, x).sum(1),
             "this is the bound itself; a loss is its negative"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce((mu + sigma(logvar) * eps) @ W.T + b, x).mean(1),
             "it averages over the pixels; sum over them, or the KL weighs D times too much"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) / mu.shape[1] + bce((mu + sigma(logvar) * eps) @ W.T + b, x).sum(1),
             "the KL divergence is averaged over the latents; sum it"),
            (lambda x, mu, logvar, eps, W, b: (kl(mu, logvar) + bce((mu + sigma(logvar) * eps) @ W.T + b, x).sum(1)).mean(),
             "it averages over the images; keep one value each, (B,)"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + ((((mu + sigma(logvar) * eps) @ W.T + b).sigmoid() - x) ** 2).sum(1),
             "term 1 is a squared error; the log-likelihood of 0s and 1s is a Bernoulli's"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce((mu + sigma(logvar) * eps) @ W.T, x).sum(1),
             "the decoder's bias b is missing"),
        ],
        extreme=lambda x, mu, logvar, eps, W, b: {"W": 50 * W},
        gradients=("mu", "logvar", "W", "b"),
    ),
    "bits_per_dim": Exercise(
        monitor.bits_per_dimension,
        "log_p_x is (B,), in nats, dimensions is the number of pixels; the answer is (B,)",
        lambda B, D, d: {"log_p_x": -100 * torch.rand(B) - 1, "dimensions": D * D},
        [
            (lambda log_p_x, dimensions: log_p_x / (dimensions * math.log(2)),
             "the sign is flipped: a code has a positive length"),
            (lambda log_p_x, dimensions: -log_p_x / math.log(2),
             "these are bits an image; divide by the number of pixels"),
            (lambda log_p_x, dimensions: -log_p_x / dimensions,
             "these are nats; divide by log 2 for bits"),
            (lambda log_p_x, dimensions: -log_p_x * math.log(2) / dimensions,
             "it multiplies by log 2; a nat is 1 / log 2 = 1.44 bits"),
            (lambda log_p_x, dimensions: -log_p_x / dimensions / 2,
             "it divides by 2; divide by log 2"),
            (lambda log_p_x, dimensions: -log_p_x.log2() / dimensions,
             "log_p_x is a logarithm already: change its base, take no second one"),
            (lambda log_p_x, dimensions: -log_p_x.mean() / (dimensions * math.log(2)),
             "it averages over the images; keep one value each"),
            (lambda log_p_x, dimensions: -log_p_x / (dimensions * math.log(10)),
             "this is base 10; divide by log 2"),
            (lambda log_p_x, dimensions: -log_p_x / (math.sqrt(dimensions) * math.log(2)),
             "it divides by the side of the image; divide by all its pixels"),
        ],
        extreme=lambda log_p_x, dimensions: {"log_p_x": 1000 * log_p_x},
    ),
    "kl_per_dimension": Exercise(
        lambda mu, logvar: 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean(0),
        "mu and logvar are (B, d); the answer is (d,)",
        lambda B, D, d: {"mu": torch.randn(B, d), "logvar": torch.randn(B, d)},
        [
            (lambda mu, logvar: kl(mu, logvar),
             "it sums over the latents: this is one KL an image; average over the images instead"),
            (lambda mu, logvar: (0.5 * (mu**2 + logvar.exp() - 1 - logvar)).sum(0),
             "it sums over the images; average over them"),
            (lambda mu, logvar: (mu**2 + logvar.exp() - 1 - logvar).mean(0),
             "the factor ½ is missing"),
            (lambda mu, logvar: (-0.5 * (mu**2 + logvar.exp() - 1 - logvar)).mean(0),
             "the sign is flipped; a divergence is never negative"),
            (lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - 1 - logvar),
             "it keeps a value for every image; average over the images"),
            (lambda mu, logvar: kl(mu, logvar).mean(),
             "this is the whole KL; keep one value a dimension, (d,)"),
            (lambda mu, logvar: (0.5 * (mu**2 + logvar.exp() - 1 - logvar)).mean(1),
             "it averages over the dimensions; average over the images, dimension 0"),
            (lambda mu, logvar: 0.5 * (mu.mean(0) ** 2 + logvar.mean(0).exp() - 1 - logvar.mean(0)),
             "it averages μ and log σ² first: the mean of the KL is not the KL of the mean"),
            (lambda mu, logvar: (0.5 * (mu**2 + logvar.exp() - logvar)).mean(0),
             "the −1 is missing"),
            (lambda mu, logvar: (0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar)).mean(0),
             "log σ² is taken for log σ"),
        ],
        extreme=lambda mu, logvar: {"mu": 20 * mu, "logvar": 8 * logvar},
        gradients=("mu", "logvar"),
    ),
    "best_sigma": Exercise(
        lambda x_hat, x: (x_hat - x).square().mean().sqrt(),
        "x_hat and x are (B, C, H, W); the answer is one number, a tensor of shape ()",
        lambda B, D, d: {"x_hat": torch.rand(B, 1, D, D), "x": torch.rand(B, 1, D, D)},
        [
            (lambda x_hat, x: ((x_hat - x) ** 2).mean(),
             "this is the variance σ²; σ is its square root"),
            (lambda x_hat, x: ((x_hat - x) ** 2).flatten(1).sum(1).mean().sqrt(),
             "it sums over the pixels; σ is that of a single pixel, so average"),
            (lambda x_hat, x: ((x_hat - x) ** 2).flatten(1).mean(1).sqrt().mean(),
             "it takes a σ for each image and averages them; one σ serves all: average first, then the root"),
            (lambda x_hat, x: ((x_hat - x) ** 2).flatten(1).mean(1).sqrt(),
             "it keeps a σ for each image; one serves all"),
            (lambda x_hat, x: (x_hat - x).abs().mean(),
             "it averages absolute values; a Gaussian wants squares"),
            (lambda x_hat, x: (x_hat - x).std(),
             "it subtracts the mean difference first; the mean of p(x|z) is x_hat itself"),
            (lambda x_hat, x: ((x_hat - x) ** 2).mean().log(),
             "this is log σ²; give σ"),
            (lambda x_hat, x: x.std(),
             "this is the spread of the pixels; measure how far they are from x_hat"),
            (lambda x_hat, x: ((x_hat - x) ** 2).mean().sqrt() / 2,
             "it has a factor ½ too many"),
            (lambda x_hat, x: 1 / ((x_hat - x) ** 2).mean().sqrt(),
             "this is 1/σ"),
        ],
        extreme=lambda x_hat, x: {"x_hat": 1000 * x_hat},
    ),
}
