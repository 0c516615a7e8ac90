"""The exercises of lesson 07: Editing images."""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from vae_edu.exercises.exercise import Exercise


def _apart(B: int, d: int) -> tuple[Tensor, Tensor]:
    """Two random (B, d), row by row neither nearly parallel nor nearly opposite, so that acos is exact."""
    a, b = torch.randn(2, B, d)
    while (near := cosine_similarity(a, b).abs() > 0.9).any():
        b = torch.where(near[:, None], torch.randn(B, d), b)
    return a, b


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """The cosine of the angle between rows of a and b, both (B, d): (B, 1)."""
    return cosine_similarity(a, b)[:, None]


def angle(a: Tensor, b: Tensor) -> Tensor:
    """The angle ω between rows of a and b, both (B, d): (B, 1)."""
    return cosine(a, b).acos()


# fmt: off
EXERCISES = {
    "edit_code": Exercise(
        lambda z, dim, value: torch.cat(
            [z[:, :dim], torch.full_like(z[:, :1], value), z[:, dim + 1 :]], dim=1
        ),
        "z is (B, d), dim counts from 0, value is a number; the answer is (B, d)",
        lambda B, D, d: {"z": torch.randn(B, d), "dim": 1, "value": 2.5},
        [
            (lambda z, dim, value: torch.full_like(z, value),
             "it sets every dimension; the others stay as they are"),
            (lambda z, dim, value: z + value,
             "it moves every dimension; set one"),
            (lambda z, dim, value: z + value * torch.eye(z.shape[1])[dim],
             "it adds the value; set the dimension to it"),
            (lambda z, dim, value: torch.where(torch.arange(z.shape[1]) == dim - 1, value, z),
             "it counts dimensions from 1; the first is 0"),
            (lambda z, dim, value: torch.where(torch.arange(z.shape[1]) == dim, z, value),
             "it keeps the one dimension and sets all others"),
            (lambda z, dim, value: torch.where(torch.arange(len(z))[:, None] == dim, value, z),
             "it sets a row, one image; set a column, one dimension"),
            (lambda z, dim, value: torch.where(torch.arange(z.shape[1]) == dim, value, 0.0) + 0 * z,
             "the other dimensions are 0; they stay as they are"),
            (lambda z, dim, value: torch.where(torch.arange(z.shape[1]) == dim, value * z, z),
             "it multiplies; set the dimension to the value"),
            (lambda z, dim, value: z * 1,
             "nothing has changed; set the dimension in a copy and return that"),
            (lambda z, dim, value: z[:, dim] * 0 + value,
             "only the new dimension comes back; return the whole code"),
        ],
        extreme=lambda z, dim, value: {"value": -1e6},
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
        lambda B, D, d: dict(zip("abt", (*_apart(B, d), 0.3))),
        [
            (lambda a, b, t: (1 - t) * a + t * b,
             "this is the straight line; use the sines of the parts of the angle"),
            (lambda a, b, t: ((t * angle(a, b)).sin() * a + ((1 - t) * angle(a, b)).sin() * b) / angle(a, b).sin(),
             "t and 1 − t are swapped: t = 0 is a"),
            (lambda a, b, t: ((1 - t) * angle(a, b)).sin() * a + (t * angle(a, b)).sin() * b,
             "the division by sin ω is missing"),
            (lambda a, b, t: (((1 - t) * angle(a, b)).cos() * a + (t * angle(a, b)).cos() * b) / angle(a, b).sin(),
             "these are cosines; use sines"),
            (lambda a, b, t: (((1 - t) * cosine(a, b)).sin() * a + (t * cosine(a, b)).sin() * b) / cosine(a, b).sin(),
             "ω is the angle, the arc cosine of a·b / (‖a‖ ‖b‖); the acos is missing"),
            (lambda a, b, t: (((1 - t) * angle(a, b)).sin() * normalize(a) + (t * angle(a, b)).sin() * normalize(b)) / angle(a, b).sin(),
             "a and b are scaled to length 1; only the angle is taken from their directions"),
            (lambda a, b, t: (((1 - t) * angle(a, b)).sin() * a + (t * angle(a, b)).sin() * b) / (2 * angle(a, b)).sin(),
             "divide by the sine of the whole angle, sin ω"),
            (lambda a, b, t: (((1 - t) * angle(a, b)).sin() * a - (t * angle(a, b)).sin() * b) / angle(a, b).sin(),
             "b is subtracted; add it"),
            (lambda a, b, t: (((1 - t) * angle(a, b)).sin() * a + (t * angle(a, b)).sin() * b) / angle(a, b),
             "it divides by ω; divide by sin ω"),
        ],
        extreme=lambda a, b, t: {"a": 1000 * a},
    ),
    "direction": Exercise(
        lambda z, factor: (
            (z - z.mean(0)).T @ (factor - factor.mean()) / (factor - factor.mean()).square().sum()
        ),
        "z is (N, d), factor is (N,); the answer is (d,)",
        lambda B, D, d: {"z": torch.randn(4 * B, d), "factor": 2 * torch.rand(4 * B) + 1},
        [
            (lambda z, factor: (z - z.mean(0)).T @ (factor - factor.mean()) / len(z),
             "this is the covariance; divide by the factor's variance"),
            (lambda z, factor: z.T @ factor / (factor @ factor),
             "the means are not subtracted"),
            (lambda z, factor: (z - z.mean(0)).T @ (factor - factor.mean()) / ((z - z.mean(0)) ** 2).sum(0),
             "it divides by the variance of z: this says how the factor changes with z, not z with the factor"),
            (lambda z, factor: (z - z.mean(0)).T @ (factor - factor.mean()),
             "the division by the factor's sum of squares is missing"),
            (lambda z, factor: -(z - z.mean(0)).T @ (factor - factor.mean()) / ((factor - factor.mean()) ** 2).sum(),
             "the sign is flipped"),
            (lambda z, factor: torch.linalg.lstsq(z - z.mean(0), (factor - factor.mean())[:, None]).solution[:, 0],
             "it predicts the factor from z; ask how z moves as the factor grows by 1"),
            (lambda z, factor: (z - z.mean(0)).T @ (factor - factor.mean()) / ((factor - factor.mean()) ** 2).sum().sqrt(),
             "it divides by the root; divide by the sum of squares itself"),
            (lambda z, factor: z[factor.argmax()] - z[factor.argmin()],
             "it uses two images alone; fit all of them"),
            (lambda z, factor: z[factor > factor.mean()].mean(0) - z[factor <= factor.mean()].mean(0),
             "a difference of two halves is no step of 1; fit a line"),
            (lambda z, factor: (z - z.mean(0)).T @ (factor - factor.mean()) / ((factor - factor.mean()) ** 2).sum() / z.std(0),
             "z is scaled to variance 1; leave its unit"),
        ],
        extreme=lambda z, factor: {"factor": 1000 * factor},
    ),
    "mutual_information_gap": Exercise(
        lambda information, entropy: (
            (information.topk(2, dim=1).values * torch.tensor([1.0, -1.0]).to(information)).sum(1) / entropy
        ),
        "information is (factors, d), entropy is (factors,); the answer is (factors,)",
        lambda B, D, d: {"information": torch.rand(B, d + 1), "entropy": 1 + torch.rand(B)},
        [
            (lambda information, entropy: information.topk(2, dim=1).values @ torch.tensor([1.0, -1.0]),
             "the division by the entropy is missing"),
            (lambda information, entropy: information.amax(1) / entropy,
             "this is the largest alone; subtract the second largest"),
            (lambda information, entropy: (information.amax(1) - information.amin(1)) / entropy,
             "it subtracts the smallest; subtract the second largest"),
            (lambda information, entropy: (information.amax(1) - information.mean(1)) / entropy,
             "it subtracts the mean; subtract the second largest"),
            (lambda information, entropy: (information[:, 0] - information[:, 1]) / entropy,
             "it takes the first two dimensions; take the two largest"),
            (lambda information, entropy: -(information.topk(2, dim=1).values @ torch.tensor([1.0, -1.0])) / entropy,
             "the sign is flipped"),
            (lambda information, entropy: (information.topk(2, dim=1).values @ torch.tensor([1.0, -1.0]) / entropy).mean(),
             "it averages over the factors; keep one value each"),
            (lambda information, entropy: information.topk(2, dim=1).values.sum(1) / entropy,
             "it adds the two largest; subtract"),
            (lambda information, entropy: information.topk(2, dim=1).values @ torch.tensor([1.0, -1.0]) / information.amax(1),
             "it divides by the largest; divide by the entropy"),
            (lambda information, entropy: information.topk(2, dim=1).values @ torch.tensor([1.0, -1.0]) * entropy,
             "it multiplies by the entropy; divide"),
        ],
    ),
}
