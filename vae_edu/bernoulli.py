"""Black-and-white images: every pixel a 1 with a probability of its own, one event an image."""

import math

import torch
from torch import Tensor
from torch.distributions import Independent

FACTORS = 100  # at most so many numbers from [½, 1] are multiplied: 2⁻¹⁰⁰ is still a float32


class BernoulliImage(Independent):
    """p(x) = ∏ᵢ σ(lᵢ)^xᵢ (1 − σ(lᵢ))^(1−xᵢ), and its logarithm in nats per image.

    To be made as Independent is: BernoulliImage(Bernoulli(logits=l), 3) for logits l (…, C, H, W).
    log_prob raises ValueError for grey pixels and FloatingPointError, where no gradient is asked for, for
    logits that are not finite.
    """

    def log_prob(self, value: Tensor) -> Tensor:
        """Σᵢ log σ(aᵢ) with a = (2x − 1) l, since 1 − σ(l) = σ(−l). value: (…, C, H, W). Returns (…)."""
        value = value.to(self.base_dist.logits)
        if (value - value.square()).any():  # NaN and infinity count as different from 0
            raise ValueError(
                "a Bernoulli decoder gives probabilities to pixels that are 0 or 1 only: "
                "binarize the images, or use a Gaussian decoder."
            )
        if torch.is_grad_enabled():
            return super().log_prob(value)
        log_p = sum_log_sigmoid(self.base_dist.logits.flatten(-3), (2 * value - 1).flatten(-3))
        if not log_p.isfinite().all():
            raise FloatingPointError("the decoder's logits are not finite: train again with a lower lr.")
        return log_p


def sum_log_sigmoid(logits: Tensor, sign: Tensor) -> Tensor:
    """Σᵢ log σ(sᵢ lᵢ) over the last dimension of logits l and signs s, (…, D) each: (…), without gradients.

    With a = s l, log σ(a) = ½ (a − |a|) + log σ(|a|). The numbers σ(|a|) lie between ½ and 1, and those of
    a whole group of pixels are multiplied before a logarithm is taken: sigmoids are cheap, logarithms not.
    """
    D = logits.shape[-1]
    groups = next(n for n in range(math.ceil(D / FACTORS), D + 1) if D % n == 0)
    a = (sign * logits).unflatten(-1, (groups, -1))
    total, magnitude = a.sum(-1), a.abs_().sum(-1)
    return ((total - magnitude) / 2 + a.sigmoid_().prod(-1).log_()).sum(-1)
