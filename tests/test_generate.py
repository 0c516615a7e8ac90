"""Samples follow the model's own distribution, known in closed form for the linear one."""

import pytest
import torch

from tests.models import LearnersModel, linear, trained_vae
from vae_edu import device
from vae_edu.generate import generate, latent_map
from vae_edu.vae import VAE


def test_samples_have_the_mean_and_covariance_of_the_exact_marginal():
    model, n = linear(pixels=4, latent_dim=2, sigma=0.5), 40_000
    x = generate(model, n, seed=3).x.double()
    covariance = (model.W @ model.W.T + 0.25 * torch.eye(4).to(model.W)).double()  # x = W z + b + noise
    spread = covariance.diag().sqrt()
    assert ((x.mean(0) - model.b) / spread).abs().max() < 5 / n**0.5
    assert ((x.T.cov() - covariance) / (spread[:, None] * spread)).abs().max() < 8 / n**0.5


def test_the_mean_is_the_decoders_and_the_sample_is_not():
    model = linear()
    z, mean, x = generate(model, 10, seed=1)
    torch.testing.assert_close(mean, z @ model.W.T + model.b)
    assert not torch.allclose(mean, x, atol=0.1)


def test_bernoulli_samples_are_zeros_and_ones_as_frequent_as_their_means_say():
    torch.manual_seed(0)
    z, mean, x = generate(VAE((1, 4, 4), 2, "bernoulli"), 5000)
    assert z.shape == (5000, 2)
    assert mean.shape == x.shape == (5000, 1, 4, 4)
    assert ((x == 0) | (x == 1)).all()
    assert (x.mean(0) - mean.mean(0)).abs().max() < 5 * 0.5 / 5000**0.5


def test_the_seed_decides_and_the_callers_stream_goes_on_as_before():
    model = linear()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = generate(model, 3), generate(model, 3), generate(model, 3, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.x, other.x)


def test_a_learners_own_model_works():
    assert generate(LearnersModel(), 7).x.shape == (7, 3)


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_bad_n(n):
    with pytest.raises(ValueError, match="whole number, 1 or above"):
        generate(linear(), n)


def test_the_map_shares_the_prior_out_evenly():
    z = latent_map(linear(latent_dim=2), 9).z.float().cpu()
    u = torch.distributions.Normal(0.0, 1.0).cdf(z)
    middles = (torch.arange(9) + 0.5) / 9
    torch.testing.assert_close(u[..., 0], middles.expand(9, 9), atol=1e-5, rtol=0)  # to the right
    torch.testing.assert_close(u[..., 1], middles.flip(0)[:, None].expand(9, 9), atol=1e-5, rtol=0)  # up
    assert z[4, 4].abs().max() < 1e-6


def test_the_map_shows_the_decoders_means():
    vae, _ = trained_vae(n=200, epochs=1)
    z, mean, _ = latent_map(vae, 3)
    torch.testing.assert_close(mean[2, 0], vae.decode(z[2, 0]).mean)
    assert mean.device.type == device().type


def test_the_map_needs_two_dimensions():
    with pytest.raises(ValueError, match="two latent dimensions, and this model has 3"):
        latent_map(linear(latent_dim=3))


def test_the_map_is_the_same_every_time_and_holds_samples_too():
    torch.manual_seed(0)
    vae = VAE((1, 4, 4), 2, "bernoulli")
    before = torch.get_rng_state()
    first, again = latent_map(vae, 5), latent_map(vae, 5)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.x, again.x)
    assert ((first.x == 0) | (first.x == 1)).all()
    assert not torch.equal(first.x, first.mean)
    with pytest.raises(ValueError, match="points"):
        latent_map(vae, 0)
