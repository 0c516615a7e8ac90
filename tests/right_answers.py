"""Right answers to every exercise, each in other styles than the reference."""

import math
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, kl_divergence


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


def on_cpu(function, *tensors):
    """What a function of NumPy arrays gives, as a tensor on the device of the first argument."""
    return torch.as_tensor(function(*(t.detach().cpu().numpy() for t in tensors))).to(tensors[0].device)


def counted(losses, patience):
    best, epoch_of_best, waited = math.inf, 0, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, epoch_of_best, waited = loss, epoch, 0
        else:
            waited += 1
        if waited == patience:
            return epoch_of_best
    return epoch_of_best


def by_copies(losses, patience):
    seen = []
    for loss in losses.tolist():
        seen.append(loss)
        if len(seen) - 1 - seen.index(min(seen)) == patience:
            break
    return seen.index(min(seen))


def stopped(losses, patience):
    for epoch in range(patience, len(losses)):
        if losses[epoch - patience + 1 : epoch + 1].min() >= losses[: epoch - patience + 1].min():
            return epoch
    return len(losses) - 1


def with_ones(factor):
    return torch.stack([factor, torch.ones_like(factor)], 1)


def covariances(z, factor):
    return ((z - z.mean(0)) * (factor - factor.mean())[:, None]).mean(0)


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
        lambda x, mu, logvar, eps, W, b: (
            (z := mu + torch.exp(0.5 * logvar) * eps),
            (logits := F.linear(z, W, b)),
            F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)
            - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1),
        )[2],
        lambda x, mu, logvar, eps, W, b: (
            (
                logits := torch.einsum(
                    "bd,pd->bp", mu.double() + (logvar.double() / 2).exp() * eps, W.double()
                )
                + b
            ),
            torch.logaddexp(logits, torch.zeros_like(logits)).sum(1)
            - (x * logits).sum(1)
            + 0.5 * (mu.norm(dim=1) ** 2 + (logvar.exp() - logvar - 1).sum(1)),
        )[1],
        lambda x, mu, logvar, eps, W, b: (
            (logits := torch.addmm(b, torch.addcmul(mu, logvar.mul(0.5).exp(), eps), W.T)),
            (logits.clamp(min=0) - x * logits + torch.log1p(torch.exp(-logits.abs()))).sum(-1)
            + (0.5 * (mu * mu + logvar.exp() - 1.0) - 0.5 * logvar).sum(-1),
        )[1],
    ],
    "which_mistake": [
        lambda reconstruction, kl, log_p_x: torch.where(
            reconstruction - kl > log_p_x, 3, torch.where(kl < 0.1, 2, torch.where(kl > 50, 1, 0))
        ),
        lambda reconstruction, kl, log_p_x: torch.tensor(
            [
                3 if r - k > p else 2 if k < 0.5 else 1 if k > -r else 0
                for r, k, p in zip(reconstruction, kl, log_p_x)
            ]
        ).to(kl.device),
        lambda reconstruction, kl, log_p_x: (
            (gap := log_p_x - (reconstruction - kl)),
            3 * (gap < -1).long() + (gap >= -1) * (2 * (kl < 0.05).long() + 1 * (kl > 45).long()),
        )[1],
        lambda reconstruction, kl, log_p_x: torch.where(
            log_p_x + kl < reconstruction, 3, 2 * (kl < 0.1) + 1 * (kl + reconstruction > 0)
        ),
    ],
    "collapse_law": [
        lambda eigenvalues, variance: torch.relu(eigenvalues.log() - math.log(variance)) / 2,
        lambda eigenvalues, variance: 0.5 * torch.clamp(eigenvalues / variance, min=1).log(),
        lambda eigenvalues, variance: torch.where(
            eigenvalues > variance, 0.5 * torch.log(eigenvalues / variance), torch.zeros_like(eigenvalues)
        ),
        lambda eigenvalues, variance: torch.stack(
            [0.5 * (v / variance).log() if v > variance else 0 * v for v in eigenvalues.double()]
        ),
        lambda eigenvalues, variance: (
            (w2 := (eigenvalues.double() - variance).clamp(min=0)),
            (s := variance / (w2 + variance)),
            0.5 * (w2 / (w2 + variance) + s - 1 - s.log()),
        )[2],
        lambda eigenvalues, variance: on_cpu(
            lambda v: 0.5 * np.log(np.maximum(v, variance) / variance), eigenvalues
        ),
    ],
    "best_sigma": [
        lambda x_hat, x: F.mse_loss(x_hat, x).sqrt(),
        lambda x_hat, x: (x_hat.double() - x).norm() / x.numel() ** 0.5,
        lambda x_hat, x: float((x_hat - x).square().mean()) ** 0.5,
        lambda x_hat, x: torch.stack([(a - b).pow(2).mean() for a, b in zip(x_hat, x)]).mean().sqrt(),
        lambda x_hat, x: ((x - x_hat) ** 2).mean(dim=(0, 1, 2, 3)) ** 0.5,
        lambda x_hat, x: torch.sqrt((x_hat - x).flatten() @ (x_hat - x).flatten() / x.numel()),
        lambda x_hat, x: on_cpu(lambda a, b: np.sqrt(np.mean((a - b) ** 2)), x_hat, x),
    ],
    "generate_images": [
        lambda eps, W, b, u: (torch.sigmoid(F.linear(eps, W, b)) > u).float(),
        lambda eps, W, b, u: torch.stack(
            [1.0 * (v < 1 / (1 + (-(W @ e) - b).exp())) for e, v in zip(eps, u)]
        ),
        lambda eps, W, b, u: torch.where(
            u < torch.sigmoid(torch.einsum("bd,pd->bp", eps, W) + b), torch.ones_like(u), torch.zeros_like(u)
        ),
        lambda eps, W, b, u: (u.double() < torch.addmm(b, eps, W.T).double().sigmoid()).double(),
        lambda eps, W, b, u: (u - Bernoulli(logits=eps @ W.T + b).probs).sign().sub(1).div(-2),
        lambda eps, W, b, u: torch.lt(u, (eps @ W.t() + b).sigmoid()).to(eps.dtype),
    ],
    "aggregate_covariance": [
        lambda mu, logvar: torch.cov(mu.T, correction=0) + torch.diag(logvar.exp().mean(0)),
        lambda mu, logvar: (
            torch.einsum("bi,bj->ij", mu, mu) / len(mu)
            + torch.diag_embed(logvar.double().exp()).mean(0)
            - torch.outer(mu.mean(0), mu.mean(0))
        ),
        lambda mu, logvar: (
            sum(torch.outer(m - mu.mean(0), m - mu.mean(0)) + v.exp().diag() for m, v in zip(mu, logvar))
            / mu.shape[0]
        ),
        lambda mu, logvar: (
            (c := mu - mu.mean(0, keepdim=True)),
            (c[:, :, None] * c[:, None, :]).mean(0)
            + torch.eye(mu.shape[1], device=mu.device) * logvar.exp().mean(dim=0),
        )[1],
        lambda mu, logvar: on_cpu(
            lambda m, v: np.cov(m.T, bias=True).reshape(m.shape[1], -1) + np.diag(np.exp(v).mean(0)),
            mu,
            logvar,
        ),
    ],
    "total_correlation": [
        lambda covariance: (
            -0.5 * torch.logdet(covariance / (covariance.diag()[:, None] * covariance.diag()).sqrt())
        ),
        lambda covariance: 0.5 * (covariance.diag().prod() / torch.linalg.det(covariance)).log(),
        lambda covariance: 0.5 * (torch.log(torch.diagonal(covariance)).sum() - torch.slogdet(covariance)[1]),
        lambda covariance: (
            sum(covariance[j, j].log() for j in range(len(covariance))) / 2
            - torch.linalg.cholesky(covariance).diag().log().sum()
        ),
        lambda covariance: (
            0.5 * (covariance.diag().log() - torch.linalg.eigvalsh(covariance.double()).log()).sum()
        ),
        lambda covariance: kl_divergence(
            MultivariateNormal(torch.zeros_like(covariance[0]), covariance),
            MultivariateNormal(torch.zeros_like(covariance[0]), covariance.diag().diag()),
        ),
        lambda covariance: on_cpu(
            lambda c: 0.5 * (np.log(np.diag(c)).sum() - np.linalg.slogdet(c)[1]), covariance
        ),
    ],
    "nearest": [
        lambda x, train: torch.cdist(x.flatten(1).double(), train.flatten(1).double()).argmin(1),
        lambda x, train: torch.stack([((train - a) ** 2).sum((1, 2, 3)).argmin() for a in x]),
        lambda x, train: torch.cdist(x.flatten(1), train.flatten(1)).min(dim=1).indices,
        lambda x, train: (
            (a := x.flatten(1)),
            (b := train.flatten(1)),
            ((a**2).sum(1, keepdim=True) - 2 * a @ b.T + (b**2).sum(1)).argmin(1),
        )[2],
        lambda x, train: (
            (x.unsqueeze(1) - train.unsqueeze(0)).pow(2).mean(dim=(2, 3, 4)).sqrt().argmin(dim=1)
        ),
        lambda x, train: torch.topk(
            torch.linalg.vector_norm((x[:, None] - train).flatten(2), dim=2), 1, largest=False
        ).indices[:, 0],
        lambda x, train: torch.tensor(
            [min(range(len(train)), key=lambda n: float((a - train[n]).square().sum())) for a in x],
            device=x.device,
        ),
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
        lambda a, b, t: (
            (c := torch.einsum("bi,bi->b", F.normalize(a), F.normalize(b)).clamp(-1, 1).unsqueeze(1)),
            (w := torch.arccos(c)),
            torch.sin((1.0 - t) * w) / (1 - c**2).sqrt() * a + torch.sin(t * w) / (1 - c**2).sqrt() * b,
        )[2],
        lambda a, b, t: torch.stack(
            [
                math.sin((1 - t) * w) / math.sin(w) * p + math.sin(t * w) / math.sin(w) * q
                for p, q in zip(a, b)
                for w in [math.acos(float(torch.dot(p, q) / (torch.linalg.norm(p) * torch.linalg.norm(q))))]
            ]
        ),
        lambda a, b, t: on_cpu(
            lambda p, q: (
                (
                    w := np.arccos((p * q).sum(1) / np.linalg.norm(p, axis=1) / np.linalg.norm(q, axis=1))[
                        :, None
                    ]
                ),
                (np.sin((1 - t) * w) * p + np.sin(t * w) * q) / np.sin(w),
            )[1],
            a,
            b,
        ),
    ],
    "direction": [
        lambda z, factor: torch.linalg.lstsq(
            torch.stack([factor, torch.ones_like(factor)], 1).double(), z.double()
        ).solution[0],
        lambda z, factor: torch.stack(
            [torch.cov(torch.stack([column, factor]))[0, 1] / factor.var() for column in z.T]
        ),
        lambda z, factor: (
            (f := factor - factor.mean()),
            ((z - z.mean(dim=0, keepdim=True)) * f[:, None]).sum(dim=0) / (f**2).sum(),
        )[1],
        lambda z, factor: (
            (f := factor.double() - factor.double().mean()),
            torch.einsum("nd,n->d", z.double(), f) / f.dot(f),
        )[1],
        lambda z, factor: (
            ((z * factor[:, None]).mean(0) - z.mean(0) * factor.mean()) / factor.var(correction=0)
        ),
        lambda z, factor: (z - z.mean(0)).T @ (factor - factor.mean()) / (len(z) - 1) / factor.std() ** 2,
        lambda z, factor: on_cpu(lambda c, f: (f - f.mean()) @ c / np.sum((f - f.mean()) ** 2), z, factor),
    ],
    "agreement": [
        lambda z, factor, known: (
            (few := torch.linalg.lstsq(with_ones(factor[known]), z[known]).solution[0]),
            (full := torch.linalg.lstsq(with_ones(factor), z).solution[0]),
            few @ full / few.norm() / full.norm(),
        )[2],
        lambda z, factor, known: F.cosine_similarity(
            *(
                torch.einsum("nd,n->d", c, f - f.mean())[None]
                for c, f in [(z[known], factor[known]), (z, factor)]
            )
        )[0],
        lambda z, factor, known: (
            F.normalize(covariances(z[known], factor[known]), dim=0)
            @ F.normalize(covariances(z, factor), dim=0)
        ),
        lambda z, factor, known: float(
            F.cosine_similarity(covariances(z[known], factor[known]), covariances(z, factor), dim=0)
        ),
        lambda z, factor, known: on_cpu(
            lambda c, f, k: (
                (a := (f[k] - f[k].mean()) @ c[k]),
                (b := (f - f.mean()) @ c),
                a @ b / np.sqrt((a @ a) * (b @ b)),
            )[2],
            z,
            factor,
            known,
        ),
    ],
    "mutual_information_gap": [
        lambda information, entropy: (
            (information.sort(1).values[:, -1] - information.sort(1).values[:, -2]) / entropy
        ),
        lambda information, entropy: torch.stack(
            [(sorted(row)[-1] - sorted(row)[-2]) / h for row, h in zip(information, entropy)]
        ),
        lambda information, entropy: (
            (best := torch.topk(information / entropy[:, None], k=2, dim=1)[0]),
            best[:, 0] - best[:, 1],
        )[1],
        lambda information, entropy: -torch.diff(information.double().topk(2).values)[:, 0] / entropy,
        lambda information, entropy: (
            (
                information.amax(1)
                - information.scatter(1, information.argmax(1, keepdim=True), -math.inf).amax(1)
            )
            / entropy
        ),
        lambda information, entropy: on_cpu(
            lambda i, h: (np.sort(i, axis=1)[:, -1] - np.sort(i, axis=1)[:, -2]) / h, information, entropy
        ),
    ],
    "importance_weighted_bound": [
        lambda log_w, K: torch.stack([rows.logsumexp(0) - math.log(K) for rows in log_w.split(K)]).mean(0),
        lambda log_w, K: (
            (m := log_w.reshape(-1, K, log_w.shape[1]).amax(1, keepdim=True)),
            (log_w.reshape(-1, K, log_w.shape[1]) - m).double().exp().mean(1).log().add(m[:, 0]).mean(0),
        )[1],
        lambda log_w, K: (log_w.view(len(log_w) // K, K, -1).logsumexp(dim=1) - math.log(K)).mean(dim=0),
        lambda log_w, K: torch.logsumexp(log_w.T.reshape(log_w.shape[1], -1, K) - math.log(K), dim=2).mean(
            dim=1
        ),
        lambda log_w, K: (
            sum(torch.logsumexp(log_w[i : i + K], 0) for i in range(0, len(log_w), K)) / (len(log_w) // K)
            - math.log(K)
        ),
        lambda log_w, K: torch.stack(
            [
                torch.stack([c.logsumexp(0) - math.log(K) for c in column.chunk(len(log_w) // K)]).mean()
                for column in log_w.T
            ]
        ),
        lambda log_w, K: (
            torch.stack(log_w.double().unflatten(0, (-1, K)).unbind(1)).logsumexp(0).mean(0) - math.log(K)
        ),
    ],
    "normalized_weights": [
        lambda log_w: (log_w - log_w.logsumexp(0)).exp(),
        lambda log_w: F.softmax(log_w.double(), 0),
        lambda log_w: (w := (log_w - log_w.amax(0)).exp()) / w.sum(0),
        lambda log_w: torch.stack([torch.softmax(column, dim=0) for column in log_w.T], dim=1),
        lambda log_w: torch.nn.Softmax(dim=0)(log_w),
        lambda log_w: F.log_softmax(log_w, dim=0).exp(),
        lambda log_w: torch.distributions.Categorical(logits=log_w.T).probs.T,
        lambda log_w: on_cpu(lambda v: (w := np.exp(v - v.max(0))) / w.sum(0), log_w),
    ],
    "divergence_from_weights": [
        lambda log_w: torch.logsumexp(log_w, 0) - math.log(log_w.shape[0]) - log_w.mean(0),
        lambda log_w: (
            (w := log_w.double()),
            (m := w.amax(0)),
            (w - m).exp().mean(0).log() + m - w.mean(0),
        )[2],
        lambda log_w: (log_w - log_w.mean(0)).double().logsumexp(0) - math.log(len(log_w)),
        lambda log_w: -(log_w.log_softmax(0)).mean(0) - math.log(len(log_w)),
        lambda log_w: torch.stack(
            [torch.logsumexp(column, 0) - column.mean() - math.log(column.numel()) for column in log_w.T]
        ),
        lambda log_w: reduce(torch.logaddexp, log_w) - math.log(len(log_w)) - sum(log_w) / len(log_w),
        lambda log_w: on_cpu(
            lambda v: np.logaddexp.reduce(v, axis=0) - np.log(len(v)) - v.mean(0), log_w.double()
        ),
    ],
    "decoder_input": [
        lambda z, y, classes: torch.cat(
            (z, (torch.arange(classes, device=y.device) == y[:, None]).to(z.dtype)), dim=-1
        ),
        lambda z, y, classes: torch.hstack([z, torch.eye(classes, dtype=z.dtype, device=z.device)[y]]),
        lambda z, y, classes: torch.concat(
            [z, torch.zeros(len(z), classes).to(z).scatter_(1, y[:, None], 1.0)], 1
        ),
        lambda z, y, classes: torch.stack(
            [torch.cat([row, F.one_hot(label, num_classes=classes)]) for row, label in zip(z, y)]
        ),
        lambda z, y, classes: F.pad(z, (0, classes)) + F.pad(F.one_hot(y, classes), (z.shape[1], 0)),
    ],
    "label_swap": [
        lambda x, y, new, A, W, C: (
            torch.einsum("dk,nk->nd", W, torch.einsum("kd,nd->nk", A, x - C[y])) + C[new]
        ),
        lambda x, y, new, A, W, C: torch.stack(
            [W @ (A @ (image - C[old])) + C[to] for image, old, to in zip(x, y, new)]
        ),
        lambda x, y, new, A, W, C: C[new] + (W @ A @ (x - C[y]).T).T,
        lambda x, y, new, A, W, C: (
            F.linear(F.linear(x, A) - F.linear(F.one_hot(y, len(C)).to(x), (C @ A.T).T), W)
            + F.one_hot(new, len(C)).to(x) @ C
        ),
        lambda x, y, new, A, W, C: (
            (x.double() - C.double().index_select(0, y)) @ A.double().T @ W.double().T + C[new]
        ),
    ],
    "label_posterior": [
        lambda log_likelihood, log_prior: F.softmax(log_likelihood.T + log_prior, 1).T,
        lambda log_likelihood, log_prior: (
            (joint := log_likelihood + log_prior.unsqueeze(1)) - joint.logsumexp(0)
        ).exp(),
        lambda log_likelihood, log_prior: torch.stack(
            [(column + log_prior).softmax(0) for column in log_likelihood.T], 1
        ),
        lambda log_likelihood, log_prior: (
            (joint := log_likelihood.double() + log_prior[:, None]),
            (w := (joint - joint.amax(0)).exp()) / w.sum(0),
        )[1],
        lambda log_likelihood, log_prior: (
            torch.distributions.Categorical(logits=log_likelihood.T + log_prior).probs.T
        ),
        lambda log_likelihood, log_prior: (
            (w := (log_likelihood - log_likelihood.amax(0)).double().exp() * log_prior.exp()[:, None])
            / w.sum(0)
        ),
    ],
    "overconfidence": [
        lambda p, y: (p.max(0).values - (p.max(0).indices == y).float()).mean(),
        lambda p, y: float(p.amax(0).double().mean()) - float((p.argmax(0) == y).double().mean()),
        lambda p, y: torch.stack([max(column) for column in p.T]).mean() - sum(p.argmax(0) == y) / len(y),
        lambda p, y: p.topk(1, 0).values.mean() - (p.gather(0, y[None])[0] == p.amax(0)).to(p).mean(),
        lambda p, y: on_cpu(lambda q, t: np.mean(np.max(q, 0)) - np.mean(np.argmax(q, 0) == t), p, y),
        lambda p, y: (p.argmax(0) != y).to(p).mean() - (1 - p.amax(0)).mean(),
    ],
    "independent_pixels": [
        lambda train, x, floor: (
            Normal(train.mean(0), train.std(0, correction=0).clamp(min=floor)).log_prob(x).sum(1)
        ),
        lambda train, x, floor: Independent(
            Normal(train.mean(0), train.var(0, unbiased=False).clamp(min=floor**2).sqrt()), 1
        ).log_prob(x),
        lambda train, x, floor: (
            (mean := train.mean(0)),
            (variance := ((train - mean) ** 2).mean(0).clamp(min=floor**2)),
            -((x - mean) ** 2 / variance).sum(1) / 2 - (2 * math.pi * variance).log().sum() / 2,
        )[2],
        lambda train, x, floor: torch.stack(
            [
                sum(
                    Normal(column.mean(), max(column.std(correction=0).item(), floor)).log_prob(value)
                    for column, value in zip(train.T, image)
                )
                for image in x
            ]
        ),
        lambda train, x, floor: (
            (mean := train.double().mean(0)),
            (sigma := (train.double().square().mean(0) - mean**2).clamp(min=floor**2).sqrt()),
            (-0.5 * ((x - mean) / sigma) ** 2 - sigma.log() - 0.5 * math.log(2 * math.pi)).sum(1),
        )[2],
        lambda train, x, floor: (
            -F.gaussian_nll_loss(
                train.mean(0).expand_as(x),
                x,
                train.var(0, correction=0).expand_as(x),
                full=True,
                eps=floor**2,
                reduction="none",
            ).sum(1)
        ),
        lambda train, x, floor: MultivariateNormal(
            train.mean(0), (train - train.mean(0)).square().mean(0).clamp(min=floor**2).diag()
        ).log_prob(x),
        lambda train, x, floor: (
            (w := 1 / torch.maximum(train.var(0, correction=0), x.new_tensor(floor**2))),
            0.5 * (w.log().sum() - x.shape[1] * math.log(2 * math.pi))
            - 0.5 * torch.einsum("bd,d->b", (x - train.mean(0)) ** 2, w),
        )[1],
    ],
    "bits_per_dimension": [
        lambda log_p, D, levels: (D * math.log2(levels) - log_p / math.log(2)) / D,
        lambda log_p, D, levels: -(log_p - D * math.log(levels)) / (D * math.log(2)),
        lambda log_p, D, levels: (math.log(levels) - log_p / D) / math.log(2),
        lambda log_p, D, levels: torch.stack([np.log2(levels) - one / np.log(2) / D for one in log_p]),
        lambda log_p, D, levels: torch.log2(torch.tensor(levels)) - log_p * math.log2(math.e) / D,
        lambda log_p, D, levels: -(log_p.double() / math.log(2) + D * math.log2(1 / levels)) / D,
    ],
    "bernoulli_limit": [
        lambda x: (torch.special.xlogy(x, x) + torch.special.xlogy(1 - x, 1 - x)).flatten(1).sum(1),
        lambda x: -F.binary_cross_entropy(x, x, reduction="none").sum((1, 2, 3)),
        lambda x: -torch.distributions.Bernoulli(x).entropy().sum((1, 2, 3)),
        lambda x: -(torch.special.entr(x) + torch.special.entr(1 - x)).sum((1, 2, 3)),
        lambda x: (x * x.log() + (1 - x) * (1 - x).log()).nan_to_num(0).sum((1, 2, 3)),
        lambda x: torch.nansum(x * x.log() + (1 - x) * torch.log1p(-x), dim=(1, 2, 3)),
        lambda x: torch.where(
            (x > 0) & (x < 1), x * x.log() + (1 - x) * (1 - x).log(), torch.zeros_like(x)
        ).sum((1, 2, 3)),
        lambda x: torch.stack(
            [
                sum(v * math.log(v) if v else 0.0 * v for p in image.flatten() for v in (p, 1 - p))
                for image in x.double()
            ]
        ),
        lambda x: (
            torch.einsum("bchw,bchw->b", x, x.clamp(min=1e-38).log())
            + torch.einsum("bchw,bchw->b", 1 - x, (1 - x).clamp(min=1e-38).log())
        ),
        lambda x: Bernoulli(x, validate_args=False).log_prob(x).double().sum((1, 2, 3)),
        lambda x: on_cpu(
            lambda v: sum(
                np.sum(np.where(part > 0, part * np.log(np.maximum(part, 1e-300)), 0), axis=(1, 2, 3))
                for part in (v, 1 - v)
            ),
            x.double(),
        ),
    ],
    "best_epoch": [
        lambda losses, patience: counted(losses, patience),
        lambda losses, patience: by_copies(losses, patience),
        lambda losses, patience: torch.tensor(counted(losses.numpy(force=True), patience)),
        lambda losses, patience: int(losses[: stopped(losses, patience) + 1].argmin()),
        lambda losses, patience: next(
            (
                i
                for i, loss in enumerate(losses)
                if (losses[:i] > loss).all() and (losses[i + 1 : i + 1 + patience] >= loss).all()
            )
        ),
        lambda losses, patience: (
            (best := losses.cummin(0).values),
            (new := torch.cat([best[:1] == best[:1], best[1:] < best[:-1]])),
            (at := new.nonzero()[:, 0]),
            (wait := torch.diff(at, append=at.new_tensor([len(losses) + patience + 1])) > patience),
            at[wait.long().argmax()],
        )[4],
        lambda losses, patience: min(
            range(stopped(losses, patience) + 1), key=losses.double().tolist().__getitem__
        ),
    ],
}
