"""What training does to each term of the bound, on images that it never sees."""

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from vae_edu.elbo import derivation, elbo
from vae_edu.engine.arguments import whole_number
from vae_edu.grid import Grid
from vae_edu.train import History

Curves = dict[str, list[float]]


def monitor(
    x: Tensor, grid: Grid | None = None, *, samples: int = 8, draw: Callable[[Curves], Any] | None = None
) -> Callable[[nn.Module, History], None]:
    """Make the `watch` of `vae_edu.train.fit`: it measures the terms of L5 on x (B, …) after every epoch.

    Into history.watched go the means over the images, in nats: "reconstruction" (E_q[log p(x|z)]), "kl"
    and "elbo". With a grid of the model's latent dimension they are sums over its nodes, and "log p(x)"
    and "gap" (KL(q(z|x), p(z|x))) come with them, D6 term by term; without one the expectation is the
    mean over `samples` draws. draw: called with these curves each time, for a figure that grows.
    """

    samples = whole_number("samples", samples, 1)

    def watch(model: nn.Module, history: History) -> None:
        images = x.to(model.prior().mean.device)
        if grid is None:
            reconstruction, kl = elbo(model, images, samples)
            values = {"reconstruction": reconstruction, "kl": kl, "elbo": reconstruction - kl}
        else:
            lines = derivation(model, images, grid)
            reconstruction, minus_kl, gap = lines["D6"].values()
            values = {"reconstruction": reconstruction, "kl": -minus_kl, "elbo": reconstruction + minus_kl}
            values |= {"log p(x)": sum(lines["D1"].values()), "gap": gap}  # D1: the integral itself
        for name, value in values.items():
            history.watched.setdefault(name, []).append(value.mean().item())
        if draw is not None:
            draw(history.watched)

    return watch


def bits_per_dimension(log_p_x: float | Tensor, dimensions: int) -> float | Tensor:
    """−log₂ p(x) / D, from nats an image: what a perfect code would spend on each of D pixels.

    An upper bound on it where log_p_x is the ELBO. Only for discrete pixels, as a Bernoulli decoder's: a
    density has no such meaning, and changes with the unit of grey.
    """
    return -log_p_x / (dimensions * math.log(2))
