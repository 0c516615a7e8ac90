"""Black-and-white images: every pixel a 1 with a probability of its own, one event an image."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.distributions import Independent
from torch.nn.functional import softplus

from vae_edu.engine.sync_checks import checking

FACTORS = 100  # at most so many numbers from [½, 1] are multiplied: 2⁻¹⁰⁰ is still a float32


class BernoulliImage(Independent):
    """p(x) = ∏ᵢ σ(lᵢ)^xᵢ (1 − σ(lᵢ))^(1−xᵢ), and its logarithm in nats per image.

    To be made as Independent is: BernoulliImage(Bernoulli(logits=l), 3) for logits l (…, C, H, W).
    log_prob raises ValueError for grey pixels and FloatingPointError, where no gradient is asked for, for
    logits that are not finite.
    """

    def log_prob(self, value: Tensor) -> Tensor:
        """Σᵢ [xᵢ lᵢ − log(1 + exp lᵢ)]. value: (…, C, H, W). Returns (…)."""
        logits = self.base_dist.logits
        value = value.to(logits)
        if checking() and _grey(value):
            raise ValueError(
                "a Bernoulli decoder gives probabilities to pixels that are 0 or 1 only: "
                "binarize the images, or use a Gaussian decoder."
            )
        log_p = log_bernoulli(value.flatten(-3), logits.flatten(-3))
        if checking() and not torch.is_grad_enabled() and not log_p.isfinite().all():
            raise FloatingPointError("the decoder's logits are not finite: train again with a lower lr.")
        return log_p


def log_bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    """Σᵢ [xᵢ lᵢ − log(1 + exp lᵢ)] over the last dimension, for x of 0 and 1: (…, D) each → (…)."""
    return _LogBernoulli.apply(*torch.broadcast_tensors(x, logits))


def sum_softplus(logits: Tensor) -> Tensor:
    """Σᵢ log(1 + exp lᵢ) over the last dimension: (…, D) → (…)."""
    return _SumSoftplus.apply(logits)


# Gradients in closed form, and what is fast: on a GPU few passes over memory, on a CPU few logarithms, for
# which log(1 + exp l) = max(l, 0) − log σ(|l|).


class _LogBernoulli(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, logits: Tensor) -> Tensor:
        ctx.save_for_backward(x, logits)
        if _on_gpu(logits):
            return -softplus(logits).addcmul_(x, logits, value=-1).sum(-1)
        buffer = logits.relu().addcmul_(x, logits, value=-1)
        return -buffer.sum(-1) + _sum_log_sigmoid_of_magnitude(logits, buffer)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, logits = ctx.saved_tensors
        gradient = gradient.unsqueeze(-1)
        to_x = gradient * logits if ctx.needs_input_grad[0] else None
        return to_x, (x - logits.sigmoid()) * gradient if ctx.needs_input_grad[1] else None


class _SumSoftplus(Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor) -> Tensor:
        ctx.save_for_backward(logits)
        if _on_gpu(logits):
            return softplus(logits).sum(-1)
        buffer = logits.relu()
        return buffer.sum(-1) - _sum_log_sigmoid_of_magnitude(logits, buffer)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (logits,) = ctx.saved_tensors
        return logits.sigmoid() * gradient.unsqueeze(-1)


def _on_gpu(logits: Tensor) -> bool:
    """Whether PyTorch's softplus, which is the identity above 20, is fast, and exact for the dtype."""
    return logits.is_cuda and logits.dtype == torch.float32


def _sum_log_sigmoid_of_magnitude(logits: Tensor, buffer: Tensor) -> Tensor:
    """Σᵢ log σ(|lᵢ|) over the last dimension; buffer is overwritten.

    These σ lie between ½ and 1, and those of a whole group of pixels are multiplied before a logarithm is
    taken: sigmoids are cheap, logarithms not.
    """
    D = logits.shape[-1]
    groups = next(n for n in range(math.ceil(D / FACTORS), D + 1) if D % n == 0)
    return torch.abs(logits, out=buffer).sigmoid_().unflatten(-1, (groups, -1)).prod(-1).log_().sum(-1)


def _grey(x: Tensor) -> bool:
    """Whether any pixel is something else than 0 and 1; NaN and infinity are."""
    off = torch.addcmul(x, x, x, value=-1).flatten()
    return bool(off.dot(off) != 0)
