"""Random numbers from a seed that leave everyone else's alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution


@contextmanager
def random_stream(seed: int) -> Iterator[None]:
    """PyTorch's random numbers from the seed inside; outside they go on as if nothing had been drawn."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def mixed_seed(seed: int, *numbers: int) -> int:
    """One 32-bit seed from several numbers; a generator ignores what a seed holds beyond 32 bits."""
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1)[0])


def sample(q: Distribution, samples: int) -> Tensor:
    """z ∼ q, with gradients if q has them: (samples, B, …) for q of batch shape (B,)."""
    return q.rsample(torch.Size([samples])) if q.has_rsample else q.sample(torch.Size([samples]))
