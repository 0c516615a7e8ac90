"""The exercises of lesson 04: The evidence lower bound."""

import math

import torch
from torch import Tensor

from vae_edu.exercises.exercise import Exercise
from vae_edu.gaussian import kl_to_standard_normal as kl
from vae_edu.reparameterization import reparameterize


def means(*terms: Tensor) -> tuple[Tensor, ...]:
    """The mean of each term (K, B) over the K draws: (B,) each."""
    return tuple(term.mean(0) for term in terms)


# fmt: off
EXERCISES = {
    "three_terms": Exercise(
        lambda log_likelihood, log_prior, log_q, log_posterior: (
            log_likelihood.mean(0),
            (log_q - log_prior).mean(0),
            (log_q - log_posterior).mean(0),
        ),
        "all four are (K, B); the answer is a tuple of three, (B,) each",
        lambda B, D, d: {
            name: torch.randn(D, B) for name in ("log_likelihood", "log_prior", "log_q", "log_posterior")
        },
        [
            (lambda log_likelihood, log_prior, log_q, log_posterior: means(log_likelihood, log_q - log_prior, log_posterior - log_q),
             "the third term is upside down: log q(z|x) comes first"),
            (lambda log_likelihood, log_prior, log_q, log_posterior: means(log_likelihood, log_prior - log_q, log_q - log_posterior),
             "the second term is upside down: log q(z|x) comes first"),
            (lambda log_likelihood, log_prior, log_q, log_posterior: means(log_likelihood, log_prior - log_q, log_posterior - log_q),
             "both divergences are upside down: log q(z|x) comes first"),
            (lambda log_likelihood, log_prior, log_q, log_posterior: means(log_likelihood, log_q - log_posterior, log_q - log_prior),
             "the second and the third term are swapped"),
            (lambda log_likelihood, log_prior, log_q, log_posterior: (
                log_likelihood.sum(0), (log_q - log_prior).sum(0), (log_q - log_posterior).sum(0)),
             "it sums over the draws; an expectation is their mean"),
            (lambda log_likelihood, log_prior, log_q, log_posterior: (
                log_likelihood.mean(1), (log_q - log_prior).mean(1), (log_q - log_posterior).mean(1)),
             "it averages over the images; average over the draws, dimension 0"),
            (lambda log_likelihood, log_prior, log_q, log_posterior: (
                log_likelihood.mean(), (log_q - log_prior).mean(), (log_q - log_posterior).mean()),
             "it averages over the images too; keep one value an image, (B,)"),
            (lambda log_likelihood, log_prior, log_q, log_posterior: means(log_likelihood, -log_prior, -log_posterior),
             "log q(z|x) is missing from both divergences"),
            (lambda log_likelihood, log_prior, log_q, log_posterior: means(log_likelihood + log_prior, log_q - log_prior, log_q - log_posterior),
             "the first term is the likelihood alone; the prior sits in the second"),
            (lambda log_likelihood, log_prior, log_q, log_posterior: (log_likelihood, log_q - log_prior, log_q - log_posterior),
             "the expectations are missing: average over the draws, dimension 0"),
        ],
    ),
    "kl_to_standard_normal": Exercise(
        kl,
        "mu and logvar are (B, d); the answer is (B,)",
        lambda B, D, d: {"mu": torch.randn(B, d), "logvar": torch.randn(B, d)},
        [
            (lambda mu, logvar: 0.5 * ((mu**2 + logvar.exp() - logvar).sum(1) - 1),
             "−1 is counted once an image; every latent dimension has one"),
            (lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(1),
             "it averages over the latent dimensions; sum over them (L5)"),
            (lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(),
             "it sums over the images too; keep one value an image, (B,)"),
            (lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean(),
             "it averages over the images; keep one value each, (B,)"),
            (lambda mu, logvar: (mu**2 + logvar.exp() - 1 - logvar).sum(1),
             "the factor ½ is missing"),
            (lambda mu, logvar: -0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1),
             "the sign is flipped: a KL divergence is never negative"),
            (lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - logvar).sum(1),
             "the −1 of every dimension is missing"),
            (lambda mu, logvar: 0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(1),
             "it takes logvar for log σ; it is log σ²"),
            (lambda mu, logvar: 0.5 * (mu**2 + (0.5 * logvar).exp() - 1 - logvar).sum(1),
             "it adds σ where σ² belongs: exp(logvar)"),
            (lambda mu, logvar: 0.5 * (mu.abs() + logvar.exp() - 1 - logvar).sum(1),
             "it takes |μ|; the formula has μ²"),
            (lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - 1 + logvar).sum(1),
             "the sign of log σ² is flipped"),
            (lambda mu, logvar: 0.5 * (mu**2).sum(1),
             "the variance is ignored: σ² − 1 − log σ² is missing"),
            (lambda mu, logvar: 0.5 * (logvar.exp() - 1 - logvar).sum(1),
             "the mean is ignored: μ² is missing"),
            (lambda mu, logvar: 0.5 * (mu**2 + logvar - 1 - logvar.exp()).sum(1),
             "σ² and log σ² are swapped"),
        ],
        extreme=lambda mu, logvar: {"mu": 20 * mu, "logvar": 8 * logvar},
    ),
    "reparameterize": Exercise(
        reparameterize,
        "mu, logvar and eps are (B, d); the answer is (B, d)",
        lambda B, D, d: {"mu": torch.randn(B, d), "logvar": torch.randn(B, d), "eps": torch.randn(B, d)},
        [
            (lambda mu, logvar, eps: mu + logvar * eps,
             "it multiplies ε by log σ²; multiply by σ"),
            (lambda mu, logvar, eps: mu + logvar.exp() * eps,
             "it multiplies ε by the variance σ²; multiply by σ = exp(½ logvar)"),
            (lambda mu, logvar, eps: mu + 0.5 * logvar * eps,
             "it multiplies ε by log σ; multiply by σ"),
            (lambda mu, logvar, eps: mu + 0.5 * logvar.exp() * eps,
             "½ stands outside the exponential: σ = exp(½ logvar)"),
            (lambda mu, logvar, eps: mu + (2 * logvar).exp() * eps,
             "it takes exp(2 logvar); σ = exp(½ logvar)"),
            (lambda mu, logvar, eps: (0.5 * logvar).exp() * eps,
             "μ is missing"),
            (lambda mu, logvar, eps: mu * 1,
             "ε is missing: this is the mean, not a draw"),
            (lambda mu, logvar, eps: mu + (-0.5 * logvar).exp() * eps,
             "it divides by σ; multiply by it"),
            (lambda mu, logvar, eps: mu + eps,
             "σ is missing"),
            (lambda mu, logvar, eps: mu + (0.5 * logvar).exp() * eps[:1],
             "all images share one ε; each draws its own"),
        ],
        extreme=lambda mu, logvar, eps: {"logvar": 10 * logvar},
        gradients=("mu", "logvar", "eps"),
    ),
    "negative_elbo": Exercise(
        lambda log_likelihood, mu, logvar: kl(mu, logvar) - log_likelihood.mean(0),
        "log_likelihood is (K, B), mu and logvar are (B, d); the answer is (B,)",
        lambda B, D, d: {
            "log_likelihood": -100 * torch.rand(D, B), "mu": torch.randn(B, d),
            "logvar": torch.randn(B, d),
        },
        [
            (lambda log_likelihood, mu, logvar: log_likelihood.mean(0) - kl(mu, logvar),
             "the sign is flipped: this is the bound itself, and a loss is minimized"),
            (lambda log_likelihood, mu, logvar: -log_likelihood.mean(0) - kl(mu, logvar),
             "the KL divergence is subtracted; a loss adds it"),
            (lambda log_likelihood, mu, logvar: log_likelihood.mean(0) + kl(mu, logvar),
             "the log-likelihood is added; a loss subtracts it"),
            (lambda log_likelihood, mu, logvar: -log_likelihood.mean(0),
             "the KL divergence is missing: this is the reconstruction alone"),
            (lambda log_likelihood, mu, logvar: kl(mu, logvar) - log_likelihood.sum(0),
             "it sums over the draws; an expectation is their mean"),
            (lambda log_likelihood, mu, logvar: kl(mu, logvar) - (log_likelihood.logsumexp(0) - math.log(len(log_likelihood))),
             "the expectation stands outside the logarithm: take the mean of the logs"),
            (lambda log_likelihood, mu, logvar: (kl(mu, logvar) - log_likelihood.mean(0)).mean(),
             "it averages over the images; keep one value each, (B,)"),
            (lambda log_likelihood, mu, logvar: kl(mu, logvar) / mu.shape[1] - log_likelihood.mean(0),
             "the KL divergence is averaged over the latents; sum it"),
            (lambda log_likelihood, mu, logvar: 2 * kl(mu, logvar) - log_likelihood.mean(0),
             "the KL divergence is twice as large as it should be: the ½"),
            (lambda log_likelihood, mu, logvar: kl(mu, logvar).mean() - log_likelihood.mean(0),
             "the KL divergence is averaged over the images"),
        ],
        extreme=lambda log_likelihood, mu, logvar: {"mu": 20 * mu, "logvar": 8 * logvar},
        gradients=("log_likelihood", "mu", "logvar"),
    ),
}
