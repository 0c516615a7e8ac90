"""What anyone may hand to the functions of the maths: each works, or says in one sentence what to do."""

import math
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch.distributions import Exponential, Independent, Laplace, Normal, Uniform

from tests.models import draws, linear
from vae_edu import device
from vae_edu.active_units import active_units, code_means, kl_per_dimension
from vae_edu.aggregate_posterior import kl_parts, moments
from vae_edu.bayes import bayes_rule, log_posterior, posterior, spread_over_z
from vae_edu.edit import edit, move, traverse
from vae_edu.elbo import derivation, elbo, gap, negative_elbo
from vae_edu.gaussian import diagonal_gaussian
from vae_edu.generate import generate, latent_map
from vae_edu.grid import Grid
from vae_edu.iwae import bounds, negative_bound
from vae_edu.linear import LinearGaussian
from vae_edu.marginal import (
    SamplingWarning,
    importance_sampling,
    log_importance_weights,
    monte_carlo,
    quadrature,
)
from vae_edu.measure import measure
from vae_edu.pixelrnn import PixelRNN
from vae_edu.quality import nearest, opinion
from vae_edu.reparameterization import gradient_samples
from vae_edu.vae import VAE

pytestmark = [
    pytest.mark.filterwarnings("ignore::vae_edu.marginal.GridWarning"),
    pytest.mark.filterwarnings("ignore::vae_edu.marginal.SamplingWarning"),
]
GRID = Grid(2, 40)
SHAPE, B = (1, 4, 4), 3

# name → a call with a model, images and, where it takes one, a q; one value for each image, or anything
OF_Q = {
    "importance_sampling": lambda m, x, **q: importance_sampling(m, x, 60, **q).log_p_x,
    "bounds": lambda m, x, **q: bounds(m, x, (1, 60), **q)[60],
    "spread_over_z": lambda m, x, **q: spread_over_z(m, x, 60, **q),
    "bayes_rule": lambda m, x, **q: bayes_rule(m, x, torch.zeros(B, 2).to(device()), **q),
    "elbo": lambda m, x, **q: torch.stack(elbo(m, x, 60, **q)),
    "elbo, not analytic": lambda m, x, **q: torch.stack(elbo(m, x, 60, analytic=False, **q)),
    "gap": lambda m, x, **q: gap(m, x, GRID, **q),
    "derivation": lambda m, x, **q: torch.stack([*derivation(m, x, GRID, **q)["D6"].values()]),
}
OF_ENCODE = {
    **OF_Q,
    "kl_per_dimension": lambda m, x: kl_per_dimension(m, x),
    "code_means": lambda m, x: code_means(m, x),
    "active_units": lambda m, x: active_units(m, x).float(),
    "moments": lambda m, x: torch.cat([moments(m, x).mean[None], moments(m, x).covariance]),
    "kl_parts": lambda m, x: torch.tensor(kl_parts(m, x, samples=20)),
    "edit": lambda m, x: edit(m, x, {0: 1.0}).mean,
    "traverse": lambda m, x: traverse(m, x, 0, [-1.0, 1.0]),
    "move": lambda m, x: move(m, x, torch.ones(2), [0.5]),
    "gradient_samples": lambda m, x: gradient_samples(m, x[:1], 60).mean(0),
}
LOSSES = {
    "negative_elbo": lambda m, x: negative_elbo(m, x).detach(),
    "negative_bound": lambda m, x: negative_bound(m, x, 60).detach(),
    "log_importance_weights": lambda m, x: log_importance_weights(m, x, 60).logsumexp(0).detach(),
}
OF_IMAGES = {
    **OF_ENCODE,
    "monte_carlo": lambda m, x: monte_carlo(m, x, 200).log_p_x,
    "quadrature": lambda m, x: quadrature(m, x, GRID).log_p_x,
    "posterior": lambda m, x: posterior(m, x, GRID).sum((1, 2)) * math.exp(GRID.log_cell),
    "log_posterior": lambda m, x: log_posterior(m, x, torch.zeros(B, 2).to(device()), GRID),
}


def vae(likelihood="bernoulli", **options):
    torch.manual_seed(0)
    return VAE(SHAPE, 2, likelihood, hidden=(16,), **options)


def images():
    return torch.bernoulli(torch.full((B, *SHAPE), 0.4), generator=torch.Generator().manual_seed(0)).to(
        device()
    )


@contextmanager
def refused(match=None):
    """Inside, a ValueError: one sentence, not long, that names a way out."""
    with pytest.raises(ValueError, match=match) as error:
        yield
    text = str(error.value)
    assert "\n" not in text, text
    assert len(text) <= 250, text
    assert ":" in text or ";" in text, f"it names no way out: {text}"


REFUSED = {
    "float16": lambda x: x.half(),
    "complex": lambda x: x.to(torch.complex64),
    "int64": lambda x: x.long(),
    "bytes": lambda x: x.byte(),
    "bool": lambda x: x.bool(),
    "NumPy": lambda x: x.cpu().numpy(),
    "a list": lambda x: x.tolist(),
    "nothing": lambda x: None,
    "text": lambda x: "mnist",
    "a tuple": lambda x: (x, x),
    "NaN": lambda x: x * math.nan,
    "infinite": lambda x: x + math.inf,
    "gray": lambda x: x * 0.5 + 0.1,
    "no images": lambda x: x[:0],
    "one number": lambda x: x.sum(),
    "flat": lambda x: x.flatten(1),
    "channels last": lambda x: x.movedim(1, 3),
    "another size": lambda x: x[..., :3],
    "sparse": lambda x: x.to_sparse(),
    "elsewhere": lambda x: x.to("meta"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", [name for name in OF_IMAGES if name != "gradient_samples"])
def test_other_images_are_refused_in_one_sentence(name, kind):
    x = REFUSED[kind](images())
    with refused():
        OF_IMAGES[name](vae(), x)


@pytest.mark.parametrize("kind", REFUSED)
def test_other_images_have_no_gradients(kind):
    x = REFUSED[kind](images())
    with refused():
        gradient_samples(vae(), x, 5)


ALLOWED = {
    "float64": lambda x: x.double(),
    "bfloat16": lambda x: x.bfloat16(),
    "strided": lambda x: x.repeat_interleave(2, -1)[..., ::2],
    "transposed": lambda x: x.transpose(-1, -2).contiguous().transpose(-1, -2),
    "with a gradient": lambda x: x.clone().requires_grad_(),
    "a parameter": lambda x: torch.nn.Parameter(x),
}


@pytest.mark.parametrize("kind", ALLOWED)
@pytest.mark.parametrize("name", OF_IMAGES)
def test_these_are_the_same_images(name, kind):
    right, found = (OF_IMAGES[name](vae(), x).detach() for x in (images(), ALLOWED[kind](images())))
    torch.testing.assert_close(found.to(right), right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", OF_IMAGES | LOSSES)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "gaussian_one_sigma"])
def test_a_model_in_bfloat16_is_close(name, likelihood):
    """Only the networks are in bfloat16, which moves their numbers by about one in 256."""
    function = (OF_IMAGES | LOSSES)[name]
    torch.manual_seed(0)
    right = function(vae(likelihood), images())
    torch.manual_seed(0)
    found = function(vae(likelihood).bfloat16(), images())
    assert found.dtype in (torch.float32, torch.float64)
    torch.testing.assert_close(found.to(right), right, rtol=0.03, atol=0.06)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_model_in_float16_is_refused(name):
    for x in (images(), images().half()):
        with refused(r"float16.*use float32 .* or bfloat16"):
            OF_IMAGES[name](vae().half(), x)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: generate(vae().half(), 3),
        lambda x: latent_map(vae().half(), 3),
        lambda x: PixelRNN(SHAPE, hidden=4).half().log_prob(x),
        lambda x: PixelRNN(SHAPE, hidden=4).log_prob(x.half()),
        lambda x: PixelRNN(SHAPE, hidden=4).half().sample(2, progress=False),
        lambda x: nearest(x.half(), x),
        lambda x: nearest(x, x.half()),
        lambda x: opinion(vae().encoder, x.half()),
        lambda x: measure(x.half()),
        lambda x: LinearGaussian.fit(x.half(), 2),
    ],
)
def test_other_functions_refuse_float16(function):
    with refused(r"float16.*use float32 .* or bfloat16"):
        function(images())


def test_sums_over_pixels_are_not_in_bfloat16():
    x = images()
    torch.testing.assert_close(measure(x.bfloat16()).ink.float(), measure(x).ink)
    assert torch.equal(nearest(x.bfloat16(), x.bfloat16()).index, nearest(x, x).index)
    torch.manual_seed(0)
    model = PixelRNN(SHAPE, hidden=8)
    with torch.no_grad():
        right, found = model.log_prob(x), model.bfloat16().log_prob(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, right, rtol=0.01, atol=0.05)


class Own:
    """A learner's own class around a VAE, with one part of it replaced."""

    def __init__(self, **parts):
        self.vae = vae()
        for name in ("prior", "encode", "decode"):
            setattr(self, name, parts.get(name, getattr(self.vae, name)))

    def log_joint(self, x, z):
        return self.decode(z).log_prob(x) + self.prior().log_prob(z)


def normal(*shape):
    return Normal(torch.zeros(shape).to(device()), torch.ones(shape).to(device()))


WRONG_Q = {
    "one for all": lambda x: Independent(normal(2), 1),
    "a single row": lambda x: Independent(normal(1, 2), 1),
    "other images": lambda x: Independent(normal(7, 2), 1),
    "without Independent": lambda x: normal(len(x), 2),
    "a wrong count": lambda x: Independent(normal(len(x), 3), 1),
    "everything an event": lambda x: Independent(normal(len(x), 2), 2),
    "transposed": lambda x: Independent(normal(2, len(x)), 1),
    "a row too many": lambda x: Independent(normal(len(x), 1, 2), 1),
    "a tuple": lambda x: (torch.zeros(len(x), 2), torch.zeros(len(x), 2)),
    "a tensor": lambda x: torch.zeros(len(x), 2).to(x),
    "nothing": lambda x: None,
    "float16": lambda x: Independent(Normal(torch.zeros(len(x), 2).half(), torch.ones(len(x), 2).half()), 1),
    "bfloat16": lambda x: diagonal_gaussian(*torch.zeros(2, len(x), 2).to(x).bfloat16()),
}


@pytest.mark.parametrize("kind", WRONG_Q)
@pytest.mark.parametrize("name", OF_Q)
def test_a_wrong_q_is_refused_in_one_sentence(name, kind):
    for model in (vae(), linear(16)):
        x = images() if isinstance(model, VAE) else draws(model, B)
        with refused(r"^q\(z\|x\) "):
            OF_Q[name](model, x, q=WRONG_Q[kind])


@pytest.mark.parametrize("kind", WRONG_Q)
@pytest.mark.parametrize("name", OF_ENCODE | LOSSES)
def test_a_wrong_encode_is_refused_in_one_sentence(name, kind):
    if (name, kind) == ("gradient_samples", "a single row"):
        pytest.skip("it takes one image, and this is its row")
    with refused(r"^q\(z\|x\) "):
        (OF_ENCODE | LOSSES)[name](Own(encode=WRONG_Q[kind]), images())


@pytest.mark.parametrize("kind", ["without Independent"])
def test_as_many_images_as_dimensions_do_not_hide_it(kind):
    with pytest.raises(ValueError, match="Independent"):
        importance_sampling(vae(), images()[:2], 2, q=WRONG_Q[kind])


@pytest.mark.parametrize("name", OF_Q)
def test_a_q_in_float64_works_or_is_named(name):
    def q(x):
        return Independent(Normal(torch.zeros(len(x), 2).to(x).double(), 1.2), 1)

    right = OF_Q[name](
        vae(), images(), q=lambda x: diagonal_gaussian(q(x).mean.float(), q(x).variance.log().float())
    )
    torch.testing.assert_close(OF_Q[name](vae(), images(), q=q).float(), right.float(), rtol=0.2, atol=0.5)
    strict = Own()
    strict.decode = lambda z: strict.vae.decode(z) if z.dtype == torch.float32 else torch.ones(2, 2) @ z
    with refused("give q the dtype and the device of the prior"):
        importance_sampling(strict, images(), 5, q=q)


@pytest.mark.parametrize("q", [3, "encode", Independent(Normal(torch.zeros(2), 1.0), 1), torch.zeros(3, 2)])
@pytest.mark.parametrize("name", OF_Q)
def test_a_q_that_is_no_function(name, q):
    with refused(r"^q is a "):
        OF_Q[name](vae(), images(), q=q)


BAD_MODELS = {
    "no model": lambda: None,
    "a layer": lambda: torch.nn.Linear(2, 2),
    "a prior without Independent": lambda: Own(prior=lambda: normal(2)),
    "a prior for each image": lambda: Own(prior=lambda: Independent(normal(3, 2), 1)),
    "a prior that is a tensor": lambda: Own(prior=lambda: torch.zeros(2)),
    "a coarse prior": lambda: Own(prior=lambda: diagonal_gaussian(*torch.zeros(2, 2).bfloat16())),
    "decode without Independent": lambda: Own(decode=lambda z: normal(len(z), *SHAPE)),
    "decode to a tensor": lambda: Own(decode=lambda z: torch.zeros(len(z), *SHAPE)),
    "a coarse decode": lambda: Own(
        decode=lambda z: diagonal_gaussian(*torch.zeros(2, len(z), *SHAPE).half(), 3)
    ),
}


@pytest.mark.parametrize("kind", BAD_MODELS)
@pytest.mark.parametrize("name", OF_IMAGES)
def test_another_model_is_refused_in_one_sentence(name, kind):
    with refused():
        OF_IMAGES[name](BAD_MODELS[kind](), images())


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_nothing_is_generated_from_another_model(kind):
    for function in (generate, latent_map):
        with refused():
            function(BAD_MODELS[kind](), 2)


@pytest.mark.parametrize(
    "z", [[[0.0, 0.0]] * B, np.zeros((B, 2)), torch.zeros(B, 2).half(), torch.zeros(B, 3)]
)
@pytest.mark.parametrize("function", [bayes_rule, lambda m, x, z: log_posterior(m, x, z, GRID)])
def test_other_codes_are_refused_in_one_sentence(function, z):
    for codes in (z, torch.full((B, 2), math.nan).to(device()), torch.zeros(B, 2).long()):
        with refused():
            function(vae(), images(), codes)


@pytest.mark.parametrize("grid", [240, (2, 240), "grid", Grid(3, 10)])
@pytest.mark.parametrize("function", [quadrature, posterior, gap, derivation])
def test_another_grid_is_refused_in_one_sentence(function, grid):
    with refused("grid"):
        function(vae(), images(), grid)


class Bounded:
    """z is uniform on [−2, 2], and x = (z, −z) plus noise. The integral is known in closed form."""

    def prior(self):
        two = torch.full((1,), 2.0, dtype=torch.float64).to(device())
        return Independent(Uniform(-two, two), 1)

    def encode(self, x):
        return Independent(Normal((x[:, :1] - x[:, 1:]) / 2, 0.8), 1)

    def decode(self, z):
        return Independent(Normal(torch.cat([z, -z], -1), 0.5), 1)

    def log_joint(self, x, z):
        return self.decode(z).log_prob(x) + self.prior().log_prob(z)

    @staticmethod
    def log_p_x(x):
        """(1/4) N(d; 0, ½·2) × the share of N(m, ½·0.25) in [−2, 2], m the mean of x₁ and −x₂."""
        m, s = (x[:, 0] - x[:, 1]) / 2, 0.5 / math.sqrt(2)
        rest = Normal(0.0, 0.5 * math.sqrt(2)).log_prob(x.sum(1)) + 0.0
        share = Normal(m, s).cdf(torch.full_like(m, 2.0)) - Normal(m, s).cdf(torch.full_like(m, -2.0))
        return rest + share.log() - math.log(4)


@pytest.fixture
def beside_the_border():
    return torch.tensor([[1.9, -1.8], [0.3, 0.1], [-1.9, 2.2]], dtype=torch.float64).to(device())


def test_outside_a_bounded_prior_the_density_is_0(beside_the_border):
    model, x, grid = Bounded(), beside_the_border, Grid(1, 4001, radius=4.0)
    right = model.log_p_x(x)
    torch.testing.assert_close(quadrature(model, x, grid).log_p_x, right, rtol=0, atol=5e-3)
    torch.testing.assert_close(posterior(model, x, grid).sum(1) * grid.step, torch.ones_like(right))
    for estimate in (importance_sampling(model, x, 20_000), monte_carlo(model, x, 20_000)):
        assert ((estimate.log_p_x - right) / estimate.standard_error).abs().max() < 4
    torch.testing.assert_close(bounds(model, x, (1, 20_000))[20_000], right, rtol=0, atol=0.05)
    outside = torch.full((3, 1), 2.5, dtype=torch.float64).to(x)
    assert bayes_rule(model, x, outside).isneginf().all()
    assert log_posterior(model, x, outside, grid).isneginf().all()
    reconstruction, kl = elbo(model, x, 100, analytic=False)
    assert reconstruction.isfinite().all()
    assert kl.isposinf().any()  # some draws of this q are impossible
    assert gap(model, x, grid).isposinf().all()


def test_a_bounded_q_and_one_that_is_positive(beside_the_border):
    model, x = linear(2, 1), beside_the_border
    for q in (
        lambda x: Independent(Uniform(-4 + 0 * x[:, :1], 4.0), 1),
        lambda x: Independent(Laplace(0 * x[:, :1], 1.0), 1),
    ):
        estimate = importance_sampling(model, x, 20_000, q=q)
        assert ((estimate.log_p_x - model.log_prob(x)) / estimate.standard_error).abs().max() < 4
        assert bayes_rule(model, x, torch.full((3, 1), 1.0).to(x), q=q).isfinite().all()
        assert gap(model, x, Grid(1, 2000, radius=4.001), q=q).isfinite().all()

    def positive(x):
        return Independent(Exponential(1 + 0 * x[:, :1]), 1)

    assert gap(model, x, Grid(1, 2000, radius=20.0), q=positive).isfinite().all()
    assert bayes_rule(model, x, torch.full((3, 1), -1.0).to(x), q=positive).isposinf().all()


def test_no_sample_that_is_possible_is_said():
    with pytest.warns(SamplingWarning, match="down to 0.0"):
        estimate = importance_sampling(
            Bounded(),
            torch.tensor([[0.0, 0.0]], dtype=torch.float64).to(device()),
            10,
            q=lambda x: Independent(Normal(x[:, :1] + 50, 0.1), 1),
        )
    assert estimate.log_p_x.isneginf().all()
    assert estimate.standard_error.isposinf().all()


def test_the_library_warns_of_nothing_else():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("elbo", "bounds", "code_means", "edit"):
            OF_IMAGES[name](vae(), images())
