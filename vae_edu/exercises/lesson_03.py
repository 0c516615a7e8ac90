"""The exercises of lesson 03: Bayes' rule."""

import torch

from vae_edu import marginal
from vae_edu.exercises.exercise import Exercise

EXERCISES = {
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
        extreme=lambda log_joint, step: {"log_joint": 20 * (log_joint - log_joint.amax((0, 1)))},
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
        extreme=lambda log_likelihood, log_prior, log_q: {"log_likelihood": -1000 * log_likelihood.abs()},
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
        extreme=lambda log_likelihood, log_prior, log_q: {"log_likelihood": 10 * log_likelihood},
    ),
    "effective_samples": Exercise(
        lambda log_w: (2 * log_w.logsumexp(0) - (2 * log_w).logsumexp(0)).exp(),
        "log_w is (K, B); the answer is (B,)",
        lambda B, D, d: {"log_w": -40 * B + 3 * torch.randn(4 * D, B)},
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
        extreme=lambda log_w: {"log_w": 10 * (log_w - log_w.amax(0))},
    ),
}
