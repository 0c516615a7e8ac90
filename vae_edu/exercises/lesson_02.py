"""The exercises of lesson 02: The marginal likelihood."""

import math

import torch
from torch.nn.functional import softplus

from vae_edu import marginal
from vae_edu.exercises.exercise import Exercise
from vae_edu.gaussian import log_normal

EXERCISES = {
    "gaussian_log_likelihood": Exercise(
        lambda x, mu, logvar: log_normal(x.flatten(1), mu.flatten(1), logvar.flatten(1)),
        "x, mu and logvar are (B, C, H, W); the answer is (B,)",
        lambda B, D, d: {
            "x": torch.rand(B, 1, D, D),
            "mu": torch.rand(B, 1, D, D),
            "logvar": torch.randn(B, 1, D, D) - 1,
        },
        [
            (
                "-0.5 * (LOG_2PI + logvar + (x - mu)**2 / logvar).flatten(1).sum(1)",
                "it divides by log σ²; divide by σ² = exp(logvar)",
            ),
            (
                "-0.5 * (logvar + (x - mu)**2 / logvar.exp()).flatten(1).sum(1)",
                "the constant −½ log 2π of every pixel is missing",
            ),
            (
                "-0.5 * (LOG_2PI * x[0].numel() + logvar + (x - mu)**2 / logvar.exp()).flatten(1).sum(1)",
                "log 2π is counted for all pixels at every pixel; once a pixel is enough",
            ),
            (
                "-0.5 * (logvar + (x - mu)**2 / logvar.exp()).flatten(1).sum(1) - 0.5 * LOG_2PI",
                "log 2π is counted once an image; every pixel has one",
            ),
            (
                "-0.5 * (LOG_2PI + logvar + (x - mu)**2 / logvar.exp()).flatten(1).mean(1)",
                "it averages over the pixels; the logarithm of a product is a sum",
            ),
            (
                "-0.5 * (LOG_2PI + logvar + (x - mu)**2 / logvar.exp()).sum()",
                "it sums over the images too; keep one value an image, (B,)",
            ),
            (
                "-0.5 * (LOG_2PI + 2 * logvar + (x - mu)**2 / logvar.exp()**2).flatten(1).sum(1)",
                "it takes logvar for log σ; it is log σ²",
            ),
            (
                "-(0.5 * LOG_2PI + logvar + 0.5 * (x - mu)**2 / logvar.exp()).flatten(1).sum(1)",
                "log σ² has lost its ½",
            ),
            (
                "-0.5 * (LOG_2PI + (x - mu)**2 / logvar.exp()).flatten(1).sum(1)",
                "the term log σ² is missing: without it, a larger σ is always better",
            ),
            (
                "-0.5 * (LOG_2PI - logvar + (x - mu)**2 / logvar.exp()).flatten(1).sum(1)",
                "the sign of log σ² is flipped",
            ),
            (
                "-0.5 * (LOG_2PI + logvar + (x - mu)**2 * logvar.exp()).flatten(1).sum(1)",
                "it multiplies by σ²; divide by it",
            ),
            (
                "-0.5 * (LOG_2PI + logvar + (x - mu).abs() / (logvar / 2).exp()).flatten(1).sum(1)",
                "it divides |x − μ| by σ; the square is missing",
            ),
            (
                "-0.5 * (LOG_2PI + logvar + (x - mu)**2).flatten(1).sum(1)",
                "it does not divide the square by σ²",
            ),
            (
                "0.5 * (LOG_2PI + logvar + (x - mu)**2 / logvar.exp()).flatten(1).sum(1)",
                "the sign is flipped: this is −log p(x|z)",
            ),
            (
                "(-0.5 * (LOG_2PI + logvar + (x - mu)**2 / logvar.exp())).flatten(1).sum(1).exp()",
                "this is p(x|z); give its logarithm, since a product of many densities overflows",
            ),
        ],
        extreme=lambda x, mu, logvar: {"logvar": 4 * logvar},
    ),
    "monte_carlo": Exercise(
        lambda log_likelihood: marginal.log_mean_exp(log_likelihood),
        "log_likelihood is (K, B); the answer is (B,)",
        lambda B, D, d: {"log_likelihood": -(10.0 ** (B % 4)) * torch.rand(2 * D, B) - 100 * B},
        [
            (
                "(log_likelihood.logsumexp(0) - math.log(len(log_likelihood))).exp()",
                "this is p(x); give its logarithm, since p(x) itself underflows",
            ),
            (
                "log_likelihood.mean(0)",
                "this is the mean of the logarithms; L2 wants the logarithm of the mean",
            ),
            ("log_likelihood.logsumexp(0)", "it is the logarithm of the sum; the mean has a −log K too"),
            ("log_likelihood.logsumexp(0) + math.log(len(log_likelihood))", "log K is added; subtract it"),
            ("log_likelihood.logsumexp(0) - len(log_likelihood)", "it subtracts K; subtract log K"),
            ("log_likelihood.logsumexp(0) / len(log_likelihood)", "it divides by K outside the logarithm"),
            (
                "log_likelihood.exp().mean(0).log()",
                "exp underflows to 0 before the mean: use logsumexp, which takes out the largest first",
            ),
            ("log_likelihood.max(0).values", "this is the largest of the K; L2 wants their mean"),
            (
                "log_likelihood.logsumexp(1) - math.log(log_likelihood.shape[1])",
                "it averages over the images; average over the samples, dimension 0",
            ),
            (
                "-(log_likelihood.logsumexp(0) - math.log(len(log_likelihood)))",
                "the sign is flipped: this is −log p(x)",
            ),
        ],
        extreme=lambda log_likelihood: {"log_likelihood": 100 * log_likelihood},
    ),
    "bernoulli_log_likelihood": Exercise(
        lambda x, logits: (x * logits - softplus(logits)).flatten(1).sum(1),
        "x and logits are (B, C, H, W); the answer is (B,)",
        lambda B, D, d: {
            "x": (torch.rand(B, 1, D, D) > 0.7).float(),
            "logits": (60 if D == 10 else 1) * torch.randn(B, 1, D, D),
        },
        [
            (
                "(x * logits + softplus(logits)).flatten(1).sum(1)",
                "log(1 + eˡ) is added; subtract it",
            ),
            (
                "(x * logits - torch.log(1 + torch.exp(logits))).flatten(1).sum(1)",
                "exp overflows for large logits: use softplus",
            ),
            (
                "-bce(logits, x).flatten(1).mean(1)",
                "it averages over the pixels; the logarithm of a product is a sum",
            ),
            ("-bce(logits, x).sum()", "it sums over the images too; keep one value an image, (B,)"),
            (
                "-bce(logits, x).mean()",
                "it averages over images and pixels; sum over the pixels of each image",
            ),
            ("bce(logits, x).flatten(1).sum(1)", "the sign is flipped: this is −log p(x|z)"),
            (
                "-bce(torch.sigmoid(logits), x).flatten(1).sum(1)",
                "the sigmoid is taken twice: once by you and once by a function that wants logits",
            ),
            (
                "(x * logits).flatten(1).sum(1)",
                "the normalization is missing: subtract log(1 + eˡ) for every pixel",
            ),
            (
                "(x * torch.sigmoid(logits).log()).flatten(1).sum(1)",
                "only the pixels that are 1 count; those that are 0 have the probability 1 − p",
            ),
            (
                "(x * torch.sigmoid(logits).log() + (1 - x) * (1 - torch.sigmoid(logits)).log()).flatten(1).sum(1)",
                "for large logits p rounds to 1 and log(1 − p) to −∞: compute from the logits, x·l − log(1 + eˡ)",
            ),
            (
                "-bce(logits, 1 - x).flatten(1).sum(1)",
                "ink and paper are swapped: p is the probability of a 1",
            ),
            (
                "(-bce(logits, x)).flatten(1).sum(1).exp()",
                "this is p(x|z); give its logarithm, since a product of 784 probabilities underflows",
            ),
        ],
        extreme=lambda x, logits: {"logits": 100 * logits},
    ),
    "integral_on_grid": Exercise(
        lambda log_joint, step: log_joint.logsumexp((0, 1)) + 2 * math.log(step),
        "log_joint is (N, N, B), step is a number; the answer is (B,)",
        lambda B, D, d: {"log_joint": -30 * torch.rand(D, D, B) - 120 - B, "step": 0.5 / d},
        [
            (
                "(log_joint.logsumexp((0, 1)) + 2 * math.log(step)).exp()",
                "this is p(x); give its logarithm, since p(x) itself underflows",
            ),
            (
                "log_joint.logsumexp((0, 1)) * step**2",
                "it multiplies the logarithm by step²; multiplying the sum means adding log step²",
            ),
            ("log_joint.logsumexp((0, 1))", "the cell is missing: a sum becomes an integral times step²"),
            ("log_joint.logsumexp((0, 1)) + math.log(step)", "a cell has the area step², not step"),
            ("log_joint.logsumexp((0, 1)) - 2 * math.log(step)", "it divides by the cell; multiply by step²"),
            ("log_joint.logsumexp((0, 1)) + step**2", "it adds step²; add its logarithm"),
            (
                "log_joint.logsumexp((0, 1)) - math.log(log_joint.shape[0] * log_joint.shape[1])",
                "this is the mean over the nodes; the integral is their sum times the cell",
            ),
            (
                "log_joint.mean((0, 1)) + 2 * math.log(step)",
                "it averages the logarithms; add up the values themselves, with logsumexp",
            ),
            (
                "log_joint.sum((0, 1)) + 2 * math.log(step)",
                "it adds up the logarithms; add up the values themselves, with logsumexp",
            ),
            (
                "log_joint.exp().sum((0, 1)).log() + 2 * math.log(step)",
                "exp underflows to 0 before the sum: use logsumexp",
            ),
            (
                "log_joint.amax((0, 1)) + 2 * math.log(step)",
                "this is the largest node alone; add up all of them",
            ),
        ],
        extreme=lambda log_joint, step: {"log_joint": 100 * log_joint},
    ),
}
