"""The exercises of lesson 07: Editing images."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from vae_edu.exercises.exercise import Exercise


def signed(low: float, high: float) -> float:
    """A random number with two decimals, from low to high or from −high to −low."""
    size = low + (high - low) * torch.rand(()).item()
    return round(size if torch.rand(()) < 0.5 else -size, 2)


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


def lengths(a: Tensor) -> Tensor:
    """The lengths of the rows of a, (B, 1)."""
    return a.norm(dim=1, keepdim=True)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner products of the rows of a and b, (B, 1)."""
    return (a * b).sum(1, keepdim=True)


def arc(a: Tensor, b: Tensor, t: float, w: Tensor) -> Tensor:
    """The point of the arc from a to b for the angles w."""
    return (((1 - t) * w).sin() * a + (t * w).sin() * b) / w.sin()


def line(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The point of the straight line from a to b."""
    return (1 - t) * a + t * b


def moving(B: int, d: int) -> dict[str, Tensor]:
    """Codes (N, d) that move with a factor (N,), and vary besides."""
    factor = 2 * torch.rand(4 * B + 3) + 1
    return {"z": factor[:, None] * torch.randn(d) + torch.randn(len(factor), d) + 1, "factor": factor}


def centered(values: Tensor) -> Tensor:
    """The values less their mean over dimension 0."""
    return values - values.mean(0)


def products(z: Tensor, factor: Tensor) -> Tensor:
    """The sums of the products of the centered codes and the centered factor, (d,)."""
    return centered(z).T @ centered(factor)


def total(values: Tensor) -> Tensor:
    """The centered sum of squares over dimension 0."""
    return centered(values).square().sum(0)


def cosine_of(z: Tensor, factor: Tensor, known: Tensor) -> Tensor:
    """The cosine of the directions from the images known and from all: the answer to "agreement"."""
    return cosine_similarity(products(z[known], factor[known]), products(z, factor), dim=0)


def labeled(B: int, D: int, d: int) -> dict[str, Tensor]:
    """Codes (N, d) that move a little with a factor (N,), and the numbers (M,) of images with a label.

    In some batches the few are so unlucky that their direction points the wrong way.
    """
    while True:
        factor = 2 * torch.rand(4 * B + 3) + 1
        z = 0.3 * factor[:, None] * torch.randn(d) + torch.randn(len(factor), d) + torch.randn(d)
        known = torch.randperm(len(factor))[: B + 3]
        if (cosine_of(z, factor, known) < -0.1) == (B % 5 == 3):
            return {"z": z, "factor": factor, "known": known}


def others(z: Tensor, factor: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """The codes and factors of the images that are not among known."""
    left = torch.ones(len(z), dtype=torch.bool, device=z.device).index_fill(0, known, False)
    return z[left], factor[left]


def slope(z: Tensor, factor: Tensor) -> Tensor:
    """The direction of a factor, (d,)."""
    return products(z, factor) / total(factor)


def halves(z: Tensor, factor: Tensor) -> Tensor:
    """The mean code above the mean of the factor less that below, (d,)."""
    return z[factor > factor.mean()].mean(0) - z[factor <= factor.mean()].mean(0)


def ranked(information: Tensor) -> Tensor:
    """The values of each row, the largest first."""
    return information.sort(1, descending=True).values


def gap(information: Tensor) -> Tensor:
    """The largest of each row less the second largest."""
    return ranked(information)[:, 0] - ranked(information)[:, 1]


# fmt: off
EXERCISES = {
    "spherical_interpolation": Exercise(
        lambda a, b, t: torch.stack(
            [
                (((1 - t) * w).sin() * p + (t * w).sin() * q) / w.sin()
                for p, q in zip(a, b)
                for w in [torch.acos(p @ q / (p.norm() * q.norm()))]
            ]
        ),
        "a and b are (B, d), t is a number from 0 to 1; the answer is (B, d)",
        lambda B, D, d: dict(zip("abt", (*_apart(B, d), round(0.5 + signed(0.15, 0.4), 2)))),
        [
            (lambda a, b, t: line(a, b, t),
             "this is the straight line; use the sines of the parts of the angle"),
            (lambda a, b, t: line(b, a, t),
             "this is the straight line, and from b to a; use the sines of the parts of the angle"),
            (lambda a, b, t: normalize(line(a, b, t)) * ((1 - t) * lengths(a) + t * lengths(b)),
             "this is the straight line, brought to another length; use the sines of the parts of the angle"),
            (lambda a, b, t: normalize(line(a, b, t)),
             "this is the straight line, brought to length 1; use the sines of the parts of the angle"),
            (lambda a, b, t: normalize(arc(a, b, t, angle(a, b))),
             "the answer is scaled to length 1; leave out that step"),
            (lambda a, b, t: arc(b, a, t, angle(a, b)),
             "t and 1 − t are swapped: t = 0 is a"),
            (lambda a, b, t: arc(a, b, t, angle(a, b)) * angle(a, b).sin(),
             "the division by sin ω is missing"),
            (lambda a, b, t: ((1 - t) * angle(a, b)).sin() * a + (t * angle(a, b)).sin() * b / angle(a, b).sin(),
             "b alone is divided by sin ω; divide both"),
            (lambda a, b, t: ((1 - t) * angle(a, b)).sin() * a / angle(a, b).sin() + (t * angle(a, b)).sin() * b,
             "a alone is divided by sin ω; divide both"),
            (lambda a, b, t: (((1 - t) * angle(a, b)).cos() * a + (t * angle(a, b)).cos() * b) / angle(a, b).sin(),
             "these are cosines; use sines"),
            (lambda a, b, t: (((1 - t) * angle(a, b)).cos() * a + (t * angle(a, b)).cos() * b) / angle(a, b).cos(),
             "there are cosines in all three places; use sines"),
            (lambda a, b, t: arc(a, b, t, angle(a, b).clamp(0, 1)),
             "the angle is cut off at 1; it goes up to π"),
            (lambda a, b, t: ((1 - t * angle(a, b)).sin() * a + (t * angle(a, b)).sin() * b) / angle(a, b).sin(),
             "brackets are missing: it is 1 − t that multiplies ω"),
            (lambda a, b, t: (angle(a, b).sin() * a + (t * angle(a, b)).sin() * b) / angle(a, b).sin(),
             "a is taken whole; its part is that of 1 − t"),
            (lambda a, b, t: arc(a, a, t, angle(a, b)),
             "a stands in both places; the second belongs to b"),
            (lambda a, b, t: arc(b, b, t, angle(a, b)),
             "b stands in both places; the first belongs to a"),
            (lambda a, b, t: arc(a, b, t, angle(a, b) / 2),
             "the angle is halved"),
            (lambda a, b, t: arc(a, b, t, 2 * angle(a, b)),
             "the angle is doubled"),
            (lambda a, b, t: (((1 - t) * angle(a, b)).sin() ** 2 * a + (t * angle(a, b)).sin() ** 2 * b) / angle(a, b).sin() ** 2,
             "the sines are squared"),
            (lambda a, b, t: arc(a, b, t, (dot(a, b) / (a.abs().sum(1, keepdim=True) * b.abs().sum(1, keepdim=True))).acos()),
             "the lengths are sums of absolute values; a length is the root of the sum of squares"),
            (lambda a, b, t: (((1 - t) * angle(a, b)).cos() * a + (t * angle(a, b)).sin() * b) / angle(a, b).sin(),
             "a has a cosine; both have sines"),
            (lambda a, b, t: arc(a, b, t, angle(a, b)) * angle(a, b).tan(),
             "it divides by cos ω; divide by sin ω"),
            (lambda a, b, t: arc(a, b, t, angle(a, b)) * angle(a, b).sin() / cosine(a, b).sin(),
             "it divides by the sine of the cosine; the angle ω is missing there"),
            (lambda a, b, t: arc(a, b, t, cosine(a, b)),
             "ω is the angle, the arc cosine of a·b / (‖a‖ ‖b‖); the acos is missing"),
            (lambda a, b, t: arc(a, b, t, cosine(a, b).asin()),
             "it takes the arc sine; the angle is the arc cosine"),
            (lambda a, b, t: arc(a, b, t, cosine(a, b).atan()),
             "it takes the arc tangent; the angle is the arc cosine"),
            (lambda a, b, t: arc(a, b, t, cosine(a, b).cos()),
             "it takes the cosine of the cosine; the angle is the arc cosine"),
            (lambda a, b, t: arc(a, b, t, 1 - cosine(a, b)),
             "1 − cos is a distance; the angle is the arc cosine"),
            (lambda a, b, t: arc(a, b, t, cosine(a, b).abs().acos()),
             "the cosine has lost its sign: angles go up to 180°"),
            (lambda a, b, t: arc(a, b, t, cosine(a, b).clamp(0, 1).acos()),
             "the cosine is cut off at 0: angles go up to 180°"),
            (lambda a, b, t: arc(a, b, t, angle(a, b).rad2deg()),
             "the angle is in degrees; PyTorch's sines take radians"),
            (lambda a, b, t: arc(a, b, t, angle(a, b).deg2rad()),
             "the angle is turned to radians twice; torch.acos gives radians"),
            (lambda a, b, t: arc(a, b, t, torch.full_like(a, math.pi / 2)),
             "it takes a right angle for every pair; compute the angle"),
            (lambda a, b, t: arc(a, b, t, (dot(a, b).sum() / (a.norm() * b.norm())).acos()),
             "there is one angle for the whole batch; each pair has its own"),
            (lambda a, b, t: arc(a, b, t, angle(a, b).mean()),
             "every pair gets the mean of the angles; each has its own"),
            (lambda a, b, t: arc(a, b, t, (dot(a, b) / (a.norm() * b.norm())).acos()),
             "the lengths are those of the whole batch; each row has its own"),
            (lambda a, b, t: arc(a, b, t, angle(a[:1], b[:1])),
             "every pair gets the first one's angle; each has its own"),
            (lambda a, b, t: arc(a, b, t, cosine_similarity(a, b, dim=0).acos()),
             "the inner products and lengths run over the images, dimension 0; they run over the dimensions of a code"),
            (lambda a, b, t: arc(a, b, t, (a * b / (lengths(a) * lengths(b))).acos()),
             "every dimension has an angle of its own; the inner product is a sum"),
            (lambda a, b, t: arc(a, b, t, (dot(a, b) / a.shape[1] / (lengths(a) * lengths(b))).acos()),
             "the inner product is averaged over the dimensions; it is a sum"),
            (lambda a, b, t: arc(a, b, t, dot(a, b).acos()),
             "the lengths are missing: a·b is no cosine before it is divided by them"),
            (lambda a, b, t: arc(a, b, t, dot(a, b).clamp(-1, 1).acos()),
             "the inner product is cut off at ±1; divide it by the lengths"),
            (lambda a, b, t: arc(a, b, t, (dot(a, b) / lengths(a)).acos()),
             "it divides by the length of a alone; divide by both"),
            (lambda a, b, t: arc(a, b, t, (dot(a, b) / lengths(b)).acos()),
             "it divides by the length of b alone; divide by both"),
            (lambda a, b, t: arc(a, b, t, (dot(a, b) / (lengths(a) * lengths(b)).square()).acos()),
             "the lengths are squared; their root is missing"),
            (lambda a, b, t: arc(a, b, t, (dot(a, b) / (lengths(a) + lengths(b))).acos()),
             "the lengths are added; multiply them"),
            (lambda a, b, t: arc(a, b, t, ((a - b).square().sum(1, keepdim=True) / (lengths(a) * lengths(b))).acos()),
             "the squared distance stands where the inner product should"),
            (lambda a, b, t: arc(a, b, t, (dot(a, b) / (lengths(a) * lengths(b)).sqrt()).acos()),
             "it divides by the root of the lengths; divide by the lengths"),
            (lambda a, b, t: arc(normalize(a), normalize(b), t, angle(a, b)),
             "a and b are scaled to length 1; only the angle is taken from their directions"),
            (lambda a, b, t: (((1 - t) * angle(a, b)).sin() * a + (t * angle(a, b)).sin() * b) / (2 * angle(a, b)).sin(),
             "it divides by the sine of twice the angle; divide by sin ω"),
            (lambda a, b, t: arc(a, b, t, angle(a, b)) / 2,
             "divide by the sine of the whole angle, sin ω, with no factor"),
            (lambda a, b, t: (((1 - t) * angle(a, b)).sin() * a - (t * angle(a, b)).sin() * b) / angle(a, b).sin(),
             "b is subtracted; add it"),
            (lambda a, b, t: (math.sin(1 - t) * angle(a, b) * a + math.sin(t) * angle(a, b) * b) / angle(a, b).sin(),
             "it takes the sine of t and multiplies by ω; take the sine of the product"),
            (lambda a, b, t: (math.sin(1 - t) * a + math.sin(t) * b) / angle(a, b).sin(),
             "it takes the sine of t alone; take the sine of t times ω"),
            (lambda a, b, t: arc(a, b, t, angle(a, b)) * angle(a, b).sin() / angle(a, b),
             "it divides by ω; divide by sin ω"),
            (lambda a, b, t: (1 - t) ** 0.5 * a + t**0.5 * b,
             "these are the roots of 1 − t and t; use the sines of the parts of the angle"),
        ],
        extreme=[
            lambda a, b, t: {"a": 1000 * a},
            lambda a, b, t: {"t": 0.0},
            lambda a, b, t: {"t": 1.0},
        ],
        terms=lambda a, b, t: {
            "the part of a": ((1 - t) * angle(a, b)).sin() * a / angle(a, b).sin(),
            "the part of b": (t * angle(a, b)).sin() * b / angle(a, b).sin(),
        },
        sizes=lambda a, b, t: {"B, the number of pairs": len(a), "d, the number of dimensions": a.shape[1]},
    ),
    "direction": Exercise(
        lambda z, factor: products(z, factor) / total(factor),
        "z is (N, d), factor is (N,); the answer is (d,)",
        lambda B, D, d: moving(B, d),
        [
            (lambda z, factor: products(z, factor) / len(z),
             "this is the covariance; divide by the factor's variance"),
            (lambda z, factor: (z / factor[:, None]).mean(0),
             "it averages quotients of z and the factor; follow the formula with the means subtracted"),
            (lambda z, factor: (z - z.mean(0)).T @ (factor - factor.mean()).abs() / total(factor),
             "the factor has lost its sign; below the mean it is negative"),
            (lambda z, factor: products(z, factor) / (len(z) - 1),
             "this is the covariance, with N − 1; divide by the factor's sum of squares instead"),
            (lambda z, factor: products(z, factor) / len(z) / factor.var(),
             "the products are divided by N, and the factor's variance by N − 1: divide the sums, or both alike"),
            (lambda z, factor: products(z, factor) / (len(z) - 1) / factor.var(correction=0),
             "the products are divided by N − 1, and the factor's variance by N: divide the sums, or both alike"),
            (lambda z, factor: products(z, factor) / factor.var(),
             "the products are a sum and the factor's variance is a mean (with N − 1): divide sums by sums"),
            (lambda z, factor: products(z, factor) / factor.var(correction=0),
             "the products are a sum and the factor's variance is a mean: divide sums by sums"),
            (lambda z, factor: products(z, factor) / len(z) / total(factor),
             "the products are averaged, and the factor's squares are summed: divide sums by sums"),
            (lambda z, factor: z.T @ factor / (factor @ factor),
             "the means are not subtracted"),
            (lambda z, factor: products(z, factor) / (factor @ factor),
             "the factor's mean is not subtracted in its sum of squares"),
            (lambda z, factor: z.T @ factor / total(factor),
             "the means are not subtracted in the products; they are in the sum of squares"),
            (lambda z, factor: products(z - z.mean(1, keepdim=True), factor) / total(factor),
             "each code's mean over its dimensions is subtracted; subtract the mean over the images"),
            (lambda z, factor: products(z, factor) / total(z),
             "it divides by the variance of z: this says how the factor changes with z, not z with the factor"),
            (lambda z, factor: total(factor) / products(z, factor),
             "the fraction is upside down: divide the products by the factor's sum of squares"),
            (lambda z, factor: products(z, factor),
             "the division by the factor's sum of squares is missing"),
            (lambda z, factor: products(z, factor) * total(factor),
             "it multiplies by the factor's sum of squares; divide"),
            (lambda z, factor: -products(z, factor) / total(factor),
             "the sign is flipped"),
            (lambda z, factor: torch.linalg.lstsq(centered(z), centered(factor)[:, None]).solution[:, 0],
             "it predicts the factor from z; ask how z moves as the factor grows by 1"),
            (lambda z, factor: z.mean(0) - products(z, factor) / total(factor) * factor.mean(),
             "this is where the line starts, at factor 0; give its slope"),
            (lambda z, factor: products(z, factor) / total(factor).sqrt(),
             "it divides by the root; divide by the sum of squares itself"),
            (lambda z, factor: products(z, factor) / total(factor).square(),
             "it divides by the square of the sum of squares; divide by the sum itself"),
            (lambda z, factor: products(z, factor) / centered(factor).abs().sum(),
             "it divides by the sum of absolute values; divide by the sum of squares"),
            (lambda z, factor: products(z, factor) / centered(factor).abs().sum().square(),
             "it divides by the square of a sum; divide by a sum of squares"),
            (lambda z, factor: products(z, factor) / len(z) / factor.std(correction=0),
             "this is the step for one standard deviation of the factor; give that for 1"),
            (lambda z, factor: products(z, factor) / (total(z) * total(factor)).sqrt(),
             "this is the correlation, which has no unit; give the step of z for a step of 1 of the factor"),
            (lambda z, factor: normalize(products(z, factor), dim=0),
             "it is scaled to length 1; leave its length, the step for a factor that grows by 1"),
            (lambda z, factor: products(z, factor) / total(factor) / z.std(0),
             "z is scaled to variance 1; leave its unit"),
            (lambda z, factor: z.std(0) / factor.std(),
             "it says how much both vary, not whether they do so together: use the products"),
            (lambda z, factor: z.mean(0) / factor.mean(),
             "it divides the means; the line need not pass through 0"),
            (lambda z, factor: (centered(z) / centered(factor)[:, None]).mean(0),
             "it averages the quotients; divide the sum of the products by the sum of squares"),
            (lambda z, factor: (centered(z) / centered(factor)[:, None]).sum(0),
             "it adds up quotients; divide the sum of the products by the sum of squares"),
            (lambda z, factor: (z - z.median(0).values).T @ (factor - factor.median()) / (factor - factor.median()).square().sum(),
             "it subtracts the medians; subtract the means"),
            (lambda z, factor: z.T @ (factor - factor.median()) / (factor - factor.median()).square().sum(),
             "it subtracts the factor's median, and from z nothing; subtract both means"),
            (lambda z, factor: z[factor.argmax()] - z[factor.argmin()],
             "it uses two images alone; fit all of them"),
            (lambda z, factor: (z[factor.argmax()] - z[factor.argmin()]) / (factor.max() - factor.min()),
             "it draws the line through the two extreme images alone; fit all of them"),
            (lambda z, factor: (z[-1] - z[0]) / (factor[-1] - factor[0]),
             "it draws the line through the first and the last image; fit all of them"),
            (lambda z, factor: z[factor > factor.mean()].mean(0) - z[factor <= factor.mean()].mean(0),
             "a difference of two halves is no step of 1; fit a line"),
            (lambda z, factor: z[factor > factor.median()].mean(0) - z[factor <= factor.median()].mean(0),
             "the difference of two halves, cut at the median, is no step of 1; fit a line"),
            (lambda z, factor: (products(z, factor) / total(factor)).mean().expand(z.shape[1]),
             "all dimensions get their mean; each has its own"),
            (lambda z, factor: products(z, factor).abs() / total(factor),
             "it has lost its signs: a dimension may fall as the factor grows"),
        ],
        extreme=[
            lambda z, factor: {"factor": 100 * factor},
            lambda z, factor: {"factor": 0.01 * factor},
        ],
        sizes=lambda z, factor: {"N, the number of images": len(z), "d, the number of dimensions": z.shape[1]},
    ),
    "agreement": Exercise(
        cosine_of,
        "z is (N, d), factor is (N,), known holds the numbers of M images, (M,); the answer is one number, a tensor of shape ()",
        labeled,
        [
            (lambda z, factor, known: cosine_similarity(z[known].T @ factor[known], z.T @ factor, dim=0),
             "no mean is subtracted: a direction is the slope of a line that need not pass through 0"),
            (lambda z, factor, known: cosine_similarity(z[known].T @ factor[known], products(z, factor), dim=0),
             "in the direction from the few, the means are not subtracted"),
            (lambda z, factor, known: cosine_similarity(products(z[known], factor[known]), z.T @ factor, dim=0),
             "in the direction from all images, the means are not subtracted"),
            (lambda z, factor, known: cosine_similarity(centered(z)[known].T @ centered(factor)[known], products(z, factor), dim=0),
             "the few are centered with the means of all: but only their own labels are known, so subtract their own mean"),
            (lambda z, factor, known: cosine_similarity(products(z[: len(known)], factor[: len(known)]), products(z, factor), dim=0),
             "it takes the first M images; known says which ones have labels"),
            (lambda z, factor, known: cosine_similarity(products(z[known], factor[: len(known)]), products(z, factor), dim=0),
             "codes and factors are of different images: known picks both"),
            (lambda z, factor, known: cosine_similarity(products(z[: len(known)], factor[known]), products(z, factor), dim=0),
             "the factors are those of known, the codes are not: known picks both"),
            (lambda z, factor, known: cosine_similarity(products(z[known], factor[known]), products(*others(z, factor, known)), dim=0),
             "it compares with the unlabeled images alone; compare with all of them"),
            (lambda z, factor, known: slope(z[known], factor[known]) @ slope(z, factor),
             "this is the inner product of the two directions; divide by both lengths"),
            (lambda z, factor, known: products(z[known], factor[known]) @ products(z, factor),
             "this is an inner product of sums; the cosine is without lengths: divide by both"),
            (lambda z, factor, known: slope(z[known], factor[known]) @ normalize(slope(z, factor), dim=0),
             "it divides by the length of the direction from all alone; divide by both lengths"),
            (lambda z, factor, known: normalize(slope(z[known], factor[known]), dim=0) @ slope(z, factor),
             "it divides by the length of the direction from the few alone; divide by both lengths"),
            (lambda z, factor, known: slope(z[known], factor[known]) @ slope(z, factor) / slope(z, factor).square().sum(),
             "it divides by the square of one length; divide by both lengths"),
            (lambda z, factor, known: (slope(z[known], factor[known]) - slope(z, factor)).norm(),
             "this is the distance between the two directions; take the cosine of their angle"),
            (lambda z, factor, known: slope(z[known], factor[known]).norm() / slope(z, factor).norm(),
             "this is the ratio of the two lengths; take the cosine of the angle"),
            (lambda z, factor, known: cosine_of(z, factor, known) ** 2,
             "the cosine is squared; leave it as it is, with its sign"),
            (lambda z, factor, known: cosine_of(z, factor, known).abs(),
             "the cosine has lost its sign: a direction that points the wrong way is worse than none"),
            (lambda z, factor, known: cosine_of(z, factor, known).acos(),
             "this is the angle, in radians; give its cosine"),
            (lambda z, factor, known: cosine_of(z, factor, known).acos().rad2deg(),
             "this is the angle, in degrees; give its cosine"),
            (lambda z, factor, known: 1 - cosine_of(z, factor, known),
             "this is 1 minus the cosine, a distance; give the cosine"),
            (lambda z, factor, known: -cosine_of(z, factor, known),
             "the sign of one of the two directions is flipped"),
            (lambda z, factor, known: cosine_similarity(products(z[known], factor[known]) / total(z[known]), products(z, factor) / total(z), dim=0),
             "it predicts the factor from each dimension; a direction says how z moves with the factor"),
            (lambda z, factor, known: cosine_similarity(products(z[known], factor[known]) / total(z[known]).sqrt(), products(z, factor) / total(z).sqrt(), dim=0),
             "it compares correlations, in which every dimension is scaled to variance 1; leave z its unit"),
            (lambda z, factor, known: cosine_similarity(halves(z[known], factor[known]), halves(z, factor), dim=0),
             "it compares the differences of two halves; fit lines"),
            (lambda z, factor, known: cosine_similarity(z[known].mean(0), z.mean(0), dim=0),
             "it compares the mean codes; the factor is not used"),
            (lambda z, factor, known: cosine_similarity(slope(z[known], factor[known]) - slope(z[known], factor[known]).mean(), slope(z, factor) - slope(z, factor).mean(), dim=0),
             "this is a correlation of the two directions: nothing is subtracted from a direction in a cosine"),
            (lambda z, factor, known: (slope(z[known], factor[known]).sign() == slope(z, factor).sign()).to(z).mean(),
             "it counts the dimensions whose signs agree; take the cosine"),
            (lambda z, factor, known: slope(z[known], factor[known]) / slope(z, factor),
             "this is a ratio for each dimension; the cosine is one number"),
            (lambda z, factor, known: slope(z[known], factor[known]),
             "this is the direction from the few; compare it with the one from all"),
        ],
        extreme=[
            lambda z, factor, known: {"factor": 100 * factor},
            lambda z, factor, known: {"z": 1e-3 * z},
            lambda z, factor, known: {"known": known.flip(0)},
        ],
        sizes=lambda z, factor, known: {
            "N, the number of images": len(z), "M, the number of labels": len(known),
            "d, the number of dimensions": z.shape[1],
        },
    ),
    "mutual_information_gap": Exercise(
        lambda information, entropy: gap(information) / entropy,
        "information is (factors, d), entropy is (factors,); the answer is (factors,)",
        lambda B, D, d: {"information": torch.rand(B, d + 1), "entropy": 1.2 + torch.rand(B)},
        [
            (lambda information, entropy: gap(information),
             "the division by the entropy is missing"),
            (lambda information, entropy: information.amax(1) / entropy,
             "this is the largest alone; subtract the second largest"),
            (lambda information, entropy: ranked(information)[:, 1] / entropy,
             "this is the second largest alone; subtract it from the largest"),
            (lambda information, entropy: (information.amax(1) - information.amin(1)) / entropy,
             "it subtracts the smallest; subtract the second largest"),
            (lambda information, entropy: (information.amax(1) - ranked(information)[:, 2]) / entropy,
             "it subtracts the third largest; subtract the second largest"),
            (lambda information, entropy: (ranked(information)[:, 1] - ranked(information)[:, 2]) / entropy,
             "it takes the second and the third largest; take the two largest"),
            (lambda information, entropy: (information.amax(1) - information.mean(1)) / entropy,
             "it subtracts the mean; subtract the second largest"),
            (lambda information, entropy: (information.amax(1) - information.median(1).values) / entropy,
             "it subtracts the median; subtract the second largest"),
            (lambda information, entropy: (2 * information.amax(1) - information.sum(1)) / entropy,
             "it subtracts all others; subtract the second largest alone"),
            (lambda information, entropy: (information.amax(1) - (information.sum(1) - information.amax(1)) / (information.shape[1] - 1)) / entropy,
             "it subtracts the mean of the others; subtract the second largest"),
            (lambda information, entropy: (information[:, 0] - information[:, 1]) / entropy,
             "it takes the first two dimensions; take the two largest"),
            (lambda information, entropy: (information[:, 0] - information[:, 1]).abs() / entropy,
             "it takes the distance of the first two dimensions; take the two largest"),
            (lambda information, entropy: (information[:, -1] - information[:, -2]) / entropy,
             "it takes the last two dimensions as they are; take the two largest"),
            (lambda information, entropy: (ranked(information)[:, -2] - ranked(information)[:, -1]) / entropy,
             "it takes the two smallest, as sorting from the bottom puts them first; take the two largest"),
            (lambda information, entropy: (ranked(information)[:, -1] - ranked(information)[:, -2]) / entropy,
             "it takes the two smallest, the lower one first; take the two largest"),
            (lambda information, entropy: -gap(information) / entropy,
             "the sign is flipped"),
            (lambda information, entropy: (gap(information) / entropy).mean(),
             "it averages over the factors; keep one value each"),
            (lambda information, entropy: ranked(information)[:, :2].sum(1) / entropy,
             "it adds the two largest; subtract"),
            (lambda information, entropy: ranked(information)[:, 0] - ranked(information)[:, 1] / entropy,
             "the second largest alone is divided by the entropy; brackets are missing"),
            (lambda information, entropy: ranked(information)[:, 0] / entropy - ranked(information)[:, 1],
             "the largest alone is divided by the entropy; divide both"),
            (lambda information, entropy: gap(information) / information.amax(1),
             "it divides by the largest; divide by the entropy"),
            (lambda information, entropy: gap(information) / ranked(information)[:, 1],
             "it divides by the second largest; divide by the entropy"),
            (lambda information, entropy: gap(information) / information.sum(1),
             "it divides by all information about the factor; divide by the entropy"),
            (lambda information, entropy: ranked(information)[:, 0] / ranked(information)[:, 1] / entropy,
             "it divides the largest by the second largest; subtract"),
            (lambda information, entropy: ranked(information)[:, 1] / ranked(information)[:, 0],
             "it is the ratio of the two largest; take their difference, over the entropy"),
            (lambda information, entropy: gap(information) * entropy,
             "it multiplies by the entropy; divide"),
            (lambda information, entropy: gap(information) / entropy.sum(),
             "it divides by the sum of all entropies; each factor has its own"),
            (lambda information, entropy: gap(information) / entropy.mean(),
             "it divides by the mean of the entropies; each factor has its own"),
            (lambda information, entropy: gap(information) / entropy.amax(),
             "it divides by the largest entropy; each factor has its own"),
            (lambda information, entropy: gap(information) / entropy[0],
             "it divides by the first factor's entropy; each factor has its own"),
            (lambda information, entropy: gap(information) / entropy.log(),
             "it takes the logarithm of the entropy, which is one already; divide by the entropy itself"),
            (lambda information, entropy: gap(information) / entropy.exp(),
             "it takes the exponential of the entropy; divide by the entropy itself"),
            (lambda information, entropy: gap(information) / entropy.sqrt(),
             "it divides by the root of the entropy; divide by the entropy itself"),
            (lambda information, entropy: gap(information) / entropy.square(),
             "it divides by the entropy twice"),
            (lambda information, entropy: gap(information) - entropy,
             "it subtracts the entropy; divide by it"),
            (lambda information, entropy: gap(information).square() / entropy,
             "the gap is squared; take it as it is"),
            (lambda information, entropy: gap(information / information.sum(1, keepdim=True)) / entropy,
             "each row is made to add up to 1 first; take the information as it is"),
            (lambda information, entropy: gap(information.softmax(1)) / entropy,
             "each row passes through a softmax first; take the information as it is"),
            (lambda information, entropy: (information.flatten().topk(2).values @ torch.tensor([1.0, -1.0], dtype=information.dtype)) / entropy,
             "it takes the two largest of the whole table; each row has its own"),
            (lambda information, entropy: (information.amax(1) - information.flatten().topk(2).values[1]) / entropy,
             "it subtracts the second largest of the whole table; each row has its own"),
            (lambda information, entropy: information.topk(2, 1).indices.float() @ torch.tensor([1.0, -1.0]) / entropy,
             "it subtracts the places of the two largest; subtract their values"),
            (lambda information, entropy: (ranked(information)[:, 0] - ranked(information)[:, 1] + 0 * entropy) / math.log(20),
             "it divides by log 20, the lesson's entropy; each factor's entropy is an argument"),
        ],
        extreme=lambda information, entropy: {
            "information": torch.cat([information, information.amax(1, keepdim=True)], dim=1)
        },
        terms=lambda information, entropy: {
            "the largest": ranked(information)[:, 0] / entropy, "the second largest": -ranked(information)[:, 1] / entropy,
        },
        sizes=lambda information, entropy: {
            "the number of factors": len(entropy), "d, the number of dimensions": information.shape[1],
        },
    ),
}
