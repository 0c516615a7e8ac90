"""The exercises of lesson 06: Generating data."""

import torch

from vae_edu import aggregate_posterior
from vae_edu.exercises.exercise import Exercise

EXERCISES = {
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
        extreme=lambda eps, W, b, u: {"W": 100 * W},
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
        extreme=lambda mu, logvar: {"mu": 20 * mu, "logvar": 4 * logvar},
    ),
    "total_correlation": Exercise(
        aggregate_posterior.total_correlation,
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
        extreme=lambda covariance: {"covariance": 1000 * covariance},
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
}
