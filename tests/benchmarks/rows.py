"""What is timed: an epoch of training, the ELBO, importance sampling, and the integral on a grid."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor

from tests.benchmarks import others, products
from tests.benchmarks.measure import Row, in_turns
from vae_edu import device, elbo, marginal, reproduce
from vae_edu.data import binarize, load_images
from vae_edu.grid import Grid
from vae_edu.train import evaluate, fit
from vae_edu.vae import VAE

BATCH, LATENT, HIDDEN, IMAGES = 128, 20, 400, 60_000
PIXELS = 784


def network(hidden: tuple[int, ...], latent_dim: int) -> list[tuple[int, int]]:
    """(inputs, outputs) of each layer of the encoder and of the decoder."""
    widths = [PIXELS, *hidden]
    back = [latent_dim, *hidden[::-1], PIXELS]
    encoder = [*pairwise(widths), (hidden[-1], 2 * latent_dim)]
    return [*encoder, *pairwise(back)]


def images(n: int) -> Tensor:
    """n black-and-white stroke digits; at most 6,000 are drawn, and then repeated."""
    x = binarize(load_images("strokes", n=min(n, 6000)).x)
    return x.repeat(-(-n // len(x)), 1, 1, 1)[:n].contiguous()


def vae(latent_dim: int = LATENT, hidden: tuple[int, ...] = (HIDDEN,)) -> VAE:
    torch.manual_seed(0)
    return VAE((1, 28, 28), latent_dim, "bernoulli", hidden=hidden)


def training(rounds: int) -> Row:
    """An epoch of 60,000 images, batch 128, 784-400-20."""
    x, model = images(IMAGES), vae()
    steps = -(-IMAGES // BATCH)
    contenders = {
        "ours": lambda: fit(model, elbo.negative_elbo, x, 1, progress=False),
        "products": products.training(network((HIDDEN,), LATENT), BATCH, steps),
        "DataLoader": others.data_loader(x, HIDDEN, LATENT, BATCH),
    }
    if call := others.pythae(x, LATENT, BATCH):
        contenders["pythae"] = call
    return in_turns("training, an epoch of 60,000 images", contenders, rounds)


def evaluation(rounds: int) -> Iterator[Row]:
    """The same network: the ELBO, and log p(x) in two ways; on a GPU, with enough work to fill it."""
    gpu = device().type == "cuda"
    n, few, samples, points, chunk = (
        (60_000, 1000, 5000, 960, 100_000) if gpu else (10_000, 100, 1000, 240, 2_000)
    )
    x, model = images(n), vae()
    encoder, decoder = (network((HIDDEN,), LATENT)[part] for part in (slice(0, 2), slice(2, 4)))
    contenders = {
        "ours": lambda: evaluate(model, elbo.negative_elbo, x),
        "products": products.forward(encoder + decoder, n, 1000),
    }
    yield in_turns(f"ELBO of {n:,} images", contenders, rounds)
    contenders = {
        "ours": lambda: marginal.importance_sampling(model, x[:few], samples),
        "products": products.forward(decoder, few * samples, chunk),
    }
    yield in_turns(f"log p(x) of {few:,} images with {samples:,} samples each", contenders, rounds)
    flat, grid = vae(latent_dim=2), Grid(points=points)
    contenders = {
        "ours": lambda: marginal.quadrature(flat, x[:few], grid),
        "products": products.forward([*network((HIDDEN,), 2)[2:], (PIXELS, few)], len(grid), chunk),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", marginal.GridWarning)
        yield in_turns(f"log p(x) of {few:,} images on a grid of {points}² nodes", contenders, rounds)
    burda = reproduce.network(x)
    contenders = {
        "ours": lambda: marginal.importance_sampling(burda, x[:few], samples),
        "products": products.forward([(50, 200), (200, 200), (200, PIXELS)], few * samples, chunk),
    }
    yield in_turns(f"{few:,} images, {samples:,} samples, 784-200-200-50 with tanh", contenders, rounds)


def steps_on_cuda(rounds: int) -> Iterator[Row]:
    """Ten epochs, with a CUDA graph and kernel by kernel; then a large network."""
    x, model, steps, epochs = images(IMAGES), vae(), -(-IMAGES // BATCH), 10
    contenders = {
        "ours": lambda: fit(model, elbo.negative_elbo, x, epochs, progress=False),
        "kernel by kernel": lambda: fit(model, elbo.negative_elbo, x, 1, capture=False, progress=False),
        "products": products.training(network((HIDDEN,), LATENT), BATCH, steps),
    }
    yield in_turns("training, each of ten epochs of 60,000 images", contenders, rounds, {"ours": epochs})
    hidden, latent_dim, batch = (2048, 2048), 64, 4096
    large, many = vae(latent_dim, hidden), images(batch * 16)
    contenders = {
        "ours": lambda: fit(
            large, elbo.negative_elbo, many, epochs, batch_size=batch, lr=1e-4, progress=False
        ),
        "products": products.training(network(hidden, latent_dim), batch, 16 * epochs),
    }
    yield in_turns("training, 784-2048-2048-64, batch 4,096", contenders, rounds)


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
