"""The importance-weighted bound of Burda et al. (2016): the ELBO with one sample, tighter with more."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from vae_edu.elbo import draw_binary
from vae_edu.engine.arguments import whole_number
from vae_edu.engine.chunks import Block, over_codes
from vae_edu.engine.randomness import sample
from vae_edu.gaussian import each_dimension
from vae_edu.interface import Encode, LatentVariableModel, check_images, check_q, encoding, log_joint
from vae_edu.marginal import (
    WEIGHT_BYTES,
    check_result,
    log_importance_weights,
    log_mean_exp,
    log_weights_from,
)

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
    """L_K = E[log (1/K) Σₖ p(x, zₖ)/q(zₖ|x)] for each K of counts, all from the same draws.

    As many samples as the largest K, in groups of K: the mean over the groups of `marginal.log_mean_exp`.
    Each count must divide the next one. Then a group of the next size holds whole groups of this one, and
    the mean of their logarithms is at most the logarithm of their mean (Jensen). So up to rounding these
    estimates never fall from one K to the next, on any image, as the bounds themselves never do.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        counts: The values of K, ascending.
        q: Images → the proposal, one row each; default: model.encode.
        seed: Fixes the draws.
        memory: Bytes of intermediate results at a time.

    Returns:
        K → (B,), in nats.

    Raises:
        ValueError: Images that do not fit the model, or counts that do not divide each other.
        FloatingPointError: A bound is NaN.
    """
    counts = [whole_number("every count", count, 1) for count in counts]
    if not counts or any(large % small or large == small for small, large in pairwise(counts)):
        raise ValueError(f"counts = {counts}: each must divide the next, larger one, as 1, 5, 50 do.")
    code = check_images(model, x)

    def log_weights(block: Block, start: int, stop: int) -> Tensor:
        return log_weights_from(block.q, model, block.x, stop - start).double()

    def bounds_of_block(parts: Iterator[Tensor]) -> Tensor:
        log_w = torch.cat(list(parts))  # (K, b)
        groups = [log_w.unflatten(0, (-1, count)) for count in counts]  # (groups, count, b)
        return torch.stack([log_mean_exp(group.transpose(0, 1)).mean(0) for group in groups])  # (counts, b)

    encode, most = encoding(model, code, q), counts[-1]
    values = over_codes(
        log_weights, x, most, bounds_of_block, encode=encode, kept=WEIGHT_BYTES, memory=memory, seed=seed
    )
    return dict(zip(counts, check_result(values), strict=True))


def negative_bound(
    model: LatentVariableModel, x: Tensor, samples: int = 5, *, doubly_reparameterized: bool = False
) -> Tensor:
    """−L_K with K samples drawn once, a loss for `vae_edu.train.fit`; the ELBO's if K = 1.

    Its gradient is that of −Σₖ w̃ₖ log wₖ with w̃ₖ = wₖ / Σⱼ wⱼ held fixed: the samples that explain the
    image better count more. The encoder's part of it is noisy, as q(z|x) stands in wₖ itself. With
    `doubly_reparameterized` it is −Σₖ w̃ₖ² (∂ log wₖ/∂zₖ) ∂zₖ/∂φ (Tucker et al. 2019; with K = 1, Roeder et
    al. 2017): the same on average and less noisy, and 0 for every draw where q is the posterior. The
    decoder's part stays the same.

    Args:
        model: Has the interface of `vae_edu.interface`.
        x: Images (B, …).
        samples: K.
        doubly_reparameterized: Whether the encoder gets the gradient with less noise.

    Returns:
        (B,), in nats.

    Raises:
        ValueError: K below 1, or doubly reparameterized and q is no diagonal Gaussian.
    """
    if not doubly_reparameterized:
        return -log_mean_exp(log_importance_weights(model, x, samples))
    q = model.encode(x)
    check_q(q, len(x), model.prior().event_shape)
    z = sample(q, whole_number("samples", samples, 1))  # (K, B, latent_dim)
    each = each_dimension(q)
    fixed = Independent(Normal(each.mean.detach(), each.stddev.detach(), validate_args=False), 1)
    log_w = log_joint(model, x, z) - fixed.log_prob(z)
    if z.requires_grad:
        shares = log_w.detach().softmax(0)[..., None]  # w̃, which the mean of the weights gives once already
        z.register_hook(lambda gradient: shares * gradient)
    return -log_mean_exp(log_w)


def negative_bound_of_binarized(
    model: LatentVariableModel, x: Tensor, samples: int = 5, *, doubly_reparameterized: bool = False
) -> Tensor:
    """`negative_bound` of x_b ∼ Bernoulli(x), drawn anew in every step from gray x in [0, 1]: (B,).

    Raises:
        ValueError: Pixels outside [0, 1], or what `negative_bound` refuses.
    """
    return negative_bound(model, draw_binary(x), samples, doubly_reparameterized=doubly_reparameterized)
