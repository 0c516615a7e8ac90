"""What training does to each term of the bound, on images that it never sees."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from vae_edu.elbo import derivation, elbo
from vae_edu.engine.arguments import whole_number
from vae_edu.grid import Grid
from vae_edu.interface import LatentVariableModel
from vae_edu.train import History

Curves = dict[str, list[float]]


def monitor(
    x: Tensor, grid: Grid | None = None, *, samples: int = 8, draw: Callable[[Curves], Any] | None = None
) -> Callable[[Any, History], None]:
    """Make the `watch` of `vae_edu.train.fit`: it measures the terms of L5 after every epoch.

    The means over the images go into history.watched, in nats: "reconstruction" (E_q[log p(x|z)]), "kl" and
    "elbo". With a grid they are sums over its nodes, and "log p(x)" and "gap" (KL(q(z|x), p(z|x))) come with
    them, D6 term by term. Without a grid the expectation is the mean over some draws.

    Args:
        x: Images (B, …).
        grid: Of the model's latent dimension.
        samples: Draws for each image if there is no grid.
        draw: Called with these curves each time, for a figure that grows.

    Raises:
        ValueError: Samples below 1.
    """
    samples = whole_number("samples", samples, 1)

    def watch(model: LatentVariableModel, history: History) -> None:
        images = x.to(model.prior().mean.device)
        if grid is None:
            reconstruction, kl = elbo(model, images, samples)
            values = {"reconstruction": reconstruction, "kl": kl, "elbo": reconstruction - kl}
        else:
            lines = derivation(model, images, grid)
            reconstruction, minus_kl, gap = lines["D6"].values()
            values = {"reconstruction": reconstruction, "kl": -minus_kl, "elbo": reconstruction + minus_kl}
            log_likelihood, log_prior, minus_log_posterior = lines["D1"].values()  # add up to the integral
            values |= {"log p(x)": log_likelihood + log_prior + minus_log_posterior, "gap": gap}
        for name, value in values.items():
            history.watched.setdefault(name, []).append(value.mean().item())
        if draw is not None:
            draw(history.watched)

    return watch


def bits_per_dimension(log_p_x: float | Tensor, dimensions: int, levels: int = 1) -> float | Tensor:
    """log₂ levels − log₂ p(x) / D: what a perfect code would spend on each of D pixels.

    A probability of discrete pixels, as a Bernoulli decoder's, needs no levels. A density changes with the
    unit of gray. With images in [0, 1] whose pixels have the given number of levels, a level is 1/levels
    wide, its probability about p(x)/levels^D, and this is the code for the levels
    (`vae_edu.first_look.dequantized`).

    Args:
        log_p_x: In nats per image. If it is the ELBO, the result is an upper bound.
        dimensions: D, the pixels of an image, counting each color.
        levels: Of gray, if log_p_x is the logarithm of a density.
    """
    return math.log2(levels) - log_p_x / (dimensions * math.log(2))


def best_epoch(losses: Sequence[float] | Tensor, patience: int) -> int:
    """The epoch, counted from 0, whose model early stopping keeps.

    Training stops as soon as `patience` epochs in a row have brought no loss below the best so far
    (Prechelt 1998, "Early stopping, but when?").

    Args:
        losses: Held-out losses after each epoch, (E,).
        patience: In epochs.

    Raises:
        ValueError: If there are no losses, one is NaN, or patience is below 1.
    """
    patience, losses = whole_number("patience", patience, 1), [float(loss) for loss in losses]
    if not losses or any(map(math.isnan, losses)):
        raise ValueError("losses must be numbers, one for each epoch, and none of them NaN.")
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        if epoch - best >= patience:
            break
    return best
