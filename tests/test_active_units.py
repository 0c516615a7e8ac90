"""Units that a model uses: against a model whose q is written down."""

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from tests.models import TwoModes, linear, trained_vae
from vae_edu import elbo
from vae_edu.active_units import active_units, code_means, kl_per_dimension
from vae_edu.gaussian import diagonal_gaussian


def model_with(mean, logvar):
    """A linear model whose encoder gives the same rows for any images."""
    model = linear(latent_dim=mean.shape[1])
    model.encode = lambda x: diagonal_gaussian(mean.to(x), logvar.to(x))
    return model, torch.zeros(len(mean), 6).to(model.W)


def test_a_dimension_with_the_prior_as_posterior_is_inactive_and_costs_nothing():
    mean = torch.stack([torch.linspace(-2, 2, 11), torch.zeros(11), torch.full((11,), 3.0)], 1)
    model, x = model_with(mean, torch.zeros(11, 3))
    assert active_units(model, x).tolist() == [True, False, False]  # a constant mean says nothing either
    torch.testing.assert_close(kl_per_dimension(model, x).float().cpu(), mean.square().mean(0) / 2)


def test_the_threshold_is_one_of_a_variance():
    mean = torch.tensor([[-0.11, -0.09], [0.11, 0.09]])  # variances .0242 and .0162 over two images
    model, x = model_with(mean, torch.zeros(2, 2))
    assert active_units(model, x, 0.02).tolist() == [True, False]
    assert active_units(model, x, 0.03).tolist() == [False, False]
    assert active_units(model, x).tolist() == [True, True]


def test_the_dimensions_add_up_to_the_kl_of_the_bound():
    vae, x = trained_vae(n=300, epochs=2)
    each = kl_per_dimension(vae, x)
    torch.testing.assert_close(each.sum(), elbo.elbo(vae, x).kl.mean())
    q = vae.encode(x).base_dist
    one = torch.stack(
        [kl_divergence(Normal(q.loc[:, j], q.scale[:, j]), Normal(0.0, 1.0)).mean() for j in (0, 1)]
    )
    torch.testing.assert_close(each, one)


def test_code_means_are_those_of_q():
    model = linear()
    x = torch.randn(4, 6).to(model.W)
    assert torch.equal(code_means(model, x), model.encode(x).mean)


def test_bad_input():
    model, x = model_with(torch.zeros(1, 2), torch.zeros(1, 2))
    with pytest.raises(ValueError, match="two or more"):
        active_units(model, x)
    with pytest.raises(ValueError, match="not a diagonal Gaussian"):
        kl_per_dimension(TwoModes(), torch.rand(3, 1).to(x))
    assert isinstance(model.encode(x), Independent)


def test_the_default_threshold_is_a_hundredth():
    mean = torch.stack([torch.linspace(-1, 1, 50) * s for s in (0.12, 0.25)], 1)  # variances .005 and .022
    model, x = model_with(mean, torch.zeros(50, 2))
    assert active_units(model, x).tolist() == [False, True]
