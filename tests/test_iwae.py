"""Importance-weighted bounds: against the linear oracle, closed forms, and a gradient written out by hand."""

import math
import os
import subprocess
import sys

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from tests.models import LearnersModel, draws, linear, trained_vae
from tests.test_marginal import wide
from vae_edu import device
from vae_edu.data import binarize, load_images
from vae_edu.elbo import elbo
from vae_edu.gaussian import diagonal_gaussian
from vae_edu.grid import Grid
from vae_edu.iwae import bounds, negative_bound, negative_bound_of_binarized
from vae_edu.linear import LinearGaussian
from vae_edu.marginal import importance_sampling, log_importance_weights, quadrature
from vae_edu.vae import VAE


@pytest.mark.parametrize("latent_dim", [2, 20])
def test_from_the_exact_posterior_every_bound_is_log_p_x(latent_dim):
    model = linear(pixels=30, latent_dim=latent_dim)
    x = draws(model, 7)
    for bound in bounds(model, x, (1, 3, 12)).values():
        torch.testing.assert_close(bound, model.log_prob(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("memory", [10**5, 2**25])
def test_no_bound_falls_on_any_image(memory):
    model = linear(sigma=0.5)
    x = draws(model, 60)
    found = bounds(model, x, (1, 2, 10, 100, 500), q=wide(model), memory=memory)
    ladder = torch.stack(list(found.values()))
    assert list(found) == [1, 2, 10, 100, 500]
    assert ladder.shape == (5, 60)
    assert (ladder.diff(dim=0) > 0).all()
    assert ((ladder[-1] - model.log_prob(x)).abs() < 0.5).all()


def test_the_first_is_log_p_x_minus_the_divergence():
    """L₁ = log p(x) − KL(q, p(z|x)), both known for the linear model; a z-test over the images."""
    model = linear()
    x, q = draws(model, 40), wide(model)
    proposal = q(x)
    q_full = MultivariateNormal(proposal.mean, torch.diag_embed(proposal.variance))
    right = model.log_prob(x) - kl_divergence(q_full, model.encode(x))
    found = bounds(model, x, (1, 20_000), q=q)[1]
    with torch.no_grad():
        error = log_importance_weights(model, x, 2000, q).std(0) / math.sqrt(20_000)
    scores = (found - right) / error
    assert scores.abs().max() < 4.5
    assert 0.6 < scores.std() < 1.5


def test_five_samples_give_what_importance_sampling_gives_on_average():
    model = linear()
    x, q = draws(model, 3), wide(model)
    found = bounds(model, x, (5, 50_000), q=q)[5]
    one_by_one = torch.stack(
        [importance_sampling(model, x, 5, q=q, seed=seed).log_p_x for seed in range(600)]
    )
    error = (one_by_one.var(0) * (1 / 600 + 1 / 10_000)).sqrt()
    assert ((one_by_one.mean(0) - found) / error).abs().max() < 4.5
    assert (found < model.log_prob(x)).all()


def test_a_learners_own_model_gets_to_the_truth():
    model = LearnersModel()
    x = draws(model, 5)
    exact = quadrature(model, x, Grid(1, 2000)).log_p_x
    torch.testing.assert_close(bounds(model, x, (1, 100_000))[100_000], exact, rtol=0, atol=0.05)


def test_one_sample_is_the_elbo():
    vae, x = trained_vae(n=300, epochs=1)
    with torch.no_grad():
        torch.manual_seed(3)
        reconstruction, kl = elbo(vae, x, analytic=False)
        torch.manual_seed(3)
        loss = negative_bound(vae, x, 1)
    torch.testing.assert_close(loss, kl - reconstruction, rtol=0, atol=1e-3)


def test_the_gradient_is_weighted_by_the_shares():
    """∇ −L_K = −Σ w̃ₖ ∇ log wₖ, with the shares w̃ held fixed."""
    model, shift = linear(), torch.zeros(1, 2, dtype=torch.float64, device=device(), requires_grad=True)
    x = draws(model, 4)

    def q(x):
        return diagonal_gaussian(model.encode(x).mean + shift, torch.zeros(len(x), 2).to(x))

    torch.manual_seed(0)
    (found,) = torch.autograd.grad(negative_bound(_Frozen(model, q), x, 7).sum(), shift)
    torch.manual_seed(0)
    log_w = log_importance_weights(_Frozen(model, q), x, 7)
    (right,) = torch.autograd.grad(-(log_w.softmax(0).detach() * log_w).sum(), shift)
    torch.testing.assert_close(found, right)
    assert found.abs().min() > 1e-3


def gradients(model, x, samples, draws_each, *, doubly):
    """The gradients of shift and log-scale of q, and of the decoder, for each of many draws: (draws, …)."""
    shift, logvar = (torch.zeros(1, 2, dtype=torch.float64, device=device()) for _ in range(2))
    weight = torch.tensor(1.0, dtype=torch.float64, device=device())
    parts = [part.requires_grad_() for part in (shift, logvar, weight)]
    exact = model.encode(x).mean

    def q(x):
        return diagonal_gaussian(exact + 0.3 + shift, (logvar - 1).expand(len(x), 2))

    frozen = _Frozen(model, q)
    frozen.decode = lambda z: model.decode(z * weight)
    frozen.log_joint = lambda x, z: model.decode(z * weight).log_prob(x) + model.prior().log_prob(z)
    found = []
    for seed in range(draws_each):
        torch.manual_seed(seed)
        loss = negative_bound(frozen, x, samples, doubly_reparameterized=doubly).sum()
        found.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, parts)]))
    return torch.stack(found), loss.item()


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_doubly_reparameterized_it_is_the_same_gradient_with_less_noise(samples):
    model = linear()
    x = draws(model, 6)
    plain, value = gradients(model, x, samples, 800, doubly=False)
    doubly, same = gradients(model, x, samples, 800, doubly=True)
    assert value == pytest.approx(same)
    torch.testing.assert_close(plain[:, -1], doubly[:, -1])  # the decoder's, draw by draw
    difference = (plain - doubly)[:, :-1]
    error = difference.std(0) / math.sqrt(len(difference))
    assert (difference.mean(0).abs() < 5 * error).all()
    assert (doubly[:, :-1].mean(0).abs() > 5 * doubly[:, :-1].std(0) / math.sqrt(800)).any()  # it is not 0
    assert (doubly.std(0)[:-1] < plain.std(0)[:-1]).all()


def test_doubly_reparameterized_there_is_no_noise_where_q_is_the_posterior():
    """A model of two pixels that z says nothing about, so that the posterior is the prior."""
    z = torch.zeros(3, 2, dtype=torch.float64, device=device(), requires_grad=True)
    model = LinearGaussian(torch.zeros(2, 2, device=device()), torch.zeros(2, device=device()), 1.0)
    x = draws(model, 3)
    for doubly in (True, False):
        torch.manual_seed(0)
        loss = negative_bound(
            _Frozen(model, lambda x: diagonal_gaussian(z, z)), x, 4, doubly_reparameterized=doubly
        )
        (found,) = torch.autograd.grad(loss.sum(), z)
        assert (found.abs().max() < 1e-12) == doubly
    with pytest.raises(ValueError, match="is not a diagonal Gaussian"):
        negative_bound(
            _Frozen(model, lambda x: MultivariateNormal(z, torch.eye(2).to(z))),
            x,
            4,
            doubly_reparameterized=True,
        )


class _Frozen:
    """A model with another encoder."""

    def __init__(self, model, q):
        self.prior, self.decode, self.log_joint, self.encode = model.prior, model.decode, model.log_joint, q


def test_a_vae_in_float32_gets_numbers_in_float64():
    vae, x = trained_vae(n=300, epochs=1)
    assert all(bound.dtype == torch.float64 for bound in bounds(vae, x[:3], (1, 10)).values())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow():
    code = (
        "import torch; from tests.benchmarks.measure import high_water_mark; from vae_edu.iwae import bounds;"
        "from vae_edu.vae import VAE; vae = VAE((1, 4, 4), 2, 'bernoulli', hidden=(8,));"
        "x = torch.ones(300, 1, 4, 4).to(vae.zero.device);"
        "bounds(vae, x[:3], (1, 10)); start = high_water_mark(); bounds(vae, x, (1, 20_000));"
        "print(high_water_mark() - start)"
    )
    options = {"env": os.environ | {"VAE_EDU_DEVICE": "cpu"}, "capture_output": True, "text": True}
    run = subprocess.run([sys.executable, "-c", code], check=True, **options)
    assert float(run.stdout) < 120  # MB; all the weights at once are 300 × 20,000 × 8 bytes, and copies


def test_binarized_anew_every_time():
    torch.manual_seed(0)
    vae, x = VAE((1, 4, 4), 3, "bernoulli", hidden=(8,)), torch.full((2000, 1, 4, 4), 0.3).to(device())
    with torch.no_grad():
        one, two = (negative_bound_of_binarized(vae, x, 50) for _ in range(2))
        right = bounds(vae, torch.bernoulli(x), (50,))[50]
    assert not torch.equal(one, two)
    assert one.mean().item() == pytest.approx(-right.mean().item(), abs=0.15)
    with pytest.raises(ValueError, match=r"pixels in \[0, 1\]"):
        negative_bound_of_binarized(vae, x + 1)


def test_the_seed_decides_and_the_callers_numbers_stay():
    model = linear()
    x = draws(model, 2)
    torch.manual_seed(0)
    right = torch.rand(1)
    torch.manual_seed(0)
    one, two, other = (bounds(model, x, (1, 10), q=wide(model), seed=seed)[10] for seed in (0, 0, 1))
    assert torch.rand(1) == right
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda m, x: bounds(m, x, (1, 5, 12)), "each must divide the next"),
        (lambda m, x: bounds(m, x, (5, 1)), "each must divide the next"),
        (lambda m, x: bounds(m, x, (5, 5)), "each must divide the next"),
        (lambda m, x: bounds(m, x, ()), "each must divide the next"),
        (lambda m, x: bounds(m, x, (0, 5)), "every count = 0"),
        (lambda m, x: bounds(m, x, (2.5,)), "every count = 2.5"),
        (lambda m, x: bounds(m, x / 2), "binarize the images"),
        (lambda m, x: bounds(m, x[:, :, :14]), "images of the model's shape"),
        (lambda m, x: bounds(m, x, memory=10), "memory = 10"),
        (lambda m, x: negative_bound(m, x, 0), "samples = 0"),
    ],
)
def test_bad_input_gets_one_sentence(work, message):
    with pytest.raises(ValueError, match=message):
        work(VAE((1, 28, 28), 2, "bernoulli", hidden=(8,)), binarize(load_images("strokes", n=3).x))
