"""The exercises: for each a tested reference, random arguments, and the mistakes that learners make."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, pad, softplus

from vae_edu import aggregate, autoencoder, marginal, monitor
from vae_edu.gaussian import kl_to_standard_normal, log_normal
from vae_edu.reparameterization import reparameterize


@dataclass(frozen=True)
class Exercise:
    """A tested function, the shapes it works on, random arguments by name, and the known mistakes.

    mistakes: pairs of one line of wrong code, in the arguments' names, and the hint that it deserves.
    differentiable: whether a right answer must let gradients through to all of its arguments.
    """

    reference: Callable[..., Any]
    shapes: str
    arguments: Callable[[int, int, int], dict[str, Any]]
    mistakes: list[tuple[str, str]]
    differentiable: bool = False


EXERCISES = {
    "chain_rule": Exercise(
        lambda x, p: torch.where(x == 1, p, 1 - p).log().sum(1),
        "x and p are (B, T); the answer is (B,)",
        lambda B, D, d: {"x": (torch.rand(B, D) > 0.5).float(), "p": 0.05 + 0.9 * torch.rand(B, D)},
        [
            (
                "torch.where(x == 1, p, 1 - p).prod(1)",
                "this is p(x); give its logarithm, since a product of hundreds of probabilities underflows",
            ),
            (
                "torch.where(x == 1, p, 1 - p).log().mean(1)",
                "it averages over the pixels; the logarithm of a product is a sum",
            ),
            (
                "torch.where(x == 1, p, 1 - p).log().sum()",
                "it sums over the images too; keep one value an image, (B,)",
            ),
            (
                "torch.where(x == 1, p, 1 - p).log().sum(0)",
                "it sums over the images; sum over the pixels instead",
            ),
            (
                "torch.where(x == 1, p, 1 - p).log().cumsum(1)",
                "it keeps every partial sum; log p(x) is the last of them",
            ),
            ("-torch.where(x == 1, p, 1 - p).log().sum(1)", "the sign is flipped: this is −log p(x)"),
            (
                "(x * p.log()).sum(1)",
                "only the pixels that are 1 count; one that is 0 has the probability 1 − p",
            ),
            ("p.log().sum(1)", "it takes p at every pixel; one that is 0 has the probability 1 − p"),
            (
                "torch.where(x == 1, 1 - p, p).log().sum(1)",
                "0 and 1 are swapped: p is the probability of a 1",
            ),
            ("torch.where(x == 1, p, 1 - p).log2().sum(1)", "this is in bits; take the natural logarithm"),
            ("torch.where(x == 1, p, 1 - p).sum(1).log()", "it adds up probabilities; L0 multiplies them"),
        ],
    ),
    "standard_error": Exercise(
        lambda log_p: log_p.std() / math.sqrt(len(log_p)),
        "log_p is (B,); the answer is one number",
        lambda B, D, d: {"log_p": -40 - 9 * torch.randn(B * D).abs()},
        [
            ("log_p.std()", "this is the spread of the images; that of their mean is smaller by √B"),
            ("log_p.std() / len(log_p)", "it divides by B; divide by √B"),
            ("log_p.var() / len(log_p)", "this is the variance of the mean; take its root"),
            ("log_p.var() / math.sqrt(len(log_p))", "it takes the variance; take the standard deviation"),
            (
                "log_p.std(correction=0) / math.sqrt(len(log_p))",
                "it divides the squares by B; with the mean of the same images, divide by B − 1 (std does)",
            ),
            ("log_p.mean() / math.sqrt(len(log_p))", "it takes the mean; take the standard deviation"),
            ("log_p.mean()", "this is the mean itself; give its standard error"),
        ],
    ),
    "shift": Exercise(
        lambda x: pad(x[:, :-1], (1, 0)),
        "x is (B, T); the answer is (B, T)",
        lambda B, D, d: {"x": (torch.rand(B, D + 1) > 0.5).float()},
        [
            ("x * 1", "pixel t is its own input, and copying it would be a perfect prediction"),
            ("pad(x[:, 1:], (0, 1))", "it is shifted the other way, so that the network sees the next pixel"),
            ("x.roll(1, 1)", "the last pixel comes round to the front; the first input knows nothing: 0"),
            (
                "pad(x, (1, 0))",
                "there is one input too many; nothing follows the last pixel, so leave it out",
            ),
            ("x.roll(1, 0)", "it shifts the images; shift the pixels of each"),
            ("pad(x[:, :-1], (1, 0), value=1.0)", "the first input is 1; make it 0"),
            ("x[:, :-1] * 1", "the first pixel needs an input too: put a 0 in front"),
        ],
    ),
    "sample_pixels": Exercise(
        lambda W, b, u: _one_by_one(u, lambda t, x: u[:, t] < torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
        "W is (T, T), b is (T,), u is (B, T); the answer is (B, T)",
        lambda B, D, d: {"W": 4 * torch.randn(D, D), "b": torch.randn(D), "u": torch.rand(10 * B, D)},
        [
            (
                "(u < torch.sigmoid(b)).float()",
                "every pixel is drawn from b alone; it has to look at the pixels before it",
            ),
            (
                "ONE_BY_ONE(u, lambda t, x: u[:, t] > torch.sigmoid(b[t] + x[:, :t] @ W[t, :t]))",
                "a pixel is 1 where u lies below p: that happens with probability p",
            ),
            (
                "ONE_BY_ONE(u, lambda t, x: torch.sigmoid(b[t] + x[:, :t] @ W[t, :t]) > 0.5)",
                "every pixel takes its likelier value, the same in every image; draw it, with u",
            ),
            (
                "ONE_BY_ONE(u, lambda t, x: torch.sigmoid(b[t] + x[:, :t] @ W[t, :t]))",
                "pixels are probabilities, not 0 or 1; compare them with u",
            ),
            (
                "ONE_BY_ONE(u, lambda t, x: u[:, t] < torch.sigmoid(b[t] + x[:, :t] @ W[:t, t]))",
                "W is transposed: row t of W belongs to pixel t",
            ),
            (
                "ONE_BY_ONE(u, lambda t, x: u[:, t] < torch.sigmoid(x[:, :t] @ W[t, :t]))",
                "the bias b is missing",
            ),
            (
                "ONE_BY_ONE(u, lambda t, x: u[:, t] < torch.sigmoid(b[t] + x[:, t-1:t] @ W[t, t-1:t]) if t else u[:, 0] < torch.sigmoid(b[0]))",
                "it looks at one pixel only; take all of those before t",
            ),
            (
                "ONE_BY_ONE(u, lambda t, x: u[:, t] < b[t] + x[:, :t] @ W[t, :t])",
                "the sigmoid is missing: b + W x is a logit, not a probability",
            ),
            (
                "ONE_BY_ONE(u, lambda t, x: u[:, 0] < torch.sigmoid(b[t] + x[:, :t] @ W[t, :t]))",
                "it uses one random number for a whole image; every pixel has its own, u[:, t]",
            ),
        ],
    ),
    "l2_loss": Exercise(
        autoencoder.l2_loss,
        "x_hat and x are (B, C, H, W); the answer is (B,)",
        lambda B, D, d: {"x_hat": torch.rand(B, 1, D, D), "x": torch.rand(B, 1, D, D)},
        [
            ("((x_hat - x)**2).flatten(1).mean(1)", "it averages over the pixels; L1 sums over them"),
            ("((x_hat - x)**2).sum()", "it sums over the images too; keep one value an image, (B,)"),
            (
                "((x_hat - x)**2).mean()",
                "it averages over images and pixels; sum over the pixels of each image",
            ),
            (
                "((x_hat - x)**2).flatten(1).sum(1).mean()",
                "it averages over the images; keep one value each, (B,)",
            ),
            ("((x_hat - x)**2).flatten(1).sum(0)", "it sums over the images; sum over the pixels instead"),
            ("((x_hat - x)**2).flatten(1).sum(1).sqrt()", "it is the norm ‖x̂ − x‖; L1 wants its square"),
            ("((x_hat - x)**2).flatten(1).sum(1) / 2", "it has a factor ½ that L1 has not"),
            ("(x_hat - x).abs().flatten(1).sum(1)", "it adds up absolute values; L1 squares each difference"),
            ("(x_hat - x).flatten(1).sum(1)", "it adds up the differences without squaring them"),
            ("(x_hat - x).flatten(1).sum(1)**2", "it squares the sum; square every difference, then sum"),
        ],
    ),
    "linear_sigmoid_encoder": Exercise(
        lambda x, W, b: torch.sigmoid(x.flatten(1) @ W.T + b),
        "x is (B, C, H, W) and becomes (B, D), W is (d, D), b is (d,); the answer is (B, d)",
        lambda B, D, d: {"x": torch.rand(B, 1, D, D), "W": torch.randn(d, D * D) / D, "b": torch.randn(d)},
        [
            ("x.flatten(1) @ W.T + b", "the non-linearity is missing: put the sigmoid around W x + b"),
            ("torch.sigmoid(x.flatten(1) @ W.T)", "the bias b is missing"),
            ("torch.sigmoid(x.flatten(1) @ W.T) + b", "b is added after the sigmoid; it belongs inside"),
            ("torch.sigmoid(x.flatten(1) @ W.T - b)", "b is subtracted; add it"),
            ("torch.relu(x.flatten(1) @ W.T + b)", "this is a ReLU; the first generation uses the sigmoid"),
            ("torch.tanh(x.flatten(1) @ W.T + b)", "this is a tanh; the first generation uses the sigmoid"),
            (
                "torch.softmax(x.flatten(1) @ W.T + b, 1)",
                "this is a softmax; the sigmoid takes each feature alone",
            ),
            ("torch.sigmoid(-(x.flatten(1) @ W.T + b))", "the sign inside the sigmoid is flipped"),
            (
                "torch.sigmoid(x.flatten(1)) @ W.T + b",
                "the sigmoid is on the image; it belongs around W x + b",
            ),
        ],
    ),
    "deep_encoder": Exercise(
        lambda x, W1, b1, W2, b2: torch.relu(x.flatten(1) @ W1.T + b1) @ W2.T + b2,
        "x becomes (B, D), W1 is (hidden, D), W2 is (d, hidden); the answer is (B, d)",
        lambda B, D, d: {
            "x": torch.rand(B, 1, D, D),
            "W1": torch.randn(4 * d, D * D) / D,
            "b1": torch.randn(4 * d),
            "W2": torch.randn(d, 4 * d),
            "b2": torch.randn(d),
        },
        [
            (
                "(x.flatten(1) @ W1.T + b1) @ W2.T + b2",
                "the ReLU between the layers is missing; two linear layers are one linear layer",
            ),
            (
                "torch.relu(torch.relu(x.flatten(1) @ W1.T + b1) @ W2.T + b2)",
                "there is a ReLU after the last layer too; features may be negative",
            ),
            (
                "torch.relu((x.flatten(1) @ W1.T + b1) @ W2.T + b2)",
                "the ReLU stands after the last layer; put it between the two",
            ),
            (
                "torch.sigmoid(x.flatten(1) @ W1.T + b1) @ W2.T + b2",
                "this is a sigmoid; use the ReLU, max(0, h)",
            ),
            ("torch.tanh(x.flatten(1) @ W1.T + b1) @ W2.T + b2", "this is a tanh; use the ReLU, max(0, h)"),
            (
                "(torch.relu(x.flatten(1) @ W1.T) + b1) @ W2.T + b2",
                "b1 is added after the ReLU; it belongs inside",
            ),
            ("torch.relu(x.flatten(1) @ W1.T) @ W2.T", "the biases b1 and b2 are missing"),
            ("torch.relu(x.flatten(1) @ W1.T) @ W2.T + b2", "the bias b1 is missing"),
            ("torch.relu(x.flatten(1) @ W1.T + b1) @ W2.T", "the bias b2 is missing"),
        ],
    ),
    "pca_reconstruction": Exercise(
        lambda x, mean, V: mean + (x - mean) @ V @ V.T,
        "x is (B, D), mean is (D,), V is (D, d); the answer is (B, D)",
        lambda B, D, d: {
            "x": torch.rand(B, D),
            "mean": torch.rand(D),
            "V": torch.linalg.qr(torch.randn(D, d)).Q,
        },
        [
            ("x @ V @ V.T", "the mean is missing: subtract it before V, and add it again at the end"),
            ("(x - mean) @ V @ V.T", "the mean is not added again at the end"),
            ("mean + x @ V @ V.T", "the mean is not subtracted before the projection"),
            ("(x - mean) @ V", "these are the features z; the decoder V z + m is missing"),
            (
                "x.mean(0) + (x - x.mean(0)) @ V @ V.T",
                "it takes the mean of the few images in x; use the mean that is given, that of all training images",
            ),
            ("(x - mean) @ V @ V.T - mean", "the mean is subtracted again at the end; add it"),
            ("mean + (x + mean) @ V @ V.T", "the mean is added before the projection; subtract it"),
            ("x - (x - mean) @ V @ V.T", "this is what PCA leaves out of the image; give what it keeps"),
            ("x * 1", "it gives back the image itself; nothing went through the features"),
            ("mean - (x - mean) @ V @ V.T", "the sign of the projection is flipped"),
        ],
    ),
    "stretch": Exercise(
        lambda W, b, V, c, k: (k * W, k * b, V / k, c),
        "W is (d, D), b is (d,), V is (D, d), c is (D,), k is a number; the answer is a new W, b, V, c",
        lambda B, D, d: {
            "W": torch.randn(d, D),
            "b": torch.randn(d),
            "V": torch.randn(D, d),
            "c": torch.randn(D),
            "k": float(B),
        },
        [
            ("(k * W, b, V / k, c)", "b stays as it was; the whole code W x + b has to grow"),
            ("(k * W, k * b, V, c)", "V stays as it was, so the drawings grow with the codes"),
            ("(W, b, V / k, c)", "the codes do not grow; W and b make them"),
            ("(k * W, k * b, k * V, c)", "V grows too; it has to make up for the larger codes"),
            ("(k * W, k * b, V / k, c / k)", "c shrinks too; it never meets the codes"),
            ("(k * W, b, V / k, c / k)", "b has to grow, and c must stay"),
            ("(W / k, b / k, V * k, c)", "the codes shrink; make them k times as large"),
            ("(W, b, V, c)", "nothing has changed; make the codes k times as large"),
        ],
    ),
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
    ),
    "posterior_on_grid": Exercise(
        lambda log_joint, step: log_joint.flatten(0, 1).softmax(0).reshape(log_joint.shape) / step**2,
        "log_joint is (N, N, B), step is a number; the answer is (N, N, B)",
        lambda B, D, d: {"log_joint": -30 * torch.rand(D, D, B) - 120 - B, "step": 0.5 / d},
        [
            (
                "log_joint.flatten(0, 1).softmax(0).reshape(log_joint.shape)",
                "its sum is 1, but a density times the cell's area adds up to 1: divide by step²",
            ),
            (
                "log_joint.flatten(0, 1).softmax(0).reshape(log_joint.shape) / step",
                "a cell has the area step², not step",
            ),
            (
                "log_joint.flatten(0, 1).softmax(0).reshape(log_joint.shape) * step**2",
                "it multiplies by the cell's area; divide by it",
            ),
            (
                "log_joint.exp()",
                "this is p(x, z); divide by p(x), its integral over z (and stay in the log domain, it underflows)",
            ),
            (
                "log_joint - log_joint.logsumexp((0, 1)) - 2 * math.log(step)",
                "this is the logarithm of the posterior; give the density itself",
            ),
            ("log_joint.softmax(0) / step**2", "it normalizes each column of the grid; normalize over both"),
            ("log_joint.softmax(2) / step**2", "it normalizes over the images; normalize over the nodes"),
            (
                "log_joint.flatten().softmax(0).reshape(log_joint.shape) / step**2",
                "it normalizes over nodes and images at once; each image has a posterior of its own",
            ),
            (
                "(log_joint - log_joint.amax((0, 1))).exp()",
                "its highest value is 1; its integral must be: divide by the sum times step²",
            ),
            (
                "log_joint.exp() / (log_joint.exp().sum((0, 1)) * step**2)",
                "exp underflows to 0, and 0/0 is not a number: subtract the logsumexp first",
            ),
        ],
    ),
    "bayes_rule": Exercise(
        lambda log_likelihood, log_prior, log_q: log_likelihood + log_prior - log_q,
        "all three are (K, B); the answer is (K, B)",
        lambda B, D, d: {name: torch.randn(D, B) for name in ("log_likelihood", "log_prior", "log_q")},
        [
            (
                "(log_likelihood + log_prior) / log_q",
                "a quotient of probabilities is a difference of logarithms: subtract log_q",
            ),
            ("log_likelihood + log_prior", "this is the joint log p(x, z); divide by q(z|x)"),
            ("log_likelihood - log_q", "the prior p(z) is missing"),
            ("log_likelihood + log_prior + log_q", "q is multiplied; L4 divides by it"),
            ("log_likelihood - log_prior + log_q", "prior and q are swapped"),
            ("log_likelihood * log_prior / log_q", "products of probabilities are sums of logarithms"),
            ("log_likelihood.exp() * log_prior.exp() / log_q.exp()", "this is p(x); give its logarithm"),
            ("(log_likelihood + log_prior - log_q).mean(0)", "it averages over z; give one value for each z"),
            ("-(log_likelihood + log_prior - log_q)", "the sign is flipped: this is −log p(x)"),
        ],
    ),
    "importance_sampling": Exercise(
        lambda log_likelihood, log_prior, log_q: marginal.log_mean_exp(log_likelihood + log_prior - log_q),
        "all three are (K, B); the answer is (B,)",
        lambda B, D, d: {
            "log_likelihood": -100 * B - 10 * torch.rand(D, B),
            "log_prior": torch.randn(D, B),
            "log_q": torch.randn(D, B),
        },
        [
            (
                "(log_likelihood + log_prior - log_q).logsumexp(0) + math.log(len(log_q))",
                "log K is added; subtract it",
            ),
            (
                "(log_likelihood + log_prior - log_q).logsumexp(0) - len(log_q)",
                "it subtracts K; subtract log K",
            ),
            (
                "(log_likelihood + log_prior - log_q).logsumexp(0) / len(log_q)",
                "it divides by K outside the logarithm",
            ),
            (
                "(log_likelihood + log_prior - log_q).logsumexp(0) - math.log(log_q.shape[1])",
                "it subtracts the logarithm of the number of images; K is the number of samples, dimension 0",
            ),
            (
                "(log_likelihood - log_prior + log_q).logsumexp(0) - math.log(len(log_q))",
                "the ratio is upside down: the weights have p(z)/q(z|x)",
            ),
            (
                "(log_likelihood + log_prior - log_q).mean(0)",
                "this is the mean of the logarithms, the ELBO; take the logarithm of the mean",
            ),
            (
                "(log_likelihood + log_prior - log_q).logsumexp(0)",
                "−log K is missing: it is a mean, not a sum",
            ),
            (
                "(log_likelihood - log_q).logsumexp(0) - math.log(len(log_q))",
                "the prior is missing from the weights",
            ),
            (
                "(log_likelihood + log_prior).logsumexp(0) - math.log(len(log_q))",
                "q is missing: z comes from q, so its density must be divided out",
            ),
            (
                "(log_likelihood + log_prior + log_q).logsumexp(0) - math.log(len(log_q))",
                "log q is added; the weights divide by q",
            ),
            (
                "log_likelihood.logsumexp(0) - math.log(len(log_q))",
                "this is right for z from the prior; z comes from q, so weigh by p(z)/q(z|x)",
            ),
            (
                "(log_likelihood + log_prior - log_q).exp().mean(0).log()",
                "exp underflows to 0 before the mean: use logsumexp",
            ),
            (
                "-((log_likelihood + log_prior - log_q).logsumexp(0) - math.log(len(log_q)))",
                "the sign is flipped: this is −log p(x)",
            ),
            (
                "(log_likelihood + log_prior - log_q).logsumexp(1) - math.log(log_q.shape[1])",
                "it averages over the images; average over the samples, dimension 0",
            ),
        ],
    ),
    "effective_samples": Exercise(
        lambda log_w: (2 * log_w.logsumexp(0) - (2 * log_w).logsumexp(0)).exp(),
        "log_w is (K, B); the answer is (B,)",
        lambda B, D, d: {"log_w": -100 * B + 3 * torch.randn(4 * D, B)},
        [
            (
                "(log_w.exp().sum(0)**2) / (log_w.exp()**2).sum(0)",
                "exp underflows to 0, and 0/0 is not a number: stay with logsumexp until the end",
            ),
            (
                "2 * log_w.logsumexp(0) - (2 * log_w).logsumexp(0)",
                "this is its logarithm; take exp at the end",
            ),
            (
                "(log_w.logsumexp(0) - (2 * log_w).logsumexp(0)).exp()",
                "the square of the sum is missing: its logarithm is twice the logsumexp",
            ),
            ("((2 * log_w).logsumexp(0) - 2 * log_w.logsumexp(0)).exp()", "it is upside down: (Σ w)² / Σ w²"),
            (
                "(2 * log_w.logsumexp(0) - (2 * log_w).logsumexp(0)).exp() / len(log_w)",
                "this is the share of the K samples; give their number",
            ),
            ("(log_w.logsumexp(0) - log_w.amax(0)).exp()", "this is Σ w / max w; give (Σ w)² / Σ w²"),
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
                "it averages over the latent dimensions; sum over them",
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
        differentiable=True,
    ),
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
        differentiable=True,
    ),
    "vae_loss": Exercise(
        lambda x, mu, logvar, eps, W, b: (
            kl_to_standard_normal(mu, logvar)
            + binary_cross_entropy_with_logits(
                reparameterize(mu, logvar, eps) @ W.T + b, x, reduction="none"
            ).sum(1)
        ),
        "x is (B, D), mu, logvar and eps are (B, d), W is (D, d), b is (D,); the answer is (B,)",
        lambda B, D, d: {
            "x": torch.rand(B, D).round(),
            "mu": torch.randn(B, d),
            "logvar": torch.randn(B, d),
            "eps": torch.randn(B, d),
            "W": torch.randn(D, d),
            "b": torch.randn(D),
        },
        [
            ("KL + bce(mu @ W.T + b, x).sum(1)", "step 2 is missing: it decodes μ, not a code drawn from q"),
            ("KL + bce(eps @ W.T + b, x).sum(1)", "it decodes ε itself; the code is z = μ + σ ε"),
            (
                "KL + bce((mu + logvar * eps) @ W.T + b, x).sum(1)",
                "ε is multiplied by log σ²; multiply by σ = exp(½ log σ²)",
            ),
            (
                "KL + bce((mu + logvar.exp() * eps) @ W.T + b, x).sum(1)",
                "ε is multiplied by the variance σ²; multiply by σ = exp(½ log σ²)",
            ),
            ("bce((mu + S * eps) @ W.T + b, x).sum(1)", "term 2, the KL divergence to the prior, is missing"),
            (
                "KL - bce((mu + S * eps) @ W.T + b, x).sum(1)",
                "term 1 has the wrong sign: the loss is KL − log p(x|z)",
            ),
            (
                "-KL - bce((mu + S * eps) @ W.T + b, x).sum(1)",
                "this is the bound itself; a loss is its negative",
            ),
            (
                "KL + bce((mu + S * eps) @ W.T + b, x).mean(1)",
                "it averages over the pixels; sum over them, or the KL weighs D times too much",
            ),
            (
                "KL / mu.shape[1] + bce((mu + S * eps) @ W.T + b, x).sum(1)",
                "the KL divergence is averaged over the latents; sum it",
            ),
            (
                "(KL + bce((mu + S * eps) @ W.T + b, x).sum(1)).mean()",
                "it averages over the images; keep one value each, (B,)",
            ),
            (
                "KL + ((((mu + S * eps) @ W.T + b).sigmoid() - x)**2).sum(1)",
                "term 1 is a squared error; the log-likelihood of 0s and 1s is a Bernoulli's",
            ),
            ("KL + bce((mu + S * eps) @ W.T, x).sum(1)", "the decoder's bias b is missing"),
        ],
        differentiable=True,
    ),
    "bits_per_dim": Exercise(
        monitor.bits_per_dimension,
        "log_p_x is (B,), in nats, dimensions is the number of pixels; the answer is (B,)",
        lambda B, D, d: {"log_p_x": -100 * torch.rand(B) - 1, "dimensions": D * D},
        [
            ("log_p_x / (dimensions * math.log(2))", "the sign is flipped: a code has a positive length"),
            ("-log_p_x / math.log(2)", "these are bits an image; divide by the number of pixels"),
            ("-log_p_x / dimensions", "these are nats; divide by log 2 for bits"),
            ("-log_p_x * math.log(2) / dimensions", "it multiplies by log 2; a nat is 1 / log 2 = 1.44 bits"),
            ("-log_p_x / dimensions / 2", "it divides by 2; divide by log 2"),
            (
                "-log_p_x.log2() / dimensions",
                "log_p_x is a logarithm already: change its base, take no second one",
            ),
            (
                "-log_p_x.mean() / (dimensions * math.log(2))",
                "it averages over the images; keep one value each",
            ),
            ("-log_p_x / (dimensions * math.log(10))", "this is base 10; divide by log 2"),
            (
                "-log_p_x / (math.sqrt(dimensions) * math.log(2))",
                "it divides by the side of the image; divide by all its pixels",
            ),
        ],
    ),
    "kl_per_dimension": Exercise(
        lambda mu, logvar: 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean(0),
        "mu and logvar are (B, d); the answer is (d,)",
        lambda B, D, d: {"mu": torch.randn(B, d), "logvar": torch.randn(B, d)},
        [
            ("KL", "it sums over the latents: this is one KL an image; average over the images instead"),
            (
                "(0.5 * (mu**2 + logvar.exp() - 1 - logvar)).sum(0)",
                "it sums over the images; average over them",
            ),
            ("(mu**2 + logvar.exp() - 1 - logvar).mean(0)", "the factor ½ is missing"),
            (
                "(-0.5 * (mu**2 + logvar.exp() - 1 - logvar)).mean(0)",
                "the sign is flipped; a divergence is never negative",
            ),
            (
                "0.5 * (mu**2 + logvar.exp() - 1 - logvar)",
                "it keeps a value for every image; average over the images",
            ),
            ("KL.mean()", "this is the whole KL; keep one value a dimension, (d,)"),
            (
                "(0.5 * (mu**2 + logvar.exp() - 1 - logvar)).mean(1)",
                "it averages over the dimensions; average over the images, dimension 0",
            ),
            (
                "0.5 * (mu.mean(0)**2 + logvar.mean(0).exp() - 1 - logvar.mean(0))",
                "it averages μ and log σ² first: the mean of the KL is not the KL of the mean",
            ),
            ("(0.5 * (mu**2 + logvar.exp() - logvar)).mean(0)", "the −1 is missing"),
            ("(0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar)).mean(0)", "log σ² is taken for log σ"),
        ],
        differentiable=True,
    ),
    "best_sigma": Exercise(
        lambda x_hat, x: (x_hat - x).square().mean().sqrt(),
        "x_hat and x are (B, C, H, W); the answer is one number, a tensor of shape ()",
        lambda B, D, d: {"x_hat": torch.rand(B, 1, D, D), "x": torch.rand(B, 1, D, D)},
        [
            ("((x_hat - x)**2).mean()", "this is the variance σ²; σ is its square root"),
            (
                "((x_hat - x)**2).flatten(1).sum(1).mean().sqrt()",
                "it sums over the pixels; σ is that of a single pixel, so average",
            ),
            (
                "((x_hat - x)**2).flatten(1).mean(1).sqrt().mean()",
                "it takes a σ for each image and averages them; one σ serves all: average first, then the root",
            ),
            ("((x_hat - x)**2).flatten(1).mean(1).sqrt()", "it keeps a σ for each image; one serves all"),
            ("(x_hat - x).abs().mean()", "it averages absolute values; a Gaussian wants squares"),
            (
                "(x_hat - x).std()",
                "it subtracts the mean difference first; the mean of p(x|z) is x_hat itself",
            ),
            ("((x_hat - x)**2).mean().log()", "this is log σ²; give σ"),
            ("x.std()", "this is the spread of the pixels; measure how far they are from x_hat"),
            ("((x_hat - x)**2).mean().sqrt() / 2", "it has a factor ½ too many"),
            ("1 / ((x_hat - x)**2).mean().sqrt()", "this is 1/σ"),
        ],
    ),
    "generate_images": Exercise(
        lambda eps, W, b, u: (u < (eps @ W.T + b).sigmoid()).float(),
        "eps is (B, d), W is (D, d), b is (D,), u is (B, D); the answer is (B, D), of 0s and 1s",
        lambda B, D, d: {
            "eps": torch.randn(B, d),
            "W": torch.randn(D * D, d),
            "b": torch.randn(D * D),
            "u": torch.rand(B, D * D),
        },
        [
            ("(eps @ W.T + b).sigmoid()", "step 3 is missing: this is the mean of p(x|z), not a sample"),
            (
                "((eps @ W.T + b).sigmoid() > 0.5).float()",
                "it rounds the mean; a pixel is 1 with that probability: compare with u",
            ),
            (
                "(u > (eps @ W.T + b).sigmoid()).float()",
                "it is the wrong way round: u < p happens with probability p",
            ),
            (
                "(u < eps @ W.T + b).float()",
                "the decoder's output is a logit; make it a probability with the sigmoid",
            ),
            ("(u < (eps @ W.T).sigmoid()).float()", "the bias b is missing"),
            (
                "(u < (eps * eps.std(0) @ W.T + b).sigmoid()).float()",
                "the code is scaled; eps is from the prior N(0, I) already",
            ),
            ("(u < (eps[:1] @ W.T + b).sigmoid()).float()", "all images share one code; each has its own"),
            ("(u < b.sigmoid()).float().expand(len(eps), -1)", "the code is not used at all"),
            ("eps @ W.T + b", "these are logits; the sigmoid and step 3 are missing"),
            (
                "(u[:1] < (eps @ W.T + b).sigmoid()).float()",
                "all images share one row of u; each has its own",
            ),
        ],
    ),
    "aggregate_covariance": Exercise(
        lambda mu, logvar: (mu - mu.mean(0)).T @ (mu - mu.mean(0)) / len(mu) + logvar.exp().mean(0).diag(),
        "mu and logvar are (B, d); the answer is (d, d)",
        lambda B, D, d: {"mu": torch.randn(B, d) + 1, "logvar": torch.randn(B, d)},
        [
            (
                "(mu - mu.mean(0)).T @ (mu - mu.mean(0)) / len(mu)",
                "this is the covariance of the means; the mean of the variances is missing",
            ),
            (
                "logvar.exp().mean(0).diag()",
                "this is the mean of the variances; the covariance of the means is missing",
            ),
            ("mu.T @ mu / len(mu) + logvar.exp().mean(0).diag()", "the mean of μ is not subtracted"),
            (
                "(mu - mu.mean(0)).T @ (mu - mu.mean(0)) / len(mu) + logvar.mean(0).diag()",
                "it adds log σ²; the variance is exp(log σ²)",
            ),
            (
                "(mu - mu.mean(0)).T @ (mu - mu.mean(0)) / len(mu) + (0.5 * logvar).exp().mean(0).diag()",
                "it adds σ; add the variance σ²",
            ),
            (
                "(mu - mu.mean(0)).T @ (mu - mu.mean(0)) / len(mu) + logvar.exp().mean(0)",
                "it adds the variances to whole columns; they belong on the diagonal",
            ),
            (
                "(mu - mu.mean(0)).T @ (mu - mu.mean(0)) + logvar.exp().sum(0).diag()",
                "it sums over the images; average over them",
            ),
            (
                "(mu - mu.mean(0)).T @ (mu - mu.mean(0)) / len(mu) + logvar.mean(0).exp().diag()",
                "it averages log σ² first; average the variances",
            ),
            (
                "((mu - mu.mean(0))**2).mean(0) + logvar.exp().mean(0)",
                "these are the variances alone; the covariance is (d, d)",
            ),
            (
                "(mu - mu.mean(0)).T @ (mu - mu.mean(0)) / len(mu) - logvar.exp().mean(0).diag()",
                "the mean of the variances is subtracted; add it",
            ),
        ],
    ),
    "total_correlation": Exercise(
        aggregate.total_correlation,
        "covariance is (d, d); the answer is one number, a tensor of shape ()",
        lambda B, D, d: {"covariance": (lambda A: A @ A.T / D + 0.1 * torch.eye(d))(torch.randn(d, D))},
        [
            ("covariance.diagonal().log().sum() - covariance.logdet()", "the factor ½ is missing"),
            (
                "0.5 * (covariance.logdet() - covariance.diagonal().log().sum())",
                "the sign is flipped; a divergence is never negative",
            ),
            ("-0.5 * covariance.logdet()", "the variances are missing: this is 0 only where they are 1"),
            ("0.5 * covariance.diagonal().log().sum()", "the determinant is missing"),
            (
                "0.5 * (covariance.diagonal().log().mean() - covariance.logdet())",
                "it averages over the dimensions; sum",
            ),
            (
                "0.5 * (covariance.diagonal().sum().log() - covariance.logdet())",
                "it takes the log of the sum of the variances; sum their logs",
            ),
            (
                "0.5 * (covariance.diagonal().sum() - covariance.logdet())",
                "it sums the variances; sum their logs",
            ),
            ("0.5 * (covariance.diagonal().prod() - covariance.det())", "the logarithms are missing"),
            (
                "(covariance - covariance.diag().diag()).abs().sum()",
                "it adds up covariances; follow the formula with the determinant",
            ),
            (
                "0.5 * (covariance.diagonal().log().sum() + covariance.logdet())",
                "the log-determinant is added; subtract it",
            ),
        ],
    ),
    "nearest": Exercise(
        lambda x, train: (x[:, None] - train).square().flatten(2).sum(2).argmin(1),
        "x is (B, C, H, W), train is (N, C, H, W); the answer is (B,), rows of train",
        lambda B, D, d: {"x": torch.rand(B, 1, D, D), "train": 1.6 * torch.rand(6 * B, 1, D, D)},
        [
            ("((x[:, None] - train)**2).flatten(2).sum(2).argmax(1)", "this is the farthest image: argmin"),
            (
                "((x[:, None] - train)**2).flatten(2).sum(2).amin(1)",
                "this is the smallest squared distance; give which image has it",
            ),
            (
                "((x[:, None] - train)**2).flatten(2).sum(2).sqrt().amin(1)",
                "this is the smallest distance; give which image has it",
            ),
            (
                "((x[:, None] - train)**2).flatten(2).sum(2).argmin(0)",
                "this is the nearest x of each training image; take the argmin over train, dimension 1",
            ),
            (
                "train[((x[:, None] - train)**2).flatten(2).sum(2).argmin(1)]",
                "these are the images; give their rows in train",
            ),
            (
                "(x.flatten(1) @ train.flatten(1).T).argmax(1)",
                "it takes the largest inner product, which favours images with much ink",
            ),
            (
                "((x[:, None] - train).flatten(2).sum(2)).abs().argmin(1)",
                "it compares the ink alone: square each difference before the sum",
            ),
            (
                "((x[:, None] - train)**2).flatten(2).sum(2).argmin()",
                "it finds one image for all; keep one for each x, (B,)",
            ),
            ("train.flatten(1).square().sum(1).argmin() * torch.ones(len(x))", "x makes no difference to it"),
            ("((x[:, None] - train)**2).flatten(2).sum(2).argsort(1)[:, 1]", "this is the second nearest"),
        ],
    ),
    "edit_code": Exercise(
        lambda z, dim, value: torch.cat(
            [z[:, :dim], torch.full_like(z[:, :1], value), z[:, dim + 1 :]], dim=1
        ),
        "z is (B, d), dim counts from 0, value is a number; the answer is (B, d)",
        lambda B, D, d: {"z": torch.randn(B, d), "dim": 1, "value": 2.5},
        [
            ("torch.full_like(z, value)", "it sets every dimension; the others stay as they are"),
            ("z + value", "it moves every dimension; set one"),
            ("z + value * torch.eye(z.shape[1])[dim]", "it adds the value; set the dimension to it"),
            (
                "torch.where(torch.arange(z.shape[1]) == dim - 1, value, z)",
                "it counts dimensions from 1; the first is 0",
            ),
            (
                "torch.where(torch.arange(z.shape[1]) == dim, z, value)",
                "it keeps the one dimension and sets all others",
            ),
            (
                "torch.where(torch.arange(len(z))[:, None] == dim, value, z)",
                "it sets a row, one image; set a column, one dimension",
            ),
            (
                "torch.where(torch.arange(z.shape[1]) == dim, value, 0.0) + 0 * z",
                "the other dimensions are 0; they stay as they are",
            ),
            (
                "torch.where(torch.arange(z.shape[1]) == dim, value * z, z)",
                "it multiplies; set the dimension to the value",
            ),
            ("z * 1", "nothing has changed; set the dimension in a copy and return that"),
            ("z[:, dim] * 0 + value", "only the new dimension comes back; return the whole code"),
        ],
    ),
    "spherical_interpolation": Exercise(
        lambda a, b, t: torch.stack(
            [
                (((1 - t) * w).sin() * p + (t * w).sin() * q) / w.sin()
                for p, q in zip(a, b)
                for w in [torch.acos(p @ q / (p.norm() * q.norm()))]
            ]
        ),
        "a and b are (B, d), t is a number from 0 to 1; the answer is (B, d)",
        lambda B, D, d: {"a": torch.randn(B, d), "b": torch.randn(B, d) + 0.5, "t": 0.3},
        [
            ("(1 - t) * a + t * b", "this is the straight line; use the sines of the parts of the angle"),
            (
                "((t * OM).sin() * a + ((1 - t) * OM).sin() * b) / OM.sin()",
                "t and 1 − t are swapped: t = 0 is a",
            ),
            ("((1 - t) * OM).sin() * a + (t * OM).sin() * b", "the division by sin ω is missing"),
            ("(((1 - t) * OM).cos() * a + (t * OM).cos() * b) / OM.sin()", "these are cosines; use sines"),
            (
                "(((1 - t) * COS).sin() * a + (t * COS).sin() * b) / COS.sin()",
                "ω is the angle, the arc cosine of a·b / (‖a‖ ‖b‖); the acos is missing",
            ),
            (
                "(((1 - t) * OM).sin() * a / a.norm(dim=1, keepdim=True) + (t * OM).sin() * b / b.norm(dim=1, keepdim=True)) / OM.sin()",
                "a and b are scaled to length 1; only the angle is taken from their directions",
            ),
            (
                "(((1 - t) * OM).sin() * a + (t * OM).sin() * b) / (2 * OM).sin()",
                "divide by the sine of the whole angle, sin ω",
            ),
            ("(((1 - t) * OM).sin() * a - (t * OM).sin() * b) / OM.sin()", "b is subtracted; add it"),
            ("(((1 - t) * OM).sin() * a + (t * OM).sin() * b) / OM", "it divides by ω; divide by sin ω"),
        ],
    ),
    "direction": Exercise(
        lambda z, factor: (
            (z - z.mean(0)).T @ (factor - factor.mean()) / (factor - factor.mean()).square().sum()
        ),
        "z is (N, d), factor is (N,); the answer is (d,)",
        lambda B, D, d: {"z": torch.randn(4 * B, d), "factor": 2 * torch.rand(4 * B) + 1},
        [
            (
                "(z - z.mean(0)).T @ (factor - factor.mean()) / len(z)",
                "this is the covariance; divide by the factor's variance",
            ),
            ("z.T @ factor / (factor @ factor)", "the means are not subtracted"),
            (
                "(z - z.mean(0)).T @ (factor - factor.mean()) / ((z - z.mean(0))**2).sum(0)",
                "it divides by the variance of z: this says how the factor changes with z, not z with the factor",
            ),
            (
                "(z - z.mean(0)).T @ (factor - factor.mean())",
                "the division by the factor's sum of squares is missing",
            ),
            (
                "-(z - z.mean(0)).T @ (factor - factor.mean()) / ((factor - factor.mean())**2).sum()",
                "the sign is flipped",
            ),
            (
                "torch.linalg.lstsq(z - z.mean(0), (factor - factor.mean())[:, None]).solution[:, 0]",
                "it predicts the factor from z; ask how z moves as the factor grows by 1",
            ),
            (
                "(z - z.mean(0)).T @ (factor - factor.mean()) / ((factor - factor.mean())**2).sum().sqrt()",
                "it divides by the root; divide by the sum of squares itself",
            ),
            ("z[factor.argmax()] - z[factor.argmin()]", "it uses two images alone; fit all of them"),
            (
                "z[factor > factor.mean()].mean(0) - z[factor <= factor.mean()].mean(0)",
                "a difference of two halves is no step of 1; fit a line",
            ),
            (
                "(z - z.mean(0)).T @ (factor - factor.mean()) / ((factor - factor.mean())**2).sum() / (z.std(0))",
                "z is scaled to variance 1; leave its unit",
            ),
        ],
    ),
    "mutual_information_gap": Exercise(
        lambda information, entropy: (
            (information.topk(2, dim=1).values * torch.tensor([1.0, -1.0]).to(information)).sum(1) / entropy
        ),
        "information is (factors, d), entropy is (factors,); the answer is (factors,)",
        lambda B, D, d: {"information": torch.rand(B, d + 1), "entropy": 1 + torch.rand(B)},
        [
            (
                "information.topk(2, dim=1).values @ torch.tensor([1.0, -1.0])",
                "the division by the entropy is missing",
            ),
            ("information.amax(1) / entropy", "this is the largest alone; subtract the second largest"),
            (
                "(information.amax(1) - information.amin(1)) / entropy",
                "it subtracts the smallest; subtract the second largest",
            ),
            (
                "(information.amax(1) - information.mean(1)) / entropy",
                "it subtracts the mean; subtract the second largest",
            ),
            (
                "(information[:, 0] - information[:, 1]) / entropy",
                "it takes the first two dimensions; take the two largest",
            ),
            (
                "-(information.topk(2, dim=1).values @ torch.tensor([1.0, -1.0])) / entropy",
                "the sign is flipped",
            ),
            (
                "(information.topk(2, dim=1).values @ torch.tensor([1.0, -1.0]) / entropy).mean()",
                "it averages over the factors; keep one value each",
            ),
            ("information.topk(2, dim=1).values.sum(1) / entropy", "it adds the two largest; subtract"),
            (
                "information.topk(2, dim=1).values @ torch.tensor([1.0, -1.0]) / information.amax(1)",
                "it divides by the largest; divide by the entropy",
            ),
            (
                "information.topk(2, dim=1).values @ torch.tensor([1.0, -1.0]) * entropy",
                "it multiplies by the entropy; divide",
            ),
        ],
    ),
    "importance_weighted_bound": Exercise(
        lambda log_w, k: marginal.log_mean_exp(log_w.unflatten(0, (-1, k)).transpose(0, 1)).mean(0),
        "log_w is (M, B), k divides M; the answer is (B,)",
        lambda B, D, d: {"log_w": -100 * B - 10 * torch.rand(D * d, B), "k": d},
        [
            (
                "log_w.logsumexp(0) - math.log(len(log_w))",
                "it averages all M weights at once, which is the bound for M; average k of them at a time",
            ),
            ("log_w.mean(0)", "this is the mean of the logarithms, the bound for k = 1 (the ELBO)"),
            (
                "log_w.unflatten(0, (-1, k)).exp().mean(1).log().mean(0)",
                "exp underflows to 0 before the mean: use logsumexp, which takes out the largest first",
            ),
            (
                "log_w.unflatten(0, (-1, k)).logsumexp(1).mean(0)",
                "it is the logarithm of the sum of k weights; their mean has a −log k too",
            ),
            (
                "log_w.unflatten(0, (-1, k)).logsumexp(1).mean(0) - math.log(len(log_w))",
                "it subtracts log M; each logarithm is of a mean of k weights",
            ),
            (
                "(log_w.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).sum(0)",
                "it adds up the groups; average them",
            ),
            (
                "log_w.unflatten(0, (-1, k)).amax(1).mean(0)",
                "this is the largest weight of each group; take the mean of the k",
            ),
            (
                "(log_w.unflatten(0, (k, -1)).logsumexp(0) - math.log(k)).mean(0)",
                "its groups are rows that lie M/k apart; take neighbouring rows",
            ),
            (
                "log_w[:k].logsumexp(0) - math.log(k)",
                "it uses the first group only; average over all of them",
            ),
            (
                "-(log_w.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).mean(0)",
                "the sign is flipped: this is minus the bound",
            ),
        ],
    ),
    "normalized_weights": Exercise(
        lambda log_w: log_w.softmax(0),
        "log_w is (K, B); the answer is (K, B)",
        lambda B, D, d: {"log_w": -200 * B - 5 * torch.rand(2 * D, B)},
        [
            ("log_w.softmax(1)", "it normalizes over the images; each image's K weights must add up to 1"),
            (
                "log_w.flatten().softmax(0).reshape(log_w.shape)",
                "it normalizes over samples and images at once; each image's K weights must add up to 1",
            ),
            ("log_w.exp()", "these are the weights themselves; divide by their sum (and they underflow)"),
            ("log_w.log_softmax(0)", "these are the logarithms; give the normalized weights"),
            ("log_w / log_w.sum(0)", "it normalizes the logarithms; the weights are exp(log_w)"),
            ("log_w.exp() / log_w.exp().sum(0)", "exp underflows to 0, and 0/0 is not a number: use softmax"),
            (
                "(log_w - log_w.amax(0)).exp()",
                "the largest is 1; their sum must be: divide by it",
            ),
            ("log_w.softmax(0) * len(log_w)", "their mean is 1; their sum must be"),
        ],
    ),
    "negative_iwae_bound": Exercise(
        lambda log_likelihood, log_prior, log_q: -marginal.log_mean_exp(log_likelihood + log_prior - log_q),
        "all three are (K, B); the answer is (B,)",
        lambda B, D, d: {
            "log_likelihood": -100 * B - 10 * torch.rand(D, B),
            "log_prior": -torch.rand(D, B),
            "log_q": torch.randn(D, B),
        },
        [
            (
                "-(log_likelihood + log_prior - log_q).mean(0)",
                "this is the mean of the logarithms, −ELBO; take the logarithm of the mean",
            ),
            (
                "-(log_likelihood + log_prior - log_q).logsumexp(0)",
                "it is the logarithm of the sum; the mean has a −log K too",
            ),
            (
                "-(log_likelihood + log_prior - log_q).logsumexp(0) - math.log(len(log_q))",
                "−log K has the wrong sign: it belongs inside the minus",
            ),
            (
                "(log_likelihood + log_prior - log_q).logsumexp(0) - math.log(len(log_q))",
                "this is the bound; a loss is minus the bound",
            ),
            (
                "-(log_likelihood - log_q).logsumexp(0) + math.log(len(log_q))",
                "the prior p(z) is missing from the weights",
            ),
            (
                "-(log_likelihood + log_prior).logsumexp(0) + math.log(len(log_q))",
                "q(z|x) is missing: a weight divides by the density that its z was drawn from",
            ),
            (
                "-(log_likelihood + log_prior + log_q).logsumexp(0) + math.log(len(log_q))",
                "it multiplies by q(z|x); divide by it",
            ),
            (
                "(-(log_likelihood + log_prior - log_q).logsumexp(0) + math.log(len(log_q))).mean()",
                "it averages over the images; keep one value each, (B,)",
            ),
            (
                "-(log_likelihood + log_prior - log_q).logsumexp(1) + math.log(log_q.shape[1])",
                "it averages over the images; average over the samples, dimension 0",
            ),
            (
                "-(log_likelihood + log_prior - log_q).exp().mean(0).log()",
                "exp underflows to 0 before the mean: use logsumexp, which takes out the largest first",
            ),
        ],
        differentiable=True,
    ),
}


def _one_by_one(u: Tensor, pixel: Callable[[int, Tensor], Tensor]) -> Tensor:
    """x (B, T) whose pixel t is pixel(t, x), in order, as it depends on those before."""
    x = torch.zeros_like(u)
    for t in range(u.shape[1]):
        x[:, t] = pixel(t, x)
    return x


def wrong_answer(code: str, arguments: dict[str, Any]) -> Any:
    """What a line of wrong code from the catalogue gives; it may use a few names besides the arguments."""
    names = {
        "torch": torch,
        "math": math,
        "LOG_2PI": math.log(2 * math.pi),
        "softplus": softplus,
        "pad": pad,
        "ONE_BY_ONE": _one_by_one,
        "bce": partial(binary_cross_entropy_with_logits, reduction="none"),
    }
    if {"mu", "logvar"} <= arguments.keys() and arguments["mu"].dim() == 2:
        names["KL"] = kl_to_standard_normal(arguments["mu"], arguments["logvar"])
        names["S"] = (0.5 * arguments["logvar"]).exp()
    if {"a", "b", "t"} <= arguments.keys():
        names["COS"] = torch.nn.functional.cosine_similarity(arguments["a"], arguments["b"])[:, None]
        names["OM"] = names["COS"].acos()
    return eval(code, names | arguments)
