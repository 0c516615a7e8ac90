"""Right answers to every exercise, each in other styles than the reference."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence


def at_every_second_pixel(x, k):
    rows, columns = (range(0, size - 2, 2) for size in x.shape[2:])
    values = [[(x[:, :, i : i + 3, j : j + 3] * k).sum((1, 2, 3)) for j in columns] for i in rows]
    return torch.stack([torch.stack(row, 1) for row in values], 1)


def sequential(W, b, u):
    x = torch.zeros_like(u)
    for t in range(u.shape[1]):
        p = torch.sigmoid(b[t] + (x * W[t] * (torch.arange(u.shape[1], device=u.device) < t)).sum(1))
        x[:, t] = (p > u[:, t]).to(u)
    return x


def by_index(x):
    answer = torch.zeros_like(x)
    for t in range(1, x.shape[1]):
        answer[:, t] = x[:, t - 1]
    return answer


def in_loops(W, b, u):
    x = torch.zeros_like(u)
    for i in range(len(u)):
        for t in range(len(b)):
            logit = b[t] + torch.dot(W[t, :t], x[i, :t])
            if u[i, t] < 1 / (1 + torch.exp(-logit)):
                x[i, t] = 1
    return x


RIGHT = {
    "chain_rule": [
        lambda x, p: (x * p.log() + (1 - x) * (1 - p).log()).sum(1),
        lambda x, p: Bernoulli(p).log_prob(x).sum(-1),
        lambda x, p: torch.stack(
            [sum((b if a else 1 - b).log() for a, b in zip(*rows)) for rows in zip(x, p)]
        ),
        lambda x, p: (2 * x - 1).double().mul(p).add(1 - x).log().sum(1),
        lambda x, p: torch.where(x.bool(), p.log(), torch.log1p(-p)).sum(dim=-1),
        lambda x, p: -F.binary_cross_entropy(p, x, reduction="none").sum(1),
        lambda x, p: torch.einsum("bt->b", (1 - (x - p).abs()).log()),
    ],
    "standard_error": [
        lambda log_p: (log_p.var() / len(log_p)).sqrt(),
        lambda log_p: float(log_p.double().std()) / len(log_p) ** 0.5,
        lambda log_p: ((log_p - log_p.mean()).square().sum() / (len(log_p) - 1) / len(log_p)) ** 0.5,
        lambda log_p: log_p.std(correction=0) / (len(log_p) - 1) ** 0.5,
        lambda log_p: log_p.numpy(force=True).std(ddof=1) / len(log_p) ** 0.5,
    ],
    "shift": [
        lambda x: torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1),
        lambda x: x.roll(1, 1) * (torch.arange(x.shape[1], device=x.device) > 0),
        lambda x: F.pad(x, (1, -1)),
        lambda x: F.pad(x, (1, 0))[:, :-1],
        by_index,
    ],
    "sample_pixels": [
        lambda W, b, u: sequential(W, b, u),
        lambda W, b, u: sequential(W.double(), b.double(), u.double()),
        lambda W, b, u: torch.stack([sequential(W, b, row[None])[0] for row in u]),
        lambda W, b, u: in_loops(W, b, u),
    ],
    "l2_loss": [
        lambda x_hat, x: ((x_hat - x) ** 2).sum((1, 2, 3)),
        lambda x_hat, x: torch.stack([torch.linalg.vector_norm(a - b) ** 2 for a, b in zip(x_hat, x)]),
        lambda x_hat, x: torch.einsum("bchw,bchw->b", x - x_hat, x - x_hat),
        lambda x_hat, x: F.mse_loss(x_hat, x, reduction="none").double().sum((1, 2, 3)),
    ],
    "linear_sigmoid_encoder": [
        lambda x, W, b: F.linear(x.flatten(1), W, b).sigmoid(),
        lambda x, W, b: 1 / (1 + (-(torch.einsum("dp,bp->bd", W, x.reshape(len(x), -1)) + b)).exp()),
        lambda x, W, b: torch.stack([torch.sigmoid(W @ a.flatten() + b) for a in x]),
        lambda x, W, b: torch.exp(F.logsigmoid(torch.addmm(b, x.reshape(x.shape[0], -1), W.t()))),
        lambda x, W, b: (torch.tanh((x.flatten(1).double() @ W.double().T + b) / 2) + 1) / 2,
    ],
    "deep_encoder": [
        lambda x, W1, b1, W2, b2: (x.flatten(1) @ W1.T + b1).clamp(min=0) @ W2.T + b2,
        lambda x, W1, b1, W2, b2: torch.stack([W2 @ torch.relu(W1 @ a.flatten() + b1) + b2 for a in x]),
        lambda x, W1, b1, W2, b2: F.linear(F.relu(F.linear(x.flatten(1), W1, b1)), W2, b2),
        lambda x, W1, b1, W2, b2: (
            torch.einsum("dh,bh->bd", W2.double(), (x.flatten(1) @ W1.T + b1).relu().double()) + b2
        ),
    ],
    "cnn_layer": [
        lambda x, K, b: F.conv2d(x, K, b, stride=2, padding=1).clamp(min=0),
        lambda x, K, b: (
            torch.einsum("bpl,dp->bdl", F.unfold(x, 3, padding=1, stride=2), K.flatten(1)).unflatten(
                2, (-1, (x.shape[3] + 1) // 2)
            )
            + b[:, None, None]
        ).relu(),
        lambda x, K, b: torch.relu(
            torch.stack([at_every_second_pixel(F.pad(x, (1, 1, 1, 1)), k) for k in K], 1) + b[:, None, None]
        ),
        lambda x, K, b: torch.relu(F.conv2d(F.pad(x, (1, 1, 1, 1)), K, stride=2) + b.reshape(1, -1, 1, 1)),
        lambda x, K, b: torch.maximum(
            torch.conv2d(x, K, b, padding=1)[:, :, ::2, ::2], torch.zeros(()).to(x)
        ),
    ],
    "pca_reconstruction": [
        lambda x, mean, V: (V @ (V.T @ (x - mean).T)).T + mean,
        lambda x, mean, V: mean + torch.einsum("bi,id,jd->bj", x - mean, V, V),
        lambda x, mean, V: torch.stack([V @ (V.T @ (a - mean)) + mean for a in x]),
        lambda x, mean, V: (x - mean) @ (V @ V.T) + mean,
        lambda x, mean, V: (
            mean.numpy(force=True)
            + (x - mean).numpy(force=True) @ V.numpy(force=True) @ V.numpy(force=True).T
        ),
    ],
    "gaussian_log_likelihood": [
        lambda x, mu, logvar: Normal(mu, (logvar / 2).exp()).log_prob(x).sum((1, 2, 3)),
        lambda x, mu, logvar: Independent(Normal(mu.double(), logvar.double().exp().sqrt()), 3).log_prob(
            x.double()
        ),
        lambda x, mu, logvar: torch.stack(
            [-((a - m) ** 2 / v.exp() + v + 1.8378771).sum() / 2 for a, m, v in zip(x, mu, logvar)]
        ),
        lambda x, mu, logvar: (
            -F.gaussian_nll_loss(mu, x, logvar.exp(), full=True, eps=0, reduction="none").sum((1, 2, 3))
        ),
        lambda x, mu, logvar: (
            (-0.5 * math.log(2 * math.pi) - 0.5 * logvar - 0.5 * (x - mu) ** 2 * torch.exp(-logvar))
            .flatten(1)
            .sum(-1)
        ),
    ],
    "bernoulli_log_likelihood": [
        lambda x, logits: Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3)),
        lambda x, logits: torch.where(x == 1, logits, -logits).double().sigmoid().log().sum((1, 2, 3)),
        lambda x, logits: F.logsigmoid((2 * x - 1) * logits).flatten(1).sum(1),
        lambda x, logits: -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2, 3)),
        lambda x, logits: (x * logits - torch.logaddexp(logits, torch.zeros_like(logits))).sum(dim=(1, 2, 3)),
    ],
    "monte_carlo": [
        lambda log_likelihood: torch.logsumexp(log_likelihood, 0) - math.log(log_likelihood.shape[0]),
        lambda log_likelihood: (m := log_likelihood.amax(0)) + (log_likelihood - m).exp().mean(0).log(),
        lambda log_likelihood: (log_likelihood - math.log(len(log_likelihood))).logsumexp(0),
        lambda log_likelihood: log_likelihood.double().logsumexp(0) - math.log(len(log_likelihood)),
        lambda log_likelihood: torch.stack(
            [c.logsumexp(0) - math.log(c.numel()) for c in log_likelihood.unbind(1)]
        ),
    ],
    "integral_on_grid": [
        lambda log_joint, step: log_joint.flatten(0, 1).logsumexp(0) + math.log(step**2),
        lambda log_joint, step: torch.stack(
            [(a - a.max()).exp().sum().log() + a.max() + 2 * math.log(step) for a in log_joint.unbind(2)]
        ),
        lambda log_joint, step: log_joint.logsumexp(0).logsumexp(0) + 2 * math.log(step),
        lambda log_joint, step: (log_joint.double() + 2 * math.log(step)).logsumexp((0, 1)),
    ],
    "posterior_on_grid": [
        lambda log_joint, step: (log_joint - log_joint.logsumexp((0, 1)) - 2 * math.log(step)).exp(),
        lambda log_joint, step: torch.stack(
            [(a - a.max()).exp() / (a - a.max()).exp().sum() / step**2 for a in log_joint.unbind(2)], 2
        ),
        lambda log_joint, step: (
            log_joint.flatten(0, 1).log_softmax(0).exp().view_as(log_joint) / (step * step)
        ),
        lambda log_joint, step: (
            (w := (log_joint.double() - log_joint.amax((0, 1))).exp()) / (w.sum((0, 1)) * step**2)
        ),
    ],
    "bayes_rule": [
        lambda log_likelihood, log_prior, log_q: log_likelihood - (log_q - log_prior),
        lambda log_likelihood, log_prior, log_q: torch.stack([log_likelihood, log_prior, -log_q]).sum(0),
        lambda log_likelihood, log_prior, log_q: (
            log_likelihood.double() + log_prior.double() - log_q.double()
        ),
        lambda log_likelihood, log_prior, log_q: (
            log_likelihood.numpy(force=True) + log_prior.numpy(force=True) - log_q.numpy(force=True)
        ),
    ],
    "importance_sampling": [
        lambda log_likelihood, log_prior, log_q: (
            torch.logsumexp(log_likelihood + log_prior - log_q, 0) - math.log(len(log_q))
        ),
        lambda log_likelihood, log_prior, log_q: torch.logsumexp(
            log_likelihood.double() + log_prior - log_q - math.log(len(log_q)), 0
        ),
        lambda log_likelihood, log_prior, log_q: (
            (m := (w := log_likelihood + log_prior - log_q).amax(0)) + (w - m).exp().mean(0).log()
        ),
        lambda log_likelihood, log_prior, log_q: torch.stack(
            [
                (a + b - c).logsumexp(0) - math.log(len(a))
                for a, b, c in zip(log_likelihood.T, log_prior.T, log_q.T)
            ]
        ),
    ],
    "effective_samples": [
        lambda log_w: 1 / log_w.softmax(0).square().sum(0),
        lambda log_w: ((w := (log_w - log_w.amax(0)).exp()).sum(0) ** 2) / (w**2).sum(0),
        lambda log_w: (w := (log_w - log_w.logsumexp(0)).exp()).sum(0) ** 2 / (w**2).sum(0),
        lambda log_w: torch.stack(
            [c.softmax(0).sum() ** 2 / c.softmax(0).square().sum() for c in log_w.double().T]
        ),
    ],
    "kl_to_standard_normal": [
        lambda mu, logvar: -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1),
        lambda mu, logvar: kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(-1),
        lambda mu, logvar: torch.stack(
            [(m @ m + (v.exp() - 1 - v).sum()) / 2 for m, v in zip(mu.double(), logvar.double())]
        ),
        lambda mu, logvar: (mu.square() + logvar.exp() - 1 - logvar).sum(-1) / 2,
        lambda mu, logvar: 0.5 * torch.einsum("bd->b", mu**2 + torch.expm1(logvar) - logvar),
    ],
    "reparameterize": [
        lambda mu, logvar, eps: torch.addcmul(mu, logvar.exp().sqrt(), eps),
        lambda mu, logvar, eps: mu.double() + (logvar.double() / 2).exp() * eps,
        lambda mu, logvar, eps: mu + torch.exp(logvar / 2) * eps,
        lambda mu, logvar, eps: torch.stack([m + (v / 2).exp() * e for m, v, e in zip(mu, logvar, eps)]),
    ],
    "three_terms": [
        lambda log_likelihood, log_prior, log_q, log_posterior: (
            log_likelihood.mean(0),
            log_q.mean(0) - log_prior.mean(0),
            log_q.mean(0) - log_posterior.mean(0),
        ),
        lambda log_likelihood, log_prior, log_q, log_posterior: tuple(
            torch.stack([row.sum() / len(row) for row in t.T])
            for t in (log_likelihood, log_q - log_prior, log_q - log_posterior)
        ),
        lambda log_likelihood, log_prior, log_q, log_posterior: (
            log_likelihood.double().mean(0),
            (log_q - log_prior).double().mean(0),
            (log_q - log_posterior).double().mean(0),
        ),
        lambda log_likelihood, log_prior, log_q, log_posterior: tuple(
            torch.einsum("kb->b", t) / t.shape[0]
            for t in (log_likelihood, log_q - log_prior, log_q - log_posterior)
        ),
    ],
    "negative_elbo": [
        lambda log_likelihood, mu, logvar: (
            -log_likelihood.mean(0) - 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1)
        ),
        lambda log_likelihood, mu, logvar: (
            kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(-1)
            - log_likelihood.double().mean(0)
        ),
        lambda log_likelihood, mu, logvar: (
            -(log_likelihood.sum(0) / len(log_likelihood) + (1 + logvar - mu**2 - logvar.exp()).sum(-1) / 2)
        ),
        lambda log_likelihood, mu, logvar: torch.stack(
            [((m**2 + v.exp() - 1 - v).sum() / 2 - r.mean()) for m, v, r in zip(mu, logvar, log_likelihood.T)]
        ),
    ],
    "vae_loss": [
        lambda x, mu, logvar, eps, W, b: (
            kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)
            - Bernoulli(logits=(mu + (logvar / 2).exp() * eps) @ W.T + b).log_prob(x).sum(1)
        ),
        lambda x, mu, logvar, eps, W, b: torch.stack(
            [
                -(0.5 * (1 + v - m**2 - v.exp())).sum()
                - F.logsigmoid((2 * a - 1) * (W @ (m + v.exp().sqrt() * e) + b)).sum()
                for a, m, v, e in zip(x, mu, logvar, eps)
            ]
        ),
    ],
    "bits_per_dim": [
        lambda log_p_x, dimensions: -log_p_x / math.log(2) / dimensions,
        lambda log_p_x, dimensions: -log_p_x.double() * math.log2(math.e) / dimensions,
    ],
    "kl_per_dimension": [
        lambda mu, logvar: (-0.5 * (1 + logvar - mu**2 - logvar.exp())).mean(0),
        lambda mu, logvar: kl_divergence(
            Normal(mu.double(), (logvar.double() / 2).exp()), Normal(0.0, 1.0)
        ).mean(0),
    ],
    "best_sigma": [
        lambda x_hat, x: F.mse_loss(x_hat, x).sqrt(),
        lambda x_hat, x: (x_hat.double() - x).norm() / x.numel() ** 0.5,
        lambda x_hat, x: float((x_hat - x).square().mean()) ** 0.5,
    ],
    "generate_images": [
        lambda eps, W, b, u: (torch.sigmoid(F.linear(eps, W, b)) > u).float(),
        lambda eps, W, b, u: torch.stack(
            [1.0 * (v < 1 / (1 + (-(W @ e) - b).exp())) for e, v in zip(eps, u)]
        ),
    ],
    "aggregate_covariance": [
        lambda mu, logvar: torch.cov(mu.T, correction=0) + torch.diag(logvar.exp().mean(0)),
        lambda mu, logvar: (
            torch.einsum("bi,bj->ij", mu, mu) / len(mu)
            + torch.diag_embed(logvar.double().exp()).mean(0)
            - torch.outer(mu.mean(0), mu.mean(0))
        ),
    ],
    "total_correlation": [
        lambda covariance: (
            -0.5 * torch.logdet(covariance / (covariance.diag()[:, None] * covariance.diag()).sqrt())
        ),
        lambda covariance: 0.5 * (covariance.diag().prod() / torch.linalg.det(covariance)).log(),
    ],
    "nearest": [
        lambda x, train: torch.cdist(x.flatten(1).double(), train.flatten(1).double()).argmin(1),
        lambda x, train: torch.stack([((train - a) ** 2).sum((1, 2, 3)).argmin() for a in x]),
    ],
    "edit_code": [
        lambda z, dim, value: torch.where(torch.arange(z.shape[1], device=z.device) == dim, value, z),
        lambda z, dim, value: z.clone().index_fill_(1, torch.tensor([dim], device=z.device), value),
    ],
    "spherical_interpolation": [
        lambda a, b, t: (
            (w := ((a * b).sum(1) / a.norm(dim=1) / b.norm(dim=1)).acos()[:, None]),
            (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w),
        )[1],
        lambda a, b, t: (
            (w := F.cosine_similarity(a.double(), b.double()).acos()[:, None]),
            ((w - t * w).sin() / w.sin() * a) + ((t * w).sin() / w.sin() * b),
        )[1],
    ],
    "direction": [
        lambda z, factor: torch.linalg.lstsq(
            torch.stack([factor, torch.ones_like(factor)], 1).double(), z.double()
        ).solution[0],
        lambda z, factor: torch.stack(
            [torch.cov(torch.stack([column, factor]))[0, 1] / factor.var() for column in z.T]
        ),
    ],
    "mutual_information_gap": [
        lambda information, entropy: (
            (information.sort(1).values[:, -1] - information.sort(1).values[:, -2]) / entropy
        ),
        lambda information, entropy: torch.stack(
            [(sorted(row)[-1] - sorted(row)[-2]) / h for row, h in zip(information, entropy)]
        ),
    ],
    "importance_weighted_bound": [
        lambda log_w, k: torch.stack([rows.logsumexp(0) - math.log(k) for rows in log_w.split(k)]).mean(0),
        lambda log_w, k: (
            (m := log_w.amax(0))
            + (log_w - m).double().exp().reshape(-1, k, log_w.shape[1]).mean(1).log().mean(0)
        ),
    ],
    "normalized_weights": [
        lambda log_w: (log_w - log_w.logsumexp(0)).exp(),
        lambda log_w: F.softmax(log_w.double(), 0),
        lambda log_w: (w := (log_w - log_w.amax(0)).exp()) / w.sum(0),
    ],
    "negative_iwae_bound": [
        lambda log_likelihood, log_prior, log_q: (
            math.log(len(log_q)) - torch.logsumexp(log_likelihood + log_prior - log_q, 0)
        ),
        lambda log_likelihood, log_prior, log_q: (
            -(w := log_likelihood.double() + log_prior - log_q).amax(0) - (w - w.amax(0)).exp().mean(0).log()
        ),
    ],
}
