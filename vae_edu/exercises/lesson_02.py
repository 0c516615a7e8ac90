"""The exercises of lesson 02: The marginal likelihood."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from vae_edu import marginal
from vae_edu.exercises.exercise import Exercise, bce, image_shape, image_sizes, levels
from vae_edu.gaussian import log_normal

LOG_2PI = math.log(2 * math.pi)


def gauss(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """The square over the variance, at every pixel."""
    return (x - mu) ** 2 / logvar.exp()


def bracket(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """The bracket of every pixel."""
    return LOG_2PI + logvar + gauss(x, mu, logvar)


def image_sum(pixels: Tensor) -> Tensor:
    """The sum over the pixels of each image: (B, C, H, W) becomes (B,)."""
    return pixels.flatten(1).sum(1)


def rounded(logits: Tensor) -> Tensor:
    """The probability of a 1, which rounds to 1 for large logits."""
    return torch.sigmoid(logits)


def from_p(x: Tensor, p: Tensor) -> Tensor:
    """The log-likelihood of every pixel, from probabilities."""
    return x * p.log() + (1 - x) * (1 - p).log()


def kept_finite(logarithm: Callable[..., Tensor], *sizes: float) -> list[tuple[Callable[..., Any], str]]:
    """The mistakes of adding a small number before a logarithm, so that it stays finite.

    Args:
        logarithm: The wrong answer from the small number and the arguments.
        sizes: The small numbers.
    """

    def line(small: float) -> tuple[Callable[..., Any], str]:
        floor = math.log(small)
        return (
            lambda *given, **named: logarithm(small, *given, **named),
            f"{small:g} in the logarithm keeps it finite and makes it wrong: "
            f"nothing comes below {floor:.1f} nats then; stay in the log domain instead",
        )

    return [line(small) for small in sizes]


# fmt: off
EXERCISES = {
    "gaussian_log_likelihood": Exercise(
        lambda x, mu, logvar: log_normal(x.flatten(1), mu.flatten(1), logvar.flatten(1)),
        "x, mu and logvar are (B, C, H, W); the answer is (B,), with a gradient to mu and logvar",
        lambda B, D, d: {
            "x": torch.rand(shape := image_shape(B, D)), "mu": torch.rand(shape), "logvar": torch.randn(shape) - 1,
        },
        [
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar + (x - mu) ** 2 / logvar),
             "it divides by log σ²; divide by σ² = exp(logvar)"),
            (lambda x, mu, logvar: -0.5 * image_sum(logvar + gauss(x, mu, logvar)),
             "the constant −½ log 2π of every pixel is missing"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI * x[0].numel() + logvar + gauss(x, mu, logvar)),
             "log 2π is counted for all pixels at every pixel; once a pixel is enough"),
            (lambda x, mu, logvar: -0.5 * image_sum(logvar + gauss(x, mu, logvar)) - 0.5 * LOG_2PI,
             "log 2π is counted once an image; every pixel has one"),
            (lambda x, mu, logvar: -0.5 * image_sum(logvar + gauss(x, mu, logvar)) - 0.5 * LOG_2PI * x[0, 0].numel(),
             "log 2π is counted once for all the channels of a place; each channel has one"),
            (lambda x, mu, logvar: -0.5 * image_sum(logvar + gauss(x, mu, logvar)) - 0.5 * LOG_2PI * x.shape[2],
             "log 2π is counted once a row of pixels; every pixel has one"),
            (lambda x, mu, logvar: -image_sum(LOG_2PI + 0.5 * (logvar + gauss(x, mu, logvar))),
             "log 2π has lost its ½"),
            (lambda x, mu, logvar: -0.5 * image_sum(2 * math.pi + logvar + gauss(x, mu, logvar)),
             "it adds 2π; add its logarithm"),
            (lambda x, mu, logvar: -0.5 * image_sum(math.log(math.pi) + logvar + gauss(x, mu, logvar)),
             "it takes log π; the constant is log 2π"),
            (lambda x, mu, logvar: -0.5 * image_sum(math.log10(2 * math.pi) + logvar + gauss(x, mu, logvar)),
             "2π has a logarithm to base 10; take the natural one"),
            (lambda x, mu, logvar: -0.5 * image_sum(math.log2(2 * math.pi) + logvar + gauss(x, mu, logvar)),
             "2π has a logarithm to base 2; take the natural one"),
            (lambda x, mu, logvar: -0.5 * image_sum(bracket(x, mu, logvar) - 2 * LOG_2PI),
             "the sign of log 2π is flipped"),
            (lambda x, mu, logvar: -0.5 * bracket(x, mu, logvar).flatten(1).mean(1),
             "it averages over the pixels; the logarithm of a product is a sum"),
            (lambda x, mu, logvar: -0.5 * bracket(x, mu, logvar).sum(),
             "it sums over the images too; keep one value an image, (B,)"),
            (lambda x, mu, logvar: -0.5 * image_sum(bracket(x, mu, logvar)).mean(),
             "it averages over the images; keep one value each, (B,)"),
            (lambda x, mu, logvar: -0.5 * bracket(x, mu, logvar).mean(),
             "it averages over images and pixels; sum over the pixels of each image"),
            (lambda x, mu, logvar: -0.5 * bracket(x, mu, logvar)[:, 0].sum((1, 2)),
             "it looks at the first channel alone; sum over all channels"),
            (lambda x, mu, logvar: -0.5 * bracket(x, mu, logvar).mean(1).sum((1, 2)),
             "it averages over the channels; sum over them"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + 2 * logvar + gauss(x, mu, 2 * logvar)),
             "it takes logvar for log σ; it is log σ²"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + 2 * logvar + gauss(x, mu, logvar)),
             "log σ² has lost its ½"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar / 2 + gauss(x, mu, logvar)),
             "log σ² has a ½ too many: inside the bracket it stands alone"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar + 2 * gauss(x, mu, logvar)),
             "the square has lost its ½"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar + gauss(x, mu, logvar) / 2),
             "the square has a ½ too many: inside the bracket it stands alone"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + gauss(x, mu, logvar)),
             "the term log σ² is missing: without it, a larger σ is always better"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar),
             "the square is missing: the answer must depend on the image"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI - logvar + gauss(x, mu, logvar)),
             "the sign of log σ² is flipped"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar - gauss(x, mu, logvar)),
             "the sign of the square is flipped: the further x is from μ, the less likely"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar.exp() + gauss(x, mu, logvar)),
             "it adds σ² where log σ² belongs: logvar as it is"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar + gauss(x, mu, -logvar)),
             "it multiplies by σ²; divide by it"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar + gauss(x, mu, logvar / 2)),
             "it divides the square by σ; divide by σ²"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar + gauss(x, mu, 2 * logvar)),
             "it divides the square by σ⁴; logvar is log σ² already"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar + (x - mu).abs() / (logvar / 2).exp()),
             "it divides |x − μ| by σ; the square is missing"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar + (x - mu).abs() / logvar.exp()),
             "it divides |x − μ| by σ²; the square is missing"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar + (x - mu) / logvar.exp()),
             "the difference is not squared"),
            (lambda x, mu, logvar: -0.5 * image_sum(LOG_2PI + logvar + (x - mu) ** 2),
             "it does not divide the square by σ²"),
            (lambda x, mu, logvar: -0.5 * image_sum((x - mu) ** 2),
             "this is the squared error alone; the variance and log 2π belong to it"),
            (lambda x, mu, logvar: 0.5 * image_sum(bracket(x, mu, logvar)),
             "the sign is flipped: this is −log p(x|z)"),
            (lambda x, mu, logvar: 0.5 * (logvar + gauss(x, mu, logvar)).mean(),
             "this is the default of gaussian_nll_loss: an average, with the sign turned, and without log 2π"),
            (lambda x, mu, logvar: -image_sum(bracket(x, mu, logvar)),
             "the factor ½ is missing"),
            (lambda x, mu, logvar: (-0.5 * image_sum(bracket(x, mu, logvar))).exp(),
             "this is p(x|z); give its logarithm, since a product of many densities overflows"),
            (lambda x, mu, logvar: -0.5 * bracket(x, mu, logvar),
             "these are the pixels' own terms; add those of one image up"),
        ],
        extreme=(
            lambda x, mu, logvar: {"logvar": 4 * logvar},
            lambda x, mu, logvar: {"x": mu + 0.01 * x, "logvar": logvar - 5},
        ),
        gradients=("mu", "logvar"),
        terms=lambda x, mu, logvar: {
            "the constant −½ log 2π": -0.5 * image_sum(LOG_2PI + 0 * x),
            "the term of log σ²": -0.5 * image_sum(logvar),
            "the square": -0.5 * image_sum(gauss(x, mu, logvar)),
        },
        sizes=lambda x, mu, logvar: image_sizes(x),
    ),
    "monte_carlo": Exercise(
        lambda log_likelihood: marginal.log_mean_exp(log_likelihood),
        "log_likelihood is (K, B), K samples of each of B images; the answer is (B,), with a gradient to log_likelihood",
        lambda B, D, d: {"log_likelihood": levels(B, d) - 6 * torch.rand(2 * D - 1, B)},
        [
            (lambda log_likelihood: (log_likelihood.logsumexp(0) - math.log(len(log_likelihood))).exp(),
             "this is p(x); give its logarithm, since p(x) itself underflows"),
            (lambda log_likelihood: log_likelihood.mean(0),
             "this is the mean of the logarithms; L2 wants the logarithm of the mean"),
            (lambda log_likelihood: log_likelihood.sum(0),
             "it adds up the logarithms; L2 wants the logarithm of the mean of the values themselves"),
            (lambda log_likelihood: log_likelihood.mean(0) - math.log(len(log_likelihood)),
             "it averages the logarithms and subtracts log K; sum in the log domain first, with logsumexp"),
            (lambda log_likelihood: log_likelihood.sum(0) - math.log(len(log_likelihood)),
             "it adds up the logarithms and subtracts log K; sum the values themselves, with logsumexp"),
            (lambda log_likelihood: log_likelihood.logsumexp(0),
             "it is the logarithm of the sum; the mean has a −log K too"),
            (lambda log_likelihood: log_likelihood.logsumexp(0) + math.log(len(log_likelihood)),
             "log K is added; subtract it"),
            (lambda log_likelihood: log_likelihood.logsumexp(0) - len(log_likelihood),
             "it subtracts K; subtract log K"),
            (lambda log_likelihood: log_likelihood.logsumexp(0) - 1 / len(log_likelihood),
             "it subtracts 1/K; subtract log K"),
            (lambda log_likelihood: log_likelihood.logsumexp(0) - math.log(log_likelihood.shape[1]),
             "it subtracts the logarithm of the number of images; K is the number of samples, dimension 0"),
            (lambda log_likelihood: log_likelihood.logsumexp(0) - math.log(log_likelihood.numel()),
             "it subtracts the logarithm of all values together; K is the number of samples, dimension 0"),
            (lambda log_likelihood: log_likelihood.logsumexp(0) - math.log(len(log_likelihood) - 1),
             "it subtracts log(K − 1); a mean of K values divides by K"),
            (lambda log_likelihood: log_likelihood.logsumexp(0) - math.log(len(log_likelihood) + 1),
             "it subtracts log(K + 1); a mean of K values divides by K"),
            (lambda log_likelihood: log_likelihood.logsumexp(0) - math.log2(len(log_likelihood)),
             "log K is in bits; take the natural logarithm"),
            (lambda log_likelihood: log_likelihood.logsumexp(0) - math.log10(len(log_likelihood)),
             "log K is to base 10; take the natural logarithm"),
            (lambda log_likelihood: (log_likelihood.logsumexp(0) - math.log(len(log_likelihood))) / math.log(2),
             "this is in bits; give nats"),
            (lambda log_likelihood: log_likelihood.logsumexp(0) / len(log_likelihood),
             "it divides by K outside the logarithm"),
            (lambda log_likelihood: log_likelihood.exp().mean(0).log(),
             "exp underflows to 0 before the mean: use logsumexp, which takes out the largest first"),
            (lambda log_likelihood: log_likelihood.double().exp().mean(0).log(),
             "float64 underflows too, only a little later, and one maximum for all images does not save it: use logsumexp, which takes out the largest first"),
            (lambda log_likelihood: (log_likelihood - log_likelihood.max()).exp().mean(0).log() + log_likelihood.max(),
             "one maximum for all images is too large for an unlikely one, whose exp is 0 then: each image has its own"),
            (lambda log_likelihood: (log_likelihood - log_likelihood.mean()).exp().mean(0).log() + log_likelihood.mean(),
             "one mean for all images is far from most of them, so that exp fails: take out each image's own maximum"),
            (lambda log_likelihood: (log_likelihood - log_likelihood.amax(0)).exp().mean(0).log(),
             "the largest was taken out and not put back: add it at the end"),
            (lambda log_likelihood: (log_likelihood - log_likelihood.amax(0)).exp().sum(0).log(),
             "the largest was taken out and not put back, and the sum is no mean yet"),
            *kept_finite(lambda small, log_likelihood: (log_likelihood.exp().mean(0) + small).log(), 1e-6, 1e-8, 1e-10, 1e-12, 1e-20, 1e-30),
            (lambda log_likelihood: log_likelihood.max(0).values,
             "this is the largest of the K; L2 wants their mean"),
            (lambda log_likelihood: log_likelihood.max(0).values - math.log(len(log_likelihood)),
             "it takes the largest for the sum; the others count too"),
            (lambda log_likelihood: log_likelihood.median(0).values,
             "this is the median of the logarithms; L2 wants the logarithm of the mean"),
            (lambda log_likelihood: (log_likelihood.softmax(0) * log_likelihood).sum(0),
             "it averages the logarithms with weights; L2 wants the logarithm of a plain mean"),
            (lambda log_likelihood: log_likelihood.logsumexp(1) - math.log(log_likelihood.shape[1]),
             "it averages over the images; average over the samples, dimension 0"),
            (lambda log_likelihood: log_likelihood.logsumexp((0, 1)) - math.log(log_likelihood.numel()),
             "it averages over samples and images; each image keeps a value of its own, (B,)"),
            (lambda log_likelihood: (log_likelihood.logsumexp(0) - math.log(len(log_likelihood))).mean(),
             "it averages over the images in the end; keep one value each, (B,)"),
            (lambda log_likelihood: -(log_likelihood.logsumexp(0) - math.log(len(log_likelihood))),
             "the sign is flipped: this is −log p(x)"),
            (lambda log_likelihood: log_likelihood.logsumexp(0) - math.sqrt(len(log_likelihood)),
             "it subtracts √K; subtract log K"),
            (lambda log_likelihood: log_likelihood.exp().mean(0).log1p(),
             "it takes log(1 + p(x)), which is about p(x) itself; take the logarithm of p(x)"),
            (lambda log_likelihood: log_likelihood.clamp(min=-50).exp().mean(0).log(),
             "log-likelihoods below −50 are cut off there; leave them, and use logsumexp"),
            (lambda log_likelihood: log_likelihood.clamp(min=-80).exp().mean(0).log(),
             "log-likelihoods below −80 are cut off there; leave them, and use logsumexp"),
            (lambda log_likelihood: log_likelihood.clamp(min=-100).exp().mean(0).log(),
             "log-likelihoods below −100 are cut off there; leave them, and use logsumexp"),
            (lambda log_likelihood: log_likelihood.log_softmax(0).mean(0),
             "the values are normalized to the sum 1, so that how likely the image is gets lost; take the logarithm of their plain mean"),
        ],
        extreme=(
            lambda log_likelihood: {"log_likelihood": 400 * log_likelihood},
            lambda log_likelihood: {"log_likelihood": log_likelihood + 1000},
            lambda log_likelihood: {"log_likelihood": log_likelihood - 2000},
        ),
        gradients=("log_likelihood",),
        terms=lambda log_likelihood: {
            "the logarithm of the sum": log_likelihood.logsumexp(0),
            "−log K": -math.log(len(log_likelihood)) + 0 * log_likelihood[0],
        },
        sizes=lambda log_likelihood: {
            "K, the number of samples": len(log_likelihood), "B, the number of images": log_likelihood.shape[1],
        },
    ),
    "bernoulli_log_likelihood": Exercise(
        lambda x, logits: image_sum(x * logits - softplus(logits)),
        "x and logits are (B, C, H, W); the answer is (B,), with a gradient to logits",
        lambda B, D, d: {
            "x": (torch.rand(shape := image_shape(B, D)) > 0.7).float(),
            "logits": (60 if D > 9 else 1) * torch.randn(shape),
        },
        [
            (lambda x, logits: image_sum(x * logits + softplus(logits)),
             "log(1 + eˡ) is added; subtract it"),
            (lambda x, logits: image_sum(x * logits - torch.log(1 + torch.exp(logits))),
             "for large logits exp overflows, and a probability rounds to 0, whose logarithm is −∞: use softplus"),
            (lambda x, logits: image_sum(x * logits - logits.exp()),
             "it subtracts eˡ; subtract log(1 + eˡ)"),
            (lambda x, logits: image_sum(x * logits - (1 + logits).log()),
             "it takes the logarithm of l or 1 + l, which may be negative; l is no probability, and only eˡ is positive"),
            (lambda x, logits: image_sum(x * logits - softplus(-logits)),
             "the sign inside the softplus is flipped"),
            (lambda x, logits: image_sum(x * logits - softplus(x * logits)),
             "the softplus must be of the logit alone: a pixel that is 0 has it too"),
            (lambda x, logits: image_sum(x * (logits - softplus(logits))),
             "x multiplies the softplus too: a pixel that is 0 has its log(1 + eˡ) as well"),
            (lambda x, logits: image_sum(logits - softplus(logits)),
             "x makes no difference here: multiply the logit with it"),
            (lambda x, logits: image_sum(x * logits) - softplus(image_sum(logits)),
             "the softplus is of the sum of the logits; every pixel has its own"),
            (lambda x, logits: -bce(logits, x).flatten(1).mean(1),
             "it averages over the pixels; the logarithm of a product is a sum"),
            (lambda x, logits: -bce(logits, x).sum(),
             "it sums over the images too; keep one value an image, (B,)"),
            (lambda x, logits: -bce(logits, x).mean(),
             "it averages over images and pixels; sum over the pixels of each image"),
            (lambda x, logits: bce(logits, x).mean(),
             "this is the default of binary_cross_entropy_with_logits: the batch's average, with the sign turned"),
            (lambda x, logits: bce(logits, x).sum(),
             "the sign is flipped, and it sums over the images too; keep one value an image, (B,)"),
            (lambda x, logits: -image_sum(bce(logits, x)).mean(),
             "it averages over the images; keep one value each, (B,)"),
            (lambda x, logits: -bce(logits, x)[:, 0].sum((1, 2)),
             "it looks at the first channel alone; sum over all channels"),
            (lambda x, logits: -bce(logits, x).mean(1).sum((1, 2)),
             "it averages over the channels; sum over them"),
            (lambda x, logits: image_sum(bce(logits, x)),
             "the sign is flipped: this is −log p(x|z)"),
            (lambda x, logits: -image_sum(bce(torch.sigmoid(logits), x)),
             "the sigmoid is taken twice: once by you and once by a function that wants logits"),
            (lambda x, logits: image_sum(x * logits),
             "the normalization is missing: subtract log(1 + eˡ) for every pixel"),
            (lambda x, logits: image_sum(-softplus(logits)),
             "x · l is missing: the answer must depend on the image"),
            (lambda x, logits: image_sum(x * rounded(logits).log()),
             "only the pixels that are 1 count; those that are 0 have the probability 1 − p"),
            (lambda x, logits: image_sum(from_p(x, rounded(logits))),
             "for large logits p rounds to 1 and log(1 − p) to −∞: compute from the logits, x·l − log(1 + eˡ)"),
            (lambda x, logits: image_sum(torch.where(x == 1, rounded(logits), 1 - rounded(logits)).log().clamp(min=-100)),
             "it cuts each pixel off at −100 nats, as binary_cross_entropy of probabilities does: compute from the logits"),
            (lambda x, logits: -image_sum(bce(logits, 1 - x)),
             "ink and paper are swapped: p is the probability of a 1"),
            (lambda x, logits: -image_sum((x - rounded(logits)) ** 2),
             "this is a squared error; take the logarithm of the probability of what is there"),
            (lambda x, logits: image_sum(-bce(logits, x)).exp(),
             "this is p(x|z); give its logarithm, since a product of 784 probabilities underflows"),
            *[
                (lambda x, logits, e=e: image_sum(from_p(x, rounded(logits).clamp(e, 1 - e))),
                 f"the probabilities are clamped at {e:g}, which is right only for moderate logits: do not clamp, compute from the logits")
                for e in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
            ],
            *[
                (lambda x, logits, e=e: image_sum(x * (rounded(logits) + e).log() + (1 - x) * (1 - rounded(logits) + e).log()),
                 f"{e:g} in the logarithms is right only for moderate logits, and cuts large ones off: compute from the logits")
                for e in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
            ],
            *[
                (lambda x, logits, most=most: -image_sum(bce(logits.clamp(-most, most), x)),
                 f"the logits are clamped at ±{most}: leave large ones as they are")
                for most in (5, 10, 15, 20, 30, 50)
            ],
            (lambda x, logits: -bce(logits, x),
             "these are the pixels' own terms; add those of one image up"),
            (lambda x, logits: image_sum(x * logits - torch.relu(logits)),
             "a ReLU is log(1 + eˡ) with its corner left sharp; take the softplus"),
            (lambda x, logits: -(x * logits - softplus(logits)).flatten(1).mean(1),
             "it averages over the pixels, and the sign is flipped: this is −log p(x|z) for a pixel"),
            (lambda x, logits: x.flatten(1) @ logits.flatten(1).T - softplus(logits).flatten(1).sum(1),
             "every image is multiplied with the logits of every other one, (B, B); each has its own"),
        ],
        extreme=lambda x, logits: {"logits": 100 * logits},
        gradients=("logits",),
        terms=lambda x, logits: {
            "the term x·l": image_sum(x * logits), "the term log(1 + eˡ)": -image_sum(softplus(logits)),
        },
        sizes=lambda x, logits: image_sizes(x),
    ),
    "integral_on_grid": Exercise(
        lambda log_joint, step: log_joint.logsumexp((0, 1)) + 2 * math.log(step),
        "log_joint is (N, N, B), step is a number; the answer is (B,)",
        lambda B, D, d: {"log_joint": levels(B, d) - 9 * torch.rand(D, D, B), "step": 0.55 / d},
        [
            (lambda log_joint, step: (log_joint.logsumexp((0, 1)) + 2 * math.log(step)).exp(),
             "this is p(x); give its logarithm, since p(x) itself underflows"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) * step**2,
             "it multiplies the logarithm by step²; multiplying the sum means adding log step²"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)),
             "the cell is missing: a sum becomes an integral times step²"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + math.log(step),
             "a cell has the area step², not step"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) - math.log(step),
             "it divides by step; multiply by the area of a cell, step²"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + math.log(2 * step),
             "log 2·step is not twice log step: the area of a cell is a square"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + math.log(step) ** 2,
             "it squares the logarithm of step; take the logarithm of the square"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) - 2 * math.log(step),
             "it divides by the cell; multiply by step²"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + step**2,
             "it adds step²; add its logarithm"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + 2 * step,
             "it adds 2·step; add the logarithm of step²"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + 2 * math.log10(step),
             "the cell has a logarithm to base 10; take the natural one"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + 2 * math.log2(step),
             "the cell has a logarithm to base 2; take the natural one"),
            (lambda log_joint, step: (log_joint.logsumexp((0, 1)) + 2 * math.log(step)) / math.log(2),
             "this is in bits; give nats"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) - math.log(log_joint[..., 0].numel()),
             "this is the mean over the nodes; the integral is their sum times the cell"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + 2 * math.log(step) - math.log(log_joint[..., 0].numel()),
             "it divides by the number of nodes; the cell's area is all that a sum needs"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + 2 * math.log(step) - math.log(log_joint.shape[2]),
             "it divides by the number of images; the images have nothing to do with each other"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + 2 * math.log(step * (len(log_joint) - 1)),
             "it multiplies by the area of the whole square; multiply by that of one cell"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + 2 * math.log(step * len(log_joint)),
             "it multiplies by the area of all the cells together; multiply by that of one"),
            (lambda log_joint, step: log_joint[:-1, :-1].logsumexp((0, 1)) + 2 * math.log(step),
             "the last row and column of nodes are left out; every node counts"),
            (lambda log_joint, step: log_joint[1:-1, 1:-1].logsumexp((0, 1)) + 2 * math.log(step),
             "the rim of the grid is left out; every node counts"),
            (lambda log_joint, step: log_joint.mean((0, 1)) + 2 * math.log(step),
             "it averages the logarithms; add up the values themselves, with logsumexp"),
            (lambda log_joint, step: log_joint.sum((0, 1)) + 2 * math.log(step),
             "it adds up the logarithms; add up the values themselves, with logsumexp"),
            (lambda log_joint, step: log_joint.logsumexp(0).sum(0) + 2 * math.log(step),
             "one direction of the grid is summed in the log domain, the other adds up logarithms: use logsumexp for both"),
            (lambda log_joint, step: log_joint.logsumexp(0).mean(0) + 2 * math.log(step),
             "one direction of the grid is summed in the log domain, the other averages logarithms: use logsumexp for both"),
            (lambda log_joint, step: log_joint.diagonal().logsumexp(1) + 2 * math.log(step),
             "only the diagonal of the grid is summed; every node counts"),
            (lambda log_joint, step: log_joint.exp().sum((0, 1)).log() + 2 * math.log(step),
             "exp underflows to 0 before the sum: use logsumexp"),
            (lambda log_joint, step: log_joint.double().exp().sum((0, 1)).log() + 2 * math.log(step),
             "float64 underflows too, only a little later, and one maximum for all images does not save it: use logsumexp"),
            (lambda log_joint, step: (log_joint - log_joint.max()).exp().sum((0, 1)).log() + log_joint.max() + 2 * math.log(step),
             "one maximum for all images is too large for an unlikely one, whose exp is 0 then: each image has its own"),
            (lambda log_joint, step: (log_joint - log_joint.amax((0, 1))).exp().sum((0, 1)).log() + 2 * math.log(step),
             "the largest was taken out and not put back: add it at the end"),
            *kept_finite(lambda small, log_joint, step: (log_joint.exp().sum((0, 1)) * step**2 + small).log(), 1e-6, 1e-8, 1e-10, 1e-12, 1e-20, 1e-30),
            (lambda log_joint, step: log_joint.amax((0, 1)) + 2 * math.log(step),
             "this is the largest node alone; add up all of them"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1, 2)) + 2 * math.log(step),
             "it sums over the images too; keep one value an image, (B,)"),
            (lambda log_joint, step: log_joint.logsumexp((1, 2)) + 2 * math.log(step),
             "it sums over the images; the two directions of the grid are dimensions 0 and 1"),
            (lambda log_joint, step: log_joint.logsumexp(0) + 2 * math.log(step),
             "it sums over one direction of the grid; sum over both"),
            (lambda log_joint, step: -(log_joint.logsumexp((0, 1)) + 2 * math.log(step)),
             "the sign is flipped: this is −log p(x)"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + math.log(step) + step,
             "one step is multiplied and the other added; both are multiplied"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + 3 * math.log(step),
             "that is the volume of a cube; the grid has two directions"),
            (lambda log_joint, step: log_joint.logsumexp((0, 1)) + 2 * math.log(12 / len(log_joint)),
             "step is worked out from a square of side 12; take the one that is given"),
            (lambda log_joint, step: log_joint.logsumexp(0) + math.log(step),
             "only one direction of the grid is summed; sum over both, times step²"),
        ],
        extreme=(
            lambda log_joint, step: {"log_joint": 300 * log_joint, "step": 3.7},
            lambda log_joint, step: {"log_joint": log_joint + 1000, "step": 0.013},
            lambda log_joint, step: {"log_joint": log_joint - 2000},
        ),
        terms=lambda log_joint, step: {
            "the logarithm of the sum": log_joint.logsumexp((0, 1)),
            "the logarithm of the cell": 2 * math.log(step) + 0 * log_joint[0, 0],
        },
        sizes=lambda log_joint, step: {
            "N, the number of nodes in a direction": len(log_joint), "N², the number of nodes": len(log_joint) ** 2,
            "B, the number of images": log_joint.shape[2],
        },
    ),
}
