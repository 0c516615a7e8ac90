"""Small models for the tests of the maths. A learner could have written the last two from scratch."""

import copy
import functools
import math

import torch
from torch.distributions import Categorical, Independent, Laplace, MixtureSameFamily, Normal

from vae_edu import device
from vae_edu.data import binarize, load_images
from vae_edu.elbo import negative_elbo
from vae_edu.linear import LinearGaussian
from vae_edu.train import fit
from vae_edu.vae import VAE


def linear(pixels=6, latent_dim=2, sigma=0.8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    W = torch.randn(pixels, latent_dim, generator=generator)
    return LinearGaussian(W.to(device()), torch.randn(pixels, generator=generator).to(device()), sigma)


def draws(model, n, seed=0):
    """n images from the model itself."""
    with torch.random.fork_rng(range(torch.cuda.device_count())), torch.no_grad():
        torch.manual_seed(seed)
        return model.decode(model.prior().sample((n,))).sample()


def trained_vae(*arguments, **options):
    """A copy of a 2-D VAE trained on a data set, and held-out images for it. Arguments: see `_trained`."""
    torch.manual_seed(0)  # whether or not the model is trained now
    return copy.deepcopy(_trained(*arguments, **options))


@functools.cache  # each process of the tests trains a model once
def _trained(name="strokes", likelihood="bernoulli", n=4000, epochs=6, **options):
    train, test = load_images(name, n=n).x, load_images(name, split="test", n=40).x
    if likelihood == "bernoulli":
        train, test = binarize(train), binarize(test)
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(0)
        vae = VAE(train.shape[1:], 2, likelihood, **options)
        fit(vae, negative_elbo, train, epochs, progress=False)
    return vae, test


class LearnersModel:
    """One number z makes three pixels, with Laplace noise that no shortcut of the package knows."""

    def prior(self):
        return Independent(Normal(torch.zeros(1).to(device()), 1.0), 1)

    def encode(self, x):
        return Independent(Normal(x.mean(-1, keepdim=True), 0.5), 1)

    def decode(self, z):
        return Independent(Laplace(z * torch.tensor([1.0, -1.0, 2.0]).to(z), 0.5), 1)

    def log_joint(self, x, z):
        return self.decode(z).log_prob(x) + self.prior().log_prob(z)


class TwoModes(LearnersModel):
    """x = z² plus noise: the posterior has two modes, at ±√x, and so has this q."""

    def decode(self, z):
        return Independent(Normal(z.square(), 0.1), 1)

    def encode(self, x):
        modes = torch.stack([x.clamp(min=0.01).sqrt(), -x.clamp(min=0.01).sqrt()], dim=-2)  # (…, 2, 1)
        return MixtureSameFamily(
            Categorical(torch.ones(2).to(x).expand(modes.shape[:-1])), Independent(Normal(modes, 0.2), 1)
        )

    @staticmethod
    def log_p_x(x):
        """By a sum over 200,001 points in float64, written down once more."""
        z = torch.linspace(-8, 8, 200_001, dtype=torch.float64, device=x.device)
        log_joint = Normal(z**2, 0.1).log_prob(x.double()) - 0.5 * z**2 - 0.5 * math.log(2 * math.pi)
        return log_joint.logsumexp(1) + math.log(16 / 200_000)
