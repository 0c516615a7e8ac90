"""The aggregate posterior against sums over a fine grid, and against moments of draws."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from tests.models import linear, trained_vae
from vae_edu import device, elbo
from vae_edu.aggregate_posterior import kl_parts, moments, total_correlation
from vae_edu.engine import memory
from vae_edu.gaussian import diagonal_gaussian

MEAN = torch.tensor([[1.5, 1.0], [-1.5, -1.2], [0.3, 0.1]], dtype=torch.float64)
SIGMA = torch.tensor([[0.4, 0.6], [0.5, 0.3], [0.8, 0.5]], dtype=torch.float64)


def model_with(mean, sigma):
    model = linear(latent_dim=mean.shape[1])
    model.encode = lambda x: diagonal_gaussian(mean.to(x), 2 * sigma.log().to(x))
    return model, torch.zeros(len(mean), 6).to(model.W)


def by_grid():
    """Mutual information, total correlation and the rest, from the three densities on 1200² nodes."""
    u = torch.linspace(-6, 6, 1200, dtype=torch.float64)
    step = u[1] - u[0]

    def normal(mean, sigma):
        return (-0.5 * ((u - mean) / sigma) ** 2).exp() / (sigma * math.sqrt(2 * math.pi))

    one, two = (
        torch.stack([normal(m[0], s[0]) for m, s in zip(MEAN, SIGMA)]),
        torch.stack([normal(m[1], s[1]) for m, s in zip(MEAN, SIGMA)]),
    )  # (3, nodes) each
    each = one[:, :, None] * two[:, None, :]  # q(z|x_n)
    q, product = each.mean(0), one.mean(0)[:, None] * two.mean(0)
    prior = normal(0.0, torch.tensor(1.0).double())[:, None] * normal(0.0, torch.tensor(1.0).double())

    def kl(a, b):
        return torch.where(a > 1e-300, a * (a / b.clamp(min=1e-300)).log(), 0).sum((-2, -1)) * step**2

    return kl(each, q).mean(), kl(q, product), kl(product, prior)


def test_the_three_parts_against_a_grid():
    model, x = model_with(MEAN, SIGMA)
    parts = kl_parts(model, x, samples=40_000)
    for ours, exact in zip(parts, by_grid(), strict=True):
        assert ours == pytest.approx(exact.item(), abs=0.02)
    assert parts.total_correlation > 0.2  # these dimensions do depend on each other


def test_the_parts_add_up_to_the_kl_of_the_bound():
    vae, x = trained_vae(n=400, epochs=2)
    exact = elbo.elbo(vae, x).kl.mean().item()
    assert sum(kl_parts(vae, x, samples=2000)) == pytest.approx(exact, rel=0.01)
    assert kl_parts(vae, x) == kl_parts(vae, x)
    assert kl_parts(vae, x, seed=1) != kl_parts(vae, x)


def test_independent_dimensions_have_no_total_correlation():
    cross = torch.cartesian_prod(torch.tensor([-1.0, 1.0]), torch.tensor([-1.0, 0.0, 1.0]))  # all pairs
    model, x = model_with(cross.double(), torch.full((6, 2), 0.5).double())
    assert kl_parts(model, x, samples=2000).total_correlation == pytest.approx(0, abs=1e-3)


def test_information_is_at_most_log_n():
    apart = 100.0 * torch.arange(8).double()[:, None].expand(8, 2)
    model, x = model_with(apart, torch.ones(8, 2).double())
    assert kl_parts(model, x).mutual_information == pytest.approx(math.log(8), abs=1e-4)


def test_moments_are_those_of_draws():
    model, x = model_with(MEAN, SIGMA)
    draws = model.encode(x).sample((200_000,)).flatten(0, 1).double().cpu()
    mean, covariance = moments(model, x)
    torch.testing.assert_close(mean.double().cpu(), draws.mean(0), atol=0.01, rtol=0)
    torch.testing.assert_close(covariance.double().cpu(), draws.T.cov(), atol=0.02, rtol=0)


def test_total_correlation_is_the_divergence_from_the_product_of_the_margins():
    a = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).double()
    covariance, zero = a @ a.T, torch.zeros(3).double()
    exact = kl_divergence(
        MultivariateNormal(zero, covariance), MultivariateNormal(zero, covariance.diag().diag())
    )
    assert total_correlation(covariance).item() == pytest.approx(exact.item())
    assert total_correlation(torch.tensor([[2.0, 0.9], [0.9, 1.0]])).item() == pytest.approx(0.2596, abs=1e-4)


def test_a_shift_of_all_codes_changes_the_mean_alone():
    model, x = model_with(MEAN, SIGMA)
    moved, _ = model_with(MEAN + 5, SIGMA)
    torch.testing.assert_close(moments(moved, x).covariance, moments(model, x).covariance)
    torch.testing.assert_close(moments(moved, x).mean, moments(model, x).mean + 5)


def test_an_encoder_that_is_not_diagonal_is_refused():
    model = linear()
    for measure in (moments, kl_parts):
        with pytest.raises(ValueError, match="not a diagonal Gaussian"):
            measure(model, torch.zeros(3, 6).to(model.W))
    with pytest.raises(ValueError, match="samples"):
        kl_parts(*model_with(MEAN, SIGMA), samples=0)


def test_blocks_make_no_difference(monkeypatch):
    model, x = model_with(MEAN, SIGMA)
    whole = kl_parts(model, x, samples=50)
    monkeypatch.setitem(memory.MEMORY, device().type, 1)  # a code at a time
    assert kl_parts(model, x, samples=50) == pytest.approx(whole)
