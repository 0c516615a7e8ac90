"""The two formulas against PyTorch's own distributions and against an integral, in float32 and extremes."""

import math

import pytest
import torch
from torch.distributions import Independent, Laplace, MultivariateNormal, Normal, kl_divergence

from vae_edu.gaussian import diagonal_gaussian, kl_to_standard_normal, log_normal

SIGMAS = [1e-4, 1e-2, 0.5, 1.0, 3.0, 1e2, 1e4]


def random_gaussian(sigma, shape=(50, 7)):
    generator = torch.Generator().manual_seed(round(1e5 * sigma))
    mu = torch.randn(shape, generator=generator) * max(1, sigma)
    logvar = 2 * math.log(sigma) + 0.3 * torch.randn(shape, generator=generator)
    x = mu + (0.5 * logvar).exp() * torch.randn(shape, generator=generator)
    return x, mu, logvar


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_log_normal_is_that_of_the_library(sigma, dtype):
    x, mu, logvar = (t.to(dtype) for t in random_gaussian(sigma))
    theirs = Normal(mu.double(), (0.5 * logvar.double()).exp()).log_prob(x.double()).sum(-1)
    ours = log_normal(x, mu, logvar)
    assert ours.shape == (50,)
    assert ours.dtype == dtype
    tolerance = {"rtol": 1e-12, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-3}
    torch.testing.assert_close(ours.double(), theirs, **tolerance)


def test_log_normal_integrates_to_one():
    x = torch.linspace(-30, 30, 20_001, dtype=torch.float64)[:, None]
    density = log_normal(x, torch.tensor([1.5]).double(), torch.tensor([0.8]).double()).exp()
    assert density.sum().item() * 0.003 == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kl_is_that_of_the_library(sigma, dtype):
    _, mu, logvar = (t.to(dtype) for t in random_gaussian(sigma))
    q = Normal(mu.double(), (0.5 * logvar.double()).exp())
    theirs = kl_divergence(q, Normal(torch.zeros_like(mu).double(), 1)).sum(-1)
    ours = kl_to_standard_normal(mu, logvar)
    assert ours.dtype == dtype
    assert ours.isfinite().all()
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-12 if dtype == torch.float64 else 1e-5, atol=0)


def test_kl_is_an_expectation():
    """By quadrature of q (log q − log p) in one dimension: an integral, not a formula."""
    z = torch.linspace(-40, 40, 100_001, dtype=torch.float64)
    for mu, sigma in [(0.0, 1.0), (1.3, 0.4), (-2.0, 2.5)]:
        q, p = (Normal(*torch.tensor(pair, dtype=torch.float64)) for pair in ((mu, sigma), (0.0, 1.0)))
        integral = (q.log_prob(z).exp() * (q.log_prob(z) - p.log_prob(z))).sum().item() * 8e-4
        kl = kl_to_standard_normal(q.mean[None], q.variance.log()[None])
        assert kl.item() == pytest.approx(integral, abs=1e-9)


def test_kl_is_zero_for_the_prior_and_precise_beside_it():
    assert kl_to_standard_normal(torch.zeros(3, 20), torch.zeros(3, 20)).eq(0).all()
    logvar = torch.full((1, 1), 1e-3)  # expm1(t) − t = t²/2 + …: exp(t) − 1 − t would lose it
    assert kl_to_standard_normal(torch.zeros(1, 1), logvar).item() == pytest.approx(2.5e-7, rel=1e-2)


@pytest.mark.parametrize(("shape", "event_dims"), [((4, 3), 1), ((4, 1, 5, 6), 3), ((2, 4, 3, 5, 5), 3)])
def test_a_diagonal_gaussian_sums_over_its_event(shape, event_dims):
    mu, logvar = torch.randn(shape), torch.randn(shape)
    p = diagonal_gaussian(mu, logvar, event_dims)
    assert p.batch_shape == shape[:-event_dims]
    assert p.event_shape == shape[-event_dims:]
    torch.testing.assert_close(p.variance, logvar.exp())
    x = torch.randn(shape)
    leading = len(shape) - event_dims
    flat = [t.flatten(leading) for t in (x, mu, logvar)]
    torch.testing.assert_close(p.log_prob(x), log_normal(*flat), rtol=1e-4, atol=1e-4)


def test_kl_between_full_and_diagonal_gaussians():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(4, 3, 3, generator=generator).double()
    full = MultivariateNormal(torch.randn(4, 3, generator=generator).double(), a @ a.mT + torch.eye(3))
    mu, logvar = torch.randn(2, 4, 3, generator=generator).double()
    diagonal = diagonal_gaussian(mu, logvar)
    same = MultivariateNormal(mu, torch.diag_embed(logvar.exp()))
    torch.testing.assert_close(kl_divergence(full, diagonal), kl_divergence(full, same))
    torch.testing.assert_close(kl_divergence(diagonal, full), kl_divergence(same, full))
    with pytest.raises(NotImplementedError):
        kl_divergence(full, Independent(Laplace(mu, 1.0), 1))
    with pytest.raises(NotImplementedError):
        kl_divergence(full, diagonal_gaussian(mu[None], logvar[None], 2))
