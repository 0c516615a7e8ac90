"""The report card of a trained VAE: numbers, images, and plain sentences on what is wrong."""

import math
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from vae_edu import marginal
from vae_edu.active_units import active_units, kl_per_dimension
from vae_edu.elbo import elbo
from vae_edu.engine.arguments import whole_number
from vae_edu.engine.randomness import random_stream
from vae_edu.first_look import independent_pixels, shared_images
from vae_edu.generate import generate
from vae_edu.interface import check_images
from vae_edu.quality import nearest
from vae_edu.uncertainty import standard_error
from vae_edu.vae import VAE

MOST = 1000  # training images that are measured, and images that are compared with all others
SHOWN = 10  # images in a row
FEW = 100  # held-out images, below which the errors are large
SURE = 3  # standard errors of a difference that count as real
LEAST = 1.0  # nats that matter


class Number(NamedTuple):
    """A mean over images, in nats per image, and its standard error (NaN for a single image)."""

    mean: float
    error: float


class Report(NamedTuple):
    """What is known of a model.

    Attributes:
        numbers: "held-out bound", "reconstruction", "KL", "training bound", "log p(x), sampled",
            "independent pixels" → mean over images and its standard error, in nats.
        kl: KL(q(zⱼ|x), p(zⱼ)), (latent_dim,), mean over the held-out images, in nats.
        active: Which dimensions are in use, (latent_dim,) bool.
        rows: Name → images (N, C, H, W) in [0, 1].
        findings: What is wrong, a sentence each; empty if nothing is.
    """

    numbers: dict[str, Number]
    kl: Tensor
    active: Tensor
    rows: dict[str, Tensor]
    findings: list[str]


@torch.no_grad()
def report(vae: VAE, train: Tensor, held_out: Tensor, *, samples: int = 500, seed: int = 0) -> Report:
    """Measure a VAE on images that it learned from and on images that it has not seen.

    The bound is L5 with 8 draws of z for each image. log p(x) is estimated by importance sampling with the
    encoder as q, which is too low on average. The baseline has independent pixels: Bernoulli with the
    training images' means, or Gaussian with their means and variances.

    Args:
        vae: A trained model.
        train: Images that it learned from, (N, C, H, W), as it saw them.
        held_out: Others, (B, C, H, W), at least two.
        samples: K of importance sampling.
        seed: Of all draws.

    Raises:
        ValueError: Images that do not fit the model, or a single held-out image.
    """
    samples = whole_number("samples", samples, 2)
    findings = list(_of_pixels(vae, train, held_out))
    train, held_out = (_as_seen(vae, x) for x in (train, held_out))
    for x in (train, held_out):
        check_images(vae, x)
    if len(held_out) < 2:
        raise ValueError("a report needs two held-out images or more, for its standard errors.")
    some = train[
        torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[:MOST].to(train.device)
    ]
    reconstruction, kl = terms_of_images(vae, held_out, 8, seed)
    bound, known = reconstruction - kl, torch.subtract(*terms_of_images(vae, some, 8, seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", marginal.SamplingWarning)  # a finding says the same
        sampled = marginal.importance_sampling(vae, held_out, samples, seed=seed)
    min_sigma = math.exp(vae.min_logvar / 2)
    baseline = independent_pixels(train, held_out, vae.likelihood, min_sigma)
    active = active_units(vae, held_out)
    drawn = generate(vae, 2 * SHOWN, seed=seed)
    near = nearest(drawn.mean, train)
    findings += _of_numbers(bound, known, sampled, baseline, samples)
    findings += _of_dimensions(vae, active)
    findings += _of_copies(vae, drawn.mean, near.distance, held_out, train)
    with random_stream(seed):
        z = vae.encode(held_out[:SHOWN]).mean
        p = vae.decode(z)
        rows = {"held-out image": held_out[:SHOWN], "mean of p(x|z)": p.mean, "sample of p(x|z)": p.sample()}
    rows |= {"mean, z from the prior": drawn.mean[:SHOWN], "its sample": drawn.x[:SHOWN]}
    rows |= {"nearest training image": train[near.index[:SHOWN]]}
    numbers = {"held-out bound": bound, "reconstruction": reconstruction, "KL": kl, "training bound": known}
    numbers |= {"log p(x), sampled": sampled.log_p_x, "independent pixels": baseline}
    measured = {name: _number(values) for name, values in numbers.items()}
    return Report(measured, kl_per_dimension(vae, held_out), active, rows, findings)


@torch.no_grad()
def terms_of_images(vae: VAE, x: Tensor, samples: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The two terms of L5, E[log p(x|z)] and KL(q(z|x), p(z)), in nats for each image, (B,) each.

    Args:
        vae: A model.
        x: Images (B, C, H, W).
        samples: Draws of z for each image.
        seed: Of the draws.
    """
    with random_stream(seed):
        terms = [elbo(vae, batch, samples) for batch in x.split(200)]
    reconstruction, kl = (torch.cat(column).double() for column in zip(*terms, strict=True))
    return reconstruction, kl


def _number(values: Tensor) -> Number:
    return Number(values.double().mean().item(), standard_error(values.double()).item())


def _as_seen(vae: VAE, x: Tensor) -> Tensor:
    """Black and white for a Bernoulli decoder, which knows nothing else."""
    return (x >= 0.5).to(x) if vae.likelihood == "bernoulli" else x


# What is wrong.


def _of_pixels(vae: VAE, train: Tensor, held_out: Tensor) -> Iterator[str]:
    gray = ((held_out > 0) & (held_out < 1)).double().mean().item()
    if vae.likelihood == "bernoulli" and gray > 0:
        yield (
            f"{gray:.0%} of the pixels are not binary, and a Bernoulli decoder knows 0 and 1 only: they "
            'were cut at 0.5. For photographs train with likelihood="gaussian".'
        )
    if len(held_out) < FEW:
        yield f"There are {len(held_out)} held-out images only: the standard errors below are large."
    if twice := shared_images(held_out, train):
        yield (
            f"{twice} of {len(held_out)} held-out images are among the training images, too: remove them, as "
            "they tell nothing about new images."
        )


def _of_numbers(
    bound: Tensor, known: Tensor, sampled: marginal.SampleEstimate, baseline: Tensor, samples: int
) -> Iterator[str]:
    better, error = _number(bound - baseline)
    if better < SURE * error:
        yield (
            f"The held-out bound is not above the log-likelihood of independent pixels ({better:+.1f} ± "
            f"{error:.1f} nats): the model has learned nothing about how pixels go together. Train longer, "
            "or look at the learning rate."
        )
    below = known.mean().item() - bound.mean().item()
    error = math.hypot(_number(bound).error, _number(known).error)
    if below > max(SURE * error, LEAST):
        yield (
            f"The held-out bound is {below:.1f} ± {error:.1f} nats below that of the training images: it "
            "overfits. Stop earlier, take more images, or a smaller network."
        )
    gap, error = _number(sampled.log_p_x - bound)
    if gap > max(SURE * error, 0.05 * abs(bound.mean().item()), LEAST):
        yield (
            f"The bound lies at least {gap:.1f} ± {error:.1f} nats below log p(x): the encoder is a poor "
            "guess at the posterior. Train longer, or give it a larger network."
        )
    few = (sampled.effective_samples < marginal.FEW).sum().item()
    if few > 0.1 * len(bound):
        yield (
            f"For {few} of {len(bound)} images fewer than {marginal.FEW} of {samples} samples count: log "
            "p(x) is larger than the number here."
        )


def _of_dimensions(vae: VAE, active: Tensor) -> Iterator[str]:
    used = int(active.sum())
    if used == 0:
        yield (
            "None of the dimensions of z is active: the decoder ignores the code. Lower beta or the "
            "decoder's σ, or train longer."
        )
    elif used < len(active):
        yield f"{used} of {len(active)} dimensions are active: a smaller latent_dim would do as well."
    if vae.likelihood == "gaussian_one_sigma":
        sigma = vae.decode(vae.zero[None]).base_dist.stddev.mean().item()  # type: ignore[attr-defined]
        floor = math.exp(vae.min_logvar / 2)
        if sigma < 1.05 * floor:
            yield f"The decoder's σ is at its floor of {floor:.3g} gray levels: lower min_sigma."


def _of_copies(vae: VAE, drawn: Tensor, distance: Tensor, held_out: Tensor, train: Tensor) -> Iterator[str]:
    usual = nearest(vae.decode(vae.encode(held_out[:MOST]).mean).mean, train).distance.median().item()
    if distance.median().item() < 0.25 * usual:
        yield (
            "What the model draws is nearly a copy of training images: it draws no new ones. Take more "
            "images or a smaller network."
        )
