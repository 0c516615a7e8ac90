"""L2 by chance and on the grid: against closed forms, enumeration, and its own stated errors."""

import io
import itertools
import math
import os
import subprocess
import sys
from collections import Counter

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal

from tests.models import LearnersModel, TwoModes, draws, linear, trained_vae
from vae_edu import device
from vae_edu.bayes import log_posterior, posterior
from vae_edu.data import binarize, load_images
from vae_edu.elbo import derivation, elbo, gap
from vae_edu.engine import chunks
from vae_edu.engine.chunks import chunk_sizes
from vae_edu.gaussian import diagonal_gaussian
from vae_edu.grid import Grid
from vae_edu.interface import log_likelihoods
from vae_edu.iwae import bounds
from vae_edu.linear import LinearGaussian
from vae_edu.marginal import (
    GridWarning,
    SamplingWarning,
    grid_parts,
    grid_sums,
    importance_sampling,
    log_importance_weights,
    log_mean_exp,
    monte_carlo,
    quadrature,
)
from vae_edu.vae import LIKELIHOODS, VAE


@pytest.mark.parametrize(("latent_dim", "points"), [(1, 240), (2, 240), (3, 100)])
def test_the_grid_gives_the_closed_form(latent_dim, points):
    model = linear(latent_dim=latent_dim)
    x = draws(model, 20)
    estimate = quadrature(model, x, Grid(latent_dim, points, radius=8.0))
    torch.testing.assert_close(estimate.log_p_x, model.log_prob(x), rtol=0, atol=1e-6)
    assert estimate.error.max() < 1e-6
    assert estimate.border.max() < 1e-6


@pytest.mark.parametrize("latent_dim", [2, 10, 50])
def test_one_sample_from_the_exact_posterior_is_enough(latent_dim):
    model = linear(pixels=60, latent_dim=latent_dim)
    x = draws(model, 20)
    estimate = importance_sampling(model, x, samples=1)
    torch.testing.assert_close(estimate.log_p_x, model.log_prob(x), rtol=0, atol=1e-6)
    assert estimate.standard_error.isinf().all()
    several = importance_sampling(model, x, samples=10)
    assert several.standard_error.max() < 1e-4
    torch.testing.assert_close(several.effective_samples, torch.full_like(several.log_p_x, 10))


def wide(model):
    """A proposal that is off in mean and spread, but covers the posterior."""

    def q(x):
        exact = model.encode(x)
        logvar = exact.covariance_matrix.diagonal(dim1=-2, dim2=-1).log() + 1.0
        return diagonal_gaussian(exact.mean + 0.3, logvar)

    return q


@pytest.mark.parametrize("method", ["monte carlo", "importance sampling"])
def test_errors_are_as_large_as_stated(method):
    """z = (estimate − truth) / standard error over 400 seeds: mean 0 and variance 1."""
    model = linear(sigma=1.5)
    x = draws(model, 1)
    truth, scores = model.log_prob(x), []
    for seed in range(400):
        if method == "monte carlo":
            estimate = monte_carlo(model, x, 2000, seed=seed)
        else:
            estimate = importance_sampling(model, x, 2000, q=wide(model), seed=seed)
        scores.append((estimate.log_p_x - truth) / estimate.standard_error)
    scores = torch.cat(scores)
    assert scores.mean().abs() < 4 / 20  # four standard errors of a mean of 400
    assert scores.std().item() == pytest.approx(1, abs=4 / math.sqrt(800))


def test_the_error_falls_with_the_root_of_the_samples():
    model = linear(sigma=1.5)
    x = draws(model, 50)
    few, many = (monte_carlo(model, x, samples).standard_error.mean() for samples in (1000, 100_000))
    assert (few / many).item() == pytest.approx(10, rel=0.15)


def test_the_mean_of_the_bound_rises_with_the_samples():
    """The importance-weighted bounds for K = 1, 5, 50 are ordered and lie below the truth, on average."""
    model = linear()
    x = draws(model, 200)
    bounds = [importance_sampling(model, x, k, q=wide(model)).log_p_x.mean() for k in (1, 5, 50)]
    assert bounds == sorted(bounds)
    assert bounds[-1] < model.log_prob(x).mean()
    assert bounds[0] < bounds[-1] - 0.1


def test_every_image_of_a_tiny_model():
    """All 2⁹ images of 9 pixels: their probabilities add up to 1."""
    torch.manual_seed(0)
    vae = VAE((1, 3, 3), 2, "bernoulli", hidden=(20,))
    with torch.no_grad():
        vae.decoder[2].weight.mul_(5)  # far from uniform
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=9))).reshape(-1, 1, 3, 3).to(device())
    probabilities = quadrature(vae, x, Grid(2, 240, radius=6.0)).log_p_x.exp()
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
    assert probabilities.max() > 5 * probabilities.min()
    assert importance_sampling(vae, x, 2000).log_p_x.exp().sum().item() == pytest.approx(1, abs=0.01)


def gray_or_binary(likelihood, n=6):
    x = load_images("strokes", n=n).x
    return binarize(x) if likelihood == "bernoulli" else x


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_products_give_what_log_prob_gives(likelihood):
    torch.manual_seed(0)
    vae = VAE((1, 28, 28), 2, likelihood)
    x, z = gray_or_binary(likelihood), torch.randn(9, 2).to(device())
    ours = log_likelihoods(vae.decode(z), x)
    theirs = vae.double().decode(z.double()[:, None]).log_prob(x.double())
    torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", [Bernoulli, Normal])
def test_a_distribution_with_ideas_of_its_own_is_not_replaced(kind):
    class Tempered(kind):
        def log_prob(self, value):
            return 0.5 * super().log_prob(value)

    arguments = (
        {"logits": torch.randn(4, 1, 2, 2)}
        if kind is Bernoulli
        else {"loc": torch.rand(4, 1, 2, 2), "scale": 1.0}
    )
    p = Independent(Tempered(**arguments), 3)
    x = torch.ones(3, 1, 2, 2)
    torch.testing.assert_close(log_likelihoods(p, x), p.log_prob(x[:, None]).T)


def test_a_learners_own_model():
    """Grid, Monte Carlo and importance sampling agree on a model with a distribution of its own."""
    model = LearnersModel()
    x = draws(model, 8)
    exact = quadrature(model, x, Grid(1, 2000)).log_p_x
    for estimate in (monte_carlo(model, x, 100_000), importance_sampling(model, x, 100_000)):
        assert ((estimate.log_p_x - exact) / estimate.standard_error).abs().max() < 4


def test_a_proposal_with_two_modes_that_has_no_gradient():
    model, x = TwoModes(), torch.tensor([[0.5], [1.0], [4.0]]).to(device())
    exact = model.log_p_x(x)
    torch.testing.assert_close(quadrature(model, x, Grid(1, 1000)).log_p_x, exact, rtol=0, atol=1e-4)
    estimate = importance_sampling(model, x, 20_000)
    assert ((estimate.log_p_x - exact) / estimate.standard_error).abs().max() < 4


@pytest.mark.parametrize("name", ["strokes", "mnist"])
def test_half_the_step_moves_a_trained_vae_by_less_than_a_thousandth(name, request):
    if name == "mnist":
        request.getfixturevalue("mnist")
    vae, x = trained_vae(name)
    coarse, fine = (quadrature(vae, x, Grid(2, points, radius=10.0)).log_p_x for points in (480, 960))
    assert (coarse - fine).abs().max() < 1e-3


@pytest.mark.parametrize("likelihood", ["gaussian", "gaussian_one_sigma"])
def test_gaussian_decoders_on_the_grid(likelihood):
    """Densities of hundreds of nats, in agreement with importance sampling to within its error."""
    vae, x = trained_vae("strokes", likelihood, min_sigma=0.3)
    exact = quadrature(vae, x, Grid(2, 480, radius=10.0)).log_p_x

    def wider(x):  # q alone misses modes
        return diagonal_gaussian(vae.encode(x).mean, vae.encode(x).variance.log() + 2)

    estimate = importance_sampling(vae, x, 5000, q=wider)
    good = estimate.effective_samples > 200
    assert good.sum() >= 20
    assert ((estimate.log_p_x - exact) / estimate.standard_error)[good].abs().max() < 5


def test_weights_have_the_gradients_of_a_reparameterized_draw():
    """log q(μ + σ ε) does not depend on μ, so the gradient is that of log p(x, z) at the draw."""
    model, mu = linear(), torch.zeros(1, 2, dtype=torch.float64, device=device(), requires_grad=True)
    x = draws(model, 1)
    torch.manual_seed(0)
    log_w = log_importance_weights(model, x, 1, lambda x: diagonal_gaussian(mu, torch.zeros_like(mu)))
    torch.manual_seed(0)
    z = diagonal_gaussian(mu, torch.zeros_like(mu)).sample((1,)).requires_grad_()
    (to_mu,) = torch.autograd.grad(log_w.sum(), mu)
    (to_z,) = torch.autograd.grad(model.log_joint(x, z).sum(), z)
    torch.testing.assert_close(to_mu, to_z[0])


def test_the_standard_error_of_two_samples():
    """|w₁ − w₂| / (w₁ + w₂), with the two weights from the effective number, 1 / (p² + (1 − p)²)."""
    model = linear()
    estimate = importance_sampling(model, draws(model, 9), 2, q=wide(model))
    p = 0.5 + (0.5 / estimate.effective_samples - 0.25).sqrt()  # the larger share
    torch.testing.assert_close(estimate.standard_error, 2 * p - 1, rtol=1e-6, atol=1e-6)


def test_a_good_grid_gets_no_warning_and_a_bad_one_where_it_was_asked(recwarn):
    model = linear()
    x = draws(model, 3)
    quadrature(model, x, Grid(2, 150, radius=8.0))
    assert not recwarn.list
    quadrature(model, x, Grid(2, 12))
    assert recwarn.list[0].filename == __file__


def test_half_the_resolution_is_every_second_node():
    model = linear(sigma=0.3)
    x = draws(model, 5)
    with pytest.warns(GridWarning, match="too coarse: at half its resolution"):
        fine = quadrature(model, x, Grid(2, 40))
    z = Grid(2, 40).nodes().reshape(40, 40, 2)[::2, ::2].reshape(-1, 2).to(x.device)
    coarse = model.log_joint(x, z[:, None]).logsumexp(0) + 2 * math.log(2 * Grid(2, 40).step)
    torch.testing.assert_close(fine.error, (fine.log_p_x - coarse).abs())


def test_a_grid_that_is_too_small_is_named():
    model = linear(sigma=0.8)
    x = draws(model, 5) + 6
    with pytest.warns(GridWarning, match="too small"), pytest.warns(GridWarning, match="too coarse"):
        assert quadrature(model, x, Grid(2, 100, radius=1.0)).border.max() > 0.01


def test_the_border_is_the_share_of_the_posterior_there():
    model = linear()
    x, grid = draws(model, 3), Grid(2, 30, radius=2.0)
    density = model.log_joint(x, grid.nodes().to(x.device)[:, None]).softmax(0).reshape(30, 30, 3)
    with pytest.warns(GridWarning):
        border = quadrature(model, x, grid).border
    torch.testing.assert_close(border, 1 - density[1:-1, 1:-1].sum((0, 1)))  # ± 2 alone is within 0.1 of 2
    with pytest.warns(GridWarning, match="too small"):  # however fine the grid is
        quadrature(model, x, Grid(2, 400, radius=2.0))


def test_nothing_overflows():
    """Images far out and a noise near nothing: log weights of minus millions."""
    model = linear(sigma=1e-3)
    x = draws(model, 3) + 10
    for estimate in (monte_carlo(model, x, 50), importance_sampling(model, x, 50)):
        assert estimate.log_p_x.isfinite().all()
        assert (estimate.effective_samples >= 1 - 1e-9).all()
    log_w = torch.tensor([[-2000.0, 800.0], [-2001.0, 801.0]])
    torch.testing.assert_close(
        log_mean_exp(log_w),
        torch.tensor([-2000 + math.log((1 + math.exp(-1)) / 2), 801 + math.log((1 + math.exp(-1)) / 2)]),
    )


@pytest.mark.parametrize("limit", [10**5, 10**6, 10**8])
def test_the_grid_does_not_depend_on_the_chunks(limit):
    model = linear()
    x = draws(model, 70)
    torch.testing.assert_close(
        quadrature(model, x, Grid(2, 60), memory=limit).log_p_x, model.log_prob(x), rtol=0, atol=1e-3
    )


def test_chunks_keep_to_their_limit():
    """Of a cost that is known: 100 numbers an image, 1000 a code, 7 a pair."""

    def work(b, k):
        return torch.empty(b, 100), torch.empty(k, 1000), torch.empty(b, k, 7).view(-1)

    for images, codes, memory in [(1, 10**6, 10**7), (10**6, 10**6, 10**7), (50, 8, 10**6), (9, 9, 10**9)]:
        b, k = chunk_sizes(work, images, codes, memory)
        assert 1 <= b <= images
        assert 1 <= k <= codes
        assert 4 * (100 * b + 1000 * k + 7 * b * k) <= memory
        assert (b, k) == (images, codes) or 4 * (100 * b + 1000 * k + 7 * b * k) > memory / 4


def test_a_full_gpu_is_named():
    def work(b, k):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")

    with pytest.raises(ValueError, match="the GPU has too little memory for one image with one code"):
        chunk_sizes(work, 3, 5, 10**6)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_memory_does_not_grow(network):
    code = (
        "import warnings, torch; from tests.benchmarks.measure import high_water_mark;"
        "from vae_edu.grid import Grid; from vae_edu.marginal import *; from vae_edu.vae import VAE;"
        "warnings.simplefilter('ignore');"
        f"vae = VAE((1, 28, 28), 2, 'bernoulli', network={network!r});"
        "x = torch.bernoulli(torch.full((500, 1, 28, 28), 0.1)).to(vae.zero.device);"
        "work = lambda n, points, k: (quadrature(vae, x[:n], Grid(2, points)),"
        "importance_sampling(vae, x[:n], k));"
        "work(3, 8, 8); start = high_water_mark(); work(500, 100, 200); print(high_water_mark() - start)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"VAE_EDU_DEVICE": "cpu"},
    )
    assert float(run.stdout) < 80  # MB, with a limit of 32 of them for intermediate results


BAD = [
    (lambda m, x: x[:, :, :14], {}, "images of the model's shape"),
    (lambda m, x: x[0], {}, "images of the model's shape"),
    (lambda m, x: x[:0], {}, "holds no images"),
    (lambda m, x: x / 0, {}, "NaN or infinite"),
    (lambda m, x: x.numpy(force=True), {}, "x is a ndarray"),
    (lambda m, x: x.byte(), {}, "x is torch.uint8 numbers"),
    (lambda m, x: x, {"memory": math.inf}, "memory = inf"),
    (lambda m, x: x / 2, {}, "binarize the images, or use a Gaussian decoder"),
    (lambda m, x: x, {"memory": 100}, "memory = 100 bytes is too little"),
]


@pytest.mark.parametrize("function", [monte_carlo, importance_sampling, quadrature])
@pytest.mark.parametrize(("change", "options", "message"), BAD)
def test_bad_input_gets_one_sentence(function, change, options, message):
    vae, x = VAE((1, 28, 28), 2, "bernoulli"), gray_or_binary("bernoulli")
    with pytest.raises(ValueError, match=message):
        function(vae, change(vae, x), **options)


def test_a_model_that_forgets_independent_is_told():
    class Bare(LearnersModel):
        def decode(self, z):
            return super().decode(z).base_dist

    class BarePrior(LearnersModel):
        def prior(self):
            return super().prior().base_dist

    x = draws(LearnersModel(), 3)
    for function in (monte_carlo, importance_sampling, lambda m, x: quadrature(m, x, Grid(1))):
        with pytest.raises(ValueError, match=r"with Independent"):
            function(Bare(), x)
        with pytest.raises(ValueError, match=r"wrap it in Independent|has \d+ dim"):
            function(BarePrior(), x)


def counted(model):
    """How often prior, encode and decode of the model are called from now on."""
    calls = Counter()

    def wrap(name, function):
        def call(*arguments):
            calls[name] += 1
            return function(*arguments)

        return call

    for name in ("prior", "encode", "decode"):
        setattr(model, name, wrap(name, getattr(model, name)))
    return calls


SMALL = Grid(2, 12)


@pytest.mark.filterwarnings("ignore::vae_edu.marginal.GridWarning")
@pytest.mark.parametrize(
    ("function", "prior", "encode", "decode"),
    [
        (lambda m, x: quadrature(m, x, SMALL), 3, 0, 3),
        (lambda m, x: posterior(m, x, SMALL), 3, 0, 3),
        (lambda m, x: log_posterior(m, x, torch.zeros(5, 2).to(x), SMALL), 5, 0, 4),
        (lambda m, x: gap(m, x, SMALL), 3, 2, 3),
        (lambda m, x: derivation(m, x, SMALL), 5, 3, 4),
        (lambda m, x: elbo(m, x, 2), 3, 2, 3),
    ],
)
def test_a_model_is_asked_no_more_than_needed(function, prior, encode, decode):
    """One code tells the shape, one more the memory; then comes the work, and a call for z that is given."""
    model = VAE((1, 4, 4), 2, "bernoulli", hidden=(8,))
    x = torch.ones(5, 1, 4, 4).to(device())
    calls = counted(model)
    function(model, x)
    assert calls == Counter(prior=prior, encode=encode, decode=decode)


def test_a_block_of_images_is_encoded_once():
    """Each of several blocks has several chunks of codes; four runs and the shape come on top."""
    model = VAE((1, 4, 4), 2, "bernoulli", hidden=(8,))
    x = torch.ones(60, 1, 4, 4).to(device())
    calls, bars = counted(model), Counter()
    with pytest.MonkeyPatch.context() as patch:

        class Bar:
            def __init__(self, **options):
                pass

            def __enter__(self):
                return self

            def __exit__(self, *_):
                pass

            def update(self, images):
                bars["blocks"] += 1

        patch.setattr(chunks, "progress_bar", Bar)
        importance_sampling(model, x, 1000, memory=10**6)
    assert bars["blocks"] > 2
    assert calls["encode"] == 4 + bars["blocks"]
    assert calls["decode"] > 5 + 2 * bars["blocks"]


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x, grid: quadrature(m, x, grid),
        lambda m, x, grid: posterior(m, x, grid),
        lambda m, x, grid: log_posterior(m, x, torch.zeros(3, 2).to(x), grid),
        lambda m, x, grid: gap(m, x, grid),
        lambda m, x, grid: derivation(m, x, grid),
    ],
)
def test_each_problem_is_named_once_where_the_function_was_called(function, recwarn):
    model = linear()
    function(model, draws(model, 3), Grid(2, 12, radius=1.0))
    messages = [str(warning.message) for warning in recwarn.list]
    assert [message.split(":")[0] for message in messages][:2] == [
        "the grid is too coarse",
        "the grid is too small",
    ]
    assert len(messages) == len(set(messages))
    assert {warning.filename for warning in recwarn.list} == {__file__}


def test_a_shortcut_gives_the_same_chunks():
    """Whatever the costs of an image, a code and a pair are."""
    for a, b, c in itertools.product((1, 10, 1000), repeat=3):

        def work(images, codes, costs=(a, b, c)):
            image, code, pair = costs
            return torch.empty(images, image), torch.empty(codes, code), torch.empty(images, codes, pair)

        for images, codes, memory in itertools.product((1, 7, 200), (1, 9, 300), (10**5, 10**6, 10**7)):
            sizes = [
                chunk_sizes(work, images, codes, memory, shortcut=shortcut) for shortcut in (True, False)
            ]
            assert sizes[0] == sizes[1]


def test_images_in_float64_and_a_distribution_without_a_support():
    vae, x = VAE((1, 28, 28), 2, "bernoulli"), gray_or_binary("bernoulli")
    a, b = (importance_sampling(vae, x.to(dtype), 20).log_p_x for dtype in (torch.float32, torch.float64))
    torch.testing.assert_close(a, b, rtol=0, atol=1e-3)

    class Mine(torch.distributions.Distribution):
        def __init__(self, z):
            super().__init__(z.shape[:-1], (3,), validate_args=False)
            self.p = LearnersModel().decode(z)

        def log_prob(self, value):
            return self.p.log_prob(value)

    class Model(LearnersModel):
        def decode(self, z):
            return Mine(z)

    x = draws(LearnersModel(), 3)
    right = quadrature(LearnersModel(), x, Grid(1)).log_p_x
    torch.testing.assert_close(quadrature(Model(), x, Grid(1)).log_p_x, right)


@pytest.mark.parametrize("samples", [0, -1, 2.5])
def test_no_samples_no_estimate(samples):
    model = linear()
    for function in (monte_carlo, importance_sampling):
        with pytest.raises(ValueError, match="samples = "):
            function(model, draws(model, 2), samples)


def test_bad_input_is_found_before_any_work(monkeypatch):
    """A model that counts what it decodes: no more than the one code that tells an image's shape."""
    vae, decoded = VAE((1, 28, 28), 2, "bernoulli"), []
    decode = vae.decode
    monkeypatch.setattr(vae, "decode", lambda z: decoded.append(z.shape[:-1].numel()) or decode(z))
    for function in (monte_carlo, importance_sampling, quadrature):
        with pytest.raises(ValueError, match="NaN"):
            function(vae, torch.full((5, 1, 28, 28), math.nan).to(device()))
    assert decoded == [1, 1, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: quadrature(linear(latent_dim=3), torch.rand(2, 6).to(device()), Grid(2)),
            r"use Grid\(latent_dim=3\)",
        ),
        (lambda: Grid(20, 240), r"10\^48 nodes, too many"),
        (lambda: Grid(3, 500), r"10\^8 nodes, too many"),
        (lambda: Grid(2, 3), "points = 3"),
        (lambda: Grid(0), "latent_dim = 0"),
        (lambda: Grid(2, radius=-1.0), "radius = -1"),
        (lambda: Grid(2, radius=math.inf), "radius = inf"),
    ],
)
def test_a_bad_grid_gets_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_nodes_of_a_grid():
    grid = Grid(2, 5, radius=2.0)
    square = grid.nodes().reshape(5, 5, 2)
    assert square[0, 0].tolist() == [-2, -2]
    assert square[1, 3].tolist() == [-1, 1]
    assert len(grid) == 25
    assert grid.step == 1
    assert torch.equal(grid.nodes(7, 11), grid.nodes()[7:11])
    assert grid.nodes(20, 99).shape == (5, 2)
    deep = Grid(3, 7)
    right = torch.stack(torch.unravel_index(torch.arange(5, 300), deep.shape), dim=-1)
    assert torch.equal(deep.places(5, 300), right)


def test_the_callers_random_numbers_stay_untouched():
    model = linear()
    x = draws(model, 2)
    torch.manual_seed(0)
    right = torch.rand(1)
    torch.manual_seed(0)
    a, b = importance_sampling(model, x, 50, q=wide(model)), importance_sampling(model, x, 50, q=wide(model))
    assert torch.rand(1) == right
    assert torch.equal(a.log_p_x, b.log_p_x)
    assert not torch.equal(a.log_p_x, importance_sampling(model, x, 50, q=wide(model), seed=1).log_p_x)


@pytest.mark.parametrize("shown", [True, False])
def test_the_progress_bar_counts_images_and_closes(monkeypatch, shown):
    bars = []

    class Bar(chunks.progress_bar(shown=False).__class__):
        def __init__(self, *, shown, **options):
            super().__init__(disable=not shown, file=io.StringIO(), **options)
            self.asked, self.closed = shown, False
            bars.append(self)

        def close(self):
            self.closed = True
            super().close()

    monkeypatch.setattr(chunks, "progress_bar", Bar)
    model = linear()
    x = draws(model, 30)
    importance_sampling(model, x, 100, memory=10**6, progress=shown)
    assert [(bar.total, bar.n, bar.asked) for bar in bars] == [(30, 30 if shown else 0, shown)]
    calls, log_joint = [], model.log_joint

    def fails(*arguments):
        calls.append(1)
        if len(calls) > 5:
            raise RuntimeError("in the middle")
        return log_joint(*arguments)

    model.log_joint = fails
    with pytest.raises(RuntimeError, match="in the middle"):
        importance_sampling(model, x, 100, memory=10**6, progress=shown)
    assert all(bar.closed for bar in bars)


def test_an_infinite_spread_is_no_error(recwarn):
    """Weights that are all alike have no error, however rounding falls."""
    model = LinearGaussian(torch.zeros(3, 2).to(device()), torch.zeros(3).to(device()), 1.0)
    estimate = monte_carlo(model, draws(model, 4), 100)
    assert estimate.standard_error.max() < 1e-6
    torch.testing.assert_close(
        estimate.log_p_x, Normal(0.0, 1.0).log_prob(draws(model, 4)).sum(1), rtol=0, atol=1e-9
    )
    assert not recwarn.list


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_diverged_model_is_named(likelihood):
    vae = VAE((1, 4, 4), 2, likelihood, hidden=(5,))
    with torch.no_grad():
        next(vae.decoder.parameters()).fill_(math.nan)
    x = torch.ones(3, 1, 4, 4, device=vae.zero.device)
    for estimate in (
        lambda: monte_carlo(vae, x, 5),
        lambda: quadrature(vae, x, Grid(points=10)),
        lambda: bounds(vae, x, (1, 5)),
    ):
        with pytest.raises(FloatingPointError, match=r"log p\(x\) is not a number"):
            estimate()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_over_nodes_as_the_library_takes_them(dtype):
    grid = Grid(points=20)
    values = (10 * torch.randn(400, 5, device=device())).to(dtype)
    values[:, 3] = -math.inf  # no node makes this image
    values[::2, 4] = -math.inf
    z = grid.nodes(40, 400).to(values.device)
    second = ((z + grid.radius) / grid.step).round().long() % 2 == 0
    edge = (z.abs() >= 0.95 * grid.radius).any(1)
    values = values[40:]
    right = [values.double()[rows].logsumexp(0) for rows in (slice(None), second.all(1), edge)]
    found = grid_sums(values, grid_parts(grid, 40, 400, values.device))
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, torch.stack(right), rtol=1e-6, atol=1e-5)


def test_few_effective_samples_get_a_warning_at_the_callers_line(recwarn):
    """A q that misses the posterior: the estimate is many of its stated errors too low."""
    model = linear(pixels=30, latent_dim=5)
    x = draws(model, 6)

    def off(x):
        exact = model.encode(x)
        return diagonal_gaussian(exact.mean + 0.5, torch.full_like(exact.mean, -3.0))

    estimate = importance_sampling(model, x, 1000, q=off)
    (warning,) = recwarn.list
    assert warning.category is SamplingWarning
    assert warning.filename == __file__
    few = int((estimate.effective_samples < 50).sum())
    assert few > 3
    assert f"too few of 1000 samples count for {few} of 6 images" in str(warning.message)
    assert f"down to {estimate.effective_samples.min():.1f}" in str(warning.message)
    assert ((estimate.log_p_x - model.log_prob(x)) / estimate.standard_error).min() < -3
    recwarn.clear()
    monte_carlo(model, x, 100)
    assert [warning.category for warning in recwarn.list] == [SamplingWarning]


def test_honest_estimates_get_no_warning(recwarn):
    model = linear()
    x = draws(model, 20)
    importance_sampling(model, x, 1000, q=wide(model))
    for samples in (1, 5, 30):  # q is the posterior, so few are enough
        importance_sampling(model, x, samples)
    monte_carlo(model, x, 1)  # whose stated error is infinite
    assert not recwarn.list


@pytest.mark.parametrize("function", [monte_carlo, importance_sampling, lambda m, x: quadrature(m, x, SMALL)])
@pytest.mark.filterwarnings("ignore")
def test_without_a_limit_memory_grows_to_what_one_image_needs(function, monkeypatch):
    model, x = VAE((1, 4, 4), 2, "gaussian", hidden=(8,)), torch.rand(3, 1, 4, 4).to(device())
    right = function(model, x).log_p_x
    monkeypatch.setitem(chunks.bytes_for.__globals__["MEMORY"], device().type, 100)
    found = function(model, x).log_p_x
    tolerance = 1e-4 if function not in (monte_carlo, importance_sampling) else 3  # other chunks, other draws
    torch.testing.assert_close(found, right, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    "values", [(math.inf, -math.inf), (1e37, -1e37), (1e30, 5.0), (1e6, -1e6), (200.0, 3.0)]
)
def test_products_of_extreme_logits_as_pixel_by_pixel(values):
    """Codes that are certain of some pixels, and images of which some are as they say."""
    torch.manual_seed(0)
    logits = 3 * torch.randn(7, 1, 4, 4, dtype=torch.float64)
    logits[:4] = torch.where(torch.rand(4, 1, 4, 4) < 0.5, *torch.tensor(values).double())
    certain = torch.where(logits[:4].isfinite(), logits[:4], logits[:4].sign() * 50).sigmoid().round()
    x = torch.cat([certain, torch.bernoulli(torch.full((5, 1, 4, 4), 0.5).double())]).to(device())
    logits = logits.to(device())
    right = torch.where(x[None] > 0, -logits[:, None], logits[:, None]).logaddexp(
        torch.zeros((), dtype=x.dtype).to(x)
    )
    p = Independent(Bernoulli(logits=logits.float(), validate_args=False), 3)
    torch.testing.assert_close(
        log_likelihoods(p, x.float()).double(), -right.sum((2, 3, 4)), rtol=1e-5, atol=1e-3
    )
