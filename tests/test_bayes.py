"""L3 and L4: the posterior on the grid against closed forms, and Bayes' rule at any z."""

import math

import pytest
import torch

from tests.models import TwoModes, draws, linear, trained_vae
from vae_edu import device
from vae_edu.bayes import bayes_rule, log_posterior, posterior, spread_over_z
from vae_edu.gaussian import diagonal_gaussian
from vae_edu.grid import Grid
from vae_edu.marginal import GridWarning, importance_sampling, quadrature
from vae_edu.vae import VAE


def test_the_posterior_is_the_closed_form():
    model, grid = linear(), Grid(2, 200, radius=6.0)
    x = draws(model, 7)
    density = posterior(model, x, grid)
    assert density.shape == (7, 200, 200)
    torch.testing.assert_close(
        density.sum((1, 2)) * grid.step**2, torch.ones(7).to(density), rtol=0, atol=1e-12
    )
    exact = model.encode(x).log_prob(grid.nodes().to(x.device)[:, None]).exp()  # (nodes, 7)
    torch.testing.assert_close(density.reshape(7, -1).T, exact, rtol=1e-6, atol=1e-9)


def test_its_mean_and_covariance_are_the_closed_form():
    model, grid = linear(), Grid(2, 200, radius=6.0)
    x = draws(model, 7)
    weights = posterior(model, x, grid).reshape(7, -1) * grid.step**2
    z = grid.nodes().to(x.device)
    mean = weights @ z
    torch.testing.assert_close(mean, model.encode(x).mean, rtol=0, atol=1e-8)
    centered = z - mean[:, None]  # (7, nodes, 2)
    covariance = torch.einsum("bn,bni,bnj->bij", weights, centered, centered)
    torch.testing.assert_close(covariance, model.encode(x).covariance_matrix, rtol=0, atol=1e-8)


def test_a_posterior_that_its_grid_does_not_hold_is_named():
    model = linear(sigma=0.8)
    with pytest.warns(GridWarning, match="too small"):
        posterior(model, draws(model, 3), Grid(2, 200, radius=1.0))


def test_the_axes_are_not_swapped():
    """Mass at z = (1, −2) lies in row 1, column −2."""
    model, grid = linear(sigma=0.1), Grid(2, 121, radius=3.0)
    x = model.decode(torch.tensor([[1.0, -2.0]]).to(device())).mean
    row, column = divmod(posterior(model, x, grid)[0].argmax().item(), 121)
    assert (round(row * 0.05 - 3, 1), round(column * 0.05 - 3, 1)) == (1.0, -2.0)


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_other_dimensions(latent_dim):
    model, grid = linear(latent_dim=latent_dim), Grid(latent_dim, 60)
    density = posterior(model, draws(model, 2), grid)
    assert density.shape == (2, *[60] * latent_dim)
    assert (density.flatten(1).sum(1) * grid.step**latent_dim).tolist() == pytest.approx([1, 1])


def test_bayes_rule_gives_log_p_x_at_any_z():
    model = linear()
    x = draws(model, 7)
    z = 3 * torch.randn(50, 7, 2).to(device())
    torch.testing.assert_close(bayes_rule(model, x, z), model.log_prob(x).expand(50, 7), rtol=0, atol=1e-8)
    assert spread_over_z(model, x).max() < 1e-8


def test_bayes_rule_on_a_trained_vae():
    """With the posterior from one grid, L3 gives at any z what another grid gives for the integral."""
    vae, x = trained_vae()
    with torch.no_grad():
        z = vae.encode(x).sample((20,))
        l3 = vae.log_joint(x, z) - log_posterior(vae, x, z, Grid(2, 480, radius=10.0))
    other = quadrature(vae, x, Grid(2, 700, radius=12.0)).log_p_x
    torch.testing.assert_close(l3, other.expand(20, -1), rtol=0, atol=1e-3)
    assert spread_over_z(vae, x).min() > 0.01  # q is not the posterior


def test_the_posterior_on_the_nodes_is_the_one_at_any_z():
    vae, grid = VAE((1, 5, 5), 2, "gaussian"), Grid(2, 50)
    x = torch.rand(3, 1, 5, 5).to(device())
    z = grid.nodes(100, 110).float().to(x.device)[:, None].expand(-1, 3, -1)
    on_nodes = posterior(vae, x, grid).flatten(1).T[100:110].log()
    torch.testing.assert_close(log_posterior(vae, x, z, grid), on_nodes, rtol=0, atol=1e-4)


def test_l4_spreads_by_what_q_is_off():
    """For q = p(z|x) shifted by δ in units of its own σ, log p(z|x)/q(z|x) has variance |δ|²."""
    model = linear()
    x = draws(model, 4)
    exact = model.encode(x)

    def shifted(x):
        scale = model.encode(x).scale_tril
        shift = scale @ torch.tensor([0.5, 0.0]).to(scale)
        return torch.distributions.MultivariateNormal(model.encode(x).mean + shift, scale_tril=scale)

    assert exact.batch_shape == (4,)
    spread = spread_over_z(model, x, 20_000, q=shifted)
    assert spread.tolist() == pytest.approx([0.5] * 4, rel=0.03)
    l4 = bayes_rule(model, x, exact.mean, q=shifted)
    right = model.log_prob(x) + 0.5 * 0.5**2  # log N(0; 0, 1)/N(0; δ, 1) = δ²/2
    torch.testing.assert_close(l4, right, rtol=0, atol=1e-8)


def test_the_spread_does_not_depend_on_the_chunks():
    model = TwoModes()
    x = torch.tensor([[1.0], [4.0], [2.0]]).to(device())
    whole, chunks = (spread_over_z(model, x, 20_000, memory=memory) for memory in (10**9, 10**6))
    torch.testing.assert_close(chunks, whole, rtol=0.15, atol=0)  # each has a standard error of 0.02 of it
    assert not torch.equal(chunks, whole)  # other draws
    assert spread_over_z(linear(), draws(linear(), 7), memory=20_000).max() < 1e-8


def test_a_proposal_that_misses_a_mode():
    """Half of the posterior is out of sight: the estimate is log 2 too low, and its error does not say so."""
    model, x = TwoModes(), torch.tensor([[4.0]]).to(device())
    blind = lambda x: diagonal_gaussian(x.sqrt(), torch.full_like(x, -6.0))  # noqa: E731
    estimate = importance_sampling(model, x, 20_000, q=blind)
    assert (model.log_p_x(x) - estimate.log_p_x).item() == pytest.approx(math.log(2), abs=0.02)
    assert estimate.standard_error.item() < 0.02


def test_bad_input_gets_one_sentence():
    vae, x = VAE((1, 5, 5), 2, "gaussian"), torch.rand(3, 1, 5, 5).to(device())
    z = torch.zeros(3, 2).to(device())
    for work in (
        lambda x: posterior(vae, x),
        lambda x: bayes_rule(vae, x, z),
        lambda x: spread_over_z(vae, x),
        lambda x: log_posterior(vae, x, z),
    ):
        for bad, message in [(x[:0], "no images"), (x / 0, "NaN"), (x[..., :4], "the model's shape")]:
            with pytest.raises(ValueError, match=message):
                work(bad)
    with pytest.raises(ValueError, match="samples = 1"):
        spread_over_z(vae, x, 1)
    with pytest.raises(ValueError, match="latent_dim=2"):
        posterior(vae, x, Grid(1))
    with pytest.raises(ValueError, match="one code an image"):
        bayes_rule(vae, x, torch.zeros(3, 5).to(device()))
    with pytest.raises(ValueError, match="one code an image"):
        log_posterior(vae, x, torch.zeros(2, 2).to(device()))


def test_the_spread_draws_from_its_seed_alone():
    model = TwoModes()
    x = torch.tensor([[1.0], [4.0]]).to(device())
    torch.manual_seed(0)
    right = torch.rand(1)
    torch.manual_seed(0)
    first, again, other = (spread_over_z(model, x, seed=seed) for seed in (0, 0, 1))
    assert torch.rand(1) == right
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
