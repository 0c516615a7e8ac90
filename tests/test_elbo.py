"""D1 to D6 and L5, line by line, against closed forms and against the integral on a grid."""

import itertools
import math
import os
import subprocess
import sys

import pytest
import torch
from torch.distributions import Bernoulli, Independent, MultivariateNormal, kl_divergence

from tests.models import LearnersModel, TwoModes, draws, linear, trained_vae
from vae_edu import device
from vae_edu.bayes import spread_over_z
from vae_edu.elbo import derivation, elbo, gap, negative_elbo, negative_elbo_of_binarized
from vae_edu.gaussian import diagonal_gaussian
from vae_edu.grid import Grid
from vae_edu.marginal import GridWarning, quadrature
from vae_edu.vae import VAE

LINES = {"D1": 3, "D2": 5, "D3": 3, "D4": 1, "D5": 3, "D6": 3}
GRID = Grid(2, 300, radius=8.0)


def crooked(model):
    """A q that is wrong in mean, spread and correlation."""

    def q(x):
        exact = model.encode(x)
        spread = torch.tensor([0.4, -1.2]).to(exact.mean).expand_as(exact.mean)
        return diagonal_gaussian(exact.mean + torch.tensor([0.3, -0.2]).to(exact.mean), spread - 1)

    return q


@pytest.mark.parametrize("proposal", ["exact", "crooked"])
def test_every_line_is_log_p_x(proposal):
    model = linear()
    x = draws(model, 10)
    lines = derivation(model, x, GRID, q=None if proposal == "exact" else crooked(model))
    assert {label: len(terms) for label, terms in lines.items()} == LINES
    for terms in lines.values():
        assert all(term.shape == (10,) for term in terms.values())
        torch.testing.assert_close(sum(terms.values()), model.log_prob(x), rtol=0, atol=1e-6)


def test_the_terms_are_the_closed_forms():
    """For Gaussians each of the three has a formula: E_q of a quadratic, and two KL divergences."""
    model = linear()
    x = draws(model, 10)
    q = crooked(model)(x)
    reconstruction, to_prior, to_posterior = derivation(model, x, GRID, q=crooked(model))["D6"].values()
    residual = x - model.decode(q.mean).mean
    expected_square = residual.square().sum(1) + (q.variance * model.W.square().sum(0)).sum(1)
    exact = -0.5 * (6 * math.log(2 * math.pi * 0.64) + expected_square / 0.64)
    torch.testing.assert_close(reconstruction, exact, rtol=0, atol=1e-6)
    full = MultivariateNormal(q.mean, torch.diag_embed(q.variance))
    standard = MultivariateNormal(torch.zeros(2).to(full.mean), torch.eye(2).to(full.mean))
    torch.testing.assert_close(-to_prior, kl_divergence(full, standard), rtol=0, atol=1e-6)
    torch.testing.assert_close(to_posterior, kl_divergence(full, model.encode(x)), rtol=0, atol=1e-6)
    assert to_posterior.min() > 0.1


def test_the_terms_at_one_z_are_those_of_its_densities():
    model = linear()
    x = draws(model, 4)
    z = torch.randn(4, 2).to(x)
    lines = derivation(model, x, GRID, q=crooked(model), z=z)
    likelihood, prior = model.decode(z).log_prob(x), model.prior().log_prob(z)
    log_q, exact = crooked(model)(x).log_prob(z), model.encode(x).log_prob(z)
    for label, right in {
        "D1": [likelihood, prior, -exact],
        "D2": [likelihood, prior, log_q, -exact, -log_q],
        "D3": [likelihood, prior - log_q, log_q - exact],
    }.items():
        for term, value in zip(lines[label].values(), right, strict=True):
            torch.testing.assert_close(term, value, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["strokes", "mnist"])
def test_the_three_terms_of_a_trained_vae_add_up(name, request):
    """Reconstruction from the grid, KL to the prior in closed form, KL to the posterior on its own."""
    if name == "mnist":
        request.getfixturevalue("mnist")
    vae, x = trained_vae(name)
    log_p_x = quadrature(vae, x, Grid(2, 700, radius=10.0)).log_p_x
    lines = derivation(vae, x, Grid(2, 640, radius=12.0))
    for terms in lines.values():
        torch.testing.assert_close(sum(terms.values()).double(), log_p_x, rtol=0, atol=1e-3)
    assert lines["D6"]["KL(q(z|x), p(z|x))"].min() > 0
    with torch.no_grad():
        sampled = elbo(vae, x, samples=2000)
        spread = vae.decode(vae.encode(x).sample((500,))).log_prob(x).std(0)
    error = (sampled.reconstruction - lines["D6"]["E[log p(x|z)]"]) / (spread / math.sqrt(2000))
    assert error.abs().max() < 6


def test_the_bound_is_below_and_the_gap_says_by_how_much():
    vae, x = trained_vae("strokes", epochs=1)
    terms = derivation(vae, x, Grid(2, 480, radius=10.0))["D6"]
    bound = terms["E[log p(x|z)]"] + terms["-KL(q(z|x), p(z))"]
    log_p_x = quadrature(vae, x, Grid(2, 480, radius=10.0)).log_p_x
    assert (bound <= log_p_x).all()
    assert (gap(vae, x, Grid(2, 480, radius=10.0)) - (log_p_x - bound)).abs().max() < 1e-3


def test_elbo_by_samples():
    model = linear()
    x = draws(model, 5)
    exact = derivation(model, x, GRID, q=crooked(model))["D6"]
    torch.manual_seed(0)
    for analytic in (True, False):
        reconstruction, kl = elbo(model, x, samples=40_000, q=crooked(model), analytic=analytic)
        torch.testing.assert_close(reconstruction, exact["E[log p(x|z)]"], rtol=0, atol=0.15)
        torch.testing.assert_close(kl, -exact["-KL(q(z|x), p(z))"], rtol=0, atol=1e-9 if analytic else 0.04)


def test_elbo_in_chunks_of_few_images_and_codes():
    model = linear()
    x = draws(model, 5)
    exact = derivation(model, x, GRID, q=crooked(model))["D6"]
    torch.manual_seed(0)
    for analytic in (True, False):
        options = {"samples": 4000, "q": crooked(model), "analytic": analytic, "memory": 200_000}
        reconstruction, kl = elbo(model, x, **options)
        torch.testing.assert_close(reconstruction, exact["E[log p(x|z)]"], rtol=0, atol=0.5)
        torch.testing.assert_close(kl, -exact["-KL(q(z|x), p(z))"], rtol=0, atol=1e-9 if analytic else 0.15)


def test_chunks_have_the_gradients_of_the_whole():
    """A q so narrow that its draws are its means: how they are drawn makes no difference."""
    vae, x = VAE((1, 6, 6), 2, "gaussian").double(), torch.rand(7, 1, 6, 6).to(device()).double()
    narrow = lambda x: diagonal_gaussian(vae.encode(x).mean, vae.encode(x).mean * 0 - 80)  # noqa: E731
    gradients = []
    for memory in (30_000, 10**9):
        reconstruction, kl = elbo(vae, x, 3, q=narrow, memory=memory)
        gradients.append(torch.autograd.grad((kl - reconstruction).sum(), list(vae.decoder.parameters())))
    for few, all_at_once in zip(*gradients, strict=True):
        torch.testing.assert_close(few, all_at_once)
        assert few.abs().sum() > 0
    with pytest.raises(ValueError, match="memory = 10 bytes is too little"):
        elbo(vae, x, memory=10)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow():
    code = (
        "import torch; from tests.benchmarks.measure import high_water_mark; from vae_edu.elbo import elbo;"
        "from vae_edu.bayes import spread_over_z; from vae_edu.vae import VAE;"
        "vae = VAE((1, 28, 28), 2, 'bernoulli', hidden=(8,)).requires_grad_(False);"
        "x = torch.ones(600, 1, 28, 28).to(vae.zero.device);"
        "work = lambda n, k: (elbo(vae, x[:n], k), spread_over_z(vae, x[:n], k));"
        "work(3, 2); start = high_water_mark(); work(600, 60); print(high_water_mark() - start)"
    )
    options = {"env": os.environ | {"VAE_EDU_DEVICE": "cpu"}, "capture_output": True, "text": True}
    run = subprocess.run([sys.executable, "-c", code], check=True, **options)
    assert float(run.stdout) < 120  # MB; all the logits at once are 600 × 60 × 784 × 4 bytes, and copies


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_diverged_model_is_named(likelihood):
    vae, x = VAE((1, 4, 4), 2, likelihood, hidden=(5,)), torch.ones(3, 1, 4, 4).to(device())
    with torch.no_grad():
        next(vae.decoder.parameters()).fill_(math.nan)
    for context in (torch.no_grad(), torch.enable_grad()):
        with context, pytest.raises(FloatingPointError, match="the bound is not a number"):
            elbo(vae, x)
    with pytest.raises(FloatingPointError, match="the spread of L4 is not a number"):
        spread_over_z(vae, x)


def test_the_loss_is_minus_the_bound_and_trains_both_halves():
    vae, x = VAE((1, 6, 6), 2, "gaussian"), torch.rand(7, 1, 6, 6).to(device())
    torch.manual_seed(1)
    loss = negative_elbo(vae, x)
    torch.manual_seed(1)
    reconstruction, kl = elbo(vae, x)  # its checks draw nothing
    torch.testing.assert_close(loss, kl - reconstruction)
    to_encoder = torch.autograd.grad(reconstruction.sum(), list(vae.encoder.parameters()), retain_graph=True)
    assert all(gradient.abs().sum() > 0 for gradient in to_encoder)  # through the draw
    loss.mean().backward()
    for network in (vae.encoder, vae.decoder):
        assert all(weight.grad.abs().sum() > 0 for weight in network.parameters())


@pytest.mark.parametrize("beta", [0, 0.5, 1, 4.0])
def test_beta_weighs_the_kl_divergence(beta):
    vae, x = VAE((1, 6, 6), 2, "gaussian"), torch.rand(7, 1, 6, 6).to(device())
    torch.manual_seed(1)
    z = vae.encode(x).rsample()
    q, prior = vae.encode(x), MultivariateNormal(torch.zeros(2).to(x), torch.eye(2).to(x))
    by_hand = beta * kl_divergence(MultivariateNormal(q.mean, torch.diag_embed(q.variance)), prior)
    torch.manual_seed(1)
    torch.testing.assert_close(negative_elbo(vae, x, beta), by_hand - vae.decode(z).log_prob(x))


@pytest.mark.parametrize("beta", [-0.1, math.inf, math.nan])
def test_a_beta_that_weighs_nothing(beta):
    with pytest.raises(ValueError, match="0 or above and finite"):
        negative_elbo(VAE((1, 4, 4), 2), torch.zeros(1, 1, 4, 4).to(device()), beta)


def test_stochastic_binarization_averages_over_all_binary_images():
    """A model of two pixels, whose four binary images can be counted; q ignores x, so z adds only noise."""

    class TwoPixels(LearnersModel):
        def encode(self, x):
            return diagonal_gaussian(torch.zeros(len(x), 1).to(x), torch.full((len(x), 1), -40.0).to(x))

        def decode(self, z):
            logits = torch.tensor([0.4, -1.3]).to(z).expand(*z.shape[:-1], 2)
            return Independent(Bernoulli(logits=logits), 1)

    x = torch.tensor([[0.2, 0.9]]).to(device())
    p = torch.tensor([0.4, -1.3]).sigmoid()
    expected = 0.0
    for a, b in itertools.product((0, 1), repeat=2):
        share = (0.2 if a else 0.8) * (0.9 if b else 0.1)
        expected -= share * math.log((p[0] if a else 1 - p[0]) * (p[1] if b else 1 - p[1]))
    torch.manual_seed(0)
    model = TwoPixels()
    model.prior = lambda: diagonal_gaussian(torch.zeros(1).to(x), torch.full((1,), -40.0).to(x))  # KL = 0
    losses = negative_elbo_of_binarized(model, x.expand(20_000, 2))
    assert losses.mean().item() == pytest.approx(expected, abs=0.03)
    assert losses.unique().numel() == 4  # drawn anew for every image


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_a_pixel_that_is_no_probability(value):
    vae, x = VAE((1, 4, 4), 2, "bernoulli"), torch.full((3, 1, 4, 4), 0.5).to(device())
    assert negative_elbo_of_binarized(vae, x.double()).shape == (3,)
    x[1, 0, 2, 3] = value
    with pytest.raises(ValueError, match="give pixels in"):
        negative_elbo_of_binarized(vae, x)


def test_a_learners_own_model():
    model = LearnersModel()
    x = draws(model, 6)
    grid = Grid(1, 2000, radius=8.0)
    log_p_x = quadrature(model, x, grid).log_p_x
    for terms in derivation(model, x, grid).values():
        torch.testing.assert_close(sum(terms.values()).double(), log_p_x, rtol=0, atol=1e-3)


def test_a_q_without_a_closed_form():
    """A mixture: no formula for its KL divergence, so the samples give it, and D6 says what to do."""
    model, x = TwoModes(), torch.tensor([[1.0], [4.0]]).to(device())
    with pytest.raises(NotImplementedError, match="analytic=False"):
        elbo(model, x)
    reconstruction, kl = elbo(model, x, 400_000, analytic=False)
    bound, exact = reconstruction - kl, model.log_p_x(x)
    for terms in derivation(model, x, Grid(1, 2000)).values():
        torch.testing.assert_close(sum(terms.values()).double(), exact, rtol=0, atol=1e-3)
    torch.testing.assert_close(
        exact - bound, gap(model, x, Grid(1, 2000)), rtol=0.02, atol=0, check_dtype=False
    )


@pytest.mark.parametrize(
    ("logvar", "shift"), [(math.log(1e-4), 0.0), (0.0, 50.0)], ids=["too narrow", "outside"]
)
def test_a_grid_that_q_does_not_fit_is_named(logvar, shift):
    model = linear()
    x = draws(model, 2)
    q = lambda x: diagonal_gaussian(x[:, :2] * 0 + shift + 0.013, torch.full_like(x[:, :2], logvar))  # noqa: E731
    with pytest.warns(GridWarning, match="q.z|x. adds up to"):
        gap(model, x, Grid(2, 60), q=q)


def test_bad_input_gets_one_sentence():
    vae, x = VAE((1, 5, 5), 2, "gaussian"), torch.rand(3, 1, 5, 5).to(device())
    for work in (lambda x: derivation(vae, x), lambda x: gap(vae, x), lambda x: elbo(vae, x)):
        for bad, message in [(x[:0], "no images"), (x / 0, "NaN"), (x[..., :4], "images")]:
            with pytest.raises(ValueError, match=message):
                work(bad)
    with pytest.raises(ValueError, match="samples = 0"):
        elbo(vae, x, 0)
    with pytest.raises(ValueError, match="latent_dim=2"):
        gap(vae, x, Grid(3, 20))
    with pytest.raises(ValueError, match=r"z is \(2, 2\)"):
        derivation(vae, x, z=torch.zeros(2, 2).to(device()))
