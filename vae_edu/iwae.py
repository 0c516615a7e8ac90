"""The importance-weighted bound of Burda et al. (2016): the ELBO with one sample, tighter with more."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from vae_edu.elbo import draw_binary
from vae_edu.engine.arguments import whole_number
from vae_edu.engine.chunks import bytes_for, in_chunks
from vae_edu.engine.randomness import random_stream
from vae_edu.interface import Encode, LatentVariableModel, check_images, encoder
from vae_edu.marginal import check_result, log_importance_weights, log_mean_exp

COUNTS = (1, 5, 50, 500, 5000)


@torch.no_grad()
def bounds(
    model: LatentVariableModel,
    x: Tensor,
    counts: Sequence[int] = COUNTS,
    *,
    q: Encode | None = None,
    seed: int = 0,
    memory: int | None = None,
) -> dict[int, Tensor]:
    """L_K = E[log (1/K) Σₖ p(x, zₖ)/q(zₖ|x)] for each K of counts, from the same draws: K → (B,), in nats.

    As many samples as the largest K, in groups of K: the mean over the groups of `marginal.log_mean_exp`.
    Each count must divide the next one. Then a group of the next size holds whole groups of this one, and
    the mean of their logarithms is at most the logarithm of their mean (Jensen): up to rounding these
    estimates never fall from one K to the next, on any image, as the bounds themselves never do.
    x: (B, …). q: model.encode without it. memory: bytes of intermediate results at a time.
    Raises ValueError for images that do not fit, or counts that do not divide each other, and
    FloatingPointError where a bound is NaN.
    """
    counts = [whole_number("every count", count, 1) for count in counts]
    if not counts or any(large % small or large == small for small, large in pairwise(counts)):
        raise ValueError(f"counts = {counts}: each must divide the next, larger one, as 1, 5, 50 do.")
    check_images(model, x)
    q, memory = encoder(model, q), bytes_for(x, memory)
    at_once = max(1, memory // (32 * counts[-1]))  # images whose weights fit too

    def work(images: Tensor, start: int, stop: int) -> Tensor:
        return log_importance_weights(model, images, stop - start, q).double()

    def of_block(log_w: Tensor) -> Tensor:  # (K, b) → (counts, b)
        return torch.stack(
            [log_mean_exp(log_w.unflatten(0, (-1, count)).transpose(0, 1)).mean(0) for count in counts]
        )

    with random_stream(whole_number("seed", seed, 0)):
        blocks = (block for part in x.split(at_once) for block in in_chunks(work, part, counts[-1], memory))
        values = check_result(torch.cat([of_block(torch.cat(list(block))) for block in blocks], dim=1))
    return dict(zip(counts, values, strict=True))


def negative_bound(model: LatentVariableModel, x: Tensor, samples: int = 5) -> Tensor:
    """−L_K with K samples drawn once, a loss for `vae_edu.train.fit`: (B,), in nats; the ELBO's for K = 1.

    Its gradient is that of −Σₖ w̃ₖ log wₖ with w̃ₖ = wₖ / Σⱼ wⱼ held fixed: the samples that explain the
    image better count more. x: (B, …). samples: K. Raises ValueError for a K below 1.
    """
    return -log_mean_exp(log_importance_weights(model, x, samples))


def negative_bound_of_binarized(model: LatentVariableModel, x: Tensor, samples: int = 5) -> Tensor:
    """`negative_bound` of x_b ∼ Bernoulli(x), drawn anew in every step from grey x in [0, 1]: (B,)."""
    return negative_bound(model, draw_binary(x), samples)
