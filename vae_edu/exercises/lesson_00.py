"""The exercises of lesson 00: Explicit density."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from vae_edu.exercises.exercise import Exercise, bce
from vae_edu.uncertainty import standard_error


def seen(x: Tensor, p: Tensor) -> Tensor:
    """The probability of each pixel that is there."""
    return torch.where(x == 1, p, 1 - p)


def one_by_one(u: Tensor, pixel: Callable[[int, Tensor], Tensor]) -> Tensor:
    """The images x (B, T) whose pixel t is pixel(t, x), drawn in order: it may use the pixels before t."""
    x = torch.zeros_like(u)
    for t in range(u.shape[1]):
        x[:, t] = pixel(t, x)
    return x


def network(W: Tensor, b: Tensor, u: Tensor, logit: Callable[[int, Tensor], Tensor] | None = None) -> Tensor:
    """The images drawn with the logit of pixel t given those before it; by default the right one."""
    right = logit or (lambda t, x: b[t] + x[:, :t] @ W[t, :t])
    return one_by_one(u, lambda t, x: u[:, t] < torch.sigmoid(right(t, x)))


def clear_draws(W: Tensor, b: Tensor, u: Tensor) -> Tensor:
    """u moved away from the probabilities that it is compared with, so that no rounding can change a pixel."""
    W, b, moved = W.double(), b.double(), u.double()

    def pixel(t: int, x: Tensor) -> Tensor:
        p = torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])
        near = (moved[:, t] - p).abs() < 1e-3
        moved[:, t] = torch.where(near, p + torch.where(p < 0.5, 0.01, -0.01), moved[:, t])
        return moved[:, t] < p

    one_by_one(moved, pixel)
    return moved.to(u)


def belief_network(B: int, D: int) -> dict[str, Tensor]:
    """Random weights of a belief network with D pixels, and the random numbers for its images."""
    W, b, u = 3 * torch.randn(D, D), torch.randn(D), torch.rand(12 * B - 10, D)
    return {"W": W, "b": b, "u": clear_draws(W, b, u)}


def binary(B: int, T: int) -> Tensor:
    """Images (B, T) of 0s and 1s. Their first two pixels differ, so that none is of one color."""
    x = (torch.rand(B, T) > 0.5).float()
    x[::2, :2] = torch.tensor([1.0, 0.0])
    x[1::2, :2] = torch.tensor([0.0, 1.0])
    return x


# fmt: off
EXERCISES = {
    "chain_rule": Exercise(
        lambda x, p: seen(x, p).log().sum(1),
        "x and p are (B, T); the answer is (B,), with a gradient to p",
        lambda B, D, d: {
            "x": binary(B, T := 1024 if D > 9 else D), "p": 0.05 + 0.9 * torch.rand(B, T),
        },
        [
            (lambda x, p: seen(x, p).prod(1),
             "this is p(x); give its logarithm, since a product of hundreds of probabilities underflows"),
            (lambda x, p: seen(x, p).prod(1).log(),
             "a product of hundreds of probabilities underflows to 0, even in float64, and its logarithm is −∞: take logarithms first"),
            (lambda x, p: seen(x, p).log().mean(1),
             "it averages over the pixels; the logarithm of a product is a sum"),
            (lambda x, p: seen(x, p).log().sum(),
             "it sums over the images too; keep one value an image, (B,)"),
            (lambda x, p: seen(x, p).log().mean(),
             "it averages over images and pixels; sum over the pixels of each image"),
            (lambda x, p: -seen(x, p).log().mean(),
             "this is the mean cross-entropy of the batch: the sign is turned, and each image wants a sum of its own"),
            (lambda x, p: seen(x, p).log().sum(1).mean(),
             "it averages over the images; keep one value each, (B,)"),
            (lambda x, p: seen(x, p).log().sum(0),
             "it sums over the images; sum over the pixels instead"),
            (lambda x, p: seen(x, p).log().cumsum(1),
             "it keeps every partial sum; log p(x) is the last of them"),
            (lambda x, p: seen(x, p).log(),
             "these are the pixels' own terms; add those of one image up"),
            (lambda x, p: -seen(x, p).log().sum(1),
             "the sign is flipped: this is −log p(x)"),
            (lambda x, p: (x * p.log()).sum(1),
             "only the pixels that are 1 count; one that is 0 has the probability 1 − p"),
            (lambda x, p: ((1 - x) * (1 - p).log()).sum(1),
             "only the pixels that are 0 count; one that is 1 has the probability p"),
            (lambda x, p: p.log().sum(1),
             "it takes p at every pixel; one that is 0 has the probability 1 − p"),
            (lambda x, p: seen(1 - x, p).log().sum(1),
             "0 and 1 are swapped: p is the probability of a 1"),
            (lambda x, p: (x * p.log() - (1 - x) * (1 - p).log()).sum(1),
             "the pixels that are 0 are subtracted; their logarithms are added too"),
            (lambda x, p: (x * p.log() + (1 - x) * (1 - p)).sum(1),
             "the pixels that are 0 count with 1 − p itself; take its logarithm"),
            (lambda x, p: (x * p.log() + (1 - x) * (1 - p.log())).sum(1),
             "1 − log p is not log(1 − p): subtract first, then take the logarithm"),
            (lambda x, p: (x * p + (1 - x) * (1 - p)).sum(1),
             "it adds up the probabilities; add up their logarithms"),
            (lambda x, p: seen(x, p).log2().sum(1),
             "this is in bits; take the natural logarithm"),
            (lambda x, p: seen(x, p).log10().sum(1),
             "this is the logarithm to base 10; take the natural one"),
            (lambda x, p: seen(x, p).log1p().sum(1),
             "it takes log(1 + p); take the logarithm of the probability itself"),
            (lambda x, p: seen(x, p).sum(1).log(),
             "it adds up probabilities; L0 multiplies them"),
            (lambda x, p: seen(x, p).log()[:, 1:].sum(1),
             "the first pixel is left out; L0 begins with it"),
            (lambda x, p: seen(x, p).log()[:, :-1].sum(1),
             "the last pixel is left out; L0 ends with it"),
            (lambda x, p: seen(pad(x[:, :-1], (1, 0)), p).log().sum(1),
             "the pixels are shifted by one: the probability at t belongs to the pixel at t"),
            (lambda x, p: -bce(p, x).sum(1),
             "p is a probability already; it goes through another sigmoid here"),
            (lambda x, p: -(x - p).square().sum(1),
             "this is a squared error; take the logarithm of the probability of what is there"),
            (lambda x, p: (p * x).log().sum(1),
             "it takes the logarithm of 0 somewhere, which is −∞; no pixel here has the probability 0"),
            (lambda x, p: seen(x, p.roll(1, 1)).log().sum(1),
             "the probabilities are shifted by one: the one at t belongs to the pixel at t"),
            (lambda x, p: seen(x, p).logsumexp(1),
             "logsumexp is for values that are logarithms; take the logarithm of each probability, and sum"),
            (lambda x, p: (p**x * (1 - p)**x).log().sum(1),
             "both factors have the exponent x; that of 1 − p is 1 − x"),
            (lambda x, p: seen(x, p)[:, : len(x)].log().sum(1),
             "it goes through as many pixels as there are images; the pixels are dimension 1"),
        ],
        extreme=(
            lambda x, p: {"p": p**3},
            lambda x, p: {"x": x.repeat(1, 112)[:, :784], "p": p.repeat(1, 112)[:, :784] ** 2},
        ),
        gradients=("p",),
        terms=lambda x, p: {
            "the part of the pixels that are 1": (x * p.log()).sum(1),
            "the part of the pixels that are 0": ((1 - x) * (1 - p).log()).sum(1),
        },
        sizes=lambda x, p: {"B, the number of images": len(x), "T, the number of pixels": x.shape[1]},
    ),
    "shift": Exercise(
        lambda x: pad(x[:, :-1], (1, 0)),
        "x is (B, T); the answer is (B, T)",
        lambda B, D, d: {
            "x": torch.tensor([[1.0, 0.0, 1.0]]) if B == 1 else binary(B, D + 4),
        },
        [
            (lambda x: x * 1,
             "pixel t is its own input, and copying it would be a perfect prediction"),
            (lambda x: x * 0,
             "every input is 0; only the first one knows nothing"),
            (lambda x: 1 - pad(x[:, :-1], (1, 0)),
             "0 and 1 are swapped"),
            (lambda x: pad(x[:, 1:], (0, 1)),
             "it is shifted the other way, so that the network sees the next pixel"),
            (lambda x: x.roll(-1, 1),
             "it is shifted the other way and comes around: the network sees the next pixel"),
            (lambda x: x.roll(1, 1),
             "the last pixel comes around to the front; the first input knows nothing: 0"),
            (lambda x: pad(x, (1, 0)),
             "there is one input too many; nothing follows the last pixel, so leave it out"),
            (lambda x: x.roll(1, 0),
             "it shifts the images; shift the pixels of each"),
            (lambda x: pad(x[:-1], (0, 0, 1, 0)),
             "it moves the images down by one and puts an empty one first; move the pixels of each image"),
            (lambda x: x.flatten().roll(1).reshape(x.shape),
             "the images are laid end to end and rolled; say which dimension to move, and put a 0 in front"),
            (lambda x: pad(x.flatten()[:-1], (1, 0)).reshape(x.shape),
             "the last pixel of an image becomes the first input of the next one; each image begins with a 0"),
            (lambda x: pad(x[:, :-1], (1, 0), value=1.0),
             "the first input is 1; make it 0"),
            (lambda x: pad(x[:, :-1], (1, 0), value=0.5),
             "the first input is ½; make it 0"),
            (lambda x: pad(x[:, :-1], (1, 0), value=-1.0),
             "the first input is −1; make it 0"),
            (lambda x: torch.cat([x[:, :1], x[:, :-1]], 1),
             "the first pixel stands twice at the front, so it is its own input; the first input is 0"),
            (lambda x: pad(x[:, 1:], (1, 0)),
             "only the first pixel is overwritten; all the others must move one place back"),
            (lambda x: pad(x[:, :-1], (0, 1)),
             "the last pixel is 0 and nothing has moved; the 0 belongs at the front"),
            (lambda x: pad(x[:, :-2], (2, 0)),
             "it is shifted by two; the input is the pixel just before"),
            (lambda x: x.flip(1),
             "the order of the pixels is reversed; move each by one place"),
            (lambda x: pad(x.flip(1)[:, :-1], (1, 0)),
             "the pixels run backwards; keep their order, and move them by one place"),
            (lambda x: pad(x[:, :-1], (1, 0)).cumsum(1),
             "each input is the sum of all the pixels before; it wants the last of them alone"),
            (lambda x: x[:, :-1] * 1,
             "the first pixel needs an input too: put a 0 in front"),
            (lambda x: x[:, 1:] * 1,
             "the first pixel is cut off; cut off the last, and put a 0 in front"),
            (lambda x: 2 * pad(x[:, :-1], (1, 0)) - 1,
             "pixels are −1 and 1 here; leave them 0 and 1"),
            (lambda x: torch.cat([x.mean(1, keepdim=True), x[:, :-1]], 1),
             "the first input is the mean of the image, which knows all its pixels; make it 0"),
        ],
        sizes=lambda x: {"B, the number of images": len(x), "T, the number of pixels": x.shape[1]},
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
            (lambda log_p: log_p.std() / (len(log_p) - 1),
             "it divides by B − 1; divide by √B"),
            (lambda log_p: log_p.std() / math.sqrt(len(log_p) - 1),
             "it divides by √(B − 1); the B − 1 is in the standard deviation already, and the mean has √B"),
            (lambda log_p: log_p.std() * math.sqrt(len(log_p)),
             "it multiplies by √B; the mean of many images varies less than one"),
            (lambda log_p: log_p.std() / math.log(len(log_p)),
             "it divides by log B; divide by √B"),
            (lambda log_p: log_p.var() / len(log_p),
             "this is the variance of the mean; take its root"),
            (lambda log_p: log_p.var() / math.sqrt(len(log_p)),
             "it takes the variance; take the standard deviation"),
            (lambda log_p: log_p.var(),
             "this is the variance of the images; take its root, and account for the mean"),
            (lambda log_p: log_p.std(correction=0) / math.sqrt(len(log_p)),
             "it divides the squares by B; with the mean of the same images, divide by B − 1 (std does)"),
            (lambda log_p: log_p.std(correction=0),
             "this is the spread of the images, with squares divided by B; it wants B − 1, and a mean varies less"),
            (lambda log_p: (log_p - log_p.mean()).square().sum().sqrt(),
             "the squares are added up and not averaged: divide them by B − 1 before the root, then account for the mean"),
            (lambda log_p: log_p.square().mean().sqrt() / math.sqrt(len(log_p)),
             "the mean is not subtracted before the squares"),
            (lambda log_p: (log_p - log_p.mean()).abs().mean() / math.sqrt(len(log_p)),
             "it takes the mean distance from the mean; a standard deviation squares, averages and takes the root"),
            (lambda log_p: (log_p.max() - log_p.min()) / math.sqrt(len(log_p)),
             "it takes the distance from the lowest to the highest; take the standard deviation"),
            (lambda log_p: log_p.exp().std() / math.sqrt(len(log_p)),
             "it takes exp first; the values to average are the logarithms themselves"),
            (lambda log_p: 1.96 * log_p.std() / math.sqrt(len(log_p)),
             "this is half of a 95% interval; give the standard error itself, without the 1.96"),
            (lambda log_p: log_p.std() / math.sqrt(len(log_p)) / log_p.mean().abs(),
             "it divides by the mean; the standard error is in nats, no share of the mean"),
            (lambda log_p: log_p.std() / math.sqrt(len(log_p)) / log_p.mean(),
             "it divides by the mean, which is negative; the standard error is in nats, and never negative"),
            (lambda log_p: log_p.mean() / math.sqrt(len(log_p)),
             "it takes the mean; take the standard deviation"),
            (lambda log_p: log_p.mean(),
             "this is the mean itself; give its standard error"),
            (lambda log_p: (log_p - log_p.mean()) / math.sqrt(len(log_p)),
             "it gives each image's distance from the mean; the answer is one number for all of them"),
            (lambda log_p: log_p.abs().mean() / math.sqrt(len(log_p)),
             "it takes the mean of the absolute values; take the standard deviation"),
            (lambda log_p: log_p.std() / len(log_p) ** (1 / 3),
             "it divides by the cube root of B; divide by the square root"),
            (lambda log_p: (log_p.std() / len(log_p)) ** 0.5,
             "the root is taken of the standard deviation too; it belongs to B alone"),
            (lambda log_p: log_p.mean() + log_p.std() / len(log_p) ** 0.5,
             "the mean is added; give the standard error alone"),
            (lambda log_p: (log_p - log_p.median()).abs().mean() / len(log_p) ** 0.5,
             "it averages the distances from the median; take the standard deviation"),
        ],
        sizes=lambda log_p: {"B, the number of images": len(log_p)},
    ),
    "sample_pixels": Exercise(
        network,
        "W is (T, T), b is (T,), u is (B, T); the answer is (B, T)",
        lambda B, D, d: belief_network(B, D),
        [
            (lambda W, b, u: (u < torch.sigmoid(b)).float(),
             "every pixel is drawn from b alone; it has to look at the pixels before it"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, t] > torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
             "a pixel is 1 where u lies below p: that happens with probability p"),
            (lambda W, b, u: one_by_one(u, lambda t, x: 1 - u[:, t] < torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
             "it compares p with 1 − u; that has the right probability, but compare with u as it is given"),
            (lambda W, b, u: one_by_one(u, lambda t, x: torch.sigmoid(b[t] + x[:, :t] @ W[t, :t]) > 0.5),
             "every pixel takes its likelier value, the same in every image; draw it, with u"),
            (lambda W, b, u: one_by_one(u, lambda t, x: torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
             "pixels are probabilities, not 0 or 1; compare them with u"),
            (lambda W, b, u: (u < one_by_one(u, lambda t, x: torch.sigmoid(b[t] + x[:, :t] @ W[t, :t]))).float(),
             "a pixel looks at the probabilities of those before it; let it look at what was drawn, 0 or 1"),
            (lambda W, b, u: network(W, b, u, lambda t, x: b[t] + u[:, :t] @ W[t, :t]),
             "W is multiplied with the random numbers; multiply it with the pixels drawn before"),
            (lambda W, b, u: network(W.T, b, u),
             "W is transposed: row t of W belongs to pixel t"),
            (lambda W, b, u: network(W, 0 * b, u),
             "the bias b is missing"),
            (lambda W, b, u: network(W, -b, u),
             "the bias b is subtracted; add it"),
            (lambda W, b, u: network(-W, b, u),
             "the weighted sum is subtracted; add it"),
            (lambda W, b, u: network(-W, -b, u),
             "the sign of the logit is flipped"),
            (lambda W, b, u: network(W, b[:1].expand_as(b), u),
             "every pixel has the first one's bias; each has its own"),
            (lambda W, b, u: network(W[:1].expand_as(W), b, u),
             "every pixel has the first row of W; each has its own row"),
            (lambda W, b, u: network(W, b, u, lambda t, x: b[t] + x[:, t-1:t] @ W[t, t-1:t]),
             "it looks at one pixel only; take all of those before t"),
            (lambda W, b, u: network(W, b, u, lambda t, x: b[t] + x[:, :max(t-1, 0)] @ W[t, :max(t-1, 0)]),
             "the pixel just before t is left out; take all of those before t"),
            (lambda W, b, u: network(W, b, u, lambda t, x: b[t] + x[:, 1:t] @ W[t, 1:t]),
             "the first pixel is never looked at; take all of those before t"),
            (lambda W, b, u: network(W, b, u, lambda t, x: b[t] + (x[:, :t] * W[t, :t]).sum(1) / max(t, 1)),
             "it averages over the pixels before; the logit has their weighted sum"),
            (lambda W, b, u: network(W, b, u, lambda t, x: b[t] + (2 * x[:, :t] - 1) @ W[t, :t]),
             "pixels count as −1 and 1 in the sum; they are 0 and 1"),
            (lambda W, b, u: network(W, b, u, lambda t, x: b[t] + x[:1, :t] @ W[t, :t]),
             "every image looks at the pixels of the first one; each looks at its own"),
            (lambda W, b, u: network(W, b, u, lambda t, x: torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
             "the sigmoid is taken twice"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, t] < b[t] + x[:, :t] @ W[t, :t]),
             "the sigmoid is missing: b + W x is a logit, not a probability"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, t] < torch.sigmoid(b[t]) + x[:, :t] @ W[t, :t]),
             "the sigmoid is around b alone; it belongs around the whole logit"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, t] < torch.tanh(b[t] + x[:, :t] @ W[t, :t])),
             "this is a tanh; a probability is the sigmoid of its logit"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, 0] < torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
             "it uses one random number for a whole image; every pixel has its own, u[:, t]"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, t-1] < torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
             "it takes the random number of the pixel before; pixel t has its own"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[0, t] < torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])),
             "all images share the first one's random numbers; each has its own"),
            (lambda W, b, u: one_by_one(u, lambda t, x: (u[:, t] < torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])) * (t > 0)),
             "the first pixel is never drawn: start at t = 0"),
            (lambda W, b, u: one_by_one(u, lambda t, x: (u[:, t] < torch.sigmoid(b[t] + x[:, :t] @ W[t, :t])) * (t < len(b) - 1)),
             "the last pixel is never drawn: go on to t = T − 1"),
            (lambda W, b, u: (u < torch.sigmoid(b + (u < torch.sigmoid(b)).float() @ W.tril(-1).T)).float(),
             "all pixels are drawn at once from a first guess; draw them in order, each knowing those before it"),
            (lambda W, b, u: network(W.flip(0, 1), b.flip(0), u.flip(1)).flip(1),
             "it goes from the last pixel to the first; go from the first to the last"),
            (lambda W, b, u: (u < torch.sigmoid(b + W.sum(1))).float(),
             "W is summed without the pixels; multiply it with those drawn before"),
            (lambda W, b, u: one_by_one(u, lambda t, x: (u[:, t] < torch.sigmoid(b[t])) & (t == 0)),
             "only the first pixel is drawn; look where the return stands: inside the loop, it ends it"),
            (lambda W, b, u: (u < torch.sigmoid(b[-1] + u[:, :-1] @ W[-1, :-1])[:, None]).float(),
             "only the last p is used, for every pixel: draw pixel t inside the loop, with p of t"),
            (lambda W, b, u: one_by_one(u, lambda t, x: u[:, t] < torch.sigmoid(b[t] + x[:, :t].sum(1) * W[t, t])),
             "the pixels are added up before they are weighed; each has its own weight, W[t, s]"),
        ],
        extreme=lambda W, b, u: {"W": 20 * W, "u": clear_draws(20 * W, b, u)},
        sizes=lambda W, b, u: {"B, the number of images": len(u), "T, the number of pixels": len(b)},
    ),
}
