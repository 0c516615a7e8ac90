"""The exercises of lesson 06: Generating data."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, softmax

from vae_edu import aggregate_posterior
from vae_edu.exercises.exercise import Exercise


def probability(eps: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """The probability of ink at every pixel, from a decoder with one layer."""
    return (eps @ W.T + b).sigmoid()


def apart(u: Tensor, p: Tensor) -> Tensor:
    """Numbers u, uniform from 0 to 1, moved where they are so close to p that rounding could decide."""
    return torch.where((u - p).abs() < 1e-3, (u + 0.5) % 1, u)


def generation(B: int, D: int, d: int) -> dict[str, Tensor]:
    """Arguments for "generate_images", with logits of about −3 to 3."""
    eps, W, b = torch.randn(B, d), torch.randn(D * D + 1, d), torch.randn(D * D + 1)
    return {"eps": eps, "W": W, "b": b, "u": apart(torch.rand(B, D * D + 1), probability(eps, W, b))}


def covered(mu: Tensor) -> Tensor:
    """The covariance of the rows of mu, divided by their number."""
    return (mu - mu.mean(0)).T @ (mu - mu.mean(0)) / len(mu)


def correlated(d: int) -> Tensor:
    """A random covariance (d, d) of which all dimensions are correlated, and none nearly fully."""
    share = (0.5 + 0.4 * torch.rand(d)) * torch.randn(d).sign()
    spread = 0.5 + 2 * torch.rand(d)
    return spread[:, None] * spread * (torch.outer(share, share) + (1 - share**2).diag())


def correlation(covariance: Tensor) -> Tensor:
    """The correlations of a covariance, (d, d)."""
    return covariance / (covariance.diag()[:, None] * covariance.diag()).sqrt()


def squared(x: Tensor, train: Tensor) -> Tensor:
    """The squared distances of all x from all of train, (B, N)."""
    return (x[:, None] - train).square().flatten(2).sum(2)


def pictures(number: int, patterns: Tensor) -> Tensor:
    """Random images of different brightness, each a mixture of a few patterns (P, C, H, W), from 0 to 1."""
    mixed = torch.einsum("np,pchw->nchw", torch.randn(number, len(patterns)), patterns).sigmoid()
    return mixed * (0.4 + 0.6 * torch.rand(number, 1, 1, 1))


def alike(x: Tensor, train: Tensor) -> list[Tensor]:
    """What is nearest by other measures: one channel, absolute differences, the cosine, apart from the mean."""
    first = squared(x[:, :1], train[:, :1]).argmin(1)
    x, train = x.flatten(1), train.flatten(1)
    less, train_less = (images - images.mean(1, keepdim=True) for images in (x, train))
    by_cosine = cosine_similarity(x[:, None], train, dim=2).argmax(1)
    return [first, torch.cdist(x, train, p=1).argmin(1), by_cosine, torch.cdist(less, train_less).argmin(1)]


def neighbors(B: int, D: int) -> dict[str, Tensor]:
    """Arguments for "nearest", in two or three channels.

    No second image is nearly as near as the first, and in a larger batch other measures would find another
    one for some image.
    """
    patterns = torch.randn(3, 2 + B % 2, D - 1, D)
    while True:
        x, train = pictures(B, patterns), pictures(5 * B + 2, patterns)
        near = squared(x, train).topk(2, dim=1, largest=False)
        clear = (near.values[:, 0] < 0.99 * near.values[:, 1]).all()
        if clear and (B == 1 or all((other != near.indices[:, 0]).any() for other in alike(x, train))):
            return {"x": x, "train": train}


# fmt: off
EXERCISES = {
    "generate_images": Exercise(
        lambda eps, W, b, u: (u < probability(eps, W, b)).float(),
        "eps is (B, d), W is (D, d), b is (D,), u is (B, D); the answer is (B, D), of 0s and 1s",
        generation,
        [
            (lambda eps, W, b, u: probability(eps, W, b),
             "step 3 is missing: this is the mean of p(x|z), not a sample"),
            (lambda eps, W, b, u: (probability(eps, W, b) > 0.5).float(),
             "it rounds the mean; a pixel is 1 with that probability: compare with u"),
            (lambda eps, W, b, u: (u > probability(eps, W, b)).float(),
             "it is the wrong way round: u < p happens with probability p"),
            (lambda eps, W, b, u: (1 - u < probability(eps, W, b)).float(),
             "1 − u or p + u > 1 has the right probability, but the pixel is 1 for the other values of u: compare u itself with p"),
            (lambda eps, W, b, u: (probability(eps, W, b) - u > 0.5).float(),
             "u must be smaller than p, by however little; here it must be by ½"),
            (lambda eps, W, b, u: (probability(eps, W, b) * u > 0.5).float(),
             "it multiplies p by u and rounds; compare the two"),
            (lambda eps, W, b, u: (u > 0.5).float(),
             "the image is u rounded; the decoder's probability is not used"),
            (lambda eps, W, b, u: (u < eps @ W.T + b).float(),
             "the decoder's output is a logit; make it a probability with the sigmoid"),
            (lambda eps, W, b, u: (u < softmax(eps @ W.T + b, 1)).float(),
             "a softmax shares one unit of ink among all pixels; each pixel has a sigmoid of its own"),
            (lambda eps, W, b, u: (u < probability(eps, W, b).sigmoid()).float(),
             "the sigmoid is taken twice"),
            (lambda eps, W, b, u: (u < (eps @ W.T + b).tanh()).float(),
             "the hyperbolic tangent goes from −1 to 1; a probability comes from the sigmoid"),
            (lambda eps, W, b, u: (u < torch.nn.functional.softplus(eps @ W.T + b)).float(),
             "a softplus has no upper end; a probability comes from the sigmoid"),
            (lambda eps, W, b, u: (u < (0.5 * (eps @ W.T + b)).sigmoid()).float(),
             "the logit is halved before the sigmoid"),
            (lambda eps, W, b, u: (u < (eps @ W.T + b).exp()).float(),
             "exp of a logit are the odds p / (1 − p); the sigmoid gives p"),
            (lambda eps, W, b, u: (u < ((eps @ W.T + b).tanh() + 1) / 2).float(),
             "the hyperbolic tangent, moved to 0 … 1, is the sigmoid of twice the logit"),
            (lambda eps, W, b, u: (u < torch.special.ndtr(eps @ W.T + b)).float(),
             "this is the normal distribution function; the sigmoid is asked for"),
            (lambda eps, W, b, u: (u < (-(eps @ W.T + b)).sigmoid()).float(),
             "the sigmoid gets minus the logit: this is the probability of no ink"),
            (lambda eps, W, b, u: (u < (eps.sigmoid() @ W.T + b).sigmoid()).float(),
             "the code goes through a sigmoid before the decoder; z = eps as it is"),
            (lambda eps, W, b, u: (u < (eps @ W.T).sigmoid() + b).float(),
             "b is added to the probability; it belongs to the logit, before the sigmoid"),
            (lambda eps, W, b, u: (u < (eps @ W.T).sigmoid()).float(),
             "the bias b is missing"),
            (lambda eps, W, b, u: (u < (eps @ W.T - b).sigmoid()).float(),
             "the bias b is subtracted"),
            (lambda eps, W, b, u: (u < (eps * eps.std(0, correction=min(1, len(eps) - 1)) @ W.T + b).sigmoid()).float(),
             "the code is scaled; eps is from the prior N(0, I) already"),
            (lambda eps, W, b, u: (u < ((eps - eps.mean(0)) @ W.T + b).sigmoid()).float(),
             "the mean of the batch is subtracted from the codes; eps is from the prior as it is"),
            (lambda eps, W, b, u: (u < (eps / eps.norm(dim=1, keepdim=True) @ W.T + b).sigmoid()).float(),
             "the codes are scaled to length 1; eps is from the prior as it is"),
            (lambda eps, W, b, u: (u < (eps[:1] @ W.T + b).sigmoid()).float(),
             "all images share one code; each has its own"),
            (lambda eps, W, b, u: (u < b.sigmoid()).float().expand(len(eps), -1),
             "the code is not used at all"),
            (lambda eps, W, b, u: eps @ W.T + b,
             "these are logits; the sigmoid and step 3 are missing"),
            (lambda eps, W, b, u: (u[:1] < probability(eps, W, b)).float(),
             "all images share one row of u; each has its own"),
            (lambda eps, W, b, u: (u[:, :1] < probability(eps, W, b)).float(),
             "all pixels of an image share one number of u, so that they are not independent; each has its own"),
            (lambda eps, W, b, u: (u < probability(eps, W, b)) * probability(eps, W, b),
             "a pixel with ink is p; a sample is 0 or 1"),
            (lambda eps, W, b, u: (u < probability(eps, W, b)) * 2.0 - 1,
             "a pixel without ink is −1; it is 0"),
            (lambda eps, W, b, u: (u < probability(eps, W, b)) * 255.0,
             "a pixel with ink is 255; it is 1"),
            (lambda eps, W, b, u: (u < probability(eps, W, b).mean(1, keepdim=True)).float(),
             "all pixels of an image have one probability; each has its own"),
            (lambda eps, W, b, u: (u < probability(eps, W, b).mean(0)).float(),
             "all images share one mean of the probabilities; each has its own"),
            (lambda eps, W, b, u: probability(eps, W, b) - u,
             "it subtracts u; ask whether u is the smaller one, so that a pixel is 0 or 1"),
            (lambda eps, W, b, u: (eps @ W.T + b + u).sigmoid(),
             "u is added to the logit; compare it with the probability"),
            (lambda eps, W, b, u: (u < (eps @ W.T + b).exp().sigmoid()).float(),
             "the logit goes through exp before the sigmoid, which has it in already"),
            (lambda eps, W, b, u: (u.sort(1).values < probability(eps, W, b)).float(),
             "u is sorted; every pixel has its own number, in the order given"),
            (lambda eps, W, b, u: u * probability(eps, W, b),
             "it multiplies the mean by u; compare the two, so that a pixel is 0 or 1"),
            (lambda eps, W, b, u: (probability(eps, W, b) + u).round(),
             "it adds u to the mean and rounds, so that pixels can be 2; compare the two"),
        ],
        extreme=lambda eps, W, b, u: {"W": 100 * W, "u": apart(u, probability(eps, 100 * W, b))},
        sizes=lambda eps, W, b, u: {
            "B, the number of images": len(eps), "D, the number of pixels": len(b),
            "d, the number of latent dimensions": eps.shape[1],
        },
    ),
    "aggregate_covariance": Exercise(
        lambda mu, logvar: covered(mu) + logvar.exp().mean(0).diag(),
        "mu and logvar are (B, d); the answer is (d, d)",
        lambda B, D, d: {"mu": torch.randn(B, d) + 1, "logvar": torch.randn(B, d)},
        [
            (lambda mu, logvar: covered(mu),
             "this is the covariance of the means; the mean of the variances is missing"),
            (lambda mu, logvar: logvar.exp().mean(0).diag(),
             "this is the mean of the variances; the covariance of the means is missing"),
            (lambda mu, logvar: mu.T @ mu / len(mu) + logvar.exp().mean(0).diag(),
             "the mean of μ is not subtracted"),
            (lambda mu, logvar: (mu - mu.mean()).T @ (mu - mu.mean()) / len(mu) + logvar.exp().mean(0).diag(),
             "one mean of all dimensions is subtracted; each dimension has its own"),
            (lambda mu, logvar: covered(mu - mu.mean(1, keepdim=True)) + logvar.exp().mean(0).diag(),
             "each image's mean over its dimensions is subtracted; subtract the mean over the images"),
            (lambda mu, logvar: covered(mu) * len(mu) / max(len(mu) - 1, 1) + logvar.exp().mean(0).diag(),
             "the covariance of the means is divided by B − 1, as PyTorch does by default; q(z) is the mixture of these B alone, so divide by B"),
            (lambda mu, logvar: (covered(mu) + logvar.exp().mean(0).diag()) * len(mu) / max(len(mu) - 1, 1),
             "everything is divided by B − 1; divide by B"),
            (lambda mu, logvar: correlation(covered(mu)) + logvar.exp().mean(0).diag(),
             "it has the correlations of the means; take their covariances"),
            (lambda mu, logvar: correlation(covered(mu) + logvar.exp().mean(0).diag()),
             "these are correlations, with 1 on the diagonal; give the covariances"),
            (lambda mu, logvar: covered(mu) + logvar.mean(0).diag(),
             "it adds log σ²; the variance is exp(log σ²)"),
            (lambda mu, logvar: covered(mu) + (0.5 * logvar).exp().mean(0).diag(),
             "it adds σ; add the variance σ²"),
            (lambda mu, logvar: covered(mu) + (0.5 * logvar).exp().mean(0).square().diag(),
             "it averages σ and squares the mean; average the variances σ²"),
            (lambda mu, logvar: covered(mu) + (2 * logvar).exp().mean(0).diag(),
             "log σ² is taken for log σ: the variance is exp(log σ²)"),
            (lambda mu, logvar: covered(mu) + (-logvar).exp().mean(0).diag(),
             "it adds the precisions 1/σ²; add the variances"),
            (lambda mu, logvar: covered(mu) + logvar.exp().mean(0),
             "it adds the variances to whole columns; they belong on the diagonal"),
            (lambda mu, logvar: covered(mu) + logvar.exp().mean(0)[:, None],
             "it adds the variances to whole rows; they belong on the diagonal"),
            (lambda mu, logvar: covered(mu) + logvar.exp().mean() * torch.eye(mu.shape[1]),
             "one mean of all variances is on the diagonal; each dimension has its own"),
            (lambda mu, logvar: covered(mu) + covered(logvar.exp()),
             "it adds the covariance of the variances; add their mean"),
            (lambda mu, logvar: covered(mu) + logvar.exp().var(0, correction=min(1, len(mu) - 1)).diag(),
             "it adds the variance of the variances; add their mean"),
            (lambda mu, logvar: covered(mu) + logvar.exp()[0].diag(),
             "it adds the first image's variances; add the mean over the images"),
            (lambda mu, logvar: covered(mu) + logvar.exp().mean(0).square().diag(),
             "the variances are squared; exp(log σ²) is the variance itself"),
            (lambda mu, logvar: covered(mu) + (logvar.exp().T @ logvar.exp()) / len(mu),
             "it adds products of variances; only their mean is asked for, on the diagonal"),
            (lambda mu, logvar: covered(mu) + covered((0.5 * logvar).exp()),
             "it adds the covariance of σ; add the mean of the variances"),
            (lambda mu, logvar: covered(mu + (0.5 * logvar).exp()),
             "this is the covariance of μ + σ; the variances inside each q(z|x) add up on their own"),
            (lambda mu, logvar: covered(mu + logvar.exp()),
             "this is the covariance of μ + σ²; the variances inside each q(z|x) add up on their own"),
            (lambda mu, logvar: covered(mu) + torch.eye(mu.shape[1]),
             "it adds the prior's covariance I; add the mean of the encoder's variances"),
            (lambda mu, logvar: len(mu) * (covered(mu) + logvar.exp().mean(0).diag()),
             "it sums over the images; average over them"),
            (lambda mu, logvar: len(mu) * covered(mu) + logvar.exp().mean(0).diag(),
             "the products of the means are not divided by B"),
            (lambda mu, logvar: covered(mu) + logvar.exp().sum(0).diag(),
             "the variances are summed; average them over the images"),
            (lambda mu, logvar: covered(mu) + logvar.exp().mean(0).diag() / len(mu),
             "the variances are divided by B twice"),
            (lambda mu, logvar: covered(mu) * len(mu) / mu.shape[1] + logvar.exp().mean(0).diag(),
             "the products of the means are divided by the number of dimensions; divide by that of the images"),
            (lambda mu, logvar: covered(mu) + logvar.mean(0).exp().diag(),
             "it averages log σ² first; average the variances"),
            (lambda mu, logvar: covered(mu).diag() + logvar.exp().mean(0),
             "these are the variances alone; the covariance is (d, d)"),
            (lambda mu, logvar: (covered(mu).diag() + logvar.exp().mean(0)).diag(),
             "beside the diagonal everything is 0; the means co-vary there"),
            (lambda mu, logvar: covered(mu) - logvar.exp().mean(0).diag(),
             "the mean of the variances is subtracted; add it"),
            (lambda mu, logvar: mu.T @ mu / len(mu) + torch.outer(mu.mean(0), mu.mean(0)) + logvar.exp().mean(0).diag(),
             "the product of the mean with itself is added; subtract it"),
            (lambda mu, logvar: torch.outer(mu.mean(0), mu.mean(0)) + logvar.exp().mean(0).diag(),
             "it multiplies the means over the images; multiply for each image, then average"),
            (lambda mu, logvar: (covered(mu) + logvar.exp().mean(0).diag()).inverse(),
             "this is the inverse, the precision; give the covariance"),
        ],
        extreme=lambda mu, logvar: {"mu": 20 * mu, "logvar": 4 * logvar},
        terms=lambda mu, logvar: {
            "the mean of the variances": logvar.exp().mean(0).diag(), "the covariance of the means": covered(mu),
        },
        sizes=lambda mu, logvar: {
            "B, the number of images": len(mu), "d, the number of latent dimensions": mu.shape[1],
        },
    ),
    "total_correlation": Exercise(
        aggregate_posterior.total_correlation,
        "covariance is (d, d); the answer is one number, a tensor of shape ()",
        lambda B, D, d: {"covariance": correlated(d)},
        [
            (lambda covariance: covariance.diag().log().sum() - covariance.logdet(),
             "the factor ½ is missing"),
            (lambda covariance: 0.5 * covariance.diag().log().sum() - covariance.logdet(),
             "the ½ is on the first term only; it halves both"),
            (lambda covariance: covariance.diag().log().sum() - 0.5 * covariance.logdet(),
             "the ½ is on the log-determinant only; it halves both terms"),
            (lambda covariance: 0.5 * (covariance.logdet() - covariance.diag().log().sum()),
             "the sign is flipped; a divergence is never negative"),
            (lambda covariance: covariance.logdet() - covariance.diag().log().sum(),
             "the sign is flipped, and the ½ is missing"),
            (lambda covariance: -0.5 * covariance.logdet(),
             "the variances are missing: this is 0 only where they are 1"),
            (lambda covariance: 0.5 * covariance.logdet(),
             "this is half the log-determinant alone; the variances are missing, and the sign"),
            (lambda covariance: 0.5 * covariance.diag().log().sum(),
             "the determinant is missing"),
            (lambda covariance: 0.5 * (covariance.diag().log().mean() - covariance.logdet()),
             "it averages over the dimensions; sum"),
            (lambda covariance: 0.5 * (covariance.diag().log() - covariance.logdet()),
             "it keeps a value for each dimension; sum the logarithms of the variances"),
            (lambda covariance: 0.5 * (covariance.diag().log() - covariance.logdet()).sum(),
             "the log-determinant is inside the sum, once for each dimension; subtract it once"),
            (lambda covariance: 0.5 * (covariance.diag().sum().log() - covariance.logdet()),
             "it takes the log of the sum of the variances; sum their logs"),
            (lambda covariance: 0.5 * (covariance.diag().mean().log() - covariance.logdet()),
             "it takes the log of the mean of the variances; sum their logs"),
            (lambda covariance: 0.5 * (covariance.diag().sum() - covariance.logdet()),
             "it sums the variances; sum their logs"),
            (lambda covariance: 0.5 * (covariance.diag().sum() - len(covariance) - covariance.logdet()),
             "this is the divergence from N(0, I); total correlation compares with the product of its own dimensions"),
            (lambda covariance: 0.5 * (covariance.diag().prod() - covariance.det()),
             "the logarithms are missing"),
            (lambda covariance: 0.5 * (covariance.diag().prod() - covariance.det()).log(),
             "it takes the logarithm of the difference; take the difference of the logarithms"),
            (lambda covariance: 0.5 * covariance.diag().prod() / covariance.det(),
             "this is half the ratio; take its logarithm"),
            (lambda covariance: 0.5 * (covariance.diag().log().sum() - covariance.det()),
             "it subtracts the determinant; subtract its logarithm"),
            (lambda covariance: 0.5 * (covariance.diag().log().sum() / covariance.logdet()),
             "it divides the logarithms; subtract them"),
            (lambda covariance: 0.5 * (covariance.diag().sqrt().log().sum() - 0.5 * covariance.logdet()),
             "it takes standard deviations and halves once more; the ½ counts once"),
            (lambda covariance: 0.5 * (torch.linalg.eigvalsh(covariance).log().sum() - covariance.logdet()),
             "the eigenvalues' logarithms add up to the log-determinant; the variances are on the diagonal"),
            (lambda covariance: torch.linalg.eigvalsh(covariance).log().sum() / 2 - covariance.diag().log().sum(),
             "the eigenvalues have the ½ and the variances do not, and the difference is the wrong way round"),
            (lambda covariance: 0.5 * (covariance.abs().log().sum() - covariance.logdet()),
             "it sums the logarithms of all entries; the variances are on the diagonal"),
            (lambda covariance: 0.5 * (covariance.log().sum() - covariance.logdet()),
             "it takes the logarithm of every entry, and covariances may be negative; the variances are on the diagonal"),
            (lambda covariance: 0.5 * (covariance.diag().log2().sum() - covariance.logdet()),
             "one logarithm is to base 2, the other is natural; take natural ones"),
            (lambda covariance: 0.5 * covariance.sum().log() - 0.5 * covariance.logdet(),
             "it takes the logarithm of the sum of all entries; sum the logarithms of the diagonal"),
            (lambda covariance: 0.5 * (covariance[0].abs().log().sum() - covariance.logdet()),
             "it sums over the first row; the variances are on the diagonal"),
            (lambda covariance: 0.5 * (covariance[:, 0].log().sum() - covariance.logdet()),
             "it takes logarithms of a row or a column, and covariances may be negative; the variances are on the diagonal"),
            (lambda covariance: 0.5 * (covariance.diag().log1p().sum() - covariance.logdet()),
             "log1p is the logarithm of 1 + v; take log"),
            (lambda covariance: 0.5 * (covariance.diag().log().sum() - (covariance + 1e-3 * torch.eye(len(covariance))).logdet()),
             "a small constant is added to the diagonal; take the covariance as it is"),
            (lambda covariance: 0.5 * (covariance.diag().log().sum() - torch.linalg.slogdet(covariance)[0]),
             "slogdet gives the sign first and the logarithm second; this is the sign"),
            (lambda covariance: (covariance - covariance.diag().diag()).abs().sum(),
             "it adds up covariances; follow the formula with the determinant"),
            (lambda covariance: (covariance - covariance.diag().diag()).square().sum(),
             "it adds up squared covariances; follow the formula with the determinant"),
            (lambda covariance: 0.5 * (correlation(covariance).square().sum() - len(covariance)),
             "it adds up squared correlations, which is near for small ones alone; follow the formula with the determinant"),
            (lambda covariance: 0.5 * (1 - correlation(covariance).det()),
             "it is 1 minus the determinant of the correlations; take minus its logarithm"),
            (lambda covariance: -0.5 * (1 - correlation(covariance).square()).clamp(min=1e-12).log().triu(1).sum(),
             "it adds up the pairs' mutual informations; more than two dimensions share some of them: use the determinant"),
            (lambda covariance: 0.5 * (covariance.diag().log().sum() + covariance.logdet()),
             "the log-determinant is added; subtract it"),
            (lambda covariance: 0.5 * (covariance.diag().log().sum() - covariance.logdet()) / len(covariance),
             "it divides by the number of dimensions; total correlation is a sum"),
            (lambda covariance: 0.5 * (covariance.diag().log().sum() - covariance.logdet()) / math.log(2),
             "these are bits; this lesson counts in nats"),
            (lambda covariance: (0.5 * (covariance.diag().log().sum() - covariance.logdet())).exp(),
             "it takes the exponential in the end; give the nats themselves"),
            (lambda covariance: 0.5 * (len(covariance) * math.log(2 * math.pi * math.e) + covariance.logdet()),
             "this is the Gaussian's entropy; subtract it from the sum of its dimensions' entropies"),
        ],
        extreme=[
            lambda covariance: {"covariance": 1000 * covariance},
            lambda covariance: {"covariance": 1e-4 * covariance},
        ],
        terms=lambda covariance: {
            "the term with the variances": 0.5 * covariance.diag().log().sum(),
            "the term with the determinant": -0.5 * covariance.logdet(),
        },
        sizes=lambda covariance: {"d, the number of dimensions": len(covariance)},
    ),
    "nearest": Exercise(
        lambda x, train: squared(x, train).argmin(1),
        "x is (B, C, H, W), train is (N, C, H, W); the answer is (B,), rows of train",
        lambda B, D, d: neighbors(B, D),
        [
            (lambda x, train: squared(x, train).argmax(1),
             "this is the farthest image: argmin"),
            (lambda x, train: (x[:, None] - train).square().sum((1, 2, 3)).argmin(1),
             "the sum runs over the images of train and leaves out W; sum over dimensions 2, 3 and 4"),
            (lambda x, train: (255 * x).byte()[:, None].sub((255 * train).byte()).square().sum((2, 3, 4)).argmin(1),
             "differences of bytes wrap around at 0 and 255; subtract floats"),
            (lambda x, train: squared(x, train[: len(x)]).argmin(1),
             "it looks at the first B images of train alone; compare with all N"),
            (lambda x, train: squared(x[..., :-1, :], train[..., :-1, :]).argmin(1),
             "the last row of pixels is left out"),
            (lambda x, train: squared(x[..., :-1], train[..., :-1]).argmin(1),
             "the last column of pixels is left out"),
            (lambda x, train: squared(x, train).amin(1),
             "this is the smallest squared distance; give which image has it"),
            (lambda x, train: squared(x, train).sqrt().amin(1),
             "this is the smallest distance; give which image has it"),
            (lambda x, train: squared(x, train).argmin(0),
             "this is the nearest x of each training image; take the argmin over train, dimension 1"),
            (lambda x, train: train[squared(x, train).argmin(1)],
             "these are the images; give their rows in train"),
            (lambda x, train: squared(x, train),
             "these are the distances of all pairs; give the row of train with the smallest one"),
            (lambda x, train: squared(x, train).argsort(1),
             "it ranks all training images; give the nearest one"),
            (lambda x, train: squared(x, train).argmin(1) + 1,
             "rows count from 0"),
            (lambda x, train: (x.flatten(1) @ train.flatten(1).T).argmax(1),
             "it takes the largest inner product, which favors images with much ink"),
            (lambda x, train: (x.flatten(1) @ train.flatten(1).T).argmin(1),
             "it takes the smallest inner product; square the differences instead"),
            (lambda x, train: cosine_similarity(x.flatten(1)[:, None], train.flatten(1), dim=2).argmax(1),
             "it compares directions (the cosine), not distances: a darker image of the same shape is as near"),
            (lambda x, train: cosine_similarity(x.flatten(1)[:, None], train.flatten(1), dim=2).argmin(1),
             "it takes the smallest cosine, so the image in the least similar direction; square the differences instead"),
            (lambda x, train: squared(x / x.flatten(1).norm(dim=1)[:, None, None, None], train).argmin(1),
             "x is scaled to length 1; compare the images as they are"),
            (lambda x, train: squared(x - x.mean((1, 2, 3), keepdim=True), train - train.mean((1, 2, 3), keepdim=True)).argmin(1),
             "each image's mean is subtracted first; compare the images as they are"),
            (lambda x, train: squared(x.round(), train.round()).argmin(1),
             "the images are rounded first; compare them as they are"),
            (lambda x, train: (x[:, None] - train).flatten(2).abs().sum(2).argmin(1),
             "it adds up absolute differences; the Euclidean distance squares them"),
            (lambda x, train: (x[:, None] - train).flatten(2).abs().amax(2).argmin(1),
             "it compares the largest difference of a pixel; the Euclidean distance adds up all squares"),
            (lambda x, train: (x[:, None] - train).flatten(2).sum(2).abs().argmin(1),
             "it compares the ink alone: square each difference before the sum"),
            (lambda x, train: (x[:, None] - train).flatten(2).sum(2).argmin(1),
             "differences are not squared, so that the lowest is not the nearest but the one with the most ink"),
            (lambda x, train: (x[:, None] - train).flatten(2).pow(3).sum(2).argmin(1),
             "an odd power keeps the sign of a difference; square it"),
            (lambda x, train: (x[:, None] - train).flatten(2).median(2).values.abs().argmin(1),
             "it compares the median of the differences; add up their squares"),
            (lambda x, train: (x[:, None].square() - train.square()).flatten(2).sum(2).abs().argmin(1),
             "it subtracts squares, which compares lengths; square the differences"),
            (lambda x, train: squared(x[:, :1], train[:, :1]).argmin(1),
             "it looks at the first channel alone"),
            (lambda x, train: squared(x.mean(1, keepdim=True), train.mean(1, keepdim=True)).argmin(1),
             "it averages over the channels first; compare each channel with its own"),
            (lambda x, train: squared(x[:, :, :1], train[:, :, :1]).argmin(1),
             "it looks at the first row of pixels alone; sum over all of (C, H, W)"),
            (lambda x, train: squared(x[..., :1], train[..., :1]).argmin(1),
             "it looks at the first column of pixels alone; sum over all of (C, H, W)"),
            (lambda x, train: squared(x, train).argmin(),
             "it finds one image for all; keep one for each x, (B,)"),
            (lambda x, train: squared(x, train).sum(0).argmin().expand(len(x)),
             "it averages x or adds up its distances: one training image for all; keep one for each x"),
            (lambda x, train: squared(x[:1], train).argmin(1).expand(len(x)),
             "it finds the image for the first x, and all get that"),
            (lambda x, train: train.flatten(1).square().sum(1).argmin() * torch.ones(len(x)),
             "x makes no difference to it"),
            (lambda x, train: squared(x, train).argsort(1)[:, 1],
             "this is the second nearest"),
        ],
        sizes=lambda x, train: {
            "B, the number of images": len(x), "N, the number of training images": len(train),
            "C, the number of channels": x.shape[1], "the number of values of an image": x[0].numel(),
        },
    ),
}
