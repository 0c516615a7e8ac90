"""Black-and-white images: each pixel is 1 with its own probability, and an image is one event."""

import math

import torch
from torch import Tensor
from torch.distributions import Independent
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from vae_edu.engine.precision import full
from vae_edu.engine.sync_checks import check, check_pixels, checking

GROUP = 100  # so many numbers from [½, 1] can be multiplied: 2⁻¹⁰⁰ is still a float32


class BernoulliImage(Independent):
    """p(x) = ∏ᵢ σ(lᵢ)^xᵢ (1 − σ(lᵢ))^(1−xᵢ), and its logarithm in nats per image.

    Make one as an Independent is made: BernoulliImage(Bernoulli(logits=l), 3) for logits l (…, C, H, W).
    """

    def log_prob(self, value: Tensor) -> Tensor:
        """Σᵢ [xᵢ lᵢ − log(1 + exp lᵢ)].

        Args:
            value: Images (…, C, H, W), each pixel 0 or 1.

        Returns:
            (…), in nats.

        Raises:
            ValueError: Gray pixels.
            FloatingPointError: Logits that are not finite, if gradients are off. While training, `fit` finds
                them by the loss.
        """
        logits = self.base_dist.logits
        value = value.to(logits)
        check_pixels(
            lambda: _none_gray(value),
            "a Bernoulli decoder gives probabilities to pixels that are 0 or 1 only: "
            "binarize the images, or use a Gaussian decoder.",
        )
        if not torch.is_grad_enabled():
            error = FloatingPointError("the decoder's logits are not finite: train again with a lower lr.")
            check(lambda: _all_finite(logits), error)
        return log_bernoulli(value.flatten(-3), logits.flatten(-3))


def log_bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    """Σᵢ [xᵢ lᵢ − log(1 + exp lᵢ)] over the last dimension, for x of 0 and 1: (…, D) each → (…).

    An infinite logit is a pixel that is certain: 0 if x is what it says, else −∞.
    """
    if logits.is_cuda and not _needs_gradient(x, logits):
        return _sum_log_sigmoid(full(x), full(logits))
    x, logits = torch.broadcast_tensors(full(x), full(logits))
    gradients = _needs_gradient(x, logits)
    if gradients:
        log_p = -binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
    else:
        buffer = logits.relu().addcmul_(x, logits, value=-1)
        log_p = -buffer.sum(-1) + _sum_log_sigmoid_of_magnitude(logits, buffer)
    if (checking() or not gradients) and log_p.sum().isnan():  # ∞ − ∞; `fit` finds it by the loss
        return _sum_log_sigmoid(x, logits)
    return log_p


def _sum_log_sigmoid(x: Tensor, logits: Tensor) -> Tensor:
    """log_bernoulli as Σᵢ log σ(±lᵢ), plus where xᵢ is 1: right for infinite logits, too."""
    return -_softplus(logits * (1 - 2 * x)).sum(-1)


def sum_softplus(logits: Tensor) -> Tensor:
    """Σᵢ log(1 + exp lᵢ) over the last dimension: (…, D) → (…)."""
    logits = full(logits)
    if _needs_gradient(logits) or logits.is_cuda:
        return _softplus(logits).sum(-1)
    buffer = logits.relu()
    return buffer.sum(-1) - _sum_log_sigmoid_of_magnitude(logits, buffer)


# Without gradients, the sums above cost a tenth of importance sampling less than PyTorch's functions. A GPU
# wants few passes over memory; a CPU wants few logarithms, so there log(1 + exp l) = max(l, 0) − log
# σ(|l|).


# A kernel of a GPU costs as much as a pass over memory, so there is a norm; on a CPU it is the slower one.


def _none_gray(x: Tensor) -> Tensor:
    """Whether Σ |x − x²| is 0; it is NaN for infinite x."""
    off = x.addcmul(x, x, value=-1)
    return (torch.linalg.vector_norm(off, 1) if x.is_cuda else off.abs_().sum()) == 0


def _all_finite(tensor: Tensor) -> Tensor:
    """Read once, where isfinite takes four passes."""
    if not tensor.numel():
        return torch.ones((), dtype=torch.bool, device=tensor.device)
    if tensor.is_cuda:
        return torch.linalg.vector_norm(tensor, math.inf) < math.inf
    return torch.stack(torch.aminmax(tensor)).isfinite().all()


def _needs_gradient(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def _softplus(logits: Tensor) -> Tensor:
    return softplus(logits, threshold=50)  # above it softplus is the identity, to the last bit of a float64


def _sum_log_sigmoid_of_magnitude(logits: Tensor, buffer: Tensor) -> Tensor:
    """``Σᵢ log σ(|lᵢ|)`` over the last dimension; buffer is overwritten.

    These σ lie between ½ and 1. Sigmoids are cheap and logarithms are not, so those of a group of pixels are
    multiplied before the logarithm is taken.
    """
    D = logits.shape[-1]
    groups = next(n for n in range(math.ceil(D / GROUP), D + 1) if D % n == 0)
    return torch.abs(logits, out=buffer).sigmoid_().unflatten(-1, (groups, -1)).prod(-1).log_().sum(-1)
