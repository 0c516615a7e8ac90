"""The exercises of lesson 08: How tight is the bound?"""

import math

import torch

from vae_edu import marginal
from vae_edu.exercises.exercise import Exercise

# fmt: off
EXERCISES = {
    "importance_weighted_bound": Exercise(
        lambda log_w, k: marginal.log_mean_exp(log_w.unflatten(0, (-1, k)).transpose(0, 1)).mean(0),
        "log_w is (M, B), k divides M; the answer is (B,)",
        lambda B, D, d: {"log_w": -100 * B - 10 * torch.rand(D * d, B), "k": d},
        [
            (lambda log_w, k: log_w.logsumexp(0) - math.log(len(log_w)),
             "it averages all M weights at once, which is the bound for M; average k of them at a time"),
            (lambda log_w, k: log_w.mean(0),
             "this is the mean of the logarithms, the bound for k = 1 (the ELBO)"),
            (lambda log_w, k: log_w.unflatten(0, (-1, k)).exp().mean(1).log().mean(0),
             "exp underflows to 0 before the mean: use logsumexp, which takes out the largest first"),
            (lambda log_w, k: log_w.unflatten(0, (-1, k)).logsumexp(1).mean(0),
             "it is the logarithm of the sum of k weights; their mean has a −log k too"),
            (lambda log_w, k: log_w.unflatten(0, (-1, k)).logsumexp(1).mean(0) - math.log(len(log_w)),
             "it subtracts log M; each logarithm is of a mean of k weights"),
            (lambda log_w, k: (log_w.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).sum(0),
             "it adds up the groups; average them"),
            (lambda log_w, k: log_w.unflatten(0, (-1, k)).amax(1).mean(0),
             "this is the largest weight of each group; take the mean of the k"),
            (lambda log_w, k: (log_w.unflatten(0, (k, -1)).logsumexp(0) - math.log(k)).mean(0),
             "its groups are rows that lie M/k apart; take neighboring rows"),
            (lambda log_w, k: log_w[:k].logsumexp(0) - math.log(k),
             "it uses the first group only; average over all of them"),
            (lambda log_w, k: -(log_w.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).mean(0),
             "the sign is flipped: this is minus the bound"),
        ],
        extreme=lambda log_w, k: {"log_w": 10 * log_w},
    ),
    "normalized_weights": Exercise(
        lambda log_w: log_w.softmax(0),
        "log_w is (K, B); the answer is (K, B)",
        lambda B, D, d: {"log_w": -200 * B - 5 * torch.rand(2 * D, B)},
        [
            (lambda log_w: log_w.softmax(1),
             "it normalizes over the images; each image's K weights must add up to 1"),
            (lambda log_w: log_w.flatten().softmax(0).reshape(log_w.shape),
             "it normalizes over samples and images at once; each image's K weights must add up to 1"),
            (lambda log_w: log_w.exp(),
             "these are the weights themselves; divide by their sum (and they underflow)"),
            (lambda log_w: log_w.log_softmax(0),
             "these are the logarithms; give the normalized weights"),
            (lambda log_w: log_w / log_w.sum(0),
             "it normalizes the logarithms; the weights are exp(log_w)"),
            (lambda log_w: log_w.exp() / log_w.exp().sum(0),
             "exp underflows to 0, and 0/0 is not a number: use softmax"),
            (lambda log_w: (log_w - log_w.amax(0)).exp(),
             "the largest is 1; their sum must be: divide by it"),
            (lambda log_w: log_w.softmax(0) * len(log_w),
             "their mean is 1; their sum must be"),
        ],
    ),
    "negative_iwae_bound": Exercise(
        lambda log_likelihood, log_prior, log_q: -marginal.log_mean_exp(log_likelihood + log_prior - log_q),
        "all three are (K, B); the answer is (B,)",
        lambda B, D, d: {
            "log_likelihood": -100 * B - 10 * torch.rand(D, B), "log_prior": -torch.rand(D, B),
            "log_q": torch.randn(D, B),
        },
        [
            (lambda log_likelihood, log_prior, log_q: -(log_likelihood + log_prior - log_q).mean(0),
             "this is the mean of the logarithms, −ELBO; take the logarithm of the mean"),
            (lambda log_likelihood, log_prior, log_q: -(log_likelihood + log_prior - log_q).logsumexp(0),
             "it is the logarithm of the sum; the mean has a −log K too"),
            (lambda log_likelihood, log_prior, log_q: -(log_likelihood + log_prior - log_q).logsumexp(0) - math.log(len(log_q)),
             "−log K has the wrong sign: it belongs inside the minus"),
            (lambda log_likelihood, log_prior, log_q: (log_likelihood + log_prior - log_q).logsumexp(0) - math.log(len(log_q)),
             "this is the bound; a loss is minus the bound"),
            (lambda log_likelihood, log_prior, log_q: -(log_likelihood - log_q).logsumexp(0) + math.log(len(log_q)),
             "the prior p(z) is missing from the weights"),
            (lambda log_likelihood, log_prior, log_q: -(log_likelihood + log_prior).logsumexp(0) + math.log(len(log_q)),
             "q(z|x) is missing: a weight divides by the density that its z was drawn from"),
            (lambda log_likelihood, log_prior, log_q: -(log_likelihood + log_prior + log_q).logsumexp(0) + math.log(len(log_q)),
             "it multiplies by q(z|x); divide by it"),
            (lambda log_likelihood, log_prior, log_q: (-(log_likelihood + log_prior - log_q).logsumexp(0) + math.log(len(log_q))).mean(),
             "it averages over the images; keep one value each, (B,)"),
            (lambda log_likelihood, log_prior, log_q: -(log_likelihood + log_prior - log_q).logsumexp(1) + math.log(log_q.shape[1]),
             "it averages over the images; average over the samples, dimension 0"),
            (lambda log_likelihood, log_prior, log_q: -(log_likelihood + log_prior - log_q).exp().mean(0).log(),
             "exp underflows to 0 before the mean: use logsumexp, which takes out the largest first"),
        ],
        extreme=lambda log_likelihood, log_prior, log_q: {"log_likelihood": 10 * log_likelihood},
        gradients=("log_likelihood", "log_prior", "log_q"),
    ),
}
