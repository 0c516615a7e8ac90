"""The oracle itself, against a dense joint Gaussian over (x, z)."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from vae_edu.linear import LinearGaussian


def random_model(pixels=12, latent_dim=3, sigma=0.3, shape=None):
    generator = torch.Generator().manual_seed(pixels + latent_dim)
    W = torch.randn(pixels, latent_dim, generator=generator)
    b = torch.randn(pixels, generator=generator).reshape(shape or (pixels,))
    return LinearGaussian(W, b, sigma)


@pytest.mark.parametrize(("pixels", "latent_dim", "sigma"), [(12, 3, 0.3), (30, 10, 1.0), (5, 5, 0.01)])
def test_log_p_x_is_that_of_a_dense_gaussian(pixels, latent_dim, sigma):
    model = random_model(pixels, latent_dim, sigma)
    covariance = model.W @ model.W.T + sigma**2 * torch.eye(pixels).double()
    dense = MultivariateNormal(model.b, covariance)
    x = dense.sample((20,))
    torch.testing.assert_close(model.log_prob(x), dense.log_prob(x), rtol=0, atol=1e-8)


def test_the_posterior_is_that_of_the_dense_joint():
    """Condition the Gaussian over (z, x) jointly on x, by the textbook's formulas."""
    model = random_model()
    x = torch.randn(6, 12).double()
    gain = model.W.T @ torch.linalg.inv(model.W @ model.W.T + 0.09 * torch.eye(12).double())
    q = model.encode(x)
    torch.testing.assert_close(q.mean, (x - model.b) @ gain.T, rtol=1e-9, atol=1e-9)
    covariance = torch.eye(3).double() - gain @ model.W
    torch.testing.assert_close(q.covariance_matrix, covariance.expand(6, 3, 3), rtol=1e-9, atol=1e-9)


def test_bayes_rule_ties_its_parts_together():
    model = random_model(shape=(1, 3, 4))
    x, z = torch.randn(5, 1, 3, 4), torch.randn(7, 5, 3)
    torch.testing.assert_close(
        model.log_joint(x, z) - model.encode(x).log_prob(z),
        model.log_prob(x).expand(7, 5),
        rtol=0,
        atol=1e-8,
    )


def test_shapes_with_leading_dimensions():
    model = random_model(shape=(1, 3, 4))
    z = torch.randn(2, 5, 3)
    p = model.decode(z)
    assert (p.batch_shape, p.event_shape) == ((2, 5), (1, 3, 4))
    assert model.log_joint(p.sample(), z).shape == (2, 5)
    assert model.encode(p.sample()).batch_shape == (2, 5)
    assert model.prior().event_shape == (3,)
    assert model.log_prob(p.sample()).dtype == torch.float64


def test_fit_finds_the_most_likely_model():
    """Its likelihood beats every model nearby, and its gradient vanishes."""
    truth = random_model(pixels=8, latent_dim=2, sigma=0.5)
    x = truth.decode(torch.randn(500, 2, generator=torch.Generator().manual_seed(0))).mean
    x = x + 0.5 * torch.randn(500, 8, generator=torch.Generator().manual_seed(1))
    fitted = LinearGaussian.fit(x, 2)
    W, b, log_sigma = (t.clone().requires_grad_() for t in (fitted.W, fitted.b, fitted.sigma.log()))
    covariance = W @ W.T + (2 * log_sigma).exp() * torch.eye(8).double()
    likelihood = MultivariateNormal(b, covariance).log_prob(x.double()).mean()
    assert likelihood.item() == pytest.approx(fitted.log_prob(x).mean().item(), abs=1e-9)
    for gradient in torch.autograd.grad(likelihood, [W, b, log_sigma]):
        assert gradient.abs().max() < 1e-8
    assert fitted.log_prob(x).mean() > truth.log_prob(x).mean()
    assert fitted.sigma.item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("sigma", [0.3, 0.7, 1.2, 9.0])
def test_with_a_fixed_sigma_weak_dimensions_collapse(sigma):
    """Against ascent of the likelihood from a random start, and the KL of the exact posteriors."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 6, generator=generator).double() * torch.tensor([3.0, 2.0, 1.0, 0.8, 0.5, 0.2])
    x = x @ torch.linalg.qr(torch.randn(6, 6, generator=generator).double()).Q + 1.0
    model = LinearGaussian.fit(x, 4, sigma=sigma)
    values = torch.linalg.eigvalsh(torch.cov(x.T, correction=0)).flip(0)[:4]
    assert model.sigma.item() == sigma
    assert (model.W.norm(dim=0) > 0).tolist() == (values > sigma**2).tolist()
    W = torch.randn(6, 4, generator=generator).double().requires_grad_()
    optimizer = torch.optim.LBFGS([W], max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def loss():
        optimizer.zero_grad()
        covariance = W @ W.T + sigma**2 * torch.eye(6).double()
        value = -MultivariateNormal(x.mean(0), covariance).log_prob(x).mean()
        value.backward()
        return value

    optimizer.step(loss)
    assert model.log_prob(x).mean().item() == pytest.approx(-loss().item(), abs=1e-6)
    q = model.encode(x)
    kl = 0.5 * (q.mean**2 + q.variance - 1 - q.variance.log()).mean(0)
    torch.testing.assert_close(kl, 0.5 * (values / sigma**2).log().clamp(min=0), rtol=0, atol=1e-9)
    spread = q.covariance_matrix - torch.diag_embed(q.variance)
    assert spread.abs().max() < 1e-12  # the exact posterior is diagonal, so a VAE's q can be it


def test_fit_keeps_the_shape_of_the_images():
    x = torch.rand(50, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    model = LinearGaussian.fit(x, 3)
    torch.testing.assert_close(model.b, x.double().mean(0))
    assert model.W.norm(dim=0).tolist() == sorted(model.W.norm(dim=0).tolist(), reverse=True)
    assert model.decode(torch.zeros(3)).event_shape == (1, 4, 5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearGaussian(torch.ones(5, 2), torch.ones(4), 1.0), "one row for each of the 4 pixels"),
        (lambda: LinearGaussian(torch.ones(4, 2), torch.ones(4), 0.0), "sigma = 0"),
        (lambda: LinearGaussian(torch.full((4, 2), math.nan), torch.ones(4), 1.0), "must be finite"),
        (lambda: LinearGaussian.fit(torch.rand(9, 4), 4), "below the 4 pixels"),
        (lambda: LinearGaussian.fit(torch.rand(9, 4), 0), "latent_dim = 0"),
        (lambda: LinearGaussian.fit(torch.rand(3, 4), 2), "leaves no noise"),
        (lambda: LinearGaussian.fit(torch.rand(90, 2) @ torch.rand(2, 30), 2), "leaves no noise"),
        (lambda: LinearGaussian.fit(torch.rand(0, 4), 2), "hold images"),
        (lambda: LinearGaussian.fit(torch.rand(9, 4), 2, sigma=0), "sigma = 0"),
        (lambda: LinearGaussian.fit(torch.full((9, 4), math.nan), 2), "no NaN"),
    ],
)
def test_bad_input_gets_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()
