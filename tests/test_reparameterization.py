"""The two gradient estimators against the gradient of a closed form."""

import pytest
import torch

from tests.models import draws, linear
from vae_edu import device
from vae_edu.reparameterization import gradient_samples, reparameterize
from vae_edu.vae import VAE


class Diagonal:
    """The linear oracle with a q that is a diagonal Gaussian, and not the posterior."""

    def __init__(self):
        self.model = linear()
        self.prior, self.decode, self.log_joint = self.model.prior, self.model.decode, self.model.log_joint

    def encode(self, x):
        exact = self.model.encode(x)
        logvar = torch.tensor([-1.0, -2.0]).to(exact.mean).expand_as(exact.mean)
        return torch.distributions.Independent(
            torch.distributions.Normal(exact.mean + 0.4, (logvar / 2).exp()), 1
        )


def exact_gradient(model, x):
    """Of −‖x − b − W μ‖² / 2σ² − Σ σᵢ² ‖wᵢ‖² / 2σ², with respect to μ and log σ² of q."""
    oracle, q = model.model, model.encode(x)
    to_mu = (x - oracle.decode(q.mean).mean) @ oracle.W / oracle.sigma**2
    to_logvar = -0.5 * q.variance * oracle.W.square().sum(0) / oracle.sigma**2
    return torch.stack([to_mu[0], to_logvar[0]])


@pytest.mark.parametrize(
    ("estimator", "baseline"), [("reparameterization", 0.0), ("score", 0.0), ("score", -12.0)]
)
def test_the_mean_is_the_gradient(estimator, baseline):
    model = Diagonal()
    x = draws(model, 1)
    samples = gradient_samples(model, x, 200_000, estimator, baseline=baseline)
    assert samples.shape == (200_000, 2, 2)
    error = (samples.mean(0) - exact_gradient(model, x)) / (samples.std(0) / 200_000**0.5)
    assert error.abs().max() < 4


def test_reparameterization_varies_less():
    model = Diagonal()
    x = draws(model, 1)
    ours, score = (gradient_samples(model, x, 5000, e).var(0).sum() for e in ("reparameterization", "score"))
    assert ours < score / 10


def test_reparameterize_draws_from_q():
    mu, logvar = torch.tensor([1.0, -2.0]), torch.tensor([0.0, 2.0])
    z = reparameterize(mu, logvar, torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0)))
    assert z.mean(0).tolist() == pytest.approx([1, -2], abs=0.02)
    assert z.var(0).log().tolist() == pytest.approx([0, 2], abs=0.02)
    assert torch.equal(reparameterize(mu, logvar, torch.zeros(2)), mu)


def test_bad_input_gets_one_sentence():
    vae, x = VAE((1, 5, 5), 2, "gaussian"), torch.rand(3, 1, 5, 5).to(device())
    for work, message in [
        (lambda: gradient_samples(vae, x, 10), "holds 3 images"),
        (lambda: gradient_samples(vae, x[:1], 0), "samples = 0"),
        (lambda: gradient_samples(vae, x[:1], 5, "pathwise"), "reparameterization or score"),
        (lambda: gradient_samples(vae, x[:1] / 0, 5), "NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            work()
