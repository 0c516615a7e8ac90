"""The exercises of lesson 00: Explicit density."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from vae_edu.exercises.exercise import Exercise
from vae_edu.uncertainty import standard_error


def one_by_one(u: Tensor, pixel: Callable[[int, Tensor], Tensor]) -> Tensor:
    """The images x (B, T) whose pixel t is pixel(t, x), drawn in order: it may use the pixels before t."""
    x = torch.zeros_like(u)
    for t in range(u.shape[1]):
        x[:, t] = pixel(t, x)
    return x


# fmt: off
EXERCISES = {
    "chain_rule": Exercise(
        lambda x, p: torch.where(x == 1, p, 1 - p).log().sum(1),
        "x and p are (B, T); the answer is (B,)",
        lambda B, D, d: {"x": (torch.rand(B, D) > 0.5).float(), "p": 0.05 + 0.9 * torch.rand(B, D)},
        [
            (lambda x, p: torch.where(x == 1, p, 1 - p).prod(1),
             "this is p(x); give its logarithm, since a product of hundreds of probabilities underflows"),
            (lambda x, p: torch.where(x == 1, p, 1 - p).log().mean(1),
             "it averages over the pixels; the logarithm of a product is a sum"),
            (lambda x, p: torch.where(x == 1, p, 1 - p).log().sum(),
             "it sums over the images too; keep one value an image, (B,)"),
            (lambda x, p: torch.where(x == 1, p, 1 - p).log().sum(0),
             "it sums over the images; sum over the pixels instead"),
            (lambda x, p: torch.where(x == 1, p, 1 - p).log().cumsum(1),
             "it keeps every partial sum; log p(x) is the last of them"),
            (lambda x, p: -torch.where(x == 1, p, 1 - p).log().sum(1),
             "the sign is flipped: this is −log p(x)"),
            (lambda x, p: (x * p.log()).sum(1),
             "only the pixels that are 1 count; one that is 0 has the probability 1 − p"),
            (lambda x, p: p.log().sum(1),
             "it takes p at every pixel; one that is 0 has the probability 1 − p"),
            (lambda x, p: torch.where(x == 1, 1 - p, p).log().sum(1),
             "0 and 1 are swapped: p is the probability of a 1"),
            (lambda x, p: torch.where(x == 1, p, 1 - p).log2().sum(1),
             "this is in bits; take the natural logarithm"),
            (lambda x, p: torch.where(x == 1, p, 1 - p).sum(1).log(),
             "it adds up probabilities; L0 multiplies them"),
        ],
        extreme=lambda x, p: {"p": p**3},
    ),
    "standard_error": Exercise(
        lambda log_p: standard_error(log_p),
        "log_p is (B,); the answer is one number",
        lambda B, D, d: {"log_p": -40 - 9 * torch.randn(B * D).abs()},
        [
            (lambda log_p: log_p.std(),
             "this is the spread of the images; that of their mean is smaller by √B"),
            (lambda log_p: log_p.std() / len(log_p),
             "it divides by B; divide by √B"),
            (lambda log_p: log_p.var() / len(log_p),
             "this is the variance of the mean; take its root"),
            (lambda log_p: log_p.var() / math.sqrt(len(log_p)),
             "it takes the variance; take the standard deviation"),
            (lambda log_p: log_p.std(correction=0) / math.sqrt(len(log_p)),
             "it divides the squares by B; with the mean of the same images, divide by B − 1 (std does)"),
            (lambda log_p: log_p.mean() / math.sqrt(len(log_p)),
             "it takes the mean; take the standard deviation"),
            (lambda log_p: log_p.mean(),
             "this is the mean itself; give its standard error"),
        ],
    ),
    "shift": Exercise(
        lambda x: pad(x[:, :-1], (1, 0)),
        "x is (B, T); the answer is (B, T)",
        lambda B, D, d: {"x": (torch.rand(B, D + 1) > 0.5).float()},
        [
            (lambda x: x * 1,
             "pixel t is its own input, and copying it would be a perfect prediction"),
            (lambda x: pad(x[:, 1:], (0, 1)),
             "it is shifted the other way, so that the network sees the next pixel"),
            (lambda x: x.roll(1, 1),
             "the last pixel comes around to the front; the first input knows nothing: 0"),
            (lambda x: pad(x, (1, 0)),
             "there is one input too many; nothing follows the last pixel, so leave it out"),
            (lambda x: x.roll(1, 0),
             "it shifts the images; shift the pixels of each"),
            (lambda x: pad(x[:, :-1], (1, 0), value=1.0),
             "the first input is 1; make it 0"),
            (lambda x: x[:, :-1] * 1,
             "the first pixel needs an input too: put a 0 in front"),
        ],
    ),
    "sample_pixels": Exercise(
        lambda W, b, u: one_by_one(u, lambda t, x: u[:, t] < torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
        "W is (T, T), b is (T,), u is (B, T); the answer is (B, T)",
        lambda B, D, d: {"W": 4 * torch.randn(D, D), "b": torch.randn(D), "u": torch.rand(10 * B, D)},
        [
            (lambda W, b, u: (u < torch.sigmoid(b)).float(),
             "every pixel is drawn from b alone; it has to look at the pixels before it"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, t] > torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
             "a pixel is 1 where u lies below p: that happens with probability p"),
            (lambda W, b, u: one_by_one(u, lambda t, x: torch.sigmoid(b[t] + x[:, :t] @ W[t, :t]) > 0.5),
             "every pixel takes its likelier value, the same in every image; draw it, with u"),
            (lambda W, b, u: one_by_one(u, lambda t, x: torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
             "pixels are probabilities, not 0 or 1; compare them with u"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, t] < torch.sigmoid(b[t] + x[:, :t] @ W[:t, t])),
             "W is transposed: row t of W belongs to pixel t"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, t] < torch.sigmoid(x[:, :t] @ W[t, :t])),
             "the bias b is missing"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, t] < torch.sigmoid(b[t] + x[:, t-1:t] @ W[t, t-1:t])),
             "it looks at one pixel only; take all of those before t"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, t] < b[t] + x[:, :t] @ W[t, :t]),
             "the sigmoid is missing: b + W x is a logit, not a probability"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, 0] < torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
             "it uses one random number for a whole image; every pixel has its own, u[:, t]"),
        ],
        extreme=lambda W, b, u: {"W": 20 * W},
    ),
}
