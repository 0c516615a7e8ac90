"""The exercises of lesson 00: Explicit density."""

import torch
from torch.nn.functional import pad

from vae_edu.exercises.exercise import Exercise, one_by_one
from vae_edu.uncertainty import standard_error

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
        extreme=lambda x, p: {"p": p**3},
    ),
    "standard_error": Exercise(
        lambda log_p: standard_error(log_p),
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
        lambda W, b, u: one_by_one(u, lambda t, x: u[:, t] < torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
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
        extreme=lambda W, b, u: {"W": 20 * W},
    ),
}
