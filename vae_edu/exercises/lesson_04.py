"""The exercises of lesson 04: The evidence lower bound."""

import torch

from vae_edu.exercises.exercise import Exercise
from vae_edu.gaussian import kl_to_standard_normal
from vae_edu.reparameterization import reparameterize

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
            (
                "(log_likelihood.mean(0), (log_q - log_prior).mean(0), (log_posterior - log_q).mean(0))",
                "the third term is upside down: log q(z|x) comes first",
            ),
            (
                "(log_likelihood.mean(0), (log_prior - log_q).mean(0), (log_q - log_posterior).mean(0))",
                "the second term is upside down: log q(z|x) comes first",
            ),
            (
                "(log_likelihood.mean(0), (log_prior - log_q).mean(0), (log_posterior - log_q).mean(0))",
                "both divergences are upside down: log q(z|x) comes first",
            ),
            (
                "(log_likelihood.mean(0), (log_q - log_posterior).mean(0), (log_q - log_prior).mean(0))",
                "the second and the third term are swapped",
            ),
            (
                "(log_likelihood.sum(0), (log_q - log_prior).sum(0), (log_q - log_posterior).sum(0))",
                "it sums over the draws; an expectation is their mean",
            ),
            (
                "(log_likelihood.mean(1), (log_q - log_prior).mean(1), (log_q - log_posterior).mean(1))",
                "it averages over the images; average over the draws, dimension 0",
            ),
            (
                "(log_likelihood.mean(), (log_q - log_prior).mean(), (log_q - log_posterior).mean())",
                "it averages over the images too; keep one value an image, (B,)",
            ),
            (
                "(log_likelihood.mean(0), -log_prior.mean(0), -log_posterior.mean(0))",
                "log q(z|x) is missing from both divergences",
            ),
            (
                "((log_likelihood + log_prior).mean(0), (log_q - log_prior).mean(0), (log_q - log_posterior).mean(0))",
                "the first term is the likelihood alone; the prior sits in the second",
            ),
            (
                "(log_likelihood, log_q - log_prior, log_q - log_posterior)",
                "the expectations are missing: average over the draws, dimension 0",
            ),
        ],
    ),
    "kl_to_standard_normal": Exercise(
        kl_to_standard_normal,
        "mu and logvar are (B, d); the answer is (B,)",
        lambda B, D, d: {"mu": torch.randn(B, d), "logvar": torch.randn(B, d)},
        [
            (
                "0.5 * ((mu**2 + logvar.exp() - logvar).sum(1) - 1)",
                "−1 is counted once an image; every latent dimension has one",
            ),
            (
                "0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(1)",
                "it averages over the latent dimensions; sum over them (L5)",
            ),
            (
                "0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()",
                "it sums over the images too; keep one value an image, (B,)",
            ),
            (
                "0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()",
                "it averages over the images; keep one value each, (B,)",
            ),
            ("(mu**2 + logvar.exp() - 1 - logvar).sum(1)", "the factor ½ is missing"),
            (
                "-0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)",
                "the sign is flipped: a KL divergence is never negative",
            ),
            ("0.5 * (mu**2 + logvar.exp() - logvar).sum(1)", "the −1 of every dimension is missing"),
            (
                "0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(1)",
                "it takes logvar for log σ; it is log σ²",
            ),
            (
                "0.5 * (mu**2 + (0.5 * logvar).exp() - 1 - logvar).sum(1)",
                "it adds σ where σ² belongs: exp(logvar)",
            ),
            ("0.5 * (mu.abs() + logvar.exp() - 1 - logvar).sum(1)", "it takes |μ|; the formula has μ²"),
            ("0.5 * (mu**2 + logvar.exp() - 1 + logvar).sum(1)", "the sign of log σ² is flipped"),
            ("0.5 * (mu**2).sum(1)", "the variance is ignored: σ² − 1 − log σ² is missing"),
            ("0.5 * (logvar.exp() - 1 - logvar).sum(1)", "the mean is ignored: μ² is missing"),
            ("0.5 * (mu**2 + logvar - 1 - logvar.exp()).sum(1)", "σ² and log σ² are swapped"),
        ],
        extreme=lambda mu, logvar: {"mu": 20 * mu, "logvar": 8 * logvar},
    ),
    "reparameterize": Exercise(
        reparameterize,
        "mu, logvar and eps are (B, d); the answer is (B, d)",
        lambda B, D, d: {"mu": torch.randn(B, d), "logvar": torch.randn(B, d), "eps": torch.randn(B, d)},
        [
            ("mu + logvar * eps", "it multiplies ε by log σ²; multiply by σ"),
            ("mu + logvar.exp() * eps", "it multiplies ε by the variance σ²; multiply by σ = exp(½ logvar)"),
            ("mu + 0.5 * logvar * eps", "it multiplies ε by log σ; multiply by σ"),
            ("mu + 0.5 * logvar.exp() * eps", "½ stands outside the exponential: σ = exp(½ logvar)"),
            ("mu + (2 * logvar).exp() * eps", "it takes exp(2 logvar); σ = exp(½ logvar)"),
            ("(0.5 * logvar).exp() * eps", "μ is missing"),
            ("mu * 1", "ε is missing: this is the mean, not a draw"),
            ("mu + (-0.5 * logvar).exp() * eps", "it divides by σ; multiply by it"),
            ("mu + eps", "σ is missing"),
            ("mu + (0.5 * logvar).exp() * eps[:1]", "all images share one ε; each draws its own"),
        ],
        extreme=lambda mu, logvar, eps: {"logvar": 10 * logvar},
        gradients=("mu", "logvar", "eps"),
    ),
    "negative_elbo": Exercise(
        lambda log_likelihood, mu, logvar: kl_to_standard_normal(mu, logvar) - log_likelihood.mean(0),
        "log_likelihood is (K, B), mu and logvar are (B, d); the answer is (B,)",
        lambda B, D, d: {
            "log_likelihood": -100 * torch.rand(D, B),
            "mu": torch.randn(B, d),
            "logvar": torch.randn(B, d),
        },
        [
            (
                "log_likelihood.mean(0) - KL",
                "the sign is flipped: this is the bound itself, and a loss is minimized",
            ),
            ("-log_likelihood.mean(0) - KL", "the KL divergence is subtracted; a loss adds it"),
            ("log_likelihood.mean(0) + KL", "the log-likelihood is added; a loss subtracts it"),
            ("-log_likelihood.mean(0)", "the KL divergence is missing: this is the reconstruction alone"),
            ("KL - log_likelihood.sum(0)", "it sums over the draws; an expectation is their mean"),
            (
                "KL - (log_likelihood.logsumexp(0) - math.log(len(log_likelihood)))",
                "the expectation stands outside the logarithm: take the mean of the logs",
            ),
            (
                "(KL - log_likelihood.mean(0)).mean()",
                "it averages over the images; keep one value each, (B,)",
            ),
            (
                "KL / mu.shape[1] - log_likelihood.mean(0)",
                "the KL divergence is averaged over the latents; sum it",
            ),
            ("2 * KL - log_likelihood.mean(0)", "the KL divergence is twice as large as it should be: the ½"),
            ("KL.mean() - log_likelihood.mean(0)", "the KL divergence is averaged over the images"),
        ],
        extreme=lambda log_likelihood, mu, logvar: {"mu": 20 * mu, "logvar": 8 * logvar},
        gradients=("log_likelihood", "mu", "logvar"),
    ),
}
